package redirect

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/redirect/nameserver"
)

// name is a dns target: one record, which holds the values of one cluster at a time.
type name struct {
	conf   DNS
	dial   func(ctx context.Context, network, address string) (net.Conn, error)
	values map[string][]string // sorted, by cluster id
	key    nameserver.Key
	record nameserver.Record
}

// newName prepares the values of every cluster.
func newName(c DNS, o Options) (name, error) {
	n := name{conf: c, dial: o.Dial, values: map[string][]string{}}
	var bad [3]error
	n.record.Type = c.Type
	n.record.Zone, bad[0] = nameserver.Name(c.Zone)
	n.record.Name, bad[1] = nameserver.Name(c.Name)
	n.key.Name, bad[2] = nameserver.Name(c.KeyName)
	n.key.Algorithm, n.key.Secret = c.Algorithm, c.Secret
	if err := errors.Join(bad[:]...); err != nil {
		return name{}, err
	}
	if len(c.Values) == 0 {
		n.deriveValues(o.Addresses)
		return n, nil
	}
	for id, texts := range c.Values {
		for _, text := range texts {
			value, err := nameserver.Value(c.Type, text)
			if err != nil {
				return name{}, fmt.Errorf("the values of %s: %w", id, err)
			}
			n.values[id] = append(n.values[id], value)
		}
		slices.Sort(n.values[id])
		n.values[id] = slices.Compact(n.values[id])
	}
	for _, id := range slices.Sorted(maps.Keys(n.values)) {
		if err := n.ambiguous(id); err != nil {
			return name{}, err
		}
	}
	return n, nil
}

// deriveValues makes the values from the addresses of the clusters. A cluster whose address
// makes no value of the type has none: it may belong to another topology.
func (n name) deriveValues(addresses map[string]string) {
	for id, address := range addresses {
		if value, err := valueOf(n.record.Type, address); err == nil {
			n.values[id] = []string{value}
		}
	}
}

// valueOf makes the value of a record from the address of a cluster.
func valueOf(kind, address string) (string, error) {
	host, port, err := net.SplitHostPort(address)
	switch {
	case err != nil:
		return "", fmt.Errorf("the address %s has no port", address)
	case net.ParseIP(host) != nil && (kind == nameserver.CNAME || kind == nameserver.SRV):
		return "", fmt.Errorf("%s is no name", host)
	case kind == nameserver.SRV:
		host = "0 0 " + port + " " + host
	}
	return nameserver.Value(kind, host) //nolint:wrapcheck // it names the text
}

// ambiguous: a value of two clusters does not say where the traffic goes.
func (n name) ambiguous(id string) error {
	for _, other := range slices.Sorted(maps.Keys(n.values)) {
		for _, value := range n.values[id] {
			if other != id && slices.Contains(n.values[other], value) {
				return fmt.Errorf("%s and %s have the same value %s (hint: write values, in which each cluster has its own)", min(id, other), max(id, other), value)
			}
		}
	}
	return nil
}

// concerns: the configuration names the topology of the record.
func (name) concerns(desiredTraffic) bool { return true }

// desired returns what the record should hold.
func (n name) desired(w desiredTraffic) (nameserver.RRset, error) {
	values := n.values[w.primary.Cluster]
	if len(values) == 0 && len(n.conf.Values) > 0 {
		return nameserver.RRset{}, fmt.Errorf("no value of the record is configured for %s (hint: add it to values)", w.primary.Cluster)
	}
	if len(values) == 0 {
		_, err := valueOf(n.record.Type, w.primary.Address)
		return nameserver.RRset{}, fmt.Errorf("the address of %s makes no %s: %w (hint: write values)", w.primary.Cluster, n.record.Type, err)
	}
	if err := n.ambiguous(w.primary.Cluster); err != nil {
		return nameserver.RRset{}, err
	}
	return nameserver.RRset{Values: values, TTL: uint32(n.conf.TTL.Seconds())}, nil
}

func (n name) server(address string) nameserver.Server {
	return nameserver.Server{Address: address, Dial: n.dial}
}

// held returns what the server that takes updates holds, if it may be replaced: a value
// that belongs to no cluster was set by somebody for a reason that is not known here.
func (n name) held(ctx context.Context) (nameserver.RRset, error) {
	old, err := n.server(n.conf.Server).Read(ctx, n.record.Name, n.record.Type)
	if err != nil {
		return old, fmt.Errorf("%s: %w", n.conf.Server, err)
	}
	for _, value := range old.Values {
		if n.owner(value) == "" {
			return old, fmt.Errorf("%s holds %s, which belongs to no cluster of the target: it is not overwritten (hint: set the record by hand, or add it to values)", n.record.Name, bounded(value))
		}
	}
	return old, nil
}

// owner returns the cluster that a value belongs to; "" for none.
func (n name) owner(value string) string {
	for _, id := range slices.Sorted(maps.Keys(n.values)) {
		if slices.Contains(n.values[id], value) {
			return id
		}
	}
	return ""
}

func (n name) set(ctx context.Context, w desiredTraffic) error {
	_, err := n.replace(ctx, w)
	return err
}

