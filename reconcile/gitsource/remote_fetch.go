package gitsource

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
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
	"milvus-reconcile/reconcile/gitsource/gitdir"
)

// fetchRemote fetches only the tracked ref and the failover tags, so that other refs do
// not grow our copy. If the disk fails, it fetches into a copy in memory until the disk
// works again.
func (r *Repo) fetchRemote(ctx context.Context) error {
	l, err := r.login()
	if err != nil {
		return err
	}
	if r.dir == "" || !r.diskBackoff.elapsed(r.now()) {
		return r.fetchInMemory(ctx, l)
	}
	var refused diskFault
	err = r.fetchOnDisk(ctx, l)
	switch {
	case errors.As(err, &refused):
		r.diskRefused(refused)
		return r.fetchInMemory(ctx, l)
	case err == nil && r.diskRefusal != nil:
		r.tell(fmt.Sprintf("git.cacheDir %s takes the copy again", r.dir))
		r.diskRefusal, r.diskBackoff = nil, backoff{}
	}
	return err
}

// diskRefused pauses the use of the disk, and reports a new reason once.
func (r *Repo) diskRefused(f diskFault) {
	if r.diskRefusal == nil || r.diskRefusal.Error() != f.Error() {
		r.tell(fmt.Sprintf("%v; a copy in memory is used until the disk takes one again", f))
	}
	r.diskRefusal = f
	r.diskBackoff.failed(r.now())
}

// fetchInMemory fetches into the copy in memory, or into a new one. The copy on disk stays
// in use until the fetch succeeds.
func (r *Repo) fetchInMemory(ctx context.Context, l login) error {
	c, suspect := r.copied, r.takeSuspicion()
	if suspect != nil {
		r.clearCaches()
		r.renewBackoff.failed(r.now())
	}
	if c == nil || c.dir != "" || suspect != nil {
		var err error
		if c, err = newCopy("", manifest{refs: memory.ReferenceStorage{}}); err != nil {
			return err
		}
	}
	if err := r.update(ctx, l, c); err != nil {
		return err
	}
	return r.useCopy(c)
}

// fetchOnDisk fetches into the copy on disk. It renews the copy only if the copy is
// damaged: a fault of the remote fails the fetch and keeps the copy.
func (r *Repo) fetchOnDisk(ctx context.Context, l login) error {
	suspect := r.takeSuspicion()
	c, cause := r.copyOnDisk()
	if cause = cmp.Or(suspect, cause); cause == nil {
		if r.copied == nil { // readable while the fetch runs or fails
			cause = r.useCopy(c)
		}
	}
	if cause == nil {
		err := r.update(ctx, l, c)
		var refused diskFault
		switch {
		case err == nil:
			r.renewBackoff = backoff{}
			return r.diskFaultOf(c, r.useCopy(c))
		case ctx.Err() != nil, errors.As(err, &refused):
			return err
		}
		if cause = c.checkAll(); cause == nil && errors.Is(err, errNotAll) && r.renewBackoff.elapsed(r.now()) {
			cause = err // the copy may lack objects that it claims to have
		}
		if cause == nil {
			return err
		}
	}
	if exhausted(cause) {
		return diskFault{r.dir, cause}
	}
	return r.renew(ctx, l, cause)
}

// renew fetches into a new folder, and replaces the damaged copy after the fetch is
// complete. Until then the old copy stays in use.
func (r *Repo) renew(ctx context.Context, l login, cause error) error {
	r.renewBackoff.failed(r.now())
	newDir := r.copyDir() + ".new"
	if err := cmp.Or(os.RemoveAll(newDir), os.MkdirAll(newDir, 0o700)); err != nil {
		return diskFault{r.dir, err}
	}
	c, err := newCopy(newDir, manifest{refs: memory.ReferenceStorage{}})
	if err != nil {
		return diskFault{r.dir, err}
	}
	if text := fmt.Sprintf("the copy in git.cacheDir %s cannot be used and is fetched again: %v", r.dir, cause); text != r.lastMessage && !errors.Is(cause, errNotAll) {
		r.tell(text)
		r.lastMessage = text
	}
	err = errors.Join(r.update(ctx, l, c), c.Close())
	if err == nil {
		err = r.replaceCopy(newDir)
	}
	if err != nil {
		_ = os.RemoveAll(newDir) // what stays costs room, and is removed the next time
		return err
	}
	r.lastMessage = ""
	return nil
}

