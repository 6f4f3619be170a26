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

// Finish records that the replay of what a stale cluster holds is done.
func (k *ReplayLock) Finish(ctx context.Context, stale, detail string) error {
	if err := k.lock.FinishReplay(ctx, stale, detail); err != nil {
		return fmt.Errorf("write the ledger: %w", err)
	}
	return nil
}

// ReplayDecision says whether a replay may be carried out.
type ReplayDecision struct {
	Verdict string // approved, denied, not_required
	Code    string
	Detail  string
	By      []string
	Blocked bool // no approval would help
}

// ReplayApproval says whether the replay with that digest is approved at a revision, or was
// begun by an earlier run.
func (e *Environment) ReplayApproval(ctx context.Context, rev desired.Revision, t plan.Topology, digest string) (ReplayDecision, error) {
	out, _, err := e.decideReplay(ctx, rev, t, digest)
	return out, err
}

func (e *Environment) decideReplay(ctx context.Context, rev desired.Revision, t plan.Topology, digest string) (ReplayDecision, approval.Decision, error) {
	if open, begun, err := e.openReplay(ctx, t.Name); err != nil || begun && open.Digest == digest {
		return ReplayDecision{Verdict: approval.VerdictNotRequired.String(), Detail: "an earlier run began it, with an approval that was used then", By: open.By}, approval.Decision{}, err
	}
	p, err := e.Pass(ctx, rev)
	if err != nil {
		return ReplayDecision{}, approval.Decision{}, err
	}
	d, err := p.DecideReplay(ctx, t, digest)
	return ReplayDecision{Verdict: d.Verdict.String(), Code: d.Code, Detail: d.Detail, By: d.By}, d, err
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

// Begin reads Git once more, decides, and records the replay and its approval. One that an
// earlier run began goes on without another approval, as long as Git wants its target as
// the primary. What the operator suspended, or whose history was rewritten, has none.
func (k *ReplayLock) Begin(ctx context.Context, rev desired.Revision, t plan.Topology, stale, digest string) (ReplayDecision, error) {
	wanted, err := k.env.RereadGit(rev, "")(ctx)
	if err != nil {
		return ReplayDecision{}, fmt.Errorf("%s: Git could not be read again before the replay: %w", approval.CodeGitUnreadable, err)
	}
	if by := wanted.Superseded[t.Name]; by != "" {
		return supersededReplay(t.Name, by), nil
	}
	if at := wanted.Rewritten[t.Name]; at != "" {
		f := plan.HistoryRewritten(at)
		return blockedReplay(f.Code, f.Message+": check who moved it and why, then accept it: 'reconcile apply "+t.Name+"'"), nil
	}
	if slices.Contains(k.env.Config.Suspend, t.Name) {
		return blockedReplay("SUSPENDED", t.Name+" is suspended by the operator's configuration: take it out of 'suspend' when the work on it is done"), nil
	}
	rev.Changes = wanted.Changes
	out, d, err := k.env.decideReplay(ctx, rev, t, digest)
	if err != nil || d.Verdict != approval.VerdictApproved {
		return out, err
	}
	primary, _ := t.Primary()
	err = k.lock.BeginReplay(ctx, ledger.Replay{
		Generation: t.Generation, Commit: d.Commit, Stale: stale, Promoted: primary.ID, Digest: digest, By: d.By, Reasons: d.Reasons, Payloads: d.Payloads,
	})
	if err != nil {
		return out, fmt.Errorf("write the ledger: %w", err)
	}
	return out, nil
}

func supersededReplay(topology, by string) ReplayDecision {
	return blockedReplay(plan.CodeSuperseded, fmt.Sprintf("commit %.12s governs %s now: run the command again", by, topology))
}

func blockedReplay(code plan.Code, why string) ReplayDecision {
	return ReplayDecision{Verdict: approval.VerdictDenied.String(), Code: string(code), Detail: why, Blocked: true}
}

// StillGoverns reads Git again. Its error says why what a revision wants of a topology holds
// no longer.
func (e *Environment) StillGoverns(ctx context.Context, rev desired.Revision, topology string) error {
	wanted, err := e.RereadGit(rev, "")(ctx)
	if err != nil {
		return fmt.Errorf("read Git again: %w", err)
	}
	if by := wanted.Superseded[topology]; by != "" {
		return fmt.Errorf("%s: %s", plan.CodeSuperseded, supersededReplay(topology, by).Detail)
	}
	return nil
}
