package milvussim

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
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
