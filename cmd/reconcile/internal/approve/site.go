package approve

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"milvus-reconcile/cmd/reconcile/internal/desired"
	"milvus-reconcile/cmd/reconcile/internal/wire"
	"milvus-reconcile/plan"
	"milvus-reconcile/plan/siteplan"
	"milvus-reconcile/reconcile/approval"
)

// signSite makes one tag for all moves of a site.
func (r Request) signSite(ctx context.Context, o wire.Options) (Signed, error) {
	rev, err := r.revision(ctx, o)
	if err != nil {
		return Signed{}, err
	}
	if r.Withdraw {
		if r.Moves, err = r.earlierMoves(ctx, rev); err != nil {
			return Signed{}, err
		}
	}
	if err := r.checkMoves(rev); err != nil {
		return Signed{}, err
	}
	claim, err := r.claim(ctx, o)
	if err != nil {
		return Signed{}, err
	}
	message, err := r.message(claim, claim.Title())
	if err != nil {
		return Signed{}, err
	}
	s := Signed{Commit: rev.Commit, Claim: claim}
	if s.Tag, s.Earlier, err = r.tagName(ctx, fmt.Sprintf("failover/site/%s/%s", r.Site, claim.By.Email)); err != nil {
		return Signed{}, err
	}
	var topologies []string
	for _, m := range r.Moves {
		topologies = append(topologies, m.Topology)
		s.ByAuthor = s.ByAuthor || slices.ContainsFunc(rev.Changes[m.Topology].Authors, claim.By.SameEmail)
	}
	s.wanted = wantedTag{dir: r.Dir, name: s.Tag, commit: rev.Commit, topologies: topologies, by: claim.By, message: message}
	s.object, err = s.wanted.sign(ctx, o)
	return s, err
}

// revision reads the topologies of the commit that is approved.
func (r Request) revision(ctx context.Context, o wire.Options) (desired.Revision, error) {
	defer o.Messages.Doing("reading the topology files and their history")()
	repo, err := openClone(ctx, o, r.Dir)
	if err != nil {
		return desired.Revision{}, err
	}
	defer repo.Close() //nolint:errcheck // only read
	return o.Loader.Load(ctx, repo, r.Commit)
}

// checkMoves fails unless the commit holds the documents that the moves are of.
func (r Request) checkMoves(rev desired.Revision) error {
	if len(r.Moves) == 0 {
		return fmt.Errorf("no topology can move from or to site %s, so there is nothing to approve (hint: 'reconcile plan --site %s' says what blocks)", r.Site, r.Site)
	}
	for _, m := range r.Moves {
		i := slices.IndexFunc(rev.Desired.Topologies, func(t plan.Topology) bool { return t.Name == m.Topology })
		if i < 0 {
			return fmt.Errorf("topology %s is gone at %.12s", m.Topology, rev.Commit)
		}
		t := rev.Desired.Topologies[i]
		if primary, _ := t.Primary(); t.Generation != m.Generation || primary.ID != m.To {
			return fmt.Errorf("at %.12s topology %s has generation %d and the primary %s, but the plan is of generation %d and %s (hint: plan the commit that you approve: 'reconcile plan --site %s --commit REV')",
				rev.Commit, m.Topology, t.Generation, primary.ID, m.Generation, m.To, r.Site)
		}
	}
	return nil
}

// earlierMoves returns what this person's approvals of the site cover at the commit. All of it
// is taken back.
func (r Request) earlierMoves(ctx context.Context, rev desired.Revision) ([]siteplan.Move, error) {
	email, err := desired.Git(ctx, r.Dir, "", "config", "user.email")
	if err != nil {
		return nil, errNoUser
	}
	var out []siteplan.Move
	for _, t := range rev.Desired.Topologies {
		for _, c := range slices.Backward(rev.Changes[t.Name].Carriers) {
			claim, err := approval.ParseTrailers(c.Message)
			if err != nil || claim.Site.Name != r.Site || !claim.By.SameEmail(approval.Person{Email: email}) {
				continue
			}
			if m, covered := claim.Site.Covers(t.Name); covered {
				out = append(out, m)
				break
			}
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%s approved nothing of site %s at %.12s, so there is nothing to take back (hint: --push fetches the approvals of the remote first; --commit names the commit)", email, r.Site, rev.Commit)
	}
	return out, nil
}

// errNoUser says that git does not know who signs.
var errNoUser = errors.New("git does not know who you are (hint: git config user.name and user.email)")

// site returns what an approval of a site says; zero: a topology is approved.
func (r Request) site() approval.Site {
	if r.Site == "" {
		return approval.Site{}
	}
	return approval.SiteOf(r.Site, r.Moves)
}

// targets are what is approved.
func (r Request) targets() []approval.Target {
	if r.Site == "" {
		return []approval.Target{r.Target}
	}
	var out []approval.Target
	for _, m := range r.Moves {
		out = append(out, approval.Target{Topology: m.Topology, Cluster: m.To})
	}
	return out
}

// tagFolder is the folder of the tags of what is approved, below refs/tags/failover/.
func (r Request) tagFolder() string {
	if r.Site != "" {
		return "site/" + r.Site + "/"
	}
	return r.Target.Topology
}

// Withdrawal is what a person types to take back this approval.
func (r Request) Withdrawal(repository string) string {
	if r.Site != "" {
		return approval.SiteWithdrawal(r.Site, repository)
	}
	return approval.Withdrawal(r.Target, repository)
}
