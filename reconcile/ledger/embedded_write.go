package ledger

import (
	"encoding/binary"
	"fmt"
	"os"

	"go.etcd.io/bbolt"
)

// writeChange adds to the buckets, making them with the first record.
func writeChange(tx *bbolt.Tx, c change) error {
	meta, err := tx.CreateBucketIfNotExists(bucketMeta)
	if err != nil {
		return fmt.Errorf("write ledger: %w", err)
	}
	records, err := tx.CreateBucketIfNotExists(bucketRecords)
	if err != nil {
		return fmt.Errorf("write ledger: %w", err)
	}
	progress, err := tx.CreateBucketIfNotExists(bucketProgress)
	if err != nil {
		return fmt.Errorf("write ledger: %w", err)
	}
	if err := meta.Put(keyFormat, []byte(formatVersion)); err != nil {
		return fmt.Errorf("write ledger: %w", err)
	}
	for _, s := range c.append {
		if err := putRecord(meta, records, s); err != nil {
			return err
		}
	}
	for cluster, raw := range c.progress {
		if err := progress.Put([]byte(cluster), raw); err != nil {
			return fmt.Errorf("write progress of %q: %w", cluster, err)
		}
	}
	return nil
}

// putRecord appends. It never replaces: a record that stands already means
// that the caller read another ledger than it writes.
func putRecord(meta, records *bbolt.Bucket, s sealed) error {
	key := binary.BigEndian.AppendUint64(nil, s.seq)
	if records.Get(key) != nil {
		return fmt.Errorf("%w: record %d stands already", ErrTransition, s.seq)
	}
	if err := records.Put(key, append([]byte(s.hash+"\n"), s.raw...)); err != nil {
		return fmt.Errorf("write ledger record %d: %w", s.seq, err)
	}
	if err := meta.Put(keyHead, []byte(headOf([]sealed{s}))); err != nil {
		return fmt.Errorf("write ledger head: %w", err)
	}
	return nil
}

// syncDirectory makes the file's name as durable as its content: bbolt syncs
// the file only, and a new one could be gone after a power cut.
func syncDirectory(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("sync ledger directory: %w", err)
	}
	defer d.Close()
	if err := d.Sync(); err != nil {
		return fmt.Errorf("sync ledger directory: %w", err)
	}
	return nil
}
