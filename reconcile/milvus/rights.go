package milvus

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"

	"milvus-reconcile/plan"
)

// Rights is what can be known without writing of one cluster that answers:
// whether its token may send a configuration, and what time it has.
type Rights struct {
	Cluster string
	// Update says whether the token may call UpdateReplicateConfiguration, by the
	// grants of its user; not known where those cannot be read.
	Update plan.Support
	Detail string // what Update rests on; never holds a token
	// Ahead is how far the cluster's time ticks are ahead of our clock, and Within
	// how exactly that is known; both 0 when the cluster gave no tick.
	Ahead  time.Duration
	Within time.Duration
	Ticked bool
}

// Rights asks every cluster of the topologies that was seen up for what its
// token may do and for a time tick, side by side; sorted by cluster. Nothing
// that the cluster keeps is changed.
func (r *Reader) Rights(ctx context.Context, topologies []plan.Topology, views []plan.View) []Rights {
	var asked []access
	var open []bool
	for _, t := range topologies {
		bound := bind(t, r.fleet.credentials)
		for _, c := range t.Clusters {
			v := plan.Observed{Views: views}.View(c.ID)
			if a := bound[c.ID]; a.allowed() && v.Reach == plan.ReachUp && v.Credential == plan.CredentialBound {
				asked = append(asked, a)
				open = append(open, a.bound.Token == nil && v.ReadsConfiguration == plan.SupportYes)
			}
		}
	}
	out := make([]Rights, len(asked))
	limited(len(asked), r.fleet.concurrency, func(i int) { out[i] = r.fleet.rights(ctx, asked[i], open[i]) })
	slices.SortStableFunc(out, func(a, b Rights) int { return strings.Compare(a.Cluster, b.Cluster) })
	return out
}

// rights asks one cluster. open: it answered a call that authentication guards
// although it was given no token.
func (f *Fleet) rights(ctx context.Context, a access, open bool) Rights {
	out := Rights{Cluster: a.cluster.ID}
	pass, err := f.ticket(a)
	if err != nil {
		out.Detail = f.secrets.scrub(err.Error())
		return out
	}
	l, err := f.dial(pass)
	if err != nil {
		out.Detail = f.secrets.scrub(err.Error())
		return out
	}
	defer l.close()
	both(
		func() {
			if out.Update, out.Detail = l.mayUpdate(ctx, pass.token); open {
				out.Update, out.Detail = plan.SupportYes, "it asks nobody for a token"
			}
		},
		func() { out.Ahead, out.Within, out.Ticked = l.ahead(ctx) },
	)
	out.Detail = f.secrets.scrub(out.Detail)
	return out
}

// ahead compares a time tick with the middle of the call that fetched it. Ticks
// count milliseconds.
func (l *link) ahead(ctx context.Context) (ahead, within time.Duration, ok bool) {
	before := l.fleet.clock.Now()
	tick, err := l.tick(ctx)
	after := l.fleet.clock.Now()
	if err != nil {
		return 0, 0, false
	}
	half := after.Sub(before) / 2
	return plan.TickTime(tick).Sub(before.Add(half)), half + time.Millisecond, true
}

// The privilege, and the built-in group that holds it (milvus.md section 1.6:
// pkg/util/constant.go).
const (
	updatePrivilege = "UpdateReplicateConfiguration"
	adminGroup      = "ClusterAdmin"
	everything      = "*"
)

// mayUpdate reads what the token's own user was granted. A user may always read
// its own roles; what a role may do takes SelectOwnership.
func (l *link) mayUpdate(ctx context.Context, token string) (plan.Support, string) {
	user, _, named := strings.Cut(token, ":")
	switch {
	case token == "":
		return plan.SupportUnknown, "the configuration has no token for it"
	case !named:
		return plan.SupportUnknown, "the token is an API key, whose user no call tells"
	case user == rootUser:
		return plan.SupportYes, "root, which no privilege binds unless the server sets common.security.rootShouldBindRole"
	}
	roles, err := l.rolesOf(ctx, user)
	if err != nil {
		return plan.SupportUnknown, fmt.Sprintf("the roles of %s cannot be read: %v", user, err)
	}
	unread := false
	for _, role := range roles {
		may, by := l.roleMayUpdate(ctx, role)
		if may == plan.SupportYes {
			return may, by
		}
		unread = unread || may == plan.SupportUnknown
	}
	if unread {
		return plan.SupportUnknown, fmt.Sprintf("what the roles of %s (%s) may do cannot be read: that takes SelectOwnership and ListPrivilegeGroups", user, strings.Join(roles, ", "))
	}
	return plan.SupportNo, fmt.Sprintf("no role of %s (%s) is granted %s or %s", user, strings.Join(roles, ", "), updatePrivilege, adminGroup)
}

