package trainer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"sweep/study"
)

// slot is the host's side of one slot of an engine: its goroutine claims trials, loads them, and does for each what is to
// be done at an epoch's end. While trains is set the slot is the engine's: the goroutine waits for an order.
type slot struct {
	*session
	index  int
	orders chan order

	// Guarded by the session's mu; run is changed by the slot's goroutine alone.
	run    *run // nil: empty
	trains bool
	waits  bool          // for room beside other trials
	early  *Report       // of an epoch that ended before the slot was known to train
	wish   study.Verdict // of a trial that did not train when the verdict came
}

// order is what the driver wants of a slot that trains; the zero value that it looks at the session.
type order struct {
	report  *Report
	broken  error         // a panic of the engine
	verdict study.Verdict // on lease
	lease   study.Lease
	done    chan struct{} // closed when it is carried out, unless it is a report
}

// deliver hands a report to its slot, which works on it while the engine trains the others.
func (x *slot) deliver(rep *Report) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if !x.trains {
		x.early = rep
		return
	}
	x.trains = false
	x.orders <- order{report: rep}
}

// order has a slot that trains carry out o, and waits for it: the engine must not be advanced meanwhile. A slot that is
// busy keeps a verdict in mind.
func (x *slot) order(o order) {
	x.mu.Lock()
	mine := o.verdict == "" || x.run != nil && x.run.grant.Lease == o.lease
	if !mine || !x.trains {
		if mine && o.verdict != "" {
			x.wish = o.verdict
		}
		x.mu.Unlock()
		return
	}
	x.trains = false
	o.done = make(chan struct{})
	x.orders <- o
	x.mu.Unlock()
	<-o.done
}

// live trains one trial after another.
func (x *slot) live(ctx context.Context) {
	for {
		r := x.claim(ctx)
		if r == nil {
			return
		}
		x.load(ctx)
		for x.run != nil {
			o, ok := x.train()
			if !ok { // the session has ended
				x.leave(ctx)
				break
			}
			x.obey(ctx, o)
			if o.done != nil {
				close(o.done)
			}
		}
	}
}

// claim waits for a trial. There is none when the session has ended.
func (x *slot) claim(ctx context.Context) *run {
	select {
	case x.asking <- struct{}{}:
		defer func() { <-x.asking }()
	case <-x.closed:
		return nil
	}
	for ctx.Err() == nil && !x.isClosed() {
		var leave [][]string
		if x.reserved {
			leave = x.crew.leave()
		}
		// Without the interrupt: a grant that the store has given out must arrive.
		grants, err := x.pool.Work.Claim(context.WithoutCancel(ctx), study.Capacity{
			Host: x.pool.Host, Device: x.engine.Device(), Kind: x.hardware(), Slots: 1, Kinds: x.kinds, Leave: leave,
		})
		switch {
		case len(grants) > 0:
			r := &run{grant: grants[0], saved: x.pool.Now()}
			x.mu.Lock()
			x.run, x.early, x.wish = r, nil, ""
			x.mu.Unlock()
			return r
		case errors.Is(err, study.ErrDone):
			x.mu.Lock()
			n := x.occupied()
			x.mu.Unlock()
			if n == 0 {
				x.end(draining, nil)
				return nil
			}
		case err != nil:
			x.failed(err)
			return nil
		}
		rest(ctx, x.freed)
	}
	return nil
}

// load puts the claimed trial into the engine. A trial that cannot be loaded fails alone.
func (x *slot) load(ctx context.Context) {
	err := guard(func() error { return x.prepare(ctx) })
	switch {
	case err == nil:
	case ctx.Err() != nil && !errors.Is(err, ErrDevice):
		x.finish(ctx, study.Outcome{State: study.Waiting})
	default:
		x.mishap(ctx, err)
	}
}

