package bench

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"milvus-reconcile/cmd/reconcile/internal/testkit"
)

// lostTopologies is how many topologies a lost site has.
const lostTopologies = 300

// BenchmarkSiteFailover is `reconcile apply --site` of 300 approved failovers, from the start of
// the process to its end, next to a program that only makes the same calls for each of them,
// with the same concurrency (testdata/bare). The bare time leaves out the start of that
// program. The policy asks for one round and no waiting, so that nothing is taken off any
// time. Each op is one of each, in worlds that are alike.
func BenchmarkSiteFailover(b *testing.B) {
	const concurrency = 16
	b.StopTimer()
	recording := recordedSite(b, lostTopologies)
	bare := builtBare(b)
	var took, calls []time.Duration
	var cpu [2][]time.Duration
	for range b.N {
		e := newLostSite(b, lostTopologies)
		wall, spent := e.timed(b, e.binary, "apply", "--site", "eu-1", "--config", e.config, "--concurrency", strconv.Itoa(concurrency))
		took, cpu[0] = append(took, wall), append(cpu[0], spent)
		e.allPromoted(b, lostTopologies)
		e.end()

		e = newLostSite(b, lostTopologies)
		cmd := exec.Command(bare, recording, strconv.Itoa(concurrency))
		out, err := cmd.CombinedOutput()
		if err != nil {
			b.Fatalf("%v\n%s", err, out)
		}
		d, err := time.ParseDuration(strings.TrimSpace(string(out)))
		if err != nil {
			b.Fatal(err)
		}
		calls, cpu[1] = append(calls, d), append(cpu[1], cmd.ProcessState.UserTime()+cmd.ProcessState.SystemTime())
		e.allPromoted(b, lostTopologies)
		e.end()
	}
	b.ReportMetric(median(took), "ms/apply")
	b.ReportMetric(median(calls), "ms/bare")
	b.ReportMetric(median(took)/median(calls), "x-of-bare")
	b.ReportMetric(median(cpu[0]), "cpu-ms/apply")
	b.ReportMetric(median(cpu[1]), "cpu-ms/bare")
}

// newLostSite is a world of n topologies whose primaries are lost with the site eu-1, a ledger
// that knows them, and the approved commit that moves them.
func newLostSite(b *testing.B, n int) *estate {
	b.Helper()
	const policy = "  failover: {unavailableFor: 0s, probes: 1}\n"
	e := newEstate(b, n, policy)
	if out, err := exec.Command(e.binary, "apply", "--config", e.config).CombinedOutput(); err != nil {
		b.Fatalf("apply at rest: %v\n%s", err, out)
	}
	play := filepath.Dir(e.config)
	repo := filepath.Join(play, "repo")
	for i := range n {
		e.lose(b, i)
		text := failedOver(i, policy)
		for _, at := range []string{"a, site: eu-1", "b, site: eu-2", "c, site: eu-2"} {
			text = strings.Replace(text, fmt.Sprintf("{id: t%04d-%s,", i, at[:1]), fmt.Sprintf("{id: t%04d-%s,", i, at), 1)
		}
		if err := os.WriteFile(filepath.Join(repo, "topologies", fmt.Sprintf("t%04d.yaml", i)), []byte(text), 0o644); err != nil {
			b.Fatal(err)
		}
	}
	for _, args := range [][]string{
		{"git", "-C", repo, "-c", "user.name=bob", "-c", "user.email=bob@example.com", "commit", "-qam", "Fail over eu-1"},
		{"git", "-C", repo, "config", "user.name", "alice"},
		{"git", "-C", repo, "config", "user.email", "alice@example.com"},
		{"git", "-C", repo, "config", "gpg.format", "ssh"},
		{"git", "-C", repo, "config", "gpg.ssh.program", "sshsign"},
		{"git", "-C", repo, "config", "user.signingKey", filepath.Join(play, "alice")},
		{e.binary, "approve", "--site", "eu-1", "--reason", "a drill", "--repo", repo, "--config", e.config},
	} {
		if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
			b.Fatalf("%v: %v\n%s", args, err, out)
		}
	}
	return e
}

// allPromoted fails unless all topologies have a new primary.
func (e *estate) allPromoted(b *testing.B, n int) {
	b.Helper()
	world, err := testkit.Request("GET", e.control+"/world", "")
	if got := strings.Count(string(world), `"writable":true`); err != nil || got != n {
		b.Fatalf("%d of %d were promoted: %v", got, n, err)
	}
}

// recordedSite is a file with the calls of n failovers: those of one, with the names and
// addresses of the others.
func recordedSite(b *testing.B, n int) (path string) {
	b.Helper()
	one, _ := recordedFailover(b, "ddl")
	data, err := os.ReadFile(one)
	if err != nil {
		b.Fatal(err)
	}
	var calls []recordedCall
	if err := json.Unmarshal(data, &calls); err != nil {
		b.Fatal(err)
	}
	all := make([][]recordedCall, n)
	for i := range n {
		names := strings.NewReplacer("t0000", fmt.Sprintf("t%04d", i),
			address(0), address(3*i), address(1), address(3*i+1), address(2), address(3*i+2))
		for _, c := range calls {
			c.Address, c.Request = names.Replace(c.Address), renamed(b, c, names)
			all[i] = append(all[i], c)
		}
	}
	if data, err = json.Marshal(all); err != nil {
		b.Fatal(err)
	}
	path = filepath.Join(b.TempDir(), "calls.json")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		b.Fatal(err)
	}
	return path
}

// renamed is the request of a call with other names in it.
func renamed(b *testing.B, c recordedCall, names *strings.Replacer) []byte {
	b.Helper()
	found, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(strings.ReplaceAll(strings.Trim(c.Method, "/"), "/", ".")))
	if err != nil {
		b.Fatal(err)
	}
	t, err := protoregistry.GlobalTypes.FindMessageByName(found.(protoreflect.MethodDescriptor).Input().FullName()) //nolint:forcetypeassert // it is a method
	if err != nil {
		b.Fatal(err)
	}
	request := t.New().Interface()
	if err := proto.Unmarshal(c.Request, request); err != nil {
		b.Fatal(err)
	}
	text, err := protojson.Marshal(request)
	if err == nil {
		err = protojson.Unmarshal([]byte(names.Replace(string(text))), request)
	}
	if err != nil {
		b.Fatal(err)
	}
	out, err := proto.Marshal(request)
	if err != nil {
		b.Fatal(err)
	}
	return out
}
