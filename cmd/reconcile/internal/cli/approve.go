package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"milvus-reconcile/cmd/reconcile/internal/desired"
	"milvus-reconcile/cmd/reconcile/internal/render"
	"milvus-reconcile/plan"
	"milvus-reconcile/plan/explain"
	"milvus-reconcile/reconcile/approval"
	"milvus-reconcile/reconcile/gitsource"
)

type approveOptions struct {
	commit      string
	reason      string
	expires     time.Duration
	accept      []string
	maxDataLoss time.Duration
	plan        string
	repository  string
	push        string
	withdraw    bool
}

func newApprove(g *globals) *cobra.Command {
	var o approveOptions
	cmd := &cobra.Command{
		Use:   "approve TOPOLOGY/CLUSTER --reason \"WHY\"|--withdraw",
		Short: "Sign the approval of a commit, as a tag, or take it back",
		Long: `approve signs a tag failover/TOPOLOGY/GENERATION/E-MAIL on a commit, with the trailers
that apply reads. It needs only the repository (--repo, else the current folder) and
your own git configuration with a signing key. CLUSTER is the one that is primary
after the change. The tag still counts after a merge, a squash or a rebase, as long as
the document is the same. It is pushed only with --push. approve reads back what git
signed and what the remote then holds, and compares both with what was meant. It
ignores git's environment variables, except those that say where your configuration is
and how to reach a remote.

Approve again as often as you need: after an approval expired, was denied, or allowed
too small a loss. The new tag ends in -2, and only the newest of your tags counts.
--withdraw signs such a newest tag too; it allows nothing, so that none of your approvals
of this change counts any more. It works until the change begins.

If the operator's configuration names the repository (approval.repository), the tag
must name it too: from --repository, else from the configuration if it is on this
machine and for this clone's repository, else from git config reconcile.repository.`,
		Example: `  reconcile approve orders/cluster-b --reason "eu-1 lost power, INC-4211"
  reconcile approve orders/cluster-b --reason INC-4211 --expires 2h --push
  reconcile approve orders/cluster-b --withdraw --push`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return runApprove(cmd.Context(), g, o, args[0]) },
	}
	f := cmd.Flags()
	f.StringVar(&o.commit, "commit", "HEAD", "the commit that is approved")
	f.StringVar(&o.reason, "reason", "", "why, with the incident's number")
	f.DurationVar(&o.expires, "expires", 0, "end of the approval, from now (default: the operator's maxAge)")
	f.StringArrayVar(&o.accept, "accept", nil, "accept a finding that may be accepted; may repeat")
	f.DurationVar(&o.maxDataLoss, "max-data-loss", 0, "the approval does not count if more may be lost")
	f.StringVar(&o.plan, "plan", "", "approve only the plan of this saved JSON")
	f.StringVar(&o.repository, "repository", "", "the repository that the approval is for (approval.repository)")
	f.StringVar(&o.push, "push", "", "push the tag, to origin or the remote named")
	f.Lookup("push").NoOptDefVal = "origin"
	f.BoolVar(&o.withdraw, "withdraw", false, "take back your approvals of this change, by a newest tag that allows nothing")
	for _, other := range []string{"expires", "accept", "max-data-loss", "plan"} {
		cmd.MarkFlagsMutuallyExclusive("withdraw", other)
	}
	return cmd
}

func runApprove(ctx context.Context, g *globals, o approveOptions, target string) error {
	ctx, cancel := context.WithTimeout(ctx, g.timeout)
	defer cancel()
	dir := g.repo
	if dir == "" {
		dir = "."
	}
	rev, document, err := approvedDocument(ctx, g, dir, o.commit, target)
	if err != nil {
		return err
	}
	claim, err := o.claim(ctx, g, dir, document)
	if err != nil {
		return err
	}
	message, err := o.tagMessage(claim, document)
	if err != nil {
		return err
	}
	tag, earlier, err := o.tagName(ctx, dir, fmt.Sprintf("failover/%s/%d/%s", document.Name, document.Generation, claim.By.Email))
	if err != nil {
		return err
	}
	wanted := wantedTag{dir: dir, name: tag, commit: rev.Commit, topology: document.Name, by: claim.By, message: message}
	object, err := wanted.sign(ctx, g)
	if err != nil {
		return err
	}
	if o.push != "" {
		g.announce("pushing the tag to " + o.push)
		err = wanted.push(ctx, o.push, object) // before anything is printed: a reader may be slow
	}
	g.showApproval(o, wanted, rev, document, claim, earlier)
	git, _ := g.repoOptions()
	switch {
	case err != nil:
		return fmt.Errorf("push the tag: %w (hint: it stands in your clone; '%s push %s refs/tags/%s' tries again)", err, git, printable(o.push), tag)
	case o.push == "":
		fmt.Fprintf(g.std.Out, "push it to make it count: %s push origin refs/tags/%s\n", git, printable(tag))
	default:
		fmt.Fprintf(g.std.Out, "pushed it to %s\n", printable(o.push))
	}
	return nil
}

