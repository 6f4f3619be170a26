package ledger

import (
	"context"
	"os"

	"go.etcd.io/bbolt"

	"milvus-reconcile/reconcile/plainfile"
)

// kept is what the file held when it was read or written last. It stands for
// the file as long as nobody wrote: bbolt counts transactions, and the file's
// identity, size and time of change tell an edit that was none. The caller
// holds bbolt's lock on the file, so nobody is writing.
type kept struct {
	image   image
	number  int // of the last transaction that wrote
	file    os.FileInfo
	version uint64 // of the image that was made last
	noted   string // hash of the record that was noted beside the file last
}

// read returns what the file holds.
func (k *kept) read(tx *bbolt.Tx, file *os.File) (image, error) {
	number := tx.ID()
	if tx.Writable() {
		number--
	}
	now, err := file.Stat()
	if err == nil && k.number == number && k.stands(now) {
		return k.image, nil
	}
	im, readErr := readImage(tx)
	if readErr != nil || err != nil {
		*k = kept{version: k.version}
		return im, readErr
	}
	k.version++
	im.version = k.version
	k.image, k.number, k.file = im, number, now
	return im, nil
}

// unchanged returns the image that is kept while the file is as it was read or
// written last. It takes no lock on the file and maps nothing: a transaction of
// another process counts from when its meta page is written, and until then the
// one before it stands. Whatever is not plain is for the whole reading.
func (b *embedded) unchanged(ctx context.Context) (im image, ok bool, err error) {
	leave, err := b.take(ctx)
	if err != nil {
		return image{}, false, err
	}
	defer leave()
	if b.kept.file == nil {
		return image{}, false, nil
	}
	file, err := plainfile.Open(b.path)
	if err != nil {
		return image{}, false, nil //nolint:nilerr // the whole reading tells
	}
	defer file.Close() //nolint:errcheck // it was only read
	now, err := file.Stat()
	number, whole := lastTransaction(file)
	if err != nil || !whole || number != uint64(b.kept.number) || !b.kept.stands(now) { //nolint:gosec // it is not negative
		return image{}, false, nil //nolint:nilerr // the whole reading tells
	}
	return b.kept.image, true, nil
}

// wrote takes over what a transaction of this process changed.
func (k *kept) wrote(before image, c change, number int, file *os.File) {
	now, err := file.Stat()
	if err != nil {
		now = nil // the next one reads
	}
	k.version++
	k.image = before.with(c)
	k.image.version = k.version
	k.number, k.file = number, now
}

// stands says whether a file is the one that was read or written last, and
// nobody changed it since.
func (k *kept) stands(now os.FileInfo) bool {
	return k.file != nil && os.SameFile(k.file, now) && k.file.Size() == now.Size() && k.file.ModTime().Equal(now.ModTime())
}
