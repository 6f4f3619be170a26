package schema

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/xeipuuv/gojsonschema"
)

// checkStructure validates the decoded value against a schema and says in
// plain words what does not fit. broken is why there is no schema, if so.
func (d *document) checkStructure(c compiled, broken error) {
	if broken != nil {
		d.fail("", "the document cannot be checked: "+broken.Error(), "install a released build of reconcile")
		return
	}
	result, err := c.validator.Validate(gojsonschema.NewRawLoader(d.value))
	if err != nil {
		d.fail("", "the document cannot be checked: "+printable(clip(err.Error())), "simplify the document")
		return
	}
	for _, fault := range result.Errors() {
		d.translate(c, fault)
	}
	d.endStage()
}

func (d *document) translate(c compiled, fault gojsonschema.ResultError) {
	keys := strings.Split(fault.Context().String("\x00"), "\x00")[1:]
	path := ""
	for _, k := range keys {
		path = pointer(path, k)
	}
	r := c.at(keys)
	property, _ := fault.Details()["property"].(string)
	switch fault.(type) {
	case *gojsonschema.RequiredError:
		d.fail(pointer(path, property), quoted(property)+" is missing", "add it: "+c.child(r, property).text("description"))
	case *gojsonschema.AdditionalPropertyNotAllowedError:
		child := pointer(path, property)
		d.failAt(child, d.keyAt(child), "unknown key "+quoted(property), unknownKeyHint(property, r.keys()))
	case *gojsonschema.DoesNotMatchFormatError:
		// The rules in Go are stricter about formats and speak instead.
	default:
		message, hint := explain(r, fault)
		if strings.HasSuffix(path, "/env") {
			// A person who takes env for the secret itself must not read it in a log.
			message, hint = "it is not the name of an environment variable", "write the variable's name, never the secret, such as CLUSTER_A_TOKEN"
		}
		d.fail(path, message, hint)
	}
}

func (d *document) keyAt(path string) position {
	if p, ok := d.place(path); ok {
		return p.key
	}
	return d.find(path)
}

// explain gives message and hint for a value that breaks its own rule.
func explain(r rule, fault gojsonschema.ResultError) (message, hint string) {
	hint = "expected: " + r.text("description")
	value := fault.Value()
	switch fault.(type) {
	case *gojsonschema.InvalidTypeError:
		return typeMessage(r, value)
	case *gojsonschema.EnumError:
		allowed := r.words("enum")
		return fmt.Sprintf("%s is not one of %s", shown(value), strings.Join(allowed, ", ")), choiceHint(value, allowed, hint)
	case *gojsonschema.ConstError:
		return fmt.Sprintf("%s is not %q", shown(value), r.text("const")), fmt.Sprintf("write %s", r.text("const"))
	case *gojsonschema.ArrayMinItemsError, *gojsonschema.StringLengthGTEError:
		return "it is empty", hint
	case *gojsonschema.ArrayMaxItemsError:
		return fmt.Sprintf("it has more than %v entries", r["maxItems"]), hint
	case *gojsonschema.StringLengthLTEError:
		return fmt.Sprintf("it is longer than %v characters", r["maxLength"]), hint
	case *gojsonschema.NumberGTEError:
		return fmt.Sprintf("%s is less than %v", shown(value), r["minimum"]), hint
	case *gojsonschema.NumberLTEError:
		return fmt.Sprintf("%s is more than %v", shown(value), r["maximum"]), hint
	case *gojsonschema.ArrayMinPropertiesError, *gojsonschema.ArrayMaxPropertiesError:
		return propertiesMessage(r), hint
	}
	return fmt.Sprintf("%s does not have the right form", shown(value)), hint
}

func propertiesMessage(r rule) string {
	keys := r.keys()
	if len(keys) == 0 {
		return "it is empty"
	}
	slices.Sort(keys)
	return "it needs exactly one of " + strings.Join(keys, ", ")
}

// typeMessage compares the kinds of value in words, and gives the two usual
// reasons: a missing quote and a missing unit.
func typeMessage(r rule, value any) (message, hint string) {
	wanted := make([]string, 0, 2)
	for _, t := range r.words("type") {
		wanted = append(wanted, typeName(t))
	}
	message = fmt.Sprintf("it must be %s, not %s", strings.Join(wanted, " or "), kindOf(value))
	hint = "expected: " + r.text("description")
	if !slices.Contains(r.words("type"), "string") {
		if value == nil {
			hint = "give it a value, or leave the key out; " + hint
		}
		return message, hint
	}
	switch v := value.(type) {
	case nil:
		hint = "give it a value, or leave the key out; " + hint
	case json.Number:
		if strings.Contains(r.text("description"), "duration") {
			hint = fmt.Sprintf("add a unit, such as %ss; %s", v, hint)
		} else {
			hint = fmt.Sprintf("put it in quotes: %q", v.String())
		}
	case bool:
		hint = fmt.Sprintf("put it in quotes: \"%t\"", v)
	}
	return message, hint
}

func typeName(t string) string {
	switch t {
	case "object":
		return "a mapping"
	case "array":
		return "a list"
	case "integer":
		return "a whole number"
	case "boolean":
		return "true or false"
	}
	return "a " + t
}

func kindOf(v any) string {
	switch v.(type) {
	case nil:
		return "empty"
	case bool:
		return "a boolean"
	case json.Number:
		return "a number"
	case string:
		return "a string"
	case []any:
		return "a list"
	}
	return "a mapping"
}

func shown(v any) string {
	switch v := v.(type) {
	case string:
		return quoted(v)
	case json.Number:
		return clip(v.String())
	case bool:
		return fmt.Sprint(v)
	}
	return kindOf(v)
}