// showApproval says what was signed, and what became of earlier approvals.
func (g *globals) showApproval(o approveOptions, w wantedTag, rev desired.Revision, t plan.Topology, c approval.Claim, earlier []string) {
	asks := strings.Join(desired.RoleChanges(t.Previous, t), ", ")
	if o.withdraw {
		fmt.Fprintf(g.std.Out, "signed %s on %.12s: none of your approvals of this change counts any more (%s)\n", printable(w.name), rev.Commit, asks)
		fmt.Fprintf(g.std.Err, "A change that has begun goes on: 'reconcile history %s' shows it. Approvals of other people still count.\n", t.Name)
		return
	}
	fmt.Fprintf(g.std.Out, "signed %s on %.12s, which asks for %s\n", printable(w.name), rev.Commit, asks)
	if slices.ContainsFunc(rev.Changes[t.Name].Authors, c.By.SameEmail) {
		fmt.Fprintln(g.std.Err, "You wrote this change. Somebody else must approve it, unless the operator set approval.distinctAuthor to false.")
	}
	if c.Reason == placeholderReason {
		fmt.Fprintf(g.std.Err, "The reason is still %q. The ledger keeps it: approve again with the real one.\n", placeholderReason)
	}
	if len(earlier) > 0 {
		fmt.Fprintf(g.std.Err, "It replaces %s. To withdraw the approval: %s\n", printable(strings.Join(earlier, ", ")), approval.Withdrawal(c.Approved[0], c.Repository))
	}
}

// placeholderReason stands for the reason in the commands that are printed.
const placeholderReason = "WHY"

// tagName returns a name for the tag that is free in the clone and, with --push, at the
// remote: first, or first with a number. earlier are the existing tags of that name. It
// replaces none of them: a forge may forbid that, and other clones keep what they fetched.
func (o approveOptions) tagName(ctx context.Context, dir, first string) (name string, earlier []string, err error) {
	taken, err := desired.Git(ctx, dir, "", "for-each-ref", "--format=%(refname)", "refs/tags/failover")
	if err != nil {
		return "", nil, err
	}
	if o.push != "" {
		there, err := desired.Git(ctx, dir, "", "ls-remote", "--refs", "--", o.push, "refs/tags/failover", "refs/tags/failover/*")
		if err != nil {
			return "", nil, fmt.Errorf("look for earlier approvals at %s, before anything is signed: %w (hint: without --push the tag is made in your clone)", printable(o.push), err)
		}
		taken += "\n" + there
	}
	name, earlier = freeTag(first, strings.Fields(taken))
	return name, earlier, nil
}

// freeTag returns first, or first with the next number if refs has it already. Git cannot
// have both a tag a and a tag a/b: if a tag has the name of a folder of first, the slashes
// of first become hyphens.
func freeTag(first string, refs []string) (name string, earlier []string) {
	const below = "refs/tags/"
	for dir := path.Dir(first); dir != "failover" && dir != "."; dir = path.Dir(dir) {
		if slices.Contains(refs, below+dir) {
			first = "failover/" + strings.ReplaceAll(strings.TrimPrefix(first, "failover/"), "/", "-")
		}
	}
	next := 1
	for _, ref := range refs {
		rest, ours := strings.CutPrefix(ref, below+first)
		suffix, _, folder := strings.Cut(rest, "/")
		number, numbered := strings.CutPrefix(suffix, "-")
		n, err := strconv.Atoi(number)
		if suffix == "" {
			n, err = 1, nil
		}
		if !ours || err != nil || n < 1 || !numbered && suffix != "" {
			continue
		}
		next = max(next, n+1)
		if !folder && !slices.Contains(earlier, first+suffix) {
			earlier = append(earlier, first+suffix)
		}
	}
	if next == 1 {
		return first, nil
	}
	return fmt.Sprintf("%s-%d", first, next), earlier
}

