package plan

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestShardTakes(t *testing.T) {
	eu := map[string]string{"region": "eu", "tier": "1"}
	for name, c := range map[string]struct {
		shard  Shard
		file   string
		labels map[string]string
		want   bool
	}{
		"without a rule it takes nothing":   {Shard{Name: "x"}, "topologies/a.yaml", eu, false},
		"a folder":                          {Shard{Paths: []string{"topologies/eu"}}, "topologies/eu/a.yaml", nil, true},
		"a folder below a folder":           {Shard{Paths: []string{"topologies/eu"}}, "topologies/eu/berlin/a.yaml", nil, true},
		"a folder with a longer name":       {Shard{Paths: []string{"topologies/eu"}}, "topologies/eu-2/a.yaml", nil, false},
		"a pattern of folders":              {Shard{Paths: []string{"topologies/eu-*"}}, "topologies/eu-2/a.yaml", nil, true},
		"a star does not cross a folder":    {Shard{Paths: []string{"*/a.yaml"}}, "topologies/eu/a.yaml", nil, false},
		"a file":                            {Shard{Paths: []string{"topologies/eu/a*"}}, "topologies/eu/a.yaml", nil, true},
		"one of several paths":              {Shard{Paths: []string{"x", "topologies"}}, "topologies/a.yaml", nil, true},
		"labels":                            {Shard{Labels: map[string]string{"region": "eu"}}, "a.yaml", eu, true},
		"all labels":                        {Shard{Labels: map[string]string{"region": "eu", "tier": "2"}}, "a.yaml", eu, false},
		"a label that is missing":           {Shard{Labels: map[string]string{"zone": ""}}, "a.yaml", eu, false},
		"a path and labels, both":           {Shard{Paths: []string{"t"}, Labels: map[string]string{"region": "eu"}}, "t/a.yaml", eu, true},
		"a path and labels, only the path":  {Shard{Paths: []string{"t"}, Labels: map[string]string{"region": "us"}}, "t/a.yaml", eu, false},
		"a path and labels, only the label": {Shard{Paths: []string{"u"}, Labels: map[string]string{"region": "eu"}}, "t/a.yaml", eu, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := c.shard.takes(c.file, c.labels); got != c.want {
				t.Errorf("it says %v", got)
			}
		})
	}
}

// TestShardsDivideTheTopologies: whatever the rules are, each topology has one shard that
// takes it, or a finding that names all that do. Never both, and never neither.
func TestShardsDivideTheTopologies(t *testing.T) {
	folders, regions := []string{"t/eu", "t/us", "t/eu/north", "t"}, []string{"eu", "us", ""}
	labelsOf := func(region string) map[string]string {
		if region == "" {
			return nil
		}
		return map[string]string{"region": region}
	}
	rapid.Check(t, func(t *rapid.T) {
		var d Desired
		for _, name := range []string{"one", "two", "three"}[:rapid.IntRange(1, 3).Draw(t, "shards")] {
			d.Shards = append(d.Shards, Shard{
				Name:   name,
				Paths:  rapid.SliceOfN(rapid.SampledFrom(folders), 0, 2).Draw(t, "paths"),
				Labels: labelsOf(rapid.SampledFrom(regions).Draw(t, "region")),
			})
		}
		for _, name := range []string{"a", "b", "c"} {
			file := rapid.SampledFrom(folders).Draw(t, "folder") + "/" + name + ".yaml"
			d.Topologies = append(d.Topologies, Topology{Name: name, At: Position{File: file}, Labels: labelsOf(rapid.SampledFrom(regions).Draw(t, "label"))})
		}
		for _, top := range d.Topologies {
			var takers []string
			for _, s := range d.Shards {
				if s.takes(top.At.File, top.Labels) {
					takers = append(takers, s.Name)
				}
			}
			name, undecided := d.ShardOf(top.Name)
			switch {
			case len(takers) == 1:
				if name != takers[0] || undecided != nil {
					t.Fatalf("%s has the shard %q and %+v", top.Name, name, undecided)
				}
			case name != "" || undecided == nil || undecided.Code != CodeShardUndecided:
				t.Fatalf("%s is taken by %q and has the shard %q and %+v", top.Name, takers, name, undecided)
			case slices.ContainsFunc(takers, func(s string) bool { return !strings.Contains(undecided.Message, s) }):
				t.Fatalf("%q does not name %q", undecided.Message, takers)
			}
		}
	})
}

func TestWithoutShardsNothingIsUndecided(t *testing.T) {
	d := Desired{Topologies: []Topology{{Name: "orders"}}}
	if name, undecided := d.ShardOf("orders"); name != "" || undecided != nil {
		t.Errorf("it has the shard %q and %+v", name, undecided)
	}
}
