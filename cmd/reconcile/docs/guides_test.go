package docs

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"milvus-reconcile/cmd/reconcile/internal/testkit"
	"milvus-reconcile/plan/release"
	"milvus-reconcile/reconcile/reconciletest/freeport"
	"milvus-reconcile/reconcile/reconciletest/needs"
)

// stage goes on where docs/rehearse.md begins: simulated clusters with a repository,
// and Bob's clone of it, in which the lines are typed. The functions are what the
// text between the lines tells people to do.
const stage = `
as() { export GIT_CONFIG_GLOBAL=$PLAY/$1.gitconfig; }
cluster() { curl -sf -o /dev/null -X POST -d "$2" http://$CONTROL/clusters/$1; }
lost() { cluster cluster-a/stop; }
back() { cluster cluster-a/start; }
edit() { sed -i "$1" topologies/orders.yaml; git commit -qam "$2"; git push -q; }
generation() { sed -i "s/generation: .*/generation: $1/" topologies/orders.yaml; }
now() { date -u +%Y-%m-%dT%H:%M:%S.%NZ; }
refused() { if "$@" >/dev/null 2>&1; then exit 9; fi; }
failover() {
	lost
	reconcile propose orders/cluster-b --failover --commit >/dev/null 2>&1
	git push -q
	for who in alice carol; do as $who; reconcile approve orders/cluster-b --reason INC-1 --push >/dev/null; done
	reconcile apply >/dev/null 2>&1
	as bob; back
}
`

// guide runs the lines of a how-to on that stage, with clusters in those roles.
func guide(t *testing.T, w walk, roles ...string) {
	t.Helper()
	t.Parallel()
	p := newPlace(t)
	addresses := freeport.Addresses(t, len(roles))
	var b strings.Builder
	b.WriteString(modeline + "topology.schema.json\napiVersion: reconcile/v1alpha1\nkind: ReplicationTopology\nmetadata: {name: orders}\nspec:\n  generation: 1\n" +
		"  switchover: {catchUpWithin: 5s}\n  failover: {unavailableFor: 1s, probes: 3}\n  clusters:\n")
	for i, role := range roles {
		id := "cluster-" + string(rune('a'+i))
		b.WriteString("    - {id: " + id + ", role: " + role + ", uri: \"http://" + addresses[i] + "\"}\n")
		p.other = append(p.other, string(rune('a'+i))+".example:19530", addresses[i])
		w.prelude = strings.ReplaceAll(w.prelude, "@"+id, addresses[i])
	}
	testkit.Write(t, p.dir+"/topologies/orders.yaml", b.String())
	p.other = append(p.other, "/etc/reconcile/", p.dir+"/", "root:…", "root:Milvus", "'orders-*'", "'orders*'")
	w.prelude = rehearsal(t, p) + stage + w.prelude
	w.run(t, p)
}

// rehearsal types what docs/rehearse.md shows before any guide.
func rehearsal(t *testing.T, p place) string {
	t.Helper()
	lines := walk{page: "docs/rehearse.md", sections: []string{"Begin", "Be three people"}}.lines(t)
	typed := strings.NewReplacer(p.rehearsed()...).Replace(strings.Join(lines, "\n"))
	return strings.Replace(typed, "&\n", "&\nready\n", 1)
}

// rehearsed says where the lines of docs/rehearse.md go in a place.
func (p place) rehearsed() []string {
	return []string{"127.0.0.1:9650", p.control, "/tmp/try", p.dir + "/play", "reconcile sim ", "reconcile sim --control " + p.control + " "}
}

func TestGuideRehearse(t *testing.T) {
	t.Parallel()
	p := newcomer(t)
	p.other = p.rehearsed()
	walk{page: "docs/rehearse.md"}.run(t, p)
}

