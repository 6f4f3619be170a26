package gitsource

import (
	"bytes"
	"crypto/sha256"
	"encoding/gob"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"

	"milvus-reconcile/reconcile/plainfile"
)

// The records of one commit are kept next to the copy of a remote, so that a new process
// reads only what came since, and not the whole history. They are derived from objects
// and can always be made again: a file that is damaged, or of another build or git.path,
// is ignored and replaced. No approval rests on it: signatures and carriers are read from
// objects, and so is the governing commit of a change that somebody approved (proveGoverns).

const (
	historyMagic = "reconcile history 1\n"
	maxHistory   = 256 << 20 // bytes of the file
	// saveAfter is the number of commits that are worth a file.
	saveAfter = 100
)

// errHistoryFile means that the file differs from the objects of the repository.
var errHistoryFile = errors.New("the records on disk differ from the repository")

// savedHistory is the content of the file.
type savedHistory struct {
	Build, Path string
	Commit      plumbing.Hash
	Records     []savedRecord
}

// savedRecord is a record.
type savedRecord struct {
	Name     string
	Found    []savedOccurrence
	Governs  plumbing.Hash
	Greatest int64
	Earlier  []Version // newest first
}

// savedOccurrence is an occurrence.
type savedOccurrence struct {
	File string
	Blob plumbing.Hash
	Doc  Document
}

// historyFile returns the path of the file; empty: none is kept.
func (r *Repo) historyFile() string {
	if r.build == "" || r.copied == nil || r.copied.dir == "" {
		return ""
	}
	return filepath.Join(r.dir, strings.TrimSuffix(filepath.Base(r.copyDir()), ".copy")+".history")
}

// loadHistory reads the file, once for each emptying of the caches.
func (r *Repo) loadHistory() {
	file := r.historyFile()
	if file == "" || r.historyRead {
		return
	}
	r.historyRead = true
	h, err := readHistory(file)
	if err != nil || h.Build != r.build || h.Path != r.path {
		return // the objects have it all
	}
	s := &state{records: make(map[string]*record, len(h.Records)), lost: map[string]error{}, unread: map[string]error{}}
	for _, saved := range h.Records {
		s.records[saved.Name] = saved.record()
	}
	r.states.Put(stateKey{h.Commit}, s)
}

func readHistory(file string) (savedHistory, error) {
	var h savedHistory
	data, err := plainfile.ReadUpTo(file, maxHistory)
	if err != nil {
		return h, err
	}
	sum, ok := bytes.CutPrefix(data, []byte(historyMagic))
	if !ok || len(sum) < sha256.Size {
		return h, errHistoryFile
	}
	content := sum[sha256.Size:]
	if sha256.Sum256(content) != [sha256.Size]byte(sum[:sha256.Size]) {
		return h, errHistoryFile
	}
	return h, gob.NewDecoder(bytes.NewReader(content)).Decode(&h)
}

// record makes the record.
func (s savedRecord) record() *record {
	out := &record{name: s.Name, governs: s.Governs, greatest: s.Greatest, fromDisk: true}
	for _, o := range s.Found {
		out.found = append(out.found, occurrence{file: o.File, blob: o.Blob, doc: o.Doc})
	}
	out.key = documentKey(out.found)
	for i := len(s.Earlier) - 1; i >= 0; i-- {
		out.earlier = &earlierVersion{Version: s.Earlier[i], earlier: out.earlier}
	}
	return out
}

// saveHistory writes the file. A disk that takes none costs the next process its time.
func (r *Repo) saveHistory(at plumbing.Hash, s *state) {
	file := r.historyFile()
	if file == "" {
		return
	}
	h := savedHistory{Build: r.build, Path: r.path, Commit: at}
	for _, rec := range s.records {
		h.Records = append(h.Records, rec.saved())
	}
	var content bytes.Buffer
	if err := gob.NewEncoder(&content).Encode(h); err != nil || content.Len() > maxHistory-1024 {
		return
	}
	sum := sha256.Sum256(content.Bytes())
	data := append(append([]byte(historyMagic), sum[:]...), content.Bytes()...)
	// Written under another name and renamed: a reader finds the old one or the new one.
	temp, err := os.CreateTemp(r.dir, filepath.Base(file)+".*")
	if err != nil {
		return
	}
	_, err = temp.Write(data)
	if closed := temp.Close(); err == nil && closed == nil {
		err = os.Rename(temp.Name(), file)
	}
	if err != nil {
		_ = os.Remove(temp.Name()) // one that stays costs room only
	}
}

// saved makes what is written of a record.
func (rec *record) saved() savedRecord {
	out := savedRecord{Name: rec.name, Governs: rec.governs, Greatest: rec.greatest}
	for _, o := range rec.found {
		out.Found = append(out.Found, savedOccurrence{o.file, o.blob, o.doc})
	}
	for e := rec.earlier; e != nil; e = e.earlier {
		out.Earlier = append(out.Earlier, e.Version)
	}
	return out
}

// forgetHistory removes the file, and what was read from it.
func (r *Repo) forgetHistory() {
	_ = os.Remove(r.historyFile()) // it is not read again by this process, and replaced
	r.clearCaches()
	r.historyRead = true
}

// proveGoverns checks a record from the file against objects: its governing commit
// brought this document. It is asked for changes that somebody approved, since the
// governing commit says who the author is and which commit carries the approval.
func (r *Repo) proveGoverns(rec *record, keys KeysFunc) error {
	k := sourceKey{rec.name, rec.key, rec.governs}
	if proven, ok := r.proven.Get(k); ok && proven {
		return nil
	}
	brought, err := r.brings(rec, keys)
	if err != nil || !brought {
		return errors.Join(errHistoryFile, err)
	}
	r.proven.Put(k, true)
	return nil
}

// brings reports whether the governing commit of a record has its document, and its
// first parent has not.
func (r *Repo) brings(rec *record, keys KeysFunc) (bool, error) {
	c, err := r.commit(rec.governs)
	if err != nil || len(rec.found) != 1 {
		return false, err
	}
	before, err := r.folderBefore(c)
	if err != nil {
		return false, err
	}
	changes, _, err := r.changedFiles(c, before, false)
	if err != nil {
		return false, err
	}
	brought := false
	for _, ch := range changes {
		after, err := r.documents(ch.after, keys)
		if err != nil {
			return false, err
		}
		was, err := r.documents(ch.before, keys)
		if err != nil {
			return false, err
		}
		if slices.Contains(was, rec.found[0].doc) {
			return false, nil // it stood in another file
		}
		brought = brought || slices.Contains(after, rec.found[0].doc)
	}
	return brought, nil
}
