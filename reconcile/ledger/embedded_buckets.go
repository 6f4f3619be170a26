package ledger

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"os"

	"go.etcd.io/bbolt"

	"milvus-reconcile/reconcile/ledger/boltfile"
	"milvus-reconcile/reconcile/plainfile"
)

var (
	bucketMeta     = []byte("meta")
	bucketRecords  = []byte("records")
	bucketLatest   = []byte("latest")
	bucketProgress = []byte("progress") // the latest values in format 1
	keyFormat      = []byte("format")
	keyHead        = []byte("head")
)

// writeChange writes a change, and creates the buckets with the first record. For a
// ledger of format 1, c also holds its latest values.
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

// putRecord appends a record and never replaces one. If the record exists, the caller
// read another ledger than it writes.
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

// syncDirectory makes the name of a new file durable. bbolt syncs only the content, so
// the file could be missing after a power cut.
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

// readImage copies everything out of the transaction, since bbolt's bytes are invalid
// after it. Buckets are missing only before the first commit.
func readImage(tx *bbolt.Tx) (image, error) {
	meta, records, latest := tx.Bucket(bucketMeta), tx.Bucket(bucketRecords), tx.Bucket(bucketLatest)
	if meta == nil && records == nil && latest == nil && !committed(tx) {
		return image{}, nil
	}
	missing := &CorruptError{Path: tx.DB().Path(), Reason: "a part of it is missing"}
	if meta == nil {
		return image{}, missing
	}
	im := image{format: string(meta.Get(keyFormat)), head: string(meta.Get(keyHead))}
	if !readable(im.format) {
		return image{}, &FormatError{Path: tx.DB().Path(), Format: im.format}
	}
	if im.format == format1 {
		latest = tx.Bucket(bucketProgress)
	}
	if records == nil || latest == nil {
		return image{}, missing
	}
	var err error
	if im.chain, err = readRecords(records); err != nil {
		return im, err
	}
	im.latest = map[string][]byte{}
	err = latest.ForEach(func(k, v []byte) error {
		if len(v) > maxValue {
			return &CorruptError{Path: tx.DB().Path(), Reason: "one of the latest values is torn"}
		}
		im.latest[string(k)] = bytes.Clone(v)
		return nil
	})
	return im, err
}

// committed reports whether a transaction wrote after bbolt created the file, which
// counts as transaction 1 (go.etcd.io/bbolt db.go: init).
func committed(tx *bbolt.Tx) bool {
	last := tx.ID()
	if tx.Writable() {
		last--
	}
	return last > 1
}

func readRecords(records *bbolt.Bucket) ([]sealed, error) {
	var chain []sealed
	err := records.ForEach(func(k, v []byte) error {
		torn := &CorruptError{Path: records.Tx().DB().Path(), Seq: uint64(len(chain)) + 1, Reason: "it is torn"}
		if len(k) != 8 || len(v) > maxValue {
			return torn
		}
		s, ok := unseal(binary.BigEndian.Uint64(k), bytes.Clone(v))
		if !ok {
			return torn
		}
		chain = append(chain, s)
		return nil
	})
	return chain, err
}

// cachedImage is the content of the file after the last read or write. It is valid
// until another transaction: bbolt counts them. Identity, size and modification time
// of the file reveal an edit without bbolt. The caller holds bbolt's lock on the file,
// so no other process writes.
type cachedImage struct {
	image     image
	number    int // number of the last writing transaction
	file      os.FileInfo
	version   uint64 // of the last image
	notedHash string // hash of the record that the notes name
}

// read returns the content of the file.
func (k *cachedImage) read(tx *bbolt.Tx, file *os.File) (image, error) {
	number := tx.ID()
	if tx.Writable() {
		number--
	}
	info, err := file.Stat()
	if err == nil && k.number == number && k.matches(info) {
		return k.image, nil
	}
	im, readErr := readImage(tx)
	if readErr != nil || err != nil {
		*k = cachedImage{version: k.version}
		return im, readErr
	}
	k.version++
	im.version = k.version
	k.image, k.number, k.file = im, number, info
	return im, nil
}

// unchanged returns the cached image if the file did not change since. It takes no
// lock and maps nothing: a transaction of another process takes effect when its meta
// page is written. ok is false in every doubtful case; the caller then reads the file.
func (b *embedded) unchanged(ctx context.Context) (im image, ok bool, err error) {
	leave, err := b.takeTurn(ctx)
	if err != nil {
		return image{}, false, err
	}
	defer leave()
	if b.cached.file == nil {
		return image{}, false, nil
	}
	file, err := plainfile.Open(b.path)
	if err != nil {
		return image{}, false, nil //nolint:nilerr // the full read reports it
	}
	defer file.Close() //nolint:errcheck // it was only read
	info, err := file.Stat()
	number, whole := boltfile.LastTransaction(file)
	if err != nil || !whole || number != uint64(b.cached.number) || !b.cached.matches(info) { //nolint:gosec // it is not negative
		return image{}, false, nil //nolint:nilerr // the full read reports it
	}
	return b.cached.image, true, nil
}

// update applies a transaction of this process to the cached image.
func (k *cachedImage) update(before image, c change, number int, file *os.File) {
	info, err := file.Stat()
	if err != nil {
		info = nil // makes the next transaction read the file
	}
	k.version++
	k.image = before.with(c)
	k.image.version = k.version
	k.number, k.file = number, info
}

// matches reports whether info describes the cached file, unchanged.
func (k *cachedImage) matches(info os.FileInfo) bool {
	return k.file != nil && os.SameFile(k.file, info) && k.file.Size() == info.Size() && k.file.ModTime().Equal(info.ModTime())
}
