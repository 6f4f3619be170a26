package ledger

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// headPath is a file beside the ledger that names its newest record: number, space,
// hash. By it a ledger that was emptied, removed or put back from an old copy is
// told from a new one, in which approvals that were spent would count again.
func (b *embedded) headPath() string { return b.path + ".head" }

func (b *embedded) leaderPath() string { return b.path + ".leader" }

// writeHead notes the newest record. It is written after the ledger, so that it
// never names more than there is; a crash in between leaves an older one, which is
// as good.
func (b *embedded) writeHead(newest sealed) error {
	path := b.headPath()
	if err := os.WriteFile(path+".new", []byte(fmt.Sprintf("%d %s\n", newest.seq, newest.hash)), 0o600); err != nil {
		return fmt.Errorf("write ledger head: %w", err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		return fmt.Errorf("write ledger head: %w", err)
	}
	return nil
}

// readHead is the record that the file beside the ledger names; seq 0: it names
// none that can be read.
func (b *embedded) readHead() (head sealed, there bool) {
	text, err := os.ReadFile(b.headPath())
	if err != nil {
		return sealed{}, !errors.Is(err, fs.ErrNotExist)
	}
	number, hash, _ := strings.Cut(strings.TrimSpace(string(text)), " ")
	seq, err := strconv.ParseUint(number, 10, 64)
	if err != nil {
		return sealed{}, true
	}
	return sealed{seq: seq, hash: hash}, true
}

// restoreHint is what to do, also where no backup is left.
func (b *embedded) restoreHint() string {
	return " (hint: put its newest backup back; if there is none, delete every tag below failover/ in the repository, so that no spent approval counts again, and move " +
		b.path + " away with all files that begin with its name)"
}

// checkAbsent refuses to take an absent or empty file for a new ledger where what
// lies beside it shows that there was one. A lock may be taken before the first
// record is written, but not beside a file that is there and empty: whoever makes
// the file writes its birth first.
func (b *embedded) checkAbsent() error {
	head, noted := b.readHead()
	if !noted && !b.emptied() {
		return nil
	}
	held := "it held records"
	if head.seq > 0 {
		held = fmt.Sprintf("it held %d records", head.seq)
	}
	return &CorruptError{Path: b.path, Reason: "it is gone or empty, and the files beside it show that " + held + b.restoreHint()}
}

// emptied says whether the file is there, empty, and locks were taken beside it.
func (b *embedded) emptied() bool {
	if _, err := os.Stat(b.path); err != nil {
		return false
	}
	locks, _ := filepath.Glob(filepath.Join(b.path+".locks", "*.lock")) // the pattern is good
	_, err := os.Stat(b.leaderPath())
	return len(locks) > 0 || err == nil
}

// checkNoted refuses a ledger that lacks the newest record that was written.
func (b *embedded) checkNoted(im image) error {
	head, _ := b.readHead()
	switch n := uint64(len(im.chain)); {
	case head.seq == 0:
		return nil
	case head.seq > n:
		return &CorruptError{Path: b.path, Reason: fmt.Sprintf("it ends with record %d, and record %d was written: it is an older copy", n, head.seq) + b.restoreHint()}
	case im.chain[head.seq-1].hash != head.hash:
		return &CorruptError{Path: b.path, Seq: head.seq, Reason: "another one was written: it is the copy of another ledger" + b.restoreHint()}
	}
	return nil
}
