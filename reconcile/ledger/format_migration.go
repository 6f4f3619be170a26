package ledger

import (
	"bytes"
	"maps"
)

// The formats of a ledger. A new layout, or a new kind of record that an older build
// would take for damage, needs a new format. A migration never rewrites records; it
// changes only the latest values.
const (
	format1       = "1" // the latest values are replication progress alone, by cluster
	format2       = "2" // several sorts of latest values; more kinds of records
	format3       = "3" // records of an acceptance, and of counted losses
	format4       = "4" // audits among the latest values
	formatVersion = "5" // what primaries serve, what standbys lack, what drift found, outages that ended and how far replays are among the latest values
)

// migration brings an image to the next format.
type migration struct {
	to  string
	run func(image) (image, error)
}

// migrations holds the step from each older format to the next. A reader migrates its
// copy in memory; the first write stores the new format.
var migrations = map[string]migration{
	format1: {to: format2, run: migrateProgress},
	format2: {to: format3, run: unchanged},
	format3: {to: format4, run: unchanged},
	format4: {to: formatVersion, run: unchanged},
}

// unchanged is the migration to a format that only adds to the one before.
func unchanged(im image) (image, error) { return im, nil }

// readable says whether this build knows a format.
func readable(format string) bool {
	_, older := migrations[format]
	return older || format == formatVersion
}

// migrateProgress adds the prefix of their sort to the keys of the progress values.
func migrateProgress(im image) (image, error) {
	moved := make(map[string][]byte, len(im.latest))
	for cluster, raw := range im.latest {
		moved[progressKey(cluster)] = raw
	}
	im.latest = moved
	return im, nil
}

// upgrade migrates an image to the format of this build, and returns the latest values
// to write for it. It checks the head in the old format before it computes the new one,
// so that a migration never hides damage.
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

// merge returns under with the values of over in their place. A nil value stays as the
// mark of a deletion.
func merge(under, over map[string][]byte) map[string][]byte {
	if len(over) == 0 {
		return under
	}
	out := make(map[string][]byte, len(under)+len(over))
	maps.Copy(out, under)
	maps.Copy(out, over)
	return out
}
