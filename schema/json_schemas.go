package schema

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/xeipuuv/gojsonschema"
)

//go:embed *.schema.json
var schemaFiles embed.FS

const (
	kindTopology  = "topology"
	kindConfig    = "config"
	kindPlan      = "plan"
	kindDoctor    = "doctor"
	kindHistory   = "history"
	kindSalvage   = "salvage"
	kindReplay    = "replay"
	kindAudit     = "audit"
	kindRehearsal = "rehearsal"
	kindValidate  = "validate"
	kindExplain   = "explain"
	kindVersion   = "version"
)

// Kinds are the kinds that JSON knows: the two files that are read, then the
// documents that are written.
func Kinds() []string {
	return []string{kindTopology, kindConfig, kindPlan, kindDoctor, kindHistory, kindSalvage, kindReplay, kindAudit, kindRehearsal, kindValidate, kindExplain, kindVersion}
}

// JSON returns the embedded JSON Schema (draft-07) of one of [Kinds]. ok is
// false for any other kind.
func JSON(kind string) (text []byte, ok bool) {
	if !slices.Contains(Kinds(), kind) {
		return nil, false
	}
	text, err := schemaFiles.ReadFile(kind + ".schema.json")
	return text, err == nil
}

//go:embed replicationtopologystatus.crd.yaml
var statusDefinition []byte

// StatusDefinition returns the CustomResourceDefinition of the objects by which the daemon
// shows topologies in a Kubernetes cluster, as YAML.
func StatusDefinition() []byte { return statusDefinition }

// compiled is a schema ready to validate, and its tree for messages.
type compiled struct {
	validator *gojsonschema.Schema
	tree      map[string]any
}

var (
	topologySchema = sync.OnceValues(func() (compiled, error) { return compile(kindTopology) })
	configSchema   = sync.OnceValues(func() (compiled, error) { return compile(kindConfig) })
)

// compile prepares an embedded schema. It fails only for a build whose schema is
// broken, which no input can cause: TestSchemas compiles every kind. Such a build
// takes no file.
func compile(kind string) (compiled, error) {
	text, ok := JSON(kind)
	if !ok {
		return compiled{}, fmt.Errorf("this build has no schema of a %s", kind)
	}
	validator, err := gojsonschema.NewSchema(gojsonschema.NewBytesLoader(text))
	if err != nil {
		return compiled{}, fmt.Errorf("the schema of a %s in this build is broken: %w", kind, err)
	}
	var tree map[string]any
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	if err := decoder.Decode(&tree); err != nil {
		return compiled{}, fmt.Errorf("the schema of a %s in this build is broken: %w", kind, err)
	}
	return compiled{validator: validator, tree: tree}, nil
}

// rule is the part of a schema that governs one value.
type rule map[string]any

// at follows a path of keys and indexes down to the rule of a value; nil when
// the schema knows no such place.
func (c compiled) at(path []string) rule {
	r := c.resolve(c.tree)
	for _, key := range path {
		if r = c.child(r, key); r == nil {
			return nil
		}
	}
	return r
}

func (c compiled) child(r rule, key string) rule {
	if properties, ok := r["properties"].(map[string]any); ok {
		if child, ok := properties[key].(map[string]any); ok {
			return c.resolve(child)
		}
	}
	if items, ok := r["items"].(map[string]any); ok {
		return c.resolve(items)
	}
	if rest, ok := r["additionalProperties"].(map[string]any); ok {
		return c.resolve(rest)
	}
	return nil
}

// resolve follows a $ref; what stands next to it (a description, a default)
// is nearer and wins.
func (c compiled) resolve(r rule) rule {
	ref, ok := r["$ref"].(string)
	if !ok {
		return r
	}
	definitions, _ := c.tree["definitions"].(map[string]any)
	target, _ := definitions[strings.TrimPrefix(ref, "#/definitions/")].(map[string]any)
	out := rule{}
	for k, v := range target {
		out[k] = v
	}
	for k, v := range r {
		out[k] = v
	}
	delete(out, "$ref")
	return out
}

// text returns a keyword that is a string.
func (r rule) text(keyword string) string {
	s, _ := r[keyword].(string)
	return s
}

// words returns a keyword that is a string or a list of strings.
func (r rule) words(keyword string) []string {
	switch v := r[keyword].(type) {
	case string:
		return []string{v}
	case []any:
		var out []string
		for _, item := range v {
			if s, ok := item.(string); ok {
				out = append(out, s)
			}
		}
		return out
	}
	return nil
}

// keys returns the property names, unsorted.
func (r rule) keys() []string {
	var out []string
	if properties, ok := r["properties"].(map[string]any); ok {
		for k := range properties {
			out = append(out, k)
		}
	}
	return out
}
