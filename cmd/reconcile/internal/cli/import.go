package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"milvus-reconcile/plan"
	"milvus-reconcile/schema"
)

type importOptions struct {
	name      string
	clusters  []string
	tokenEnv  []string
	caFile    string
	primary   string
	out       string
	configOut string
}

func newImport(g *globals) *cobra.Command {
	var o importOptions
	cmd := &cobra.Command{
		Use:   "import --name NAME --cluster ID=ADDRESS…",
		Short: "Write a topology, and a configuration, for live clusters",
		Long: `import reads what live clusters store, and writes a topology file that says the same,
to stdout or --out. With --config-out it also writes an operator's configuration that
binds each cluster's credential to its address and uri. It changes no cluster.

It proves each id: by a channel that only that cluster serves, by its stored list, or
by the channels of a collection. If something cannot be proven or read, it reports all
of it and writes nothing. Tokens are read from the environment and never written: the
configuration names the variables.`,
		Example: `  export TOKEN='root:…'
  reconcile import --name orders --cluster cluster-a=a.example:19530 \
    --cluster cluster-b=b.example:19530 --token-env TOKEN \
    --out topologies/orders.yaml --config-out /etc/reconcile/reconcile.yaml`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runImport(cmd.Context(), g, o) },
	}
	f := cmd.Flags()
	f.StringVar(&o.name, "name", "", "name of the topology")
	f.StringArrayVar(&o.clusters, "cluster", nil, "a cluster's id and where it is reached, as ID=HOST:PORT; repeat it for each")
	f.StringArrayVar(&o.tokenEnv, "token-env", nil, "environment variable with the token of all clusters, or ID=VARIABLE for one (default: no authentication)")
	f.StringVar(&o.caFile, "ca-file", "", "connect with TLS and trust these authorities (PEM)")
	f.StringVar(&o.primary, "primary", "", "the cluster whose data counts, if several take writes")
	f.StringVar(&o.out, "out", "", "write the topology to this file instead of stdout")
	f.StringVar(&o.configOut, "config-out", "", "also write a configuration to this file")
	_ = cmd.MarkFlagRequired("name")    // the flag is there
	_ = cmd.MarkFlagRequired("cluster") // the flag is there
	return cmd
}

func runImport(ctx context.Context, g *globals, o importOptions) error {
	ctx, cancel := context.WithTimeout(ctx, g.timeout)
	defer cancel()
	im, err := o.importing()
	if err != nil {
		return err
	}
	for _, path := range []string{o.out, o.configOut} {
		if _, err := os.Lstat(path); path != "" && err == nil {
			return fmt.Errorf("%s is there already; it is not overwritten", path)
		}
	}
	if err := im.look(ctx, g); err != nil {
		return err
	}
	topology, err := im.topologyFile()
	if err != nil {
		return err
	}
	config, err := im.configFile()
	if err != nil {
		return err
	}
	if err := writeBoth(o.out, topology, o.configOut, config); err != nil {
		return err
	}
	if o.out == "" {
		err = g.print(topology)
	}
	im.report(g)
	return err
}

// importing is a topology on its way from live clusters to a file.
type importing struct {
	o           importOptions
	credentials []schema.Credential
	topology    plan.Topology
	observed    plan.Observed
}

var variable = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// importing reads the flags; everything wrong with them is told at once.
func (o importOptions) importing() (*importing, error) {
	im := &importing{o: o, topology: plan.Topology{Name: o.name, Generation: 1}}
	tokens, bad := o.tokens()
	for _, spec := range o.clusters {
		id, address, ok := strings.Cut(spec, "=")
		if _, _, err := net.SplitHostPort(address); !ok || err != nil {
			bad = append(bad, fmt.Errorf("--cluster %q is not ID=HOST:PORT", spec))
			continue
		}
		c := schema.Credential{ClusterID: id, Address: address, Token: schema.SecretRef{Env: tokens[""]}}
		if own, ok := tokens[id]; ok {
			c.Token.Env = own
		}
		delete(tokens, id)
		if o.caFile != "" {
			c.TLS = &schema.TLS{CAFile: o.caFile}
		}
		im.credentials = append(im.credentials, c)
		im.topology.Clusters = append(im.topology.Clusters, plan.Cluster{ID: id, ClientAddress: address, Promotable: true})
	}
	delete(tokens, "")
	for id := range tokens {
		bad = append(bad, fmt.Errorf("--token-env names %s, which no --cluster does", id))
	}
	slices.SortFunc(im.topology.Clusters, func(a, b plan.Cluster) int { return strings.Compare(a.ID, b.ID) })
	slices.SortFunc(im.credentials, func(a, b schema.Credential) int { return strings.Compare(a.ClusterID, b.ClusterID) })
	return im, errors.Join(bad...)
}

// tokens are the variables by cluster; the empty id stands for all others.
func (o importOptions) tokens() (map[string]string, []error) {
	out := map[string]string{}
	var bad []error
	for _, spec := range o.tokenEnv {
		id, name, one := strings.Cut(spec, "=")
		if !one {
			id, name = "", spec
		}
		if !variable.MatchString(name) {
			bad = append(bad, fmt.Errorf("--token-env wants the name of an environment variable, never a token (hint: export TOKEN=…, then --token-env TOKEN)"))
			continue
		}
		out[id] = name
	}
	return out, bad
}
