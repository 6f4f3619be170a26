// Package siteplan shows what a site's topologies do as one plan: the moves of their
// primaries, in waves, with one digest over all of them.
//
// It computes nothing about a single topology; package plan does. It reads no clock and does
// no I/O.
package siteplan

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"milvus-reconcile/plan"
)

// Move is one topology's change of its primary, as an approval of a site names it. It names
// everything that the approval is for.
type Move struct {
	Topology   string
	Generation int64 // of the document
	Transition plan.Transition
	From, To   string // the old and the new primary
	Digest     string // of the topology's plan
}

// String returns the value of a trailer that covers the move.
func (m Move) String() string {
	return fmt.Sprintf("%s/%s generation %d %s from %s %s", m.Topology, m.To, m.Generation, m.Transition, m.From, m.Digest)
}

// moveForm is the form of String.
var moveForm = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^([a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)/([A-Za-z0-9][A-Za-z0-9._-]{0,62})` +
		` generation ([1-9][0-9]{0,18}) (failover|switchover) from ([A-Za-z0-9][A-Za-z0-9._-]{0,62}) (sha256:[0-9a-f]{64})$`)
})

// ParseMove reads what [Move.String] returns.
func ParseMove(value string) (Move, error) {
	f := moveForm().FindStringSubmatch(value)
	if f == nil {
		return Move{}, errors.New("it is not TOPOLOGY/CLUSTER generation NUMBER failover|switchover from CLUSTER sha256:DIGEST")
	}
	generation, err := strconv.ParseInt(f[3], 10, 64)
	if err != nil {
		return Move{}, fmt.Errorf("its generation: %w", err)
	}
	return Move{Topology: f[1], To: f[2], Generation: generation, Transition: plan.Transition(f[4]), From: f[5], Digest: f[6]}, nil
}

// MoveOf returns the move of a topology's plan; false: it changes no primary, or it was begun
// and needs no approval any more.
func MoveOf(t plan.TopologyPlan) (Move, bool) {
	moves := t.Transition == plan.TransitionFailover || t.Transition == plan.TransitionSwitchover
	if !moves || t.Digest == "" || t.Resumed || t.OldPrimary == "" || t.Primary == "" {
		return Move{}, false
	}
	return Move{
		Topology: t.Name, Generation: t.Generation, Transition: t.Transition,
		From: t.OldPrimary, To: t.Primary, Digest: t.Digest,
	}, true
}

// Digest is the hash over a site's name and moves, in whatever order they come. It names the
// whole of what an approval covers: another move, or one more or fewer, gives another digest.
func Digest(site string, moves []Move) string {
	h := sha256.New()
	fmt.Fprintf(h, "reconcile site 1\n%s\n", site)
	for _, m := range sorted(moves) {
		fmt.Fprintln(h, m)
	}
	return "sha256:" + hex.EncodeToString(h.Sum(nil))
}

// sorted returns the moves by topology.
func sorted(moves []Move) []Move {
	out := slices.Clone(moves)
	slices.SortFunc(out, func(a, b Move) int {
		return cmp.Or(strings.Compare(a.Topology, b.Topology), strings.Compare(a.String(), b.String()))
	})
	return out
}