// takeSuspicion returns why the copy must be renewed, and resets the reason. It returns
// nil during the backoff, so that a remote with damaged objects is not fetched entirely
// at every poll.
func (r *Repo) takeSuspicion() error {
	err := r.suspect
	if r.suspect = nil; !r.renewBackoff.elapsed(r.now()) {
		return nil
	}
	return err
}

// replaceCopy replaces the old copy by a new one.
func (r *Repo) replaceCopy(newDir string) error {
	old := r.copyDir() + ".old"
	err := os.RemoveAll(old)
	if err == nil {
		if err = os.Rename(r.copyDir(), old); errors.Is(err, os.ErrNotExist) {
			err = nil
		}
	}
	if err == nil {
		err = os.Rename(newDir, r.copyDir())
	}
	if err != nil {
		return diskFault{r.dir, err}
	}
	_ = os.RemoveAll(old) // what stays costs room only
	m, err := readManifest(filepath.Join(r.copyDir(), manifestFile))
	if err != nil {
		return diskFault{r.dir, err}
	}
	c, err := newCopy(r.copyDir(), m)
	if err != nil {
		return diskFault{r.dir, err}
	}
	r.clearCaches() // cached objects of the old copy may be wrong
	return r.useCopy(c)
}

// CopyProblem returns why the copy is in memory although a folder is configured; empty: it
// is on disk, or no folder is configured.
func (r *Repo) CopyProblem() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.diskRefusal == nil {
		return ""
	}
	return r.diskRefusal.Error()
}

// tell sends a message about the copy to the operator.
func (r *Repo) tell(text string) {
	if r.message != nil {
		r.message(text)
	}
}

// login holds the credentials of one fetch.
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

// attempt fetches the refs of a choice into a copy, atomically.
func (r *Repo) attempt(ctx context.Context, l login, c *gitCopy, refs *choice) error {
	staged, tracked := c.stage(), c.tracked
	err := waitOrAbandon(ctx, func() (err error) {
		tracked, err = fetchInto(ctx, staged, r.loc, r.ref, tracked, l, refs)
		return err
	})
	if err == nil {
		err = staged.requireComplete(r.path)
	}
	refused := c.files.endFetch()
	if err != nil && ctx.Err() == nil { // else the abandoned fetch may still use the copy
		if refused = cmp.Or(refused, c.discard()); refused != nil {
			return r.diskFaultOf(c, refused)
		}
	}
	if err != nil {
		return fmt.Errorf("fetch %s: %w", r.loc.display(), explainFetch(foreign.Error(err, l.secrets...), r.ref))
	}
	for _, tag := range refs.broken {
		r.leaveOut(tag, errors.New("its file there holds no id"))
	}
	c.inMemory, c.tracked = staged.inMemory, tracked
	if r.copied == c {
		r.tracked = tracked
	}
	return r.diskFaultOf(c, r.saveCopy(c, len(staged.arrived) > 0))
}

// diskFaultOf wraps an error of the disk below a copy.
func (r *Repo) diskFaultOf(c *gitCopy, err error) error {
	if err == nil || c.dir == "" {
		return err
	}
	return diskFault{r.dir, err}
}

