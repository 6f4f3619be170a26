package schema

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"milvus-reconcile/plan"
)

func TestHashIgnoresForm(t *testing.T) {
	a, b := mustParse(t, minimal)[0], mustParse(t, writtenOut)[0]
	b.Previous, b.Moved, b.At = &a, map[string]string{"a": "x"}, plan.Position{File: "other.yaml"}
	if Hash(a) != Hash(b) {
		t.Error("defaults, comments, order or place changed the hash")
	}
	const want = "sha256:"
	if !strings.HasPrefix(Hash(a), want) || len(Hash(a)) != len(want)+64 {
		t.Errorf("form: %s", Hash(a))
	}
}

// TestLabelsAndSitesAreNoPartOfTheDocument: an approval does not depend on them.
func TestLabelsAndSitesAreNoPartOfTheDocument(t *testing.T) {
	plain := mustParse(t, minimal)[0]
	labelled := mustParse(t, strings.Replace(minimal, "{name: orders}", "{name: orders, labels: {region: eu, team.example/owner: search}}", 1))[0]
	if labelled.Labels["region"] != "eu" || labelled.Labels["team.example/owner"] != "search" || len(plain.Labels) != 0 {
		t.Errorf("the labels are %q and %q", labelled.Labels, plain.Labels)
	}
	if site := mustParse(t, strings.Replace(minimal, "role: standby", "role: standby, site: eu-1", 1))[0]; site.Clusters[1].Site != "eu-1" || Hash(site) != Hash(plain) || plan.DocumentHash(site) != plan.DocumentHash(plain) {
		t.Errorf("the site is not read, or changes the hash of the document: %+v", site.Clusters)
	}
	if Hash(plain) != Hash(labelled) || plan.DocumentHash(plain) != plan.DocumentHash(labelled) {
		t.Error("a label changes the hash of the document")
	}
}

// TestHashSeesEveryField changes each thing that a document can say.
func TestHashSeesEveryField(t *testing.T) {
	changes := map[string][2]string{
		"name":           {"name: orders", "name: order"},
		"generation":     {"generation: 7", "generation: 8"},
		"role":           {"role: standby", "role: stale"},
		"id":             {"id: b", "id: c"},
		"uri":            {"http://b.example", "https://b.example"},
		"client address": {"role: standby", "role: standby, clientAddress: 'x:1'"},
		"promotable":     {"role: standby", "role: standby, promotable: false"},
		"prefix":         {"role: standby", "role: standby, pchannels: {prefix: x}"},
		"from":           {"role: standby", "role: standby, provisioned: {from: empty, at: 2026-01-01T00:00:00Z}"},
		"other from":     {"role: standby", "role: standby, provisioned: {from: restored, at: 2026-01-01T00:00:00Z}"},
		"at":             {"role: standby", "role: standby, provisioned: {from: empty, at: 2026-01-01T00:00:01Z}"},
		"evidence":       {"role: standby", "role: standby, provisioned: {from: empty, at: 2026-01-01T00:00:00Z, evidence: X}"},
		"maxLag":         {"generation: 7", "generation: 7\n  objectives: {maxLag: 1s}"},
		"catchUpWithin":  {"generation: 7", "generation: 7\n  switchover: {catchUpWithin: 1s}"},
		"timeout":        {"generation: 7", "generation: 7\n  switchover: {timeout: 1s}"},
		"unavailableFor": {"generation: 7", "generation: 7\n  failover: {unavailableFor: 1s}"},
		"probes":         {"generation: 7", "generation: 7\n  failover: {probes: 4}"},
		"blockPeriod":    {"generation: 7", "generation: 7\n  failover: {blockPeriod: 1s}"},
		"verify":         {"generation: 7", "generation: 7\n  failover: {verify: dml}"},
	}
	seen := map[string]string{Hash(mustParse(t, minimal)[0]): "unchanged"}
	for name, change := range changes {
		hash := Hash(mustParse(t, strings.Replace(minimal, change[0], change[1], 1))[0])
		if other, ok := seen[hash]; ok {
			t.Errorf("%s has the hash of %s", name, other)
		}
		seen[hash] = name
	}
}

// documentsIn names the documents of a text.
func documentsIn(data []byte) []Document {
	docs, _ := parseFile(data)
	return documentsOf(docs)
}

func TestDocuments(t *testing.T) {
	hash := Hash(mustParse(t, minimal)[0])
	bad := strings.Replace(minimal, "role: primary", "role: king", 1)
	alias := "metadata: {name: orders}\nspec: &x {}\nmore: *x\n"
	tests := []struct {
		name, text string
		same, not  string // a text with the same documents; a text with others
		names      string
		parsed     bool // the hash is that of the parsed content
	}{
		{"good", minimal, "# comment\n---\n" + writtenOut, strings.Replace(minimal, "7", "8", 1), "orders", true},
		{"bad", bad, "# before\n---\n" + bad, bad + "# after\n", "orders", false},
		{"cannot be decoded", alias, alias, alias + "x: 1\n", "orders", false},
		{"the same name twice", minimal + "---\n" + bad, "---\n{}\n---\n" + minimal + "---\n" + bad, minimal + "---\n" + minimal, "orders", false},
		{"nameless and broken ones are left out", "{}\n---\n{open\n---\n[a]\n---\nmetadata: {name: yes}\n", "", minimal, "", false},
		{"unreadable text", minimal + "\x00", "", minimal, "", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := documentsIn([]byte(tt.text))
			var names []string
			for _, d := range got {
				names = append(names, d.Name)
			}
			if strings.Join(names, " ") != tt.names {
				t.Fatalf("names %q, want %q", names, tt.names)
			}
			if len(got) > 0 && (got[0].Hash == hash) != tt.parsed {
				t.Errorf("hash of the parsed content: %t, want %t", !tt.parsed, tt.parsed)
			}
			if len(got) > 0 && (got[0].Primary != "") != tt.parsed {
				t.Errorf("primary %q of a document that is good: %t", got[0].Primary, tt.parsed)
			}
			if !equal(got, documentsIn([]byte(tt.same))) {
				t.Error("the same documents have other hashes")
			}
			if equal(got, documentsIn([]byte(tt.not))) {
				t.Error("other documents have the same hashes")
			}
		})
	}
}

func equal(a, b []Document) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// TestCanonicalFormsHaveJSON: no field of a canonical form is of a kind that JSON
// may lack, so that digest never fails.
func TestCanonicalFormsHaveJSON(t *testing.T) {
	for _, form := range []reflect.Type{reflect.TypeFor[canonicalTopology](), reflect.TypeFor[canonicalTexts]()} {
		hasJSON(t, form.Name(), form)
	}
}

func hasJSON(t *testing.T, path string, kind reflect.Type) {
	t.Helper()
	switch kind.Kind() {
	case reflect.String, reflect.Bool, reflect.Int, reflect.Int64, reflect.Uint8:
	case reflect.Slice:
		hasJSON(t, path+"[]", kind.Elem())
	case reflect.Struct:
		for _, f := range reflect.VisibleFields(kind) {
			hasJSON(t, path+"."+f.Name, f.Type)
		}
	default:
		t.Errorf("%s is a %s, which may have no JSON form", path, kind)
	}
	if kind.Implements(reflect.TypeFor[json.Marshaler]()) {
		t.Errorf("%s makes its own JSON, which may fail", path)
	}
}
