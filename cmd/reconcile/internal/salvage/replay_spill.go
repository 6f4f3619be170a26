package salvage

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"milvus-reconcile/reconcile/milvus"
)

// decision is what becomes of one lost row.
type decision byte

const (
	write      decision = iota // nothing newer is there
	there                      // the newest write of its key there is this very row
	newer                      // the newest write of its key there is another one
	replaced                   // a later lost write of the same key counts
	divided                    // its key lies in several partitions
	upsertsOwn                 // the delete of an upsert, which belongs to its insert
)

// spillParts is into how many files the writes of a channel are divided by their keys. One
// at a time is read into memory.
const spillParts = 32

// spill keeps the writes of one channel of both logs on disk, without their content, so that
// memory does not grow with the number of rows. Its files hold no data of users.
type spill struct {
	dir     string
	channel int
	files   [spillParts]*os.File
	out     [spillParts]*bufio.Writer
}

func newSpill(dir string, channel int) (*spill, error) {
	s := &spill{dir: dir, channel: channel}
	for i := range s.files {
		f, err := os.OpenFile(s.path("writes", i), os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("keep what was read: %w", err), s.close())
		}
		s.files[i], s.out[i] = f, bufio.NewWriter(f)
	}
	return s, nil
}

func (s *spill) path(what string, part int) string {
	return filepath.Join(s.dir, fmt.Sprintf("%s-%d-%d", what, s.channel, part))
}

func (s *spill) close() error {
	var all error
	for i, f := range s.files {
		if f != nil {
			all = errors.Join(all, f.Close(), os.Remove(f.Name()))
			s.files[i] = nil
		}
	}
	return all
}

func partOf(key milvus.Mark) int { return int(key[0]) % spillParts }

// logged is a write as it lies on disk.
type logged struct {
	milvus.LoggedWrite
	promoted bool // it is in the log of the promoted cluster
}

const loggedSize = 16 + 16 + 8 + 8 + 1

const (
	flagDelete   = 1
	flagPromoted = 2
)

func (s *spill) add(w logged) error {
	var raw [loggedSize]byte
	copy(raw[:16], w.Key[:])
	copy(raw[16:32], w.Content[:])
	binary.LittleEndian.PutUint64(raw[32:40], w.Group)
	binary.LittleEndian.PutUint64(raw[40:48], uint64(w.Partition)) //nolint:gosec // its bits
	if w.Delete {
		raw[48] |= flagDelete
	}
	if w.promoted {
		raw[48] |= flagPromoted
	}
	if _, err := s.out[partOf(w.Key)].Write(raw[:]); err != nil {
		return fmt.Errorf("keep what was read: %w", err)
	}
	return nil
}

// each reads one part back, in the order in which it was added.
func (s *spill) each(part int, visit func(logged) error) error {
	if err := s.out[part].Flush(); err != nil {
		return fmt.Errorf("keep what was read: %w", err)
	}
	if _, err := s.files[part].Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("keep what was read: %w", err)
	}
	in := bufio.NewReader(s.files[part])
	var raw [loggedSize]byte
	for {
		switch _, err := io.ReadFull(in, raw[:]); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("read what was kept: %w", err)
		}
		w := logged{promoted: raw[48]&flagPromoted != 0}
		copy(w.Key[:], raw[:16])
		copy(w.Content[:], raw[16:32])
		w.Group = binary.LittleEndian.Uint64(raw[32:40])
		w.Partition = int64(binary.LittleEndian.Uint64(raw[40:48])) //nolint:gosec // its bits
		w.Delete = raw[48]&flagDelete != 0
		if err := visit(w); err != nil {
			return err
		}
	}
}

// keyHistory is what both logs say of one key.
type keyHistory struct {
	lost, there logged
	hasThere    bool
	at          int   // of the lost write that counts, among those of the part
	partition   int64 // of its lost writes; 0: none yet
	divided     bool
	everywhere  uint64 // group of the newest lost delete of all partitions; 0: none
}

// judge writes one decision for each lost write of each part, in their order.
func (s *spill) judge() error {
	for part := range s.files {
		if err := s.judgePart(part); err != nil {
			return err
		}
	}
	return nil
}

func (s *spill) judgePart(part int) (err error) {
	keys := map[milvus.Mark]*keyHistory{}
	var own []bool // whether a lost write is the delete of an upsert
	err = s.each(part, func(w logged) error {
		h := keys[w.Key]
		if h == nil {
			h = &keyHistory{}
			keys[w.Key] = h
		}
		if w.promoted {
			h.addThere(w)
			return nil
		}
		own = append(own, false)
		if of := h.addLost(w, len(own)-1); of >= 0 {
			own[of] = true
		}
		return nil
	})
	if err != nil {
		return err
	}
	f, err := os.OpenFile(s.path("decisions", part), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("keep the decisions: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	out, at := bufio.NewWriter(f), 0
	err = s.each(part, func(w logged) error {
		if w.promoted {
			return nil
		}
		d := keys[w.Key].decide(at)
		if own[at] {
			d = upsertsOwn
		}
		at++
		return out.WriteByte(byte(d))
	})
	return errors.Join(err, out.Flush())
}

func (h *keyHistory) addThere(w logged) {
	if h.hasThere && w.Group == h.there.Group && w.Delete {
		return // an upsert: the insert is newer
	}
	h.there, h.hasThere = w, true
}

// addLost takes the lost write of that number. It returns the number of the one that turns
// out to be the delete of an upsert; -1: none.
func (h *keyHistory) addLost(w logged, at int) (own int) {
	own = -1
	if w.Group == h.lost.Group && w.Delete != h.lost.Delete { // both have one tick, and the insert stays
		if w.Delete {
			return at
		}
		own = h.at
	}
	switch {
	case w.Partition == milvus.EveryPartition:
		h.everywhere = w.Group
	case h.partition != 0 && h.partition != w.Partition:
		h.divided = true
	default:
		h.partition = w.Partition
	}
	h.lost, h.at = w, at
	return own
}

// decide says what becomes of a lost write of the key. Of several, the newest alone counts.
func (h *keyHistory) decide(at int) decision {
	switch {
	case h.divided, !h.lost.Delete && h.lost.Partition != 0 && h.everywhere != 0 && h.everywhere != h.lost.Group:
		return divided
	case at != h.at:
		return replaced
	case !h.hasThere:
		return write
	case h.there.Delete == h.lost.Delete && h.there.Content == h.lost.Content:
		return there
	default:
		return newer
	}
}

// decisions are read back in the order in which the lost writes come again.
type decisions struct {
	files [spillParts]*os.File
	in    [spillParts]*bufio.Reader
}

func (s *spill) decisions() (*decisions, error) {
	d := &decisions{}
	for i := range d.files {
		f, err := os.Open(s.path("decisions", i))
		if err != nil {
			return nil, errors.Join(fmt.Errorf("read the decisions: %w", err), d.close())
		}
		d.files[i], d.in[i] = f, bufio.NewReaderSize(f, 1<<10)
	}
	return d, nil
}

func (d *decisions) next(key milvus.Mark) (decision, error) {
	b, err := d.in[partOf(key)].ReadByte()
	if err != nil {
		return 0, fmt.Errorf("the log of the stale cluster holds more than when it was read first: %w", err)
	}
	return decision(b), nil
}

func (d *decisions) close() error {
	var all error
	for _, f := range d.files {
		if f != nil {
			all = errors.Join(all, f.Close())
		}
	}
	return all
}
