package doctor

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"milvus-reconcile/cmd/reconcile/internal/render"
	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/approval"
	"milvus-reconcile/reconcile/milvus"
	"milvus-reconcile/schema"
)

// TestQuorumCheck: who writes the change is missing among who approves it.
func TestQuorumCheck(t *testing.T) {
	who := func(n int) approval.Electorate {
		return approval.Electorate{People: n, Names: []string{"a@x", "b@x", "c@x"}[:n]}
	}
	for _, c := range []struct {
		name   string
		policy approval.Policy
		need   int
		people int
		want   render.CheckState
		says   string
	}{
		{"enough, and one more", approval.Policy{}, 2, 3, render.CheckOK, "there are enough"},
		{"just enough", approval.Policy{}, 2, 2, render.CheckWarning, "exactly as many (a@x, b@x)"},
		{"just enough, and authors may approve", approval.Policy{AuthorMayApprove: true}, 2, 2, render.CheckOK, "enough"},
		{"too few", approval.Policy{}, 2, 1, render.CheckFailed, "the keys name 1: a@x"},
		{"nobody", approval.Policy{}, 1, 0, render.CheckFailed, "no key counts for anybody"},
		{"nobody, and signatures are optional", approval.Policy{SignatureOptional: true}, 1, 0, render.CheckUnknown, "unsigned"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := quorumCheck(c.policy, plan.TransitionFailover, c.need, who(c.people))
			if got.Verdict != c.want || !strings.Contains(got.Message, c.says) || !got.Blocks {
				t.Errorf("%+v", got)
			}
			if got := quorumCheck(c.policy, plan.TransitionSwitchover, c.need, who(c.people)); got.Blocks {
				t.Error("a switchover's quorum stops a failover")
			}
		})
	}
}

