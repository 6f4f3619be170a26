package milvus

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"

	"milvus-reconcile/plan"
	"milvus-reconcile/plan/release"
	"milvus-reconcile/reconcile/milvus/parallel"
	"milvus-reconcile/reconcile/milvus/tokens"
)

// Rights are the facts about a cluster that can be found without writing: what its token
// may do, and its time.
type Rights struct {
	Cluster string
	// Update says whether the token may call UpdateReplicateConfiguration, by the grants
	// of its user. Unknown where those cannot be read.
	Update plan.Support
	Detail string // what Update rests on; never holds a token
	// Held are all the privileges that the cluster's version asks for, and those that were
	// asked about on top.
	Held []Held
	// Ahead is how far the time ticks of the cluster are ahead of our clock, and Within
	// how exactly that is known. Both are 0 when the cluster gave no tick.
	Ahead  time.Duration
	Within time.Duration
	Ticked bool
}

// Held says whether our user holds one privilege.
type Held struct {
	Privilege release.Privilege
	Held      plan.Support
	Detail    string // what that rests on; never holds a token
}

// Rights asks in parallel every cluster of the topologies that was seen up what its token
// may do, and for a time tick. The result is sorted by cluster. It changes nothing that
// the cluster keeps. more are privileges that the caller needs apart from the least ones.
func (r *Reader) Rights(ctx context.Context, topologies []plan.Topology, views []plan.View, more ...release.Privilege) []Rights {
	var asked []access
	var open []bool
	var seen []plan.View
	for _, t := range topologies {
		bound := r.fleet.bind(t)
		for _, c := range t.Clusters {
			v := plan.Observed{Views: views}.View(c.ID)
			if a := bound[c.ID]; a.allowed() && v.Reach == plan.ReachUp && v.Credential == plan.CredentialBound {
				asked = append(asked, a)
				seen = append(seen, v)
				open = append(open, a.bound.Token == nil && v.ReadsConfiguration == plan.SupportYes)
			}
		}
	}
	out := make([]Rights, len(asked))
	parallel.Each(len(asked), r.fleet.concurrency, func(i int) { out[i] = r.fleet.rights(ctx, asked[i], seen[i], open[i], more) })
	slices.SortStableFunc(out, func(a, b Rights) int { return strings.Compare(a.Cluster, b.Cluster) })
	return out
}

// rights asks one cluster. open: it answered a call that authentication guards
// although it was given no token.
func (f *Fleet) rights(ctx context.Context, a access, v plan.View, open bool, more []release.Privilege) Rights {
	out := Rights{Cluster: a.cluster.ID}
	pass, err := f.ticket(a)
	if err != nil {
		out.Detail = f.secrets.Scrub(err.Error())
		return out
	}
	l, err := f.dial(pass)
	if err != nil {
		out.Detail = f.secrets.Scrub(err.Error())
		return out
	}
	defer l.close()
	parallel.Run(
		func() {
			out.Held = l.held(ctx, pass.token, v, open, more)
			out.Update, out.Detail = out.Held[0].Held, out.Held[0].Detail
		},
		func() { out.Ahead, out.Within, out.Ticked = l.ahead(ctx) },
	)
	out.Detail = f.secrets.Scrub(out.Detail)
	for i := range out.Held {
		out.Held[i].Detail = f.secrets.Scrub(out.Held[i].Detail)
	}
	return out
}

// ahead compares a time tick with the middle of the call that fetched it. Ticks count
// milliseconds.
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

const everything = "*"

// held says which of the privileges that a version asks for our user has, by the grants of
// its own roles, which Milvus shows to every user. What a dump showed counts more. The
// first privilege is the one to send a configuration.
func (l *link) held(ctx context.Context, token string, v plan.View, open bool, more []release.Privilege) []Held {
	ctx, cancel := l.fleet.withSeriesTimeout(ctx)
	defer cancel()
	version := release.Parse(v.Version)
	may := l.grants(ctx, token, open)
	var out []Held
	for i, p := range append(release.Privileges(), more...) {
		if i > 0 && !p.Needed(version) {
			continue
		}
		h := Held{Privilege: p}
		h.Held, h.Detail = may(p)
		if p.Name == release.PrivilegeDump && v.DumpDenied {
			h.Held, h.Detail = plan.SupportNo, "DumpMessages was denied"
		}
		out = append(out, h)
	}
	return out
}

// grants returns how a privilege is judged for a token.
func (l *link) grants(ctx context.Context, token string, open bool) func(release.Privilege) (plan.Support, string) {
	all := func(s plan.Support, why string) func(release.Privilege) (plan.Support, string) {
		return func(release.Privilege) (plan.Support, string) { return s, why }
	}
	user, _, named := strings.Cut(token, ":")
	switch {
	case open:
		return all(plan.SupportYes, "it asks for no token")
	case token == "":
		return all(plan.SupportUnknown, "the configuration has no token for it")
	case !named:
		return all(plan.SupportUnknown, "the token is an API key, and no call shows its user")
	}
	roles, err := l.rolesOf(ctx, user)
	switch {
	case err != nil:
		return all(plan.SupportUnknown, fmt.Sprintf("the roles of %s cannot be read: %v", user, err))
	case slices.Contains(roles, adminRole):
		return all(plan.SupportYes, "the role "+adminRole)
	case user == rootUser && len(roles) == 0:
		if _, err := l.databases(ctx); err != nil {
			return all(plan.SupportNo, "root has no role, and this server binds it by roles (common.security.rootShouldBindRole): "+tokens.Text(err))
		}
		return all(plan.SupportYes, "root, which no role binds here")
	}
	given := make([][]grant, len(roles))
	unread := false
	for i, role := range roles {
		given[i], err = l.grantsOf(ctx, role)
		unread = unread || err != nil
	}
	return func(p release.Privilege) (plan.Support, string) {
		holding, known := l.holding(ctx, p, given)
		for i, role := range roles {
			for _, g := range given[i] {
				if slices.Contains(holding, g.privilege) && g.reaches(p.Scope) {
					return plan.SupportYes, fmt.Sprintf("the role %s, by %s", role, g.privilege)
				}
			}
		}
		if user == rootUser {
			return plan.SupportUnknown, "root has roles (" + strings.Join(roles, ", ") + "), and no call shows whether this server applies them to root"
		}
		if unread || !known {
			return plan.SupportUnknown, fmt.Sprintf("the rights of the roles of %s (%s) cannot be read: reading them needs SelectOwnership and ListPrivilegeGroups", user, strings.Join(roles, ", "))
		}
		return plan.SupportNo, fmt.Sprintf("no role of %s (%s) is granted %s or a group that holds it", user, wordsOr(strings.Join(roles, ", "), "it has none"), p.Name)
	}
}

