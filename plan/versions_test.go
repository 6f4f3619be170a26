package plan_test

import (
	"strings"
	"testing"

	"milvus-reconcile/plan"
)

// TestLabels: labels of every form are read, and what cannot be ordered is
// never taken for old.
func TestLabels(t *testing.T) {
	for _, c := range []struct {
		label          string
		reads, streams plan.Support
		standing       string
	}{
		{"v2.6.16", plan.SupportNo, plan.SupportNo, ""},
		{"2.6.17", plan.SupportYes, plan.SupportNo, ""},
		{"v2.6.22", plan.SupportYes, plan.SupportNo, ""},
		{"v2.6.23", plan.SupportYes, plan.SupportYes, ""},
		{"2.6.30", plan.SupportYes, plan.SupportYes, "newer than tested"},
		{"2.7.0", plan.SupportYes, plan.SupportYes, "newer than tested"},
		{"hotfix-2.6.22", plan.SupportYes, plan.SupportUnknown, ""},
		{"v2.6.17-dev", plan.SupportUnknown, plan.SupportUnknown, ""},
		{"v2.5.9", plan.SupportNo, plan.SupportNo, ""},
		{"2.6-20260717-526e0450", plan.SupportUnknown, plan.SupportUnknown, "names no release"},
		{"master-20260807-954c4e7ba5", plan.SupportUnknown, plan.SupportUnknown, "names no release"},
		{"", plan.SupportUnknown, plan.SupportUnknown, "names no release"},
		{"v3.0.0-beta", plan.SupportNo, plan.SupportNo, ""},
		{"3.0.0", plan.SupportYes, plan.SupportNo, ""},
		{"3.0.2", plan.SupportYes, plan.SupportYes, ""},
		{"v3.0.2-dev", plan.SupportYes, plan.SupportYes, ""},
		{"v3.0.1-dev", plan.SupportYes, plan.SupportUnknown, ""},
		{"3.0.3", plan.SupportYes, plan.SupportYes, "newer than tested"},
		{"4.1.0", plan.SupportYes, plan.SupportYes, "newer than tested"},
		{"99999999999999999999.0.0", plan.SupportUnknown, plan.SupportUnknown, "names no release"},
	} {
		v := plan.ParseVersion(c.label)
		if got := v.Has(plan.FeatureReadConfiguration); got != c.reads {
			t.Errorf("%q reads its configuration: %q, want %q", c.label, got, c.reads)
		}
		if got := v.Has(plan.FeatureStreamRights); got != c.streams {
			t.Errorf("%q checks streams: %q, want %q", c.label, got, c.streams)
		}
		if got := v.Standing(); (got == "") != (c.standing == "") || !strings.Contains(got, c.standing) {
			t.Errorf("%q stands as %q, want %q", c.label, got, c.standing)
		}
		if v.Label != c.label {
			t.Errorf("%q lost its label: %q", c.label, v.Label)
		}
	}
}

// TestSince names a release of the line that the cluster runs.
func TestSince(t *testing.T) {
	for label, want := range map[string]string{
		"v2.6.12": "2.6.17 or later", "v3.0.0-beta": "3.0.0 or later", "": "2.6.17 or 3.0.0 or later",
	} {
		if got := plan.ParseVersion(label).Since(plan.FeatureReadConfiguration); got != want {
			t.Errorf("%q: %q, want %q", label, got, want)
		}
	}
	if got := plan.ParseVersion("v2.6.22").Since(plan.FeatureCalmFencing); got != "3.0.2 or later" {
		t.Errorf("a fix that one line lacks: %q", got)
	}
	if got := plan.ParseVersion("v2.6.22").Since(plan.FeatureTokenFill); got != "a later version" {
		t.Errorf("a fix that no release has: %q", got)
	}
}

// TestVersionTable: each row names where it is from.
func TestVersionTable(t *testing.T) {
	seen := map[plan.Feature]bool{}
	for _, r := range plan.VersionTable() {
		if seen[r.Feature] || !strings.HasPrefix(r.Sources, "#") || r.Says == "" {
			t.Errorf("%+v", r)
		}
		seen[r.Feature] = true
	}
}
