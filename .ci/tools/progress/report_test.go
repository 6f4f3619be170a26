package main

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"time"
)

// TestReport feeds lines as `go test -json` writes them and demands what a reader
// must see of them.
func TestReport(t *testing.T) {
	for name, c := range map[string]struct {
		events []string
		ok     bool
		shown  []string
		hidden []string
	}{
		"a package passes": {
			events: []string{
				`{"Action":"start","Package":"m/a"}`,
				`{"Action":"output","Package":"m/a","Test":"TestX","Output":"a private matter\n"}`,
				`{"Action":"pass","Package":"m/a","Test":"TestX","Elapsed":7}`,
				`{"Action":"pass","Package":"m/a","Test":"TestQuick","Elapsed":0.1}`,
				`{"Action":"pass","Package":"m/a","Elapsed":8}`,
			},
			ok:     true,
			shown:  []string{"ok    a", "8.0s  TestX 7.0s", "slowest tests:", "PASS: 1 packages, 2 tests passed, 0 failed, 0 skipped"},
			hidden: []string{"a private matter", "TestQuick", "failed:"},
		},
		"a cached package": {
			events: []string{`{"Action":"output","Package":"m/a","Output":"ok  \tm/a\t(cached)\n"}`, `{"Action":"pass","Package":"m/a","Elapsed":0}`},
			ok:     true, shown: []string{"cached"},
		},
		"a test fails": {
			events: []string{
				`{"Action":"output","Package":"m/a","Test":"TestX","Output":"want 1, got 2\n"}`,
				`{"Action":"fail","Package":"m/a","Test":"TestX","Elapsed":1}`,
				`{"Action":"fail","Package":"m/a","Elapsed":1}`,
			},
			shown: []string{"FAIL  a TestX, after 1.0s:\nwant 1, got 2", "failed:\n  a TestX\n", "FAIL: 1 packages, 0 tests passed, 1 failed"},
		},
		"a test never ends": {
			events: []string{
				`{"Action":"output","Package":"m/a","Test":"TestX","Output":"panic: timed out\n"}`,
				`{"Action":"output","Package":"m/a","Output":"FAIL\tm/a\n"}`,
				`{"Action":"fail","Package":"m/a","Elapsed":1}`,
			},
			shown: []string{"TestX did not end:\npanic: timed out", "failed:\n  a TestX\n"},
		},
		"a package does not compile": {
			events: []string{
				`{"Action":"build-output","ImportPath":"m/a","Output":"a.go:1: no such thing\n"}`,
				`{"Action":"build-fail","ImportPath":"m/a"}`,
				`{"Action":"fail","Package":"m/a","Elapsed":0}`,
			},
			shown: []string{"m/a does not compile:\na.go:1: no such thing", "failed:\n  a\n"},
		},
		"a package fails outside its tests": {
			events: []string{
				`{"Action":"pass","Package":"m/a","Test":"TestX","Elapsed":0}`,
				`{"Action":"output","Package":"m/a","Output":"exit status 3\n"}`,
				`{"Action":"fail","Package":"m/a","Elapsed":0}`,
			},
			shown: []string{"exit status 3", "failed:\n  a\n"},
		},
		"tests are skipped": {
			events: []string{
				`{"Action":"output","Package":"m/a","Test":"TestX","Output":"=== RUN   TestX\n"}`,
				`{"Action":"output","Package":"m/a","Test":"TestX","Output":"    a_test.go:7: jq is not installed\n"}`,
				`{"Action":"skip","Package":"m/a","Test":"TestX","Elapsed":0}`,
				`{"Action":"pass","Package":"m/a","Elapsed":0}`,
			},
			ok: true, shown: []string{"skipped:\n  jq is not installed: a TestX\n", "1 skipped"},
		},
		"what is no event is passed on": {events: []string{"go: downloading everything"}, ok: true, shown: []string{"go: downloading everything"}},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			r := newReport(&out, time.Now)
			lines := make(chan []byte, len(c.events))
			for _, e := range c.events {
				lines <- []byte(e)
			}
			close(lines)
			follow(r, lines)
			r.verdict(c.ok)
			for _, want := range c.shown {
				if !strings.Contains(out.String(), want) {
					t.Errorf("it does not say %q:\n%s", want, out.String())
				}
			}
			for _, not := range c.hidden {
				if strings.Contains(out.String(), not) {
					t.Errorf("it says %q:\n%s", not, out.String())
				}
			}
		})
	}
}

// TestRunningIsSaid: after half a minute without a word it says what is running.
func TestRunningIsSaid(t *testing.T) {
	var out bytes.Buffer
	now := time.Unix(0, 0)
	r := newReport(&out, func() time.Time { return now })
	r.take(event{Action: "start", Package: "m/a"})
	r.take(event{Action: "run", Package: "m/a", Test: "TestLong"})
	now = now.Add(quiet / 2)
	r.running()
	if out.Len() > 0 {
		t.Errorf("too soon: %s", out.String())
	}
	now = now.Add(quiet)
	r.running()
	if got := out.String(); !strings.Contains(got, "a for 45.0s, now TestLong") {
		t.Errorf("it says %q", got)
	}
}

// TestExitCode: the exit code is the command's.
func TestExitCode(t *testing.T) {
	for _, want := range []int{0, 3} {
		var out bytes.Buffer
		t.Setenv("PROGRESS_TEST_EXIT", string(rune('0'+want)))
		code, err := watch(&out, []string{os.Args[0], "-test.run=^TestHelper$"})
		if err != nil || code != want {
			t.Errorf("it ended with %d (%v), want %d:\n%s", code, err, want, out.String())
		}
	}
}

// TestHelper is the command of TestExitCode.
func TestHelper(*testing.T) {
	if code := os.Getenv("PROGRESS_TEST_EXIT"); code != "" {
		os.Exit(int(code[0] - '0'))
	}
}
