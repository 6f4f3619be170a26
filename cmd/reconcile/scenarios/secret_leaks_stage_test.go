package scenarios

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/milvus-io/milvus/client/v2/milvusclient"

	"milvus-reconcile/cmd/reconcile/internal/testkit"
	"milvus-reconcile/reconcile/milvus/milvussim"
	"milvus-reconcile/reconcile/reconciletest/freeport"
)

func (a *aviary) address(name string) string { return a.addresses[name] }

func newAviary(ctx context.Context, t *testing.T) *aviary {
	t.Helper()
	dir := t.TempDir()
	addresses := freeport.Addresses(t, 4)
	a := &aviary{
		Fleet: &testkit.Fleet{Ctx: ctx, Play: filepath.Join(dir, "play"), Control: "http://" + addresses[0]},
		t:     t, outputs: filepath.Join(dir, "outputs"), ran: map[string]bool{}, forms: []string{"table", "json", "yaml", "markdown", "junit", "sarif"},
	}
	a.addresses = map[string]string{"A": addresses[1], "B": addresses[2], "SERVE": addresses[3]}
	for name, value := range map[string]string{
		"CANARY_ENV": "ops:" + canaries["token of cluster-a, from the environment"], "CANARY_GIT": canaries["git password"],
		"CANARY_USER": canaries["git user"], "CANARY_ETCD": canaries["password of etcd"], "CANARY_SSH": canaries["passphrase of an SSH key"],
		"CANARY_FILE": "ops:" + canaries["token of cluster-b, from a file"],
		"CANARY_HOOK": canaries["webhook secret of the daemon"], "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null",
	} {
		a.Env = append(a.Env, name+"="+value)
	}
	files := filepath.Join(dir, "topologies")
	for _, d := range []string{files, a.outputs} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	a.put(filepath.Join(files, "orders.yaml"), a.document(1, "primary", "standby"))
	a.Start(ctx, t, "sim", "--dir", files, "--state", "unconfigured", "--git", a.Play, "--control", addresses[0])
	a.Await(t, "the simulator", func() bool {
		_, err := os.Stat(filepath.Join(a.Play, "reconcile.yaml"))
		_, gone := testkit.Request("GET", a.Control+"/world", "")
		return err == nil && gone == nil
	})
	a.people(addresses[1], "ops", canaries["token of cluster-a, from the environment"])
	a.people(addresses[1], "repl", canaries["replication token of cluster-a, by itself"])
	a.people(addresses[2], "ops", canaries["token of cluster-b, from a file"])
	a.configure()
	return a
}

// people makes a user of a cluster that may do everything.
func (a *aviary) people(address, name, password string) {
	a.t.Helper()
	c, err := milvusclient.New(a.Ctx, &milvusclient.ClientConfig{Address: address, APIKey: milvussim.RootToken})
	if err == nil {
		err = c.CreateUser(a.Ctx, milvusclient.NewCreateUserOption(name, password))
	}
	if err == nil {
		err = c.GrantRole(a.Ctx, milvusclient.NewGrantRoleOption(name, "admin"))
	}
	if err == nil {
		err = c.Close(a.Ctx)
	}
	if err != nil {
		a.t.Fatal(err)
	}
}

func (a *aviary) put(path, text string) {
	a.t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		a.t.Fatal(err)
	}
}

func (a *aviary) document(generation int, roleA, roleB string) string {
	return fmt.Sprintf(`apiVersion: reconcile/v1alpha1
kind: ReplicationTopology
metadata: {name: orders}
spec:
  generation: %d
  clusters:
    - {id: cluster-a, role: %s, uri: "http://%s", pchannels: {prefix: cluster-a-rootcoord-dml_, count: 2}}
    - {id: cluster-b, role: %s, uri: "http://%s", pchannels: {prefix: cluster-b-rootcoord-dml_, count: 2}}
  failover: {unavailableFor: 400ms, probes: 3}
`, generation, roleA, a.address("A"), roleB, a.address("B"))
}

// change commits roles, in bob's name and approved by alice.
func (a *aviary) change(generation int, roleA, roleB, target string) {
	a.t.Helper()
	a.put(filepath.Join(a.Play, "repo", "topologies", "orders.yaml"), a.document(generation+1, roleA, roleB))
	message := "Change the roles\n\nFailover-Approved: " + target + "\nFailover-Approved-By: Alice Smith <alice@example.com>\nFailover-Reason: a drill\n"
	if err := testkit.CommitApproved(a.Ctx, a.Play, message, a.Env...); err != nil {
		a.t.Fatal(err)
	}
}

// configure writes the operator's configuration, and one for each party that is
// broken.
func (a *aviary) configure() {
	a.t.Helper()
	secret := func(name, value string) string {
		path := filepath.Join(a.Play, "secret-"+name)
		a.put(path, value+"\n")
		return path
	}
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKeyWithPassphrase(key, canaries["password in the text of an SSH key"], []byte(canaries["passphrase of an SSH key"]))
	if err != nil {
		a.t.Fatal(err)
	}
	config := func(git, ledger string) string {
		return fmt.Sprintf(`apiVersion: reconcile/v1alpha1
kind: Config
mode: observe
git:
%s
credentials:
  - {clusterId: cluster-a, address: %q, uri: "http://%s", tokenFrom: {env: CANARY_ENV}, replicationTokenFrom: {file: %q}}
  - {clusterId: cluster-b, address: %q, uri: "http://%s", tokenFrom: {file: %q}}
approval: {signature: required, allowedSigners: %q, distinctAuthor: true}
ledger:
%s
redirect:
  - {name: hook, timeout: 2s, webhook: {url: %q, secretFrom: {file: %q}}}
notify:
  - {name: chat, url: %q, secretFrom: {file: %q}, minSeverity: info}
serve: {address: %q, webhookSecretFrom: {env: CANARY_HOOK}}
`, git, a.address("A"), a.address("A"), secret("repl", "repl:"+canaries["replication token of cluster-a, by itself"]),
			a.address("B"), a.address("B"), secret("b", "ops:"+canaries["token of cluster-b, from a file"]),
			filepath.Join(a.Play, "allowed_signers"), ledger,
			a.listener(500), secret("redirect", canaries["secret of a redirect target"]),
			a.listener(200), secret("notify", canaries["secret of a notification"]), a.address("SERVE"))
	}
	local := fmt.Sprintf("  url: %q", filepath.Join(a.Play, "repo"))
	embedded := fmt.Sprintf("  path: %q", filepath.Join(a.Play, "ledger.db"))
	keyFile := secret("key", string(pem.EncodeToMemory(block)))
	a.put(filepath.Join(a.Play, "reconcile.yaml"), config(local, embedded))
	a.put(filepath.Join(a.Play, "git.yaml"), config(fmt.Sprintf("  url: %q\n  auth: {usernameFrom: {env: CANARY_USER}, passwordFrom: {env: CANARY_GIT}}", a.listener(401)+"/topologies.git"), embedded))
	a.put(filepath.Join(a.Play, "ssh.yaml"), config(fmt.Sprintf("  url: \"ssh://git@127.0.0.1:1/topologies.git\"\n  auth: {sshKeyFile: %q, sshKeyPassphraseFrom: {env: CANARY_SSH}, knownHostsFile: %q}", keyFile, secret("hosts", "")), embedded))
	a.put(filepath.Join(a.Play, "etcd.yaml"), config(local, "  etcd: {endpoints: [\"http://127.0.0.1:1\"], usernameFrom: {env: CANARY_USER}, passwordFrom: {env: CANARY_ETCD}}"))
}
