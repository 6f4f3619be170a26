package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"

	"github.com/spf13/cobra"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/milvus/milvussim"
	"milvus-reconcile/schema"
)

// simOptions are the options of `reconcile sim`.
type simOptions struct {
	dir     string
	state   string
	profile string
	control string
	git     string
}

func newSim(g *globals) *cobra.Command {
	var o simOptions
	cmd := &cobra.Command{
		Use:   "sim",
		Short: "Run simulated Milvus clusters for the topology files",
		Long: `sim starts every cluster of the topology files at its client address (loopback
only), speaking Milvus' own gRPC, and prints one JSON line once all of them
serve. Every cluster knows the user root with the password Milvus. It runs until
it is interrupted. Its control API breaks, heals and inspects the clusters:
docs/conformance.md lists its calls.`,
		Example: `  reconcile sim --dir topologies --git /tmp/try
  curl -s http://127.0.0.1:9650/world
  curl -s -X POST http://127.0.0.1:9650/clusters/cluster-a/stop
  curl -s -X POST http://127.0.0.1:9650/clusters/cluster-b/callbacks -d '{"held":true}'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runSim(cmd.Context(), g, o) },
	}
	f := cmd.Flags()
	f.StringVar(&o.dir, "dir", "topologies", "folder of the topology files")
	f.StringVar(&o.state, "state", "converged", "converged: as the files say; unconfigured: nothing stored yet")
	f.StringVar(&o.profile, "profile", milvussim.DefaultProfile, "Milvus version to behave as")
	f.StringVar(&o.control, "control", "127.0.0.1:9650", "address of the control API, loopback only")
	f.StringVar(&o.git, "git", "", "also make a repository, a configuration and signing keys in this folder")
	return cmd
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

func runSim(ctx context.Context, g *globals, o simOptions) error {
	if err := o.check(); err != nil {
		return err
	}
	topologies, err := loadFolder(o.dir)
	if err != nil {
		return err
	}
	specs, err := simSpecs(topologies, o.state)
	if err != nil {
		return err
	}
	world := milvussim.New(milvussim.Options{Profile: o.profile})
	defer world.Close()
	if err := world.Start(specs...); err != nil {
		return fmt.Errorf("start the clusters: %w", err)
	}
	ready := simReady{Ready: true}
	if o.git != "" {
		if ready.Git, err = makePlayground(o.dir, o.git, topologies); err != nil {
			return err
		}
	}
	if ready.Control, err = world.Serve(o.control); err != nil {
		return fmt.Errorf("serve the control API: %w", err)
	}
	for _, a := range world.Addresses() {
		ready.Clusters = append(ready.Clusters, simCluster{ID: a.ID, Address: a.Address})
	}
	if err := json.NewEncoder(g.std.Out).Encode(ready); err != nil {
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
func (o simOptions) check() error {
	var bad []error
	if simStates[o.state] == nil {
		bad = append(bad, fmt.Errorf("--state is %q, want converged or unconfigured", o.state))
	}
	if _, err := milvussim.ParseProfile(o.profile); err != nil {
		bad = append(bad, fmt.Errorf("--profile: %w", err))
	}
	if err := loopback(o.control); err != nil {
		bad = append(bad, fmt.Errorf("--control: %w", err))
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
		return nil, prefixed(problems, dir)
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
