package gitsource

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/go-git/go-git/v5/plumbing"

	"milvus-reconcile/reconcile/approval"
	"milvus-reconcile/reconcile/gitsource/gitdir"
)

// MaxBlob is the size above which a file is not read.
const MaxBlob = 1 << 20

// The bounds of single objects.
const (
	maxObject  = 1 << 20            // of a tag, a signature, or of what a commit says
	maxTree    = gitdir.MaxUnpacked // of one folder
	maxParents = 1 << 20            // of a commit
)

// errTooLarge marks objects beyond the bounds.
var errTooLarge = errors.New("the object is too large")

// readObject reads the bytes of one object and checks that they are the ones that
// its id names.
func (r *Repo) readObject(kind plumbing.ObjectType, id plumbing.Hash, limit int64) ([]byte, error) {
	if data, ok := r.packed(kind, id); ok && int64(len(data)) <= limit {
		return data, nil
	}
	o, err := r.findObject(id)
	if err != nil {
		return nil, err
	}
	if o.Size() > limit {
		return nil, fmt.Errorf("%w: %s %s has %d bytes, at most %d are read", errTooLarge, kind, id, o.Size(), limit)
	}
	return r.readContent(o, kind, id, limit)
}

// packed returns the bytes of an object that git stored in the usual way, checked against
// its id. They are shared and not modified.
func (r *Repo) packed(kind plumbing.ObjectType, id plumbing.Hash) ([]byte, bool) {
	if r.store == nil {
		return nil, false
	}
	o, ok := r.store.Unpack(id)
	if !ok || o.Kind != kind || r.idOf(o) != id {
		return nil, false
	}
	r.reads[kind]++
	return o.Data, true
}

func (r *Repo) idOf(o gitdir.Object) plumbing.Hash {
	if o.Kind == plumbing.TreeObject {
		return r.folderHash.id(o.Data)
	}
	return plumbing.ComputeHash(o.Kind, o.Data)
}

// findObject finds an object. A large one is not read yet, see maxTree in use.
func (r *Repo) findObject(id plumbing.Hash) (plumbing.EncodedObject, error) {
	if r.store == nil {
		return nil, errClosed
	}
	o, err := r.store.EncodedObject(plumbing.AnyObject, id)
	if errors.Is(err, plumbing.ErrObjectNotFound) {
		return nil, r.explainMissing(id)
	}
	if err != nil {
		return nil, r.objectError(id, err)
	}
	return o, nil
}

// The faults of one object. They do not affect other files or folders.
var (
	errUnreadable = errors.New("it cannot be read")
	errKind       = errors.New("it is of another kind")
)

// isUnreadable reports whether an error concerns one unreadable object. A later read
// may succeed.
func isUnreadable(err error) bool { return errors.Is(err, errUnreadable) }

// objectError marks an object as unreadable, unless the process lacks resources to read
// any object.
func (r *Repo) objectError(id plumbing.Hash, err error) error {
	r.noteDamage(id, err)
	if exhausted(err) {
		return fmt.Errorf("object %s: %w%s", id, err, diskHint(err))
	}
	return unreadableObject{id, err}
}

// unreadableObject is one object that cannot be read.
type unreadableObject struct {
	id  plumbing.Hash
	err error
}

// Error names the object and what to do.
func (e unreadableObject) Error() string {
	if errors.Is(e.err, ErrIncomplete) {
		return fmt.Sprintf("object %s is not there: %s", e.id, e.Remedy())
	}
	return fmt.Sprintf("object %s cannot be read: %v: %s", e.id, e.err, e.Remedy())
}

// Remedy says what to do.
func (e unreadableObject) Remedy() string {
	return "`git fetch --refetch` brings it again from a remote that has it, and `git fsck` tells more"
}

// Unwrap returns what it is.
func (e unreadableObject) Unwrap() []error { return []error{errUnreadable, e.err} }

