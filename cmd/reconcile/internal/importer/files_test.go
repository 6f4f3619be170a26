package importer

import (
	"strings"
	"testing"

	"milvus-reconcile/plan"
	"milvus-reconcile/schema"
)

// TestImportedFilesReadAsMeant: a file keeps ids that YAML could take for a number or a
// boolean, unusual channel names, and addresses. topologyFile and configFile compare the
// parsed text themselves and fail if it differs.
func TestImportedFilesReadAsMeant(t *testing.T) {
	for name, c := range map[string]plan.Cluster{
		"usual":            {ID: "cluster-a", URI: "http://a:1", ClientAddress: "a:1", PChannels: channelsOf("cluster-a", 16)},
		"a number":         {ID: "1e3", URI: "http://a:1", ClientAddress: "a:1", PChannels: channelsOf("1e3", 16)},
		"a boolean":        {ID: "true", URI: "http://a:1", ClientAddress: "a:1", PChannels: channelsOf("true", 16)},
		"an old boolean":   {ID: "no", URI: "http://a:1", ClientAddress: "a:1", PChannels: channelsOf("no", 16)},
		"IPv6 and TLS":     {ID: "a_b.c", URI: "https://[::1]:1", ClientAddress: "[::1]:2", PChannels: channelsOf("a_b.c", 16)},
		"a prefix":         {ID: "a", URI: "http://a:1", ClientAddress: "a:1", PChannels: []string{"x: {#0", "x: {#1"}},
		"few channels":     {ID: "a", URI: "http://a:1", ClientAddress: "a:1", PChannels: channelsOf("a", 3)},
		"listed channels":  {ID: "a", URI: "http://a:1", ClientAddress: "a:1", PChannels: []string{"by-dev-2", "by-dev-5"}},
		"quotes in a name": {ID: "a", URI: "http://a:1", ClientAddress: "a:1", PChannels: []string{`"\é`}},
	} {
		t.Run(name, func(t *testing.T) {
			c.Role, c.Promotable = plan.RolePrimary, true
			im := &imported{
				request: Request{
					Name: "orders", ConfigPath: "c.yaml", SecretDir: "/etc/reconcile/secrets",
					Places: map[string]schema.KubernetesPlace{c.ID: {Namespace: "true", Instance: "orders-a", Kubeconfig: "/k: {", Context: "eu@1"}},
				},
				topology:    plan.Topology{Name: "orders", Generation: 1, Clusters: []plan.Cluster{c}},
				credentials: []schema.Credential{{ClusterID: c.ID, Address: c.ClientAddress, Token: schema.SecretRef{Env: "TOKEN"}}},
			}
			text, err := im.topologyFile()
			if strings.Contains(c.PChannels[0], " ") {
				if err == nil {
					t.Error("a channel with a blank was let through")
				}
				return
			}
			if err != nil {
				t.Fatalf("%v\n%s", err, text)
			}
			text, err = im.configFile()
			if err != nil {
				t.Fatalf("%v\n%s", err, text)
			}
			read, problems := schema.ParseConfig("c.yaml", text)
			if len(problems) > 0 || read.Credentials[0].Token.File != "/etc/reconcile/secrets/"+c.ID+"-token" {
				t.Errorf("%v\n%s", problems, text)
			}
		})
	}
}