func TestGuideFirstSwitchover(t *testing.T) {
	guide(t, walk{page: "docs/first-switchover.md", endings: []ending{
		{line: "reconcile status orders", says: "in sync"},
		{line: "reconcile propose orders/cluster-b --switchover --commit", says: "generation 1 → 2"},
		{line: "reconcile plan orders --commit HEAD --repo .", says: "SWITCHOVER to cluster-b"},
		{line: `reconcile approve orders/cluster-b --reason "the first switchover, CHG-12" --push`, before: "git push -q; as alice", says: "pushed it to origin"},
		{line: "reconcile apply orders", says: "done and verified"},
		{line: "reconcile drift orders", says: "in sync"},
		{line: "reconcile propose orders/cluster-a --switchover --commit", before: "as bob", says: "generation 2 → 3"},
	}}, "primary", "standby")
}

func TestGuideFailoverAt3am(t *testing.T) {
	const approve = `reconcile approve orders/cluster-b --reason "eu-1 lost power, INC-4211" --expires 1h --push`
	guide(t, walk{
		page:    "docs/failover-at-3am.md",
		prelude: "lost",
		endings: []ending{
			{line: "reconcile status orders", says: "unreachable"},
			{line: "reconcile plan orders"},
			{line: "reconcile propose orders/cluster-b --failover --commit", says: "generation 1 → 2"},
			{line: "git push"},
			{line: "reconcile plan orders", says: "WAITS FOR 2 APPROVALS (0 so far)"},
			{line: approve, before: "as alice", says: "failover/orders/2/alice@example.com"},
			{line: "reconcile apply orders", code: 3, says: "QUORUM_NOT_MET"},
			{line: "reconcile apply orders", before: "as carol; " + approve, says: "done and verified"},
			{line: "reconcile status orders --verify", says: "in sync"},
			{line: "reconcile history orders", says: "carol@example.com"},
		},
	}, "primary", "standby")
}

func TestGuideAfterFailover(t *testing.T) {
	guide(t, walk{page: "docs/after-failover.md", sections: []string{
		"1. Keep applications away", "2. Fence it", "3. Salvage", "4. Get the lost writes back", "5. Rebuild it, or let it go",
	}, prelude: `
for it in cluster-a cluster-b; do cluster $it/profile '{"version":"2.6.22"}'; done
cluster cluster-a/write '{"rows":4}'
until reconcile drift orders >/dev/null 2>&1; do sleep 0.1; done
failover; cluster cluster-a/write '{"rows":16}'`, endings: []ending{
		{line: "reconcile drift orders", code: 2, says: "applications have written to it since"},
		{line: "reconcile fence orders/cluster-a", says: "cluster-a"},
		{line: "reconcile salvage orders", says: "16 rows"},
		{line: "reconcile salvage orders --export lost.jsonl", says: "lost.jsonl"},
		{line: "reconcile salvage orders --replay --dry-run", says: "16 lost rows can be written into cluster-b"},
		{line: "reconcile approve orders/cluster-b --replay replay.json --reason INC-4211 --push", before: "as alice", says: "for the replay sha256:"},
		{line: "reconcile salvage orders --replay --export rest.jsonl", before: "as bob", says: "16 lost rows are there"},
	}}, "primary", "standby")
}

func TestGuideProveTheStandby(t *testing.T) {
	guide(t, walk{
		page:    "docs/prove-the-standby.md",
		prelude: `cluster cluster-a/write '{"rows":16}'`,
		endings: []ending{
			{line: "reconcile audit orders", before: "reconcile apply >/dev/null 2>&1", says: "cluster-b equals cluster-a"},
			{line: "reconcile history orders", says: "an audit proved"},
			{line: "reconcile audit orders --rows 0", says: "16 rows"},
		},
	}, "primary", "standby")
}

