package studytest

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sweep/study"
)

// WorkCase is the study that an implementation of [study.Work] is to run.
type WorkCase struct {
	Spec    study.Spec
	Data    study.Data
	Sampler study.Sampler
	Pruner  study.Pruner
	Now     func() time.Time // may be called from several goroutines; every look takes a second
}

// OpenedWork is a new study at work in a store of its own, and what the suite reads beside the seam.
type OpenedWork struct {
	Work   study.Work
	Trials func(ctx context.Context) ([]study.Trial, error) // as stored
	Detail func(ctx context.Context, number int) (study.Detail, error)
	// Request asks for Pause, Stop or Go, as a user of another process does. The work knows of it after the next
	// Renew, at the latest.
	Request func(ctx context.Context, v study.Verdict) error
	// Restart lets the process die without a word and starts another one of the same case on the store.
	Restart func(t *testing.T) OpenedWork
}

// workSpec is the study that [Work] works on: a value to be minimised, and parameters that JSON could confuse.
func workSpec() study.Spec {
	return study.Spec{
		Name: "suite", Method: "counting", Trainer: "cae", RunCap: 3, Epochs: 4, Retries: 2, KeepCheckpoints: 10, Seed: 1<<53 + 1,
		Objective: study.Objective{Name: "loss", Direction: study.Minimize},
		Space: study.Space{
			{Name: "x", Distribution: study.Distribution{Kind: study.Int, Low: 0, High: 99}},
			{Name: "rate", Distribution: study.Distribution{Kind: study.Float, Low: 1e-5, High: 1, Log: true}},
			{Name: "filters", Distribution: study.Fixed([]any{int64(8), 0.5})},
		},
		Data: study.DataSpec{Names: []string{"shapes"}, Train: 100, Validation: 20},
	}
}

func workParams(number int) study.Params {
	return study.Params{"x": int64(number), "rate": 0.1 / float64(number+1), "filters": []any{int64(8), 0.5}}
}

// counting proposes the parameters that belong to a trial's number and notes what it was asked.
type counting struct {
	mu     sync.Mutex
	asks   []study.Ask
	refuse error // where set, the answer
}

func (c *counting) Sample(_ context.Context, a study.Ask) (study.Params, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	a.Trials = slices.Clone(a.Trials)
	c.asks = append(c.asks, a)
	return workParams(a.Number), c.refuse
}

// below prunes a curve that falls under a value and notes the last trial that it was asked about.
type below struct {
	mu    sync.Mutex
	limit float64
	seen  study.Trial
	all   []study.Trial
}

func (b *below) Prune(_ study.Direction, t study.Trial, all []study.Trial) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	t.Curve = slices.Clone(t.Curve)
	b.seen, b.all = t, slices.Clone(all)
	return t.Curve[len(t.Curve)-1].Value < b.limit
}

// shift is a study at work; its methods end the test on errors.
type shift struct {
	check
	OpenedWork
	spec    study.Spec
	sampler *counting
	pruner  *below
	over    func(study.Work) study.Work // how the suite reaches the work
	seq     map[int64]int64             // the last one, by attempt
}

func newShift(
	t *testing.T, spec study.Spec, open func(*testing.T, WorkCase) OpenedWork, over func(study.Work) study.Work,
) *shift {
	var seconds atomic.Int64
	s := &shift{
		check: check{t, t.Context()}, spec: spec, sampler: &counting{}, pruner: &below{limit: math.Inf(-1)},
		over: over, seq: map[int64]int64{},
	}
	s.OpenedWork = open(t, WorkCase{
		Spec: spec, Data: study.Data{Name: "shapes", Fingerprint: "f00d"}, Sampler: s.sampler, Pruner: s.pruner,
		Now: func() time.Time { return at(int(seconds.Add(1))) },
	})
	s.Work = over(s.Work)
	return s
}

func (s *shift) restart() {
	s.Helper()
	s.OpenedWork = s.Restart(s.T)
	s.Work = s.over(s.Work)
}

func (s *shift) offer(slots int) study.Capacity {
	return study.Capacity{Host: "here", Device: "cpu:0", Slots: slots, Kinds: []string{"conv"}}
}

// claim takes want grants of as many slots.
func (s *shift) claim(want int) []study.Grant {
	s.Helper()
	g, err := s.Work.Claim(s.ctx, s.offer(want))
	s.ok(err)
	if len(g) != want {
		s.Fatalf("claim gives %d grants, want %d", len(g), want)
	}
	return g
}

