package wire

import (
	"context"
	"fmt"
	"maps"
	"time"

	"milvus-reconcile/cmd/reconcile/internal/desired"
	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile"
	"milvus-reconcile/reconcile/daemon"
	"milvus-reconcile/reconcile/gitsource"
	"milvus-reconcile/reconcile/ledger"
)

// Tip says what the tip of the configured ref means for a revision.
type Tip struct {
	Superseded map[string]string // the newer commit, by topology
	Rewritten  map[string]string // the governing commit, by topology
	commit     string            // the tip, if it may be recorded
}

// OverridesTip reports whether the command line names something other than the tip of
// the configured ref.
func (e *Environment) OverridesTip(commit string) bool {
	return e.options.Repo != "" || e.options.Ref != "" || e.options.Path != "" || commit != ""
}

// TrackedTip reads the tip of the configured ref, whatever --repo, --ref and --commit
// say. If that repository cannot be read, the tracked ref of the clone named by --repo
// counts instead.
func (e *Environment) TrackedTip(ctx context.Context, rev desired.Revision, commit string) (Tip, error) {
	l, err := e.Ledger()
	if err != nil {
		return Tip{}, err
	}
	if !e.OverridesTip(commit) {
		rewritten, err := e.Rewritten(ctx, l, rev)
		return Tip{Rewritten: rewritten, commit: rev.Commit}, err
	}
	at, err := e.tracked(ctx)
	if err != nil {
		return Tip{}, err
	}
	newest, err := at.options.Loader.Load(ctx, at.Repo, "")
	if err != nil {
		return Tip{}, err
	}
	if e.options.Repo != "" && at.Git.URL != e.options.Repo {
		rev.RefuseWithdrawn(newest, at.Git.URL)
	}
	rewritten, err := at.Rewritten(ctx, l, newest)
	return Tip{Superseded: rev.Superseded(newest), Rewritten: rewritten}, err
}

// lostGitTimeout is the time limit of a fetch that failed before in this run. The
// evidence of a failover must not expire while the run waits for Git.
const lostGitTimeout = 5 * time.Second

// tracked fetches the repository of the configured ref, and returns an environment with
// it, or with the clone of --repo if it cannot be read. It opens the repository once.
func (e *Environment) tracked(ctx context.Context) (Environment, error) {
	if !e.OverridesTip("") {
		return *e, nil // only --commit is given, and it was just fetched
	}
	plain := e.options // as the configuration says, without --repo, --ref and --path
	plain.Repo, plain.Ref, plain.Path, plain.Daemon = "", "", "", false
	at := Environment{options: e.options, Config: e.Config, Git: plain.GitConfig(e.Config), Repo: e.configured}
	at.Git.Auth, at.Git.Keys = e.Git.Auth, e.Git.Keys
	if at.Git.URL == "" {
		at.Git.URL = e.Git.URL
	}
	var err error
	if at.Repo == nil {
		if at.Repo, err = gitsource.New(at.Git); err != nil {
			return at, err
		}
		e.configured = at.Repo
	}
	bounded, cancel := ctx, context.CancelFunc(func() {})
	if e.gitLost {
		bounded, cancel = context.WithTimeout(ctx, lostGitTimeout)
	}
	defer cancel()
	if err = at.Repo.Fetch(bounded); err == nil {
		e.gitLost = false
		return at, nil
	}
	if e.options.Repo == "" || ctx.Err() != nil {
		return at, err
	}
	if !e.gitLost {
		e.options.Messages.Tell("git", "the configured repository cannot be read ("+err.Error()+"); the clone's own "+at.Git.Ref+" counts as the tip")
	}
	e.gitLost = true
	at.Git.URL = e.options.Repo
	at.Repo, err = gitsource.Open(ctx, at.Git)
	return at, err
}

