package milvussim

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus/pkg/v2/util/replicateutil"
)

// The oracle is upstream's own validator and helper of a build from before
// append-only growth (#47917), so the profile that must agree with it in every
// verdict is 2.6.6. What newer profiles do otherwise, and nothing else, is
// listed in TestListedDifferences.
const oracleProfile = "2.6.6"

var (
	ids   = []string{"a", "b", "c", "", "a b", "d\t"}
	uris  = []string{"http://a:1", "http://b:1", "http://c:1", "localhost:19530", "10.0.0.1:19530", "", "cluster_a:1", "/x"}
	names = []string{"a_0", "a_1", "a_2", "b_0", "b_1", ""}
)

func genMember(t *rapid.T, label string) *commonpb.MilvusCluster {
	id := rapid.SampledFrom(ids[:3]).Draw(t, label+" id")
	m := &commonpb.MilvusCluster{
		ClusterId:       id,
		ConnectionParam: &commonpb.ConnectionParam{Uri: "http://" + id + ":1", Token: "t"},
		Pchannels:       []string{id + "_0", id + "_1"},
	}
	switch rapid.IntRange(0, 24).Draw(t, label+" damage") {
	case 0:
		return nil
	case 1:
		m.ClusterId = rapid.SampledFrom(ids).Draw(t, label+" bad id")
	case 2:
		m.ConnectionParam = nil
	case 3:
		m.ConnectionParam.Uri = rapid.SampledFrom(uris).Draw(t, label+" uri")
	case 4:
		m.ConnectionParam.Token = rapid.SampledFrom([]string{"", "u"}).Draw(t, label+" token")
	case 5:
		m.Pchannels = rapid.SliceOfN(rapid.SampledFrom(names), 0, 3).Draw(t, label+" pchannels")
	case 6:
		slices.Reverse(m.Pchannels)
	case 7:
		m.Pchannels = append(m.Pchannels, id+"_2")
	}
	return m
}

func genConfiguration(t *rapid.T, label string) *commonpb.ReplicateConfiguration {
	if rapid.IntRange(0, 30).Draw(t, label+" nil") == 0 {
		return nil
	}
	cfg := &commonpb.ReplicateConfiguration{}
	seen := map[string]bool{}
	for i := range rapid.IntRange(0, 3).Draw(t, label+" clusters") {
		m := genMember(t, label+string(rune('0'+i)))
		if seen[m.GetClusterId()] && rapid.IntRange(0, 5).Draw(t, label+" keep duplicate") > 0 {
			continue
		}
		seen[m.GetClusterId()] = true
		cfg.Clusters = append(cfg.Clusters, m)
	}
	switch rapid.IntRange(0, 3).Draw(t, label+" edges") {
	case 0:
		for range rapid.IntRange(0, 3).Draw(t, label+" wild edges") {
			cfg.CrossClusterTopology = append(cfg.CrossClusterTopology, genEdge(t, label))
		}
	case 1, 2:
		centre := rapid.SampledFrom(ids[:3]).Draw(t, label+" centre")
		for _, m := range cfg.Clusters {
			if m.GetClusterId() != centre {
				cfg.CrossClusterTopology = append(cfg.CrossClusterTopology,
					&commonpb.CrossClusterTopology{SourceClusterId: centre, TargetClusterId: m.GetClusterId()})
			}
		}
	}
	return cfg
}

func genEdge(t *rapid.T, label string) *commonpb.CrossClusterTopology {
	if rapid.IntRange(0, 10).Draw(t, label+" nil edge") == 0 {
		return nil
	}
	return &commonpb.CrossClusterTopology{
		SourceClusterId: rapid.SampledFrom(ids[:3]).Draw(t, label+" from"),
		TargetClusterId: rapid.SampledFrom(ids[:3]).Draw(t, label+" to"),
	}
}

// upstream is the verdict of Milvus' own code.
func upstream(incoming, stored *commonpb.ReplicateConfiguration, live []string) error {
	if err := replicateutil.NewReplicateConfigValidator(incoming, stored, "a", live).Validate(); err != nil {
		return err
	}
	_, err := replicateutil.NewConfigHelper("a", incoming)
	return err
}

func ours(t interface{ Fatal(...any) }, version string, incoming, stored *commonpb.ReplicateConfiguration, live []string) error {
	p, err := ParseProfile(version)
	if err != nil {
		t.Fatal(err)
	}
	v := &validator{profile: p, self: "a", live: live, stored: stored, incoming: incoming}
	if err := v.validate(); err != nil {
		return err
	}
	return checkGraph("a", incoming)
}