// repositoryName returns the name that the approval is bound to: from --repository, else
// from the configuration if it is on this machine and for this clone's repository, else
// from git config reconcile.repository.
func (o approveOptions) repositoryName(ctx context.Context, g *globals, dir string) (string, error) {
	if o.repository != "" {
		return o.repository, approval.CheckRepository(o.repository)
	}
	own, err := desired.Git(ctx, dir, "", "config", "reconcile.repository")
	if err != nil {
		own = "" // git fails if it is not set
	}
	if _, err := os.Stat(g.options().ConfigPath()); err == nil {
		config, err := g.options().ReadConfig()
		switch {
		case err == nil && config.Approval.Repository != "" && isCloneOf(ctx, dir, config.Git.URL):
			return config.Approval.Repository, nil
		case err != nil && own == "":
			g.warn("approve", "the operator's configuration cannot be read, so it does not say which repository this is: "+err.Error())
		case err == nil && config.Approval.Repository != "" && own == "":
			g.warn("approve", "the operator's configuration is of another repository than this clone, so the approval names none (hint: --repository, or git config reconcile.repository)")
		}
	}
	if own == "" {
		return "", nil
	}
	return own, approval.CheckRepository(own)
}

// isCloneOf reports whether a folder is the repository at url, or has it as a remote. An
// approval in a clone of staging must not name production.
func isCloneOf(ctx context.Context, dir, url string) bool {
	places := []string{dir}
	if top, err := desired.Git(ctx, dir, "", "rev-parse", "--show-toplevel"); err == nil {
		places = append(places, top)
	}
	remotes, err := desired.Git(ctx, dir, "", "config", "--get-regexp", `^remote\..*\.(push)?url$`)
	if err == nil {
		for line := range strings.Lines(remotes) {
			_, at, _ := strings.Cut(strings.TrimSpace(line), " ")
			places = append(places, at)
		}
	}
	want := repositoryAddress(url)
	return slices.ContainsFunc(places, func(p string) bool { return repositoryAddress(p) == want })
}

// repositoryAddress returns the host and path of a repository given as a local path, a
// URL, or user@host:path.
func repositoryAddress(url string) string {
	url = strings.TrimSuffix(strings.TrimSuffix(url, "/"), ".git")
	rest, remote := url, false
	if scheme, after, ok := strings.Cut(url, "://"); ok {
		rest, remote = after, scheme != "file"
	} else if host, at, ok := strings.Cut(url, ":"); ok && !strings.Contains(host, "/") {
		rest, remote = host+"/"+at, true
	}
	if !remote {
		if abs, err := filepath.Abs(rest); err == nil {
			rest = abs
		}
		if real, err := filepath.EvalSymlinks(rest); err == nil {
			rest = real
		}
		return strings.TrimSuffix(rest, "/")
	}
	host, at, _ := strings.Cut(rest, "/")
	_, after, found := strings.Cut(host, "@")
	if found {
		host = after
	}
	host, _, _ = strings.Cut(host, ":")
	return strings.ToLower(host) + "/" + strings.Trim(at, "/")
}

// approvedDocument reads the document to approve. It fails if the target is not its
// primary.
func approvedDocument(ctx context.Context, g *globals, dir, commit, target string) (desired.Revision, plan.Topology, error) {
	defer g.showProgress("reading the topology files and their history")()
	name, cluster, err := splitTarget(target)
	if err != nil {
		return desired.Revision{}, plan.Topology{}, err
	}
	repo, err := gitsource.Open(ctx, gitsource.Config{URL: dir, Path: g.pathOr("topologies")})
	if err != nil {
		return desired.Revision{}, plan.Topology{}, err
	}
	rev, err := g.loader.Load(ctx, repo, commit)
	if err != nil {
		return desired.Revision{}, plan.Topology{}, err
	}
	if err := rev.Choose([]string{name}); err != nil {
		return desired.Revision{}, plan.Topology{}, err
	}
	if len(rev.Desired.Topologies) == 0 {
		return desired.Revision{}, plan.Topology{}, fmt.Errorf("topology %s is gone at %.12s; there is nothing to approve", name, rev.Commit)
	}
	t := rev.Desired.Topologies[0]
	if _, listed := t.Cluster(cluster); !listed {
		return desired.Revision{}, t, desired.UnknownCluster(t, cluster, "")
	}
	if primary, _ := t.Primary(); primary.ID != cluster {
		return desired.Revision{}, t, fmt.Errorf("at %.12s the primary of %s is %s, not %s (hint: name the cluster that is primary after the change)", rev.Commit, name, primary.ID, cluster)
	}
	return rev, t, nil
}

