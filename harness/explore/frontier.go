package explore

import (
	"context"
	"slices"
	"sync"
)

// A node is a point that executions come to: what is possible after certain choices.
type node struct {
	// parent is the point before, and via what was chosen there; nil at the root.
	parent *node
	via    Choice
	// enabled is what is possible here within the bounds, and left what is left
	// of these.
	enabled []Enabled
	left    Bounds
}

// path is every point on the way from the root to the node, which is the last.
func (n *node) path() []*node {
	var path []*node
	for ; n != nil; n = n.parent {
		path = append([]*node{n}, path...)
	}
	return path
}

// find is where among those enabled a choice is, -1 if it is not.
func (n *node) find(c Choice) int {
	return slices.IndexFunc(n.enabled, func(e Enabled) bool { return e.Choice == c })
}

// A branch is what has yet to be explored: everything that begins with the choice at
// the node. At the root's own branch the node is nil, and there is no choice.
type branch struct {
	from   *node
	choice Choice
	// asleep are the choices that need not be made next after this one: what
	// begins with them is equivalent to what another branch explores.
	asleep []Choice
	// weight is the branch's share of the space, where each point is split evenly
	// among what is explored from there.
	weight float64
}

// A frontier is what is left to be explored. The last branches come first, so that it
// stays small: the search goes to the end of an order before it begins another.
type frontier struct {
	mu      sync.Mutex
	changed sync.Cond
	todo    []branch
	taken   int
	err     error
}

func newFrontier(first branch) *frontier {
	f := &frontier{todo: []branch{first}}
	f.changed.L = &f.mu
	return f
}

// drain has workers explore branch after branch until nothing is left, or as many
// branches as allowed have been taken. Each may add branches. The first error ends it.
func (f *frontier) drain(ctx context.Context, workers, allowed int, explore func(context.Context, branch) ([]branch, error)) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stop := context.AfterFunc(ctx, func() { f.fail(context.Cause(ctx)) })
	defer stop()
	var crew sync.WaitGroup
	for range workers {
		crew.Go(func() {
			for ctx.Err() == nil {
				b, ok := f.take(&allowed)
				if !ok {
					return
				}
				more, err := explore(ctx, b)
				if err != nil {
					f.fail(err)
					cancel(err)
				}
				f.put(more)
			}
		})
	}
	crew.Wait()
	if f.err == nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return f.err
}

// take waits for a branch while others may still add some.
func (f *frontier) take(allowed *int) (branch, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for len(f.todo) == 0 && f.taken > 0 && f.err == nil {
		f.changed.Wait()
	}
	if len(f.todo) == 0 || *allowed == 0 || f.err != nil {
		return branch{}, false
	}
	last := len(f.todo) - 1
	b := f.todo[last]
	f.todo = f.todo[:last]
	f.taken++
	*allowed--
	return b, true
}

// put adds what a taken branch has led to.
func (f *frontier) put(more []branch) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.todo = append(f.todo, more...)
	f.taken--
	f.changed.Broadcast()
}

func (f *frontier) fail(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err == nil {
		f.err = err
	}
	f.changed.Broadcast()
}
