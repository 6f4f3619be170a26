package gitsource

import (
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// TestCopyServesWhileTheRemoteIsDown reads what the last fetch left, and says so.
func TestCopyServesWhileTheRemoteIsDown(t *testing.T) {
	for _, ref := range []string{"", "main", "refs/heads/main"} {
		t.Run("ref "+ref, func(t *testing.T) {
			s := newShell(t)
			s.commit(bob, "Begin", "topologies/a.yaml", doc("orders", 1))
			remote := httpRemote(t, s.dir, "", false)
			c := Config{URL: remote.URL + "/.git", Ref: ref, CacheDir: t.TempDir()}
			before := time.Now().Add(-time.Minute)
			s.openWith(c)
			seen := s.head()
			s.commit(bob, "Not fetched", "topologies/a.yaml", doc("orders", 2))
			remote.Close()

			r, err := Open(t.Context(), c)
			if err == nil {
				t.Fatal("a remote that is down was fetched")
			}
			fetched, err := r.UseCopy()
			if err != nil || fetched.Before(before) || fetched.After(time.Now().Add(time.Minute)) {
				t.Fatalf("fetched at %s, %v", fetched, err)
			}
			if tip, err := r.Resolve(""); err != nil || tip != seen {
				t.Errorf("tip %s, %v; want %s", tip, err, seen)
			}
			if got := changeOf(t, r, "orders"); got.Commit != seen {
				t.Errorf("governed by %s, want %s", got.Commit, seen)
			}
			if err := r.Fetch(t.Context()); err == nil {
				t.Error("after reading the copy a fetch no longer fails")
			}
		})
	}
}

func TestThereIsNoCopyToUse(t *testing.T) {
	s := newShell(t)
	s.commit(bob, "Begin", "topologies/a.yaml", doc("orders", 1))
	gone := httptest.NewServer(nil)
	gone.Close()
	remote := httpRemote(t, s.dir, "", false)
	other := Config{URL: remote.URL + "/.git", CacheDir: t.TempDir()}
	s.openWith(other)
	remote.Close()
	other.Ref = "refs/heads/other"
	for name, c := range map[string]struct {
		config Config
		want   string
	}{
		"no folder for it":   {Config{URL: gone.URL + "/x.git"}, "no copy"},
		"never fetched":      {Config{URL: gone.URL + "/x.git", CacheDir: t.TempDir()}, "never fetched"},
		"of another ref":     {other, "not of"},
		"a local repository": {Config{URL: s.dir, CacheDir: t.TempDir()}, "no copy"},
	} {
		t.Run(name, func(t *testing.T) {
			r, _ := Open(t.Context(), c.config)
			if _, err := r.UseCopy(); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}
