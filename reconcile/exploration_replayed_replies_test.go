package reconcile_test

import "time"

// reply is one answer that a run got.
type reply struct {
	at    boundary
	now   time.Time
	value any
	err   error
	lost  bool // the right to act was gone
}

// past is what a run heard: its beginning, and one reply after the other.
type past struct {
	before int32
	reply  reply
	git    history // of a beginning
	fence  int8    // of a beginning: 1 + the cluster that is asked to be fenced
	at     time.Time
}

type pastKey struct {
	before int32
	at     boundary
	now    int64
	lost   bool
	hint   any // comparable, tells two replies apart
}

// archive keeps every past that occurs once. The first is nobody's.
type archive struct {
	all    []past
	number map[pastKey]int32
}

func (a *archive) add(k pastKey, p past) int32 {
	if n, ok := a.number[k]; ok {
		return n
	}
	n := int32(len(a.all))
	a.all, a.number[k] = append(a.all, p), n
	return n
}

// replies are what a past consists of, and its beginning.
func (a *archive) replies(n int32) (past, []reply) {
	var out []reply
	for ; a.all[n].before != 0; n = a.all[n].before {
		out = append(out, a.all[n].reply)
	}
	for i, j := 0, len(out)-1; i < j; i, j = i+1, j-1 {
		out[i], out[j] = out[j], out[i]
	}
	return a.all[n], out
}