// fetchInto fetches into a copy, and returns the full name of the tracked ref.
func fetchInto(ctx context.Context, into *gitCopy, from location, ref, tracked string, l login, refs *choice) (string, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	into.allowed = newAllowance(ctx)
	ctx = context.WithValue(withAuthorities(ctx, l.ca), allowanceKey{}, into.allowed)
	var dialer transport.ProxyOptions
	if from.transport == transportSSH {
		var end func()
		dialer, end = into.allowed.sshDialer()
		defer end()
	}
	remote := git.NewRemote(into, &config.RemoteConfig{Name: "origin", URLs: []string{from.url}})
	if tracked == "" || isDefault(ref) { // which may be another branch by now
		refs, err := remote.ListContext(ctx, &git.ListOptions{Auth: l.auth, ProxyOptions: dialer})
		if err = cmp.Or(into.allowed.exceeded(), err); err != nil {
			return "", err
		}
		if tracked, err = chooseRef(refs, ref); err != nil {
			return "", err
		}
		into.allowed.left.Store(maxRefs) // which come once more
	}
	err := remote.FetchContext(context.WithValue(ctx, choiceKey{}, refs), &git.FetchOptions{
		RemoteName: "origin",
		RefSpecs: []config.RefSpec{
			config.RefSpec(fmt.Sprintf("+%s:%s", tracked, tracked)),
			config.RefSpec(fmt.Sprintf("+%s*:%s*", tagPrefix, tagPrefix)),
		},
		Auth:         l.auth,
		ProxyOptions: dialer,
		Tags:         git.NoTags,
		Prune:        true,
		Force:        true,
	})
	if err != nil && !errors.Is(err, git.NoErrAlreadyUpToDate) {
		return "", cmp.Or(into.allowed.exceeded(), err) // go-git would hide the limit behind its own error
	}
	for name := range into.inMemory.ReferenceStorage {
		if string(name) != tracked && !strings.HasPrefix(string(name), tagPrefix) {
			delete(into.inMemory.ReferenceStorage, name) // what was tracked before
		}
	}
	return tracked, nil
}

// isDefault says whether a git.ref means the remote's default branch.
func isDefault(ref string) bool { return ref == "" || ref == "HEAD" }

// waitOrAbandon stops waiting for work that ignores its context. A server that accepts a
// connection and stays silent blocks go-git's SSH handshake for ever. All later steps
// check the context, so abandoned work modifies nothing.
func waitOrAbandon(ctx context.Context, work func() error) error {
	done := make(chan error, 1)
	go func() { done <- work() }()
	ended := func(err error) error {
		if err != nil && ctx.Err() != nil && !errors.Is(err, ctx.Err()) {
			return fmt.Errorf("%w: %w", context.Cause(ctx), err)
		}
		return err
	}
	select {
	case err := <-done:
		return ended(err)
	case <-ctx.Done():
	}
	grace := time.NewTimer(time.Second)
	defer grace.Stop()
	select {
	case err := <-done:
		return ended(err)
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

// explainFetch adds the remedy to common errors.
func explainFetch(err error, ref string) error {
	var refSpec git.NoMatchingRefSpecError
	var host *knownhosts.KeyError
	switch {
	case errors.As(err, &host) && len(host.Want) == 0:
		return fmt.Errorf("%w: the host is not in git.auth.knownHostsFile; ssh-keyscan prints its key; compare it with the key that its owner publishes", err)
	case errors.As(err, &host):
		return fmt.Errorf("%w: the host shows another key than git.auth.knownHostsFile has for it: somebody may intercept the connection, or its owner changed the key", err)
	case errors.As(err, &refSpec):
		return fmt.Errorf("%w: the remote has no ref %+q any more", ErrNotFound, ref)
	case errors.Is(err, transport.ErrEmptyRemoteRepository):
		return fmt.Errorf("%w: the remote has no commit yet", ErrNotFound)
	case errors.Is(err, transport.ErrAuthenticationRequired), errors.Is(err, transport.ErrAuthorizationFailed):
		return fmt.Errorf("%w: check git.auth", err)
	case errors.Is(err, transport.ErrRepositoryNotFound):
		return fmt.Errorf("%w: check git.url, and that git.auth may read it", err)
	case strings.Contains(err.Error(), "object-format"), strings.Contains(err.Error(), "malformed hash"), strings.Contains(err.Error(), "invalid hash"):
		return fmt.Errorf("%w: the remote's list of refs holds an entry that is not a SHA-1 object name (%w): git fsck in the remote finds a damaged ref; if the remote uses SHA-256 names, in a clone of it %s", gitdir.ErrFormat, err, gitdir.ConvertHint)
	}
	return err
}

// display returns the remote for messages. Its URL holds no password, see parseLocation.
func (l location) display() string {
	if l.transport == transportLocal {
		return l.path
	}
	return l.url
}
