package milvussim

import (
	"errors"
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
)

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
