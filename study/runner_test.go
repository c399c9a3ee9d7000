package study_test

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sweep/storage"
	"sweep/study"
	"sweep/study/studytest"
)

// counting proposes x = the trial's number, so that a test knows what was asked.
type counting struct{}

func (counting) Sample(_ context.Context, a study.Ask) (study.Params, error) {
	return study.Params{"x": int64(a.Number)}, nil
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
	told  []study.Trial // those that have become final, in order
	now   time.Time     // every look at the clock takes a second
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
	b.restart()
	return b
}

// restart makes a new runner, without a pruner, on the store.
func (b *bench) restart() {
	b.t.Helper()
	r, err := study.NewRunner(b.t.Context(), study.RunnerConfig{
		Study: b.study, Store: b.db, Sampler: counting{}, Now: b.clock,
		Finished: func(t study.Trial) { b.told = append(b.told, t) },
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

func complete(v float64) study.Outcome {
	return study.Outcome{State: study.Complete, Value: v, Metrics: map[string]float64{"loss": v}}
}

func TestRunnerWork(t *testing.T) {
	studytest.Work(t, func(t *testing.T, c studytest.WorkCase) studytest.OpenedWork {
		path := filepath.Join(t.TempDir(), "sweep.db")
		lock, err := storage.Lock(path, storage.Holder{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { lock.Release() })
		var db *storage.DB
		t.Cleanup(func() { db.Close() })
		open := func(t *testing.T) {
			t.Helper()
			if db, err = storage.Open(t.Context(), path, storage.Options{Write: true}); err != nil {
				t.Fatal(err)
			}
		}
		open(t)
		s, err := db.CreateStudy(t.Context(), c.Spec, c.Data, start)
		if err != nil {
			t.Fatal(err)
		}
		var work func(t *testing.T) studytest.OpenedWork
		work = func(t *testing.T) studytest.OpenedWork {
			t.Helper()
			r, err := study.NewRunner(t.Context(), study.RunnerConfig{Study: s, Store: db, Sampler: c.Sampler, Pruner: c.Pruner, Now: c.Now})
			if err != nil {
				t.Fatal(err)
			}
			return studytest.OpenedWork{
				Work:    r,
				Trials:  func(ctx context.Context) ([]study.Trial, error) { return db.Trials(ctx, s.ID) },
				Detail:  func(ctx context.Context, number int) (study.Detail, error) { return db.Detail(ctx, s.ID, number) },
				Request: func(ctx context.Context, v study.Verdict) error { return db.Request(ctx, s.ID, v, start) },
				Restart: func(t *testing.T) studytest.OpenedWork {
					t.Helper()
					if err := db.Close(); err != nil {
						t.Fatal(err)
					}
					open(t)
					return work(t)
				},
			}
		}
		return work(t)
	})
}

func TestRunnerProgress(t *testing.T) {
	b := newBench(t, nil)
	b.finish(b.claim(), study.Outcome{State: study.Pruned, Value: 0.125})
	if b.r.Progress().Best != nil {
		t.Error("a pruned trial is nobody's best")
	}
	b.finish(b.claim(), complete(0.5))
	g := b.claim()
	b.append(g, 1, 0.75)
	p := b.r.Progress()
	if p.Best == nil || p.Best.Number != 1 {
		t.Errorf("the best is %+v, want trial 1", p.Best)
	}
	if d := cmp.Diff(map[study.State]int{study.Pruned: 1, study.Complete: 1, study.Running: 1}, p.Counts); d != "" {
		t.Errorf("counts (-want +got):\n%s", d)
	}
	if len(p.Running) != 1 || p.Running[0].Number != 2 || p.Running[0].Metrics["loss"] != 0.75 || p.Wish != study.Go {
		t.Errorf("progress is %+v", p)
	}
	var told []int
	b.finish(g, complete(0.25))
	for _, t := range b.told {
		told = append(told, t.Number)
	}
	if d := cmp.Diff([]int{0, 1, 2}, told); d != "" {
		t.Errorf("finished trials (-want +got):\n%s", d)
	}
}

// A display keeps what it was given: later points do not change it.
func TestRunnerProgressIsACopy(t *testing.T) {
	b := newBench(t, nil)
	g := b.claim()
	for seq, step := range []int{1, 2, 3, 5, 6} {
		if _, err := b.r.Append(t.Context(), g.Lease, int64(seq+1), []study.Point{{Key: "loss", Step: step, Value: 1}}); err != nil {
			t.Fatal(err)
		}
	}
	before := b.r.Progress().Running[0].Curve
	if _, err := b.r.Append(t.Context(), g.Lease, 9, []study.Point{{Key: "loss", Step: 4, Value: 2}}); err != nil {
		t.Fatal(err)
	}
	want := []study.Sample{{Step: 1, Value: 1}, {Step: 2, Value: 1}, {Step: 3, Value: 1}, {Step: 5, Value: 1}, {Step: 6, Value: 1}}
	if d := cmp.Diff(want, before); d != "" {
		t.Errorf("the curve of before (-want +got):\n%s", d)
	}
}

// What the runner says of a finished trial is what the store says of it, times included, also after a night in between.
func TestRunnerTellsWhatIsStored(t *testing.T) {
	b := newBench(t, func(s *study.Spec) { s.RunCap = 1 })
	b.append(b.claim(), 1, 0.5)
	b.now = b.now.Add(12 * time.Hour)
	b.restart() // the first attempt was lost
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