// TestClusterChecks: what is not known is neither well nor wrong.
func TestClusterChecks(t *testing.T) {
	up := plan.View{Cluster: "b", Reach: plan.ReachUp, Credential: plan.CredentialBound, ReadsConfiguration: plan.SupportYes, ForcePromotes: plan.SupportYes}
	with := func(change func(*plan.View)) plan.View {
		v := up
		change(&v)
		return v
	}
	served := time.Date(2026, 11, 30, 6, 0, 0, 0, time.UTC)
	loads := func(age time.Duration) plan.Memory {
		return plan.Memory{Now: served.Add(age), Serving: []plan.ServingMark{{
			Topology: "orders", Primary: "a", At: served, Collections: []plan.ServedCollection{{Name: "default/cold"}, {Name: "default/hot", Loaded: true}},
		}}}
	}
	for _, c := range []struct {
		name string
		got  render.Check
		want render.CheckState
		says string
	}{
		{"a credential", credentialCheck(up, nil), render.CheckOK, "accepts"},
		{"a credential of a silent cluster", credentialCheck(with(func(v *plan.View) { v.Reach = plan.ReachUnreachable }), nil), render.CheckUnknown, "seen unreachable"},
		{"a refused token", refusedCheck([]string{"b"}, schema.SecretRef{Env: "TOKEN_B"}), render.CheckFailed, "b refuses our token, of environment variable TOKEN_B"},
		{"a token that two refuse", refusedCheck([]string{"a", "b"}, schema.SecretRef{File: "token"}), render.CheckFailed, "a and b refuse our token, of file token"},
		{"a token that many refuse", refusedCheck([]string{"a", "b", "c", "d"}, schema.SecretRef{File: "token"}), render.CheckFailed, "4 clusters (a, b, c, …) refuse our token, of file token"},
		{"no token, and one is wanted", refusedCheck([]string{"b"}, schema.SecretRef{}), render.CheckFailed, "b refuses calls without a token"},
		{"another address", credentialCheck(with(func(v *plan.View) { v.Credential = plan.CredentialMismatch }), nil), render.CheckFailed, "another address"},
		{"no credential", credentialCheck(plan.View{Cluster: "b"}, nil), render.CheckFailed, "none"},
		{"a secret that is not there", credentialCheck(up, errors.New("read a secret: no such file")), render.CheckFailed, "no such file"},
		{"all calls", callsCheck(up), render.CheckOK, "version unknown"},
		{"no DumpMessages", callsCheck(with(func(v *plan.View) { v.ForcePromotes, v.Version = plan.SupportNo, "2.6.12" })), render.CheckFailed, "2.6.12: it has no DumpMessages"},
		{"no GetReplicateConfiguration", callsCheck(with(func(v *plan.View) { v.ReadsConfiguration = plan.SupportNo })), render.CheckFailed, "no role can be read"},
		{"calls that nobody could ask for", callsCheck(with(func(v *plan.View) { v.ForcePromotes = plan.SupportUnknown })), render.CheckUnknown, "it is not known whether it knows GetReplicateConfiguration"},
		{"it may", privilegeCheck(milvus.Rights{Update: plan.SupportYes, Detail: "root"}), render.CheckOK, "root"},
		{"it may not", privilegeCheck(milvus.Rights{Update: plan.SupportNo}), render.CheckFailed, "may not"},
		{"nobody can say whether it may", privilegeCheck(milvus.Rights{}), render.CheckUnknown, "only sending a configuration would show"},
		{"loads that were never read", servingCheck("orders", "a", plan.Memory{Now: served.Add(time.Minute)}), render.CheckWarning, "never read"},
		{"loads of another primary", servingCheck("orders", "b", loads(time.Minute)), render.CheckWarning, "never read"},
		{"loads that were read long ago", servingCheck("orders", "a", loads(72*time.Hour)), render.CheckWarning, "last read 3 d ago"},
		{"loads that were just read", servingCheck("orders", "a", loads(2*time.Minute)), render.CheckOK, "(collections: 1) was read 2 min ago"},
		{"clocks agree", clockCheck(milvus.Rights{Ticked: true, Ahead: -400 * time.Millisecond}), render.CheckOK, "within"},
		{"a slow call hides no skew", clockCheck(milvus.Rights{Ticked: true, Ahead: 3 * time.Second, Within: 2500 * time.Millisecond}), render.CheckOK, "within"},
		{"ahead", clockCheck(milvus.Rights{Ticked: true, Ahead: 5 * time.Second}), render.CheckWarning, "5 s ahead of"},
		{"behind", clockCheck(milvus.Rights{Ticked: true, Ahead: -5 * time.Second}), render.CheckWarning, "5 s behind"},
		{"no tick", clockCheck(milvus.Rights{}), render.CheckUnknown, "no time tick"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.got.Verdict != c.want || !strings.Contains(c.got.Message, c.says) {
				t.Errorf("%+v, want %s, %q", c.got, c.want, c.says)
			}
		})
	}
}

// TestWhereThingsLie: names of machines in what says how to reach ledger and Git.
func TestWhereThingsLie(t *testing.T) {
	for raw, want := range map[string]string{
		"ssh://git@git.example:2222/x.git": "git.example", "git@git.example:x.git": "git.example", "https://[::1]/x.git": "::1",
		"/srv/git/x.git": thisMachine, "file:///srv/git/x.git": thisMachine, "C/x:y": thisMachine,
	} {
		if got := gitHosts(raw); !slices.Equal(got, []string{want}) {
			t.Errorf("%s lies on %q, want %q", raw, got, want)
		}
	}
	etcd := schema.Ledger{Etcd: &schema.LedgerEtcd{Endpoints: []string{"https://e0.example:2379", "e1.example:2379", "e2.example"}}}
	if got := hostsOf(etcd); !slices.Equal(got, []string{"e0.example", "e1.example", "e2.example"}) {
		t.Errorf("%q", got)
	}
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{thisMachine, "127.0.0.1", true},
		{thisMachine, "localhost", true},
		{"127.0.0.1", "127.0.0.2", true},
		{thisMachine, "192.0.2.1", false},
		{"192.0.2.1", "192.0.2.1", true},
		{"192.0.2.1", "192.0.2.2", false},
		{"A.invalid", "a.invalid", true},
		{"a.invalid", "b.invalid", false},
	} {
		if got := sameHost(t.Context(), c.a, c.b); got != c.want {
			t.Errorf("%q and %q: %t", c.a, c.b, got)
		}
	}
}
