package schema

import (
	"fmt"
	"io/fs"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/approval"
)

// ParseConfig reads the operator's configuration, exactly one document. With
// problems the Config is the zero value. Whether a path lies inside a work
// tree is for the caller to check.
func ParseConfig(file string, data []byte) (Config, Problems) {
	if len(data) > maxConfigSize {
		return Config{}, Problems{{
			File: file, Message: fmt.Sprintf("the file has %d bytes, more than the %d allowed", len(data), maxConfigSize),
			Hint: "divide the topologies among daemons by 'shards', each with the credentials of its own in a file of its own",
		}}
	}
	text := []byte(strings.TrimPrefix(string(data), "\ufeff"))
	if problems := checkRunes(file, text); len(problems) > 0 {
		return Config{}, problems.sorted()
	}
	chunks, problems := split(text), Problems(nil)
	var config Config
	found := 0
	for _, c := range chunks {
		d := newDocument(file, c)
		d.block = true
		parsed := parseConfigDocument(d)
		if d.root == nil && len(d.problems) == 0 {
			continue
		}
		if found++; found == 1 {
			config = parsed
		} else {
			d.failAt("", position{c.line, 1}, "a second document: the configuration is one document", "remove it, or merge it into the first")
		}
		problems = append(problems, d.problems...)
	}
	if found == 0 {
		problems = append(problems, Problem{
			File: file, Line: 1, Column: 1, Message: "the configuration is empty",
			Hint: "start it with apiVersion: " + apiVersion + " and kind: " + docKindConfig,
		})
	}
	if len(problems) > 0 {
		return Config{}, problems.sorted()
	}
	return config, nil
}

func parseConfigDocument(d *document) Config {
	d.parseNodes()
	d.decode()
	if !d.decoded || !d.ofKind(docKindConfig) {
		return Config{}
	}
	d.checkStructure(configSchema())
	return d.config()
}

func (d *document) config() Config {
	root := d.field()
	return Config{
		Mode:          Mode(root.get("mode").text()),
		Git:           gitConfig(root.get("git")),
		SweepInterval: root.get("sweepInterval").intervalOr(30 * time.Second),
		Suspend:       uniqueNames(root.get("suspend")),
		Shards:        shards(root.get("shards")),
		Freeze:        freezes(root.get("freeze")),
		Waves:         waves(root.get("waves")),
		Credentials:   credentials(root.get("credentials")),
		Approval:      approvalRules(root.get("approval")),
		Limits:        limits(root.get("limits")),
		Fence:         Fence(root.get("fence").textOr(string(FenceManual))),
		Load:          Loading(root.get("load").textOr(string(LoadManual))),
		ProbeEvery:    probeEvery(root.get("rehearse").get("probe")),
		Ledger:        ledger(root.get("ledger")),
		Clusters:      clusters(root.get("clusters"), root.get("credentials")),
		Redirect:      redirects(root.get("redirect")),
		Notify:        notify(root.get("notify")),
		Audit:         auditSchedule(root.get("audit")),

		KubernetesStatus: kubernetesStatus(root.get("kubernetesStatus")),
		Serve: Serve{
			Address:       addressOr(root.get("serve").get("address"), "127.0.0.1:9640"),
			PublicURL:     root.get("serve").get("publicUrl").webURL(),
			Hosts:         uniqueNames(root.get("serve").get("hosts")),
			WebhookSecret: secret(root.get("serve").get("webhookSecretFrom")),
			TLS:           tlsOf(root.get("serve").get("tls")),
		},
	}
}

// The defaults of the audits of run.
const (
	auditBudget = 5 * time.Minute
	auditRows   = 20
)

func auditSchedule(f field) Audit {
	every := f.get("every").intervalOr(0)
	if every == 0 {
		return Audit{}
	}
	return Audit{Every: every, Budget: f.get("budget").intervalOr(auditBudget), Rows: int(f.get("rows").numberOr(auditRows))}
}

func gitConfig(f field) Git {
	auth := f.get("auth")
	return Git{
		URL:          gitURL(f.get("url")),
		Ref:          f.get("ref").textOr("refs/heads/main"),
		Path:         gitPath(f.get("path")),
		PollInterval: f.get("pollInterval").intervalOr(30 * time.Second),
		CacheDir:     f.get("cacheDir").text(),
		Auth: GitAuth{
			SSHKeyFile:       auth.get("sshKeyFile").text(),
			SSHKeyPassphrase: secret(auth.get("sshKeyPassphraseFrom")),
			SSHAgent:         auth.get("sshAgent").flagOr(false),
			KnownHostsFile:   auth.get("knownHostsFile").text(),
			Username:         secret(auth.get("usernameFrom")),
			Password:         secret(auth.get("passwordFrom")),
			CAFile:           auth.get("caFile").text(),
		},
	}
}

