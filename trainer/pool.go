package trainer

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"golang.org/x/sync/errgroup"

	"sweep/study"
)

// Pool trains what [study.Work] grants on a set of engines, each driven by a goroutine of its own.
//
// A trial that returns an error or panics fails alone; only the store and a device as a whole can end the pool. When the
// context ends, every trial is saved at its last epoch's end and handed back, and Run returns the context's error.
type Pool struct {
	Work    study.Work
	Engines []Engine
	Host    string
	Now     func() time.Time
	// Configure decodes a grant's parameters and attaches its data.
	Configure func(study.Grant) (Config, error)
	// Encode and Decode turn a state into the bytes of a checkpoint and back; EncodeModel the weights of a finished
	// trial into the bytes of its model.
	Encode      func(*State, Config) ([]byte, error)
	Decode      func([]byte) (*State, error)
	EncodeModel func(Config, []Tensor) ([]byte, error)
	// Strip draws rows of images as a PNG, those of one place below each other: originals, then what became of them.
	Strip func(rows [][]float32, h, w, c int) ([]byte, error)
}

// The pool's rhythm.
const (
	unitsPerAdvance = 8                      // between two looks at the store's wishes
	renewEvery      = time.Second            // how often they are read
	idleWait        = 200 * time.Millisecond // before work is asked for again when there was none
	savingShare     = 20                     // a checkpoint is written when the last is 20 times as long ago as it took
	stripImages     = 16                     // validation images in the strip
)

// Run trains until there is no more work. The error is the context's when that ended first, the first one of a device
// or of the store otherwise; the other engines then drain too.
func (p *Pool) Run(ctx context.Context) error {
	g, gctx := errgroup.WithContext(ctx)
	for _, e := range p.Engines {
		w := &worker{pool: p, engine: e, runs: map[int]*run{}}
		g.Go(func() error { return w.work(gctx) })
	}
	if err := g.Wait(); err != nil {
		return err
	}
	return ctx.Err()
}

// worker drives one engine.
type worker struct {
	pool    *Pool
	engine  Engine
	runs    map[int]*run // by slot
	renewed time.Time
	cost    time.Duration // how long the last checkpoint took to write
	// alone counts the trials that must be over before slots are shared again: after a panic of several trials at
	// once each is tried by itself, so that the guilty one shows and the others do not pay for it.
	alone int
}

// work claims and trains until there is no more. What goes wrong with the store or the device is returned once: that the
// drain then fails too is its consequence.
func (w *worker) work(ctx context.Context) error {
	for ctx.Err() == nil {
		done, err := w.turn(ctx)
		if err != nil && ctx.Err() == nil {
			w.drain(ctx) //nolint:errcheck // the first error counts
			return err
		}
		if done {
			return nil
		}
	}
	if err := w.drain(ctx); err != nil {
		return err
	}
	return ctx.Err()
}

// turn fills the slots, trains for a moment and asks whether to go on. It reports whether all work is done.
func (w *worker) turn(ctx context.Context) (done bool, err error) {
	err = w.fill(ctx)
	if errors.Is(err, study.ErrDone) {
		done, err = len(w.runs) == 0, nil
	}
	if err != nil || done {
		return done, err
	}
	if len(w.runs) == 0 {
		wait(ctx, idleWait)
	} else if err := w.advance(ctx); err != nil {
		return false, fmt.Errorf("train on %s: %w", w.engine.Device(), err)
	}
	return false, w.renew(ctx)
}

func wait(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

// fill claims trials for the free slots and loads them.
func (w *worker) fill(ctx context.Context) error {
	slots := w.engine.Slots()
	if w.alone > 0 {
		slots = 1
	}
	free := slots - len(w.runs)
	if free <= 0 {
		return nil
	}
	// Without the interrupt: a grant that the store has given out must arrive.
	grants, err := w.pool.Work.Claim(context.WithoutCancel(ctx), study.Capacity{
		Host: w.pool.Host, Device: w.engine.Device(), Slots: free, Kinds: w.engine.Kinds(),
	})
	for i, g := range grants {
		if lerr := w.load(ctx, w.free(), g); lerr != nil {
			for _, rest := range grants[i+1:] {
				w.pool.Work.Finish(context.WithoutCancel(ctx), rest.Lease, study.Outcome{State: study.Waiting}) //nolint:errcheck // the first error counts
			}
			return lerr
		}
	}
	return err
}

// free is the lowest slot without a trial.
func (w *worker) free() int {
	slot := 0
	for w.runs[slot] != nil {
		slot++
	}
	return slot
}

// load puts a grant into a slot. A trial that cannot be loaded fails alone; the error is the store's.
func (w *worker) load(ctx context.Context, slot int, g study.Grant) error {
	r := &run{grant: g, saved: w.pool.Now()}
	w.runs[slot] = r
	err := guard(func() error { return w.prepare(ctx, slot, r) })
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return w.finish(ctx, slot, study.Outcome{State: study.Waiting})
	}
	return w.fail(ctx, slot, err)
}

// prepare makes a grant's configuration, reads its checkpoint and loads both.
func (w *worker) prepare(ctx context.Context, slot int, r *run) error {
	var err error
	if r.config, err = w.pool.Configure(r.grant); err != nil {
		return err
	}
	state, err := w.fetch(ctx, r.grant)
	if err != nil {
		return err
	}
	if state != nil {
		if state.Epoch >= r.config.Epochs {
			return fmt.Errorf("the checkpoint holds epoch %d of %d: there is nothing left to train", state.Epoch, r.config.Epochs)
		}
		r.stop, r.epoch, r.stored = state.Stop, state.Epoch, state.Epoch
	}
	return w.engine.Load(slot, r.config, state)
}