// replace replaces the record if it differs. A record that changed since it was read is
// read again by the next attempt.
func (n name) replace(ctx context.Context, w desiredTraffic) (replaced, error) {
	want, err := n.desired(w)
	if err != nil {
		return replaced{}, err
	}
	old, err := n.held(ctx)
	if err != nil || old.Same(want) && old.TTL == want.TTL {
		return replaced{}, err
	}
	if err := n.server(n.conf.Server).Replace(ctx, n.key, n.record, old, want); err != nil {
		return replaced{}, fmt.Errorf("%s: %w", n.conf.Server, err)
	}
	if len(old.Values) == 0 || old.Same(want) {
		return replaced{}, nil
	}
	return replaced{stay: plan.Stay{Known: true, New: time.Duration(old.TTL) * time.Second, Why: n.ttl()}}, nil
}

func (n name) ttl() string { return "the TTL of " + n.record.Name }

// check asks every authoritative server. One that does not answer may still send traffic
// elsewhere. A resolver that asked just before a change keeps the record for its TTL.
func (n name) check(ctx context.Context, w desiredTraffic) (plan.Stay, error) {
	want, err := n.desired(w)
	if err != nil {
		return plan.Stay{}, err
	}
	servers, err := n.authoritative(ctx)
	if err != nil {
		return plan.Stay{}, err
	}
	held, wrong := make([]nameserver.RRset, len(servers)), make([]error, len(servers))
	var wg sync.WaitGroup
	for i, address := range servers {
		wg.Go(func() {
			if held[i], wrong[i] = n.server(address).Read(ctx, n.record.Name, n.record.Type); wrong[i] != nil {
				wrong[i] = fmt.Errorf("%s: %w", address, wrong[i])
			} else if !held[i].Same(want) {
				wrong[i] = fmt.Errorf("%s answers %s, not %s", address, n.described(held[i]), strings.Join(want.Values, " and "))
			}
		})
	}
	wg.Wait()
	return n.stay(servers, held, wrong), joined(wrong)
}

// stay is the longest TTL that a server gives, if all of them answered and hold a record.
func (n name) stay(servers []string, held []nameserver.RRset, wrong []error) plan.Stay {
	longest := 0
	for i, s := range held {
		if len(s.Values) == 0 {
			return plan.Stay{}
		}
		if s.TTL > held[longest].TTL {
			longest = i
		}
	}
	out := plan.Stay{Known: true, New: time.Duration(held[longest].TTL) * time.Second, Why: n.ttl()}
	if out.New > n.conf.TTL {
		out.Why += fmt.Sprintf(" at %s, and not %s as configured", servers[longest], plan.DurationText(n.conf.TTL))
	}
	if out.New > n.conf.TTL && joined(wrong) == nil {
		out.Shorter = "lower it now, which works once the old one has passed: " + n.lower(held[longest].Values)
	}
	return out
}

// lower is a command that sets the TTL of the record, and nothing else.
func (n name) lower(values []string) string {
	host, port, _ := net.SplitHostPort(n.conf.Server)
	lines := []string{"'server " + host + " " + port + "'", `"key ` + n.conf.Algorithm + ":" + n.key.Name + " " + n.conf.SecretInShell + `"`, "'zone " + n.record.Zone + "'"}
	for _, value := range values {
		lines = append(lines, fmt.Sprintf("'prereq yxrrset %s %s %s'", n.record.Name, n.record.Type, value))
	}
	for _, value := range values {
		lines = append(lines, fmt.Sprintf("'update add %s %d %s %s'", n.record.Name, int(n.conf.TTL.Seconds()), n.record.Type, value))
	}
	return `printf '%s\n' ` + strings.Join(lines, " ") + " send | nsupdate -v"
}

// described names what a server holds, and whose it is.
func (n name) described(s nameserver.RRset) string {
	if len(s.Values) == 0 {
		return "nothing"
	}
	var out []string
	for _, value := range s.Values {
		text := bounded(value)
		if id := n.owner(value); id != "" {
			text += " (" + id + ")"
		}
		out = append(out, text)
	}
	return strings.Join(out, " and ")
}

// joined puts errors on one line.
func joined(errs []error) error {
	var out []string
	for _, err := range errs {
		if err != nil {
			out = append(out, err.Error())
		}
	}
	if out == nil {
		return nil
	}
	return errors.New(strings.Join(out, "; "))
}

// authoritative returns the servers that must answer: those of the configuration, or every
// name server of the zone and the one that takes updates.
func (n name) authoritative(ctx context.Context) ([]string, error) {
	if len(n.conf.Servers) > 0 {
		return n.conf.Servers, nil
	}
	names, err := n.server(n.conf.Server).NameServers(ctx, n.record.Zone)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", n.conf.Server, err)
	}
	out := []string{n.conf.Server}
	for _, host := range names {
		if address := net.JoinHostPort(strings.TrimSuffix(host, "."), "53"); address != n.conf.Server {
			out = append(out, address)
		}
	}
	return out, nil
}

// rehearse reads what a set would read, and sends the server an update that it can only
// refuse. The answer shows whether the key may change the record.
func (n name) rehearse(ctx context.Context, w desiredTraffic) error {
	if _, err := n.desired(w); err != nil {
		return err
	}
	old, err := n.held(ctx)
	if err != nil {
		return err
	}
	if err := n.server(n.conf.Server).Rehearse(ctx, n.key, n.record, old); err != nil {
		return fmt.Errorf("%s: %w", n.conf.Server, err)
	}
	return nil
}
