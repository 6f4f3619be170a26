package wire

import (
	"fmt"
	"reflect"
	"slices"
	"testing"

	"milvus-reconcile/schema"
)

// TestEverySecretVariableIsKnown fills every reference to a secret that a configuration can
// have: each variable is named.
func TestEverySecretVariableIsKnown(t *testing.T) {
	var c schema.Config
	n := 0
	fillSecrets(reflect.ValueOf(&c).Elem(), &n)
	e := &Environment{Config: c}
	got := e.SecretVariables()
	for i := range n {
		if name := fmt.Sprintf("SECRET_%d", i); !slices.Contains(got, name) {
			t.Errorf("%s is not known", name)
		}
	}
	if n < 10 || len(got) != n {
		t.Errorf("%d references, and %d variables", n, len(got))
	}
}

// fillSecrets gives each reference to a secret a variable of its own, and what may be absent or
// empty one entry.
func fillSecrets(v reflect.Value, n *int) {
	if _, ok := v.Interface().(schema.SecretRef); ok {
		v.Set(reflect.ValueOf(schema.SecretRef{Env: fmt.Sprintf("SECRET_%d", *n)}))
		*n++
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				fillSecrets(v.Field(i), n)
			}
		}
	case reflect.Pointer:
		if v.Type().Elem().Kind() == reflect.Struct {
			v.Set(reflect.New(v.Type().Elem()))
			fillSecrets(v.Elem(), n)
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Struct {
			v.Set(reflect.MakeSlice(v.Type(), 1, 1))
			fillSecrets(v.Index(0), n)
		}
	default: // it holds no reference
	}
}