// advance trains for a moment.
func (w *worker) advance(ctx context.Context) error {
	var reports []Report
	var own error // the device's, when it is no panic
	panicked := guard(func() error {
		reports, own = w.engine.Advance(ctx, unitsPerAdvance)
		return nil
	})
	if panicked != nil {
		return w.broken(ctx, panicked)
	}
	for _, rep := range reports {
		if err := w.guarded(ctx, rep.Slot, func() error { return w.epoch(ctx, rep) }); err != nil {
			return err
		}
	}
	return own
}

// broken deals with a panic in the engine. It cannot be laid at one slot's door when there are several: all are handed
// back uncharged and tried one at a time.
func (w *worker) broken(ctx context.Context, panicked error) error {
	if len(w.runs) == 1 {
		for slot := range w.runs {
			return w.fail(ctx, slot, panicked)
		}
	}
	w.alone = len(w.runs)
	for slot := range w.runs {
		// Without a checkpoint: the engine's memory is in doubt.
		if err := w.finish(ctx, slot, study.Outcome{State: study.Waiting}); err != nil {
			return err
		}
	}
	return nil
}

// storeError marks an error of [study.Work]: it ends the pool, where a trial's own error ends that trial.
type storeError struct{ error }

func (e storeError) Unwrap() error { return e.error }

func ofStore(err error) error {
	if err == nil {
		return nil
	}
	return storeError{err}
}

// guarded runs what concerns one slot: its own error or panic fails its trial, only the store's comes back.
func (w *worker) guarded(ctx context.Context, slot int, f func() error) error {
	err := guard(f)
	var store storeError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &store):
		return store.error
	case w.runs[slot] == nil:
		return err // it is over already: nobody can be charged
	}
	return w.fail(ctx, slot, err)
}

// guard runs f and turns a panic into an error that tells where it happened.
func guard(f func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("panic: %v\n%s", v, debug.Stack())
		}
	}()
	return f()
}

// renew asks whether to go on, at most once a second, and hands back what is wanted back.
func (w *worker) renew(ctx context.Context) error {
	now := w.pool.Now()
	if now.Sub(w.renewed) < renewEvery {
		return nil
	}
	w.renewed = now
	slots := make([]int, 0, len(w.runs))
	leases := make([]study.Lease, 0, len(w.runs))
	for slot, r := range w.runs {
		slots, leases = append(slots, slot), append(leases, r.grant.Lease)
	}
	verdicts, err := w.pool.Work.Renew(ctx, leases)
	if err != nil {
		return err
	}
	for i, v := range verdicts {
		if err := w.heed(ctx, slots[i], v); err != nil {
			return err
		}
	}
	return nil
}

// heed does what a verdict asks for.
func (w *worker) heed(ctx context.Context, slot int, v study.Verdict) error {
	switch v {
	case study.Prune:
		r := w.runs[slot]
		return w.finish(ctx, slot, study.Outcome{State: study.Pruned, Value: r.value, Metrics: r.summary(), Files: r.pending})
	case study.Pause, study.Stop:
		return w.release(ctx, slot)
	case study.Stale:
		w.clear(slot)
	}
	return nil
}

// drain saves every trial and hands it back, also after the context has ended.
func (w *worker) drain(ctx context.Context) error {
	ctx = context.WithoutCancel(ctx)
	var errs []error
	for slot := range w.runs {
		errs = append(errs, w.release(ctx, slot))
	}
	return errors.Join(errs...)
}

// release saves a trial at its last epoch's end and hands it back. The epoch that it was in is given up. It is handed back
// too when it cannot be saved, on a full disk for one: its last checkpoint is where it goes on then.
func (w *worker) release(ctx context.Context, slot int) error {
	err := w.guarded(ctx, slot, func() error { return w.checkpoint(ctx, slot) })
	if w.runs[slot] == nil {
		return err // saving it failed by itself, and so has the trial
	}
	if ferr := w.finish(ctx, slot, study.Outcome{State: study.Waiting}); err == nil {
		err = ferr
	}
	return err
}

// fail ends an attempt with its own error.
func (w *worker) fail(ctx context.Context, slot int, err error) error {
	o := study.Outcome{State: study.Failed, Reason: study.ReasonError, Message: err.Error()}
	switch {
	case errors.Is(err, ErrNaN):
		o.Reason = study.ReasonNaN
	case errors.Is(err, ErrMemory):
		o.Reason = study.ReasonMemory
	}
	return w.finish(ctx, slot, o)
}

// finish ends an attempt and empties its slot. An interrupt does not reach it: a trial that left its slot without a word
// to the store would count as lost.
func (w *worker) finish(ctx context.Context, slot int, o study.Outcome) error {
	r := w.runs[slot]
	err := w.pool.Work.Finish(context.WithoutCancel(ctx), r.grant.Lease, o)
	if err != nil && !errors.Is(err, study.ErrStale) {
		return ofStore(err)
	}
	w.clear(slot)
	if o.State != study.Waiting && w.alone > 0 {
		w.alone--
	}
	return nil
}

func (w *worker) clear(slot int) {
	delete(w.runs, slot)
	w.engine.Clear(slot)
}
