package gitsource

import (
	"container/heap"
	"fmt"

	"github.com/go-git/go-git/v5/plumbing"
)

// depth returns the number of commits on the longest path to a root. Every ancestor has
// a smaller depth. Commit dates are not used, since an attacker can choose them.
func (r *Repo) depth(id plumbing.Hash) (int, error) {
	stack := []plumbing.Hash{id}
	known := map[plumbing.Hash]int{} // independent of what the cache drops
	for len(stack) > 0 {
		top := stack[len(stack)-1]
		c, err := r.commit(top)
		if err != nil {
			return 0, err
		}
		if c.depth == 0 {
			deepest, missing := 0, false
			for _, p := range c.parents {
				d, err := r.knownDepth(p, known)
				if err != nil {
					return 0, err
				}
				if d == 0 {
					stack, missing = append(stack, p), true
				}
				deepest = max(deepest, d)
			}
			if missing {
				continue
			}
			c.depth = deepest + 1
		}
		known[top] = c.depth
		stack = stack[:len(stack)-1]
	}
	return known[id], nil
}

func (r *Repo) knownDepth(id plumbing.Hash, known map[plumbing.Hash]int) (int, error) {
	if d, ok := known[id]; ok {
		return d, nil
	}
	c, err := r.commit(id)
	if err != nil {
		return 0, err
	}
	return c.depth, nil
}

// The marks of a walk from both sides of a merge.
const (
	fromFirst = 1 << iota
	fromOthers
)

// broughtIn lists the commits that a merge adds to its first parent: those reachable
// only from its other parents, deepest first.
func (r *Repo) broughtIn(merge *commit) ([]plumbing.Hash, error) {
	if out, ok := r.merges.Get(merge.id); ok {
		return out, nil
	}
	w := walk{repo: r, marks: map[plumbing.Hash]int{}}
	for i, p := range merge.parents {
		mark := fromOthers
		if i == 0 {
			mark = fromFirst
		}
		if err := w.add(p, mark); err != nil {
			return nil, err
		}
	}
	var out []plumbing.Hash
	for w.others > 0 {
		item := heap.Pop(&w.queue).(walkItem)
		mark := w.marks[item.id]
		if mark == fromOthers {
			w.others--
			out = append(out, item.id)
		}
		c, err := r.commit(item.id)
		if err != nil {
			return nil, err
		}
		for _, p := range c.parents {
			if err := w.add(p, mark); err != nil {
				return nil, err
			}
		}
	}
	r.merges.Put(merge.id, out)
	return out, nil
}

// walk visits commits by decreasing depth, so that a commit has all its marks before
// its visit.
type walk struct {
	repo   *Repo
	marks  map[plumbing.Hash]int
	queue  walkQueue
	others int // in the queue, reachable from other parents alone
}

func (w *walk) add(id plumbing.Hash, mark int) error {
	before := w.marks[id]
	w.marks[id] = before | mark
	if before == fromOthers && mark&fromFirst != 0 {
		w.others--
	}
	if before != 0 {
		return nil
	}
	if mark == fromOthers {
		w.others++
	}
	d, err := w.repo.depth(id)
	heap.Push(&w.queue, walkItem{id, d})
	return err
}

type walkItem struct {
	id    plumbing.Hash
	depth int
}

type walkQueue []walkItem

// Len, Less, Swap, Push and Pop make the queue a heap of the deepest commit.
func (q walkQueue) Len() int           { return len(q) }
func (q walkQueue) Less(i, j int) bool { return q[i].depth > q[j].depth }
func (q walkQueue) Swap(i, j int)      { q[i], q[j] = q[j], q[i] }

// Push adds a commit.
func (q *walkQueue) Push(x any) { *q = append(*q, x.(walkItem)) }

// Pop takes the last one.
func (q *walkQueue) Pop() any {
	old := *q
	x := old[len(old)-1]
	*q = old[:len(old)-1]
	return x
}

// IsAncestor reports whether commit a is b or one of its ancestors. A tracked ref that
// moved from a to b was then not rewritten. An unreadable commit is an error only if a
// is not found on another path.
func (r *Repo) IsAncestor(a, b string) (bool, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !plumbing.IsHash(a) || !plumbing.IsHash(b) {
		return false, fmt.Errorf("%+q or %+q is not a commit id", a, b)
	}
	target, start := plumbing.NewHash(a), plumbing.NewHash(b)
	seen := map[plumbing.Hash]bool{start: true}
	var unread error
	for stack := []plumbing.Hash{start}; len(stack) > 0; {
		id := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if id == target {
			return true, nil
		}
		c, err := r.commit(id)
		if err != nil {
			unread = err
			continue
		}
		for _, p := range c.parents {
			if !seen[p] {
				seen[p] = true
				stack = append(stack, p)
			}
		}
	}
	return false, unread
}
