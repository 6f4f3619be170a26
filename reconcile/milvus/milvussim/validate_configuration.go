package milvussim

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"google.golang.org/protobuf/proto"
)

// validator checks an incoming configuration in the order and with the texts of
// pkg/util/replicateutil/config_validator.go (milvus.md §2.2, V1 to V21). Where Milvus
// ranges over a map, this one goes through the clusters in list order, so that
// of several faults the same one is always reported.
type validator struct {
	profile  Profile
	self     string
	live     []string
	stored   *commonpb.ReplicateConfiguration
	incoming *commonpb.ReplicateConfiguration
}

// Suffixes that newer servers add to the texts of the validator (milvus.md §1.1).
const (
	suffixInvalid = ": invalid parameter"
	suffixMissing = ": missing parameter"
)

func (v *validator) validate() error {
	err := v.firstFault()
	if err == nil || !v.profile.sentinels {
		return err
	}
	if len(v.incoming.GetClusters()) == 0 && v.incoming != nil {
		return errors.New(err.Error() + suffixMissing)
	}
	return errors.New(err.Error() + suffixInvalid)
}

func (v *validator) firstFault() error {
	if v.incoming == nil {
		return errors.New("config cannot be nil")
	}
	if len(v.incoming.GetClusters()) == 0 {
		return errors.New("clusters list cannot be empty")
	}
	for _, check := range []func() error{v.clusters, v.ownEntry, v.edges, v.star, v.unchanged} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

// clusters checks each entry of the list (V3 to V12).
func (v *validator) clusters() error {
	list := v.incoming.GetClusters()
	uris, ids := map[string]string{}, map[string]bool{}
	for i, c := range list {
		if err := checkEntry(i, c); err != nil {
			return err
		}
		id, uri := c.GetClusterId(), c.GetConnectionParam().GetUri()
		if other, ok := uris[uri]; ok {
			return fmt.Errorf("duplicate URI found: '%s' is used by both cluster '%s' and cluster '%s'", uri, other, id)
		}
		uris[uri] = id
		if err := checkPChannels(c); err != nil {
			return err
		}
		if got, want := len(c.GetPchannels()), len(list[0].GetPchannels()); got != want {
			return fmt.Errorf("cluster '%s' has %d pchannels, but expected %d (same as cluster '%s')",
				id, got, want, list[0].GetClusterId())
		}
		if ids[id] {
			return fmt.Errorf("duplicate clusterID found: '%s'", id)
		}
		ids[id] = true
	}
	return nil
}

func checkEntry(i int, c *commonpb.MilvusCluster) error {
	id := c.GetClusterId()
	switch {
	case c == nil:
		return fmt.Errorf("cluster at index %d is nil", i)
	case id == "":
		return fmt.Errorf("cluster at index %d has empty clusterID", i)
	case strings.ContainsAny(id, " \t\n\r"):
		return fmt.Errorf("cluster at index %d has clusterID '%s' containing whitespace characters", i, id)
	case c.GetConnectionParam() == nil:
		return fmt.Errorf("cluster '%s' has nil connection_param", id)
	case c.GetConnectionParam().GetUri() == "":
		return fmt.Errorf("cluster '%s' has empty URI", id)
	}
	uri := c.GetConnectionParam().GetUri()
	if _, err := url.ParseRequestURI(uri); err != nil {
		return fmt.Errorf("cluster '%s' has invalid URI format: '%s'", id, uri)
	}
	return nil
}

func checkPChannels(c *commonpb.MilvusCluster) error {
	if len(c.GetPchannels()) == 0 {
		return fmt.Errorf("cluster '%s' has empty pchannels", c.GetClusterId())
	}
	seen := map[string]bool{}
	for i, name := range c.GetPchannels() {
		if name == "" {
			return fmt.Errorf("cluster '%s' has empty pchannel at index %d", c.GetClusterId(), i)
		}
		if seen[name] {
			return fmt.Errorf("cluster '%s' has duplicate pchannel: '%s'", c.GetClusterId(), name)
		}
		seen[name] = true
	}
	return nil
}

// ownEntry checks that this cluster is listed with its live channels, in any
// order (V13, V14).
func (v *validator) ownEntry() error {
	own := entry(v.incoming, v.self)
	if own == nil {
		return fmt.Errorf("current Milvus cluster '%s' must be included in the clusters list", v.self)
	}
	live, listed := slices.Sorted(slices.Values(v.live)), slices.Sorted(slices.Values(own.GetPchannels()))
	if !slices.Equal(live, listed) {
		return fmt.Errorf("current pchannels do not match the pchannels in the config, current pchannels: %v, config pchannels: %v",
			v.live, own.GetPchannels())
	}
	return nil
}

// edges checks the endpoints and the uniqueness of the edges (V15).
func (v *validator) edges() error {
	seen := map[string]bool{}
	for i, e := range v.incoming.GetCrossClusterTopology() {
		key := fmt.Sprintf("%s->%s", e.GetSourceClusterId(), e.GetTargetClusterId())
		switch {
		case e == nil:
			return fmt.Errorf("topology at index %d is nil", i)
		case entry(v.incoming, e.GetSourceClusterId()) == nil:
			return fmt.Errorf("topology at index %d references non-existent source cluster: '%s'", i, e.GetSourceClusterId())
		case entry(v.incoming, e.GetTargetClusterId()) == nil:
			return fmt.Errorf("topology at index %d references non-existent target cluster: '%s'", i, e.GetTargetClusterId())
		case seen[key]:
			return fmt.Errorf("duplicate topology relationship found: '%s'", key)
		}
		seen[key] = true
	}
	return nil
}

// star checks that the edges, if there are any, form a star (V16, V17).
func (v *validator) star() error {
	edges := v.incoming.GetCrossClusterTopology()
	if len(edges) == 0 {
		return nil
	}
	in, out := map[string]int{}, map[string]int{}
	for _, e := range edges {
		out[e.GetSourceClusterId()]++
		in[e.GetTargetClusterId()]++
	}
	centre := ""
	for _, c := range v.incoming.GetClusters() {
		id := c.GetClusterId()
		if out[id] != len(v.incoming.GetClusters())-1 || in[id] != 0 {
			continue
		}
		if centre != "" {
			return errors.New("multiple center nodes found, only one center node is allowed in star topology")
		}
		centre = id
	}
	if centre == "" {
		return errors.New("no center node found, star topology must have exactly one center node")
	}
	for _, c := range v.incoming.GetClusters() {
		if id := c.GetClusterId(); id != centre && (in[id] != 1 || out[id] != 0) {
			return fmt.Errorf("cluster '%s' does not follow star topology pattern (in-degree=%d, out-degree=%d)",
				id, in[id], out[id])
		}
	}
	return nil
}

// unchanged compares the clusters that are stored already with what comes in:
// channels only grow, uri and token stay (milvus.md V18 to V21).
func (v *validator) unchanged() error {
	if v.stored == nil {
		return nil
	}
	grows := false
	for _, c := range v.incoming.GetClusters() {
		known := entry(v.stored, c.GetClusterId())
		if known == nil {
			continue
		}
		if err := v.channelsKept(known, c); err != nil {
			return err
		}
		grows = grows || len(c.GetPchannels()) > len(known.GetPchannels())
		if err := connectionKept(known, c); err != nil {
			return err
		}
	}
	if grows && !v.profile.growthAnywhere {
		return v.onlyGrows()
	}
	return nil
}

func (v *validator) channelsKept(known, incoming *commonpb.MilvusCluster) error {
	id, before, after := known.GetClusterId(), known.GetPchannels(), incoming.GetPchannels()
	switch {
	case slices.Equal(before, after):
		return nil
	case !v.profile.growth:
		return fmt.Errorf("cluster '%s' pchannels cannot be changed: current=%v, incoming=%v", id, before, after)
	case len(after) < len(before):
		return fmt.Errorf("cluster '%s' pchannels cannot decrease: current=%v, incoming=%v", id, before, after)
	case !slices.Equal(before, after[:len(before)]):
		return fmt.Errorf("cluster '%s' existing pchannels must be preserved at the same positions: current=%v, incoming=%v",
			id, before, after)
	}
	return nil
}

func connectionKept(known, incoming *commonpb.MilvusCluster) error {
	was, is := known.GetConnectionParam(), incoming.GetConnectionParam()
	if was.GetUri() != is.GetUri() {
		return fmt.Errorf("cluster '%s' connection_param.uri cannot be changed: current=%s, incoming=%s",
			known.GetClusterId(), was.GetUri(), is.GetUri())
	}
	if was.GetToken() != is.GetToken() {
		return fmt.Errorf("cluster '%s' connection_param.token cannot be changed", known.GetClusterId())
	}
	return nil
}

// onlyGrows is the rule of versions up to 2.6.15 that growth of channels comes
// with no other change (V21).
func (v *validator) onlyGrows() error {
	same := len(v.stored.GetClusters()) == len(v.incoming.GetClusters())
	for _, c := range v.incoming.GetClusters() {
		same = same && entry(v.stored, c.GetClusterId()) != nil
	}
	if !same {
		return errors.New("when pchannels are increasing, cluster set must remain identical")
	}
	was, is := v.stored.GetCrossClusterTopology(), v.incoming.GetCrossClusterTopology()
	if !slices.EqualFunc(was, is, func(a, b *commonpb.CrossClusterTopology) bool { return proto.Equal(a, b) }) {
		return errors.New("when pchannels are increasing, topology must remain identical")
	}
	return nil
}

// Errors of the configuration helper (pkg/util/replicateutil/config_helper.go).
var (
	errWrongConfiguration = errors.New("wrong replicate configuration")
	errPrimaryCount       = fmt.Errorf("primary count is not 1: %w", errWrongConfiguration)
	errSelfNotFound       = errors.New("current cluster not found")
)

// checkGraph repeats what Milvus' configuration helper checks when it builds the
// graph of a configuration (H1, H2).
func checkGraph(self string, cfg *commonpb.ReplicateConfiguration) error {
	sources := map[string]string{}
	for _, e := range cfg.GetCrossClusterTopology() {
		from, to := e.GetSourceClusterId(), e.GetTargetClusterId()
		if entry(cfg, from) == nil || entry(cfg, to) == nil || sources[to] != "" {
			return errWrongConfiguration
		}
		sources[to] = from
	}
	primaries := map[string]bool{}
	for _, c := range cfg.GetClusters() {
		if sources[c.GetClusterId()] == "" {
			primaries[c.GetClusterId()] = true
		}
	}
	if len(primaries) != 1 {
		return errPrimaryCount
	}
	own := entry(cfg, self)
	if own == nil {
		return errSelfNotFound
	}
	for _, c := range cfg.GetClusters() {
		if len(c.GetPchannels()) != len(own.GetPchannels()) {
			return fmt.Errorf("pchannel count is not equal for cluster %s: %w", c.GetClusterId(), errWrongConfiguration)
		}
	}
	return nil
}