// readContent reads up to limit bytes from the beginning of an object. All of it is
// checked against its id.
func (r *Repo) readContent(o plumbing.EncodedObject, kind plumbing.ObjectType, id plumbing.Hash, limit int64) ([]byte, error) {
	data := make([]byte, min(o.Size(), limit))
	err := r.readVerified(o, kind, id, func(in io.Reader) error {
		_, err := io.ReadFull(in, data)
		return err
	})
	return data, err
}

// readVerified passes the content of an object to use, which may stop early, and checks
// the whole content against the id.
func (r *Repo) readVerified(o plumbing.EncodedObject, kind plumbing.ObjectType, id plumbing.Hash, use func(io.Reader) error) error {
	if o.Type() != kind {
		return fmt.Errorf("object %s is a %s, not a %s: %w", id, o.Type(), kind, errKind)
	}
	r.reads[kind]++
	in, err := o.Reader()
	if err != nil {
		return r.objectError(id, err)
	}
	defer in.Close()
	hasher := plumbing.NewHasher(kind, o.Size())
	used := use(io.TeeReader(in, hasher.Hash))
	if _, err := io.Copy(hasher.Hash, in); err != nil {
		return r.objectError(id, err)
	}
	if hasher.Sum() != id {
		return r.objectError(id, errHash)
	}
	return used
}

// ErrIncomplete marks history or content that is missing in a clone.
var ErrIncomplete = errors.New("the clone is not complete")

// errHash marks an object whose bytes are not those that its id names.
var errHash = errors.New("it is damaged: its content has another hash")

func (r *Repo) explainMissing(id plumbing.Hash) error {
	if shallow, _ := r.store.Shallow(); len(shallow) > 0 {
		return fmt.Errorf("%w: object %s is not there, since the clone is shallow. Run `git fetch --unshallow`, or clone with full history (fetch-depth: 0 in a CI checkout)", ErrIncomplete, id)
	}
	if local, ok := r.store.(*gitdir.Repository); ok && local.Partial() {
		return fmt.Errorf("%w: object %s is not there, since the clone is partial (--filter). Run `git fetch --refetch --no-filter` in it, or clone without --filter", ErrIncomplete, id)
	}
	return unreadableObject{id, ErrIncomplete}
}

// commit is the cached place of a commit in the history.
type commit struct {
	id      plumbing.Hash
	tree    plumbing.Hash
	parents []plumbing.Hash
	head    int64 // bytes of the tree and parent lines
	depth   int   // 1 + the greatest of the parents'; 0: not counted yet
}

// commit reads the place of a commit in the history. It ignores the rest of the commit:
// a malformed or huge commit must not block the commits after it.
func (r *Repo) commit(id plumbing.Hash) (*commit, error) {
	if c, ok := r.commits.Get(id); ok {
		return c, nil
	}
	c := &commit{id: id}
	err := r.readHead(id, func(in io.Reader) (err error) {
		c.tree, c.parents, c.head, err = treeAndParents(bufio.NewReaderSize(in, 1024))
		return err
	})
	if err != nil {
		return nil, err
	}
	r.commits.Put(id, c)
	return c, nil
}

// readHead passes a commit to use, which may stop early. All of it is checked against its
// id.
func (r *Repo) readHead(id plumbing.Hash, use func(io.Reader) error) error {
	var err error
	if data, ok := r.packed(plumbing.CommitObject, id); ok {
		err = use(bytes.NewReader(data))
	} else {
		var o plumbing.EncodedObject
		if o, err = r.findObject(id); err != nil {
			return err
		}
		err = r.readVerified(o, plumbing.CommitObject, id, use)
	}
	if err != nil {
		return fmt.Errorf("commit %s: %w", id, err)
	}
	return nil
}

// statement holds the authors and the claim of a commit. It is read only for commits
// that matter to a change: the governing one, and those that a merge brought in.
type statement struct {
	authors    []approval.Person
	authorless bool // an author of it is unreadable
	carrier    approval.Carrier
	claims     bool // its message has failover trailers
}