// prepare makes a grant's configuration, reads its checkpoint and loads both.
func (x *slot) prepare(ctx context.Context) error {
	r := x.run
	var err error
	if r.config, err = x.pool.Configure(r.grant); err != nil {
		return err
	}
	state, err := x.fetch(ctx, r.grant)
	if err != nil {
		return err
	}
	if state != nil {
		if state.Epoch >= r.config.Epochs {
			return fmt.Errorf("the checkpoint holds epoch %d of %d: there is nothing left to train", state.Epoch, r.config.Epochs)
		}
		r.stop, r.epoch, r.stored = state.Stop, state.Epoch, state.Epoch
	}
	for again := false; ; again = true {
		room, err := x.try(state, again)
		if room == nil {
			return err
		}
		select {
		case <-room:
		case <-time.After(renewEvery): // what filled it may have been no trial
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// try loads the trial. Where there is no room beside others it returns what is closed when one of these is cleared.
func (x *slot) try(state *State, again bool) (room <-chan struct{}, err error) {
	if again { // one at a time, so that those that wait hold nothing
		x.squeeze.Lock()
		defer x.squeeze.Unlock()
	}
	room = x.roomier(again)
	err = x.engine.Load(x.index, x.run.config, state)
	switch full := errors.Is(err, ErrFull); {
	case !full:
		room = nil
	case room == nil: // unless somebody has come meanwhile, it is alone and will find no room later
		room = x.roomier(again)
	}
	x.mu.Lock()
	x.waits = room != nil
	x.mu.Unlock()
	return room, err
}

// roomier is closed when another slot is cleared; nil where all others are empty, or only wait: these count when the slot is
// not alone in trying.
func (x *slot) roomier(alone bool) <-chan struct{} {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, o := range x.slots {
		if o != x && o.run != nil && !(alone && o.waits) {
			return x.cleared
		}
	}
	return nil
}

// train leaves the slot to the engine until an order comes; false when the session has ended instead.
func (x *slot) train() (order, bool) {
	x.mu.Lock()
	switch {
	case x.early != nil:
		o := order{report: x.early}
		x.early = nil
		x.mu.Unlock()
		return o, true
	case x.ending != working:
		x.mu.Unlock()
		<-x.still // the slot may be the engine's until then
		return order{}, false
	}
	x.trains = true
	x.mu.Unlock()
	wake(x.stir)
	return <-x.orders, true
}

// obey carries out an order.
func (x *slot) obey(ctx context.Context, o order) {
	switch {
	case o.report != nil:
		x.guarded(ctx, func() error { return x.epoch(ctx, *o.report) })
	case o.broken != nil:
		x.fail(ctx, o.broken)
	case o.verdict != "":
		x.heed(ctx, o.verdict)
	default:
		x.leave(ctx)
	}
}

// guarded runs what concerns the slot's trial: its own error or panic fails it, that of the store or the device ends the
// session.
func (x *slot) guarded(ctx context.Context, f func() error) {
	if err := guard(f); err != nil {
		x.mishap(ctx, err)
	}
}

func (x *slot) mishap(ctx context.Context, err error) {
	var store storeError
	switch {
	case errors.As(err, &store):
		x.failed(store.error)
		x.leave(ctx)
	case errors.Is(err, ErrDevice):
		x.failed(fmt.Errorf("train on %s: %w", x.engine.Device(), err))
		x.leave(ctx)
	case x.run == nil:
		x.failed(err) // it is over already: nobody can be charged
	default:
		x.fail(ctx, err)
	}
}

// heed does what a verdict asks for.
func (x *slot) heed(ctx context.Context, v study.Verdict) {
	switch v {
	case study.Prune:
		r := x.run
		x.guarded(ctx, func() error {
			files, err := x.drawn(r.newest())
			if err != nil {
				return err
			}
			x.finish(ctx, study.Outcome{
				State: study.Pruned, Value: r.value, Metrics: r.summary(), Files: files, BestStep: r.stop.BestEpoch,
			})
			return nil
		})
	case study.Pause, study.Stop:
		x.release(ctx)
	case study.Stale:
		x.clear()
	}
}

// leave hands the trial back as the session's end asks for.
func (x *slot) leave(ctx context.Context) {
	if x.run == nil {
		return
	}
	switch how, err := x.ended(); how {
	case doubting:
		x.finish(ctx, study.Outcome{State: study.Waiting})
	case losing:
		x.lost(ctx, err)
	default:
		x.release(ctx)
	}
}

// release saves a trial at its last epoch's end and hands it back. The epoch that it was in is given up. It is handed back
// too when it cannot be saved, on a full disk for one: its last checkpoint is where it goes on then.
func (x *slot) release(ctx context.Context) {
	ctx = context.WithoutCancel(ctx)
	err := guard(func() error { return x.checkpoint(ctx) })
	var store storeError
	switch {
	case err == nil:
	case errors.As(err, &store):
		x.failed(store.error)
	case errors.Is(err, ErrDevice): // perhaps in a session that ends for another reason
		err = fmt.Errorf("train on %s: %w", x.engine.Device(), err)
		x.failed(err)
		x.lost(ctx, err)
		return
	default:
		x.fail(ctx, err) // saving it failed by itself, and so has the trial
		return
	}
	x.finish(ctx, study.Outcome{State: study.Waiting})
}

// lost ends an attempt whose device is gone.
func (x *slot) lost(ctx context.Context, err error) {
	x.finish(ctx, study.Outcome{State: study.Failed, Reason: study.ReasonLost, Message: err.Error()})
}

// fail ends an attempt with its own error.
func (x *slot) fail(ctx context.Context, err error) {
	o := study.Outcome{State: study.Failed, Reason: study.ReasonError, Message: err.Error()}
	switch {
	case errors.Is(err, ErrNaN):
		o.Reason = study.ReasonNaN
	case errors.Is(err, ErrMemory):
		o.Reason = study.ReasonMemory
	}
	x.finish(ctx, o)
}

// finish ends an attempt and empties its slot. An interrupt does not reach it: a trial that left its slot without a word
// to the store would count as lost. An error of the store ends the session; the trial is then handed back, if that can be
// stored.
func (x *slot) finish(ctx context.Context, o study.Outcome) {
	ctx = context.WithoutCancel(ctx)
	lease := x.run.grant.Lease
	err := x.pool.Work.Finish(ctx, lease, o)
	if err != nil && !errors.Is(err, study.ErrStale) {
		x.failed(err)
		if o.State != study.Waiting {
			x.pool.Work.Finish(ctx, lease, study.Outcome{State: study.Waiting}) //nolint:errcheck // the first error counts
		}
		x.clear()
		return
	}
	x.clear()
	if o.State != study.Waiting && o.Reason != study.ReasonLost {
		x.over(ctx)
	}
}

// over counts a trial that was tried by itself.
func (x *slot) over(ctx context.Context) {
	x.mu.Lock()
	shared := x.alone == 1
	x.alone = max(0, x.alone-1)
	x.mu.Unlock()
	if shared {
		x.share(ctx)
	}
}

// clear empties the slot.
func (x *slot) clear() {
	if guard(func() error { x.engine.Clear(x.index); return nil }) != nil {
		x.failed(fmt.Errorf("clear slot %d of %s: it panicked", x.index, x.engine.Device()))
	}
	x.mu.Lock()
	x.run, x.early, x.wish, x.waits = nil, nil, "", false
	close(x.cleared)
	x.cleared = make(chan struct{})
	x.mu.Unlock()
	wake(x.stir)
	wake(x.freed)
}