func TestGuideMistakenFailover(t *testing.T) {
	guide(t, walk{page: "docs/after-failover.md", sections: []string{"A failover that was merged by mistake"}, prelude: `
reconcile propose orders/cluster-b --failover --commit >/dev/null 2>&1
git push -q
for who in alice carol; do as $who; reconcile approve orders/cluster-b --reason INC-1 --push >/dev/null; done
`, endings: []ending{
		{line: "reconcile approve orders/cluster-b --withdraw --push", says: "none of your approvals of this change counts any more"},
		{line: "reconcile propose orders --cancel --commit", before: "as bob", says: "cluster-a stale → primary, cluster-b primary → standby, generation 2 → 3"},
		{line: "git push"},
		{line: "reconcile plan orders", says: "in sync"},
	}}, "primary", "standby")
}

func TestGuideAdopt(t *testing.T) {
	guide(t, walk{page: "docs/adopt.md", prelude: "lost; promote-by-hand cluster-b @cluster-b", endings: []ending{
		{line: "reconcile status orders", says: "OUT_OF_BAND_FAILOVER"},
		{line: "reconcile adopt orders --commit", says: "generation 1 → 2"},
		// Somebody else sees both of them take writes, and must say whose count.
		{line: "reconcile adopt orders --primary cluster-b --commit", before: "git reset -q --hard HEAD~1; back; refused reconcile adopt orders --commit", says: "generation 1 → 2"},
		{line: "reconcile plan orders", before: "git push -q; lost", says: "in sync"},
		{line: "reconcile drift orders"},
	}}, "primary", "standby")
}

func TestGuideBreakGlassWithAClone(t *testing.T) {
	const approve = `reconcile approve orders/cluster-b --reason "eu-1 is lost, and Git with it, INC-4211" --expires 1h`
	guide(t, walk{
		page: "docs/break-glass.md", sections: []string{"With this program and a clone"},
		// Git and the ledger are lost; the approvers come to Bob's clone.
		prelude: "lost; mv $PLAY/repo $PLAY/gone; sed -i 's|ledger.db|another.db|' $PLAY/reconcile.yaml",
		endings: []ending{
			{line: "reconcile propose orders/cluster-b --failover --commit", says: "generation 1 → 2"},
			{line: approve, before: "as carol; " + approve + "; refused reconcile apply orders --repo .; as alice"},
			{line: "reconcile apply orders --repo .", says: "done and verified"},
		},
	}, "primary", "standby")
}

func TestGuideBreakGlassByHand(t *testing.T) {
	needs.Program(t, "python3")
	guide(t, walk{
		page: "docs/break-glass.md", sections: []string{"With Milvus' own call"},
		prelude: "lost; pymilvus new ../module; export PYTHONPATH=$PWD/../module PYTHONDONTWRITEBYTECODE=1",
		endings: []ending{
			{line: "reconcile break-glass orders/cluster-b >promote-cluster-b.py"},
			{line: "python3 promote-cluster-b.py", says: "reconcile adopt orders --primary cluster-b --commit"},
			{line: "reconcile status orders", says: "OUT_OF_BAND_FAILOVER"},
			{line: "reconcile adopt orders --primary cluster-b --commit", says: "generation 1 → 2"},
			{line: "git push"},
			{line: "reconcile plan orders", says: "in sync"},
		},
	}, "primary", "standby")
}

