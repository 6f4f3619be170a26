// Package approve signs approvals of changes, and withdraws them. It makes the tag in the
// clone, pushes it, and reads it back as apply will read it.
package approve

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"milvus-reconcile/cmd/reconcile/internal/desired"
	"milvus-reconcile/cmd/reconcile/internal/wire"
	"milvus-reconcile/plan"
	"milvus-reconcile/plan/siteplan"
	"milvus-reconcile/reconcile/approval"
	"milvus-reconcile/reconcile/gitsource"
)

// Request is what a person asks to approve.
type Request struct {
	Dir         string          // the clone in which the tag is made
	Commit      string          // a name of the commit that is approved
	Target      approval.Target // zero if a site is approved
	Site        string          // whose moves are approved at once; "": one topology is
	Moves       []siteplan.Move // of the site
	Reason      string
	Expires     time.Duration // from now; 0: the operator's maxAge
	Accept      []string      // codes of findings
	MaxDataLoss time.Duration // 0: no limit
	SavedPlan   string        // the file of the only plan that is approved; "": any plan
	Replay      string        // the digest of a replay of lost rows, or the file of its dry run; "": a change is approved
	Repository  string        // the name of the repository; "": see RepositoryName
	Remote      string        // where the tag will be pushed; "": nowhere
	Withdraw    bool          // take earlier approvals back, and approve nothing
}

// Signed is a tag that git signed and whose content is as requested.
type Signed struct {
	Tag      string // below refs/tags/
	Commit   string
	Document plan.Topology // that the commit holds; zero for a site
	Claim    approval.Claim
	Earlier  []string // tags of the same person for the same change, which no longer count
	ByAuthor bool     // the person wrote the change

	wanted wantedTag
	object string
}

// Sign makes the tag in the clone, in addition to those that the remote has. It pushes nothing.
func Sign(ctx context.Context, o wire.Options, r Request) (Signed, error) {
	if err := r.fetchTags(ctx); err != nil {
		return Signed{}, err
	}
	if r.Site != "" {
		return r.signSite(ctx, o)
	}
	rev, document, err := r.document(ctx, o)
	if err != nil {
		return Signed{}, err
	}
	claim, err := r.claim(ctx, o)
	if err != nil {
		return Signed{}, err
	}
	message, err := r.message(claim, fmt.Sprintf("%s, generation %d", r.Target, document.Generation))
	if err != nil {
		return Signed{}, err
	}
	s := Signed{Commit: rev.Commit, Document: document, Claim: claim}
	s.Tag, s.Earlier, err = r.tagName(ctx, fmt.Sprintf("failover/%s/%d/%s", document.Name, document.Generation, claim.By.Email))
	if err != nil {
		return Signed{}, err
	}
	s.ByAuthor = slices.ContainsFunc(rev.Changes[document.Name].Authors, claim.By.SameEmail)
	s.wanted = wantedTag{dir: r.Dir, name: s.Tag, commit: rev.Commit, topologies: []string{document.Name}, by: claim.By, message: message}
	s.object, err = s.wanted.sign(ctx, o)
	return s, err
}

// Push pushes the tag to a remote. It fails if the remote then has another object under
// its name.
func (s Signed) Push(ctx context.Context, remote string) error {
	return s.wanted.push(ctx, remote, s.object)
}

// document reads the document to approve. It fails if the target is not its
// primary.
func (r Request) document(ctx context.Context, o wire.Options) (desired.Revision, plan.Topology, error) {
	name, cluster := r.Target.Topology, r.Target.Cluster
	rev, err := r.revision(ctx, o)
	if err != nil {
		return desired.Revision{}, plan.Topology{}, err
	}
	if err := rev.Choose([]string{name}); err != nil {
		return desired.Revision{}, plan.Topology{}, err
	}
	if len(rev.Desired.Topologies) == 0 {
		return desired.Revision{}, plan.Topology{}, fmt.Errorf("topology %s is gone at %.12s; there is nothing to approve", name, rev.Commit)
	}
	rev.MarkUnproven(rev.Desired.Topologies)
	t := rev.Desired.Topologies[0]
	if _, listed := t.Cluster(cluster); !listed {
		return desired.Revision{}, t, desired.UnknownCluster(t, cluster, "")
	}
	if to := t.Rehearses(); to != "" && to != cluster {
		return desired.Revision{}, t, fmt.Errorf("at %.12s %s asks for a rehearsal with %s, not %s (hint: name the cluster that is the primary in between)", rev.Commit, name, to, cluster)
	}
	if primary, _ := t.Primary(); t.ToApprove() != cluster {
		return desired.Revision{}, t, fmt.Errorf("at %.12s the primary of %s is %s, not %s (hint: name the cluster that is primary after the change)", rev.Commit, name, primary.ID, cluster)
	}
	return rev, t, nil
}

// Alone says whether the tag was compared only with the tags of the clone, although the clone
// has a remote.
func (r Request) Alone(ctx context.Context) bool {
	remotes, err := desired.Git(ctx, r.Dir, "", "remote")
	return r.Remote == "" && err == nil && remotes != ""
}

// openClone opens the clone as apply would.
func openClone(ctx context.Context, o wire.Options, dir string) (*gitsource.Repo, error) {
	return gitsource.Open(ctx, gitsource.Config{URL: dir, Path: cmp.Or(o.Path, "topologies")})
}
