package milvus

import (
	"testing"

	"milvus-reconcile/plan"
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
		v := plan.ParseVersion(p.BuildTag)
		for _, row := range plan.VersionTable() {
			does, modelled := p.Does()[string(row.Feature)]
			if !modelled {
				continue
			}
			switch v.Has(row.Feature) {
			case plan.SupportYes:
				covered[string(row.Feature)] = true
				if !does {
					t.Errorf("%s (%s) should do %s", name, p.BuildTag, row.Feature)
				}
			case plan.SupportNo:
				if does {
					t.Errorf("%s (%s) should not do %s", name, p.BuildTag, row.Feature)
				}
			case plan.SupportUnknown:
			}
		}
		if v.NewerThanTable() {
			t.Errorf("%s is newer than the table, so nothing holds the two together", name)
		}
	}
	for _, f := range []plan.Feature{plan.FeatureReadConfiguration, plan.FeatureForcePromote, plan.FeatureStreamRights, plan.FeatureCalmFencing} {
		if !covered[string(f)] {
			t.Errorf("no profile has %s for certain", f)
		}
	}
}
