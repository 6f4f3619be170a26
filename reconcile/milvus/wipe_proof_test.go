package milvus

import (
	"strings"
	"testing"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/milvus/milvussim"
)

// TestWipeProof: a cluster shows that it was wiped only if its metadata and its log are new.
// What cannot be read shows nothing, and what a restore wrote later does not matter.
func TestWipeProof(t *testing.T) {
	w := pair(t, "")
	failedOver(t, w, 32, 0)
	began := w.proof(t)
	if began.Instance.IsZero() || !began.LogRead || !began.Oldest.IsZero() {
		t.Fatalf("of a cluster that was not wiped: %+v", began)
	}
	must(t, w.Wipe("a", milvussim.Wiping{KeepMetadata: true}))
	if got := w.proof(t); !got.Instance.Equal(began.Instance) {
		t.Errorf("the log was wiped alone: %+v", got)
	}
	_, _, err := w.Write("a", 16)
	must(t, err)
	must(t, w.Wipe("a", milvussim.Wiping{KeepLog: true}))
	if got := w.proof(t); !got.Instance.After(began.Instance) || got.Oldest.IsZero() || !got.Oldest.Before(got.Instance) {
		t.Errorf("the metadata were wiped alone: %+v", got)
	}
	must(t, w.Wipe("a", milvussim.Wiping{}))
	wiped := w.proof(t)
	if !wiped.Instance.After(began.Instance) || !wiped.Oldest.IsZero() || !wiped.LogRead {
		t.Errorf("all was wiped: %+v", wiped)
	}
	must(t, w.Restore("a", "b"))
	if got := w.proof(t); got != wiped {
		t.Errorf("restored: %+v", got)
	}
	must(t, w.AddFault("a", milvussim.Fault{Method: "DumpMessages", Kind: milvussim.FaultError}))
	if got := w.proof(t); got.LogRead || !got.Oldest.IsZero() || !strings.Contains(got.Unread, "could not be read") {
		t.Errorf("its log cannot be read: %+v", got)
	}
	must(t, w.Stop("a"))
	if got := w.proof(t); !got.Instance.IsZero() || got.LogRead || got.Unread == "" {
		t.Errorf("it does not answer: %+v", got)
	}
}

// proof reads whether a was wiped.
func (w *world) proof(t *testing.T) plan.WipeProof {
	t.Helper()
	return w.fleet().Reader().WipeProof(w.ctx(), w.topology, "b", "a")
}