func TestVerdictsAreUpstreams(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		incoming := genConfiguration(t, "incoming ")
		var stored *commonpb.ReplicateConfiguration
		if rapid.Bool().Draw(t, "has stored") {
			stored = genConfiguration(t, "stored ")
		}
		live := []string{"a_0", "a_1"}
		if upstream(stored, nil, live) != nil {
			stored = nil // a server never stores what it would refuse
		}
		if rapid.IntRange(0, 9).Draw(t, "grown") == 0 {
			live = append(live, "a_2")
		}
		want := upstream(incoming, stored, live)
		got := ours(t, oracleProfile, incoming, stored, live)
		if (want == nil) != (got == nil) {
			t.Fatalf("upstream says %v, the simulator %v, for %v over %v", want, got, incoming, stored)
		}
		// A star's faults come out of a map upstream; the others must read alike.
		if want != nil && !strings.Contains(want.Error(), "star topology") && want.Error() != got.Error() &&
			!strings.Contains(want.Error(), "pchannel count is not equal") {
			t.Fatalf("upstream says %q, the simulator %q", want, got)
		}
	})
}

func TestRepeatedValidationIsPure(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		incoming := genConfiguration(t, "incoming ")
		before := cloneConfiguration(incoming)
		_ = ours(t, DefaultProfile, incoming, nil, []string{"a_0", "a_1"})
		if incoming != nil && !proto.Equal(before, incoming) {
			t.Fatal("validation changed its input")
		}
	})
}

// TestListedDifferences names everything in which newer versions differ from the
// oracle (milvus.md §1.1, §2.2).
func TestListedDifferences(t *testing.T) {
	pair := func(n int, edge bool) *commonpb.ReplicateConfiguration {
		cfg := &commonpb.ReplicateConfiguration{}
		for _, id := range []string{"a", "b"} {
			cfg.Clusters = append(cfg.Clusters, &commonpb.MilvusCluster{
				ClusterId: id, ConnectionParam: &commonpb.ConnectionParam{Uri: "http://" + id + ":1"}, Pchannels: PChannels(id+"_", n),
			})
		}
		if edge {
			cfg.CrossClusterTopology = []*commonpb.CrossClusterTopology{{SourceClusterId: "a", TargetClusterId: "b"}}
		}
		return cfg
	}
	alone := pair(2, true)
	alone.Clusters, alone.CrossClusterTopology = alone.Clusters[:1], nil
	for _, tc := range []struct {
		name     string
		version  string
		incoming *commonpb.ReplicateConfiguration
		stored   *commonpb.ReplicateConfiguration
		live     []string
		want     string
	}{
		{"growth is refused before 2.6.12", "2.6.6", pair(3, true), pair(2, true), PChannels("a_", 3), "pchannels cannot be changed"},
		{"growth is allowed from 2.6.12", "2.6.12", pair(3, true), pair(2, true), PChannels("a_", 3), ""},
		{"growth with a new cluster is refused up to 2.6.15", "2.6.15", pair(3, true), alone, PChannels("a_", 3), "cluster set must remain identical"},
		{"growth with a new cluster is allowed from 2.6.16", "2.6.16", pair(3, true), alone, PChannels("a_", 3), ""},
		{"the sentinel of an invalid parameter from 2.6.19", "2.6.19", pair(1, true), pair(2, true), PChannels("a_", 1), "pchannels cannot decrease: current=[a_0 a_1], incoming=[a_0]: invalid parameter"},
		{"the sentinel of a missing parameter from 2.6.19", "2.6.19", &commonpb.ReplicateConfiguration{}, nil, nil, "clusters list cannot be empty: missing parameter"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			err := ours(t, tc.version, tc.incoming, tc.stored, tc.live)
			if tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
		})
	}
	if !errors.Is(errPrimaryCount, errWrongConfiguration) || errPrimaryCount.Error() != "primary count is not 1: wrong replicate configuration" {
		t.Error("the text of H1 is not upstream's")
	}
}

// TestNewerVerdictsDifferInGrowthOnly demands upstream's verdict of every newer
// profile too, but for the one rule that has changed since: that channels may
// grow (#47917, #49214).
func TestNewerVerdictsDifferInGrowthOnly(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		version := rapid.SampledFrom([]string{"2.6.12", "2.6.15", "2.6.16", "2.6.19", "3.0.0", "master"}).Draw(t, "version")
		incoming, stored := genConfiguration(t, "incoming "), genConfiguration(t, "stored ")
		live := []string{"a_0", "a_1"}
		if upstream(stored, nil, live) != nil {
			stored = nil
		}
		want := upstream(incoming, stored, live)
		if want != nil && strings.Contains(want.Error(), "pchannels cannot be changed") {
			return
		}
		if got := ours(t, version, incoming, stored, live); (want == nil) != (got == nil) {
			t.Fatalf("upstream says %v, %s says %v, for %v over %v", want, version, got, incoming, stored)
		}
	})
}
