package schema

import (
	"fmt"
	"net"
	"net/mail"
	"net/url"
	"strings"
	"time"

	"milvus-reconcile/plan"
)

func secret(f field) SecretRef {
	return SecretRef{Env: f.get("env").text(), File: f.get("file").text()}
}

func tlsOf(f field) *TLS {
	if !f.set {
		return nil
	}
	out := &TLS{
		CAFile:     f.get("caFile").text(),
		CertFile:   f.get("certFile").text(),
		KeyFile:    f.get("keyFile").text(),
		ServerName: f.get("serverName").text(),
	}
	if f.get("certFile").set != f.get("keyFile").set {
		f.fail("certFile and keyFile go together", "write both or neither")
	}
	return out
}

func addressOr(f field, fallback string) string {
	if !f.set {
		return fallback
	}
	return f.address()
}

// uniqueNames reads a list of names that may stand once each.
func uniqueNames(f field) []string {
	seen := map[string]bool{}
	for _, item := range f.items() {
		if name := item.text(); name != "" && seen[name] {
			item.fail(fmt.Sprintf("%s appears twice", quoted(name)), "remove one of them")
		}
		seen[item.text()] = true
	}
	return f.texts()
}

func ledger(f field) Ledger {
	out := Ledger{Path: f.get("path").text()}
	if etcd := f.get("etcd"); etcd.set {
		out.Etcd = &LedgerEtcd{
			Endpoints: etcd.get("endpoints").texts(),
			Prefix:    etcd.get("prefix").textOr("/reconcile"),
			TLS:       tlsOf(etcd.get("tls")),
			Username:  secret(etcd.get("usernameFrom")),
			Password:  secret(etcd.get("passwordFrom")),
			TTL:       etcd.get("ttl").intervalOr(15 * time.Second),
		}
		for _, e := range etcd.get("endpoints").items() {
			checkEndpoint(e)
		}
	}
	if kube := f.get("kubernetes"); kube.set {
		out.Kubernetes = &LedgerKubernetes{
			Access:    kubernetesAccess(kube),
			Namespace: kube.get("namespace").text(),
			Name:      kube.get("name").text(),
			TTL:       kube.get("ttl").intervalOr(15 * time.Second),
		}
		if out.Kubernetes.TTL%time.Second != 0 {
			kube.get("ttl").fail("Kubernetes counts a lease in whole seconds", "write whole seconds, such as 15s")
		}
	}
	return out
}

func checkEndpoint(f field) {
	if strings.Contains(f.text(), "://") {
		f.webURL()
		return
	}
	f.address()
}

var redirectKinds = []string{"exec", "webhook", "file", "haproxy", "dns", "kubernetes"}

func redirects(f field) []RedirectTarget {
	var out []RedirectTarget
	for _, item := range f.items() {
		checkOneKind(item)
		out = append(out, RedirectTarget{
			Name:       item.get("name").text(),
			Topologies: uniqueNames(item.get("topologies")),
			Timeout:    item.get("timeout").intervalOr(30 * time.Second),
			Exec:       redirectExec(item.get("exec")),
			Webhook:    redirectWebhook(item.get("webhook")),
			File:       redirectFile(item.get("file")),
			HAProxy:    redirectHAProxy(item.get("haproxy")),
			DNS:        redirectDNS(item.get("dns")),
			Kubernetes: redirectKubernetes(item.get("kubernetes")),
			OldPrimary: oldPrimary(item.get("oldPrimary")),
			At:         item.position(),
		})
	}
	checkNames(f)
	checkRecords(f)
	return out
}

func checkOneKind(f field) {
	var found []string
	for _, kind := range redirectKinds {
		if f.get(kind).set {
			found = append(found, kind)
		}
	}
	hint := "write exactly one of " + strings.Join(redirectKinds, ", ")
	switch {
	case len(found) == 0:
		f.fail("the target does not say how to redirect", hint)
	case len(found) > 1:
		f.fail("the target has "+strings.Join(found, " and "), hint)
	}
}

// checkNames: targets are told apart by name in reports and in the ledger.
func checkNames(f field) {
	seen := map[string]bool{}
	for _, item := range f.items() {
		name := item.get("name")
		if name.text() != "" && seen[name.text()] {
			name.fail(fmt.Sprintf("the name %s appears twice", quoted(name.text())), "give each entry its own name")
		}
		seen[name.text()] = true
	}
}

// clusters reads what may be done to clusters; only one that may be called is
// cared for.
func clusters(f, credentials field) []ClusterCare {
	var out []ClusterCare
	called, seen := map[string]bool{}, map[string]bool{}
	for _, c := range credentials.items() {
		called[c.get("clusterId").text()] = true
	}
	for _, item := range f.items() {
		id := item.get("id")
		switch name := id.text(); {
		case name == "":
		case seen[name]:
			id.fail(quoted(name)+" appears twice", "keep one entry for each cluster")
		case !called[name]:
			id.fail(quoted(name)+" has no credential", "add it to credentials, or correct the id")
		}
		seen[id.text()] = true
		c := ClusterCare{ID: id.text(), At: item.position()}
		if restart := item.get("restart"); restart.set {
			argv := restart.get("exec").get("command")
			checkProgram(argv)
			c.Restart = &Restart{Command: argv.texts(), Timeout: restart.get("timeout").intervalOr(2 * time.Minute)}
		}
		if rebuild := item.get("rebuild"); rebuild.set {
			argv := rebuild.get("exec").get("command")
			checkProgram(argv)
			c.Rebuild = &Rebuild{Command: argv.texts(), Timeout: rebuild.get("timeout").intervalOr(10 * time.Minute)}
		}
		if place := item.get("kubernetes"); place.set {
			c.Kubernetes = &KubernetesPlace{
				Namespace: place.get("namespace").text(), Instance: place.get("instance").text(),
				Kubeconfig: place.get("kubeconfig").text(), Context: place.get("context").text(),
			}
			if place.get("kubeconfig").set != place.get("context").set {
				place.fail("kubeconfig and context go together", "write both, or neither for the service account of the pod")
			}
		}
		out = append(out, c)
	}
	return out
}

