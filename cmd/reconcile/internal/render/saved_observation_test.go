package render

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"milvus-reconcile/plan"
)

// seen is a status as saved by somebody else, with all that a view can hold.
func seen() Document {
	t := inSync("orders")
	at := night.Add(-time.Second)
	for i := range t.Clusters {
		v := &t.Clusters[i].View
		v.Credential, v.ReadsConfiguration, v.ForcePromotes, v.IdentityProven = plan.CredentialBound, plan.SupportYes, plan.SupportNo, true
		v.Progress = []plan.ChannelProgress{
			{
				Channel: "c0", Known: true, SourceCluster: "x", SourceChannel: "x0", MessageID: "0a", TimeTick: 1 << 63, CaughtUpAt: &at, Unsent: &at,
				Salvage: []plan.Salvage{{SourceCluster: "x", SourceChannel: "x0", MessageID: "ff", TimeTick: 7}},
			},
			{Channel: "c1", Error: "timeout"},
		}
	}
	d := document(t)
	d.Kind = KindStatus
	return d
}

func statusJSON(t testing.TB, d Document) string {
	t.Helper()
	var b bytes.Buffer
	if err := JSON(&b, d); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestDecodeObservedGivesBackWhatWasSeen(t *testing.T) {
	d := seen()
	got, err := DecodeObserved(strings.NewReader(statusJSON(t, d)), night)
	if err != nil {
		t.Fatal(err)
	}
	var want []plan.View
	for _, c := range d.Plan.Topologies[0].Clusters {
		want = append(want, c.View)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestDecodeObservedRefuses(t *testing.T) {
	for _, c := range []struct {
		name, old, new string
		want           string
	}{
		{"a plan", `"kind": "status"`, `"kind": "plan"`, "status -o json"},
		{"an offline plan", `"observed": "live"`, `"observed": "none"`, "status -o json"},
		{"another's plan of another's status", `"observed": "live"`, `"observed": "elsewhere"`, "status -o json"},
		{"an unknown word for who looked", `"observed": "live"`, `"observed": "me"`, `observed is "me"`},
		{"an unknown reach", `"reach": "up"`, `"reach": "sideways"`, `reach is "sideways"`},
		{"an unknown credential", `"credential": "bound"`, `"credential": "root"`, `credential is "root"`},
		{"an unknown support", `"forcePromotes": "no"`, `"forcePromotes": "maybe"`, `forcePromotes is "maybe"`},
		{"an unknown class", `"errorClass": null`, `"errorClass": "bored"`, `errorClass is "bored"`},
		{"a role that the configuration does not give", `"believedRole": "primary"`, `"believedRole": "standalone"`, "its configuration makes it primary"},
		{"a belief of a cluster that did not answer", `"reach": "up"`, `"reach": "unreachable"`, "and yet believes"},
		{"the future", `"observedAt": "2026`, `"observedAt": "2027`, "in the future"},
		{"no time", `"observedAt": "2026-11-22T21:59:34Z"`, `"observedAt": null`, "observedAt is missing"},
		{"a message id", `"messageId": "0a"`, `"messageId": "0A"`, "hexadecimal"},
		{"a tick", `"timeTick": "7"`, `"timeTick": "-7"`, "no time tick"},
		{"one cluster twice", `"id": "cluster-b",` + "\n" + `          "desiredRole"`, `"id": "cluster-a",` + "\n" + `          "desiredRole"`, "appears twice"},
		{"an id that is none", `"id": "cluster-a",` + "\n" + `          "desiredRole"`, `"id": "../a",` + "\n" + `          "desiredRole"`, "no cluster id"},
	} {
		t.Run(c.name, func(t *testing.T) {
			text := statusJSON(t, seen())
			if !strings.Contains(text, c.old) {
				t.Fatalf("%q is not in\n%s", c.old, text)
			}
			views, err := DecodeObserved(strings.NewReader(strings.Replace(text, c.old, c.new, 1)), night)
			if views != nil || err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}

// TestOldStatusAllowsNothing: a status of a version that did not tell the rest
// leaves every cluster without a credential and a proven identity.
func TestOldStatusAllowsNothing(t *testing.T) {
	text := statusJSON(t, seen())
	for {
		i := strings.Index(text, `,`+"\n"+`          "observation": {`)
		if i < 0 {
			break
		}
		end := strings.Index(text[i:], "\n          }\n")
		text = text[:i] + text[i+end+len("\n          }"):]
	}
	views, err := DecodeObserved(strings.NewReader(text), night)
	if err != nil || len(views) == 0 {
		t.Fatalf("%v\n%s", err, text)
	}
	for _, v := range views {
		if v.Credential != plan.CredentialMissing || v.IdentityProven || v.ForcePromotes != plan.SupportUnknown {
			t.Errorf("%+v", v)
		}
	}
}

// FuzzDecodeObserved: whatever is read is refused, or can be planned with and
// shown, and no cluster stands twice or believes what it does not store.
func FuzzDecodeObserved(f *testing.F) {
	f.Add([]byte(statusJSON(f, seen())))
	f.Add([]byte(statusJSON(f, goldens()["status"])))
	f.Fuzz(func(t *testing.T, saved []byte) {
		views, err := DecodeObserved(bytes.NewReader(saved), night)
		if err != nil {
			return
		}
		doc := plan.Topology{Name: "orders", Generation: 1}
		for i, v := range views {
			role := plan.RoleStandby
			if i == 0 {
				role = plan.RolePrimary
			}
			if i > 0 && views[i-1].Cluster >= v.Cluster {
				t.Errorf("%q is not after %q", v.Cluster, views[i-1].Cluster)
			}
			doc.Clusters = append(doc.Clusters, plan.Cluster{ID: v.Cluster, Role: role, PChannels: []string{v.Cluster + "-0"}})
		}
		p := plan.Compute(plan.Desired{Topologies: []plan.Topology{doc}}, plan.Observed{Views: views}, plan.Memory{Now: night})
		if err := Table(io.Discard, Document{Plan: p, Observed: ObservedElsewhere}, TableOptions{}); err != nil {
			t.Error(err)
		}
	})
}
