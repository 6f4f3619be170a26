package ledger

import (
	"bytes"
	"maps"
)

// The formats of a ledger. A new one is a new layout, or a new kind of record
// that an older build would take for damage. Records are never rewritten: a
// migration moves what is beside the chain.
const (
	format1       = "1" // replication progress by cluster was all there was beside the chain
	format2       = "2" // latest values of several sorts; records of more kinds
	formatVersion = "3" // records that accept a ledger as it is
)

// migration brings an image to the next format.
type migration struct {
	to  string
	run func(image) (image, error)
}

// migrations leads from each older format to the next. A reader migrates what
// it read and leaves the ledger alone; the first write stores it.
var migrations = map[string]migration{
	format1: {to: format2, run: migrateProgress},
	format2: {to: formatVersion, run: func(im image) (image, error) { return im, nil }},
}

// readable says whether this build knows a format.
func readable(format string) bool {
	_, older := migrations[format]
	return older || format == formatVersion
}

// migrateProgress files the progress of a cluster under its sort.
func migrateProgress(im image) (image, error) {
	moved := make(map[string][]byte, len(im.latest))
	for cluster, raw := range im.latest {
		moved[progressKey(cluster)] = raw
	}
	im.latest = moved
	return im, nil
}

// upgrade brings an image to the format of this build, and says what of the
// latest values has to be written for it. The head is checked in the old
// format first and made anew, so damage is not migrated into validity.
func upgrade(im image) (image, map[string][]byte, error) {
	if im.format == "" || im.format == formatVersion {
		return im, nil, nil
	}
	before := im.latest
	for im.format != formatVersion {
		step, ok := migrations[im.format]
		if !ok {
			return image{}, nil, &FormatError{Format: im.format}
		}
		if err := checkHead(im, (&valueCache{}).hashLatest); err != nil {
			return im, nil, err
		}
		next, err := step.run(im)
		if err != nil {
			return image{}, nil, err
		}
		next.format, next.head = step.to, headOf(next.chain, next.latest)
		im = next
	}
	moved := map[string][]byte{}
	for key, raw := range im.latest {
		if old, stands := before[key]; !stands || !bytes.Equal(old, raw) {
			moved[key] = raw
		}
	}
	for key := range before {
		if _, kept := im.latest[key]; !kept {
			moved[key] = nil
		}
	}
	return im, moved, nil
}

// merge lays values over others; nil takes out.
func merge(under, over map[string][]byte) map[string][]byte {
	if len(over) == 0 {
		return under
	}
	out := make(map[string][]byte, len(under)+len(over))
	maps.Copy(out, under)
	maps.Copy(out, over)
	return out
}
