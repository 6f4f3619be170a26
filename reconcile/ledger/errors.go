package ledger

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"milvus-reconcile/plan"
)

// ErrBusy says that another process kept the ledger's file open for longer
// than the bounded wait.
var ErrBusy = errors.New("the ledger is in use by another process")

// ErrUnreachable says that the ledger did not answer in time, or refused the request.
// A write that returns it may have taken effect. It counts as a timeout, as net.Error does.
var ErrUnreachable error = unreachableError{}

type unreachableError struct{}

func (unreachableError) Error() string { return "the ledger cannot be reached" }

// Timeout says that waiting may help.
func (unreachableError) Timeout() bool { return true }

// ErrLockLost says that the right to act on a topology is gone, so nothing
// was written.
var ErrLockLost = errors.New("the lock on the topology is lost")

// ErrNoIntent says that the topology has no open intent to continue.
var ErrNoIntent = errors.New("the topology has no open intent")

// ErrTransition says that a record may not follow the records of the ledger.
var ErrTransition = errors.New("not a legal next record")

// CorruptError reports a damaged or outdated ledger. Nothing is read from Seq on, and
// nothing is written.
type CorruptError struct {
	Path   string
	Seq    uint64 // the record at fault; 0: not one record
	Reason string
}

// Error names the file, the record and the fault.
func (e *CorruptError) Error() string {
	if e.Seq == 0 {
		return fmt.Sprintf("ledger %s is damaged: %s", e.Path, e.Reason)
	}
	return fmt.Sprintf("ledger %s is damaged at record %d: %s", e.Path, e.Seq, e.Reason)
}

// reasonOnly returns the fault without the path and the hint.
func (e *CorruptError) reasonOnly() string {
	reason, _, _ := strings.Cut(e.Reason, " (hint:")
	return reason
}

// FormatError reports a ledger written in a format that this build does not
// know.
type FormatError struct {
	Path   string
	Format string
}

// Error names both formats and the remedy.
func (e *FormatError) Error() string {
	return fmt.Sprintf("ledger %s has format %q, this build knows %q (hint: use the version of reconcile that wrote it, or a newer one; nothing was changed)", e.Path, e.Format, formatVersion)
}

// Holder says who has a lock.
type Holder struct {
	Process string    `json:"process"`
	PID     int       `json:"pid"`
	Host    string    `json:"host"`
	Since   time.Time `json:"since"`
	Shard   string    `json:"shard,omitempty"` // of the topologies that it acts on; empty: all, or a command
}

// String names the holder for people.
func (h Holder) String() string {
	return h.Name() + " since " + h.Since.UTC().Format(time.RFC3339)
}

// Name names the holder without the time.
func (h Holder) Name() string {
	if h.PID == 0 {
		return "another process"
	}
	shard := ""
	if h.Shard != "" {
		shard = ", shard " + h.Shard
	}
	return fmt.Sprintf("%s (process %d on %s%s)", h.Process, h.PID, h.Host, shard)
}

// HeldError says that another process holds the lock of the topology, or the
// leadership.
type HeldError struct {
	Topology string // empty: it is the leadership that is held
	Holder   Holder // zero when the holder has not yet said who it is
}

// Error says who holds the lock, and from which time on.
func (e *HeldError) Error() string {
	what := "topology " + e.Topology + " is locked"
	if e.Topology == "" {
		what = "the leadership is held"
	}
	if e.Holder == (Holder{}) {
		return what + " by another process"
	}
	return what + " by " + e.Holder.String()
}

// SpentError says that an approval was used before (contract.md §4,
// ALREADY_USED).
type SpentError struct{ Mark Mark }

// Error names the use.
func (e *SpentError) Error() string {
	return fmt.Sprintf("the approval for generation %d of %s was used on %s",
		e.Mark.Generation, e.Mark.Topology, e.Mark.At.UTC().Format(time.RFC3339))
}

// OpenIntentError says that another intent on the topology has no result yet.
type OpenIntentError struct{ Intent plan.Intent }

// Error names the intent.
func (e *OpenIntentError) Error() string {
	return fmt.Sprintf("the %s of %s that generation %d began at %s has no result yet", e.Intent.Transition,
		e.Intent.Topology, e.Intent.Generation, e.Intent.At.UTC().Format(time.RFC3339))
}
