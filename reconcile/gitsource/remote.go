package gitsource

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/go-git/go-billy/v5/memfs"
	git "github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/config"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/transport"
	"golang.org/x/crypto/ssh/knownhosts"
)

// repackAbove is how many packs of single fetches may gather.
const repackAbove = 50

// fetchRemote fetches the tracked ref and the failover tags, and nothing else:
// what is not tracked cannot grow our copy.
func (r *Repo) fetchRemote(ctx context.Context) error {
	if err := r.openCopy(); err != nil {
		return err
	}
	var login Auth
	if r.auth != nil {
		var err error
		if login, err = r.auth(); err != nil {
			return fmt.Errorf("read git.auth: %w", err)
		}
	}
	auth, err := login.method(r.loc)
	if err != nil {
		return err
	}
	ca, err := login.authorities()
	if err != nil {
		return err
	}
	err = abandonable(ctx, func() error { return r.fetchFrom(ctx, auth, ca) })
	if err != nil {
		return fmt.Errorf("fetch %s: %w", r.loc.shown(), explainFetch(err, r.ref))
	}
	if err := r.repack(); err != nil {
		return err
	}
	return r.markFetched()
}

func (r *Repo) fetchFrom(ctx context.Context, auth transport.AuthMethod, ca []byte) error {
	remote := git.NewRemote(r.git.Storer, &config.RemoteConfig{Name: "origin", URLs: []string{r.loc.url}})
	tracked := r.tracked
	if tracked == "" {
		refs, err := remote.ListContext(ctx, &git.ListOptions{Auth: auth, CABundle: ca})
		if err != nil {
			return err
		}
		if tracked, err = chooseRef(refs, r.ref); err != nil {
			return err
		}
	}
	err := remote.FetchContext(ctx, &git.FetchOptions{
		RemoteName: "origin",
		RefSpecs: []config.RefSpec{
			config.RefSpec(fmt.Sprintf("+%s:%s", tracked, tracked)),
			config.RefSpec(fmt.Sprintf("+%s*:%s*", tagPrefix, tagPrefix)),
		},
		Auth:     auth,
		CABundle: ca,
		Tags:     git.NoTags,
		Prune:    true,
		Force:    true,
	})
	if err != nil && !errors.Is(err, git.NoErrAlreadyUpToDate) {
		return err
	}
	r.tracked = tracked
	return nil
}

// abandonable stops waiting for work that does not heed its context. A server
// that accepts a connection and then keeps silent holds go-git's SSH dialog up
// for ever; whatever goes on after that heeds the context, so the work that is
// left behind touches nothing of ours.
func abandonable(ctx context.Context, work func() error) error {
	done := make(chan error, 1)
	go func() { done <- work() }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	grace := time.NewTimer(time.Second)
	defer grace.Stop()
	select {
	case err := <-done:
		return err
	case <-grace.C:
		return fmt.Errorf("the server does not answer: %w", context.Cause(ctx))
	}
}

// chooseRef finds the full name of the ref to track.
func chooseRef(refs []*plumbing.Reference, want string) (string, error) {
	byName := map[string]*plumbing.Reference{}
	for _, ref := range refs {
		byName[ref.Name().String()] = ref
	}
	if want == "" || want == "HEAD" {
		head := byName["HEAD"]
		if head == nil || head.Type() != plumbing.SymbolicReference {
			return "", errors.New("the remote does not say which branch is its default: set git.ref")
		}
		return head.Target().String(), nil
	}
	for _, name := range []string{want, "refs/heads/" + want, "refs/tags/" + want} {
		if byName[name] != nil && strings.HasPrefix(name, "refs/") {
			return name, nil
		}
	}
	return "", fmt.Errorf("%w: the remote has no ref %+q", ErrNotFound, want)
}

// copyDir is where the bare copy of the remote is kept.
func (r *Repo) copyDir() string {
	sum := sha256.Sum256([]byte(r.loc.url))
	return filepath.Join(r.dir, hex.EncodeToString(sum[:8])+".git")
}

// openCopy opens our bare copy of the remote, or makes it.
func (r *Repo) openCopy() error {
	if r.git != nil {
		return nil
	}
	if r.dir == "" {
		// As packs, compressed and as deltas: unpacked, the folders of a long
		// history take hundreds of megabytes.
		made, decoded := storage(memfs.New())
		opened, err := git.Init(made, nil)
		r.git, r.decoded = opened, decoded
		return err
	}
	dir := r.copyDir()
	if err := os.MkdirAll(r.dir, 0o700); err != nil {
		return fmt.Errorf("git.cacheDir: %w", err)
	}
	opened, err := git.PlainOpen(dir)
	if err != nil {
		// It is only a copy: one that cannot be opened is made anew.
		if err := os.RemoveAll(dir); err != nil {
			return fmt.Errorf("git.cacheDir: %w", err)
		}
		if opened, err = git.PlainInit(dir, true); err != nil {
			return fmt.Errorf("git.cacheDir: %w", err)
		}
	}
	return r.use(opened)
}

// repack joins the packs of many fetches into one.
func (r *Repo) repack() error {
	packs, ok := r.git.Storer.(interface {
		ObjectPacks() ([]plumbing.Hash, error)
	})
	if !ok || r.dir == "" {
		return nil
	}
	list, err := packs.ObjectPacks()
	if err != nil || len(list) <= repackAbove {
		return err
	}
	if err := r.git.RepackObjects(&git.RepackConfig{}); err != nil {
		return fmt.Errorf("git.cacheDir: join packs: %w", err)
	}
	if err := r.release(); err != nil { // its list of packs is out of date
		return fmt.Errorf("git.cacheDir: %w", err)
	}
	return r.openCopy()
}

// explainFetch says what to do about the errors that people meet.
func explainFetch(err error, ref string) error {
	var refSpec git.NoMatchingRefSpecError
	var host *knownhosts.KeyError
	switch {
	case errors.As(err, &host) && len(host.Want) == 0:
		return fmt.Errorf("%w: the host is not in git.auth.knownHostsFile; ssh-keyscan prints its key, which you compare with what its owner publishes", err)
	case errors.As(err, &host):
		return fmt.Errorf("%w: the host shows another key than git.auth.knownHostsFile has for it: somebody may stand in between, or its owner changed the key", err)
	case errors.As(err, &refSpec):
		return fmt.Errorf("%w: the remote has no ref %+q any more", ErrNotFound, ref)
	case errors.Is(err, transport.ErrEmptyRemoteRepository):
		return fmt.Errorf("%w: the remote has no commit yet", ErrNotFound)
	case errors.Is(err, transport.ErrAuthenticationRequired), errors.Is(err, transport.ErrAuthorizationFailed):
		return fmt.Errorf("%w: check git.auth", err)
	case errors.Is(err, transport.ErrRepositoryNotFound):
		return fmt.Errorf("%w: check git.url, and that git.auth may read it", err)
	case strings.Contains(err.Error(), "object-format"), strings.Contains(err.Error(), "malformed hash"), strings.Contains(err.Error(), "invalid hash"):
		return fmt.Errorf("%w: if the repository uses SHA-256 object names, it cannot be read here", err)
	}
	return err
}

// shown is the remote for messages: a URL holds no password, see parseLocation.
func (l location) shown() string {
	if l.transport == transportLocal {
		return l.path
	}
	return l.url
}
