package ledger

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"milvus-reconcile/plan"
)

// fill gives every field a value, so that a field that the stored form does
// not know shows as a difference.
func fill(t *testing.T, v reflect.Value) {
	t.Helper()
	switch {
	case v.Type() == reflect.TypeFor[time.Time]():
		v.Set(reflect.ValueOf(start))
	case v.Kind() == reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(t, v.Elem())
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			fill(t, v.Field(i))
		}
	case v.Kind() == reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(t, v.Index(0))
	case v.Kind() == reflect.String:
		v.SetString("x")
	case v.Kind() == reflect.Bool:
		v.SetBool(true)
	case v.CanInt():
		v.SetInt(3)
	case v.CanUint():
		v.SetUint(1<<64 - 1)
	default:
		t.Fatalf("no value for a %s", v.Type())
	}
}

func TestNothingOfThePlannersTypesIsLost(t *testing.T) {
	f := newFixture(t, openEmbedded)
	var b Beginning
	fill(t, reflect.ValueOf(&b).Elem())
	b.Intent.Topology, b.Stale[0].Topology, b.Payloads = "orders", "orders", []string{payload("x")}
	var p plan.ProgressRecord
	fill(t, reflect.ValueOf(&p).Elem())
	k := f.lock("orders")
	must(t, k.Begin(t.Context(), b))
	must(t, k.Effected(t.Context()))
	must(t, f.RecordProgress(t.Context(), p))
	var o plan.Outage
	fill(t, reflect.ValueOf(&o).Elem())
	must(t, f.RecordOutages(t.Context(), []plan.Outage{o}, nil))
	var c plan.CountedLoss
	fill(t, reflect.ValueOf(&c).Elem())
	c.Topology, c.Cluster, c.Promoted = b.Intent.Topology, b.Stale[0].Cluster, b.Stale[0].Promoted
	must(t, f.RecordLoss(t.Context(), c))
	m := f.read().Memory()
	c.At = f.read().Newest() // the ledger's own clock
	same(t, m.Losses, []plan.CountedLoss{c})
	same(t, m.Outages, []plan.Outage{o})
	if !m.Intents[0].StepAt.After(m.Intents[0].At) {
		t.Errorf("begun at %s, and effected at %s", m.Intents[0].At, m.Intents[0].StepAt)
	}
	b.Intent.At, b.Intent.StepAt = m.Intents[0].At, m.Intents[0].StepAt // the ledger's own clock
	b.Stale[0].Fenced, b.Intent.Turned = false, false                   // told by a fence, and by a way that is over
	b.Intent.Advances, b.Provisions[0].Proven = nil, false              // told by a rebuild only
	same(t, m.Intents, []plan.Intent{b.Intent})
	same(t, m.Stale, b.Stale)
	same(t, m.Provisions, b.Provisions)
	same(t, m.Progress, []plan.ProgressRecord{p})
	same(t, f.read().Spent("orders")[0].Generation, b.Intent.Generation)
}

// Whatever is asked of it in whatever order, an approval is spent once, one
// intent is open at most, and another process reads the same.
func TestAnySequenceKeepsTheRules(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s, chain := run(rt, &Ledger{store: &embedded{path: "x"}, clock: func() time.Time { return start }})
		seen := map[int64]bool{}
		for _, m := range s.marks {
			if seen[m.value.Generation] {
				rt.Fatalf("generation %d is spent twice", m.value.Generation)
			}
			seen[m.value.Generation] = true
		}
		if len(s.intents) > 1 {
			rt.Fatal("two open intents on one topology")
		}
		for i := range chain {
			cut := append(append([]sealed(nil), chain[:i]...), chain[i+1:]...)
			if i < len(chain)-1 {
				if _, err := verify(cut, nil); err == nil {
					rt.Fatalf("record %d is gone and nobody noticed", i+1)
				}
			}
		}
	})
}

func run(rt *rapid.T, l *Ledger) (*state, []sealed) {
	var im image
	rules := map[string]func(int64) rule{
		"begin": func(g int64) rule { return beginRule(failover("orders", g, strings.Repeat("d", int(g)))) },
		"match": func(g int64) rule {
			return matchRule(plan.GenerationMark{Topology: "orders", Generation: g}, "c")
		},
		"sent":     func(int64) rule { return sentRule("orders") },
		"effected": func(int64) rule { return effectedRule("orders") },
		"reverse":  func(int64) rule { return reverseRule("orders", "x") },
		"finish":   func(int64) rule { return finishRule("orders", "done", "") },
		"count":    func(g int64) rule { return lossRule(counted(g, g)) },
	}
	for range rapid.IntRange(0, 30).Draw(rt, "length") {
		r := rules[rapid.SampledFrom(sortedKeys(rules)).Draw(rt, "rule")](rapid.Int64Range(1, 5).Draw(rt, "generation"))
		if c, err := l.nextChange(im, nil, r); err == nil {
			im.format, im.head, im.chain = c.format, c.head, append(im.chain, c.append...)
		}
	}
	var s *state
	_, err := l.replay(im, func(folded *state) error { s = folded; return nil })
	if err != nil {
		rt.Fatal(err)
	}
	return s, im.chain
}
