package schema

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/approval"
	"milvus-reconcile/reconcile/freeze"
)

const emptyConfig = "apiVersion: reconcile/v1alpha1\nkind: Config\n"

// fullConfig says everything that a configuration can say.
const fullConfig = emptyConfig + `mode: apply
git:
  url: ssh://git@git.example/platform/topologies.git
  ref: refs/heads/prod
  path: deploy/topologies
  pollInterval: 1m
  cacheDir: cache
  auth:
    sshKeyFile: /keys/id
    sshKeyPassphraseFrom: {env: PASS}
    sshAgent: true
    knownHostsFile: /keys/known_hosts
    usernameFrom: {env: USER_NAME}
    passwordFrom: {file: /keys/password}
    caFile: /keys/ca.pem
sweepInterval: 45s
suspend: [orders]
credentials:
  - clusterId: cluster-a
    address: cluster-a.example:19530
    uri: https://cluster-a.example:19530
    tokenFrom: {env: CLUSTER_A_TOKEN}
    replicationTokenFrom: {file: /keys/a}
    tls: {caFile: ca, certFile: cert, keyFile: key, serverName: a}
  - clusterId: cluster-b
    address: cluster-b.example:19530
    tokenFrom: {env: B}
    tls: {}
  - {clusterId: open, address: "open:19530"}
approval:
  signature: optional
  allowedSigners: signers
  keyring: ring.asc
  distinctAuthor: false
  repository: platform/topologies
  quorum: {switchover: 2, failover: 3, other: 4}
  maxAge: {failover: 1h, other: 2h}
limits: {unavailableFor: 1m, probes: 5, blockPeriod: 2h, verify: dml}
fence: auto
ledger:
  etcd:
    endpoints: ["https://etcd-1.example:2379", "etcd-2.example:2379"]
    prefix: /other
    tls: {caFile: ca}
    usernameFrom: {env: EU}
    passwordFrom: {env: EP}
    ttl: 20s
redirect:
  - name: program
    topologies: [orders]
    timeout: 5s
    exec: {command: [sh, -c, "a\nb"], check: [check]}
  - {name: hook, webhook: {url: "https://h.example/x", secretFrom: {env: S}, checkUrl: "http://h.example/y"}}
  - {name: file, file: {template: t, path: p, mode: "0600"}}
  - {name: lb, haproxy: {address: "unix:/run/haproxy.sock", backend: milvus, servers: {cluster-a: a1}}}
  - {name: dns, topologies: [orders], dns: {server: "ns1.example:53", zone: example, record: milvus.example, type: SRV, ttl: 5s, values: {cluster-a: [0 0 1 a.example]}, key: {name: k, algorithm: hmac-sha512, secretFrom: {file: t}}, servers: ["ns2.example:53"]}}
notify:
  - {name: chat, url: "https://chat.example/x", secretFrom: {file: f}, format: slack, minSeverity: critical}
  - {name: bus, url: "https://bus.example/x"}
  - {name: forge, url: "https://api.github.com/repos/o/r/statuses/{commit}", secretFrom: {env: FORGE}, format: github}
  - {name: mail, url: "smtp://mail.example:587", secretFrom: {env: MP}, format: email, email: {from: r@example.com, to: ["On Call <o@example.com>"], usernameFrom: {env: MU}, tls: {caFile: ca}}}
serve: {address: "0.0.0.0:9000", publicUrl: "https://reconcile.example/", hosts: [reconcile.example], webhookSecretFrom: {env: W}, tls: {certFile: c, keyFile: k}}
clusters:
  - {id: cluster-a, kubernetes: {namespace: milvus, instance: orders-a, kubeconfig: /k, context: eu}}
  - {id: cluster-b, restart: {exec: {command: [kubectl, restart]}, timeout: 1m}}
  - {id: open, restart: {exec: {command: [ssh]}}}
shards:
  - {name: eu, paths: [deploy/topologies/eu, "deploy/topologies/*-eu.yaml"], labels: {region: eu}}
  - {name: us, labels: {region: us}}
audit: {every: 6h, budget: 10m, rows: 0}
freeze:
  - {name: year-end, from: 2026-12-18T18:00:00+01:00, to: 2027-01-04T07:00:00Z, except: [detach], include: [failover]}
load: auto
rehearse: {probe: {every: 50ms}}
`