// TestBreakGlassIsShown: docs/break-glass.md shows what the command prints.
func TestBreakGlassIsShown(t *testing.T) {
	needs.Program(t, "git")
	const begin, end = "<!-- break-glass:begin -->\n```python\n", "```\n<!-- break-glass:end -->"
	dir := newPlace(t).dir
	testkit.Write(t, dir+"/topologies/orders.yaml", "apiVersion: reconcile/v1alpha1\nkind: ReplicationTopology\nmetadata: {name: orders}\nspec:\n  generation: 1\n  clusters:\n"+
		"    - {id: cluster-a, role: primary, uri: \"http://cluster-a.example:19530\"}\n    - {id: cluster-b, role: standby, uri: \"http://cluster-b.example:19530\"}\n")
	cmd := exec.CommandContext(t.Context(), "sh", "-c", "git init -q -b main . && git add -A && git -c user.name=bob -c user.email=bob@example.com commit -qm begin && reconcile break-glass orders/cluster-b --config nowhere")
	cmd.Dir = dir
	want, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	page := testkit.Contents(t, "docs/break-glass.md")
	before, rest, _ := strings.Cut(page, begin)
	got, after, found := strings.Cut(rest, end)
	if !found {
		t.Fatal("docs/break-glass.md shows no script")
	}
	if *update {
		testkit.Write(t, filepath.Join(testkit.Repository(), "docs", "break-glass.md"), before+begin+string(want)+end+after)
		return
	}
	if got != string(want) {
		t.Errorf("docs/break-glass.md shows\n%s\nwant\n%s", got, want)
	}
}

func TestGuideRebuild(t *testing.T) {
	guide(t, walk{
		page:    "docs/rebuild.md",
		prelude: `failover; reconcile fence orders/cluster-a >/dev/null`,
		endings: []ending{
			{line: "reconcile salvage orders --from cluster-a --export lost.jsonl", says: "Export"},
			{line: "reconcile propose orders/cluster-a --rebuild --commit", says: "cluster-a stale → standby"},
			{line: `reconcile approve orders/cluster-b --reason "cluster-a comes back, INFRA-91" --push`, before: "as alice"},
			{line: "reconcile apply orders", code: 4, says: "waits for its wipe"},
			{
				line:   "reconcile apply orders",
				before: `cluster cluster-a/wipe; cluster cluster-a/restore '{"from":"cluster-b"}'`, says: "done and verified",
			},
		},
	}, "primary", "standby")
}

func TestGuideDecommission(t *testing.T) {
	guide(t, walk{page: "docs/decommission.md", prelude: "failover; reconcile fence orders/cluster-a >/dev/null; lost", endings: []ending{
		{line: "reconcile plan orders --commit HEAD --repo .", before: "generation 3; edit /cluster-a,/d gone", says: "in sync"},
	}}, "primary", "standby")
}

func TestGuideAddAStandby(t *testing.T) {
	guide(t, walk{
		page: "docs/standbys.md", sections: []string{"Add"},
		endings: []ending{
			{
				line:   "reconcile plan orders --commit HEAD --repo .",
				before: `generation 2; edit "s/role: detached, \(.*\)}/role: standby, \1, provisioned: {from: restored, at: $(now), evidence: INFRA-88}}/" third`, says: "cluster-c",
			},
			{line: `reconcile approve orders/cluster-a --reason "third region, INFRA-88" --push`, before: "as alice"},
			{line: "reconcile apply orders", says: "done and verified"},
			{line: "reconcile status orders", says: "in sync: cluster-a → cluster-b, cluster-c"},
		},
	}, "primary", "standby", "detached")
}

func TestGuideTokens(t *testing.T) {
	guide(t, walk{page: "docs/tokens.md", prelude: "echo root:old >$PLAY/token; refused reconcile doctor; echo root:Milvus >$PLAY/token", endings: []ending{
		{line: "reconcile doctor", says: "1 of 1"},
	}}, "primary", "standby")
}

func TestGuideImport(t *testing.T) {
	// The operator sets git, and the topology is the first commit of its repository.
	const begun = `git add -A; git commit -qm imported
sed -i "s|^# git: .*|git: {url: $PWD}|" ../reconcile.yaml; export RECONCILE_CONFIG=$PLAY/../reconcile.yaml`
	guide(t, walk{page: "docs/import.md", prelude: "cd ..; git init -q -b main own; cd own; mkdir topologies; as bob", endings: []ending{
		{line: "reconcile validate topologies", says: "1 topology is valid"},
		{line: "reconcile plan", before: begun, says: "in sync"},
	}}, "primary", "standby")
}

