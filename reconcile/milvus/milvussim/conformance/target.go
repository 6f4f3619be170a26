package conformance

import (
	"cmp"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"milvus-reconcile/reconcile/milvus/milvussim"
)

// Cluster is one cluster under test.
type Cluster struct {
	ID string
	// Address is where the suite connects, host:port.
	Address string
	// Secured: it wants TLS there.
	Secured bool
	// URI is how the other clusters connect.
	URI string
	// Token is user:password, for the suite and for the other clusters.
	Token string
	// PChannels is the number of its channels, named <id>-rootcoord-dml_<i>.
	PChannels int

	rpc milvuspb.MilvusServiceClient
}

// Target is a pair of real clusters, with a third one for the cases about stars.
type Target struct {
	A, B Cluster
	// C is nil if there is no third one.
	C *Cluster
	// Breaker breaks them; its zero value breaks nothing.
	Breaker Breaker
	// TLS is for the clusters that want it.
	TLS *tls.Config
	// Expendable allows cases that change roles and lose data. It is a promise
	// that nobody needs these clusters.
	Expendable bool
	// ControlOnly says that they have no query and data nodes.
	ControlOnly bool
	// Patience is how long a call must wait to be taken for one that waits for
	// ever; 5 s if 0.
	Patience time.Duration
	// Limit ends the run; 15 minutes if 0.
	Limit time.Duration

	limits *limits // of a test of the suite itself
}

// ParseCluster reads "id=cluster-a,address=host:19530,uri=http://host:19530,
// token=root:Milvus,pchannels=16"; id and address are needed. An address that
// begins with https:// is one that wants TLS.
func ParseCluster(s string) (Cluster, error) {
	c := Cluster{Token: milvussim.RootToken, PChannels: milvussim.DefaultPChannels}
	for _, pair := range strings.Split(s, ",") {
		key, value, ok := strings.Cut(strings.TrimSpace(pair), "=")
		if !ok {
			return c, fmt.Errorf("cluster %q: %q is not key=value", s, pair)
		}
		switch key {
		case "id":
			c.ID = value
		case "address":
			c.Address = value
		case "uri":
			c.URI = value
		case "token":
			c.Token = value
		case "pchannels":
			if _, err := fmt.Sscanf(value, "%d", &c.PChannels); err != nil || c.PChannels < 1 {
				return c, fmt.Errorf("cluster %q: pchannels=%q is not a number", s, value)
			}
		default:
			return c, fmt.Errorf("cluster %q: unknown key %q", s, key)
		}
	}
	if c.ID == "" || c.Address == "" {
		return c, fmt.Errorf("cluster %q: id and address are needed", s)
	}
	scheme := "http://"
	if host, secured := strings.CutPrefix(c.Address, "https://"); secured {
		c.Address, c.Secured, scheme = host, true, "https://"
	}
	c.Address = strings.TrimPrefix(c.Address, "http://")
	if c.URI == "" {
		c.URI = scheme + c.Address
	}
	return c, nil
}

// env is what a case works with.
type env struct {
	t        testing.TB
	a, b, c  *Cluster
	world    *milvussim.World // nil on real clusters
	breaker  Breaker
	tls      *tls.Config
	patience time.Duration
	limits   limits
	known    *sync.Map // whether a cluster is fresh
}

const (
	simulatedPatience = 150 * time.Millisecond
	realPatience      = 5 * time.Second
	defaultLimit      = 15 * time.Minute
)

// as is a context with a token and a deadline.
func (e *env) as(token string, limit time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(e.t.Context(), limit)
	e.t.Cleanup(cancel)
	return metadata.AppendToOutgoingContext(ctx, "authorization", base64.StdEncoding.EncodeToString([]byte(token)))
}

func (e *env) long(c *Cluster) context.Context  { return e.as(c.Token, e.limits.call) }
func (e *env) brief(c *Cluster) context.Context { return e.as(c.Token, e.patience) }

// pchannels are the cluster's channels in numeric order.
func (c *Cluster) pchannels() []string {
	return milvussim.PChannels(c.ID+"-rootcoord-dml_", c.PChannels)
}

func (c *Cluster) member() *commonpb.MilvusCluster {
	return &commonpb.MilvusCluster{
		ClusterId:       c.ID,
		ConnectionParam: &commonpb.ConnectionParam{Uri: c.URI, Token: c.Token},
		Pchannels:       c.pchannels(),
	}
}

// star is the configuration in which from replicates to each target; clusters in
// order of id, edges in order of target.
func star(from *Cluster, targets ...*Cluster) *commonpb.ReplicateConfiguration {
	cfg := &commonpb.ReplicateConfiguration{}
	for _, c := range append([]*Cluster{from}, targets...) {
		cfg.Clusters = append(cfg.Clusters, c.member())
	}
	slices.SortFunc(cfg.Clusters, func(x, y *commonpb.MilvusCluster) int { return cmp.Compare(x.GetClusterId(), y.GetClusterId()) })
	for _, t := range targets {
		cfg.CrossClusterTopology = append(cfg.CrossClusterTopology,
			&commonpb.CrossClusterTopology{SourceClusterId: from.ID, TargetClusterId: t.ID})
	}
	return cfg
}

// eventually demands that cond comes to hold.
func (e *env) eventually(what string, cond func() bool) {
	e.t.Helper()
	if !e.within(e.limits.call, cond) {
		e.t.Fatalf("did not happen: %s", what)
	}
}

// within asks until cond holds or the time is over.
func (e *env) within(limit time.Duration, cond func() bool) bool {
	e.t.Helper()
	tick := time.NewTicker(e.limits.poll)
	defer tick.Stop()
	over := time.Now().Add(limit)
	for !cond() {
		if !time.Now().Before(over) {
			return false
		}
		<-tick.C
	}
	return true
}

