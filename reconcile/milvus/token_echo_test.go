package milvus

import (
	"context"
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/milvus/milvussim"
	"milvus-reconcile/reconcile/milvus/milvussim/hostile"
)

// hostile puts a hostile server before a cluster.
func (w *world) hostile(id string) *hostile.Server {
	w.t.Helper()
	s, err := hostile.Start(w.ctx(), w.Address(id))
	must(w.t, err)
	w.t.Cleanup(s.Close)
	w.cluster(id).ClientAddress = s.Address
	for i := range w.config.Credentials {
		if w.config.Credentials[i].ClusterID == id {
			w.config.Credentials[i].Address, w.config.Credentials[i].URI = s.Address, w.cluster(id).URI
		}
	}
	return s
}

// everything asks a pair for all that can be asked, and returns all that came.
func (w *world) everything() string {
	f := w.fleet()
	defer f.Close()
	ctx, cancel := context.WithTimeout(w.ctx(), 10*time.Second)
	defer cancel()
	topologies := []plan.Topology{w.topology}
	r := f.Reader()
	views := r.Observe(ctx, topologies, plan.Depth{Progress: true, Contents: true, Unlisted: true})
	said := []any{views, r.Rights(ctx, topologies, views), r.Streams(ctx, topologies, views), r.StaleLog(ctx, w.topology, "b", "a")}
	salvaged, err := r.Salvage(ctx, w.topology, "b", "a", func(m SalvagedMessage) error {
		m.Payload = nil // it is the rows of users, which are given as they are
		said = append(said, m)
		return nil
	})
	short, cancel := context.WithTimeout(ctx, 10*time.Millisecond)
	defer cancel()
	said = append(said, salvaged, err, f.Verify(short, w.topology, "b", plan.VerifyDML, []string{"default/orders"}))
	return fmt.Sprintf("%+v", said)
}

// forms are how a server may put a token into a name.
var forms = []func(token string) string{
	func(token string) string { return token },
	func(token string) string { return "by-dev-" + token + "_0" },
	func(token string) string { return base64.StdEncoding.EncodeToString([]byte(token)) },
}

// TestNoAnswerBringsATokenBack has a server put our token into each string of each
// answer, one after the other: it is nowhere in what is made of them. The short form
// tries every fifth string.
func TestNoAnswerBringsATokenBack(t *testing.T) {
	t.Parallel() // some of it is waiting
	w := pair(t, "").hasty()
	failedOver(t, w, 1, 1)
	s := map[string]*hostile.Server{"a": w.hostile("a"), "b": w.hostile("b")}
	var called []string
	for range 8 { // on a busy machine a call may come too late, and what would follow it is not made
		w.everything()
		w.config.ReadTimeout, w.config.UpdateTimeout = 2*w.config.ReadTimeout, 2*w.config.UpdateTimeout
		called = slices.Compact(slices.Sorted(slices.Values(slices.Concat(s["a"].Called(), s["b"].Called()))))
		if places(called) >= fewestPlaces {
			break
		}
	}
	w.config.ReadTimeout = 200 * time.Millisecond
	tried := 0
	for _, method := range called {
		for i, place := range hostile.Texts(method) {
			tried++
			if testing.Short() && tried%5 != 0 {
				continue
			}
			form := forms[i%len(forms)]
			for _, id := range slices.Sorted(maps.Keys(s)) {
				s[id].Spoil(hostile.Echo(method, place, form))
			}
			said := w.everything()
			for _, f := range forms {
				if at := strings.Index(said, f(milvussim.RootToken)); at >= 0 {
					t.Errorf("%s %s: …%s…", method, place, said[max(0, at-100):min(len(said), at+60)])
				}
			}
		}
	}
	if tried < fewestPlaces {
		t.Errorf("only %d places were tried", tried)
	}
}

// fewestPlaces is how many strings there are at least in the answers of a pair.
const fewestPlaces = 50

// places counts the strings in the answers to some methods.
func places(methods []string) int {
	n := 0
	for _, m := range methods {
		n += len(hostile.Texts(m))
	}
	return n
}
