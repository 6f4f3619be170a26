package wire

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"milvus-reconcile/cmd/reconcile/internal/serve"
	"milvus-reconcile/reconcile"
	"milvus-reconcile/reconcile/approval"
	"milvus-reconcile/reconcile/daemon"
	"milvus-reconcile/reconcile/ledger"
)

// follower lets the loop follow the repository of one configuration.
type follower struct {
	*Environment
	ledger *ledger.Ledger
}

// Fetch reads the tip of the tracked ref.
func (f *follower) Fetch(ctx context.Context) (daemon.Revision, error) {
	if err := f.Repo.Fetch(ctx); err != nil {
		return daemon.Revision{}, err
	}
	rev, err := f.Revision(ctx, "", "", nil)
	if err != nil {
		return daemon.Revision{}, err
	}
	out := daemon.Revision{Commit: rev.Commit, Desired: rev.Desired, Changes: rev.Changes, CopyProblem: f.Repo.CopyProblem()}
	for _, p := range rev.Problems {
		out.Problems = append(out.Problems, p.String())
	}
	out.Rewritten, err = f.Rewritten(ctx, f.ledger, rev)
	return out, err
}

// Confirm remembers the head for every process on the ledger.
func (f *follower) Confirm(ctx context.Context, commit string) error {
	return f.confirm(ctx, f.ledger, commit)
}

// loopRecords lets the loop write beside what an apply writes.
type loopRecords struct{ *ledger.Ledger }

func (l loopRecords) RecordLapse(ctx context.Context, c approval.Change, payloads []string) error {
	return l.Ledger.RecordLapse(ctx, ledger.Lapse{Topology: c.Topology, Generation: c.Generation, Commit: c.Commit, Payloads: payloads})
}

// RecordPublished remembers what clients are told.
func (l loopRecords) RecordPublished(ctx context.Context, topology string, p reconcile.Published) error {
	document, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("encode what is served: %w", err)
	}
	return l.RecordServed(ctx, topology, ledger.Served{Version: p.Version, Document: string(document)})
}

// election lets the loop campaign on the ledger.
type election struct{ ledger *ledger.Ledger }

func (e election) Campaign(ctx context.Context) (daemon.Leadership, error) {
	won, err := e.ledger.Campaign(ctx, ledger.Holder{})
	if err != nil {
		return nil, err
	}
	return won, nil
}

// Leader names the process that leads.
func (e election) Leader(ctx context.Context) string {
	h, ok, err := e.ledger.Leader(ctx)
	if err != nil || !ok {
		return ""
	}
	return fmt.Sprintf("%s (process %d on %s, since %s)", h.Process, h.PID, h.Host, h.Since.UTC().Format("2006-01-02T15:04:05Z"))
}

// hook says whose pushes the webhook heeds. While its secret cannot be read, it
// answers each push with that.
func (d *service) hook(e *Environment) {
	d.webhook.Configure(serve.Trust{Secret: secretOf(e.Config.Serve.WebhookSecret), Repository: e.Git.URL, Ref: fullRef(e.Git.Ref)})
}

// fullRef is a branch's full name; what is not said is the remote's affair.
func fullRef(ref string) string {
	if ref == "" || ref == "HEAD" || strings.HasPrefix(ref, "refs/") {
		return ref
	}
	return "refs/heads/" + ref
}
