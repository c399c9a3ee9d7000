package study_test

import (
	"context"
	"errors"
	"io"
	"math"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sweep/storage"
	"sweep/study"
)

// counting proposes x = the trial's number, so that a test knows what was asked.
type counting struct{}

func (counting) Sample(_ context.Context, a study.Ask) (study.Params, error) {
	return study.Params{"x": int64(a.Number)}, nil
}

// below prunes a curve that falls under a value.
type below float64

func (b below) Prune(_ study.Direction, t study.Trial, _ []study.Trial) bool {
	return t.Curve[len(t.Curve)-1].Value < float64(b)
}

var (
	start    = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	capacity = study.Capacity{Host: "here", Device: "cpu:0", Slots: 1}
)

// bench is a study on a real store whose runner can be thrown away as a crash would.
type bench struct {
	t     *testing.T
	db    *storage.DB
	study study.Study
	over  []int // numbers of the finished trials, in order
	told  []study.Trial
	now   time.Time // every look at the clock takes a second
	r     *study.Runner
}

func (b *bench) clock() time.Time {
	b.now = b.now.Add(time.Second)
	return b.now
}

func newBench(t *testing.T, change func(*study.Spec)) *bench {
	t.Helper()
	path := filepath.Join(t.TempDir(), "sweep.db")
	l, err := storage.Lock(path, storage.Holder{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Release() })
	db, err := storage.Open(t.Context(), path, storage.Options{Write: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	spec := study.Spec{
		Name: "s", Method: "counting", Objective: study.Objective{Name: "loss", Direction: study.Minimize}, RunCap: 3, Epochs: 4, Retries: 2,
		KeepCheckpoints: 10, Space: study.Space{{Name: "x", Distribution: study.Distribution{Kind: study.Int, Low: 0, High: 99}}},
	}
	if change != nil {
		change(&spec)
	}
	s, err := db.CreateStudy(t.Context(), spec, study.Data{Name: "shapes", Fingerprint: "f"}, start)
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{t: t, db: db, study: s, now: start}
	b.restart(nil)
	return b
}

// restart makes a new runner on the store, as a new process would.
func (b *bench) restart(p study.Pruner) {
	b.t.Helper()
	r, err := study.NewRunner(b.t.Context(), study.RunnerConfig{
		Study: b.study, Store: b.db, Sampler: counting{}, Pruner: p, Now: b.clock,
		Finished: func(t study.Trial) { b.over, b.told = append(b.over, t.Number), append(b.told, t) },
	})
	if err != nil {
		b.t.Fatal(err)
	}
	b.r = r
}

// claim takes the one grant that there must be.
func (b *bench) claim() study.Grant {
	b.t.Helper()
	g, err := b.r.Claim(b.t.Context(), capacity)
	if err != nil || len(g) != 1 {
		b.t.Fatalf("claim: %d grants, %v; want 1", len(g), err)
	}
	return g[0]
}

func (b *bench) append(g study.Grant, step int, value float64) study.Verdict {
	b.t.Helper()
	v, err := b.r.Append(b.t.Context(), g.Lease, int64(step), []study.Point{{Key: "loss", Step: step, Value: value, Time: start}})
	if err != nil {
		b.t.Fatal(err)
	}
	return v
}

func (b *bench) finish(g study.Grant, o study.Outcome) {
	b.t.Helper()
	if err := b.r.Finish(b.t.Context(), g.Lease, o); err != nil {
		b.t.Fatal(err)
	}
}

// states are the stored trials' states by number.
func (b *bench) states() []study.State {
	b.t.Helper()
	trials, err := b.db.Trials(b.t.Context(), b.study.ID)
	if err != nil {
		b.t.Fatal(err)
	}
	var out []study.State
	for _, t := range trials {
		out = append(out, t.State)
	}
	return out
}

func complete(v float64) study.Outcome {
	return study.Outcome{State: study.Complete, Value: v, Metrics: map[string]float64{"loss": v}}
}

func TestRunnerRunsToTheCap(t *testing.T) {
	b := newBench(t, nil)
	for n := range 3 {
		g := b.claim()
		if g.Number != n || g.Params["x"] != int64(n) || g.Attempt != 1 || g.Resume != nil {
			t.Fatalf("grant %d is %+v", n, g)
		}
		b.append(g, 1, float64(n))
		b.finish(g, complete(float64(n)))
	}
	if _, err := b.r.Claim(t.Context(), capacity); !errors.Is(err, study.ErrDone) {
		t.Errorf("after the cap: %v, want ErrDone", err)
	}
	if d := cmp.Diff([]int{0, 1, 2}, b.over); d != "" {
		t.Errorf("finished trials (-want +got):\n%s", d)
	}
	if p := b.r.Progress(); p.Best == nil || p.Best.Number != 0 || p.Counts[study.Complete] != 3 {
		t.Errorf("progress is %+v", p)
	}
}

func TestRunnerRetries(t *testing.T) {
	for _, c := range []struct {
		name     string
		reason   study.Reason
		attempts int
	}{
		{"an error is tried again until the retries are used up", study.ReasonError, 3},
		{"a NaN comes out again, so once is enough", study.ReasonNaN, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t, func(s *study.Spec) { s.RunCap = 1 })
			attempts := 0
			for {
				g, err := b.r.Claim(t.Context(), capacity)
				if errors.Is(err, study.ErrDone) {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
				attempts++
				b.finish(g[0], study.Outcome{State: study.Failed, Reason: c.reason, Message: "as asked"})
			}
			if attempts != c.attempts {
				t.Errorf("%d attempts, want %d", attempts, c.attempts)
			}
			trials, err := b.db.Trials(t.Context(), b.study.ID)
			if err != nil {
				t.Fatal(err)
			}
			if tr := trials[0]; tr.State != study.Failed || tr.Reason != c.reason || tr.Message != "as asked" || tr.Failures != c.attempts {
				t.Errorf("the trial is %+v", tr)
			}
		})
	}
}

func TestRunnerReleaseChargesNothing(t *testing.T) {
	b := newBench(t, func(s *study.Spec) { s.RunCap, s.Retries = 1, 0 })
	for range 4 {
		b.finish(b.claim(), study.Outcome{State: study.Waiting})
	}
	g := b.claim()
	if g.Attempt != 5 {
		t.Errorf("attempt %d, want 5", g.Attempt)
	}
	b.finish(g, complete(1))
	if d := cmp.Diff([]study.State{study.Complete}, b.states()); d != "" {
		t.Error(d)
	}
}

// A process that dies leaves running trials; the next one goes on from the newest checkpoint, and what came after it is
// hidden until it is made again.
func TestRunnerGoesOnAfterACrash(t *testing.T) {
	b := newBench(t, func(s *study.Spec) { s.RunCap = 2 })
	g := b.claim()
	b.append(g, 1, 0.5)
	b.append(g, 2, 0.4)
	if err := b.r.Commit(t.Context(), g.Lease, 2, study.File{Kind: study.CheckpointFile, Name: "c", Body: []byte("state")}); err != nil {
		t.Fatal(err)
	}
	b.append(g, 3, 0.3)

	b.restart(nil)
	if d := cmp.Diff([]study.State{study.Waiting}, b.states()); d != "" {
		t.Fatal(d)
	}
	h := b.claim()
	if h.Number != 0 || h.Attempt != 2 || h.Resume == nil || h.Resume.Step != 2 || h.Resume.Attempt != 1 {
		t.Fatalf("the second grant is %+v, resume %+v", h, h.Resume)
	}
	f, err := b.r.Fetch(t.Context(), h.Lease, h.Resume.Digest)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if body, err := io.ReadAll(f); err != nil || string(body) != "state" {
		t.Errorf("the checkpoint is %q, %v", body, err)
	}
	if c := b.r.Progress().Running[0].Curve; len(c) != 2 {
		t.Errorf("the curve is %v: the point after the checkpoint should be hidden", c)
	}
	// The dead process comes back to life and is refused.
	if _, err := b.r.Append(t.Context(), g.Lease, 4, []study.Point{{Key: "loss", Step: 4, Value: 9}}); !errors.Is(err, study.ErrStale) {
		t.Errorf("a write under the old lease: %v, want ErrStale", err)
	}
	if err := b.r.Finish(t.Context(), g.Lease, complete(9)); !errors.Is(err, study.ErrStale) {
		t.Errorf("a finish under the old lease: %v, want ErrStale", err)
	}
	b.append(h, 3, 0.3)
	b.finish(h, complete(0.3))
	d, err := b.db.Detail(t.Context(), b.study.ID, 0)
	if err != nil {
		t.Fatal(err)
	}
	want := []study.Sample{{Step: 1, Value: 0.5}, {Step: 2, Value: 0.4}, {Step: 3, Value: 0.3}}
	if diff := cmp.Diff(want, d.History["loss"]); diff != "" {
		t.Errorf("history (-want +got):\n%s", diff)
	}
}

func TestRunnerPrunes(t *testing.T) {
	b := newBench(t, nil)
	b.restart(below(0.25))
	g := b.claim()
	if v := b.append(g, 1, 0.3); v != study.Go {
		t.Errorf("at 0.3: %s", v)
	}
	if v := b.append(g, 2, 0.2); v != study.Prune {
		t.Errorf("at 0.2: %s, want prune", v)
	}
	b.finish(g, study.Outcome{State: study.Pruned, Value: 0.2})
	if d := cmp.Diff([]study.State{study.Pruned}, b.states()); d != "" {
		t.Error(d)
	}
	if b.r.Progress().Best != nil {
		t.Error("a pruned trial is nobody's best")
	}
}

func TestRunnerStopsAtTheTarget(t *testing.T) {
	target := 0.1
	b := newBench(t, func(s *study.Spec) { s.Objective.Target = &target })
	b.finish(b.claim(), complete(0.2))
	b.finish(b.claim(), complete(0.1))
	if _, err := b.r.Claim(t.Context(), capacity); !errors.Is(err, study.ErrDone) {
		t.Errorf("at the target: %v, want ErrDone", err)
	}
}

func TestRunnerHeedsRequests(t *testing.T) {
	b := newBench(t, nil)
	g := b.claim()
	ask := func(v study.Verdict) {
		t.Helper()
		if err := b.db.Request(t.Context(), b.study.ID, v, start); err != nil {
			t.Fatal(err)
		}
	}
	renew := func(want study.Verdict) {
		t.Helper()
		got, err := b.r.Renew(t.Context(), []study.Lease{g.Lease})
		if err != nil || got[0] != want {
			t.Fatalf("renew: %v, %v; want %s", got, err, want)
		}
	}
	renew(study.Go)
	ask(study.Pause)
	renew(study.Pause)
	b.finish(g, study.Outcome{State: study.Waiting})
	if grants, err := b.r.Claim(t.Context(), capacity); err != nil || len(grants) != 0 {
		t.Errorf("paused: %d grants, %v; want none", len(grants), err)
	}
	ask(study.Go)
	renew(study.Stale) // the lease was given back
	g = b.claim()
	ask(study.Stop)
	renew(study.Stop)
	b.finish(g, study.Outcome{State: study.Waiting})
	if _, err := b.r.Claim(t.Context(), capacity); !errors.Is(err, study.ErrDone) {
		t.Errorf("stopped: %v, want ErrDone", err)
	}
}

func TestRunnerKeepsNaNCurves(t *testing.T) {
	b := newBench(t, nil)
	g := b.claim()
	b.append(g, 1, math.NaN())
	b.append(g, 2, math.Inf(1))
	trials, err := b.db.Trials(t.Context(), b.study.ID)
	if err != nil {
		t.Fatal(err)
	}
	if c := trials[0].Curve; len(c) != 2 || !math.IsNaN(c[0].Value) || !math.IsInf(c[1].Value, 1) {
		t.Errorf("the stored curve is %v", c)
	}
}

// What the runner says of a finished trial is what the store says of it, times included, also after a night in between.
func TestRunnerTellsWhatIsStored(t *testing.T) {
	b := newBench(t, func(s *study.Spec) { s.RunCap = 1 })
	b.append(b.claim(), 1, 0.5)
	b.now = b.now.Add(12 * time.Hour)
	b.restart(nil) // the first attempt was lost
	b.finish(b.claim(), study.Outcome{State: study.Failed, Reason: study.ReasonError, Message: "once"})
	b.now = b.now.Add(12 * time.Hour)
	g := b.claim()
	b.append(g, 1, 0.5)
	b.finish(g, complete(0.5))
	stored, err := b.db.Trials(t.Context(), b.study.ID)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(stored, b.told); d != "" {
		t.Errorf("stored and told differ (-stored +told):\n%s", d)
	}
	if d := b.told[0].Duration; d > time.Minute {
		t.Errorf("the trial took %v: the nights count", d)
	}
}

func TestRunnerEndsWhenNothingIsLeft(t *testing.T) {
	done := func(b *bench) {
		t.Helper()
		if g, err := b.r.Claim(t.Context(), capacity); !errors.Is(err, study.ErrDone) {
			t.Errorf("claim gives %d grants and %v, want ErrDone", len(g), err)
		}
	}
	t.Run("paused after the last trial", func(t *testing.T) {
		b := newBench(t, nil)
		for range 3 {
			b.finish(b.claim(), complete(1))
		}
		if err := b.db.Request(t.Context(), b.study.ID, study.Pause, start); err != nil {
			t.Fatal(err)
		}
		if _, err := b.r.Renew(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		done(b)
	})
	t.Run("a trial waits, but the target is reached", func(t *testing.T) {
		target := 0.1
		b := newBench(t, func(s *study.Spec) { s.Objective.Target = &target })
		g, h := b.claim(), b.claim()
		b.finish(g, study.Outcome{State: study.Waiting})
		b.finish(h, complete(0.05))
		done(b)
	})
}

// A lease that the store no longer knows is given up, so that the study can end.
func TestRunnerGivesUpStaleLeases(t *testing.T) {
	b := newBench(t, func(s *study.Spec) { s.RunCap = 1 })
	g := b.claim()
	if _, err := b.db.Reclaim(t.Context(), b.study.ID, start); err != nil { // as if another runner took over
		t.Fatal(err)
	}
	if _, err := b.r.Append(t.Context(), g.Lease, 1, []study.Point{{Key: "loss", Step: 1, Value: 1}}); !errors.Is(err, study.ErrStale) {
		t.Fatalf("append: %v, want ErrStale", err)
	}
	if _, err := b.r.Claim(t.Context(), capacity); !errors.Is(err, study.ErrDone) {
		t.Errorf("claim: %v, want ErrDone: nobody of ours runs anything", err)
	}
}

// Points may come out of order or again; memory and store keep the same curve.
func TestRunnerKeepsTheStoredCurve(t *testing.T) {
	b := newBench(t, nil)
	g := b.claim()
	for i, p := range []study.Sample{{Step: 2, Value: 5}, {Step: 1, Value: 7}, {Step: 2, Value: 4}} {
		if _, err := b.r.Append(t.Context(), g.Lease, int64(i+1), []study.Point{{Key: "loss", Step: p.Step, Value: p.Value, Time: start}}); err != nil {
			t.Fatal(err)
		}
	}
	stored, err := b.db.Trials(t.Context(), b.study.ID)
	if err != nil {
		t.Fatal(err)
	}
	want := []study.Sample{{Step: 1, Value: 7}, {Step: 2, Value: 4}}
	if d := cmp.Diff(want, b.r.Progress().Running[0].Curve); d != "" {
		t.Errorf("in memory (-want +got):\n%s", d)
	}
	if d := cmp.Diff(want, stored[0].Curve); d != "" {
		t.Errorf("stored (-want +got):\n%s", d)
	}
}