func defaultConfig() Config {
	return Config{
		Git:           Git{Ref: "refs/heads/main", Path: "topologies", PollInterval: 30 * time.Second},
		SweepInterval: 30 * time.Second,
		Approval: Approval{
			SignatureRequired: true, AllowedSigners: "/etc/reconcile/allowed_signers", DistinctAuthor: true,
			Quorum: approval.Quorum{Switchover: 1, Failover: 1, Other: 1}, MaxAge: approval.MaxAge{Failover: 2 * time.Hour, Other: 24 * time.Hour},
		},
		Fence: FenceManual, Load: LoadManual,
		Serve: Serve{Address: "127.0.0.1:9640"},
	}
}

func wantFullConfig() Config {
	at := func(line int) plan.Position { return plan.Position{File: "c.yaml", Line: line, Column: 5} }
	return Config{
		Mode: ModeApply,
		Git: Git{
			URL: "ssh://git@git.example/platform/topologies.git", Ref: "refs/heads/prod", Path: "deploy/topologies",
			PollInterval: time.Minute, CacheDir: "cache",
			Auth: GitAuth{
				SSHKeyFile: "/keys/id", SSHKeyPassphrase: SecretRef{Env: "PASS"}, SSHAgent: true, KnownHostsFile: "/keys/known_hosts",
				Username: SecretRef{Env: "USER_NAME"}, Password: SecretRef{File: "/keys/password"}, CAFile: "/keys/ca.pem",
			},
		},
		SweepInterval: 45 * time.Second,
		Audit:         Audit{Every: 6 * time.Hour, Budget: 10 * time.Minute},
		Suspend:       []string{"orders"},
		Freeze: freeze.Entries{{
			Name: "year-end", From: time.Date(2026, 12, 18, 17, 0, 0, 0, time.UTC), To: time.Date(2027, 1, 4, 7, 0, 0, 0, time.UTC),
			Passes: []plan.Transition{plan.TransitionDetach},
		}},
		Shards: []plan.Shard{
			{Name: "eu", Paths: []string{"deploy/topologies/eu", "deploy/topologies/*-eu.yaml"}, Labels: map[string]string{"region": "eu"}},
			{Name: "us", Labels: map[string]string{"region": "us"}},
		},
		Credentials: []Credential{
			{
				ClusterID: "cluster-a", Address: "cluster-a.example:19530", URI: "https://cluster-a.example:19530",
				Token: SecretRef{Env: "CLUSTER_A_TOKEN"}, ReplicationToken: SecretRef{File: "/keys/a"},
				TLS: &TLS{CAFile: "ca", CertFile: "cert", KeyFile: "key", ServerName: "a"}, At: at(21),
			},
			{
				ClusterID: "cluster-b", Address: "cluster-b.example:19530",
				Token: SecretRef{Env: "B"}, ReplicationToken: SecretRef{Env: "B"}, TLS: &TLS{}, At: at(27),
			},
			{ClusterID: "open", Address: "open:19530", At: at(31)},
		},
		Approval: Approval{
			AllowedSigners: "signers", Keyring: "ring.asc", Repository: "platform/topologies",
			Quorum: approval.Quorum{Switchover: 2, Failover: 3, Other: 4}, MaxAge: approval.MaxAge{Failover: time.Hour, Other: 2 * time.Hour},
		},
		Limits: plan.Failover{UnavailableFor: time.Minute, Probes: 5, BlockPeriod: 2 * time.Hour, Verify: plan.VerifyDML},
		Fence:  FenceAuto, Load: LoadAuto, ProbeEvery: 50 * time.Millisecond,
		Ledger: Ledger{Etcd: &LedgerEtcd{
			Endpoints: []string{"https://etcd-1.example:2379", "etcd-2.example:2379"}, Prefix: "/other", TLS: &TLS{CAFile: "ca"},
			Username: SecretRef{Env: "EU"}, Password: SecretRef{Env: "EP"}, TTL: 20 * time.Second,
		}},
		Clusters: []ClusterCare{
			{ID: "cluster-a", Kubernetes: &KubernetesPlace{Namespace: "milvus", Instance: "orders-a", Kubeconfig: "/k", Context: "eu"}, At: at(66)},
			{ID: "cluster-b", Restart: &Restart{Command: []string{"kubectl", "restart"}, Timeout: time.Minute}, At: at(67)},
			{ID: "open", Restart: &Restart{Command: []string{"ssh"}, Timeout: 2 * time.Minute}, At: at(68)},
		},
		Redirect: []RedirectTarget{
			{
				Name: "program", Topologies: []string{"orders"}, Timeout: 5 * time.Second, At: at(51),
				Exec: &RedirectExec{Command: []string{"sh", "-c", "a\nb"}, Check: []string{"check"}},
			},
			{
				Name: "hook", Timeout: 30 * time.Second, At: at(55),
				Webhook: &RedirectWebhook{URL: "https://h.example/x", Secret: SecretRef{Env: "S"}, CheckURL: "http://h.example/y"},
			},
			{Name: "file", Timeout: 30 * time.Second, At: at(56), File: &RedirectFile{Template: "t", Path: "p", Mode: 0o600}},
			{
				Name: "lb", Timeout: 30 * time.Second, At: at(57),
				HAProxy: &RedirectHAProxy{Address: "unix:/run/haproxy.sock", Backend: "milvus", Servers: map[string]string{"cluster-a": "a1"}},
			},
			{
				Name: "dns", Topologies: []string{"orders"}, Timeout: 30 * time.Second, At: at(58),
				DNS: &RedirectDNS{
					Server: "ns1.example:53", Zone: "example", Record: "milvus.example", Type: "SRV", TTL: 5 * time.Second, Values: map[string][]string{"cluster-a": {"0 0 1 a.example"}},
					Key: "k", Algorithm: "hmac-sha512", Secret: SecretRef{File: "t"}, Servers: []string{"ns2.example:53"},
				},
			},
		},
		Notify: []NotifyTarget{
			{Name: "chat", URL: "https://chat.example/x", Secret: SecretRef{File: "f"}, Format: NotifySlack, MinSeverity: plan.SeverityCritical},
			{Name: "bus", URL: "https://bus.example/x", Format: NotifyCloudEvents, MinSeverity: plan.SeverityWarning},
			{Name: "forge", URL: "https://api.github.com/repos/o/r/statuses/{commit}", Secret: SecretRef{Env: "FORGE"}, Format: NotifyGitHub, MinSeverity: plan.SeverityWarning},
			{
				Name: "mail", URL: "smtp://mail.example:587", Secret: SecretRef{Env: "MP"}, Format: NotifyEmail, MinSeverity: plan.SeverityWarning,
				Email: &NotifyMail{From: "r@example.com", To: []string{"On Call <o@example.com>"}, Username: SecretRef{Env: "MU"}, TLS: &TLS{CAFile: "ca"}},
			},
		},
		Serve: Serve{Address: "0.0.0.0:9000", PublicURL: "https://reconcile.example/", Hosts: []string{"reconcile.example"}, WebhookSecret: SecretRef{Env: "W"}, TLS: &TLS{CertFile: "c", KeyFile: "k"}},
	}
}

