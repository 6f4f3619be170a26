package milvussim_test

import (
	"fmt"

	"milvus-reconcile/reconcile/milvus/milvussim"
)

// A World in three lines: a primary and a standby that has replicated
// everything.
func Example() {
	w := milvussim.New(milvussim.Options{})
	defer w.Close()
	err := w.Start(milvussim.Converged(milvussim.Pair("a", "b"))...)

	fmt.Println(w.State("a").BelievedRole, w.State("b").BelievedRole, err)
	// Output: primary standby <nil>
}

// A dead primary, and the standby's channels as they were left.
func ExampleWorld_Stop() {
	w := milvussim.New(milvussim.Options{})
	defer w.Close()
	_ = w.Start(milvussim.Converged(milvussim.Pair("a", "b"))...)
	_ = w.Stop("a")

	fmt.Println(w.State("a").Running, w.State("b").Writable, len(w.State("b").Checkpoints))
	// Output: false false 16
}
