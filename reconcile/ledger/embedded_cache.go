package ledger

import (
	"context"
	"os"

	"go.etcd.io/bbolt"

	"milvus-reconcile/reconcile/plainfile"
)

// cachedImage is what the file held when it was read or written last. It stands for
// the file as long as nobody wrote: bbolt counts transactions, and the file's
// identity, size and time of change tell an edit that was none. The caller
// holds bbolt's lock on the file, so nobody is writing.
type cachedImage struct {
	image     image
	number    int // of the last transaction that wrote
	file      os.FileInfo
	version   uint64 // of the image that was made last
	notedHash string // hash of the record that was noted beside the file last
}

// read returns what the file holds.
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

// unchanged returns the image that is kept while the file is as it was read or
// written last. It takes no lock on the file and maps nothing: a transaction of
// another process counts from when its meta page is written, and until then the
// one before it stands. Whatever is not plain is for the whole reading.
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
		return image{}, false, nil //nolint:nilerr // the whole reading tells
	}
	defer file.Close() //nolint:errcheck // it was only read
	info, err := file.Stat()
	number, whole := lastTransaction(file)
	if err != nil || !whole || number != uint64(b.cached.number) || !b.cached.matches(info) { //nolint:gosec // it is not negative
		return image{}, false, nil //nolint:nilerr // the whole reading tells
	}
	return b.cached.image, true, nil
}

// update takes over what a transaction of this process changed.
func (k *cachedImage) update(before image, c change, number int, file *os.File) {
	info, err := file.Stat()
	if err != nil {
		info = nil // the next one reads
	}
	k.version++
	k.image = before.with(c)
	k.image.version = k.version
	k.number, k.file = number, info
}

// matches says whether a file is the one that was read or written last, and
// nobody changed it since.
func (k *cachedImage) matches(info os.FileInfo) bool {
	return k.file != nil && os.SameFile(k.file, info) && k.file.Size() == info.Size() && k.file.ModTime().Equal(info.ModTime())
}
