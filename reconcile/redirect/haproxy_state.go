package redirect

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// The bits of srv_admin_state (HAProxy 2.6, management.txt, "show servers
// state"). 0x04 only says that the configuration disabled it at the start.
const (
	adminMaintenance = 0x01 | 0x02 | 0x20 // forced, inherited, by resolution
	adminDrain       = 0x08 | 0x10        // forced, inherited
	adminResolution  = 0x40               // its name resolves to nothing
	adminForced      = 0x01               // what 'state maint' sets
	adminDrainForced = 0x08               // what 'state drain' sets
)

// The values of srv_op_state.
const (
	opStarting = 1
	opRunning  = 2
)

// serverState is one server as HAProxy has it.
type serverState struct {
	op     int
	admin  int
	weight int
}

// maintenance reports whether the server was disabled. Only a person, this program or a
// lost state enables it again.
func (s serverState) maintenance() bool { return s.admin&adminMaintenance != 0 }

// outOfUse returns why no traffic goes to the server; empty: traffic goes to it.
func (s serverState) outOfUse() string {
	switch {
	case s.maintenance() || s.admin&adminResolution != 0:
		return "is disabled"
	case s.admin&adminDrain != 0:
		return "is drained"
	case s.weight == 0:
		return "has the weight 0"
	case s.op == opStarting || s.op == opRunning:
		return ""
	default:
		return "is down"
	}
}

// servers reads the state of the backend's servers, by name.
func (b backend) servers(ctx context.Context) (map[string]serverState, error) {
	answer, err := b.ask(ctx, "show servers state "+b.conf.Backend)
	if err != nil {
		return nil, err
	}
	servers, err := parseServers(answer)
	if err != nil {
		return nil, fmt.Errorf("read the servers of backend %s: %w", b.conf.Backend, err)
	}
	return servers, nil
}

// parseServers reads the answer of `show servers state`: the format's version,
// a line of names, a line for each server.
func parseServers(answer string) (map[string]serverState, error) {
	lines := strings.Split(strings.TrimSpace(answer), "\n")
	if len(lines) < 2 || strings.TrimSpace(lines[0]) != "1" {
		return nil, fmt.Errorf("HAProxy answers %q", bounded(strings.TrimSpace(answer)))
	}
	header := strings.Fields(strings.TrimPrefix(lines[1], "#"))
	columns := map[string]int{}
	for i, name := range header {
		columns[name] = i
	}
	out := map[string]serverState{}
	for _, line := range lines[2:] {
		values := strings.Fields(line)
		if len(values) == 0 {
			continue
		}
		name, s, err := parseServer(columns, values)
		if err != nil {
			return nil, err
		}
		out[name] = s
	}
	return out, nil
}

func parseServer(columns map[string]int, values []string) (string, serverState, error) {
	var bad []error
	text := func(name string) string {
		i, ok := columns[name]
		if !ok || i >= len(values) {
			bad = append(bad, fmt.Errorf("a server has no %s", name))
			return ""
		}
		return values[i]
	}
	number := func(name string) int {
		n, err := strconv.Atoi(text(name))
		if err != nil || n < 0 {
			bad = append(bad, fmt.Errorf("%s of a server is no number", name))
		}
		return n
	}
	name := text("srv_name")
	s := serverState{op: number("srv_op_state"), admin: number("srv_admin_state"), weight: number("srv_uweight")}
	return name, s, errors.Join(bad...)
}

// unmappedInUse returns the servers in use to which no cluster is mapped.
func (b backend) unmappedInUse(servers map[string]serverState) []string {
	mapped := slices.Collect(maps.Values(b.conf.Servers))
	var out []string
	for name, s := range servers {
		if !slices.Contains(mapped, name) && s.outOfUse() == "" {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}
