package ledger

import (
	"context"
	"os"

	"go.etcd.io/bbolt"

	"milvus-reconcile/reconcile/ledger/boltfile"
	"milvus-reconcile/reconcile/plainfile"
)

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