// holding returns the names by which a grant gives a privilege. known: the custom
// privilege groups could be read, or no grant is by such a group.
func (l *link) holding(ctx context.Context, p release.Privilege, given [][]grant) (names []string, known bool) {
	names = append([]string{p.Name, everything}, p.Groups...)
	for _, grants := range given {
		if slices.ContainsFunc(grants, func(g grant) bool { return ofTheServersOwn(g.privilege) }) {
			own, err := l.groupsHolding(ctx, p.Name)
			return append(names, own...), err == nil
		}
	}
	return names, true
}

// grant is one line of what a role may do.
type grant struct{ privilege, object, name, database string }

// everywhere says whether the grant is for all names of all databases.
func (g grant) everywhere() bool { return wide(g.name) && wide(g.database) }

func wide(scope string) bool { return scope == "" || scope == everything }

// reaches says whether a grant suffices for what we do: throwaway collections are made in
// the default database.
func (g grant) reaches(scope release.PrivilegeScope) bool {
	switch scope {
	case release.ScopeDatabase:
		return wide(g.name) && (wide(g.database) || g.database == defaultDatabase)
	case release.ScopeCollection:
		return g.everywhere()
	default:
		return true
	}
}

var builtinGroup = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^(Cluster|Database|Collection)(ReadOnly|ReadWrite|Admin)$`)
})

// ofTheServersOwn says whether a grant is neither a privilege nor a group that every
// server has. Then it is a custom privilege group.
func ofTheServersOwn(grant string) bool {
	_, privilege := commonpb.ObjectPrivilege_value["Privilege"+grant]
	return !privilege && grant != everything && !builtinGroup().MatchString(grant)
}

func (l *link) rolesOf(ctx context.Context, user string) ([]string, error) {
	ctx, cancel := l.withReadTimeout(ctx)
	defer cancel()
	resp, err := l.api.SelectUser(ctx, &milvuspb.SelectUserRequest{User: &milvuspb.UserEntity{Name: user}, IncludeRoleInfo: true})
	if err == nil {
		err = classifyStatus(resp.GetStatus()).err
	}
	if err != nil {
		return nil, l.fleet.secrets.Err(err)
	}
	var out []string
	for _, u := range resp.GetResults() {
		for _, r := range u.GetRoles() {
			if r.GetName() != publicRole { // everybody's, and it counts for nothing that we ask
				out = append(out, r.GetName())
			}
		}
	}
	return out, nil
}

func (l *link) grantsOf(ctx context.Context, role string) ([]grant, error) {
	ctx, cancel := l.withReadTimeout(ctx)
	defer cancel()
	resp, err := l.api.SelectGrant(ctx, &milvuspb.SelectGrantRequest{Entity: &milvuspb.GrantEntity{Role: &milvuspb.RoleEntity{Name: role}, DbName: everything}})
	if err == nil {
		err = classifyStatus(resp.GetStatus()).err
	}
	if err != nil {
		return nil, l.fleet.secrets.Err(err)
	}
	var out []grant
	for _, g := range resp.GetEntities() {
		out = append(out, grant{g.GetGrantor().GetPrivilege().GetName(), g.GetObject().GetName(), g.GetObjectName(), g.GetDbName()})
	}
	return out, nil
}

// groupsHolding returns the custom privilege groups that hold a privilege.
func (l *link) groupsHolding(ctx context.Context, privilege string) ([]string, error) {
	groups, err := l.groups(ctx)
	var out []string
	for name, holds := range groups {
		if slices.Contains(holds, privilege) {
			out = append(out, name)
		}
	}
	return out, err
}

// isGroup says whether a name is that of a custom privilege group.
func (l *link) isGroup(ctx context.Context, name string) bool {
	groups, err := l.groups(ctx)
	_, there := groups[name]
	return err == nil && there
}

func (l *link) groups(ctx context.Context) (map[string][]string, error) {
	ctx, cancel := l.withReadTimeout(ctx)
	defer cancel()
	resp, err := l.api.ListPrivilegeGroups(ctx, &milvuspb.ListPrivilegeGroupsRequest{})
	if err == nil {
		err = classifyStatus(resp.GetStatus()).err
	}
	if err != nil {
		return nil, l.fleet.secrets.Err(err)
	}
	out := map[string][]string{}
	for _, g := range resp.GetPrivilegeGroups() {
		var holds []string
		for _, p := range g.GetPrivileges() {
			holds = append(holds, p.GetName())
		}
		out[g.GetGroupName()] = holds
	}
	return out, nil
}
