package salvage

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"milvus-reconcile/reconcile/replay"
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

func newSpill(dir string, channel int) *spill { return &spill{dir: dir, channel: channel} }

// open makes the file of a part that holds something.
func (s *spill) open(part int) error {
	f, err := os.OpenFile(s.path("writes", part), os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("keep what was read: %w", err)
	}
	s.files[part], s.out[part] = f, bufio.NewWriter(f)
	return nil
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

func partOf(key replay.Mark) int { return int(key[0]) % spillParts }

// logged is a write as it lies on disk.
type logged struct {
	replay.Write
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
	part := partOf(w.Key)
	if s.files[part] == nil {
		if err := s.open(part); err != nil {
			return err
		}
	}
	if _, err := s.out[part].Write(raw[:]); err != nil {
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

// judge writes one decision for each lost write of each part, in their order.
func (s *spill) judge() error {
	for part, f := range s.files {
		if f == nil {
			continue
		}
		if err := s.judgePart(part); err != nil {
			return err
		}
	}
	return nil
}

func (s *spill) judgePart(part int) (err error) {
	var judge replay.Judge
	err = s.each(part, func(w logged) error {
		if w.promoted {
			judge.Taken(w.Write)
		} else {
			judge.Lost(w.Write)
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
	out := bufio.NewWriter(f)
	err = s.each(part, func(w logged) error {
		if w.promoted {
			return nil
		}
		_, err := out.Write(append(proofOf(w.Write), byte(judge.Fate(w.Key))))
		return err
	})
	return errors.Join(err, out.Flush())
}

// decisions are read back in the order in which the lost writes come again.
type decisions struct {
	of    *spill
	files [spillParts]*os.File
	in    [spillParts]*bufio.Reader
}

func (s *spill) decisions() *decisions { return &decisions{of: s} }

func (d *decisions) open(part int) error {
	f, err := os.Open(d.of.path("decisions", part))
	if errors.Is(err, os.ErrNotExist) {
		return errOtherLog // no write was decided about there
	}
	if err != nil {
		return fmt.Errorf("read the decisions: %w", err)
	}
	d.files[part], d.in[part] = f, bufio.NewReaderSize(f, 1<<10)
	return nil
}

// proofSize is how much of key and content is kept with a decision.
const proofSize = 8

// proofOf tells a write from the others, so that no decision is taken for another row.
func proofOf(w replay.Write) []byte {
	return append(slices.Clone(w.Key[8:8+proofSize/2]), w.Content[:proofSize/2]...)
}

var errOtherLog = errors.New("the log of the stale cluster is not what it was when it was read first: retention may have removed its beginning (hint: a dry run says what is left)")

// next returns the decision about the next lost write.
func (d *decisions) next(w replay.Write) (replay.Fate, error) {
	part := partOf(w.Key)
	if d.files[part] == nil {
		if err := d.open(part); err != nil {
			return 0, err
		}
	}
	var raw [proofSize + 1]byte
	if _, err := io.ReadFull(d.in[part], raw[:]); err != nil {
		return 0, fmt.Errorf("%w: %w", errOtherLog, err)
	}
	if !bytes.Equal(raw[:proofSize], proofOf(w)) {
		return 0, errOtherLog
	}
	return replay.Fate(raw[proofSize]), nil
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