func (s *shift) one() study.Grant {
	s.Helper()
	return s.claim(1)[0]
}

// none claims when there is nothing to do now, though there may be later.
func (s *shift) none() {
	s.Helper()
	g, err := s.Work.Claim(s.ctx, s.offer(4))
	if err != nil || len(g) != 0 {
		s.Fatalf("claim gives %d grants and %v, want neither", len(g), err)
	}
}

// done claims when there will never be more.
func (s *shift) done() {
	s.Helper()
	for range 2 {
		g, err := s.Work.Claim(s.ctx, s.offer(4))
		if !errors.Is(err, study.ErrDone) || len(g) != 0 {
			s.Fatalf("claim gives %d grants and %v, want ErrDone", len(g), err)
		}
	}
}

func loss(step int, value float64) study.Point {
	return study.Point{Key: "loss", Step: step, Value: value, Time: at(step)}
}

// append sends one batch under the lease's next seq.
func (s *shift) append(l study.Lease, points ...study.Point) study.Verdict {
	s.Helper()
	s.seq[l.AttemptID]++
	return s.again(l, s.seq[l.AttemptID], points...)
}

func (s *shift) again(l study.Lease, seq int64, points ...study.Point) study.Verdict {
	s.Helper()
	v, err := s.Work.Append(s.ctx, l, seq, points)
	s.ok(err)
	return v
}

// run appends one value of the objective for each step from first on.
func (s *shift) run(l study.Lease, first int, values ...float64) {
	s.Helper()
	for i, v := range values {
		s.equal("verdict", s.append(l, loss(first+i, v)), study.Go)
	}
}

func (s *shift) checkpoint(l study.Lease, step int, body string) {
	s.Helper()
	s.ok(s.Work.Commit(s.ctx, l, step, study.File{Kind: study.CheckpointFile, Name: "state", Body: []byte(body)}))
}

func (s *shift) finish(l study.Lease, o study.Outcome) {
	s.Helper()
	s.ok(s.Work.Finish(s.ctx, l, o))
}

func (s *shift) release(l study.Lease) {
	s.Helper()
	s.finish(l, study.Outcome{State: study.Waiting})
}

func complete(v float64) study.Outcome {
	return study.Outcome{State: study.Complete, Value: v, Metrics: map[string]float64{"loss": v}}
}

func (s *shift) renew(leases ...study.Lease) []study.Verdict {
	s.Helper()
	v, err := s.Work.Renew(s.ctx, leases)
	s.ok(err)
	return v
}

// request asks for v and has the work look at it.
func (s *shift) request(v study.Verdict) {
	s.Helper()
	s.ok(s.Request(s.ctx, v))
	s.renew()
}

func (s *shift) trials() []study.Trial {
	s.Helper()
	t, err := s.Trials(s.ctx)
	s.ok(err)
	return t
}

func (s *shift) states() []study.State {
	s.Helper()
	var out []study.State
	for _, t := range s.trials() {
		out = append(out, t.State)
	}
	return out
}

func (s *shift) detail(number int) study.Detail {
	s.Helper()
	d, err := s.Detail(s.ctx, number)
	s.ok(err)
	return d
}

func (s *shift) content(l study.Lease, digest string) string {
	s.Helper()
	r, err := s.Work.Fetch(s.ctx, l, digest)
	s.ok(err)
	defer r.Close()
	b, err := io.ReadAll(r)
	s.ok(err)
	return string(b)
}

