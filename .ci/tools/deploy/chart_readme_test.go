package deploy

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	sigs "sigs.k8s.io/yaml"
)

// valueSchema is what the schema of the values says of one.
type valueSchema struct {
	Properties           map[string]valueSchema `json:"properties"`
	AdditionalProperties any                    `json:"additionalProperties"`
}

// closed: only the properties that it lists may be set.
func (s valueSchema) closed() bool { return s.AdditionalProperties == false }

// defaults are the values of values.yaml in JSON, by their path as --set takes it. It fails for a
// value that only one of values.yaml and its schema has.
func defaults(t *testing.T, schema valueSchema, values map[string]any, path string, into map[string]string) {
	t.Helper()
	for key, of := range schema.Properties {
		value, there := values[key]
		if !there {
			if path+key != "global" { // Helm's own
				t.Errorf("values.yaml does not have %s, which the schema has", path+key)
			}
			continue
		}
		if inner, ok := value.(map[string]any); ok && of.closed() {
			defaults(t, of, inner, path+key+".", into)
			continue
		}
		text, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		into[path+key] = string(text)
	}
	for key := range values {
		if _, known := schema.Properties[key]; !known {
			t.Errorf("the schema does not have %s, which values.yaml has", path+key)
		}
	}
}

// TestChartReadmeListsEveryValue holds the table of the chart's README to values.yaml and to its
// schema: each value with its default, and no other.
func TestChartReadmeListsEveryValue(t *testing.T) {
	file := func(name string) []byte {
		raw, err := os.ReadFile(filepath.Join(chartFolder, name))
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	var schema valueSchema
	var values map[string]any
	if err := json.Unmarshal(file("values.schema.json"), &schema); err != nil {
		t.Fatal(err)
	}
	if err := sigs.Unmarshal(file("values.yaml"), &values); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{}
	defaults(t, schema, values, "", want)
	row := regexp.MustCompile("(?m)^\\| `([^`]+)` \\| `([^`]*)` \\| (.+) \\|$")
	got := map[string]string{}
	for _, cells := range row.FindAllStringSubmatch(string(file("README.md")), -1) {
		if _, twice := got[cells[1]]; twice {
			t.Errorf("README.md lists %s twice", cells[1])
		}
		got[cells[1]] = cells[2]
	}
	for path, value := range want {
		if listed, there := got[path]; !there || listed != value {
			t.Errorf("README.md says `%s` of %s, and its default is `%s`", listed, path, value)
		}
		delete(got, path)
	}
	for path := range got {
		t.Errorf("README.md lists %s, which is no value", path)
	}
}

// rolesOf returns the rules of a rendered template's roles, by namespace and name.
func rolesOf(t *testing.T, text string) map[string][]string {
	t.Helper()
	out := map[string][]string{}
	for _, doc := range split(t, []byte(text)) {
		var role struct {
			Kind     string
			Metadata struct{ Namespace, Name string }
			Rules    []struct{ Resources, ResourceNames, Verbs []string }
		}
		if err := sigs.Unmarshal(doc, &role); err != nil {
			t.Fatal(err)
		}
		if role.Kind != "Role" {
			continue
		}
		name := role.Metadata.Namespace + "/" + role.Metadata.Name
		if _, twice := out[name]; twice {
			t.Errorf("there are two roles %s", name)
		}
		for _, r := range role.Rules {
			text, err := json.Marshal([][]string{r.Resources, r.ResourceNames, r.Verbs})
			if err != nil {
				t.Fatal(err)
			}
			out[name] = append(out[name], string(text))
		}
	}
	return out
}

// TestChartGivesTheLeastRights: one role for each Service, with the rights of all targets that
// point it, and one for each namespace whose Deployments doctor lists, if that is wanted.
func TestChartGivesTheLeastRights(t *testing.T) {
	const targets = `
configuration:
  redirect:
    - {name: one, kubernetes: {namespace: milvus, service: db, selectors: {cluster-a: {a: b}}}}
    - {name: two, kubernetes: {namespace: milvus, service: db, endpoints: {cluster-c: ["10.0.0.1:19530"]}}}
    - {name: out, kubernetes: {namespace: milvus, service: out, endpoints: {cluster-a: ["10.0.0.2:19530"]}}}
    - {name: same, kubernetes: {namespace: other, service: db, externalNames: {cluster-a: a.example}}}
    - {name: far, kubernetes: {kubeconfig: /k, context: c, namespace: far, service: db, selectors: {cluster-a: {a: b}}}}
  clusters:
    - {id: cluster-a, kubernetes: {namespace: milvus, instance: a}}
    - {id: cluster-b, kubernetes: {namespace: milvus, instance: b}}
    - {id: cluster-c, kubernetes: {namespace: third, instance: c}}
    - {id: cluster-d, kubernetes: {namespace: far, instance: d, kubeconfig: /k, context: c}}
    - {id: cluster-e, restart: {exec: {command: [/bin/true]}}}
`
	const lists = `[["deployments"],null,["list"]]`
	for name, c := range map[string]struct {
		values, template string
		want             map[string][]string
	}{
		"Services": {targets, "redirect.yaml", map[string][]string{
			"milvus/reconcile-redirect-db":  {`[["services"],["db"],["get","patch"]]`, `[["endpointslices"],null,["list","create","patch"]]`},
			"milvus/reconcile-redirect-out": {`[["services"],["out"],["get"]]`, `[["endpointslices"],null,["list","create","patch"]]`},
			"other/reconcile-redirect-db":   {`[["services"],["db"],["get","patch"]]`},
		}},
		"Deployments, which is not wanted": {targets, "cdc.yaml", map[string][]string{}},
		"Deployments":                      {targets + "doctor: {listDeployments: true}", "cdc.yaml", map[string][]string{"milvus/reconcile-cdc": {lists}, "third/reconcile-cdc": {lists}}},
		"Deployments of no cluster":        {"doctor: {listDeployments: true}", "cdc.yaml", map[string][]string{}},
	} {
		t.Run(name, func(t *testing.T) {
			texts, err := render(exampleValues(t, c.values))
			if err != nil {
				t.Fatal(err)
			}
			for _, doc := range split(t, []byte(texts[c.template])) {
				isOfItsKind(t, c.template, doc)
			}
			if got := rolesOf(t, texts[c.template]); !maps.EqualFunc(got, c.want, slices.Equal) {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}
