package gitsource

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	git "github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/config"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/transport"
	githttp "github.com/go-git/go-git/v5/plumbing/transport/http"
	"github.com/go-git/go-git/v5/storage/memory"
	"golang.org/x/crypto/ssh/knownhosts"

	"milvus-reconcile/reconcile/foreign"
)

// fetchRemote fetches the tracked ref and the failover tags, and nothing else:
// what is not tracked cannot grow our copy. A copy that stands in the way, though
// the remote answers, is made again.
func (r *Repo) fetchRemote(ctx context.Context) error {
	l, err := r.login()
	if err != nil {
		return err
	}
	fetch := func(ctx context.Context) error { return r.fetchWith(ctx, l) }
	if cause := cmp.Or(r.suspect, r.recheck()); cause != nil {
		r.suspect = nil
		return r.remake(ctx, fetch, cause)
	}
	err = fetch(ctx)
	if err == nil || r.dir == "" || !r.answers(ctx, l) {
		return err
	}
	return r.remake(ctx, fetch, err)
}

// login is what a fetch shows to the remote.
type login struct {
	auth    transport.AuthMethod
	ca      []byte
	secrets []string // no error repeats them
}

func (r *Repo) login() (l login, err error) {
	var a Auth
	if r.auth != nil {
		if a, err = r.auth(); err != nil {
			return l, fmt.Errorf("read git.auth: %w", err)
		}
	}
	if l.auth, err = a.method(r.loc); err != nil {
		return l, err
	}
	l.ca, err = a.authorities()
	l.secrets = []string{a.Password, a.SSHKeyPassphrase, foreign.Name(a.Username)}
	if basic, ok := l.auth.(*githttp.BasicAuth); ok {
		l.secrets = append(l.secrets, basic.Username+":"+basic.Password)
	}
	return l, err
}

// answers says whether the remote has what is tracked, so that a fetch that failed
// failed here.
func (r *Repo) answers(ctx context.Context, l login) bool {
	if ctx.Err() != nil {
		return false
	}
	err := abandonable(ctx, func() error {
		remote := git.NewRemote(memory.NewStorage(), &config.RemoteConfig{Name: "origin", URLs: []string{r.loc.url}})
		refs, err := remote.ListContext(withAuthorities(ctx, l.ca), &git.ListOptions{Auth: l.auth})
		if err != nil {
			return err
		}
		_, err = chooseRef(refs, r.ref)
		return err
	})
	return err == nil
}

// fetchWith brings the copy up to date, all of it or nothing.
func (r *Repo) fetchWith(ctx context.Context, l login) error {
	if err := r.openCopy(); err != nil {
		return err
	}
	staged, tracked := r.copied.staged(), r.tracked
	err := abandonable(ctx, func() (err error) {
		tracked, err = fetchInto(ctx, staged, r.loc.url, r.ref, tracked, l)
		return err
	})
	if err != nil {
		return fmt.Errorf("fetch %s: %w", r.loc.shown(), explainFetch(foreign.Error(err, l.secrets...), r.ref))
	}
	r.copied.light, r.tracked = staged.light, tracked
	if err := r.repack(); err != nil {
		return err
	}
	return r.saveCopy()
}

// fetchInto fetches into a copy, and returns the full name of what is tracked.
func fetchInto(ctx context.Context, into *copyStore, url, ref, tracked string, l login) (string, error) {
	remote := git.NewRemote(into, &config.RemoteConfig{Name: "origin", URLs: []string{url}})
	if tracked == "" || isDefault(ref) { // which may be another branch by now
		refs, err := remote.ListContext(withAuthorities(ctx, l.ca), &git.ListOptions{Auth: l.auth})
		if err != nil {
			return "", err
		}
		if tracked, err = chooseRef(refs, ref); err != nil {
			return "", err
		}
	}
	err := remote.FetchContext(withAuthorities(ctx, l.ca), &git.FetchOptions{
		RemoteName: "origin",
		RefSpecs: []config.RefSpec{
			config.RefSpec(fmt.Sprintf("+%s:%s", tracked, tracked)),
			config.RefSpec(fmt.Sprintf("+%s*:%s*", tagPrefix, tagPrefix)),
		},
		Auth:  l.auth,
		Tags:  git.NoTags,
		Prune: true,
		Force: true,
	})
	if err != nil && !errors.Is(err, git.NoErrAlreadyUpToDate) {
		return "", err
	}
	for name := range into.light.ReferenceStorage {
		if string(name) != tracked && !strings.HasPrefix(string(name), tagPrefix) {
			delete(into.light.ReferenceStorage, name) // what was tracked before
		}
	}
	return tracked, nil
}

// isDefault says whether a git.ref means the remote's default branch.
func isDefault(ref string) bool { return ref == "" || ref == "HEAD" }

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
	if isDefault(want) {
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