func TestParseConfig(t *testing.T) {
	withMaxAge, withPath := defaultConfig(), defaultConfig()
	withMaxAge.Approval.MaxAge = approval.MaxAge{Failover: time.Hour, Other: time.Hour}
	withPath.Ledger, withPath.Git.URL = Ledger{Path: "./l.db"}, "git@git.example:team/t.git"
	withEtcd := defaultConfig()
	withEtcd.Ledger.Etcd = &LedgerEtcd{Endpoints: []string{"e:1"}, Prefix: "/reconcile", TTL: 15 * time.Second}
	tests := []struct {
		name, text string
		want       Config
	}{
		{"defaults", emptyConfig, defaultConfig()},
		{"everything", fullConfig, wantFullConfig()},
		{"one maxAge for all", emptyConfig + "approval: {maxAge: 1h}\n", withMaxAge},
		{"embedded ledger, scp-like url", emptyConfig + "ledger: {path: ./l.db}\ngit: {url: 'git@git.example:team/t.git'}\n", withPath},
		{"etcd defaults", "---\n# head\n" + emptyConfig + "ledger: {etcd: {endpoints: ['e:1']}}\n---\n# tail\n", withEtcd},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, problems := ParseConfig("c.yaml", []byte(tt.text))
			if len(problems) > 0 {
				t.Fatal(problems)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// TestConfigOfALargeFleet: a configuration may be larger than a topology file, and hold
// the credentials of thousands of topologies.
func TestConfigOfALargeFleet(t *testing.T) {
	var text strings.Builder
	text.WriteString(emptyConfig + "credentials:\n")
	const clusters = 12_000
	for i := range clusters {
		fmt.Fprintf(&text, "  - {clusterId: t%05d, address: \"h%05d.example:19530\", tokenFrom: {env: TOKEN}}\n", i, i)
	}
	text.WriteString(strings.Repeat("#", maxFileSize) + "\n")
	c, problems := ParseConfig("c.yaml", []byte(text.String()))
	if len(problems) > 0 || len(c.Credentials) != clusters {
		t.Errorf("%d credentials: %v", len(c.Credentials), problems[:min(len(problems), 3)])
	}
	text.WriteString(strings.Repeat("#", maxConfigSize))
	if _, problems := ParseConfig("c.yaml", []byte(text.String())); len(problems) != 1 || !strings.Contains(problems[0].Hint, "shards") {
		t.Errorf("a file that is too large: %v", problems)
	}
}

// TestPlainGitStaysOnThisMachine: without encryption a Git server is trusted
// only where nobody stands in between.
func TestPlainGitStaysOnThisMachine(t *testing.T) {
	for url, ok := range map[string]bool{
		"http://127.0.0.1:3000/t.git": true, "git://localhost/t.git": true, "git://[::1]:9418/t.git": true,
		"http://git.example/t.git": false, "git://10.0.0.1/t.git": false, "http://user:word@127.0.0.1/t.git": false,
		"ext://127.0.0.1/t.git": false, "git://127.0.0.1.example/t.git": false,
	} {
		_, problems := ParseConfig("c.yaml", []byte(emptyConfig+"git: {url: '"+url+"'}\n"))
		if (len(problems) == 0) != ok {
			t.Errorf("%s: %v", url, problems)
		}
	}
}

func TestParseConfigRefuses(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"a restart of a cluster without a credential", "clusters: [{id: cluster-a}]\n", `"cluster-a" has no credential`},
		{"a restart twice", "credentials: [{clusterId: a, address: 'a:1'}]\nclusters: [{id: a}, {id: a}]\n", `"a" appears twice`},
		{"a restart without a program", "credentials: [{clusterId: a, address: 'a:1'}]\nclusters: [{id: a, restart: {exec: {command: ['']}}}]\n", "the program is empty"},
		{"a place without its context", "credentials: [{clusterId: a, address: 'a:1'}]\nclusters: [{id: a, kubernetes: {namespace: n, instance: i, kubeconfig: /k}}]\n", "kubeconfig and context go together"},
		{"a place without its instance", "credentials: [{clusterId: a, address: 'a:1'}]\nclusters: [{id: a, kubernetes: {namespace: n}}]\n", "instance"},
		{"a restart that is no list", "credentials: [{clusterId: a, address: 'a:1'}]\nclusters: [{id: a, restart: {exec: {command: kubectl}}}]\n", "list"},
		{"a wave without a rule", "waves: [{name: core}]", "the wave takes no topology"},
		{"a wave twice", "waves: [{name: core, topologies: [a]}, {name: core, topologies: [b]}]", `a second wave "core"`},
		{"a wave with the name of the others", "waves: [{name: rest, topologies: [a]}]", `a second wave "rest"`},
		{"a wave with a bad pattern", "waves: [{name: core, topologies: ['a[']}]", "not a pattern"},
		{"a wave that may fail less than never", "waves: [{name: core, topologies: [a], maxFailed: -1}]", "maxFailed"},
		{"a shard without a rule", "shards: [{name: eu}]", "the shard takes no topology"},
		{"a shard twice", "shards: [{name: eu, paths: [a]}, {name: eu, paths: [b]}]", `a second shard "eu"`},
		{"a shard with a bad pattern", "shards: [{name: eu, paths: ['a[']}]", "not a pattern"},
		{"a shard outside the repository", "shards: [{name: eu, paths: [../a]}]", "not a path inside the repository"},
		{"no shards", "shards: []", "it is empty"},
		{"a freeze without a time", "freeze: [{name: a}]", "the freeze has no time"},
		{"a freeze of two forms", "freeze: [{from: 2026-12-18T18:00:00Z, to: 2026-12-19T18:00:00Z, cron: '0 18 * * 5'}]", "'cron' together with 'from'"},
		{"a freeze without an end", "freeze: [{from: 2026-12-18T18:00:00Z}]", "the freeze lacks 'to'"},
		{"a freeze without a length", "freeze: [{cron: '0 18 * * 5'}]", "the freeze lacks 'duration'"},
		{"a freeze without a beginning", "freeze: [{timezone: UTC}]", "the freeze lacks 'cron' and 'duration'"},
		{"a freeze that ends before it begins", "freeze: [{from: 2026-12-18T18:00:00Z, to: 2026-12-18T18:00:00+01:00}]", "ends before it begins"},
		{"a freeze for ever", "freeze: [{from: 2026-12-18T18:00:00Z, to: 2028-12-18T18:00:00Z}]", "longer than a year"},
		{"a freeze at no time", "freeze: [{from: 'next week', to: 2028-12-18T18:00:00Z}]", "not an RFC 3339 time"},
		{"a freeze of no length", "freeze: [{cron: '0 18 * * 5', duration: 0s}]", "more than 0"},
		{"a freeze with seconds", "freeze: [{cron: '0 0 18 * * 5', duration: 1h}]", "not a cron expression"},
		{"a freeze with a zone in its cron", "freeze: [{cron: 'TZ=UTC 18 * * 5', duration: 1h}]", "not a cron expression"},
		{"a freeze that never comes", "freeze: [{cron: '0 0 30 2 *', duration: 1h}]", "never comes"},
		{"a freeze that never ends", "freeze: [{cron: '0 * * * *', duration: 1h}]", "the freeze never ends"},
		{"a freeze in no zone", "freeze: [{cron: '0 18 * * 5', duration: 1h, timezone: Mars/Olympus}]", `"Mars/Olympus" is not a time zone`},
		{"a freeze in the machine's zone", "freeze: [{cron: '0 18 * * 5', duration: 1h, timezone: Local}]", "a zone needs its name"},
		{"a freeze twice", "freeze: [{name: a, cron: '0 18 * * 5', duration: 1h}, {name: a, cron: '0 18 * * 5', duration: 1h}]", `a second freeze "a"`},
		{"a freeze that says two things", "freeze: [{cron: '0 18 * * 5', duration: 1h, except: [failover], include: [failover]}]", "stands in 'except' too"},
		{"a freeze of an unknown change", "freeze: [{cron: '0 18 * * 5', duration: 1h, except: [promote]}]", "except"},
		{"a freeze of a fence", "freeze: [{cron: '0 18 * * 5', duration: 1h, include: [fence]}]", "include"},
		{"plain http", "git: {url: 'http://g.example/x'}", `the scheme "http" is not allowed`},
		{"helper program", "git: {url: 'ext::sh -c x'}", "not a Git URL"},
		{"option", "git: {url: --upload-pack=x}", "not a Git URL"},
		{"no host", "git: {url: 'https:///x'}", "no host"},
		{"absolute path", "git: {path: /topologies}", "not a path inside"},
		{"ref with a blank", "git: {ref: a b}", "right form"},
		{"secret written out", "credentials: [{clusterId: a, address: 'a:1', tokenFrom: 'root:hunter2'}]", "must be a mapping, not a string"},
		{"secret as a name", "credentials: [{clusterId: a, address: 'a:1', tokenFrom: {env: 'root:hunter2'}}]", "not the name of an environment variable"},
		{"secret in a uri", "credentials: [{clusterId: a, address: 'a:1', uri: 'http://root:hunter2@a:1'}]", "user or password"},
		{"secret in an address", "credentials: [{clusterId: a, address: 'http://root:hunter2@a:1'}]", "user or password"},
		{"secret in an endpoint", "ledger: {etcd: {endpoints: ['https://root:hunter2@e:1']}}", "user or password"},
		{"a kubeconfig without a context", "ledger: {kubernetes: {namespace: n, name: l, kubeconfig: /k}}", "kubeconfig and context go together"},
		{"a lease of a part of a second", "ledger: {kubernetes: {namespace: n, name: l, ttl: 1500ms}}", "whole seconds"},
		{"two ledgers", "ledger: {path: /l.db, kubernetes: {namespace: n, name: l}}", "/ledger"},
		{"empty ledger", "ledger: {}", "exactly one of etcd, kubernetes, path"},
		{"quorum of nobody", "approval: {quorum: {other: 0}}", "less than 1"},
		{"maxAge of nothing", "approval: {maxAge: 0s}", "more than 0"},
		{"maxAge as a number", "approval: {maxAge: 2}", "must be a string or a mapping"},
		{"empty program", "redirect: [{name: a, exec: {command: ['']}}]", "the program is empty"},
		{"socket without path", "redirect: [{name: a, haproxy: {address: 'unix:', backend: b, servers: {a: b}}}]", "the socket has no path"},
		{"no servers", "redirect: [{name: a, haproxy: {address: 'h:1', backend: b, servers: {}}}]", "it is empty"},
		{"a record of two topologies", dnsTarget("topologies: [a, b]", "record: m.example"), "a record leads to the primary of one topology"},
		{"a record of all topologies", dnsTarget("timeout: 1s", "record: m.example"), "a record leads to the primary of one topology"},
		{"a record outside of its zone", dnsTarget("topologies: [a]", "record: m.anexample"), `"m.anexample" is not in the zone "example."`},
		{"a TTL of half a second", dnsTarget("topologies: [a]", "record: m.example, ttl: 500ms"), "in whole seconds"},
		{"two aliases", dnsTarget("topologies: [a]", "record: m.example, values: {a: [x, y]}"), "an alias of one other name only"},
		{"values of no cluster", dnsTarget("topologies: [a]", "record: m.example, values: {'a b': [x]}"), "not a cluster id"},
		{"a server without a port", dnsTarget("topologies: [a]", "record: m.example, servers: [ns]"), "has no port"},
		{"a name with a line break", dnsTarget("topologies: [a]", `record: "m\n.example"`), "right form"},
		{"a weak algorithm", "redirect: [{name: d, topologies: [a], dns: {server: 'n:53', zone: example, record: m.example, type: A, key: {name: k, algorithm: hmac-md5, secretFrom: {env: S}}}}]", "hmac-md5"},
		{"a key written out", "redirect: [{name: d, topologies: [a], dns: {server: 'n:53', zone: example, record: m.example, type: A, key: {name: k, secret: x}}}]", `unknown key "secret"`},
		{"two targets of one record", dnsTarget("topologies: [a]", "record: m.example") + "\n  - " + strings.TrimPrefix(strings.ReplaceAll(dnsTarget("topologies: [b]", "record: M.example."), "name: d,", "name: e,"), "redirect:\n  - "), `the target "d" has the same record`},
		{"same receiver twice", "notify: [{name: a, url: 'http://a'}, {name: a, url: 'http://b'}]", "appears twice"},
		{"forge without commit", "notify: [{name: a, url: 'https://a/statuses', format: github}]", "where the commit goes"},
		{"mail without addresses", "notify: [{name: a, url: 'smtp://a', format: email}]", "who writes to whom"},
		{"mail by http", "notify: [{name: a, url: 'https://a', format: email, email: {from: a@b.example, to: [a@b.example]}}]", "not the URL of a mail server"},
		{"a mail server for a chat", "notify: [{name: a, url: 'smtp://a', format: slack}]", "not an http or https URL"},
		{"mail with a password in the URL", "notify: [{name: a, url: 'smtp://u:p@a', format: email, email: {from: a@b.example, to: [a@b.example]}}]", "holds a user or password"},
		{"mail with half a login", "notify: [{name: a, url: 'smtp://a', format: email, secretFrom: {env: X}, email: {from: a@b.example, to: [a@b.example]}}]", "a login needs a user and a password"},
		{"mail to nobody", "notify: [{name: a, url: 'smtp://a', format: email, email: {from: a@b.example, to: ['a b']}}]", "is no e-mail address"},
		{"addresses for a chat", "notify: [{name: a, url: 'https://a', format: teams, email: {from: a@b.example, to: [a@b.example]}}]", "the target sends no mail"},
		{"PagerDuty without its key", "notify: [{name: a, url: 'https://a', format: pagerduty}]", "the routing key of PagerDuty is missing"},
		{"PagerDuty in the clear", "notify: [{name: a, url: 'http://a', format: pagerduty, secretFrom: {env: X}}]", "does not go over http"},
		{"forge in the clear", "notify: [{name: a, url: 'http://a/{commit}', format: gitlab}]", "does not go over http"},
		{"mode of a file", "redirect: [{name: a, file: {template: t, path: p, mode: rw}}]", "right form"},
		{"unknown section", "webhooks: []", `unknown key "webhooks"`},
		{"topology", "spec: {}", `unknown key "spec"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, problems := ParseConfig("c.yaml", []byte(emptyConfig+tt.text+"\n"))
			if diff := cmp.Diff(Config{}, got); diff != "" {
				t.Errorf("a bad configuration was let through:\n%s", diff)
			}
			if !strings.Contains(problems.Error(), tt.want) {
				t.Errorf("%q is missing in:\n%v", tt.want, problems)
			}
			if strings.Contains(problems.Error(), "hunter2") {
				t.Errorf("a secret is shown: %v", problems)
			}
		})
	}
}

func TestSecretRefAndLedger(t *testing.T) {
	tests := []struct {
		ref  SecretRef
		want string
	}{
		{SecretRef{}, "nothing"},
		{SecretRef{Env: "A"}, "environment variable A"},
		{SecretRef{File: "f"}, "file f"},
	}
	for _, tt := range tests {
		if got := tt.ref.String(); got != tt.want || tt.ref.IsZero() != (tt.want == "nothing") {
			t.Errorf("%#v: %q, zero %t", tt.ref, got, tt.ref.IsZero())
		}
	}
	if !(Ledger{}).IsZero() || (Ledger{Path: "x"}).IsZero() || (Ledger{Etcd: &LedgerEtcd{}}).IsZero() {
		t.Error("Ledger.IsZero")
	}
}

// dnsTarget is a configuration with one dns target.
func dnsTarget(target, record string) string {
	return "redirect:\n  - {name: d, " + target + ", dns: {server: 'n:53', zone: example., type: CNAME, key: {name: k, secretFrom: {env: S}}, " + record + "}}"
}