func TestGuideDoctor(t *testing.T) {
	guide(t, walk{page: "docs/doctor.md", endings: []ending{
		{line: "reconcile doctor", says: "1 of 1"},
		{line: "reconcile doctor orders -o json", says: `"ready": true`},
	}}, "primary", "standby")
}

func TestGuideSetUp(t *testing.T) {
	guide(t, walk{page: "docs/setup.md", sections: []string{"4. The topology", "5. Check, then begin"}, endings: []ending{
		{line: "reconcile validate topologies", says: "1 topology is valid"},
		{line: "reconcile status", says: "in sync"},
		{line: "reconcile plan", says: "in sync"},
		{line: "reconcile doctor"},
	}}, "primary", "standby")
}

func TestGuideInit(t *testing.T) {
	guide(t, walk{
		page: "docs/setup.md", sections: []string{"3. The operator's configuration"},
		prelude: "unset RECONCILE_CONFIG; cd ..; git init -q --bare -b main forge; git clone -q forge own 2>/dev/null; cd own; cp $PLAY/*.pub .",
		endings: []ending{
			{line: "reconcile plan", says: "in sync"},
			{line: "reconcile doctor"},
		},
	}, "primary", "standby")
}

// TestSetUpGrantsThePrivileges: docs/setup.md grants what a plan, doctor and messages
// say that is needed, what 'verify: dml' needs besides, and nothing else.
func TestSetUpGrantsThePrivileges(t *testing.T) {
	want := []string{"CreateIndex", "Insert", "Load"}
	for _, p := range release.Privileges() {
		want = append(want, p.Name)
	}
	var got []string
	for _, m := range regexp.MustCompile(`grant_privilege_v2\(role_name="reconcile", privilege="(\w+)"`).FindAllStringSubmatch(testkit.Contents(t, "docs/setup.md"), -1) {
		got = append(got, m[1])
	}
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(want, got) {
		t.Errorf("docs/setup.md grants %q, want %q", got, want)
	}
}

func TestGuideUpgrades(t *testing.T) {
	guide(t, walk{page: "docs/upgrades.md", endings: []ending{
		{line: "reconcile doctor orders --upgrade-to 3.0.2", says: "3.0.2"},
	}}, "primary", "standby")
}

// elsewhere are the pages whose lines no guide types, and why.
var elsewhere = map[string]string{
	"README.md":             "TestReadmeByHand",
	"docs/tutorial.md":      "TestTutorial",
	"docs/ci.md":            "testdata/script/plan-observed.txtar",
	"docs/run.md":           "daemons of shards: cmd/reconcile/crash TestShards",
	"docs/cli.md":           "it is made from the commands, and its examples are parsed",
	"docs/approvals.md":     "testdata/script/approve-from-a-clone.txtar",
	"docs/deploy.md":        ".ci/tools/deploy and .ci/tools/dist try what it installs",
	"docs/notifications.md": "testdata/script/notify-test.txtar, and run-notify-people.txtar types what the sample says",
	"docs/rehearsal.md":     "testdata/script/r99-rehearsal.txtar",
	"docs/sites.md":         "testdata/script/propose-failover-best.txtar",
	"docs/sizing.md":        "it watches until somebody stops it: testdata/script/status-watch.txtar",
}

// TestEveryGuideIsWalked: no page shows commands that nobody runs.
func TestEveryGuideIsWalked(t *testing.T) {
	source, err := os.ReadFile("guides_test.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range pages(t) {
		shows := false
		for _, line := range (walk{page: page}).lines(t) {
			shows = shows || strings.HasPrefix(line, "reconcile ")
		}
		if shows && elsewhere[page] == "" && !regexp.MustCompile(`page:\s+"`+regexp.QuoteMeta(page)+`"`).Match(source) {
			t.Errorf("%s shows commands, and no guide runs them", page)
		}
	}
}
