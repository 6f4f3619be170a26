package cli

import (
	"context"

	"github.com/spf13/cobra"

	"milvus-reconcile/cmd/reconcile/internal/importer"
)

func newImport(g *globals) *cobra.Command {
	var r importer.Request
	var k importer.Kubernetes
	var inKubernetes bool
	cmd := &cobra.Command{
		Use:   "import --name NAME --cluster ID=ADDRESS… | --kubernetes",
		Short: "Write a topology, and a configuration, for live clusters",
		Long: `import reads the configurations that live clusters store, and writes a matching topology
file, to stdout or --out. With --config-out it also writes an operator's configuration
that binds each cluster's credential to its address and uri. It changes no cluster.

It proves each id: by a channel that only that cluster serves, by its stored list, or by
the channels of a collection. If something cannot be proven or read, it reports
everything that is wrong and writes nothing. It reads tokens from the environment or
from files, and never writes them: the configuration names the variables and files.

--kubernetes looks for the clusters of the Milvus operator and of the Milvus chart. Without
--name it lists them: id, address, and whether CDC runs, without which a primary sends
nothing. With --name it imports those that --cluster names by their id, or all. A token goes
only to clusters that --cluster names, or to those of the --namespace.`,
		Example: `  export TOKEN='root:…'
  reconcile import --name orders --cluster cluster-a=a.example:19530 \
    --cluster cluster-b=b.example:19530 --token-env TOKEN \
    --out topologies/orders.yaml --config-out /etc/reconcile/reconcile.yaml
  reconcile import --kubernetes --context eu-1 --context eu-2
  reconcile import --kubernetes --context eu-1 --context eu-2 --name orders \
    --cluster cluster-a --cluster cluster-b --token-env TOKEN --out topologies/orders.yaml`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !inKubernetes {
				return runImport(cmd.Context(), g, r)
			}
			return runImportFromKubernetes(cmd.Context(), g, r, k)
		},
	}
	importFlags(cmd, &r)
	f := cmd.Flags()
	f.StringVar(&r.TopologyPath, "out", "", "write the topology to this file instead of stdout")
	f.StringVar(&r.ConfigPath, "config-out", "", "also write a configuration to this file")
	f.StringVar(&r.SecretDir, "secret-dir", "", "the configuration reads the token of each cluster from DIR/ID-token, where a Secret is mounted")
	f.BoolVar(&inKubernetes, "kubernetes", false, "look for the clusters in Kubernetes")
	f.StringVar(&k.Kubeconfig, "kubeconfig", "", "kubeconfig of the contexts (default: $KUBECONFIG, else ~/.kube/config)")
	f.StringArrayVar(&k.Contexts, "context", nil, "look in this context of the kubeconfig; repeat it (default: the service account of this pod)")
	f.StringVar(&k.Namespace, "namespace", "", "look only in this namespace")
	cmd.MarkFlagsOneRequired("name", "kubernetes")
	cmd.MarkFlagsOneRequired("cluster", "kubernetes")
	return cmd
}

// runImportFromKubernetes lists the clusters that are there, or imports some of them.
func runImportFromKubernetes(ctx context.Context, g *globals, r importer.Request, k importer.Kubernetes) error {
	within, cancel := context.WithTimeout(ctx, g.timeout)
	k.Hidden = r.TokenVariables()
	found, err := k.Find(within)
	cancel()
	if err != nil {
		return err
	}
	if r.Name == "" {
		return g.print(importer.List(found))
	}
	if r, err = r.Choose(found, k); err != nil {
		return err
	}
	return runImport(ctx, g, r)
}

// importFlags are the options that say which clusters there are.
func importFlags(cmd *cobra.Command, r *importer.Request) {
	f := cmd.Flags()
	f.StringVar(&r.Name, "name", "", "name of the topology")
	f.StringArrayVar(&r.Clusters, "cluster", nil, "id and address of a cluster, as ID=HOST:PORT; repeat it for each cluster")
	f.StringArrayVar(&r.TokenEnv, "token-env", nil, "environment variable with the token of all clusters, or ID=VARIABLE for one (default: no authentication)")
	f.StringArrayVar(&r.TokenFile, "token-file", nil, "file with the token of all clusters, or ID=PATH for one")
	f.StringVar(&r.CAFile, "ca-file", "", "connect with TLS and trust these authorities (PEM)")
	f.StringVar(&r.Primary, "primary", "", "the cluster whose data counts, if several take writes")
}

func runImport(ctx context.Context, g *globals, r importer.Request) error {
	ctx, cancel := context.WithTimeout(ctx, g.timeout)
	defer cancel()
	topology, notes, err := importer.Run(ctx, g.options(), r)
	if err != nil {
		return err
	}
	if r.TopologyPath == "" {
		err = g.print(topology)
	}
	for _, note := range notes {
		g.Tell(r.Name, note)
	}
	return err
}
