package ledger

import (
	"encoding/binary"
	"fmt"
	"os"

	"go.etcd.io/bbolt"
)

// writeChange adds to the buckets, making them with the first record. What was
// latest in format 1 is in c again.
func writeChange(tx *bbolt.Tx, before string, c change) error {
	var buckets [3]*bbolt.Bucket
	for i, name := range [][]byte{bucketMeta, bucketRecords, bucketLatest} {
		b, err := tx.CreateBucketIfNotExists(name)
		if err != nil {
			return fmt.Errorf("write ledger: %w", err)
		}
		buckets[i] = b
	}
	meta, records, latest := buckets[0], buckets[1], buckets[2]
	if before == format1 {
		if err := tx.DeleteBucket(bucketProgress); err != nil {
			return fmt.Errorf("migrate ledger: %w", err)
		}
	}
	for _, s := range c.append {
		if err := putRecord(records, s); err != nil {
			return err
		}
	}
	if err := putLatest(latest, c.latest); err != nil {
		return err
	}
	for key, value := range map[string]string{string(keyFormat): c.format, string(keyHead): c.head} {
		if err := meta.Put([]byte(key), []byte(value)); err != nil {
			return fmt.Errorf("write ledger %s: %w", key, err)
		}
	}
	return nil
}

// putRecord appends. It never replaces: a record that stands already means
// that the caller read another ledger than it writes.
func putRecord(records *bbolt.Bucket, s sealed) error {
	key := binary.BigEndian.AppendUint64(nil, s.seq)
	if records.Get(key) != nil {
		return fmt.Errorf("%w: record %d stands already", ErrTransition, s.seq)
	}
	if err := records.Put(key, s.stored()); err != nil {
		return fmt.Errorf("write ledger record %d: %w", s.seq, err)
	}
	return nil
}

func putLatest(bucket *bbolt.Bucket, values map[string][]byte) error {
	for key, raw := range values {
		var err error
		if raw == nil {
			err = bucket.Delete([]byte(key))
		} else {
			err = bucket.Put([]byte(key), raw)
		}
		if err != nil {
			return fmt.Errorf("write ledger value %q: %w", key, err)
		}
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
