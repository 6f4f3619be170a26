package gitsource

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	git "github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/index"
	"github.com/hiddeco/sshsig"
	"golang.org/x/crypto/ssh"

	"milvus-reconcile/reconcile/approval"
)

// Worktree is a repository on disk with its files checked out, to which
// commits are added without the git program.
type Worktree struct {
	dir  string
	repo *git.Repository
}

// mainBranch is the branch of repositories that Init makes.
const mainBranch = plumbing.ReferenceName("refs/heads/main")

// Init makes an empty repository in a folder, which may exist but not hold a
// repository yet.
func Init(dir string) (*Worktree, error) {
	repo, err := git.PlainInitWithOptions(dir, &git.PlainInitOptions{InitOptions: git.InitOptions{DefaultBranch: mainBranch}})
	if err != nil {
		return nil, fmt.Errorf("make a repository in %s: %w", dir, err)
	}
	return &Worktree{dir: dir, repo: repo}, nil
}

// TakePushes lets git push to the branch that is checked out. Git then changes the files
// too, and refuses the push if somebody has changed them.
func (w *Worktree) TakePushes() error {
	config, err := w.repo.Config()
	if err == nil {
		config.Raw.SetOption("receive", "", "denyCurrentBranch", "updateInstead")
		err = w.repo.SetConfig(config)
	}
	if err != nil {
		return fmt.Errorf("let %s take a push: %w", w.dir, err)
	}
	return nil
}

// Commit writes files (nil content removes one) and commits them on main. A
// nil signer leaves the commit unsigned. Paths have slashes and stay inside.
func (w *Worktree) Commit(files map[string][]byte, message string, author, committer approval.Person, when time.Time, signer ssh.Signer) (string, error) {
	if err := w.stage(files); err != nil {
		return "", err
	}
	tree, err := w.writeTree()
	if err != nil {
		return "", err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "tree %s\n", tree)
	parent, err := w.repo.Storer.Reference(mainBranch)
	if err == nil {
		fmt.Fprintf(&b, "parent %s\n", parent.Hash())
	} else if !errors.Is(err, plumbing.ErrReferenceNotFound) {
		return "", fmt.Errorf("commit: %w", err)
	}
	authorLine, err := identLine(author, when)
	if err != nil {
		return "", err
	}
	committerLine, err := identLine(committer, when)
	if err != nil {
		return "", err
	}
	fmt.Fprintf(&b, "author %s\ncommitter %s\n", authorLine, committerLine)
	head, body := b.String(), "\n"+endLine(message)
	if signer != nil {
		armored, err := signPayload([]byte(head+body), signer)
		if err != nil {
			return "", err
		}
		head += "gpgsig " + strings.ReplaceAll(strings.TrimSuffix(armored, "\n"), "\n", "\n ") + "\n"
	}
	id, err := w.store(plumbing.CommitObject, []byte(head+body))
	if err != nil {
		return "", err
	}
	return id.String(), w.repo.Storer.SetReference(plumbing.NewHashReference(mainBranch, id))
}

// stage writes files and puts them into the index.
func (w *Worktree) stage(files map[string][]byte) error {
	idx, err := w.repo.Storer.Index()
	if err != nil {
		return fmt.Errorf("index: %w", err)
	}
	for name, data := range files {
		if !fs.ValidPath(name) || name == "." || slices.Contains(strings.Split(strings.ToLower(name), "/"), ".git") {
			return fmt.Errorf("%+q is not a path in the repository", name)
		}
		idx.Entries = slices.DeleteFunc(idx.Entries, func(e *index.Entry) bool { return e.Name == name })
		entry, err := w.put(name, data)
		if err != nil {
			return err
		}
		if entry != nil {
			idx.Entries = append(idx.Entries, entry)
		}
	}
	idx.Version = 2
	slices.SortFunc(idx.Entries, func(a, b *index.Entry) int { return strings.Compare(a.Name, b.Name) })
	if err := w.repo.Storer.SetIndex(idx); err != nil {
		return fmt.Errorf("index: %w", err)
	}
	return nil
}

// put writes or removes one file on disk and returns its index entry.
func (w *Worktree) put(name string, data []byte) (*index.Entry, error) {
	file := filepath.Join(w.dir, filepath.FromSlash(name))
	if data == nil {
		if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		return nil, nil //nolint:nilnil // a removed file has no entry
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return nil, err
	}
	if err := os.WriteFile(file, data, 0o644); err != nil {
		return nil, err
	}
	id, err := w.store(plumbing.BlobObject, data)
	return &index.Entry{Name: name, Mode: 0o100644, Hash: id}, err
}

