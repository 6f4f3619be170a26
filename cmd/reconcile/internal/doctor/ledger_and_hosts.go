package doctor

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	"milvus-reconcile/cmd/reconcile/internal/render"
	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/ledger"
	"milvus-reconcile/schema"
)

func (x *examination) ledgerCheck(s ledger.Snapshot) render.Check {
	c := render.Check{Area: "ledger", Verdict: render.CheckOK}
	if _, exists := s.Born(); !exists {
		c.Verdict, c.Message = render.CheckWarning, "it does not exist yet, and run ignores approvals that are older than the ledger"
		c.Remedy = "create it before you need it: 'reconcile apply'"
		return c
	}
	proof, whole := s.Proof()
	c.Message = fmt.Sprintf("its chain of %d records is whole; %s", len(s.History("")), proof)
	if !whole {
		c.Verdict = render.CheckWarning
		c.Remedy = "if it was restored from a backup: 'reconcile ledger accept'; else nothing: the next run that may write accepts it"
	}
	return c
}

// checkLedgerWrites tries what an apply would write, and leaves nothing in the ledger.
func (x *examination) checkLedgerWrites(ctx context.Context, l *ledger.Ledger, topologies []plan.Topology, open []plan.Intent) {
	c := render.Check{Area: "ledger", Subject: x.ledgerSubject(), Verdict: render.CheckOK, Message: "it can be written, and its locks can be taken: both were tested, and nothing was left behind"}
	var names []string
	for _, t := range topologies {
		names = append(names, t.Name)
	}
	tried, err := l.Try(ctx, names)
	if err != nil {
		c.Verdict, c.Blocks, c.Message = render.CheckFailed, true, "it cannot be written: "+err.Error()
		c.Remedy = "make room, and let the user of reconcile write it and every file in its folder"
		if x.e.Config.Ledger.Kubernetes != nil {
			c.Message, _, _ = strings.Cut(c.Message, " (hint: ")
			c.Remedy = "give it its rights: 'kubectl apply -f docs/deploy/kubernetes/ledger.yaml'; and see that the API server answers"
		}
	}
	x.check(c)
	for _, note := range tried.Notes {
		x.check(render.Check{Area: "ledger", Subject: c.Subject, Verdict: render.CheckWarning, Message: note, Remedy: "correct this before the ledger can no longer be written"})
	}
	for _, held := range tried.Held {
		if slices.ContainsFunc(open, func(i plan.Intent) bool { return i.Topology == held.Topology }) {
			continue // the topology is under way, and says so
		}
		x.check(render.Check{
			Area: "ledger", Subject: held.Topology, Verdict: render.CheckWarning,
			Message: held.Error() + ": it probes or prepares a change; meanwhile another apply ends with 4",
			Remedy:  "wait until it ends: 'reconcile status " + held.Topology + " --watch'",
		})
	}
}

// ledgerSubject names the ledger in one word.
func (x *examination) ledgerSubject() string {
	if etcd := x.e.Config.Ledger.Etcd; etcd != nil {
		return strings.Join(etcd.Endpoints, ", ")
	}
	return x.e.LedgerPlace()
}

// checkShards finds the topologies on which no daemon acts, and the shards without a leader.
func (x *examination) checkShards(ctx context.Context, l *ledger.Ledger, d plan.Desired) {
	x.undecided = map[string]plan.Finding{}
	for _, t := range d.Topologies {
		if _, f := d.ShardOf(t.Name); f != nil {
			x.undecided[t.Name] = *f
		}
	}
	for _, s := range d.Shards {
		c := render.Check{Area: "ledger", Subject: "shard " + s.Name, Verdict: render.CheckOK}
		leader, ok, err := l.LeaderOf(ctx, s.Name)
		switch {
		case err != nil:
			c.Verdict, c.Message = render.CheckWarning, "it is not known who leads it: "+err.Error()
		case !ok:
			c.Verdict, c.Message = render.CheckWarning, "no daemon leads it: approved changes of its topologies are not carried out automatically"
			c.Remedy = "start 'reconcile run --shard " + s.Name + "'; 'reconcile apply' by hand works meanwhile"
		case leader.Shard != s.Name:
			c.Verdict, c.Message = render.CheckWarning, leader.String()+" leads all topologies, so no shard can have a leader"
			c.Remedy = "end it, and start one daemon for each shard"
		default:
			c.Message = leader.String() + " leads it"
		}
		x.check(c)
	}
}

