package redirect

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"milvus-reconcile/plan"
)

// answerLimit bounds an answer of the runtime API.
const answerLimit = 1 << 20

// backend is an haproxy target.
type backend struct{ conf HAProxy }

func newBackend(c HAProxy) (backend, error) {
	used := map[string]string{}
	for _, id := range otherClusters(c.Servers, "") {
		server := c.Servers[id]
		if other, twice := used[server]; twice {
			return backend{}, fmt.Errorf("%s and %s have the same server %s (hint: each cluster needs its own)", other, id, server)
		}
		used[server] = id
	}
	return backend{c}, nil
}

// concerns reports whether the target is configured for the topology, or has a server of
// one of its clusters.
func (b backend) concerns(w desiredTraffic) bool {
	_, known := b.conf.Servers[w.primary.Cluster]
	for _, s := range w.stale {
		_, stale := b.conf.Servers[s.Cluster]
		known = known || stale
	}
	return known || w.named
}

func (b backend) primary(w desiredTraffic) (string, error) {
	server, ok := b.conf.Servers[w.primary.Cluster]
	if !ok {
		return "", fmt.Errorf("no server of backend %s is configured for %s (hint: add it to servers)", b.conf.Backend, w.primary.Cluster)
	}
	return server, nil
}

// state reads the servers of the backend, and names that of the primary.
func (b backend) state(ctx context.Context, w desiredTraffic) (primary string, servers map[string]serverState, err error) {
	if primary, err = b.primary(w); err == nil {
		servers, err = b.servers(ctx)
	}
	return primary, servers, err
}

func (b backend) set(ctx context.Context, w desiredTraffic) error {
	_, err := b.replace(ctx, w)
	return err
}

// replace disables every other server before it enables the primary's, so that no two take
// writes. It closes the connections to the others, since gRPC keeps them open for ever. It
// does not change a server that is in the desired state.
func (b backend) replace(ctx context.Context, w desiredTraffic) (replaced, error) {
	server, servers, err := b.state(ctx, w)
	if err != nil {
		return replaced{}, err
	}
	var commands, out []string
	for _, id := range otherClusters(b.conf.Servers, w.primary.Cluster) {
		name := b.conf.Backend + "/" + b.conf.Servers[id]
		s, there := servers[b.conf.Servers[id]]
		if !there {
			continue
		}
		if !s.maintenance() {
			commands = append(commands, "set server "+name+" state drain", "set server "+name+" state maint")
		}
		commands, out = append(commands, "shutdown sessions server "+name), append(out, b.conf.Servers[id])
	}
	if s, there := servers[server]; !there || s.outOfUse() != "" {
		commands = append(commands, "set server "+b.conf.Backend+"/"+server+" state ready")
	}
	if err := b.order(ctx, commands); err != nil || len(out) == 0 {
		return replaced{}, err
	}
	return replaced{gone: b.left(ctx, out)}, nil
}

// order sends commands, which HAProxy answers only if it refuses one.
func (b backend) order(ctx context.Context, commands []string) error {
	for _, c := range commands {
		answer, err := b.ask(ctx, c)
		if err != nil {
			return err
		}
		if answer = strings.TrimSpace(answer); answer != "" {
			return fmt.Errorf("HAProxy refuses %q: %s", c, bounded(answer))
		}
	}
	return nil
}

// check reads every server of the backend. Only the primary's may be in use.
func (b backend) check(ctx context.Context, w desiredTraffic) (plan.Stay, error) {
	stay := plan.Stay{Known: true, Closes: true}
	server, servers, err := b.state(ctx, w)
	if err != nil {
		return stay, err
	}
	return stay, b.problems(servers, server, w)
}

// problems returns the faults of the servers of the backend; server is the primary's.
func (b backend) problems(servers map[string]serverState, server string, w desiredTraffic) error {
	var wrong []string
	if s, ok := servers[server]; !ok {
		wrong = append(wrong, fmt.Sprintf("backend %s has no server %s", b.conf.Backend, server))
	} else if why := s.outOfUse(); why != "" {
		wrong = append(wrong, fmt.Sprintf("server %s of %s %s", server, w.primary.Cluster, why))
	}
	for _, id := range otherClusters(b.conf.Servers, w.primary.Cluster) {
		if s, ok := servers[b.conf.Servers[id]]; ok && !s.maintenance() {
			wrong = append(wrong, fmt.Sprintf("server %s of %s is not disabled", b.conf.Servers[id], id))
		}
	}
	unmapped := b.unmappedInUse(servers)
	for _, name := range unmapped[:min(len(unmapped), maxUnmappedNamed)] {
		wrong = append(wrong, fmt.Sprintf("server %s, which no cluster is mapped to, is in use", bounded(name)))
	}
	if more := len(unmapped) - maxUnmappedNamed; more > 0 {
		wrong = append(wrong, fmt.Sprintf("%d other servers, which no cluster is mapped to, are in use", more))
	}
	if len(wrong) > 0 {
		return errors.New(strings.Join(wrong, ", "))
	}
	return nil
}

// maxUnmappedNamed bounds how many servers in use without a cluster a message names.
const maxUnmappedNamed = 10

// ask sends one command over a new connection, as the runtime API requires, and reads the
// whole answer.
func (b backend) ask(ctx context.Context, command string) (string, error) {
	network, address := "tcp", b.conf.Address
	if path, ok := strings.CutPrefix(address, "unix:"); ok {
		network, address = "unix", path
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
	if err != nil {
		return "", fmt.Errorf("reach the runtime API of HAProxy: %w", err)
	}
	defer conn.Close() //nolint:errcheck // the answer was read
	defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })()
	if _, err := io.WriteString(conn, command+"\n"); err != nil {
		return "", fmt.Errorf("ask HAProxy %q: %w", command, err)
	}
	answer, err := io.ReadAll(io.LimitReader(conn, answerLimit+1))
	if err == nil && len(answer) > answerLimit {
		err = fmt.Errorf("the answer is longer than %d bytes", answerLimit)
	}
	if err != nil {
		return "", fmt.Errorf("ask HAProxy %q: %w", command, err)
	}
	return string(answer), nil
}