// Work checks that an implementation keeps what package study says of [study.Work]. open makes a new study each time.
// Those that send most run twice: as they are, and with all arguments and results sent through JSON.
func Work(t *testing.T, open func(t *testing.T, c WorkCase) OpenedWork) {
	for _, c := range []struct {
		name   string
		wired  bool
		change func(*study.Spec)
		run    func(s *shift)
	}{
		{"Cap", true, nil, workCap},
		{"Slots", false, nil, workSlots},
		{"WaitingFirst", false, func(s *study.Spec) { s.RunCap = 5 }, workWaitingFirst},
		{"Asks", true, func(s *study.Spec) { s.RunCap = 4 }, workAsks},
		{"NoProposal", false, nil, workNoProposal},
		{"Retries", false, func(s *study.Spec) { s.RunCap = len(workEnds) }, workRetries},
		{"Release", false, func(s *study.Spec) { s.RunCap, s.Retries = 1, 0 }, workRelease},
		{"Target", false, target(study.Minimize, 0.25), workTarget},
		{"TargetUpwards", false, target(study.Maximize, -0.25), workTarget},
		{"Pause", true, nil, workPause},
		{"Stop", false, nil, workStop},
		{"NothingLeft", false, func(s *study.Spec) { s.RunCap = 1 }, workNothingLeft},
		{"Fencing", false, nil, workFencing},
		{"AppendOnce", false, nil, workAppendOnce},
		{"AppendOutOfOrder", false, nil, workAppendOutOfOrder},
		{"AppendRefused", false, nil, workAppendRefused},
		{"Prune", false, nil, workPrune},
		{"NotFinite", true, nil, workNotFinite},
		{"Commit", false, nil, workCommit},
		{"Resume", true, func(s *study.Spec) { s.RunCap = 1 }, workResume},
		{"ResumeFromNothing", false, nil, workResumeFromNothing},
		{"Finish", true, nil, workFinish},
		{"FinishOnce", false, nil, workFinishOnce},
		{"Kinds", true, nil, workKinds},
		{"Keeps", true, func(s *study.Spec) { s.RunCap, s.KeepCheckpoints = 9, 2 }, workKeeps},
		{"Lost", true, func(s *study.Spec) { s.RunCap, s.Retries = 1, 0 }, workLost},
		{"Concurrent", false, func(s *study.Spec) { s.RunCap = 64 }, workConcurrent},
	} {
		spec := workSpec()
		if c.change != nil {
			c.change(&spec)
		}
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.run(newShift(t, spec, open, func(w study.Work) study.Work { return w }))
		})
		if c.wired {
			t.Run(c.name+"JSON", func(t *testing.T) {
				t.Parallel()
				c.run(newShift(t, spec, open, func(w study.Work) study.Work { return wire{w} }))
			})
		}
	}
}

// wire sends all arguments and results of a [study.Work] through JSON, as work over a network would.
type wire struct{ work study.Work }

// through gives what is left of v after JSON.
func through[T any](v T) (T, error) {
	var out T
	b, err := json.Marshal(v)
	if err == nil {
		err = json.Unmarshal(b, &out)
	}
	return out, err
}

// send3 sends three arguments.
func send3[A, B, C any](a A, b B, c C) (A, B, C, error) {
	a, aerr := through(a)
	b, berr := through(b)
	c, cerr := through(c)
	return a, b, c, errors.Join(aerr, berr, cerr)
}

// back sends a result; the call's own error counts first.
func back[T any](v T, err error) (T, error) {
	v, lost := through(v)
	if err == nil {
		err = lost
	}
	return v, err
}

func (w wire) Claim(ctx context.Context, c study.Capacity) ([]study.Grant, error) {
	c, err := through(c)
	if err != nil {
		return nil, err
	}
	return back(w.work.Claim(ctx, c))
}

func (w wire) Renew(ctx context.Context, leases []study.Lease) ([]study.Verdict, error) {
	leases, err := through(leases)
	if err != nil {
		return nil, err
	}
	return back(w.work.Renew(ctx, leases))
}

func (w wire) Append(ctx context.Context, l study.Lease, seq int64, points []study.Point) (study.Verdict, error) {
	l, seq, points, err := send3(l, seq, points)
	if err != nil {
		return study.Go, err
	}
	return back(w.work.Append(ctx, l, seq, points))
}

func (w wire) Commit(ctx context.Context, l study.Lease, step int, files ...study.File) error {
	l, step, files, err := send3(l, step, files)
	if err != nil {
		return err
	}
	return w.work.Commit(ctx, l, step, files...)
}

func (w wire) Fetch(ctx context.Context, l study.Lease, digest string) (io.ReadCloser, error) {
	l, digest, _, err := send3(l, digest, 0)
	if err != nil {
		return nil, err
	}
	return w.work.Fetch(ctx, l, digest)
}

func (w wire) Finish(ctx context.Context, l study.Lease, o study.Outcome) error {
	l, o, _, err := send3(l, o, 0)
	if err != nil {
		return err
	}
	return w.work.Finish(ctx, l, o)
}

func (w wire) Keeps(ctx context.Context, l study.Lease, value float64) (bool, error) {
	l, v, _, err := send3(l, study.Number(value), 0)
	if err != nil {
		return false, err
	}
	return back(w.work.Keeps(ctx, l, float64(v)))
}
