package cli

import (
	"context"
	"fmt"
	"maps"
	"time"

	"milvus-reconcile/cmd/reconcile/internal/desired"
	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile"
	"milvus-reconcile/reconcile/gitsource"
	"milvus-reconcile/reconcile/ledger"
)

// tip is the tip of the tracked ref that the operator configured, as it bears
// on a revision.
type tip struct {
	superseded map[string]string // the newer commit, by topology
	rewritten  map[string]string // the governing commit, by topology
	commit     string            // the tip, where it may be remembered
}

// elsewhere says whether the command line looks at something else than the tip
// of the configured ref.
func (e *environment) elsewhere(commit string) bool {
	return e.g.repo != "" || e.g.ref != "" || e.g.path != "" || commit != ""
}

// trackedTip looks at the configured ref, whatever --repo, --ref and --commit
// say. When that Git is lost with its region, a clone named by --repo is all
// there is: its own tracked ref counts then.
func (e *environment) trackedTip(ctx context.Context, rev desired.Revision, commit string) (tip, error) {
	l, err := e.ledger()
	if err != nil {
		return tip{}, err
	}
	if !e.elsewhere(commit) {
		rewritten, err := e.rewritten(ctx, l, rev)
		return tip{rewritten: rewritten, commit: rev.Commit}, err
	}
	at, err := e.tracked(ctx)
	if err != nil {
		return tip{}, err
	}
	newest, err := at.g.loader.Load(ctx, at.repo, "")
	if err != nil {
		return tip{}, err
	}
	if e.g.repo != "" && at.git.URL != e.g.repo {
		rev.RefuseWithdrawn(newest, at.git.URL)
	}
	rewritten, err := at.rewritten(ctx, l, newest)
	return tip{superseded: rev.Superseded(newest), rewritten: rewritten}, err
}

// lostAgainWithin bounds the wait for a Git that could not be read before: the
// evidence that a failover rests on must not grow old meanwhile.
const lostAgainWithin = 5 * time.Second

// tracked is the repository of the configured ref, brought up to date; the clone
// where that one cannot be read. It is opened once.
func (e *environment) tracked(ctx context.Context) (environment, error) {
	if !e.elsewhere("") {
		return *e, nil // only --commit is given, and it was just fetched
	}
	at := environment{g: e.g, config: e.config, git: gitConfig(&globals{}, e.config), repo: e.configured}
	at.git.Auth, at.git.Keys = e.git.Auth, e.git.Keys
	if at.git.URL == "" {
		at.git.URL = e.git.URL
	}
	var err error
	if at.repo == nil {
		if at.repo, err = gitsource.New(at.git); err != nil {
			return at, err
		}
		e.configured = at.repo
	}
	bounded, cancel := ctx, context.CancelFunc(func() {})
	if e.lost {
		bounded, cancel = context.WithTimeout(ctx, lostAgainWithin)
	}
	defer cancel()
	if err = at.repo.Fetch(bounded); err == nil {
		e.lost = false
		return at, nil
	}
	if e.g.repo == "" || ctx.Err() != nil {
		return at, err
	}
	if !e.lost {
		e.g.tell("git", "the configured repository cannot be read ("+err.Error()+"); the clone's own "+at.git.Ref+" counts as the tip")
	}
	e.lost = true
	at.git.URL = e.g.repo
	at.repo, err = gitsource.Open(ctx, at.git)
	return at, err
}

// rewritten names the topologies that are governed by a commit to which the
// last confirmed head of the tracked ref does not lead.
func (e *environment) rewritten(ctx context.Context, l *ledger.Ledger, rev desired.Revision) (map[string]string, error) {
	known, err := e.g.recall(ctx, l)
	if err != nil {
		return nil, fmt.Errorf("read the ledger: %w", withoutLedger(err))
	}
	head, ok := known.GitHead(e.git.URL, e.git.Ref)
	if !ok {
		return map[string]string{}, nil
	}
	at, err := e.repo.Resolve("")
	if err != nil {
		return nil, err
	}
	if leads, err := e.repo.IsAncestor(head.Commit, at); err == nil && leads {
		return map[string]string{}, nil
	}
	out := map[string]string{}
	for name, c := range rev.Changes {
		// A head that is gone leads nowhere.
		if was, err := e.repo.IsAncestor(c.Commit, head.Commit); err != nil || !was {
			out[name] = c.Commit
		}
	}
	return out, nil
}

// confirm remembers the head of the tracked ref for every process on the ledger.
func (e *environment) confirm(ctx context.Context, l *ledger.Ledger, commit string) error {
	return l.RecordGitHead(ctx, ledger.GitHead{URL: e.git.URL, Ref: e.git.Ref, Commit: commit, At: e.g.clock()})
}

// remember keeps what an apply has seen to be so: where clusters belong whose
// document is live, and the tip, unless it is of a rewritten history that
// nobody has accepted yet. What cannot be kept is told; nothing rests on it
// but a later warning.
func (e *environment) remember(ctx context.Context, a reconcile.Apply, report reconcile.Report, t tip) {
	live := map[string]bool{}
	for _, r := range report.Results {
		planned, ok := report.Plan.Topology(r.Topology)
		live[r.Topology] = r.Outcome == reconcile.OutcomeApplied || ok && planned.Matches && a.Superseded[r.Topology] == ""
	}
	err := e.rememberHomes(ctx, a.Desired, live)
	for name := range t.rewritten {
		if !live[name] {
			t.commit = ""
		}
	}
	l, opened := e.ledger()
	if err == nil && opened == nil && t.commit != "" {
		err = e.confirm(ctx, l, t.commit)
	}
	if err != nil {
		e.g.tell("ledger", "what was seen could not be remembered: "+err.Error())
	}
}

func (e *environment) rememberHomes(ctx context.Context, d plan.Desired, live map[string]bool) error {
	l, err := e.ledger()
	if err != nil {
		return err
	}
	known, err := e.g.recall(ctx, l)
	if err != nil {
		return err
	}
	homes := map[string]bool{}
	for _, h := range known.Memory().Homes {
		homes[h.Cluster] = true
	}
	var unknown []plan.Home
	for _, t := range d.Topologies {
		for _, c := range t.Clusters {
			if live[t.Name] && !homes[c.ID] {
				unknown = append(unknown, plan.Home{Cluster: c.ID, Topology: t.Name})
			}
		}
	}
	if len(unknown) == 0 {
		return nil
	}
	return l.RecordHome(ctx, unknown...)
}

// again looks at Git once more: what governs and who approves may be others by
// then. Topologies that ask at once share a look.
func (e *environment) again(rev desired.Revision, commit string) func(context.Context) (reconcile.Wanted, error) {
	return reconcile.ShareReads(func(ctx context.Context) (reconcile.Wanted, error) { return e.lookAgain(ctx, rev, commit) })
}

func (e *environment) lookAgain(ctx context.Context, rev desired.Revision, commit string) (reconcile.Wanted, error) {
	if err := e.fetch(ctx); err != nil {
		return reconcile.Wanted{}, err
	}
	fresh, err := e.g.loader.Load(ctx, e.repo, commit)
	if err != nil {
		return reconcile.Wanted{}, err
	}
	t, err := e.trackedTip(ctx, fresh, commit)
	if err != nil {
		return reconcile.Wanted{}, err
	}
	superseded := rev.Superseded(fresh)
	maps.Copy(superseded, t.superseded)
	return reconcile.Wanted{Changes: fresh.Changes, Superseded: superseded, Rewritten: t.rewritten}, nil
}