func (w *Worktree) store(kind plumbing.ObjectType, data []byte) (plumbing.Hash, error) {
	o := w.repo.Storer.NewEncodedObject()
	o.SetType(kind)
	o.SetSize(int64(len(data)))
	writer, err := o.Writer()
	if err != nil {
		return plumbing.ZeroHash, fmt.Errorf("store a %s: %w", kind, err)
	}
	if _, err := writer.Write(data); err != nil {
		return plumbing.ZeroHash, fmt.Errorf("store a %s: %w", kind, err)
	}
	if err := writer.Close(); err != nil {
		return plumbing.ZeroHash, fmt.Errorf("store a %s: %w", kind, err)
	}
	return w.repo.Storer.SetEncodedObject(o)
}

// writeTree stores the folders of the index.
func (w *Worktree) writeTree() (plumbing.Hash, error) {
	idx, err := w.repo.Storer.Index()
	if err != nil {
		return plumbing.ZeroHash, fmt.Errorf("index: %w", err)
	}
	files := map[string]plumbing.Hash{}
	for _, e := range idx.Entries {
		files[e.Name] = e.Hash
	}
	return storeFolder(files, w.store)
}

// storeFolder stores a folder of files by their paths, and those below it.
func storeFolder(files map[string]plumbing.Hash, store func(plumbing.ObjectType, []byte) (plumbing.Hash, error)) (plumbing.Hash, error) {
	below := map[string]map[string]plumbing.Hash{}
	var names []string
	for name, id := range files {
		dir, rest, nested := strings.Cut(name, "/")
		if !nested {
			names = append(names, name)
			continue
		}
		if below[dir] == nil {
			below[dir] = map[string]plumbing.Hash{}
			names = append(names, dir+"/") // as git orders folders
		}
		below[dir][rest] = id
	}
	slices.Sort(names)
	var data []byte
	for _, name := range names {
		dir, isDir := strings.CutSuffix(name, "/")
		id, mode := files[name], "100644"
		if isDir {
			var err error
			if id, err = storeFolder(below[dir], store); err != nil {
				return plumbing.ZeroHash, err
			}
			mode = "40000"
		}
		data = append(append(data, mode+" "+dir+"\x00"...), id[:]...)
	}
	return store(plumbing.TreeObject, data)
}

// identLine writes a person as Git's objects have it.
func identLine(p approval.Person, when time.Time) (string, error) {
	if strings.ContainsAny(p.Name+p.Email, "<>\n\r\x00") || p.Email == "" {
		return "", fmt.Errorf("%+q is not a name with an e-mail", p.String())
	}
	return fmt.Sprintf("%s <%s> %d +0000", p.Name, p.Email, when.Unix()), nil
}

func endLine(s string) string {
	return strings.TrimRight(s, "\n") + "\n"
}

// NewKey makes an ed25519 key: a signer, its private part as ssh-keygen
// writes it, unencrypted, and its public part as one line without a comment.
func NewKey() (signer ssh.Signer, privatePEM []byte, authorizedKey string, err error) {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, nil, "", fmt.Errorf("new key: %w", err)
	}
	if signer, err = ssh.NewSignerFromKey(private); err != nil {
		return nil, nil, "", fmt.Errorf("new key: %w", err)
	}
	block, err := ssh.MarshalPrivateKey(private, "")
	if err != nil {
		return nil, nil, "", fmt.Errorf("new key: %w", err)
	}
	line := bytes.TrimSpace(ssh.MarshalAuthorizedKey(signer.PublicKey()))
	return signer, pem.EncodeToMemory(block), string(line), nil
}

// AllowedSignersLine gives the line that lets a key sign for an e-mail.
func AllowedSignersLine(email, authorizedKey string) string {
	return email + " namespaces=\"" + sshNamespace + "\" " + authorizedKey + "\n"
}

// signPayload signs as git does with gpg.format=ssh.
func signPayload(payload []byte, signer ssh.Signer) (string, error) {
	sig, err := sshsig.Sign(bytes.NewReader(payload), signer, sshsig.HashSHA512, sshNamespace)
	if err != nil {
		return "", fmt.Errorf("sign: %w", err)
	}
	return string(sshsig.Armor(sig)), nil
}
