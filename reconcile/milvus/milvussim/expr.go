package milvussim

import (
	"cmp"
	"strings"
)

// expr is a parsed boolean expression of a query or a delete: comparisons of a
// field with a literal, in, not in, like with a prefix, and, or, not. That is
// the part of Milvus' grammar (internal/parser/planparserv2/Plan.g4) that
// clients use to find rows by their scalars.
type expr interface{ holds(r row) bool }

type (
	always     struct{}
	negation   struct{ inner expr }
	both       struct{ left, right expr }
	either     struct{ left, right expr }
	membership struct {
		field  string
		values []any
	}
	comparison struct {
		field string
		op    string
		value any
	}
	prefix struct{ field, text string }
)

func (always) holds(row) bool       { return true }
func (e negation) holds(r row) bool { return !e.inner.holds(r) }
func (e both) holds(r row) bool     { return e.left.holds(r) && e.right.holds(r) }
func (e either) holds(r row) bool   { return e.left.holds(r) || e.right.holds(r) }

func (e membership) holds(r row) bool {
	v := r.value(e.field)
	for _, want := range e.values {
		if order, ok := compare(v, want); ok && order == 0 {
			return true
		}
	}
	return false
}

func (e prefix) holds(r row) bool {
	s, ok := r.value(e.field).(string)
	return ok && strings.HasPrefix(s, e.text)
}

func (e comparison) holds(r row) bool {
	order, ok := compare(r.value(e.field), e.value)
	if !ok {
		return false
	}
	switch e.op {
	case "==":
		return order == 0
	case "!=":
		return order != 0
	case "<":
		return order < 0
	case "<=":
		return order <= 0
	case ">":
		return order > 0
	}
	return order >= 0
}

// compare orders two scalars of like type; numbers compare across types.
func compare(a, b any) (int, bool) {
	switch x := a.(type) {
	case int64:
		switch y := b.(type) {
		case int64:
			return cmp.Compare(x, y), true
		case float64:
			return cmp.Compare(float64(x), y), true
		}
	case float64:
		switch y := b.(type) {
		case int64:
			return cmp.Compare(x, float64(y)), true
		case float64:
			return cmp.Compare(x, y), true
		}
	case string:
		if y, ok := b.(string); ok {
			return cmp.Compare(x, y), true
		}
	case bool:
		if y, ok := b.(bool); ok {
			if x == y {
				return 0, true
			}
			return 1, true
		}
	}
	return 0, false
}
