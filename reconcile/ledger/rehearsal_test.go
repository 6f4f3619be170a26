package ledger

import (
	"reflect"
	"testing"
	"time"

	"milvus-reconcile/plan"
)

// rehearsal is the beginning of a rehearsal from a to b.
func rehearsalFrom(generation int64) Beginning {
	step := func(id int, cluster string, reason plan.Reason) plan.Step {
		return plan.Step{ID: id, Wave: id, Action: plan.ActionUpdate, Cluster: cluster, Reason: reason}
	}
	return Beginning{
		Intent: plan.Intent{
			Transition: plan.TransitionRehearsal, Generation: generation, Commit: "c0ffee", Digest: "sha256:1",
			Steps:  []plan.Step{step(1, "a", plan.ReasonBecomesStandby), step(2, "b", plan.ReasonBecomesPrimary)},
			Return: []plan.Step{step(3, "a", plan.ReasonBecomesPrimary), step(4, "b", plan.ReasonBecomesStandby)},
		},
		Payloads: []string{payload("x")}, By: []string{"Alice"}, Document: "sha256:2",
	}
}

// TestRehearsalIsRecorded: a way there that is over leaves the intent of the way back. Nothing
// of that was sent, and it is never reversed; its end leaves the report.
func TestRehearsalIsRecorded(t *testing.T) {
	f := newFixture(t, openEmbedded)
	k := f.lock("orders")
	must(t, k.Begin(t.Context(), rehearsalFrom(7)))
	if err := k.Turn(t.Context(), plan.RehearsalWay{}); err == nil {
		t.Error("a way that did not take effect is over")
	}
	must(t, k.Sent(t.Context()))
	must(t, k.Effected(t.Context()))
	var there, back plan.RehearsalWay
	fill(t, reflect.ValueOf(&there).Elem())
	gap := 3 * time.Second
	there.Gap, back = &gap, plan.RehearsalWay{Took: time.Second}
	must(t, k.Turn(t.Context(), there))
	must(t, k.Turn(t.Context(), there)) // once more changes nothing
	i := f.read().Memory().Intents[0]
	if !i.Turned || i.MayHaveSent || i.Effected || len(i.Return) > 0 || i.Steps[0].ID != 3 {
		t.Errorf("the intent of the way back is %+v", i)
	}
	if err := k.Reverse(t.Context(), "no"); err == nil {
		t.Error("a rehearsal that went one way is taken back")
	}
	must(t, k.Sent(t.Context()))
	must(t, k.Effected(t.Context()))
	written, lost := int64(9), int64(0)
	must(t, k.FinishRehearsal(t.Context(), back, &written, &lost, "done"))
	kept := f.read().Memory().RehearsalsOf("orders")
	if len(kept) != 1 || len(f.read().Memory().Intents) > 0 {
		t.Fatalf("%d reports are kept", len(kept))
	}
	r := kept[0]
	if !reflect.DeepEqual(r.There, there) || r.Back.Took != time.Second || r.From != "a" || r.To != "b" || *r.Written != 9 || r.By[0] != "Alice" || r.Generation != 7 {
		t.Errorf("the report is %+v", r)
	}
	var told *plan.RehearsalRecord
	for _, x := range f.read().History("orders") {
		if x.Kind == KindResult {
			told = x.Rehearsal
		}
	}
	if !reflect.DeepEqual(told, &r) {
		t.Errorf("history tells %+v", told)
	}
}

// TestRehearsalThatIsClosedOtherwise: one that a later document took the place of is kept too, and
// of many the newest.
func TestRehearsalThatIsClosedOtherwise(t *testing.T) {
	f := newFixture(t, openEmbedded)
	k := f.lock("orders")
	for n := range int64(keptRehearsals + 2) {
		b := rehearsalFrom(7 + n)
		b.Payloads = []string{payload(string(rune('a' + n)))}
		must(t, k.Begin(t.Context(), b))
		must(t, k.Finish(t.Context(), "superseded", ""))
	}
	kept := f.read().Memory().RehearsalsOf("orders")
	if len(kept) != keptRehearsals || kept[0].Generation != 9 || kept[0].Passed() || kept[0].From != "a" {
		t.Errorf("%d are kept, the first of generation %d", len(kept), kept[0].Generation)
	}
}
