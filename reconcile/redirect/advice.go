package redirect

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	"milvus-reconcile/plan"
)

// Advice says for how long clients may still be sent to the old primary after a target was
// set, and what shortens that.
type Advice struct {
	Target  string
	Message string
	Remedy  string // empty: it is as short as the configuration asks
}

// adviser is a target whose clients keep what it told them.
type adviser interface {
	// advise asks what clients keep now. An error is none of its own: check has it, too.
	advise(ctx context.Context, w desiredTraffic) (Advice, error)
}

// Advise asks the targets that serve the topology what must be done well before a change of
// the primary. It changes nothing.
func (r *Redirector) Advise(ctx context.Context, topology, primary string, stale []string) []Advice {
	var mu sync.Mutex
	advice := map[string]Advice{}
	states := r.forEachTarget(topology, primary, stale, func(t target, w desiredTraffic) error {
		a, ok := t.mover.(adviser)
		if !ok {
			return errCannotAsk
		}
		return t.withTimeout(ctx, w, func(ctx context.Context, w desiredTraffic) error {
			said, err := a.advise(ctx, w)
			said.Target = t.Name
			mu.Lock()
			defer mu.Unlock()
			advice[t.Name] = said
			return err
		})
	})
	var out []Advice
	for _, s := range states {
		if s.OK {
			out = append(out, advice[s.Target])
		}
	}
	return out
}

// advise reads the TTL of the record at every authoritative server: a resolver that asked
// just before a change keeps the old value for so long.
func (n name) advise(ctx context.Context, w desiredTraffic) (Advice, error) {
	want, err := n.desired(w)
	if err != nil {
		return Advice{}, err
	}
	servers, err := n.authoritative(ctx)
	if err != nil {
		return Advice{}, err
	}
	longest, at := time.Duration(0), ""
	for _, address := range servers {
		got, err := n.server(address).Read(ctx, n.record.Name, n.record.Type)
		if err != nil {
			return Advice{}, fmt.Errorf("%s: %w", address, err)
		}
		if ttl := time.Duration(got.TTL) * time.Second; ttl > longest {
			longest, at = ttl, address
		}
	}
	said := Advice{Message: fmt.Sprintf("after a change of the primary, resolvers may send clients to the old one for up to %s: the TTL of %s", plan.DurationText(longest), n.record.Name)}
	if longest > n.conf.TTL {
		said.Message += fmt.Sprintf(" at %s, and not %s as configured", at, plan.DurationText(n.conf.TTL))
		said.Remedy = fmt.Sprintf("lower it now, which works once the old one has passed: %s", n.lower(want.Values))
	}
	return said, nil
}

// lower is a command that sets the TTL of the record, and nothing else.
func (n name) lower(values []string) string {
	host, port, _ := net.SplitHostPort(n.conf.Server)
	key := "key " + n.conf.Algorithm + ":" + n.key.Name + " "
	secret := n.conf.SecretInShell
	if secret == "" {
		secret = "SECRET"
	}
	lines := []string{"'server " + host + " " + port + "'", `"` + key + secret + `"`, "'zone " + n.record.Zone + "'"}
	for _, value := range values {
		lines = append(lines, fmt.Sprintf("'prereq yxrrset %s %s %s'", n.record.Name, n.record.Type, value))
	}
	for _, value := range values {
		lines = append(lines, fmt.Sprintf("'update add %s %d %s %s'", n.record.Name, int(n.conf.TTL.Seconds()), n.record.Type, value))
	}
	return `printf '%s\n' ` + strings.Join(lines, " ") + " send | nsupdate -v"
}
