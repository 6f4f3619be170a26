package milvus

import (
	"testing"

	"milvus-reconcile/plan/release"
	"milvus-reconcile/reconcile/milvus/milvussim"
)

// TestProfilesAndTable: the simulator and the table that plans go by say the
// same of every release. Where the table does not know, the simulator may do either.
func TestProfilesAndTable(t *testing.T) {
	covered := map[string]bool{}
	for _, name := range milvussim.Profiles() {
		p, err := milvussim.ParseProfile(name)
		if err != nil {
			t.Fatal(err)
		}
		v := release.Parse(p.BuildTag)
		for _, row := range release.Table() {
			does, modelled := p.Does()[string(row.Feature)]
			if !modelled {
				continue
			}
			switch {
			case v.Provides(row.Feature):
				covered[string(row.Feature)] = true
				if !does {
					t.Errorf("%s (%s) should do %s", name, p.BuildTag, row.Feature)
				}
			case v.Lacks(row.Feature):
				if does {
					t.Errorf("%s (%s) should not do %s", name, p.BuildTag, row.Feature)
				}
			}
		}
		if v.NewerThanTable() {
			t.Errorf("%s is newer than the table, so nothing holds the two together", name)
		}
	}
	for _, f := range []release.Feature{release.FeatureReadConfiguration, release.FeatureForcePromote, release.FeatureStreamRights, release.FeatureCalmFencing} {
		if !covered[string(f)] {
			t.Errorf("no profile has %s for certain", f)
		}
	}
}