// claim returns what the tag shall say, in the name of the user that git knows.
func (o approveOptions) claim(ctx context.Context, g *globals, dir string, t plan.Topology) (approval.Claim, error) {
	primary, _ := t.Primary()
	c := approval.Claim{Approved: []approval.Target{{Topology: t.Name, Cluster: primary.ID}}, Reason: strings.TrimSpace(o.reason)}
	if c.Reason == "" && o.withdraw {
		c.Reason = "withdrawn"
	}
	if c.Reason == "" {
		return c, errors.New("--reason is needed: the ledger keeps it for people who ask later")
	}
	for key, to := range map[string]*string{"user.name": &c.By.Name, "user.email": &c.By.Email} {
		var err error
		if *to, err = desired.Git(ctx, dir, "", "config", key); err != nil {
			return c, errors.New("git does not know who you are (hint: git config user.name and user.email)")
		}
	}
	var err error
	if c.Repository, err = o.repositoryName(ctx, g, dir); err != nil {
		return c, fmt.Errorf("the repository that is approved for: %w", err)
	}
	switch {
	case o.withdraw:
		c.Expires = g.clock().UTC().Truncate(time.Second) // not after the date that git writes
	case o.expires > 0:
		c.Expires = g.clock().Add(o.expires).UTC().Truncate(time.Second)
	}
	for _, code := range o.accept {
		if !plan.Acceptable(plan.Code(code)) {
			return c, notAcceptable(code)
		}
		c.Accept = append(c.Accept, plan.Code(code))
	}
	if o.maxDataLoss > 0 {
		c.MaxDataLoss = &o.maxDataLoss
	}
	if o.plan != "" {
		digest, err := savedDigest(o.plan, t.Name)
		if err != nil {
			return c, err
		}
		c.Plans = []string{digest}
	}
	return c, nil
}

// notAcceptable says why a code cannot be accepted.
func notAcceptable(code string) error {
	if e, known := explain.Lookup(code); known && e.Code == code {
		return fmt.Errorf("%s cannot be accepted (hint: 'reconcile explain %s')", code, code)
	}
	var acceptable []string
	for _, c := range explain.Codes() {
		if plan.Acceptable(plan.Code(c)) {
			acceptable = append(acceptable, c)
		}
	}
	return unknownName("code", code, acceptable, "'reconcile explain' lists them all")
}

// tagMessage returns the message of the tag. It parses the message again and fails if it
// says more than the claim: a reason of several lines must not become a trailer.
func (o approveOptions) tagMessage(c approval.Claim, t plan.Topology) (string, error) {
	does := "Approve"
	if o.withdraw {
		does = "Withdraw the approval of"
	}
	message := fmt.Sprintf("%s %s, generation %d\n\n%s", does, c.Approved[0], t.Generation, c.Trailers())
	said, err := approval.ParseTrailers(message)
	if err == nil && !reflect.DeepEqual(said, c) {
		err = errors.New("it would say more than was asked for (hint: --reason is one line of text)")
	}
	if err != nil {
		return "", fmt.Errorf("this would not be a valid approval: %w", err)
	}
	return message, nil
}

// savedDigest returns the digest of one topology in a saved plan.
func savedDigest(path, topology string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("read the saved plan: %w", err)
	}
	defer f.Close() //nolint:errcheck // only read
	d, err := render.Decode(f)
	if err != nil {
		return "", fmt.Errorf("read the saved plan %s: %w", path, err)
	}
	t, ok := d.Plan.Topology(topology)
	if !ok || t.Digest == "" {
		return "", fmt.Errorf("the saved plan has no transition of %s", topology)
	}
	return t.Digest, nil
}
