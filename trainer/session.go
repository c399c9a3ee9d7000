package trainer

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"sweep/study"
)

// session is one engine at work: a goroutine that advances it, and one for each slot. It ends when there is no more work,
// when the context ends, or when something goes wrong with the store or the engine.
type session struct {
	*worker
	slots  []*slot
	wg     sync.WaitGroup // of the slots
	asking chan struct{}  // held by the slot that asks for work: the others wait behind it
	stir   chan struct{}  // something has changed that the driver may be waiting for
	freed  chan struct{}  // the same for the slot that asks for work
	closed chan struct{}  // no trial is begun any more
	still  chan struct{}  // the engine is not advanced any more
	cancel context.CancelFunc

	mu      sync.Mutex
	ending  ending
	err     error // of the store or the engine, the first one
	doubted int   // trials handed back because one of them may be to blame for a panic
	// alone counts the trials that must be over before slots are shared again: after a panic of several trials at
	// once each is tried by itself, so that the guilty one shows and the others do not pay for it.
	alone   int
	cleared chan struct{} // closed and made anew when a slot is cleared
	squeeze sync.Mutex    // held by a slot that tries again to load a trial that found no room
	renewed time.Time
}

// ending is what becomes of a session's trials.
type ending int

const (
	working  ending = iota
	draining        // saved and handed back
	doubting        // handed back as of the last checkpoint: the engine's memory is in doubt
	losing          // handed back as lost: the engine is gone
)

func newSession(w *worker, alone int) *session {
	s := &session{
		worker: w, alone: alone, asking: make(chan struct{}, 1), stir: make(chan struct{}, 1), freed: make(chan struct{}, 1),
		closed: make(chan struct{}), still: make(chan struct{}), cleared: make(chan struct{}),
	}
	w.crew.mu.Lock()
	w.kinds = w.engine.Kinds()
	w.crew.mu.Unlock()
	for i := range w.engine.Slots() {
		s.slots = append(s.slots, &slot{session: s, index: i, orders: make(chan order, 1)})
	}
	return s
}

// live runs the session. What goes wrong with the store or the device is returned once: that the drain then fails too is
// its consequence.
func (s *session) live(ctx context.Context) error {
	inner, cancel := context.WithCancel(ctx)
	defer cancel()
	s.cancel = cancel
	s.start(inner, 0)
	if s.alone == 0 {
		s.share(inner)
	}
	s.drive(inner)
	close(s.still)
	s.end(draining, nil) // nothing, where it has ended otherwise
	s.handBack()
	s.wg.Wait()
	if s.err != nil {
		return s.err
	}
	return ctx.Err()
}

func (s *session) start(ctx context.Context, slot int) {
	s.wg.Go(func() { s.slots[slot].live(ctx) })
}

// share starts all slots but the first.
func (s *session) share(ctx context.Context) {
	for i := 1; i < len(s.slots); i++ {
		s.start(ctx, i)
	}
}

// end closes the session; the first reason counts.
func (s *session) end(how ending, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ending == working {
		s.ending, s.err = how, err
		close(s.closed)
		s.cancel()
	}
}

// failed takes an error that concerns more than a trial.
func (s *session) failed(err error) {
	if errors.Is(err, ErrDevice) {
		s.end(losing, err)
		return
	}
	s.end(draining, err)
}

func (s *session) isClosed() bool {
	select {
	case <-s.closed:
		return true
	default:
		return false
	}
}

// wake lets whoever waits on c look again.
func wake(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// rest waits for a moment, or for a wake.
func rest(ctx context.Context, c chan struct{}) {
	t := time.NewTimer(idleWait)
	defer t.Stop()
	select {
	case <-c:
	case <-ctx.Done():
	case <-t.C:
	}
}

// drive advances the engine as long as the session is open.
func (s *session) drive(ctx context.Context) {
	for {
		if !s.training() {
			rest(ctx, s.stir)
		}
		if ctx.Err() != nil { // the session's end is its end, too
			return
		}
		if err := s.renew(ctx); err != nil {
			if ctx.Err() == nil {
				s.failed(err)
			}
			return
		}
		if !s.training() {
			continue
		}
		if err := s.advance(ctx); err != nil && ctx.Err() == nil {
			s.failed(fmt.Errorf("train on %s: %w", s.engine.Device(), err))
			return
		}
	}
}

// training reports whether a slot is in the engine's hands.
func (s *session) training() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, x := range s.slots {
		if x.trains {
			return true
		}
	}
	return false
}

// occupied counts the slots with a trial.
func (s *session) occupied() int {
	n := 0
	for _, x := range s.slots {
		if x.run != nil {
			n++
		}
	}
	return n
}

// advance trains for a moment.
func (s *session) advance(ctx context.Context) error {
	var reports []Report
	var own error // the device's, when it is no panic
	panicked := guard(func() error {
		reports, own = s.engine.Advance(ctx, unitsPerAdvance)
		return nil
	})
	if panicked != nil {
		s.broken(panicked)
		return nil
	}
	for i := range reports {
		s.slots[reports[i].Slot].deliver(&reports[i])
	}
	return own
}

// broken deals with a panic in the engine. It cannot be laid at one slot's door when there are several: all are handed
// back uncharged and tried one at a time.
func (s *session) broken(panicked error) {
	var only *slot
	s.mu.Lock()
	n := s.occupied()
	if n > 1 {
		s.doubted = n
	}
	for _, x := range s.slots {
		if x.run != nil {
			only = x
		}
	}
	s.mu.Unlock()
	switch {
	case n > 1:
		s.end(doubting, nil)
	case n == 1:
		only.order(order{broken: panicked})
	}
}

// renew asks whether to go on, at most once a second, and hands back what is wanted back.
func (s *session) renew(ctx context.Context) error {
	now := s.pool.Now()
	if now.Sub(s.renewed) < renewEvery {
		return nil
	}
	s.renewed = now
	var slots []*slot
	leases := []study.Lease{}
	s.mu.Lock()
	for _, x := range s.slots {
		if x.run != nil {
			slots, leases = append(slots, x), append(leases, x.run.grant.Lease)
		}
	}
	s.mu.Unlock()
	verdicts, err := s.pool.Work.Renew(ctx, leases)
	if err != nil {
		return err
	}
	// All of them at once: a pause of 64 trials saves 64 states.
	var wg sync.WaitGroup
	for i, v := range verdicts {
		if v != study.Go {
			wg.Go(func() { slots[i].order(order{verdict: v, lease: leases[i]}) })
		}
	}
	wg.Wait()
	return nil
}

// handBack tells the slots that train that the session has ended. The others find out by themselves.
func (s *session) handBack() {
	var wg sync.WaitGroup
	for _, x := range s.slots {
		wg.Go(func() { x.order(order{}) })
	}
	wg.Wait()
}

// ended is how a session has ended.
func (s *session) ended() (ending, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ending, s.err
}
