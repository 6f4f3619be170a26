package release_test

import (
	"strings"
	"testing"

	"milvus-reconcile/plan/release"
)

// known says what is known of a feature.
func known(v release.Version, f release.Feature) string {
	switch {
	case v.Provides(f) && v.Lacks(f):
		return "both"
	case v.Provides(f):
		return "yes"
	case v.Lacks(f):
		return "no"
	default:
		return "unknown"
	}
}

// TestLabels: labels of every form are read, and what cannot be ordered is
// never taken for old.
func TestLabels(t *testing.T) {
	for _, c := range []struct {
		label          string
		reads, streams string
		caveat         string
	}{
		{"v2.6.16", "no", "no", ""},
		{"2.6.17", "yes", "no", ""},
		{"v2.6.22", "yes", "no", ""},
		{"v2.6.23", "yes", "yes", ""},
		{"2.6.30", "yes", "yes", "newer than tested"},
		{"2.7.0", "yes", "yes", "newer than tested"},
		{"hotfix-2.6.22", "yes", "unknown", ""},
		{"v2.6.17-dev", "unknown", "unknown", ""},
		{"v2.5.9", "no", "no", ""},
		{"2.6-20260717-526e0450", "unknown", "unknown", "names no release"},
		{"master-20260807-954c4e7ba5", "unknown", "unknown", "names no release"},
		{"", "unknown", "unknown", "names no release"},
		{"v3.0.0-beta", "no", "no", ""},
		{"3.0.0", "yes", "no", ""},
		{"3.0.2", "yes", "yes", ""},
		{"v3.0.2-dev", "yes", "yes", ""},
		{"v3.0.1-dev", "yes", "unknown", ""},
		{"3.0.3", "yes", "yes", "newer than tested"},
		{"4.1.0", "yes", "yes", "newer than tested"},
		{"99999999999999999999.0.0", "unknown", "unknown", "names no release"},
	} {
		v := release.Parse(c.label)
		if got := known(v, release.FeatureReadConfiguration); got != c.reads {
			t.Errorf("%q reads its configuration: %q, want %q", c.label, got, c.reads)
		}
		if got := known(v, release.FeatureStreamRights); got != c.streams {
			t.Errorf("%q checks streams: %q, want %q", c.label, got, c.streams)
		}
		if got := v.Caveat(); (got == "") != (c.caveat == "") || !strings.Contains(got, c.caveat) {
			t.Errorf("%q has the caveat %q, want %q", c.label, got, c.caveat)
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
		if got := release.Parse(label).Since(release.FeatureReadConfiguration); got != want {
			t.Errorf("%q: %q, want %q", label, got, want)
		}
	}
	if got := release.Parse("v2.6.22").Since(release.FeatureCalmFencing); got != "3.0.2 or later" {
		t.Errorf("a fix that one line lacks: %q", got)
	}
	if got := release.Parse("v2.6.22").Since(release.FeatureTokenFill); got != "a later version" {
		t.Errorf("a fix that no release has: %q", got)
	}
}

// TestVersionTable: each row names where it is from.
func TestVersionTable(t *testing.T) {
	seen := map[release.Feature]bool{}
	for _, r := range release.Table() {
		if seen[r.Feature] || !strings.HasPrefix(r.Sources, "#") || r.Says == "" {
			t.Errorf("%+v", r)
		}
		seen[r.Feature] = true
	}
}

// TestReleaseWith: what is named to upgrade to has all that is wanted.
func TestReleaseWith(t *testing.T) {
	for _, label := range []string{"2.6.12", "2.6.19", "3.0.0", "master-20260807"} {
		v := release.Parse(label)
		for _, r := range release.Table() {
			named := v.ReleaseWith([]release.Feature{r.Feature, release.FeatureForcePromote})
			if (named == "") == v.Released(r.Feature) || named != "" && !release.Parse(named).Provides(r.Feature) {
				t.Errorf("%s: %q is named for %s", label, named, r.Feature)
			}
		}
	}
}