func checkProgram(argv field) {
	if items := argv.items(); len(items) > 0 && items[0].value == "" {
		items[0].fail("the program is empty", "write the path of the program first")
	}
}

func redirectExec(f field) *RedirectExec {
	if !f.set {
		return nil
	}
	checkProgram(f.get("command"))
	checkProgram(f.get("check"))
	return &RedirectExec{Command: f.get("command").texts(), Check: f.get("check").texts()}
}

func redirectWebhook(f field) *RedirectWebhook {
	if !f.set {
		return nil
	}
	return &RedirectWebhook{
		URL:      f.get("url").webURL(),
		Secret:   secret(f.get("secretFrom")),
		CheckURL: f.get("checkUrl").webURL(),
	}
}

func redirectFile(f field) *RedirectFile {
	if !f.set {
		return nil
	}
	return &RedirectFile{Template: f.get("template").text(), Path: f.get("path").text(), Mode: fileMode(f.get("mode"))}
}

func redirectHAProxy(f field) *RedirectHAProxy {
	if !f.set {
		return nil
	}
	address := f.get("address")
	out := &RedirectHAProxy{Address: address.text(), Backend: f.get("backend").text(), Servers: map[string]string{}}
	if path, ok := strings.CutPrefix(out.Address, "unix:"); !ok {
		address.address()
	} else if path == "" {
		address.fail("the socket has no path", "write unix:/run/haproxy.sock")
	}
	ids, servers := f.get("servers").entries()
	for i, id := range ids {
		if !clusterID().MatchString(id) {
			servers[i].fail(quoted(id)+" is not a cluster id", "use the cluster's id as key")
		}
		out.Servers[id] = servers[i].text()
	}
	return out
}

func notify(f field) []NotifyTarget {
	var out []NotifyTarget
	for _, item := range f.items() {
		checkForge(item)
		checkPager(item)
		format := NotifyFormat(item.get("format").textOr(string(NotifyCloudEvents)))
		out = append(out, NotifyTarget{
			Name:        item.get("name").text(),
			URL:         notifyURL(item.get("url"), format),
			Secret:      secret(item.get("secretFrom")),
			Format:      format,
			MinSeverity: plan.Severity(item.get("minSeverity").textOr(string(plan.SeverityWarning))),
			Email:       notifyMail(item, format),
		})
	}
	checkNames(f)
	return out
}

func notifyURL(f field, format NotifyFormat) string {
	if format == NotifyEmail {
		return f.mailURL()
	}
	return f.webURL()
}

// checkPager: PagerDuty takes nothing without its routing key, which is for TLS.
func checkPager(f field) {
	if NotifyFormat(f.get("format").text()) != NotifyPagerDuty {
		return
	}
	if !f.get("secretFrom").set {
		f.fail("the routing key of PagerDuty is missing", "write secretFrom: {env: NAME} or {file: PATH}")
	}
	u := f.get("url")
	if parsed, err := url.Parse(u.text()); err == nil && parsed.Scheme == "http" && !isLoopback(parsed.Hostname()) {
		u.fail("PagerDuty's routing key does not go over http", "write https://events.pagerduty.com/v2/enqueue")
	}
}

// notifyMail reads what only mail needs, and refuses it elsewhere.
func notifyMail(f field, format NotifyFormat) *NotifyMail {
	email := f.get("email")
	switch {
	case format != NotifyEmail && email.set:
		email.fail("the target sends no mail", "write format: email, or remove it")
	case format == NotifyEmail && !email.set:
		f.fail("it does not say who writes to whom", "write email: {from: reconcile@example.com, to: [ops@example.com]}")
	}
	if format != NotifyEmail || !email.set {
		return nil
	}
	if email.get("usernameFrom").set != f.get("secretFrom").set {
		email.fail("a login needs a user and a password", "write email.usernameFrom and secretFrom, or neither")
	}
	out := &NotifyMail{From: mailbox(email.get("from")), Username: secret(email.get("usernameFrom")), TLS: tlsOf(email.get("tls"))}
	for _, to := range email.get("to").items() {
		out.To = append(out.To, mailbox(to))
	}
	return out
}

// mailbox is one address, with or without a name.
func mailbox(f field) string {
	if _, err := mail.ParseAddress(f.text()); f.text() != "" && err != nil {
		f.fail(quoted(f.text())+" is no e-mail address", "write name@example.com, or 'NAME <name@example.com>'")
	}
	return f.text()
}

// checkForge: a forge's status belongs to one commit, and its token is for TLS.
func checkForge(f field) {
	u := f.get("url")
	if !NotifyFormat(f.get("format").text()).Forge() || u.text() == "" {
		return
	}
	if !strings.Contains(u.text(), "{commit}") {
		u.fail("it does not say where the commit goes", "write {commit} in it, as in https://api.github.com/repos/OWNER/REPO/statuses/{commit}")
	}
	if parsed, err := url.Parse(u.text()); err == nil && parsed.Scheme == "http" && !isLoopback(parsed.Hostname()) {
		u.fail("a forge's token does not go over http", "write https://…")
	}
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
