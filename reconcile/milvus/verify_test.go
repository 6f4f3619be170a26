package milvus

import (
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/milvus/milvussim"
)

func (w *world) verify(cluster string, level plan.VerifyLevel, known ...string) VerifyResult {
	return w.fleet().Verify(w.ctx(), w.topology, cluster, level, known)
}

// leftovers are the throwaway collections that a cluster still holds.
func (w *world) leftovers(cluster string) []string {
	w.t.Helper()
	f := w.fleet()
	d, err := f.dialData(w.pass(f, cluster), "")
	must(w.t, err)
	defer d.close()
	names, err := d.listCollections(w.ctx())
	must(w.t, err)
	var out []string
	for _, n := range names {
		if isThrowaway(n) {
			out = append(out, n)
		}
	}
	slices.Sort(out)
	return out
}

func TestVerify(t *testing.T) {
	for _, level := range []plan.VerifyLevel{plan.VerifyRole, plan.VerifyDDL, plan.VerifyDML} {
		t.Run(string(level), func(t *testing.T) {
			w := pair(t, "")
			_, _, err := w.Write("a", 20)
			must(t, err)
			before := w.State("a").WritesAccepted
			got := w.verify("a", level, "default/sim_rows", "default/gone", "lost/x", "default/"+throwawayName(time.Now()))
			same(t, got, VerifyResult{Proven: level, Missing: []string{"default/gone", "lost/x"}, Readiness: plan.Readiness{
				Asked: true, Held: []plan.ServedCollection{{Name: "default/sim_rows", Loaded: true}},
			}})
			same(t, w.leftovers("a"), []string(nil))
			if wrote := w.State("a").WritesAccepted - before; (wrote > 0) != (level == plan.VerifyDML) {
				t.Errorf("%d rows written", wrote)
			}
		})
	}
	t.Run("unsaid is ddl", func(t *testing.T) {
		same(t, pair(t, "").verify("a", plan.VerifyUnsaid), VerifyResult{Proven: plan.VerifyDDL, Readiness: plan.Readiness{Asked: true}})
	})
}

func TestVerifyTriesAgainUntilItWorks(t *testing.T) {
	w := pair(t, "")
	must(t, w.AddFault("a", milvussim.Fault{Method: "CreateCollection", Kind: milvussim.FaultError, Times: 3}))
	must(t, w.AddFault("a", milvussim.Fault{Method: "GetReplicateConfiguration", Kind: milvussim.FaultError, Times: 3, Code: codes.Internal}))
	same(t, w.verify("a", plan.VerifyDDL), VerifyResult{Proven: plan.VerifyDDL, Readiness: plan.Readiness{Asked: true}})
	same(t, w.calls("a", "CreateCollection"), 4) // ours only: the library resends nothing
}

func TestVerifyFails(t *testing.T) {
	cases := map[string]struct {
		cluster string
		change  func(*testing.T, *world)
		proven  plan.VerifyLevel
		words   string
	}{
		"a standby":            {"b", nil, plan.VerifyUnsaid, "standby of a"},
		"a stopped cluster":    {"a", func(t *testing.T, w *world) { must(t, w.Stop("a")) }, plan.VerifyUnsaid, "unreachable"},
		"a cluster not listed": {"z", nil, plan.VerifyUnsaid, "z"},
		"a cluster not bound":  {"a", func(_ *testing.T, w *world) { w.config.Credentials[0].URI = "http://x:1" }, plan.VerifyUnsaid, "bound"},
		"a user without a right": {"a", func(t *testing.T, w *world) {
			must(t, w.AddFault("a", milvussim.Fault{Method: "CreateCollection", Kind: milvussim.FaultError, Code: codes.PermissionDenied}))
		}, plan.VerifyRole, "PermissionDenied"},
		"a collection that cannot be loaded": {"a", func(t *testing.T, w *world) {
			must(t, w.AddFault("a", milvussim.Fault{Method: "LoadCollection", Kind: milvussim.FaultError, Code: codes.PermissionDenied}))
		}, plan.VerifyDDL, "load"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			w := pair(t, "")
			if c.change != nil {
				c.change(t, w)
			}
			ctx := w.tries()
			got := w.fleet().Verify(ctx, w.topology, c.cluster, plan.VerifyDML, nil)
			if got.Proven != c.proven || got.Err == nil || !strings.Contains(got.Err.Error(), c.words) {
				t.Errorf("%+v", got)
			}
		})
	}
}

// TestSweep: what a crash left is dropped, by its form and its mark. A run that
// holds the lock need not wait until its time is over.
func TestSweep(t *testing.T) {
	w := pair(t, "")
	crashed := w.fleet()
	d, err := crashed.dialData(w.pass(crashed, "a"), "")
	must(t, err)
	defer d.close()
	old, young := throwawayName(w.clock.Now().Add(-2*throwawayLife)), throwawayName(w.clock.Now())
	must(t, d.create(w.ctx(), old, 1))
	must(t, d.create(w.ctx(), young, 1))
	theirs := throwawayName(w.clock.Now().Add(-3 * throwawayLife)) // named like ours, without our mark
	must(t, d.createCollection(w.ctx(), throwawaySchema(theirs).WithDescription("mine"), 1))

	kept := []string{theirs, young}
	slices.Sort(kept)
	same(t, w.verify("a", plan.VerifyDDL).Err, nil)
	same(t, w.leftovers("a"), kept)
	crashed.Sweep(w.ctx(), w.topology, "a")
	same(t, w.leftovers("a"), kept) // that process is still using the young one
	w.fleet().Sweep(w.ctx(), w.topology, "a")
	same(t, w.leftovers("a"), []string{theirs})
}

func (w *world) pass(f *Fleet, cluster string) ticket {
	w.t.Helper()
	pass, err := f.ticket(bind(w.topology, f.credentials)[cluster])
	must(w.t, err)
	return pass
}
