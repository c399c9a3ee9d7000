package trainer

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"sweep/study"
)

// Pool trains what [study.Work] grants on a set of engines, each driven by a goroutine of its own, with another one for
// each of its slots: what a trial needs of the host, from its claim to its end, is done beside the engine's training of
// the others.
//
// A trial that returns an error or panics fails alone. A device that is lost gives its trials back as lost, is opened
// again and, after [maxLosses] losses, set aside; only the store, or the last device, can end the pool. When the context
// ends, every trial is saved at its last epoch's end and handed back, and Run returns the context's error.
type Pool struct {
	Work    study.Work
	Engines []Engine
	// Reserved are engines for what none of Engines can run: they leave all else to those, as long as one is there.
	Reserved []Engine
	// Reopen makes another engine of the device of a lost one, which is closed; nil: there is none to be had.
	Reopen func(lost Engine) (Engine, error)
	// Tell, where set, is told in a line what became of a device.
	Tell func(line string)
	Host string
	Now  func() time.Time
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
	maxLosses       = 3                      // of a device before it is set aside
)

// Run trains until there is no more work. The error is the context's when that ended first, the first one of the store
// or of a device that is no loss otherwise, or that of the last device when all are set aside; the other engines then
// drain too. It closes engines that are lost, and those that Reopen made; the others are the caller's to close.
func (p *Pool) Run(ctx context.Context) error {
	c := &crew{hands: make(chan struct{}, max(1, runtime.GOMAXPROCS(0)-1)), devices: map[*worker]bool{}}
	var workers []*worker
	for i, e := range append(append([]Engine(nil), p.Engines...), p.Reserved...) {
		w := &worker{pool: p, crew: c, engine: e, reserved: i >= len(p.Engines)}
		c.devices[w] = true
		workers = append(workers, w)
	}
	g, gctx := errgroup.WithContext(ctx)
	for _, w := range workers {
		g.Go(func() error { return w.work(gctx) })
	}
	if err := g.Wait(); err != nil {
		return err
	}
	return ctx.Err()
}

// crew is what the devices of a running pool share.
type crew struct {
	// hands bounds how many slots compute on the host at once, so that the goroutines that drive devices never wait for
	// a core.
	hands chan struct{}

	mu      sync.Mutex
	devices map[*worker]bool // those that are not set aside
}

// aside sets a device aside and reports whether another is left.
func (c *crew) aside(w *worker) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.devices, w)
	return len(c.devices) > 0
}

// leave is what a reserved engine leaves to others: the kinds of those that are there.
func (c *crew) leave() [][]string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out [][]string
	for w := range c.devices {
		if !w.reserved {
			out = append(out, w.kinds)
		}
	}
	return out
}

// worker keeps one device at work.
type worker struct {
	pool     *Pool
	crew     *crew
	reserved bool
	kinds    []string // of the engine
	engine   Engine

	saving saving
}

// work trains on a device until there is no more work, opening it again when it is lost.
func (w *worker) work(ctx context.Context) error {
	given, alone := w.engine, 0
	defer func() {
		if w.engine != nil && w.engine != given {
			w.engine.Close() //nolint:errcheck // all its trials are over
		}
	}()
	for losses := 1; ; {
		s := newSession(w, alone)
		err := s.live(ctx)
		switch {
		case s.doubted > 0 && err == nil:
			alone = s.doubted
			continue
		case !errors.Is(err, ErrDevice):
			return err
		case ctx.Err() != nil:
			return ctx.Err()
		}
		device := w.engine.Device()
		if again := w.reopen(err, losses); again == nil {
			losses, alone = losses+1, 0
			continue
		} else if !w.crew.aside(w) {
			return fmt.Errorf("no device is left to train on: %s is set aside: %w", device, again)
		}
		return nil
	}
}

// reopen replaces the engine of a device that was lost for the given time. An error says why it is set aside.
func (w *worker) reopen(lost error, times int) error {
	device := w.engine.Device()
	old := w.engine
	w.engine = nil
	old.Close() //nolint:errcheck // it is lost
	err := lost
	switch {
	case times >= maxLosses:
		w.tell("%s is set aside after %d losses; its trials go on elsewhere from their checkpoints (%v)", device, times, lost)
		return err
	case w.pool.Reopen == nil:
		w.tell("%s is lost and set aside; its trials go on elsewhere from their checkpoints (%v)", device, lost)
		return err
	}
	if w.engine, err = w.pool.Reopen(old); err != nil {
		w.engine = nil
		w.tell("%s is lost (%v) and set aside, since it cannot be opened again: %v", device, lost, err)
		return fmt.Errorf("open it again after %w: %w", lost, err)
	}
	w.tell("%s was lost and is open again; its trials go on from their checkpoints (%v)", device, lost)
	return nil
}

// hardware is what the engine says of itself.
func (w *worker) hardware() string {
	if e, ok := w.engine.(Hardware); ok {
		return e.Hardware()
	}
	return ""
}

func (w *worker) tell(format string, args ...any) {
	if w.pool.Tell != nil {
		w.pool.Tell(fmt.Sprintf(format, args...))
	}
}

// saving is how an engine's checkpoints are paced: together they cost at most one part in [savingShare] of its time.
type saving struct {
	mu       sync.Mutex
	cost     time.Duration // of the last one
	known    bool          // there was one
	measures bool          // the first one is being made
}

// due reports whether a trial that was saved so long ago, at that cost, is to be saved while so many trials train. Each of
// n trials is saved when the last is 20·n times as long ago as it took, so that none is left out.
func (s *saving) due(since, cost time.Duration, trials int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.known {
		if s.measures {
			return false // one of them finds out what it costs
		}
		s.measures = true
		return true
	}
	if cost == 0 {
		cost = s.cost
	}
	return since >= savingShare*cost*time.Duration(trials)
}

// took notes the cost of a checkpoint; done is false where none was made.
func (s *saving) took(cost time.Duration, done bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.measures = false
	if done {
		s.cost, s.known = cost, true
	}
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

// guard runs f and turns a panic into an error that tells where it happened.
func guard(f func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("panic: %v\n%s", v, debug.Stack())
		}
	}()
	return f()
}
