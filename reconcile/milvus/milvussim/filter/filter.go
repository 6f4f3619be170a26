// Package filter parses the boolean expressions by which queries and deletes of Milvus choose
// rows.
package filter

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"text/scanner"

	"github.com/milvus-io/milvus-proto/go-api/v2/schemapb"
)

// Expr is a parsed boolean expression of a query or a delete: comparisons of a
// field, or what is left of its division by a literal, with a literal, in, not in,
// like with a beginning, a part or an end, and, or, not. That is
// the part of Milvus' grammar (internal/parser/planparserv2/Plan.g4) that
// clients use to find rows by their scalars.
type Expr interface {
	// Holds says whether a row meets the expression. value returns the scalar of a field of it.
	Holds(value func(field string) any) bool
}

// Named returns the values of a field that an expression names, if it does no more than
// that.
func Named(e Expr, field string) (values []any, ok bool) {
	m, ok := e.(membership)
	if !ok || m.field != field {
		return nil, false
	}
	return m.values, true
}

type (
	always     struct{}
	negation   struct{ inner Expr }
	both       struct{ left, right Expr }
	either     struct{ left, right Expr }
	membership struct {
		field  string
		values []any
	}
	comparison struct {
		field string
		op    string
		value any
	}
	// like holds for a text with that beginning, part or end.
	like struct {
		field, text   string
		before, after bool // anything may stand there
	}
	// remainder compares what is left of a division.
	remainder struct {
		field string
		by    int64
		rest  comparison
	}
)

func (always) Holds(func(string) any) bool           { return true }
func (e negation) Holds(value func(string) any) bool { return !e.inner.Holds(value) }
func (e both) Holds(value func(string) any) bool     { return e.left.Holds(value) && e.right.Holds(value) }

func (e either) Holds(value func(string) any) bool {
	return e.left.Holds(value) || e.right.Holds(value)
}

func (e membership) Holds(value func(string) any) bool {
	v := value(e.field)
	for _, want := range e.values {
		if order, ok := compare(v, want); ok && order == 0 {
			return true
		}
	}
	return false
}

func (e like) Holds(value func(string) any) bool {
	s, ok := value(e.field).(string)
	switch {
	case !ok:
		return false
	case e.before && e.after:
		return strings.Contains(s, e.text)
	case e.before:
		return strings.HasSuffix(s, e.text)
	}
	return strings.HasPrefix(s, e.text)
}

func (e remainder) Holds(value func(string) any) bool {
	n, ok := value(e.field).(int64)
	return ok && e.rest.compares(n%e.by)
}

func (e comparison) Holds(value func(string) any) bool { return e.compares(value(e.field)) }

