package schema

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"sync"

	"go.yaml.in/yaml/v3"
	sigsyaml "sigs.k8s.io/yaml"
)

var plainInteger = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^-?(0|[1-9][0-9]*)$`) })

// decode turns the text into JSON values. A document that cannot have the
// value it seems to have has its problem already; it is decoded all the same,
// if it can be, so that later stages find more problems.
func (d *document) decode() {
	if d.root == nil || d.broken {
		return
	}
	if value, ok := d.plainValue(); ok {
		d.value, d.decoded = value, true
		return
	}
	convert := sigsyaml.YAMLToJSONStrict
	if d.doubtful {
		convert = sigsyaml.YAMLToJSON
	}
	value, err := toValue(convert, d.chunk.data)
	if err != nil {
		d.broken = true
		if !d.doubtful {
			d.fail("", "this YAML has no JSON form: "+printable(clip(err.Error())), "use strings, whole numbers, true, false, lists and mappings only")
		}
		return
	}
	d.value, d.decoded = value, true
	d.checkSpelling(d.root, d.value, "")
	d.endStage()
}

func toValue(convert func([]byte) ([]byte, error), data []byte) (any, error) {
	text, err := convert(data)
	if err != nil {
		return nil, err
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var value any
	err = decoder.Decode(&value)
	return value, err
}

// checkSpelling refuses scalars that look like one thing and are decoded as
// another: yes, 0x10, 010, 1_000.
func (d *document) checkSpelling(n *yaml.Node, v any, path string) {
	switch v := v.(type) {
	case map[string]any:
		for i := 0; i+1 < len(n.Content); i += 2 {
			key := n.Content[i].Value
			d.checkSpelling(n.Content[i+1], v[key], pointer(path, key))
		}
	case []any:
		for i := range min(len(v), len(n.Content)) {
			d.checkSpelling(n.Content[i], v[i], path+"/"+strconv.Itoa(i))
		}
	case bool:
		if n.Value != "true" && n.Value != "false" {
			d.fail(path, fmt.Sprintf("%s would be read as %t", quoted(n.Value), v), fmt.Sprintf("write true or false, or %q in quotes", n.Value))
		}
	case json.Number:
		if !plainInteger().MatchString(n.Value) {
			d.fail(path, fmt.Sprintf("%s would be read as the number %s", quoted(n.Value), v), "write whole numbers in plain decimal digits, or put text in quotes")
		}
	}
}
