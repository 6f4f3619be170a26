package gitsource

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	git "github.com/go-git/go-git/v5"
)

// fetchedFile lies in the copy on disk: it holds the ref that the last fetch
// tracked, and its time is that fetch's.
const fetchedFile = "reconcile-fetched"

func (r *Repo) markFetched() error {
	if r.dir == "" {
		return nil
	}
	if err := os.WriteFile(filepath.Join(r.copyDir(), fetchedFile), []byte(r.tracked+"\n"), 0o600); err != nil {
		return fmt.Errorf("git.cacheDir: %w", err)
	}
	return nil
}

// UseCopy reads the copy of a remote on disk as the last fetch left it, for when
// the remote cannot be reached, and says when that fetch was. The copy may be out
// of date, and may hold approvals that were withdrawn since: it is good for
// looking, never for acting.
func (r *Repo) UseCopy() (fetched time.Time, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.loc.transport == transportLocal || r.dir == "" {
		return time.Time{}, errors.New("no copy of it is kept on disk (git.cacheDir)")
	}
	mark := filepath.Join(r.copyDir(), fetchedFile)
	info, err := os.Stat(mark)
	if err != nil {
		return time.Time{}, errors.New("the copy in git.cacheDir was never fetched")
	}
	tracked, err := os.ReadFile(mark)
	if err != nil {
		return time.Time{}, fmt.Errorf("git.cacheDir: %w", err)
	}
	name := strings.TrimSpace(string(tracked))
	if want := []string{r.ref, "refs/heads/" + r.ref, "refs/tags/" + r.ref}; r.ref != "" && r.ref != "HEAD" && !slices.Contains(want, name) {
		return time.Time{}, fmt.Errorf("the copy in git.cacheDir is of %+q, not of %+q", name, r.ref)
	}
	opened, err := git.PlainOpen(r.copyDir())
	if err != nil {
		return time.Time{}, fmt.Errorf("git.cacheDir: %w", err)
	}
	if err := r.use(opened); err != nil {
		return time.Time{}, err
	}
	r.tracked = name
	return info.ModTime().UTC(), nil
}