func (e comparison) compares(v any) bool {
	order, ok := compare(v, e.value)
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

// parser reads an expression token by token.
type parser struct {
	scan      scanner.Scanner
	tok       string
	kind      rune
	templates map[string]*schemapb.TemplateValue
	err       error
}

// Parse parses an expression. An empty one holds for every row. templates are the values
// of the names in braces.
func Parse(text string, templates map[string]*schemapb.TemplateValue) (Expr, error) {
	if strings.TrimSpace(text) == "" {
		return always{}, nil
	}
	p := &parser{templates: templates}
	p.scan.Init(strings.NewReader(text))
	p.scan.Mode = scanner.ScanIdents | scanner.ScanFloats | scanner.ScanStrings | scanner.ScanRawStrings
	p.scan.IsIdentRune = func(ch rune, i int) bool {
		return ch == '_' || ch == '$' || ch >= 'a' && ch <= 'z' || ch >= 'A' && ch <= 'Z' || ch >= '0' && ch <= '9' && i > 0
	}
	p.scan.Error = func(*scanner.Scanner, string) {}
	p.next()
	e := p.disjunction()
	if p.err == nil && p.kind != scanner.EOF {
		p.fail()
	}
	if p.err != nil {
		return nil, p.err
	}
	return e, nil
}

// next reads a token; operators of two characters are one.
func (p *parser) next() {
	p.kind = p.scan.Scan()
	p.tok = p.scan.TokenText()
	if p.kind == '\'' {
		p.quoted()
		return
	}
	if follow := p.scan.Peek(); strings.ContainsRune("=!<>&|", p.kind) && (follow == '=' || follow == p.kind) {
		p.tok += string(p.scan.Next())
	}
}

// quoted reads the rest of a string in single quotes.
func (p *parser) quoted() {
	var b strings.Builder
	for ch := p.scan.Next(); ch != '\''; ch = p.scan.Next() {
		if ch == scanner.EOF {
			p.fail()
			return
		}
		if ch == '\\' {
			ch = p.scan.Next()
		}
		b.WriteRune(ch)
	}
	p.kind, p.tok = scanner.String, strconv.Quote(b.String())
}

func (p *parser) fail() {
	if p.err == nil {
		p.err = fmt.Errorf("unexpected token %q", p.tok)
	}
	p.kind, p.tok = scanner.EOF, ""
}

func (p *parser) accept(words ...string) bool {
	for _, w := range words {
		if p.kind != scanner.String && strings.EqualFold(p.tok, w) {
			p.next()
			return true
		}
	}
	return false
}

func (p *parser) expect(word string) {
	if !p.accept(word) {
		p.fail()
	}
}

func (p *parser) disjunction() Expr {
	e := p.conjunction()
	for p.err == nil && p.accept("or", "||") {
		e = either{e, p.conjunction()}
	}
	return e
}

func (p *parser) conjunction() Expr {
	e := p.term()
	for p.err == nil && p.accept("and", "&&") {
		e = both{e, p.term()}
	}
	return e
}

func (p *parser) term() Expr {
	switch {
	case p.accept("not", "!"):
		return negation{p.term()}
	case p.accept("("):
		e := p.disjunction()
		p.expect(")")
		return e
	case p.kind != scanner.Ident:
		p.fail()
		return always{}
	}
	field := p.tok
	p.next()
	return p.predicate(field)
}

func (p *parser) predicate(field string) Expr {
	for _, op := range []string{"==", "!=", "<=", ">=", "<", ">"} {
		if p.accept(op) {
			return comparison{field, op, p.literal()}
		}
	}
	switch {
	case p.accept("in"):
		return membership{field, p.list()}
	case p.accept("not"):
		p.expect("in")
		return negation{membership{field, p.list()}}
	case p.accept("like"):
		s, _ := p.literal().(string)
		text, after := strings.CutSuffix(s, "%")
		text, before := strings.CutPrefix(text, "%")
		if before || after {
			return like{field: field, text: text, before: before, after: after}
		}
		return comparison{field, "==", s}
	case p.accept("%"):
		by, _ := p.literal().(int64)
		if rest, ok := p.predicate(field).(comparison); ok && by != 0 {
			return remainder{field: field, by: by, rest: rest}
		}
	}
	p.fail()
	return always{}
}

func (p *parser) list() []any {
	if p.accept("{") {
		name := p.tok
		p.next()
		p.expect("}")
		return templateList(p.templates[name])
	}
	p.expect("[")
	var out []any
	for p.err == nil && !p.accept("]") {
		out = append(out, p.literal())
		if p.kind != ']' {
			p.expect(",")
		}
	}
	return out
}

func (p *parser) literal() any {
	if p.accept("{") {
		name := p.tok
		p.next()
		p.expect("}")
		return templateScalar(p.templates[name])
	}
	minus := p.accept("-")
	kind, tok := p.kind, p.tok
	p.next()
	switch {
	case kind == scanner.String || kind == scanner.RawString:
		if s, err := strconv.Unquote(tok); err == nil && !minus {
			return s
		}
	case strings.EqualFold(tok, "true"), strings.EqualFold(tok, "false"):
		return strings.EqualFold(tok, "true")
	}
	if minus {
		tok = "-" + tok
	}
	if n, err := strconv.ParseInt(tok, 0, 64); err == nil {
		return n
	}
	x, err := strconv.ParseFloat(tok, 64)
	if err != nil {
		p.tok = tok
		p.fail()
	}
	return x
}

func templateScalar(t *schemapb.TemplateValue) any {
	switch v := t.GetVal().(type) {
	case *schemapb.TemplateValue_BoolVal:
		return v.BoolVal
	case *schemapb.TemplateValue_Int64Val:
		return v.Int64Val
	case *schemapb.TemplateValue_FloatVal:
		return v.FloatVal
	case *schemapb.TemplateValue_StringVal:
		return v.StringVal
	}
	return nil
}

func templateList(t *schemapb.TemplateValue) []any {
	var out []any
	list := t.GetArrayVal()
	for _, v := range list.GetLongData().GetData() {
		out = append(out, v)
	}
	for _, v := range list.GetDoubleData().GetData() {
		out = append(out, v)
	}
	for _, v := range list.GetStringData().GetData() {
		out = append(out, v)
	}
	return out
}
