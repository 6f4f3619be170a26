package schema_test

import (
	"fmt"
	"testing/fstest"

	"milvus-reconcile/schema"
)

// One file is good and gets its defaults; of the other every problem is told at
// once, with its place. The good one goes on.
func ExampleLoad() {
	files := fstest.MapFS{
		"topologies/orders.yaml": {Data: []byte(`apiVersion: reconcile/v1alpha1
kind: ReplicationTopology
metadata: {name: orders}
spec:
  generation: 7
  clusters:
    - {id: cluster-a, role: primary, uri: "http://cluster-a.example:19530"}
    - {id: cluster-b, role: standby, uri: "http://cluster-b.example:19530"}
`)},
		"topologies/catalog.yaml": {Data: []byte(`apiVersion: reconcile/v1alpha1
kind: ReplicationTopology
metadata: {name: catalog}
spec:
  generation: 1
  clusters:
    - {id: eu-1, role: primary, uri: "eu-1.example:19530"}
    - {id: eu-2, role: primary, uri: "http://eu-2.example:19530"}
`)},
	}

	topologies, problems := schema.Load(files, "topologies")
	for _, t := range topologies {
		b, _ := t.Cluster("cluster-b")
		fmt.Println(t.Name, t.Generation, b.ClientAddress, len(b.PChannels), "channels")
		fmt.Println("unavailable for", t.Failover.UnavailableFor, "and", t.Failover.Probes, "probes")
	}
	for _, p := range problems {
		fmt.Println(p)
	}

	// Output:
	// orders 7 cluster-b.example:19530 16 channels
	// unavailable for 30s and 3 probes
	// topologies/catalog.yaml:7:38: /spec/clusters/0/uri: "eu-1.example:19530" has no scheme (write http://host:port or https://host:port, such as http://cluster-a.example:19530)
	// topologies/catalog.yaml:8:24: /spec/clusters/1/role: a second primary: exactly one cluster may be primary (cluster "eu-1" is primary already; make this one standby, stale or detached)
}
