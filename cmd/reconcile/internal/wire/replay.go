package wire

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"milvus-reconcile/cmd/reconcile/internal/desired"
	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/approval"
	"milvus-reconcile/reconcile/ledger"
	"milvus-reconcile/reconcile/replay"
)

// ReplayLock is the right to replay lost rows into one topology.
type ReplayLock struct {
	env  *Environment
	lock *ledger.Lock
}

// LockReplay takes the right to replay into a topology, and makes sure that the ledger
// exists.
func (e *Environment) LockReplay(ctx context.Context, topology string) (*ReplayLock, error) {
	if e.Config.Ledger.IsZero() {
		return nil, errors.New("a replay needs a ledger, which records that its approval was used (hint: set ledger in the operator's configuration)")
	}
	l, err := e.Ledger()
	if err != nil {
		return nil, err
	}
	k, err := l.LockReplay(ctx, topology, 0)
	if err != nil {
		return nil, err
	}
	return &ReplayLock{e, k}, nil
}

// Release gives the right back.
func (k *ReplayLock) Release() { _ = k.lock.Release() }

// While returns a context that ends when another process may get the right.
func (k *ReplayLock) While(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	go func() {
		select {
		case <-ctx.Done():
		case <-k.lock.Lost():
			cancel(ledger.ErrLockLost)
		}
	}()
	return ctx, func() { cancel(nil) }
}

// Note keeps how far the replay with a digest is, for those who watch it.
func (k *ReplayLock) Note(ctx context.Context, digest string, written, of int64) {
	_ = k.lock.NoteReplay(ctx, ledger.ReplayProgress{Digest: digest, Written: written, Of: of, At: k.env.Now()}) // the next one says more
}

// Finish records how the replay of what a stale cluster holds ended.
func (k *ReplayLock) Finish(ctx context.Context, r replay.Report) error {
	detail := fmt.Sprintf("%d rows written by the last run", r.Done.Written)
	if err := k.lock.FinishReplay(ctx, r.Ended(), detail); err != nil {
		return fmt.Errorf("write the ledger: %w", err)
	}
	return nil
}

// ReplayApproval says whether the replay with that digest is approved at a revision, or was
// begun by an earlier run.
func (e *Environment) ReplayApproval(ctx context.Context, rev desired.Revision, t plan.Topology, digest string) (replay.Decision, error) {
	if open, begun, err := e.openReplay(ctx, t.Name); err != nil {
		return replay.Decision{}, err
	} else if begun && open.Digest == digest {
		return replay.Continue(open.By), nil
	}
	p, err := e.Pass(ctx, rev)
	if err != nil {
		return replay.Decision{}, err
	}
	d, err := p.DecideReplay(ctx, t, digest)
	return replay.Decision{Decision: d}, err
}

func (e *Environment) openReplay(ctx context.Context, topology string) (ledger.Replay, bool, error) {
	if e.Config.Ledger.IsZero() {
		return ledger.Replay{}, false, nil
	}
	l, err := e.Ledger()
	if err != nil {
		return ledger.Replay{}, false, err
	}
	s, err := e.Recall(ctx, l)
	if err != nil {
		return ledger.Replay{}, false, fmt.Errorf("read the ledger: %w", err)
	}
	open, begun := s.OpenReplay(topology)
	return open, begun, nil
}

// Begin reads Git once more, decides, and records the replay and its approval. A replay
// that an earlier run began goes on without another approval, while Git still wants its
// target as the primary. A topology that the operator suspended, or whose history was
// rewritten, gets no replay.
func (k *ReplayLock) Begin(ctx context.Context, rev desired.Revision, t plan.Topology, stale, digest string) (replay.Decision, error) {
	wanted, err := k.env.RereadGit(rev, "")(ctx)
	if err != nil {
		return replay.Decision{}, fmt.Errorf("%s: Git could not be read again before the replay: %w", approval.CodeGitUnreadable, err)
	}
	reread := replay.Reread{
		Topology: t.Name, Superseded: wanted.Superseded[t.Name], Rewritten: wanted.Rewritten[t.Name], Suspended: slices.Contains(k.env.Config.Suspend, t.Name),
	}
	if block := reread.Block(); block != nil {
		return *block, nil
	}
	rev.Changes = wanted.Changes
	d, err := k.env.ReplayApproval(ctx, rev, t, digest)
	if err != nil || d.Verdict != approval.VerdictApproved {
		return d, err
	}
	primary, _ := t.Primary()
	err = k.lock.BeginReplay(ctx, ledger.Replay{
		Generation: t.Generation, Commit: d.Commit, Stale: stale, Promoted: primary.ID, Digest: digest, By: d.By, Reasons: d.Reasons, Payloads: d.Payloads,
	})
	if err != nil {
		return d, fmt.Errorf("write the ledger: %w", err)
	}
	return d, nil
}

// StillGoverns reads Git again. Its error says why the document of a revision is no longer
// in force.
func (e *Environment) StillGoverns(ctx context.Context, rev desired.Revision, topology string) error {
	wanted, err := e.RereadGit(rev, "")(ctx)
	if err != nil {
		return fmt.Errorf("read Git again: %w", err)
	}
	if block := (replay.Reread{Topology: topology, Superseded: wanted.Superseded[topology]}).Block(); block != nil {
		return fmt.Errorf("%s: %s", block.Blocked, block.Detail)
	}
	return nil
}