// Rewritten returns the topologies whose history was rewritten, with the commit that
// governs each. The commit is then no ancestor of the last confirmed head of the ref.
func (e *Environment) Rewritten(ctx context.Context, l *ledger.Ledger, rev desired.Revision) (map[string]string, error) {
	known, err := e.options.recall(ctx, l)
	if err != nil {
		return nil, daemon.LedgerError{Err: fmt.Errorf("read the ledger: %w", WithoutLedger(err))}
	}
	head, ok := known.GitHead(e.Git.URL, e.Git.Ref)
	if !ok {
		return map[string]string{}, nil
	}
	at, err := e.Repo.Resolve("")
	if err != nil {
		return nil, err
	}
	if leads, err := e.Repo.IsAncestor(head.Commit, at); err == nil && leads {
		return map[string]string{}, nil
	}
	out := map[string]string{}
	for name, c := range rev.Changes {
		// A head that is gone has no ancestors.
		if was, err := e.Repo.IsAncestor(c.Commit, head.Commit); err != nil || !was {
			out[name] = c.Commit
		}
	}
	return out, nil
}

// confirm records the head of the tracked ref in the ledger, for every process.
func (e *Environment) confirm(ctx context.Context, l *ledger.Ledger, commit string) error {
	return l.RecordGitHead(ctx, ledger.GitHead{URL: e.Git.URL, Ref: e.Git.Ref, Commit: commit, At: e.options.Clock()})
}

// Remember records what an apply confirmed: which topology each cluster belongs to, if
// its document is live, and the tip, unless its history was rewritten and not accepted
// yet. It reports a failure as a message only, since just later warnings need the record.
func (e *Environment) Remember(ctx context.Context, a reconcile.Apply, report reconcile.Report, t Tip) {
	live := map[string]bool{}
	for _, r := range report.Results {
		planned, ok := report.Plan.Topology(r.Topology)
		live[r.Topology] = r.Outcome == reconcile.OutcomeApplied || ok && planned.Matches && a.Superseded[r.Topology] == ""
	}
	err := e.rememberHomes(ctx, a.Desired, live)
	for name := range t.Rewritten {
		if !live[name] {
			t.commit = ""
		}
	}
	l, opened := e.Ledger()
	if err == nil && opened == nil && t.commit != "" {
		err = e.confirm(ctx, l, t.commit)
	}
	if err != nil {
		e.options.Messages.Tell("ledger", "the observation could not be recorded: "+err.Error())
	}
}

func (e *Environment) rememberHomes(ctx context.Context, d plan.Desired, live map[string]bool) error {
	l, err := e.Ledger()
	if err != nil {
		return err
	}
	known, err := e.options.recall(ctx, l)
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

// RereadGit returns a function that reads Git again, since the governing commit and the
// approvers may have changed. Concurrent calls share one read. A read that finds the same tip,
// failover tags and keys as the one before returns the same.
func (e *Environment) RereadGit(rev desired.Revision, commit string) func(context.Context) (reconcile.Wanted, error) {
	var last desired.Revision
	return reconcile.ShareReads(func(ctx context.Context) (reconcile.Wanted, error) {
		wanted, fresh, err := e.readGitAgain(ctx, rev, commit, last)
		last = fresh
		return wanted, err
	})
}

// readGitAgain reads Git. last is what the read before returned; zero: there was none.
func (e *Environment) readGitAgain(ctx context.Context, rev desired.Revision, commit string, last desired.Revision) (reconcile.Wanted, desired.Revision, error) {
	if err := e.Fetch(ctx); err != nil {
		return reconcile.Wanted{}, last, err
	}
	if e.OverridesTip(commit) {
		last = desired.Revision{} // what was withdrawn elsewhere is marked in it
	}
	fresh, err := e.options.Loader.LoadAgain(ctx, e.Repo, commit, last)
	if err != nil {
		return reconcile.Wanted{}, desired.Revision{}, err
	}
	t, err := e.TrackedTip(ctx, fresh, commit)
	if err != nil {
		return reconcile.Wanted{}, fresh, err
	}
	superseded := rev.Superseded(fresh)
	maps.Copy(superseded, t.Superseded)
	return reconcile.Wanted{Changes: fresh.Changes, Superseded: superseded, Rewritten: t.Rewritten}, fresh, nil
}
