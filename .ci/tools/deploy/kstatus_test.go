package deploy

import (
	"encoding/json"
	"os"
	"regexp"
	"testing"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// TestKstatusJudgesAsDocumented has the library by which Flux and Helm judge an object judge a
// ReplicationTopologyStatus in each state: as the table of docs/kubernetes.md says.
func TestKstatusJudgesAsDocumented(t *testing.T) {
	read := func(file string) []byte {
		raw, err := os.ReadFile("../../../" + file)
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	var objects []json.RawMessage
	if err := json.Unmarshal(read("reconcile/kubeview/testdata/objects.json"), &objects); err != nil {
		t.Fatal(err)
	}
	documented := map[string]string{}
	row := regexp.MustCompile("(?m)^\\| (`[a-z_`, ]+`) \\|.*\\| ([A-Za-z]+) \\|$")
	for _, cells := range row.FindAllStringSubmatch(string(read("docs/kubernetes.md")), -1) {
		for _, state := range regexp.MustCompile("[a-z_]+").FindAllString(cells[1], -1) {
			documented[state] = cells[2]
		}
	}
	if len(objects) != len(documented) {
		t.Errorf("%d objects, and docs/kubernetes.md has %d states", len(objects), len(documented))
	}
	for _, o := range objects {
		var of unstructured.Unstructured
		if err := of.UnmarshalJSON(o); err != nil {
			t.Fatal(err)
		}
		state, _, err := unstructured.NestedString(of.Object, "status", "state")
		if err != nil {
			t.Fatal(err)
		}
		got, err := status.Compute(&of)
		if err != nil {
			t.Fatal(err)
		}
		if got.Status.String() != documented[state] {
			t.Errorf("%s: kstatus says %s (%s), and docs/kubernetes.md %q", state, got.Status, got.Message, documented[state])
		}
	}
}
