package studytest

import (
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"sweep/study"
)

// Opened is an empty study in a store of its own, and what the suite reads beside the seam.
type Opened struct {
	Store  study.Store
	Study  study.Study // made of StoreSpec, without trials
	Detail func(ctx context.Context, number int) (study.Detail, error)
	Events func(ctx context.Context) ([]study.Event, error)
	// Request asks for what [study.Store]'s Wish then says; nil where nobody can ask.
	Request func(ctx context.Context, v study.Verdict) error
	// Reopen closes the store and opens what it left behind.
	Reopen func(t *testing.T) Opened
}

// StoreSpec is the study that [Store] works on: parameters of every kind, a value to be minimised.
func StoreSpec() study.Spec {
	return study.Spec{
		Name: "suite", Method: "random", Trainer: "cae", RunCap: 10, Epochs: 10, KeepCheckpoints: 2,
		Objective: study.Objective{Name: "val_mse", Direction: study.Minimize},
		Space: study.Space{
			{Name: "lr", Distribution: study.Distribution{Kind: study.Float, Low: 1e-5, High: 1, Log: true}},
			{Name: "weight", Distribution: study.Distribution{Kind: study.Float, Low: 0, High: 1, Step: 0.25}},
			{Name: "latent", Distribution: study.Distribution{Kind: study.Int, Low: 64, High: 512, Step: 64}},
			{Name: "batch", Distribution: study.Distribution{Kind: study.Categorical, Choices: []any{int64(32), int64(64)}}},
			{Name: "loss", Distribution: study.Distribution{Kind: study.Categorical, Choices: []any{"mse", "mae", nil, true, 0.5}}},
			{Name: "filters", Distribution: study.Distribution{
				Kind: study.Categorical, Choices: []any{[]any{int64(16), int64(32)}, []any{int64(8), 0.5}},
			}},
			{Name: "depth", Distribution: study.Fixed(int64(3))},
		},
		Data: study.DataSpec{Names: []string{"shapes"}, Train: 100, Validation: 20},
	}
}

// storeTime is when the suite's stories begin. Stores keep microseconds.
var storeTime = time.Date(2026, 3, 1, 12, 0, 0, 123456000, time.UTC)

func at(seconds int) time.Time { return storeTime.Add(time.Duration(seconds) * time.Second) }

func storeParams(i int) study.Params {
	s := StoreSpec().Space
	loss := s[4].Distribution.Choices
	return study.Params{
		"lr": 0.1 / float64(i+1), "weight": 0.25 * float64(i%5), "latent": int64(64 * (i%8 + 1)), "batch": int64(32 * (i%2 + 1)),
		"loss": loss[i%len(loss)], "filters": s[5].Distribution.Choices[i%2], "depth": int64(3),
	}
}

// check ends its test on what is not as it should be.
type check struct {
	*testing.T
	ctx context.Context
}

// story is a store under test; its methods end the test on errors.
type story struct {
	check
	Opened
	seq map[int64]int64 // by attempt
}

func (s *story) propose() study.Trial {
	s.Helper()
	trials, err := s.Store.Trials(s.ctx, s.Study.ID)
	s.ok(err)
	t, err := s.Store.Propose(s.ctx, s.Study.ID, study.Proposal{
		Params: storeParams(len(trials)), Space: StoreSpec().Space, Sampler: "random", Now: at(0),
	})
	s.ok(err)
	return t
}

func (s *story) begin(t study.Trial, now time.Time) (study.Lease, *study.Resume) {
	s.Helper()
	a, resume, err := s.Store.Begin(s.ctx, t.ID, study.Place{Host: "host", Device: "cpu:0"}, now)
	s.ok(err)
	return study.Lease{StudyID: s.Study.ID, TrialID: t.ID, AttemptID: a.ID, Epoch: a.Epoch}, resume
}

