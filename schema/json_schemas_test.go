package schema

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/xeipuuv/gojsonschema"
	sigsyaml "sigs.k8s.io/yaml"
)

// draft07 lists the keywords that the validator obeys and we use. Newer
// drafts' keywords would be ignored in silence.
var draft07 = map[string]bool{
	"$schema": true, "$ref": true, "title": true, "description": true, "type": true, "required": true,
	"properties": true, "additionalProperties": true, "items": true, "definitions": true,
	"enum": true, "const": true, "default": true, "format": true, "pattern": true,
	"minimum": true, "maximum": true, "minLength": true, "maxLength": true,
	"minItems": true, "maxItems": true, "minProperties": true, "maxProperties": true,
}

func TestSchemas(t *testing.T) {
	for _, kind := range Kinds() {
		t.Run(kind, func(t *testing.T) {
			c, err := compile(kind)
			if err != nil {
				t.Fatal(err)
			}
			if got := c.tree["$schema"]; got != "http://json-schema.org/draft-07/schema#" {
				t.Errorf("$schema: %v", got)
			}
			checkRule(t, c, "", c.tree, kind == kindTopology || kind == kindConfig)
		})
	}
	if _, ok := JSON("../topology"); ok {
		t.Error("an unknown kind has a schema")
	}
}

// TestBrokenSchemaTakesNoFile: a build without a schema refuses every document.
func TestBrokenSchemaTakesNoFile(t *testing.T) {
	if _, err := compile("no such kind"); err == nil {
		t.Fatal("a schema that is not there was compiled")
	}
	d := &document{}
	d.checkStructure(compile("no such kind"))
	if len(d.problems) != 1 || !strings.Contains(d.problems[0].Message, "no schema of a no such kind") {
		t.Errorf("the document was taken: %v", d.problems)
	}
}

// checkRule demands a description of every value and, where files are read,
// that unknown keys are refused.
func checkRule(t *testing.T, c compiled, path string, r map[string]any, strict bool) {
	t.Helper()
	for keyword := range r {
		if !draft07[keyword] {
			t.Errorf("%s: keyword %s", path, keyword)
		}
	}
	if c.resolve(r).text("description") == "" {
		t.Errorf("%s: no description", path)
	}
	if ref, ok := r["$ref"].(string); ok {
		if len(c.resolve(r)) <= len(r)-1 {
			t.Errorf("%s: %s leads nowhere", path, ref)
		}
	}
	if r["properties"] != nil && strict != (r["additionalProperties"] == false) {
		t.Errorf("%s: additionalProperties %v", path, r["additionalProperties"])
	}
	for _, group := range []string{"properties", "definitions"} {
		children, _ := r[group].(map[string]any)
		for name, child := range children {
			checkRule(t, c, path+"/"+group+"/"+name, child.(map[string]any), strict)
		}
	}
	if items, ok := r["items"].(map[string]any); ok {
		checkRule(t, c, path+"/items", items, strict)
	}
}

// TestDefaultsOfTheSchemas writes every default of the schema into a file and
// demands that it says nothing new.
func TestDefaultsOfTheSchemas(t *testing.T) {
	c, err := topologySchema()
	if err != nil {
		t.Fatal(err)
	}
	spec := defaults(c, c.at([]string{"spec"}))
	spec["generation"] = 7
	spec["clusters"] = []any{
		with(defaults(c, c.at([]string{"spec", "clusters", "0"})), "id", "a", "role", "primary", "uri", "http://a.example:19530"),
		map[string]any{"id": "b", "role": "standby", "uri": "http://b.example:19530"},
	}
	text := asYAML(t, map[string]any{"apiVersion": apiVersion, "kind": docKindTopology, "metadata": map[string]any{"name": "orders"}, "spec": spec})
	if Hash(mustParse(t, text)[0]) != Hash(mustParse(t, minimal)[0]) {
		t.Errorf("the schema's defaults are not ours:\n%s", text)
	}

	c, err = configSchema()
	if err != nil {
		t.Fatal(err)
	}
	config := with(defaults(c, c.tree), "apiVersion", apiVersion, "kind", docKindConfig)
	got, problems := ParseConfig("c.yaml", []byte(asYAML(t, config)))
	if diff := cmp.Diff(defaultConfig(), got); diff != "" || len(problems) > 0 {
		t.Errorf("%v -want +got:\n%s", problems, diff)
	}
}

