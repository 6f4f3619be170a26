package schema

import (
	"bytes"
	"encoding/json"
	"regexp"
	"sync"

	"go.yaml.in/yaml/v3"
)

// Words that every version of YAML reads alike, whatever stands around them: all
// that most documents hold. Anything else is left to decode's other way.
var (
	alikeDuration = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^([0-9]+(ms|s|m|h))+$`) })
	alikeTime     = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$`)
	})
	alikeAddress = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[0-9]+\.[0-9]+\.[0-9]+\.[0-9]+(:[0-9]+)?$`) })
	alikeInteger = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^(0|[1-9][0-9]{0,17})$`) })
)

// plainValue reads the decoded value off the nodes, if it can be no other: it saves
// parsing the text a second time. It gives what toValue does, or ok is false.
func (d *document) plainValue() (value any, ok bool) {
	if d.doubtful || bytes.ContainsAny(d.chunk.data, "\\%\t") {
		return nil, false
	}
	return plainNode(d.root)
}

func plainNode(n *yaml.Node) (value any, ok bool) {
	switch n.Kind {
	case yaml.MappingNode:
		out := make(map[string]any, len(n.Content)/2)
		for i := 0; i+1 < len(n.Content); i += 2 {
			key, isText := plainScalar(n.Content[i])
			name, _ := key.(string)
			if _, twice := out[name]; !isText || name == "" || twice {
				return nil, false
			}
			if out[name], ok = plainNode(n.Content[i+1]); !ok {
				return nil, false
			}
		}
		return out, true
	case yaml.SequenceNode:
		out := make([]any, len(n.Content))
		for i, item := range n.Content {
			if out[i], ok = plainNode(item); !ok {
				return nil, false
			}
		}
		return out, true
	case yaml.ScalarNode:
		return plainScalar(n)
	default:
		return nil, false
	}
}

func plainScalar(n *yaml.Node) (value any, ok bool) {
	switch text := n.Value; {
	case n.Kind != yaml.ScalarNode || n.Anchor != "":
		return nil, false
	case n.Style == yaml.DoubleQuotedStyle || n.Style == yaml.SingleQuotedStyle:
		return text, n.Tag == "!!str" && !bytes.ContainsRune([]byte(text), '\n')
	case n.Style&^yaml.FlowStyle != 0:
		return nil, false
	case n.Tag == "!!null":
		return nil, text == ""
	case n.Tag == "!!bool":
		return text == "true", text == "true" || text == "false"
	case n.Tag == "!!int":
		return json.Number(text), alikeInteger().MatchString(text)
	case n.Tag == "!!timestamp":
		return text, alikeTime().MatchString(text)
	default:
		return text, n.Tag == "!!str" && !isOldBoolean(n) && alikeString(text)
	}
}

func alikeString(text string) bool {
	return alikeText(text) || alikeDuration().MatchString(text) || alikeAddress().MatchString(text)
}

// alikeText says whether a text begins with a letter or _, and holds only letters, digits and
// a few signs.
func alikeText(text string) bool {
	for i := range len(text) {
		switch c := text[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c == '_':
		case i == 0:
			return false
		case c >= '0' && c <= '9', c == ' ', c == '.', c == '/', c == ':', c == '@', c == '-':
		default:
			return false
		}
	}
	return text != ""
}