func (r *Repo) statement(id plumbing.Hash) (*statement, error) {
	if s, ok := r.statements.Get(id); ok {
		return s, nil
	}
	o, err := r.readCommit(id)
	if err != nil {
		return nil, err
	}
	s := &statement{}
	for i, author := range o.headerValues("author") {
		people := emails(author)
		named := slices.ContainsFunc(people, func(p approval.Person) bool { return p.Email != "" })
		s.authorless = s.authorless || i == 0 && !named // git takes the first
		s.authors = append(s.authors, people...)
	}
	s.authorless = s.authorless || o.headerValue("author") == ""
	s.authors = append(s.authors, coAuthors(o.body)...)
	_, claimErr := approval.ParseTrailers(o.body)
	s.claims = !errors.Is(claimErr, approval.ErrNoClaim)
	s.carrier = r.commitCarrier(id, o, s.claims)
	r.statements.Put(id, s)
	return s, nil
}

// readCommit reads a commit, up to 1 MiB behind its parents. A larger commit can be no
// carrier.
func (r *Repo) readCommit(id plumbing.Hash) (object, error) {
	c, err := r.commit(id)
	if err != nil {
		return object{}, err
	}
	limit := c.head + maxObject
	if data, ok := r.packed(plumbing.CommitObject, id); ok && int64(len(data)) < limit {
		return parseCommit(data), nil
	}
	at, err := r.findObject(id)
	if err != nil {
		return object{}, err
	}
	data, err := r.readContent(at, plumbing.CommitObject, id, limit)
	if err != nil {
		return object{}, err
	}
	cut := at.Size() >= limit
	if cut {
		data = data[:bytes.LastIndexByte(data, '\n')+1]
	}
	o := parseCommit(data)
	if cut {
		o.problem = fmt.Sprintf("it has %d bytes or more", at.Size())
	}
	return o, nil
}

// commitCarrier makes a carrier of a commit. Its signature is checked only if
// the message claims an approval; the signatures of other commits do not matter.
func (r *Repo) commitCarrier(id plumbing.Hash, o object, claims bool) approval.Carrier {
	_, date, err := parseIdent(o.headerValue("committer"))
	c := approval.Carrier{
		Kind:           approval.CarrierCommit,
		Object:         id.String(),
		Commit:         id.String(),
		PayloadHash:    o.payloadHash(),
		Message:        o.body,
		Date:           date,
		UnknownHeaders: o.unknownHeaders("tree", "parent", "author", "committer", "encoding", "mergetag", "gpgsig"),
		Problem:        o.problem,
	}
	if err != nil && c.Problem == "" {
		c.Problem = "its committer line cannot be read"
	}
	if claims {
		c.Signature = r.trust.verify(o)
	}
	return c
}

// documents returns the documents of a blob. A blob that is too large, or no file, has
// none. Its bytes are not cached, since most of a history is read once.
func (r *Repo) documents(id plumbing.Hash, keys KeysFunc) ([]Document, error) {
	if id.IsZero() {
		return nil, nil
	}
	if d, ok := r.docs.Get(id); ok {
		return d, nil
	}
	data, ok := r.blobs.Get(id)
	var err error
	if !ok {
		data, err = r.readObject(plumbing.BlobObject, id, MaxBlob)
	}
	if err != nil && !errors.Is(err, errTooLarge) && !errors.Is(err, errKind) {
		return nil, err
	}
	var named []Document
	if err == nil {
		for _, d := range keys(id.String(), data) {
			if d.Name != "" && d.Hash != "" {
				named = append(named, d)
			}
		}
	}
	r.docs.Put(id, named)
	return named, nil
}

// Blob returns the bytes of a file's content by its id.
func (r *Repo) Blob(id string) ([]byte, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !plumbing.IsHash(id) {
		return nil, fmt.Errorf("%+q is not an object id", id)
	}
	return r.blob(plumbing.NewHash(id))
}

// blob reads the content of a file, and caches it.
func (r *Repo) blob(id plumbing.Hash) ([]byte, error) {
	if data, ok := r.blobs.Get(id); ok {
		return slices.Clone(data), nil
	}
	data, err := r.readObject(plumbing.BlobObject, id, MaxBlob)
	if err == nil {
		r.blobs.Put(id, slices.Clone(data))
	}
	return data, err
}
