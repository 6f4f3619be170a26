package gitsource

import (
	"errors"
	"fmt"
	"iter"
	"net/url"
	"path"
	"strings"

	"golang.org/x/crypto/ssh"

	"milvus-reconcile/reconcile/approval"
)

// Config locates the topologies and the keys whose signatures count. All of it comes
// from the operator; nothing is read from the repository.
type Config struct {
	// URL is a local path (of a bare repository, a work tree, or a folder in
	// one), a file URL, or an https or ssh remote; http and git on loopback.
	URL string
	// Ref is the tracked branch or tag, by full or short name. Empty or HEAD:
	// what a local repository has checked out, a remote's default branch as it is
	// at each fetch.
	Ref string
	// Path is the folder of the topology files in the repository; empty or "."
	// for its root.
	Path string
	// Auth is called before each fetch, so that rotated secrets are used; nil: none.
	Auth func() (Auth, error)
	// AllowedSigners and Keyring are the keys where they never change.
	AllowedSigners []byte
	Keyring        []byte
	// Keys is called whenever changes are read, also right before a request is sent. So
	// a person who is removed from a list cannot approve from then on. Nil: the two
	// above.
	Keys func() (Keys, error)
	// CacheDir holds the copy of a remote; empty: it is held in memory.
	CacheDir string
	// Build identifies the program, whose reading of documents may change. With it and
	// CacheDir, what was read of the history is kept on disk for the next process.
	Build string
	// Tell receives messages about the copy for the operator; nil: they are dropped.
	Tell func(text string)
}

// Keys holds the keys that may sign.
type Keys struct {
	// AllowedSigners is an OpenSSH allowed_signers file, Keyring an OpenPGP
	// keyring, armoured or not. Without either no signature is anybody's.
	AllowedSigners []byte
	Keyring        []byte
}

// Auth holds the credentials for a remote. No secret of it ever appears in an
// error.
type Auth struct {
	Username         string
	Password         string // also a token
	SSHKey           []byte // private key, PEM
	SSHKeyPassphrase string
	SSHAgent         bool
	KnownHostsFile   string // empty: the user's own, as ssh does
	CAFile           string // further authorities for https
}

// Document is one topology document of a blob, as the caller reads it.
type Document struct {
	Name string
	// Hash is of the parsed document: equal hashes are equal documents,
	// however they are written.
	Hash string
	// Generation is the document's; 0 if the caller does not say.
	Generation int64
}

// KeysFunc returns the documents in the content of a file; blob is its id in Git. It
// must be pure and the same in every call on one Repo, since its results are cached by
// blob id. It omits unreadable documents. It may keep data but must not modify it.
type KeysFunc func(blob string, data []byte) []Document

// Change is the newest change of one topology on the first-parent history.
type Change struct {
	approval.Change
	// File holds the document at the commit asked for; empty if Removed.
	File string
	// Removed: an earlier commit had the document, this one lacks it. The
	// governing commit is the one that removed it.
	Removed bool
	// GreatestEarlier is the greatest generation of all earlier versions of
	// the document on the first-parent history; 0: none, or not known.
	GreatestEarlier int64
	earlier         *earlierVersion
}

// Earlier yields the earlier versions of the document, newest first. The first is the
// version before the governing commit. If the document was removed in between, it is
// the version before the removal, so that a removal does not discard its rules.
func (c Change) Earlier() iter.Seq[Version] {
	return func(yield func(Version) bool) {
		for p := c.earlier; p != nil && yield(p.Version); p = p.earlier {
		}
	}
}

// Version is one earlier state of a document.
type Version struct {
	Commit     string // the commit that brought it
	File       string
	Blob       string // id of the file's content, see Repo.Blob
	Hash       string
	Generation int64
}

// reachedBy is the transport of a repository.
type reachedBy int

const (
	transportLocal reachedBy = iota
	transportHTTP
	transportSSH
	transportGit
)

// location is the parsed URL of a Config.
type location struct {
	transport reachedBy
	path      string // of a local repository
	url       string
}

// parseLocation distinguishes local paths from remotes. An ssh remote is a URL or
// user@host:path. Plain http and git authenticate no server, so they are allowed for
// this machine only. A URL with a password is refused (contract.md §3).
func parseLocation(raw string) (location, error) {
	if raw == "" {
		return location{}, errors.New("no repository is given: set git.url or --repo")
	}
	if strings.HasPrefix(raw, "-") || strings.ContainsAny(raw, "\x00\n\r") {
		return location{}, fmt.Errorf("%+q is not a repository", raw)
	}
	if !strings.Contains(raw, "://") {
		if scpLike(raw) {
			return location{transport: transportSSH, url: raw}, nil
		}
		return location{path: raw}, nil
	}
	u, err := url.Parse(raw)
	if err != nil {
		return location{}, errors.New("the repository's URL cannot be read") // the error would quote a password
	}
	if _, has := u.User.Password(); has {
		return location{}, errors.New("the repository's URL holds a password: use git.auth.passwordFrom")
	}
	switch u.Scheme {
	case "file":
		if u.Host != "" && u.Host != "localhost" || u.Path == "" {
			return location{}, fmt.Errorf("%+q is not a file URL with an absolute path", raw)
		}
		return location{path: u.Path}, nil
	case "http", "git":
		if !loopback(u.Hostname()) {
			return location{}, fmt.Errorf("%s:// proves nobody's identity and is for a server on this machine only: use https or ssh for %+q", u.Scheme, u.Hostname())
		}
		if u.Scheme == "git" {
			return location{transport: transportGit, url: raw}, requireHost(u)
		}
		return location{transport: transportHTTP, url: raw}, requireHost(u)
	case "https":
		return location{transport: transportHTTP, url: raw}, requireHost(u)
	case "ssh":
		return location{transport: transportSSH, url: raw}, requireHost(u)
	}
	return location{}, fmt.Errorf("a repository's URL has the scheme ssh, https or file, not %+q", u.Scheme)
}

func requireHost(u *url.URL) error {
	if u.Hostname() == "" || strings.HasPrefix(u.Hostname(), "-") || strings.Trim(u.Path, "/") == "" {
		return fmt.Errorf("the repository's URL lacks a host or a path: %s", u.Redacted())
	}
	return nil
}

// scpLike recognises user@host:path. A path before the colon, or none after
// it, is a local path.
func scpLike(raw string) bool {
	host, rest, ok := strings.Cut(raw, ":")
	return ok && rest != "" && !strings.Contains(host, "/") && strings.Contains(host, "@") && !strings.HasPrefix(host, "@")
}

// cleanPath checks the folder of the topology files.
func cleanPath(p string) (string, error) {
	if p == "" || p == "." {
		return "", nil
	}
	clean := path.Clean(strings.TrimSuffix(p, "/"))
	if strings.HasPrefix(clean, "/") || clean == ".." || strings.HasPrefix(clean, "../") || strings.ContainsRune(clean, 0) {
		return "", fmt.Errorf("git.path %+q is not a folder inside the repository", p)
	}
	if clean == "." {
		return "", nil
	}
	return clean, nil
}

type signerLine struct {
	approval.AllowedLine
	key ssh.PublicKey
}
