package importer

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"milvus-reconcile/cmd/reconcile/internal/discovery"
)

func foundAt(id, namespace, instance string) Found {
	return Found{Cluster: discovery.Cluster{Place: discovery.Place{Namespace: namespace, Instance: instance}, ID: id, Address: instance + "." + namespace + ".svc:19530"}, Context: "eu"}
}

// TestATokenGoesOnlyToNamedClusters: who may create a Service could else take it.
func TestATokenGoesOnlyToNamedClusters(t *testing.T) {
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	nameless := foundAt("", "n", "nameless")
	nameless.NoID = "its ConfigMap is not there"
	all := []Found{foundAt("a", "n", "one"), foundAt("b", "n", "two"), foundAt("evil", "m", "three")}
	anywhere, there := Kubernetes{Contexts: []string{"eu"}}, Kubernetes{Contexts: []string{"eu"}, Namespace: "n"}
	for name, c := range map[string]struct {
		r     Request
		found []Found
		k     Kubernetes
		want  string
		says  []string
	}{
		"a variable": {r: Request{Name: "orders", TokenEnv: []string{"TOKEN"}, TopologyPath: "o.yaml"}, found: all, k: anywhere, says: []string{
			"neither --cluster nor --namespace names any. Nothing was sent.", "  a  eu:n/one  one.n.svc:19530\n", "  evil  eu:m/three  three.m.svc:19530\n",
			"\n  reconcile import --kubernetes --context eu --name orders --cluster a --cluster b --cluster evil --token-env TOKEN --out o.yaml",
		}},
		"a variable of one cluster": {r: Request{TokenEnv: []string{"a=TOKEN"}}, found: all, k: anywhere, says: []string{"--cluster evil --token-env a=TOKEN"}},
		"a file":                    {r: Request{TokenFile: []string{token}}, found: all, k: anywhere, says: []string{"--cluster evil --token-file "}},
		"a folder of the daemon":    {r: Request{SecretDir: "/etc/my secrets"}, found: all, k: anywhere, says: []string{"--cluster evil --secret-dir '/etc/my secrets'"}},
		"ids that name no cluster": {
			r: Request{TokenEnv: []string{"TOKEN"}}, k: anywhere,
			found: []Found{foundAt("a", "n", "one"), foundAt("twice", "n", "two"), foundAt("twice", "m", "three"), foundAt("x; \x1brm", "m", "four"), nameless},
			says: []string{
				"  twice  eu:m/three  three.m.svc:19530  (another one has this id)\n", `  "x; \x1brm"  eu:m/four  four.m.svc:19530  (this cannot be an id)`,
				"not known  eu:n/nameless  nameless.n.svc:19530  (its ConfigMap is not there)\n", " --kubernetes --context eu --cluster a --token-env TOKEN",
			},
		},
		"no id at all":                   {r: Request{TokenEnv: []string{"TOKEN"}}, found: []Found{nameless}, k: anywhere, says: []string{"(hint: name those that are yours: --namespace NAMESPACE, or --cluster ID=HOST:PORT"}},
		"a token typed for a name":       {r: Request{TokenEnv: []string{"root:secret"}}, found: all, k: anywhere, says: []string{"never a token"}},
		"an id that two claim":           {r: Request{TokenEnv: []string{"TOKEN"}, Clusters: []string{"a"}}, found: append(all, foundAt("a", "m", "four")), k: anywhere, says: []string{"eu:n/one and eu:m/four both call themselves a", "--cluster a=HOST:PORT names the other"}},
		"clusters that are named":        {r: Request{TokenEnv: []string{"TOKEN"}, Clusters: []string{"a", "b"}}, found: all, k: anywhere, want: "a=one.n.svc:19530 b=two.n.svc:19530"},
		"all of a namespace":             {r: Request{TokenEnv: []string{"TOKEN"}}, found: all[:2], k: there, want: "a=one.n.svc:19530 b=two.n.svc:19530"},
		"all of Kubernetes, but unnamed": {r: Request{}, found: all, k: anywhere, want: "a=one.n.svc:19530 b=two.n.svc:19530 evil=three.m.svc:19530"},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := c.r.Choose(c.found, c.k)
			if got := strings.Join(r.Clusters, " "); len(c.says) == 0 && (err != nil || got != c.want) {
				t.Errorf("%q, %v", got, err)
			}
			for _, want := range c.says {
				if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret\n") || strings.Contains(err.Error(), "root:") {
					t.Errorf("err = %v\nwant %q", err, want)
				}
			}
		})
	}
}

// TestAKubeconfigsProgramGetsNoToken: what it is given for Kubernetes is no business of Milvus.
func TestAKubeconfigsProgramGetsNoToken(t *testing.T) {
	dir := t.TempDir()
	file, program, got := filepath.Join(dir, "kubeconfig"), filepath.Join(dir, "get-token"), filepath.Join(dir, "got")
	text := `apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: "https://127.0.0.1:1"}}]
users: [{name: u, user: {exec: {apiVersion: client.authentication.k8s.io/v1, command: ` + program + `, interactiveMode: Never}}}]
contexts: [{name: eu, context: {cluster: c, user: u}}]
`
	if err := errors.Join(os.WriteFile(file, []byte(text), 0o600), os.WriteFile(program, []byte("#!/bin/sh\necho \"[$ALL$ONE]$OTHER\" >>"+got+"\nexit 1\n"), 0o700)); err != nil {
		t.Fatal(err)
	}
	t.Setenv("ALL", "secret")
	t.Setenv("ONE", "secret")
	t.Setenv("OTHER", "seen")
	hidden := Request{TokenEnv: []string{"ALL", "a=ONE", "root:secret"}}.TokenVariables()
	if _, err := (Kubernetes{Kubeconfig: file, Contexts: []string{"eu"}, Hidden: hidden}).Find(t.Context()); err == nil {
		t.Error("found without an API server")
	}
	if text, err := os.ReadFile(got); err != nil || !strings.HasPrefix(string(text), "[]seen\n") || strings.Contains(string(text), "secret") {
		t.Errorf("the program got %q, %v", text, err)
	}
}
