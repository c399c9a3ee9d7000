package studytest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"sweep/study"
)

// The cases of [Work] about what is granted, how often, in which order, and when it ends.

func workCap(s *shift) {
	leases := map[study.Lease]bool{}
	for n := range 3 {
		g := s.one()
		s.equal("grant", g, study.Grant{
			Lease: g.Lease, Study: "suite", Spec: s.spec, Data: study.Data{Name: "shapes", Fingerprint: "f00d"},
			Number: n, Attempt: 1, Params: workParams(n),
		})
		if leases[g.Lease] {
			s.Fatalf("the lease %+v was given twice", g.Lease)
		}
		leases[g.Lease] = true
		if n == 2 {
			s.none() // the last one still runs
		}
		s.run(g.Lease, 1, float64(n))
		s.finish(g.Lease, complete(float64(n)))
	}
	s.done()
	s.equal("states", s.states(), []study.State{study.Complete, study.Complete, study.Complete})
	s.restart()
	s.done()
}

func workSlots(s *shift) {
	if g, err := s.Work.Claim(s.ctx, s.offer(0)); err != nil || len(g) != 0 {
		s.Fatalf("no slot: %d grants and %v", len(g), err)
	}
	s.equal("trials", s.states(), []study.State(nil))
	first := s.claim(2)
	rest, err := s.Work.Claim(s.ctx, s.offer(5))
	s.ok(err)
	s.equal("grants of five slots", len(rest), 1)
	s.none()
	for i, g := range append(first, rest...) {
		s.equal("number", g.Number, i)
		s.equal("verdicts", s.renew(g.Lease), []study.Verdict{study.Go})
		s.none()
		s.finish(g.Lease, complete(1))
	}
	s.done()
}

func workWaitingFirst(s *shift) {
	g := s.claim(3)
	s.release(g[2].Lease)
	s.release(g[0].Lease)
	s.equal("states", s.states(), []study.State{study.Waiting, study.Running, study.Waiting})
	var got [][2]int
	for _, g := range s.claim(3) {
		got = append(got, [2]int{g.Number, g.Attempt})
		s.equal("params", g.Params, workParams(g.Number))
	}
	s.equal("numbers and attempts", got, [][2]int{{0, 2}, {2, 2}, {3, 1}})
	s.equal("the sampler was asked once a trial", len(s.sampler.asks), 4)
	for i, a := range s.sampler.asks {
		s.equal("asked for", a.Number, i)
	}
}

// A sampler sees what is stored, in the process that stored it and in the next one.
func workAsks(s *shift) {
	g := s.claim(2)
	s.equal("asks", len(s.sampler.asks), 2)
	s.equal("seen by the second", s.sampler.asks[1].Trials, s.trials()[:1])
	s.run(g[0].Lease, 1, 0.5, 0.25)
	s.finish(g[0].Lease, complete(0.25))
	s.run(g[1].Lease, 1, 0.75)
	stored := s.trials()
	s.one()
	s.equal("the third ask", s.sampler.asks[2], study.Ask{
		Number: 2, Seed: s.spec.Seed, Space: s.spec.Space, Objective: s.spec.Objective, Trials: stored,
	})
	s.restart()
	s.equal("granted", len(s.claim(3)), 3)
	s.equal("seen after a restart", s.sampler.asks[3].Trials, s.trials()[:3])
}

func workNoProposal(s *shift) {
	s.sampler.refuse = errors.New("no idea")
	if g, err := s.Work.Claim(s.ctx, s.offer(1)); err == nil || errors.Is(err, study.ErrDone) || len(g) != 0 {
		s.Fatalf("without a proposal: %d grants and %v, want an error that is not ErrDone", len(g), err)
	}
	s.equal("states", s.states(), []study.State(nil))
	s.sampler.refuse = nil
	s.equal("number", s.one().Number, 0)
}

