package kubernetes

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

const (
	// mostInline is from how many bytes on the records in an object move into a part.
	mostInline = 32 << 10
	// mostBytes bounds what an object holds, and mostWithRecord what it holds with a record or a
	// token that is added. Kubernetes takes 1 MiB in a ConfigMap. So observations leave room for
	// the records of a change: one that could be begun can be ended.
	mostBytes      = 900 << 10
	mostWithRecord = 1000 << 10
	// lowBytes is from how many bytes on Try adds a note.
	lowBytes = 700 << 10
)

// ErrFull says that a write does not fit into an object. Nothing was written.
var ErrFull = errors.New("it is full")

// Low says how full the fullest object is if it will take no more soon; else it is empty.
func (s *Store) Low(ctx context.Context) string {
	c, err := s.Read(ctx)
	if err != nil {
		return ""
	}
	most, fullest := lowBytes, ""
	for _, t := range c.stored {
		if n := bytesOf(t.object) - inlineBytes(t.object) + mostInline; n > most {
			most, fullest = n, t.object.Metadata.Name
		}
	}
	if fullest == "" {
		return ""
	}
	return fmt.Sprintf("ConfigMap %s holds %d KiB with the room for its records, and may hold %d KiB: then more observations of its topology are refused (docs/ledger.md)", fullest, most>>10, mostBytes>>10)
}

// check refuses an object that Kubernetes would not take.
func (s *Store) check(o object, most int) error {
	if n := bytesOf(o); n > most {
		return fmt.Errorf("%w: ConfigMap %s would hold %d bytes, and at most %d fit (hint: keep this ledger in etcd)", ErrFull, o.Metadata.Name, n, most)
	}
	return nil
}

func bytesOf(o object) int {
	n := 0
	for key, text := range o.Data {
		n += len(key) + len(text)
	}
	for key, raw := range o.BinaryData {
		n += len(key) + len(raw)
	}
	return n
}

// inlineBytes is the size of the records in an object.
func inlineBytes(o object) int {
	n := 0
	for key, text := range o.Data {
		if strings.HasPrefix(key, keyRecord) {
			n += len(key) + len(text)
		}
	}
	for key, raw := range o.BinaryData {
		if strings.HasPrefix(key, keyRecord) {
			n += len(key) + len(raw)
		}
	}
	return n
}
