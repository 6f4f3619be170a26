package wire

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"milvus-reconcile/cmd/reconcile/internal/desired"
	"milvus-reconcile/cmd/reconcile/internal/serve"
	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile"
	"milvus-reconcile/reconcile/approval"
	"milvus-reconcile/reconcile/daemon"
	"milvus-reconcile/reconcile/ledger"
)

// follower is the daemon.Source of one configuration: the repository that it follows.
type follower struct {
	*Environment
	ledger  *ledger.Ledger
	newest  *atomic.Pointer[followed]
	fetched func([]plan.Topology) // is called with the documents of each tip
	since   time.Time             // when the process began
}

// followed is the revision that was read last, with what read it.
type followed struct {
	*Environment
	revision desired.Revision
}

func (f *follower) fetchOnce(ctx context.Context) (daemon.Revision, error) {
	if err := f.Repo.Fetch(ctx); err != nil {
		return daemon.Revision{}, err
	}
	rev, err := f.Revision(ctx, "", "", nil)
	if err != nil {
		return daemon.Revision{}, err
	}
	rev.Desired.AuditsSince = f.since
	f.newest.Store(&followed{f.Environment, rev})
	out := daemon.Revision{Commit: rev.Commit, Desired: rev.Desired, Changes: rev.Changes, CopyProblem: f.Repo.CopyProblem()}
	for _, p := range rev.Problems {
		out.Problems = append(out.Problems, p.String())
	}
	out.Rewritten, err = f.Rewritten(ctx, f.ledger, rev)
	return out, err
}

// Fetch reads the tip of the tracked ref. A history that looks rewritten is read once more:
// another process on the ledger may have seen a commit that came after this read.
func (f *follower) Fetch(ctx context.Context) (daemon.Revision, error) {
	out, err := f.fetchOnce(ctx)
	if err == nil && len(out.Rewritten) > 0 {
		out, err = f.fetchOnce(ctx)
	}
	if err == nil {
		f.fetched(out.Desired.Topologies)
	}
	return out, err
}

// Confirm records the head in the ledger, for every process that uses it.
func (f *follower) Confirm(ctx context.Context, commit string) error {
	return f.confirm(ctx, f.ledger, commit)
}

// loopRecords writes the records that the loop itself makes.
type loopRecords struct{ *ledger.Ledger }

func (l loopRecords) RecordLapse(ctx context.Context, c approval.Change, payloads []string) error {
	return l.Ledger.RecordLapse(ctx, ledger.Lapse{Topology: c.Topology, Generation: c.Generation, Commit: c.Commit, Payloads: payloads})
}

// RecordPublished records the topology document that clients get.
func (l loopRecords) RecordPublished(ctx context.Context, topology string, p reconcile.Published) error {
	served, err := servedOf(p)
	if err != nil {
		return err
	}
	return l.RecordServed(ctx, topology, served)
}

// RecordFirstPublished records the document of each topology that has no recorded one.
func (l loopRecords) RecordFirstPublished(ctx context.Context, first map[string]reconcile.Published) error {
	served := make(map[string]ledger.Served, len(first))
	for topology, p := range first {
		var err error
		if served[topology], err = servedOf(p); err != nil {
			return err
		}
	}
	return l.RecordFirstServed(ctx, served)
}

// servedOf returns how the ledger keeps what clients are told.
func servedOf(p reconcile.Published) (ledger.Served, error) {
	document, err := json.Marshal(p)
	if err != nil {
		return ledger.Served{}, fmt.Errorf("encode what is served: %w", err)
	}
	return ledger.Served{Version: p.Version, Document: string(document)}, nil
}

// election is the daemon.Election of the ledger.
type election struct{ ledger *ledger.Ledger }

func (e election) Campaign(ctx context.Context) (daemon.Leadership, error) {
	won, err := e.ledger.Campaign(ctx, ledger.Holder{})
	if err != nil {
		return nil, err
	}
	return leadership{won}, nil
}

// leadership is the daemon.Leadership of the ledger.
type leadership struct{ *ledger.Leadership }

// Claim takes a topology for the shard of this process.
func (l leadership) Claim(ctx context.Context, topology string, waits func(by string)) (daemon.Claim, error) {
	c, err := l.Leadership.Claim(ctx, topology, func(h ledger.Holder) { waits(h.Name()) })
	if err != nil {
		return nil, err
	}
	return c, nil
}

// Leader names the process that leads; "" if there is none or the ledger cannot be read.
func (e election) Leader(ctx context.Context) string {
	h, ok, err := e.ledger.Leader(ctx)
	if err != nil || !ok {
		return ""
	}
	if h.Shard != "" {
		h.Host += ", shard " + h.Shard
	}
	return fmt.Sprintf("%s (process %d on %s, since %s)", h.Process, h.PID, h.Host, h.Since.UTC().Format("2006-01-02T15:04:05Z"))
}

// configureWebhook sets which pushes the webhook accepts. While the secret cannot be
// read, the webhook answers every push with that error.
func (d *service) configureWebhook(e *Environment) {
	d.webhook.Configure(serve.Trust{Secret: secretReader(e.Config.Serve.WebhookSecret), Repository: e.Git.URL, Ref: fullRef(e.Git.Ref)})
}

// fullRef returns the full name of a branch. "" and HEAD stay: the remote resolves them.
func fullRef(ref string) string {
	if ref == "" || ref == "HEAD" || strings.HasPrefix(ref, "refs/") {
		return ref
	}
	return "refs/heads/" + ref
}
