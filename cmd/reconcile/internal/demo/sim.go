package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"

	"milvus-reconcile/plan"
	"milvus-reconcile/plan/suggest"
	"milvus-reconcile/reconcile/milvus/milvussim"
	"milvus-reconcile/schema"
)

// Sim is a set of simulated clusters: those of the topology files of a folder.
type Sim struct {
	Dir     string // folder of the topology files
	State   string // "converged": as the files say; "unconfigured": nothing stored yet
	Profile string // Milvus version to behave as (milvussim.ParseProfile)
	Control string // host:port of the control API, loopback only
	Git     string // folder for a repository, a configuration and signing keys; "": none
	Quorum  int    // how many people must approve a failover, in that configuration
	TLS     bool   // the clusters speak TLS, and that configuration names their authority
}

// simReady is the line that sim prints once everything serves.
type simReady struct {
	Ready    bool         `json:"ready"`
	Control  string       `json:"control"`
	Clusters []simCluster `json:"clusters"`
	Git      string       `json:"git"`
}

type simCluster struct {
	ID      string `json:"id"`
	Address string `json:"address"`
}

// Run starts the clusters, prints one JSON line on out once all of them serve, and
// goes on until ctx ends.
func (s Sim) Run(ctx context.Context, out io.Writer) error {
	if err := s.check(); err != nil {
		return err
	}
	topologies, err := loadFolder(s.Dir)
	if err != nil {
		return err
	}
	specs, err := simSpecs(topologies, s.State)
	if err != nil {
		return err
	}
	var authority *milvussim.Authority
	if s.TLS {
		if authority, err = milvussim.NewAuthority(); err != nil {
			return err
		}
	}
	world := milvussim.New(milvussim.Options{Profile: s.Profile, Authority: authority})
	defer world.Close()
	if err := world.Start(specs...); err != nil {
		return fmt.Errorf("start the clusters: %w", err)
	}
	ready := simReady{Ready: true}
	if s.Git != "" {
		if ready.Git, err = makePlayground(s.Dir, s.Git, s.Quorum, authority, topologies); err != nil {
			return err
		}
	}
	if ready.Control, err = world.Serve(s.Control); err != nil { //nolint:contextcheck // inside the simulator nobody waits
		return fmt.Errorf("serve the control API: %w", err)
	}
	for _, a := range world.Addresses() {
		ready.Clusters = append(ready.Clusters, simCluster{ID: a.ID, Address: a.Address})
	}
	if err := json.NewEncoder(out).Encode(ready); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}

// simStates are what the clusters may have stored at the start.
var simStates = map[string]func(...[]milvussim.ClusterSpec) []milvussim.ClusterSpec{
	"converged":    milvussim.Converged,
	"unconfigured": milvussim.Unconfigured,
}

// check tells everything that is wrong with the options themselves.
func (s Sim) check() error {
	var bad []error
	if simStates[s.State] == nil {
		bad = append(bad, errors.New(suggest.WithHint(fmt.Sprintf("--state is %q", s.State), suggest.Hint(s.State, []string{"converged", "unconfigured"}, ""))))
	}
	if _, err := milvussim.ParseProfile(s.Profile); err != nil {
		bad = append(bad, fmt.Errorf("--profile: %w", err))
	}
	if err := loopback(s.Control); err != nil {
		bad = append(bad, fmt.Errorf("--control: %w", err))
	}
	if s.Quorum < 1 || s.Quorum >= len(people) {
		bad = append(bad, fmt.Errorf("--quorum is %d, want 1 or 2: there are three people, and the author of a change does not count", s.Quorum))
	}
	if s.TLS && s.Git == "" {
		bad = append(bad, errors.New("--tls needs --git, whose configuration names the authority of the clusters"))
	}
	return errors.Join(bad...)
}

// loadFolder reads topology files that must all be good.
func loadFolder(dir string) ([]plan.Topology, error) {
	info, err := os.Stat(dir)
	if err != nil {
		return nil, fmt.Errorf("read the topology files: %w (hint: --dir names their folder)", err)
	}
	if !info.IsDir() {
		return nil, fmt.Errorf("%s is not a folder (hint: --dir names the folder of the topology files)", dir)
	}
	topologies, problems := schema.Load(os.DirFS(dir), ".")
	if len(problems) > 0 {
		return nil, problems.Below(dir)
	}
	if len(topologies) == 0 {
		return nil, fmt.Errorf("%s holds no topology file", dir)
	}
	return topologies, nil
}

// simSpecs describes every cluster of the files to the simulator.
func simSpecs(topologies []plan.Topology, state string) ([]milvussim.ClusterSpec, error) {
	var groups [][]milvussim.ClusterSpec
	var bad []error
	for _, t := range topologies {
		var group []milvussim.ClusterSpec
		for _, c := range t.Clusters {
			if err := loopback(c.ClientAddress); err != nil {
				bad = append(bad, fmt.Errorf("clientAddress of %s: %w (hint: give the cluster clientAddress: 127.0.0.1:PORT)", c.ID, err))
			}
			group = append(group, milvussim.ClusterSpec{
				ID: c.ID, Address: c.ClientAddress, URI: c.URI,
				PChannels: c.PChannels, Role: milvussim.Role(c.Role),
			})
		}
		groups = append(groups, group)
	}
	if len(bad) > 0 {
		return nil, errors.Join(bad...)
	}
	return simStates[state](groups...), nil
}

// loopback refuses addresses that others could reach.
func loopback(address string) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("%q is not host:port: %w", address, err)
	}
	if host == "localhost" {
		return nil
	}
	if ip := net.ParseIP(host); ip == nil || !ip.IsLoopback() {
		return fmt.Errorf("%s is not a loopback address; the simulator serves on loopback only", address)
	}
	return nil
}