// roleMayUpdate looks through the grants of a role, by name and by group.
func (l *link) roleMayUpdate(ctx context.Context, role string) (plan.Support, string) {
	if role == adminRole {
		return plan.SupportYes, "the role " + adminRole
	}
	grants, err := l.grantsOf(ctx, role)
	if err != nil {
		return plan.SupportUnknown, ""
	}
	holding := []string{updatePrivilege, adminGroup, everything}
	if slices.ContainsFunc(grants, ofTheServersOwn) {
		var groups []string
		groups, err = l.groupsHolding(ctx, updatePrivilege)
		holding = append(holding, groups...)
	}
	for _, g := range grants {
		if slices.Contains(holding, g) {
			return plan.SupportYes, fmt.Sprintf("the role %s, by %s", role, g)
		}
	}
	if err != nil {
		return plan.SupportUnknown, ""
	}
	return plan.SupportNo, ""
}

var builtinGroup = regexp.MustCompile(`^(Cluster|Database|Collection)(ReadOnly|ReadWrite|Admin)$`)

// ofTheServersOwn says whether a grant is neither a privilege nor a group that
// every server has, hence a group that somebody made.
func ofTheServersOwn(grant string) bool {
	_, privilege := commonpb.ObjectPrivilege_value["Privilege"+grant]
	return !privilege && grant != everything && !builtinGroup.MatchString(grant)
}

func (l *link) rolesOf(ctx context.Context, user string) ([]string, error) {
	ctx, cancel := l.shortly(ctx)
	defer cancel()
	resp, err := l.api.SelectUser(ctx, &milvuspb.SelectUserRequest{User: &milvuspb.UserEntity{Name: user}, IncludeRoleInfo: true})
	if err == nil {
		err = classifyStatus(resp.GetStatus()).err
	}
	if err != nil {
		return nil, l.fleet.secrets.err(err)
	}
	var out []string
	for _, u := range resp.GetResults() {
		for _, r := range u.GetRoles() {
			out = append(out, r.GetName())
		}
	}
	return out, nil
}

func (l *link) grantsOf(ctx context.Context, role string) ([]string, error) {
	ctx, cancel := l.shortly(ctx)
	defer cancel()
	resp, err := l.api.SelectGrant(ctx, &milvuspb.SelectGrantRequest{Entity: &milvuspb.GrantEntity{Role: &milvuspb.RoleEntity{Name: role}}})
	if err == nil {
		err = classifyStatus(resp.GetStatus()).err
	}
	if err != nil {
		return nil, l.fleet.secrets.err(err)
	}
	var out []string
	for _, g := range resp.GetEntities() {
		out = append(out, g.GetGrantor().GetPrivilege().GetName())
	}
	return out, nil
}

// groupsHolding are the privilege groups that hold a privilege.
func (l *link) groupsHolding(ctx context.Context, privilege string) ([]string, error) {
	ctx, cancel := l.shortly(ctx)
	defer cancel()
	resp, err := l.api.ListPrivilegeGroups(ctx, &milvuspb.ListPrivilegeGroupsRequest{})
	if err == nil {
		err = classifyStatus(resp.GetStatus()).err
	}
	if err != nil {
		return nil, l.fleet.secrets.err(err)
	}
	var out []string
	for _, g := range resp.GetPrivilegeGroups() {
		if slices.ContainsFunc(g.GetPrivileges(), func(p *milvuspb.PrivilegeEntity) bool { return p.GetName() == privilege }) {
			out = append(out, g.GetGroupName())
		}
	}
	return out, nil
}