// reply is the outcome of an update.
type reply struct {
	status *commonpb.Status
	err    error
}

func (e *env) send(ctx context.Context, c *Cluster, cfg *commonpb.ReplicateConfiguration, force bool) reply {
	e.known.CompareAndDelete(c.ID, true)
	s, err := c.rpc.UpdateReplicateConfiguration(ctx, &milvuspb.UpdateReplicateConfigurationRequest{
		ReplicateConfiguration: cfg, ForcePromote: force,
	})
	r := reply{s, err}
	if (force || !e.led(cfg)) && (r.inDoubt() || err == nil && s.GetCode() == 0) {
		e.known.Store(dirty, true)
	}
	return r
}

// led reports whether a configuration has edges from A, and no other.
func (e *env) led(cfg *commonpb.ReplicateConfiguration) bool {
	edges := cfg.GetCrossClusterTopology()
	return len(edges) > 0 && !slices.ContainsFunc(edges, func(edge *commonpb.CrossClusterTopology) bool {
		return edge.GetSourceClusterId() != e.a.ID
	})
}

// call demands that a normal update succeeds.
func (e *env) call(c *Cluster, cfg *commonpb.ReplicateConfiguration) {
	e.t.Helper()
	e.done(e.send(e.long(c), c, cfg, false))
}

// force demands that a force promote succeeds.
func (e *env) force(c *Cluster) {
	e.t.Helper()
	r := e.send(e.long(c), c, star(c), true)
	if e.world == nil && r.inDoubt() {
		said := e.unstick(c)
		if !e.within(e.limits.start, func() bool { return e.stored(c) == short(star(c)) }) {
			e.t.Fatalf("the promotion of %s did not end: %v, %v%s", c.ID, r.status, r.err, said)
		}
		return
	}
	e.done(r)
}

// inDoubt reports whether an answer leaves open what becomes of the request: a
// deadline, in one of the forms that servers give it.
func (r reply) inDoubt() bool {
	if r.err == nil {
		return strings.Contains(r.status.GetReason(), "context deadline exceeded")
	}
	code, text := status.Code(r.err), status.Convert(r.err).Message()
	return code == codes.DeadlineExceeded || errors.Is(r.err, context.DeadlineExceeded) ||
		strings.Contains(text, "RST_STREAM with error code: CANCEL")
}

func (e *env) done(r reply) {
	e.t.Helper()
	//lint:ignore SA1019 clients read it too
	if r.err != nil || r.status.GetCode() != 0 || r.status.GetErrorCode() != commonpb.ErrorCode_Success {
		e.t.Fatalf("refused: %v, %v", r.status, r.err)
	}
}

// refused demands an error inside a successful call, 65535 with that text. The
// older field of the error differs from method to method on real servers.
func (e *env) refused(r reply, text string) {
	e.t.Helper()
	//lint:ignore SA1019 clients read it too
	older := r.status.GetErrorCode()
	if r.err != nil || r.status.GetCode() != 65535 || older == commonpb.ErrorCode_Success || r.status.GetRetriable() ||
		e.world != nil && older != commonpb.ErrorCode_UnexpectedError {
		e.t.Fatalf("got %v, %v; want a Status of 65535 with %q", r.status, r.err, text)
	}
	if !strings.Contains(r.status.GetReason(), text) {
		e.t.Fatalf("reason %q does not hold %q", r.status.GetReason(), text)
	}
}

// waits demands that an update runs into its deadline. One that did not reach the simulator by
// then, on a busy machine, is sent again.
func (e *env) waits(c *Cluster, cfg *commonpb.ReplicateConfiguration, force bool) {
	e.t.Helper()
	for range 20 {
		before := e.arrived()
		if r := e.send(e.brief(c), c, cfg, force); !r.inDoubt() {
			e.t.Fatalf("got %v, %v; want a deadline", r.status, r.err)
		}
		if e.world == nil || e.arrived() > before {
			return
		}
	}
	e.t.Fatal("no update arrived before its deadline")
}

// arrived is how many updates the simulator has seen; 0 for real clusters.
func (e *env) arrived() int {
	if e.world == nil {
		return 0
	}
	return len(e.updates())
}

func (e *env) deadline(err error) {
	e.t.Helper()
	if err == nil || !(reply{err: err}).inDoubt() {
		e.t.Fatalf("got %v, want a deadline", err)
	}
}

// TargetFromEnv reads a target from the variables of docs/conformance.md. All that
// is wrong with them is told at once.
func TargetFromEnv(getenv func(string) string) (Target, error) {
	target := Target{Expendable: getenv("MILVUS_EXPENDABLE") == "yes", ControlOnly: getenv("MILVUS_CONTROL_ONLY") == "yes", Breaker: CommandBreaker(getenv)}
	var problems []error
	if s := getenv("MILVUS_LIMIT"); s != "" {
		limit, err := time.ParseDuration(s)
		if err != nil || limit <= 0 {
			problems = append(problems, fmt.Errorf("MILVUS_LIMIT: %q is not a time like 15m", s))
		}
		target.Limit = limit
	}
	parse := func(name string, into *Cluster) {
		var err error
		if *into, err = ParseCluster(getenv(name)); err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", name, err))
		}
	}
	parse("MILVUS_A", &target.A)
	parse("MILVUS_B", &target.B)
	if getenv("MILVUS_C") != "" {
		target.C = &Cluster{}
		parse("MILVUS_C", target.C)
	}
	var err error
	if target.TLS, err = TLSFromFiles(getenv("MILVUS_CA"), getenv("MILVUS_CERT"), getenv("MILVUS_KEY")); err != nil {
		problems = append(problems, err)
	}
	return target, errors.Join(problems...)
}