// workEnds are trials that fail, each for its reasons until it is over, with two retries.
var workEnds = [...]struct {
	reasons  []study.Reason
	failures int
	final    bool
}{
	{[]study.Reason{study.ReasonError, study.ReasonError, study.ReasonError}, 3, true},
	{[]study.Reason{study.ReasonMemory, study.ReasonError, study.ReasonMemory}, 3, true},
	{[]study.Reason{"", "stack overflow", ""}, 3, true},
	{[]study.Reason{study.ReasonNaN}, 1, true},
	{[]study.Reason{study.ReasonError, study.ReasonNaN}, 2, true},
	{[]study.Reason{study.ReasonLost, study.ReasonPreempted, study.ReasonCancelled, study.ReasonLost, study.ReasonPreempted}, 0, false},
	{[]study.Reason{study.ReasonError, study.ReasonPreempted, study.ReasonError, study.ReasonLost, study.ReasonMemory}, 3, true},
}

func workRetries(s *shift) {
	for n, c := range workEnds {
		for i, reason := range c.reasons {
			g := s.one()
			s.equal(fmt.Sprintf("number and attempt, trial %d", n), []int{g.Number, g.Attempt}, []int{n, i + 1})
			message := fmt.Sprint("no luck ", i)
			s.finish(g.Lease, study.Outcome{State: study.Failed, Reason: reason, Message: message})
			want, got := study.Waiting, s.trials()[n]
			if c.final && i == len(c.reasons)-1 {
				want = study.Failed
				s.equal("reason, message and value", []any{got.Reason, got.Message, got.Value}, []any{reason, message, math.NaN()})
			}
			s.equal(fmt.Sprintf("trial %d after %q", n, reason), got.State, want)
			if i == 0 { // who was charged is not forgotten
				s.restart()
			}
		}
		s.equal(fmt.Sprintf("failures of trial %d", n), s.trials()[n].Failures, c.failures)
		if !c.final {
			g := s.one()
			s.finish(g.Lease, complete(1))
		}
	}
	s.done()
}

func workRelease(s *shift) {
	for i := range 4 {
		g := s.one()
		s.equal("attempt", g.Attempt, i+1)
		s.release(g.Lease)
		got := s.trials()[0]
		s.equal("state, failures and value", []any{got.State, got.Failures, got.Value}, []any{study.Waiting, 0, math.NaN()})
	}
	g := s.one()
	s.finish(g.Lease, complete(1))
	s.equal("states", s.states(), []study.State{study.Complete})
	s.done()
}

func target(d study.Direction, v float64) func(*study.Spec) {
	return func(s *study.Spec) { s.RunCap, s.Objective.Direction, s.Objective.Target = 9, d, &v }
}

func workTarget(s *shift) {
	goal := *s.spec.Objective.Target
	worse := goal + 1
	if s.spec.Objective.Direction == study.Maximize {
		worse = goal - 1
	}
	s.finish(s.one().Lease, complete(math.NaN()))
	s.finish(s.one().Lease, complete(worse))
	s.finish(s.one().Lease, study.Outcome{State: study.Pruned, Value: goal}) // no result
	g := s.claim(3)
	s.finish(g[1].Lease, complete(goal))
	s.none() // two still run
	s.equal("the others go on", s.renew(g[0].Lease, g[2].Lease), []study.Verdict{study.Go, study.Go})
	s.release(g[0].Lease)
	s.none()
	s.finish(g[2].Lease, complete(worse))
	s.done()
	s.equal("a waiting trial stays so", s.trials()[3].State, study.Waiting)
	s.restart()
	s.done()
}

func workPause(s *shift) {
	g := s.claim(2)
	s.request(study.Pause)
	s.equal("renew", s.renew(g[0].Lease, g[1].Lease), []study.Verdict{study.Pause, study.Pause})
	s.equal("append", s.append(g[0].Lease, loss(1, 0.5)), study.Pause)
	s.pruner.limit = 0.25
	s.equal("pruning is more than a pause", s.append(g[0].Lease, loss(2, 0.125)), study.Prune)
	s.none()
	s.checkpoint(g[0].Lease, 1, "state")
	s.release(g[0].Lease)
	s.finish(g[1].Lease, complete(1)) // it was over before the pause was seen
	s.none()
	s.restart()
	s.renew()
	s.none()
	s.request(study.Go)
	h := s.one()
	s.equal("number", h.Number, 0)
	s.equal("resume", h.Resume, &study.Resume{Attempt: 1, Step: 1, Digest: digestOf("state")})
	s.equal("append", s.append(h.Lease, loss(2, 0.5)), study.Go)
	s.equal("renew", s.renew(h.Lease, g[0].Lease), []study.Verdict{study.Go, study.Stale})
}