// checkLocations checks by their addresses whether the ledger or Git would be lost with a
// primary.
func (x *examination) checkLocations(ctx context.Context, topologies []plan.Topology) {
	defer x.e.Doing("resolving the addresses of the ledger and Git")()
	if !x.e.Config.Ledger.IsZero() {
		x.checkLocation(ctx, "the ledger", x.ledgerHosts(), topologies)
	}
	x.checkLocation(ctx, "Git", gitHosts(x.e.Git.URL), topologies)
}

// thisMachine is the host of a file.
const thisMachine = ""

// ledgerHosts returns the hosts of the ledger. An API server whose credentials cannot be read
// has none that is known.
func (x *examination) ledgerHosts() []string {
	if x.e.Config.Ledger.Kubernetes != nil {
		return x.e.KubernetesHosts()
	}
	return hostsOf(x.e.Config.Ledger)
}

func hostsOf(l schema.Ledger) []string {
	if l.Etcd == nil {
		return []string{thisMachine}
	}
	var out []string
	for _, e := range l.Etcd.Endpoints {
		if u, err := url.Parse(e); err == nil && u.Hostname() != "" {
			out = append(out, u.Hostname())
			continue
		}
		host, _, err := net.SplitHostPort(e)
		if err != nil {
			host = e
		}
		out = append(out, host)
	}
	return out
}

// gitHosts returns the host of a URL or of user@host:path, else thisMachine.
func gitHosts(raw string) []string {
	if u, err := url.Parse(raw); err == nil && u.Hostname() != "" {
		return []string{u.Hostname()}
	}
	if host, _, ok := strings.Cut(raw, ":"); ok && strings.Contains(host, "@") && !strings.Contains(host, "/") {
		return []string{host[strings.LastIndex(host, "@")+1:]}
	}
	return []string{thisMachine}
}

// firstFew names the first of some things and counts the rest.
func firstFew(names []string) string {
	const few = 3
	if len(names) <= few {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d others", strings.Join(names[:few-1], ", "), len(names)-few+1)
}

func (x *examination) checkLocation(ctx context.Context, what string, hosts []string, topologies []plan.Topology) {
	c := render.Check{Area: "location", Subject: what}
	var with []string
	for _, t := range topologies {
		primary, _ := t.Primary()
		host, _, err := net.SplitHostPort(primary.ClientAddress)
		if err == nil && slices.ContainsFunc(hosts, func(h string) bool { return sameHost(ctx, h, host) }) {
			with = append(with, primary.ID+" of "+t.Name)
		}
	}
	local := slices.Contains(hosts, thisMachine)
	switch {
	case len(with) > 0:
		c.Verdict = render.CheckWarning
		c.Message = "it lies on the machine or address of " + firstFew(with) + ": an outage of the primary can hit it too"
		c.Remedy = "move it out of the primary's region, and keep a clone elsewhere"
	case local:
		c.Message = "it is a file on this machine and is lost with it; no address shows whether this machine is in the primary's region"
	default:
		c.Verdict, c.Message = render.CheckOK, "it shares no address with a primary; no address shows whether it shares the region"
	}
	x.check(c)
}

// dialTimeout is the time limit of one lookup, handshake or request.
const dialTimeout = 5 * time.Second

// sameHost reports whether two hosts share an address, or are both this machine. Names
// that do not resolve are compared as text.
func sameHost(ctx context.Context, a, b string) bool {
	if a != thisMachine && strings.EqualFold(a, b) {
		return true
	}
	mine, theirs := addressesOf(ctx, a), addressesOf(ctx, b)
	return slices.ContainsFunc(mine, func(ip string) bool { return slices.Contains(theirs, ip) })
}

// addressesOf returns the addresses of a host. All loopback addresses count as one, and
// this machine has it too.
func addressesOf(ctx context.Context, host string) []string {
	var found []string
	if host == thisMachine {
		found = append(found, "127.0.0.1")
		nets, _ := net.InterfaceAddrs() // none known: only loopback can be told
		for _, n := range nets {
			if ip, _, err := net.ParseCIDR(n.String()); err == nil {
				found = append(found, ip.String())
			}
		}
	} else {
		ctx, cancel := context.WithTimeout(ctx, dialTimeout)
		defer cancel()
		found, _ = net.DefaultResolver.LookupHost(ctx, host) // one that does not resolve has none
	}
	for i, a := range found {
		if ip := net.ParseIP(a); ip != nil && ip.IsLoopback() {
			found[i] = "loopback"
		}
	}
	return found
}
