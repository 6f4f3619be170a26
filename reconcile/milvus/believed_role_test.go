package milvus

import (
	"testing"

	"milvus-reconcile/plan"
)

func TestHangsUnconfigured(t *testing.T) {
	for version, want := range map[string]bool{
		"": true, "2.6.16": false, "2.6.17": true, "v2.6.22": true, "2.6.23": true, "3.0.0": true, "3.0.2": true,
		"2.5.19": false, "3.0.0-beta": false, "2.6.19-dev": true, "2.6.170": true, "x2.6.19": true,
		"master-20260807-954c4e7ba5": true, "2.6-20260717-526e04504a": true, "2.6.99999999999999999999": true,
	} {
		t.Run(version, func(t *testing.T) { same(t, hangsUnconfigured(version), want) })
	}
}

func TestBelieveProgress(t *testing.T) {
	of := func(source string) plan.ChannelProgress {
		return plan.ChannelProgress{Known: true, SourceCluster: source}
	}
	cases := map[string]struct {
		progress []plan.ChannelProgress
		source   string
	}{
		"every channel of one source":   {[]plan.ChannelProgress{of("a"), of("a")}, "a"},
		"nothing read":                  {nil, ""},
		"channels of two sources":       {[]plan.ChannelProgress{of("a"), of("c")}, ""},
		"one channel unknown":           {[]plan.ChannelProgress{of("a"), {}}, ""},
		"a primary":                     {[]plan.ChannelProgress{of(""), of("")}, ""},
		"half of the channels promoted": {[]plan.ChannelProgress{of(""), of("a")}, ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got := believeProgress(c.progress)
			if got.Source != c.source || (got.Kind == plan.BeliefStandby) != (c.source != "") || got.Inferred != (c.source != "") {
				t.Errorf("%+v", got)
			}
		})
	}
}
