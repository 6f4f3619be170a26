package deploy

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

// What runs somebody else's code next to secrets names it by what it is: a tag can
// be moved to other code.
var (
	usesAction = regexp.MustCompile(`(?m)^\s*(?:- )?uses:\s*(\S+)(.*)$`)
	usesImage  = regexp.MustCompile(`(?m)^\s*(?:- )?image:\s*(\S+)`)
	byCommit   = regexp.MustCompile(`^[\w.-]+/[\w./-]+@[0-9a-f]{40}$`)
	byDigest   = regexp.MustCompile(`^[\w./-]+(?::[\w.-]+)?@sha256:[0-9a-f]{64}$`)
	itsRelease = regexp.MustCompile(`^ # v\d+\.\d+\.\d+$`)
)

// TestActionsAndImagesArePinned: actions by the commit, with the release that it is
// for the reader; images of pipelines by digest. The Dockerfile has its own test.
func TestActionsAndImagesArePinned(t *testing.T) {
	files, err := filepath.Glob("../../../docs/ci/*.yml")
	if err != nil || len(files) < 3 {
		t.Fatalf("workflows and pipelines: %v %v", files, err)
	}
	actions, images := 0, 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range usesAction.FindAllSubmatch(text, -1) {
			actions++
			if !byCommit.Match(m[1]) || !itsRelease.Match(m[2]) {
				t.Errorf("%s uses %s%s", filepath.Base(file), m[1], m[2])
			}
		}
		for _, m := range usesImage.FindAllSubmatch(text, -1) {
			images++
			if !byDigest.Match(m[1]) {
				t.Errorf("%s runs in %s", filepath.Base(file), m[1])
			}
		}
	}
	if actions < 4 || images < 1 {
		t.Errorf("only %d actions and %d images were found: the patterns miss some", actions, images)
	}
}