// gitURL accepts ssh (also as user@host:path), https, file and local paths.
// Transports that Git would start as programs are refused, and so are those
// without encryption, but to this machine itself.
func gitURL(f field) string {
	s := f.text()
	hint := "write ssh://git@host/path, https://host/path, file:///path or a local path"
	scheme, _, found := strings.Cut(s, "://")
	if !found {
		if strings.Contains(s, "::") || strings.HasPrefix(s, "-") {
			f.fail("this is not a Git URL that is allowed", hint)
		}
		return s
	}
	u, err := url.Parse(s)
	switch {
	case err != nil:
		f.fail("this is not a URL", hint)
	case (scheme == "http" || scheme == "git") && isLoopback(u.Hostname()) && !hasPassword(u):
	case !slices.Contains([]string{"ssh", "https", "file"}, scheme):
		f.fail(fmt.Sprintf("the scheme %s is not allowed", quoted(scheme)), hint)
	case hasPassword(u):
		f.fail("the URL holds a password", "only references to secrets belong in the configuration: use git.auth.passwordFrom: {env: NAME} or {file: PATH}")
	case scheme != "file" && u.Hostname() == "":
		f.fail("the URL has no host", hint)
	}
	return s
}

func hasPassword(u *url.URL) bool {
	_, ok := u.User.Password()
	return ok
}

func gitPath(f field) string {
	s := f.textOr("topologies")
	if s != "" && !fs.ValidPath(s) {
		f.fail(quoted(s)+" is not a path inside the repository", "write it relative to the root, without '.', '..' or a leading or trailing slash, such as topologies")
	}
	return s
}

// shards reads which daemon acts on which topologies.
func shards(f field) []plan.Shard {
	var out []plan.Shard
	seen := map[string]bool{}
	for _, item := range f.items() {
		s := plan.Shard{Name: item.get("name").text(), Paths: shardPaths(item.get("paths")), Labels: labels(item.get("labels"))}
		if s.Name != "" && seen[s.Name] {
			item.get("name").fail(fmt.Sprintf("a second shard %s", quoted(s.Name)), "give each shard a name of its own")
		}
		if !item.get("paths").set && !item.get("labels").set {
			item.fail("the shard takes no topology", "write 'paths', 'labels' or both")
		}
		seen[s.Name] = true
		out = append(out, s)
	}
	return out
}

// shardPaths reads patterns of files and folders inside the repository.
func shardPaths(f field) []string {
	for _, item := range f.items() {
		s := item.text()
		if _, err := path.Match(s, ""); err != nil {
			item.fail(quoted(s)+" is not a pattern", "'[' needs its ']'; write a folder such as topologies/eu, or a pattern such as topologies/eu-*")
		} else if s != "" && (!fs.ValidPath(s) || s == ".") {
			item.fail(quoted(s)+" is not a path inside the repository", "write it relative to the root, without '.', '..' or a leading or trailing slash, such as topologies/eu")
		}
	}
	return f.texts()
}

func credentials(f field) []Credential {
	var out []Credential
	seen := map[string]bool{}
	for _, item := range f.items() {
		c := Credential{
			ClusterID:        item.get("clusterId").text(),
			Address:          item.get("address").address(),
			URI:              item.get("uri").text(),
			Token:            secret(item.get("tokenFrom")),
			ReplicationToken: secret(item.get("replicationTokenFrom")),
			TLS:              tlsOf(item.get("tls")),
			At:               item.position(),
		}
		item.get("uri").clusterURI()
		if !item.get("replicationTokenFrom").set {
			c.ReplicationToken = c.Token
		}
		if c.ClusterID != "" && seen[c.ClusterID] {
			item.get("clusterId").fail(fmt.Sprintf("a second credential for cluster %s", quoted(c.ClusterID)), "keep one entry for each cluster")
		}
		seen[c.ClusterID] = true
		out = append(out, c)
	}
	return out
}

func approvalRules(f field) Approval {
	quorum := f.get("quorum")
	return Approval{
		SignatureRequired: f.get("signature").textOr("required") != "optional",
		AllowedSigners:    f.get("allowedSigners").textOr(DefaultAllowedSigners),
		Keyring:           f.get("keyring").text(),
		DistinctAuthor:    f.get("distinctAuthor").flagOr(true),
		Repository:        f.get("repository").text(),
		Quorum: approval.Quorum{
			Switchover: int(quorum.get("switchover").numberOr(1)),
			Failover:   int(quorum.get("failover").numberOr(1)),
			Other:      int(quorum.get("other").numberOr(1)),
		},
		MaxAge: maxAge(f.get("maxAge")),
	}
}

// maxAge is one value for all, or a mapping.
func maxAge(f field) approval.MaxAge {
	if _, ok := f.value.(string); ok {
		v := f.intervalOr(0)
		return approval.MaxAge{Failover: v, Other: v}
	}
	return approval.MaxAge{
		Failover: f.get("failover").intervalOr(2 * time.Hour),
		Other:    f.get("other").intervalOr(24 * time.Hour),
	}
}

func limits(f field) plan.Failover {
	return plan.Failover{
		UnavailableFor: f.get("unavailableFor").durationOr(0),
		Probes:         int(f.get("probes").numberOr(0)),
		BlockPeriod:    f.get("blockPeriod").durationOr(0),
		Verify:         plan.VerifyLevel(f.get("verify").text()),
	}
}

func fileMode(f field) fs.FileMode {
	mode, err := strconv.ParseUint(f.textOr("0644"), 8, 12)
	if err != nil {
		return 0
	}
	return fs.FileMode(mode)
}

// probeEvery is the pause of the probe client of rehearsals; 0: there is none.
func probeEvery(f field) time.Duration {
	if !f.set {
		return 0
	}
	return f.get("every").intervalOr(0)
}
