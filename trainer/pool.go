package trainer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"time"

	"golang.org/x/sync/errgroup"

	"sweep/study"
)

// Pool trains what [study.Work] grants on a set of engines, each driven by a goroutine of its own.
//
// A trial that returns an error or panics fails alone. When the context ends, every trial is saved at its last epoch's
// end and handed back, and Run returns the context's error.
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
	// Strip draws originals over reconstructions as a PNG.
	Strip func(originals, reconstructions []float32, h, w, c int) ([]byte, error)
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
	free := w.engine.Slots() - len(w.runs)
	if free == 0 {
		return nil
	}
	// Without the interrupt: a grant that the store has given out must arrive.
	grants, err := w.pool.Work.Claim(context.WithoutCancel(ctx), study.Capacity{
		Host: w.pool.Host, Device: w.engine.Device(), Slots: free, Kinds: w.engine.Kinds(),
	})
	for _, g := range grants {
		slot := 0
		for w.runs[slot] != nil {
			slot++
		}
		if lerr := w.load(ctx, slot, g); lerr != nil {
			return lerr
		}
	}
	return err
}

// load puts a grant into a slot. A trial that cannot be loaded fails alone; the error is the store's.
func (w *worker) load(ctx context.Context, slot int, g study.Grant) error {
	r := &run{grant: g, saved: w.pool.Now()}
	err := func() (err error) {
		defer recovered(&err)
		if r.config, err = w.pool.Configure(g); err != nil {
			return err
		}
		state, err := w.fetch(ctx, g)
		if err != nil {
			return err
		}
		if state != nil {
			r.stop, r.epoch = state.Stop, state.Epoch
		}
		return w.engine.Load(slot, r.config, state)
	}()
	if err == nil {
		w.runs[slot] = r
		return nil
	}
	w.clear(slot)
	if ctx.Err() != nil {
		return w.pool.Work.Finish(context.WithoutCancel(ctx), g.Lease, study.Outcome{State: study.Waiting})
	}
	return w.pool.Work.Finish(ctx, g.Lease, failure(err))
}

// fetch reads the checkpoint that a grant goes on from; nil without one.
func (w *worker) fetch(ctx context.Context, g study.Grant) (*State, error) {
	if g.Resume == nil {
		return nil, nil
	}
	f, err := w.pool.Work.Fetch(ctx, g.Lease, g.Resume.Digest)
	if err != nil {
		return nil, fmt.Errorf("fetch the checkpoint of epoch %d: %w", g.Resume.Step, err)
	}
	defer f.Close()
	b, err := io.ReadAll(f)
	if err != nil {
		return nil, fmt.Errorf("read the checkpoint of epoch %d: %w", g.Resume.Step, err)
	}
	state, err := w.pool.Decode(b)
	if err != nil {
		return nil, fmt.Errorf("read the checkpoint of epoch %d: %w", g.Resume.Step, err)
	}
	if state.Epoch != g.Resume.Step {
		return nil, fmt.Errorf("the checkpoint of epoch %d holds epoch %d", g.Resume.Step, state.Epoch)
	}
	return state, nil
}

// advance trains for a moment. A panic cannot be laid at one slot's door when there are several, so it ends the attempt
// of each.
func (w *worker) advance(ctx context.Context) error {
	var reports []Report
	var broken error
	err := func() error {
		defer recovered(&broken)
		var err error
		reports, err = w.engine.Advance(ctx, unitsPerAdvance)
		return err
	}()
	if broken != nil {
		for slot := range w.runs {
			if err := w.finish(ctx, slot, failure(broken)); err != nil {
				return err
			}
		}
		return nil
	}
	for _, rep := range reports {
		if err := w.epoch(ctx, rep); err != nil {
			return err
		}
	}
	return err
}

// recovered turns a panic into an error that tells where it happened.
func recovered(err *error) {
	if v := recover(); v != nil {
		*err = fmt.Errorf("panic: %v\n%s", v, debug.Stack())
	}
}

// failure is the outcome of an attempt that ended with err.
func failure(err error) study.Outcome {
	o := study.Outcome{State: study.Failed, Reason: study.ReasonError, Message: err.Error()}
	if errors.Is(err, ErrNaN) {
		o.Reason = study.ReasonNaN
	}
	return o
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
		switch v {
		case study.Pause, study.Stop:
			if err := w.release(ctx, slots[i]); err != nil {
				return err
			}
		case study.Stale:
			w.clear(slots[i])
		}
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
	err := w.checkpoint(ctx, slot)
	if ferr := w.finish(ctx, slot, study.Outcome{State: study.Waiting}); err == nil {
		err = ferr
	}
	return err
}

// finish ends an attempt and empties its slot. An interrupt does not reach it: a trial that left its slot without a word
// to the store would count as lost.
func (w *worker) finish(ctx context.Context, slot int, o study.Outcome) error {
	r := w.runs[slot]
	err := w.pool.Work.Finish(context.WithoutCancel(ctx), r.grant.Lease, o)
	if err != nil && !errors.Is(err, study.ErrStale) {
		return err
	}
	w.clear(slot)
	return nil
}

func (w *worker) clear(slot int) {
	delete(w.runs, slot)
	w.engine.Clear(slot)
}
