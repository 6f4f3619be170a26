package scenarios

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"milvus-reconcile/cmd/reconcile/internal/testkit"
	"milvus-reconcile/reconcile/milvus/milvussim"
	"milvus-reconcile/reconcile/milvus/milvussim/hostile"
	"milvus-reconcile/reconcile/reconciletest/freeport"
)

// The bounds of every command against a server that sends too much. The kernel
// bounds the real program, not the test.
const (
	hostileMemory  = 128 << 10 // kB
	hostileOutput  = 8 << 20
	hostileTimeout = "8s"
	// hostilePatience is long enough for a busy machine.
	hostilePatience = 20 * time.Minute
)

// besieged is a topology that was failed over, with a hostile server before each of
// its clusters.
type besieged struct {
	*testkit.Fleet
	binary  string
	servers []*hostile.Server
}

func newBesieged(ctx context.Context, t *testing.T) *besieged {
	t.Helper()
	d, addresses := testkit.NewFleet(ctx, t, 1)
	b := &besieged{Fleet: d, binary: testkit.BuiltBinary(t)}
	name := testkit.TopologyName(0)
	d.Post(t, "/links/"+name+"-a/"+name+"-b", `{"up":false}`)
	d.Post(t, "/clusters/"+name+"-a/write", `{"rows":20}`)
	d.Post(t, "/clusters/"+name+"-a/stop", "")
	d.WriteTopologies(t, filepath.Join(d.Play, "repo", "topologies"), addresses, 2, "stale", "primary")
	d.Commit(t)
	if code, out := d.Reconcile("apply", name); code != 0 && code != 5 {
		t.Fatalf("failover ended with %d:\n%s", code, out)
	}
	d.Post(t, "/clusters/"+name+"-a/start", "")
	for _, file := range []string{filepath.Join(d.Play, "reconcile.yaml"), filepath.Join(d.Play, "repo", "topologies", name+".yaml")} {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		text := string(data)
		for i, address := range addresses {
			if len(b.servers) == i {
				s, err := hostile.Start(ctx, address)
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(s.Close)
				b.servers = append(b.servers, s)
			}
			for _, key := range []string{"address", "clientAddress"} {
				text = strings.ReplaceAll(text, fmt.Sprintf("%s: %q", key, address), fmt.Sprintf("%s: %q", key, b.servers[i].Address))
			}
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	d.Commit(t)
	return b
}

// spoil has every server do the same.
func (b *besieged) spoil(how hostile.Spoiler) {
	for _, s := range b.servers {
		s.Spoil(how)
	}
}

// run runs the built program to its end, and says what it needed.
func (b *besieged) run(t *testing.T, args ...string) (out string, kB int) {
	t.Helper()
	cmd := exec.CommandContext(b.Ctx, b.binary, args...)
	cmd.Env = append(append(os.Environ(), b.Env...), "RECONCILE_CONFIG="+filepath.Join(b.Play, "reconcile.yaml"))
	cmd.Dir = filepath.Join(b.Play, "repo")
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	most := testkit.Greatest(func() int { return testkit.PeakMemory(cmd.Process.Pid) })
	err := cmd.Wait()
	kB = most()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Error(err)
	}
	return said.String(), kB
}

// commands are those that ask clusters; each ends by itself.
func (b *besieged) commands(t *testing.T) [][]string {
	topology := testkit.TopologyName(0)
	return [][]string{
		{"doctor"},
		{"salvage", topology, "--export", filepath.Join(t.TempDir(), "lost.jsonl")},
		{"status", "--verify", "-o", "json"},
		{"status", "-o", "yaml"},
		{"plan", "-o", "markdown"},
		{"drift", "-o", "sarif"},
		{"adopt", topology},
		{"apply", "-o", "junit"},
		{"fence", topology + "/" + topology + "-a"},
	}
}

// TestHostileServer runs commands against servers that send too much, or never end:
// with every answer, which ends most commands early, and with the answers of single
// methods. In the short form each method is excessive in one way.
func TestHostileServer(t *testing.T) {
	t.Parallel()
	const few = 3 // commands that read the most
	for name, besiege := range map[string]func(b *besieged, commands [][]string, try func(what string, args []string)){
		"every answer": func(b *besieged, commands [][]string, try func(what string, args []string)) {
			for name, how := range hostile.Excesses {
				b.spoil(how)
				for _, args := range commands[:2] {
					try(name, args)
				}
			}
		},
		"messages": func(b *besieged, commands [][]string, try func(what string, args []string)) {
			for name, how := range hostile.Excesses {
				b.spoil(hostile.Only("DumpMessages", how))
				try("DumpMessages with "+name, commands[1])
			}
		},
		"single methods": func(b *besieged, commands [][]string, try func(what string, args []string)) {
			for i, method := range []string{"GetReplicateConfiguration", "GetReplicateInfo", "ShowCollections", "DescribeCollection", "SelectGrant"} {
				for j, name := range []string{"many empty entries", "many names", "a long string"} {
					if testing.Short() && j != i%3 {
						continue
					}
					b.spoil(hostile.Only(method, hostile.Excesses[name]))
					for _, args := range commands[:few] {
						try(method+" with "+name, args)
					}
				}
			}
		},
		"other commands": func(b *besieged, commands [][]string, try func(what string, args []string)) {
			b.spoil(hostile.Excesses["many empty entries"])
			for _, args := range commands[few:] {
				try("many empty entries", args)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // most of it is waiting
			ctx, cancel := context.WithTimeout(t.Context(), hostilePatience)
			defer cancel()
			b := newBesieged(ctx, t)
			besiege(b, b.commands(t), func(what string, args []string) {
				out, kB := b.run(t, append(slices.Clone(args), "--timeout", hostileTimeout)...)
				t.Logf("%-50s %-8s %6d kB %8d bytes", what, args[0], kB, len(out))
				if kB > hostileMemory || len(out) > hostileOutput {
					t.Errorf("%s against %s takes %d kB and says %d bytes", args[0], what, kB, len(out))
				}
			})
		})
	}
}

// TestSalvageBesideAnEndlessStream: it ends at --timeout and says so, and what it
// wrote until then is whole.
func TestSalvageBesideAnEndlessStream(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), testkit.FleetPatience)
	defer cancel()
	b := newBesieged(ctx, t)
	b.spoil(hostile.Only("DumpMessages", hostile.Excesses["an endless stream"]))
	for _, timeout := range []string{hostileTimeout, "20s", "50s"} { // on a busy machine the first may be over too soon
		if b.salvagedWithin(t, timeout) > 0 {
			return
		}
	}
	t.Error("nothing was written")
}