// run appends one value of the objective for each step from first on.
func (s *story) run(l study.Lease, first int, values ...float64) {
	s.Helper()
	for i, v := range values {
		s.ok(s.append(l, study.Point{Key: "val_mse", Step: first + i, Value: v, Time: at(first + i)}))
	}
}

func (s *story) append(l study.Lease, points ...study.Point) error {
	s.seq[l.AttemptID]++
	return s.Store.Append(s.ctx, l, s.seq[l.AttemptID], points, "val_mse")
}

func (s *story) checkpoint(l study.Lease, step int, body string) {
	s.Helper()
	s.ok(s.Store.Commit(s.ctx, l, step, []study.File{{Kind: study.CheckpointFile, Name: "state", Body: []byte(body)}}, at(step)))
}

func (s *story) complete(l study.Lease, value float64, keep int, files ...study.File) {
	s.Helper()
	s.ok(s.Store.Finish(s.ctx, l, study.Outcome{
		State: study.Complete, Value: value, Metrics: map[string]float64{"val_mse": value, "epoch": 2}, Files: files,
	}, study.Complete, keep, at(60)))
}

func (s *story) trial(number int) study.Trial {
	s.Helper()
	trials, err := s.Store.Trials(s.ctx, s.Study.ID)
	s.ok(err)
	if number >= len(trials) {
		s.Fatalf("there are %d trials, not %d", len(trials), number+1)
	}
	return trials[number]
}

func (s *story) detail(number int) study.Detail {
	s.Helper()
	d, err := s.Detail(s.ctx, number)
	s.ok(err)
	return d
}

func (s check) ok(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

func (s check) is(err, want error) {
	s.Helper()
	if !errors.Is(err, want) {
		s.Fatalf("error is %v, want %v", err, want)
	}
}

func (s check) equal(what string, got, want any) {
	s.Helper()
	if d := cmp.Diff(want, got, cmpopts.EquateNaNs(), cmpopts.EquateEmpty()); d != "" {
		s.Fatalf("%s (-want +got):\n%s", what, d)
	}
}

// content reads a kept file; "" when the store has none.
func (s *story) content(digest string) string {
	s.Helper()
	r, err := s.Store.Fetch(s.ctx, digest)
	if errors.Is(err, study.ErrNotFound) {
		return ""
	}
	s.ok(err)
	defer r.Close()
	b, err := io.ReadAll(r)
	s.ok(err)
	return string(b)
}

func samples(first int, values ...float64) []study.Sample {
	var out []study.Sample
	for i, v := range values {
		out = append(out, study.Sample{Step: first + i, Value: v})
	}
	return out
}

// Store checks that a store keeps what package study says of [study.Store]. open makes an empty one each time.
func Store(t *testing.T, open func(t *testing.T) Opened) {
	for _, c := range []struct {
		name string
		run  func(s *story)
	}{
		{"Propose", storePropose},
		{"ProposeRefused", storeProposeRefused},
		{"Begin", storeBegin},
		{"Fencing", storeFencing},
		{"AppendOnce", storeAppendOnce},
		{"NotFinite", storeNotFinite},
		{"LastOfAStep", storeLastOfAStep},
		{"ManyPoints", storeManyPoints},
		{"Resume", storeResume},
		{"ResumeFromNothing", storeResumeFromNothing},
		{"Lost", storeLost},
		{"LostWithCheckpoints", storeLostWithCheckpoints},
		{"Lose", storeLose},
		{"Files", storeFiles},
		{"SameFile", storeSameFile},
		{"FileAgain", storeFileAgain},
		{"Finish", storeFinish},
		{"Retry", storeRetry},
		{"Release", storeRelease},
		{"KeepBest", storeKeepBest},
		{"KeepStrips", storeKeepStrips},
		{"Events", storeEvents},
		{"Wish", storeWish},
		{"Reopen", storeReopen},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.run(&story{check{t, t.Context()}, open(t), map[int64]int64{}})
		})
	}
}