// defaults builds the value that a rule's defaults give.
func defaults(c compiled, r rule) map[string]any {
	out := map[string]any{}
	for _, key := range r.keys() {
		child := c.child(r, key)
		if v, ok := child["default"]; ok {
			out[key] = v
		} else if inner := defaults(c, child); len(inner) > 0 && key != "ledger" {
			out[key] = inner
		}
	}
	return out
}

func with(m map[string]any, pairs ...any) map[string]any {
	for i := 0; i < len(pairs); i += 2 {
		m[fmt.Sprint(pairs[i])] = pairs[i+1]
	}
	return m
}

func asYAML(t *testing.T, v any) string {
	t.Helper()
	text, err := sigsyaml.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// planSample is the document of contract.md §6.
const planSample = `{"formatVersion":"1.0","commit":"3f9c","generatedAt":"2026-11-22T20:00:00Z","digest":"sha256:DIGEST","ledger":"embedded",
 "summary":{"topologies":1,"inSync":0,"changed":1,"blocked":0,"forcePromote":1,"stalePrimaries":1},
 "problems":[{"file":"f","line":1,"column":1,"path":"/spec","message":"m","hint":"h"}],
 "topologies":[{"name":"orders","generation":8,"transition":"failover","blocked":false,"digest":"sha256:DIGEST",
   "approval":{"verdict":"denied","code":"EXPIRED","by":["Alice <a@example.com>"],"commit":"3f9c","detail":"d"},
   "clusters":[{"id":"cluster-a","desiredRole":"stale","reach":"unreachable","believedRole":"unknown","observedAt":"2026-11-22T20:00:00Z",
     "version":null,"error":"refused","configuration":null,"lag":{"lowerSeconds":0,"upperSeconds":4.2,"method":"checkpoint","ageSeconds":1.0}}],
   "steps":[{"id":1,"action":"force_promote","cluster":"cluster-b","reason":"primary_lost","forcePromote":true,"before":null,
     "after":{"clusters":[{"id":"cluster-b","uri":"http://b:1","pchannels":["c_0"]}],"edges":[]}}],
   "findings":[{"code":"DATA_LOSS_RISK","severity":"critical","cluster":"cluster-a","message":"m","acceptable":false,"accepted":false,
     "at":{"file":"f","line":1,"column":1},"evidence":{}}],
   "dataLoss":{"replicatedUpTo":null,"lowerSeconds":0,"upperSeconds":null,"method":"unknown","perChannel":[]}}]}`

func TestPlanSchema(t *testing.T) {
	sample := strings.ReplaceAll(planSample, "DIGEST", strings.Repeat("3f", 32))
	tests := []struct {
		name, old, new string
		valid          bool
	}{
		{"contract", "", "", true},
		{"a later version adds fields", `"1.0","commit"`, `"1.7","added":{},"commit"`, true},
		{"another major version", `"1.0"`, `"2.0"`, false},
		{"nothing to do", `"transition":"failover","blocked":false,"digest":"sha256:` + strings.Repeat("3f", 32) + `"`, `"transition":"none","blocked":false,"digest":null`, true},
		{"status has no steps", `"steps":`, `"noSteps":`, true},
		{"no lag", `"lag":{`, `"lag":null,"x":{`, true},
		{"unknown transition", `"failover"`, `"promote"`, false},
		{"unknown action", `"force_promote"`, `"promote"`, false},
		{"unknown reach", `"unreachable"`, `"gone"`, false},
		{"unknown severity", `"critical"`, `"bad"`, false},
		{"unknown verdict", `"denied"`, `"no"`, false},
		{"missing code", `"code":"DATA_LOSS_RISK",`, ``, false},
		{"bad digest", `"digest":"sha256:3f`, `"digest":"sha256:xx`, false},
		{"missing summary", `"summary"`, `"sums"`, false},
	}
	text, _ := JSON("plan")
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			doc := strings.Replace(sample, tt.old, tt.new, 1)
			if !json.Valid([]byte(doc)) {
				t.Fatalf("not JSON: %s", doc)
			}
			result, err := gojsonschema.Validate(gojsonschema.NewBytesLoader(text), gojsonschema.NewStringLoader(doc))
			if err != nil {
				t.Fatal(err)
			}
			if result.Valid() != tt.valid {
				t.Errorf("valid %t, want %t: %v", result.Valid(), tt.valid, result.Errors())
			}
		})
	}
}