// salvagedWithin returns how many whole lines salvage wrote before its time was over.
func (b *besieged) salvagedWithin(t *testing.T, timeout string) (lines int) {
	t.Helper()
	export := filepath.Join(t.TempDir(), "lost.jsonl")
	out, _ := b.run(t, "salvage", testkit.TopologyName(0), "--export", export, "--timeout", timeout)
	if said := strings.Join(strings.Fields(out), " "); !strings.Contains(said, "--timeout "+timeout+" is over") {
		t.Errorf("it does not say why it ended:\n%s", out)
	}
	rows, err := os.Open(export)
	if err != nil {
		t.Fatalf("%v:\n%s", err, out)
	}
	defer rows.Close() //nolint:errcheck // only read
	for dec := json.NewDecoder(rows); ; lines++ {
		var row map[string]any
		if err := dec.Decode(&row); errors.Is(err, io.EOF) {
			return lines
		} else if err != nil {
			t.Fatalf("line %d: %v", lines+1, err)
		}
	}
}

// echoes are places of answers that become values of ours.
var echoes = [][2]string{
	{"GetReplicateInfo", "checkpoint.pchannel"},
	{"GetReplicateInfo", "salvage_checkpoint.pchannel"},
	{"GetReplicateInfo", "salvage_checkpoint.message_id.id"},
	{"GetReplicateConfiguration", "configuration.clusters.cluster_id"},
	{"GetReplicateConfiguration", "configuration.clusters.connection_param.uri"},
	{"GetReplicateConfiguration", "configuration.cross_cluster_topology.source_cluster_id"},
	{"Connect", "server_info.build_tags"},
	{"ListDatabases", "db_names"},
	{"ShowCollections", "collection_names"},
	{"DumpMessages", "message.properties"},
	{"AllocTimestamp", "status.reason"},
}

// TestHostileEcho has the servers put our token into a name: no command says it in
// any form, no page of the daemon, and no file holds it. In the short form each name
// meets a quarter of the commands, and each command some names.
func TestHostileEcho(t *testing.T) {
	t.Parallel() // some of it is waiting
	ctx, cancel := context.WithTimeout(t.Context(), hostilePatience)
	defer cancel()
	b := newBesieged(ctx, t)
	clean := func(where, text string) {
		for _, form := range []string{milvussim.RootToken, base64.StdEncoding.EncodeToString([]byte(milvussim.RootToken)), hex.EncodeToString([]byte(milvussim.RootToken))} {
			if strings.Contains(text, form) {
				t.Errorf("%s: %s is in it:\n%s", where, form, text)
			}
		}
	}
	for i, e := range echoes {
		b.spoil(hostile.Echo(e[0], e[1], func(token string) string { return "by-" + token }))
		for j, args := range b.commands(t) {
			if testing.Short() && (i+j)%4 != 0 {
				continue
			}
			out, _ := b.run(t, append(slices.Clone(args), "--timeout", "3s", "--log-level", "debug")...)
			clean(e[0]+" "+e[1]+", "+strings.Join(args, " "), out)
		}
	}
	b.spoil(hostile.Echo(echoes[0][0], echoes[0][1], func(token string) string { return "by-" + token }))
	b.daemon(t, clean)
	err := filepath.WalkDir(b.Play, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || d.Name() == "token" {
			return err
		}
		data, err := os.ReadFile(path)
		clean(path, string(data))
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// daemon reads what the daemon serves once it has swept.
func (b *besieged) daemon(t *testing.T, clean func(where, text string)) {
	t.Helper()
	address := freeport.Address(t)
	config := filepath.Join(b.Play, "reconcile.yaml")
	data, err := os.ReadFile(config)
	if err == nil {
		err = os.WriteFile(config, append(data, fmt.Sprintf("serve: {address: %q}\n", address)...), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	cmd := b.Command(b.Ctx, "run", "--log-level", "debug")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	b.Await(t, "a sweep", func() bool {
		body, err := testkit.Request("GET", "http://"+address+"/api/v1/status", "")
		return err == nil && strings.Contains(string(body), "holds one of our tokens")
	})
	for _, path := range []string{"/", "/topologies/" + testkit.TopologyName(0), "/readyz", "/metrics", "/api/v1/status", "/t/" + testkit.TopologyName(0)} {
		body, err := testkit.Request("GET", "http://"+address+path, "")
		clean("GET "+path, string(body)+fmt.Sprint(err))
	}
	_ = cmd.Process.Signal(syscall.SIGTERM) // it may be gone
	_ = cmd.Wait()                          // what it says is searched
	clean("the daemon's log", out.String())
}