func workStop(s *shift) {
	g := s.claim(2)
	s.request(study.Stop)
	s.equal("renew", s.renew(g[0].Lease, g[1].Lease), []study.Verdict{study.Stop, study.Stop})
	s.equal("append", s.append(g[0].Lease, loss(1, 0.5)), study.Stop)
	s.release(g[0].Lease)
	s.release(g[1].Lease)
	s.done()
	s.equal("nothing is lost", s.states(), []study.State{study.Waiting, study.Waiting})
	s.request(study.Go)
	s.equal("number", s.one().Number, 0)
}

func workNothingLeft(s *shift) {
	g := s.one()
	s.request(study.Pause)
	s.none() // the trial may come back
	s.finish(g.Lease, complete(1))
	s.done()
}

// workConcurrent has eight workers train 64 trials; some are released or fail once.
func workConcurrent(s *shift) {
	ctx, cancel := context.WithTimeout(s.ctx, time.Minute)
	defer cancel()
	var ended [64]atomic.Int32
	var workers sync.WaitGroup
	for w := range 8 {
		workers.Go(func() {
			offer := study.Capacity{Host: fmt.Sprint("host ", w), Device: "cpu:0", Slots: 1 + w%3}
			for !s.Failed() {
				grants, err := s.Work.Claim(ctx, offer)
				if errors.Is(err, study.ErrDone) {
					return
				}
				for _, g := range grants {
					if g.Number >= len(ended) {
						s.Errorf("trial %d is beyond the cap", g.Number)
						return
					}
					err = errors.Join(err, s.train(ctx, g, &ended[g.Number]))
				}
				if err != nil {
					s.Errorf("worker %d: %v", w, err)
				}
				if len(grants) == 0 {
					time.Sleep(time.Millisecond)
				}
			}
		})
	}
	workers.Wait()
	if s.Failed() {
		return
	}
	s.done()
	trials := s.trials()
	s.equal("trials", len(trials), 64)
	for n, t := range trials {
		attempts := 1
		if n%4 != 0 {
			attempts = 2
		}
		want := study.Trial{
			Number: n, State: study.Complete, Params: workParams(n), Value: float64(n), Curve: samples(1, 3, 2, 1),
			Metrics: map[string]float64{"loss": float64(n)}, Attempts: attempts,
		}
		if n%4 == 2 {
			want.Failures = 1
		}
		want.ID, want.Start, want.End, want.Duration = t.ID, t.Start, t.End, t.Duration
		s.equal("trial", t, want)
		s.equal(fmt.Sprintf("times that trial %d ended", n), ended[n].Load(), int32(1))
	}
	s.equal("asks", len(s.sampler.asks), 64)
}

// train trains g to its end, or through a first attempt that is given back (with a checkpoint where the number is odd).
func (s *shift) train(ctx context.Context, g study.Grant, ended *atomic.Int32) error {
	first := 1
	if g.Resume != nil {
		first = g.Resume.Step + 1
	}
	last, o := 3, complete(float64(g.Number))
	if g.Number%4 != 0 && g.Attempt == 1 {
		last, o = 2, study.Outcome{State: study.Waiting}
		if g.Number%4 == 2 {
			o = study.Outcome{State: study.Failed, Reason: study.ReasonError}
		}
	}
	for step := first; step <= last; step++ {
		if v, err := s.Work.Append(ctx, g.Lease, int64(step), []study.Point{loss(step, float64(4-step))}); err != nil || v != study.Go {
			return fmt.Errorf("trial %d, step %d: %s, %w", g.Number, step, v, err)
		}
		if step == 1 && g.Number%2 == 1 {
			f := study.File{Kind: study.CheckpointFile, Name: "state", Body: fmt.Append(nil, "state ", g.Number)}
			if err := s.Work.Commit(ctx, g.Lease, step, f); err != nil {
				return err
			}
		}
	}
	if v, err := s.Work.Renew(ctx, []study.Lease{g.Lease}); err != nil || v[0] != study.Go {
		return fmt.Errorf("trial %d: renewed as %v, %w", g.Number, v, err)
	}
	if err := s.Work.Finish(ctx, g.Lease, o); err != nil {
		return err
	}
	if o.State == study.Complete {
		ended.Add(1)
	}
	return nil
}
