package studytest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
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

// story is a store under test; its methods end the test on errors.
type story struct {
	*testing.T
	Opened
	ctx context.Context
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
	a, resume, err := s.Store.Begin(s.ctx, t.ID, "host", "cpu:0", now)
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

func (s *story) ok(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

func (s *story) is(err, want error) {
	s.Helper()
	if !errors.Is(err, want) {
		s.Fatalf("error is %v, want %v", err, want)
	}
}

func (s *story) equal(what string, got, want any) {
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
		{"Files", storeFiles},
		{"SameFile", storeSameFile},
		{"Finish", storeFinish},
		{"Retry", storeRetry},
		{"Release", storeRelease},
		{"KeepBest", storeKeepBest},
		{"Events", storeEvents},
		{"Wish", storeWish},
		{"Reopen", storeReopen},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.run(&story{t, open(t), t.Context(), map[int64]int64{}})
		})
	}
}

func storePropose(s *story) {
	var want []study.Trial
	for i := range 6 {
		p := s.propose()
		s.equal("proposed", p, study.Trial{ID: p.ID, Number: i, State: study.Waiting, Params: storeParams(i), Value: math.NaN()})
		want = append(want, p)
	}
	got, err := s.Store.Trials(s.ctx, s.Study.ID)
	s.ok(err)
	s.equal("trials", got, want)
}

func storeProposeRefused(s *story) {
	for name, change := range map[string]func(study.Params){
		"out of range": func(p study.Params) { p["lr"] = 2.0 },
		"no choice":    func(p study.Params) { p["loss"] = "ssim" },
		"no value":     func(p study.Params) { delete(p, "latent") },
		"not in space": func(p study.Params) { p["momentum"] = 0.9 },
	} {
		params := storeParams(0)
		change(params)
		_, err := s.Store.Propose(s.ctx, s.Study.ID, study.Proposal{Params: params, Space: StoreSpec().Space, Now: at(0)})
		if err == nil {
			s.Errorf("%s: it was stored", name)
		}
	}
	_, err := s.Store.Propose(s.ctx, s.Study.ID+100, study.Proposal{Params: storeParams(0), Space: StoreSpec().Space, Now: at(0)})
	s.is(err, study.ErrNotFound)
	_, err = s.Store.Trials(s.ctx, s.Study.ID+100)
	s.is(err, study.ErrNotFound)
	if trials, err := s.Store.Trials(s.ctx, s.Study.ID); err != nil || len(trials) != 0 {
		s.Fatalf("refused proposals left %d trials (%v)", len(trials), err)
	}
}

func storeBegin(s *story) {
	p := s.propose()
	a, resume, err := s.Store.Begin(s.ctx, p.ID, "host", "cpu:1", at(1))
	s.ok(err)
	want := study.Attempt{ID: a.ID, TrialID: p.ID, Ordinal: 1, Epoch: a.Epoch, Host: "host", Device: "cpu:1", Start: at(1), State: "running"}
	s.equal("attempt", a, want)
	s.equal("resume", resume, (*study.Resume)(nil))
	s.equal("attempts", s.detail(0).List, []study.Attempt{want})
	got := s.trial(0)
	s.equal("state", got.State, study.Running)
	s.equal("start", got.Start, at(1))
	s.equal("count", got.Attempts, 1)
	if _, _, err := s.Store.Begin(s.ctx, p.ID, "host", "cpu:0", at(2)); err == nil {
		s.Fatal("a running trial was begun again")
	}
	_, _, err = s.Store.Begin(s.ctx, p.ID+100, "host", "cpu:0", at(2))
	s.is(err, study.ErrNotFound)
}

func storeFencing(s *story) {
	p := s.propose()
	old, _ := s.begin(p, at(1))
	s.run(old, 1, 0.5)
	_, err := s.Store.Reclaim(s.ctx, s.Study.ID, at(2))
	s.ok(err)
	refused := func(what string, l study.Lease) {
		s.Helper()
		before := s.detail(0)
		s.is(s.append(l, study.Point{Key: "val_mse", Step: 2, Value: 9, Time: at(9)}), study.ErrStale)
		s.is(s.Store.Commit(s.ctx, l, 2, []study.File{{Kind: study.CheckpointFile, Name: "zombie", Body: []byte("zombie")}}, at(9)), study.ErrStale)
		s.is(s.Store.Finish(s.ctx, l, study.Outcome{State: study.Complete, Value: 9}, study.Complete, 9, at(9)), study.ErrStale)
		s.equal("after refused writes of "+what, s.detail(0), before)
	}
	refused("a lost attempt", old)
	l, _ := s.begin(p, at(3))
	if l.Epoch <= old.Epoch {
		s.Fatalf("the epoch went from %d to %d", old.Epoch, l.Epoch)
	}
	refused("a lost attempt beside its successor", old)
	wrong := l
	wrong.Epoch = old.Epoch
	refused("the current attempt under an old epoch", wrong)
	wrong = l
	wrong.StudyID += 100
	refused("another study", wrong)
	s.run(l, 1, 0.4)
	s.complete(l, 0.4, 1)
	refused("a finished attempt", l)
}

func storeAppendOnce(s *story) {
	p := s.propose()
	l, _ := s.begin(p, at(1))
	points := []study.Point{{Key: "val_mse", Step: 1, Value: 0.5, Time: at(2)}, {Key: "train_loss", Step: 1, Value: 0.7, Time: at(2)}}
	s.ok(s.Store.Append(s.ctx, l, 1, points, "val_mse"))
	before := s.detail(0)
	points[0].Value, points[0].Step = 99, 2
	s.ok(s.Store.Append(s.ctx, l, 1, points, "val_mse"))
	s.equal("after a repeated seq", s.detail(0), before)
	s.ok(s.Store.Append(s.ctx, l, 2, points, "val_mse"))
	d := s.detail(0)
	s.equal("curve", d.Curve, []study.Sample{{Step: 1, Value: 0.5}, {Step: 2, Value: 99}})
	s.equal("latest", d.Metrics, map[string]float64{"val_mse": 99, "train_loss": 0.7})
	s.ok(s.Store.Append(s.ctx, l, 7, nil, "val_mse")) // a batch may be empty, and seqs may leave gaps
	if err := s.Store.Append(s.ctx, l, 8, []study.Point{{Step: 1}}, "val_mse"); err == nil {
		s.Fatal("a point without a key was stored")
	}
}

func storeNotFinite(s *story) {
	p := s.propose()
	l, _ := s.begin(p, at(1))
	values := []float64{math.NaN(), math.Inf(1), math.Inf(-1), 0, math.Copysign(0, -1), math.SmallestNonzeroFloat64, math.MaxFloat64}
	for i, v := range values {
		s.ok(s.append(l, study.Point{Key: "val_mse", Step: i + 1, Value: v, Time: at(i)}, study.Point{Key: "other", Step: i + 1, Value: v, Time: at(i)}))
		s.equal("latest", s.trial(0).Metrics, map[string]float64{"val_mse": v, "other": v})
	}
	check := func() {
		s.Helper()
		d := s.detail(0)
		want := samples(1, values...)
		s.equal("curve", d.Curve, want)
		s.equal("history", d.History, map[string][]study.Sample{"val_mse": want, "other": want})
	}
	check()
	s.ok(s.Store.Finish(s.ctx, l, study.Outcome{
		State: study.Pruned, Value: math.Inf(1), Metrics: map[string]float64{"val_mse": math.Inf(1), "other": math.NaN()},
	}, study.Pruned, 1, at(20)))
	check()
	got := s.trial(0)
	s.equal("value", got.Value, math.Inf(1))
	s.equal("metrics", got.Metrics, map[string]float64{"val_mse": math.Inf(1), "other": math.NaN()})

	l, _ = s.begin(s.propose(), at(1))
	s.ok(s.Store.Finish(s.ctx, l, study.Outcome{State: study.Complete, Value: math.NaN()}, study.Complete, 1, at(20)))
	got = s.trial(1)
	s.equal("a complete trial without a value", []any{got.State, got.Value}, []any{study.Complete, math.NaN()})
}

func storeLastOfAStep(s *story) {
	p := s.propose()
	l, _ := s.begin(p, at(1))
	s.run(l, 1, 0.5, 0.4)
	s.run(l, 2, 0.3)
	s.run(l, 1, 0.6)
	d := s.detail(0)
	s.equal("curve", d.Curve, samples(1, 0.6, 0.3))
	s.equal("history", d.History["val_mse"], samples(1, 0.6, 0.3))
	s.equal("latest", d.Metrics["val_mse"], 0.3)
}

func storeManyPoints(s *story) {
	p := s.propose()
	l, _ := s.begin(p, at(1))
	const n = 2500
	want := make([]float64, n)
	var batch []study.Point
	for i := range want {
		want[i] = math.Sin(float64(i)) * math.Exp(float64(i%300))
		batch = append(batch, study.Point{Key: "loss", Step: i + 1, Value: want[i], Time: at(i)}, study.Point{Key: "rare", Step: i/100 + 1, Value: float64(i), Time: at(i)})
		if len(batch) >= 300 || i == n-1 {
			s.ok(s.append(l, batch...))
			batch = nil
		}
		if i == 2000 {
			s.checkpoint(l, 1990, "state")
		}
	}
	var rare []float64
	for i := range 25 {
		rare = append(rare, float64(100*i+99))
	}
	d := s.detail(0)
	s.equal("loss", d.History["loss"], samples(1, want...))
	s.equal("rare", d.History["rare"], samples(1, rare...))
	_, err := s.Store.Reclaim(s.ctx, s.Study.ID, at(9))
	s.ok(err)
	s.equal("loss after the checkpoint is hidden", s.detail(0).History["loss"], samples(1, want[:1990]...))
	l, _ = s.begin(p, at(10))
	s.ok(s.append(l, study.Point{Key: "loss", Step: 1991, Value: 7, Time: at(11)}))
	s.equal("loss goes on", s.detail(0).History["loss"], samples(1, append(want[:1990:1990], 7)...))
}

func storeResume(s *story) {
	p := s.propose()
	l, _ := s.begin(p, at(0))
	s.run(l, 1, 0.9, 0.8, 0.7)
	s.checkpoint(l, 2, "first")
	s.run(l, 4, 0.6)
	n, err := s.Store.Reclaim(s.ctx, s.Study.ID, at(100))
	s.ok(err)
	s.equal("requeued", n, 1)
	got := s.trial(0)
	s.equal("state", got.State, study.Waiting)
	s.equal("curve ends at the checkpoint", got.Curve, samples(1, 0.9, 0.8))
	s.equal("latest values are those of the checkpoint", got.Metrics, map[string]float64{"val_mse": 0.8})

	l, resume := s.begin(p, at(200))
	digest := resume.Digest
	s.equal("resume", resume, &study.Resume{Attempt: 1, Step: 2, Digest: digest})
	s.equal("checkpoint", s.content(digest), "first")
	s.run(l, 3, 0.71, 0.61, 0.51)
	s.checkpoint(l, 4, "second")
	s.equal("the older checkpoint is gone", s.content(digest), "")
	s.run(l, 6, 0.41)
	_, err = s.Store.Reclaim(s.ctx, s.Study.ID, at(300))
	s.ok(err)

	// Lost before it made anything new: the next one goes on from the second attempt's checkpoint all the same.
	l, resume = s.begin(p, at(400))
	s.equal("resume", resume, &study.Resume{Attempt: 2, Step: 4, Digest: resume.Digest})
	s.run(l, 5, 5)
	_, err = s.Store.Reclaim(s.ctx, s.Study.ID, at(500))
	s.ok(err)
	l, resume = s.begin(p, at(600))
	s.equal("resume", resume, &study.Resume{Attempt: 2, Step: 4, Digest: resume.Digest})
	s.equal("checkpoint", s.content(resume.Digest), "second")
	s.run(l, 5, 0.52, 0.42)
	want := samples(1, 0.9, 0.8, 0.71, 0.61, 0.52, 0.42)
	d := s.detail(0)
	s.equal("curve", d.Curve, want)
	s.equal("history", d.History["val_mse"], want)
	s.complete(l, 0.42, 1)
	d = s.detail(0)
	s.equal("history of the finished trial", d.History["val_mse"], want)
	s.equal("a finished trial has no checkpoint", s.content(resume.Digest), "")
	s.equal("artifacts", d.Artifacts, []study.Artifact(nil))
	var states []string
	var from [][2]int
	for _, a := range d.List {
		states = append(states, a.State)
		from = append(from, [2]int{a.ResumedFrom, a.ResumedStep})
	}
	s.equal("attempts", states, []string{"lost", "lost", "lost", "complete"})
	s.equal("resumed from", from, [][2]int{{0, 0}, {1, 2}, {2, 4}, {2, 4}})
	s.equal("a lost attempt ends at its last sign of life", d.List[0].End, at(4))
}

func storeResumeFromNothing(s *story) {
	p := s.propose()
	l, _ := s.begin(p, at(0))
	s.run(l, 1, 0.9, 0.8)
	_, err := s.Store.Reclaim(s.ctx, s.Study.ID, at(3))
	s.ok(err)
	d := s.detail(0)
	s.equal("curve", d.Curve, []study.Sample(nil))
	s.equal("history", d.History, map[string][]study.Sample{})
	s.equal("metrics", d.Metrics, map[string]float64{})
	l, resume := s.begin(p, at(4))
	s.equal("resume", resume, (*study.Resume)(nil))
	s.run(l, 1, 0.95)
	s.equal("curve", s.trial(0).Curve, samples(1, 0.95))
}

func storeLost(s *story) {
	p := s.propose()
	other := s.propose()
	for i := range 5 {
		l, _ := s.begin(p, at(10*i))
		s.run(l, 1, 0.9)
		if i == 0 { // another trial that ends well is none of this one's business
			l, _ := s.begin(other, at(0))
			s.complete(l, 1, 1)
		}
		n, err := s.Store.Reclaim(s.ctx, s.Study.ID, at(10*i+5))
		s.ok(err)
		got := s.trial(0)
		if i < 4 {
			s.equal("requeued", n, 1)
			s.equal("state", got.State, study.Waiting)
			continue
		}
		s.equal("requeued", n, 0)
		s.equal("state and reason", []any{got.State, got.Reason, got.Attempts, got.Failures}, []any{study.Failed, study.ReasonLost, 5, 0})
		s.equal("end", got.End, at(45))
		if got.Message == "" {
			s.Error("it does not say why")
		}
	}
	n, err := s.Store.Reclaim(s.ctx, s.Study.ID, at(99))
	s.ok(err)
	s.equal("nothing is left to reclaim", n, 0)
}

func storeLostWithCheckpoints(s *story) {
	p := s.propose()
	for i := range 12 {
		l, _ := s.begin(p, at(10*i))
		if i%4 == 3 {
			s.checkpoint(l, i, fmt.Sprint("state ", i))
		}
		n, err := s.Store.Reclaim(s.ctx, s.Study.ID, at(10*i+5))
		s.ok(err)
		s.equal(fmt.Sprintf("requeued after loss %d", i+1), n, 1)
	}
}

func storeFiles(s *story) {
	p := s.propose()
	l, _ := s.begin(p, at(0))
	strip := study.File{Kind: study.StripFile, Name: "strip-1.png", Media: "image/png", Body: bytes.Repeat([]byte("pixels"), 20000)}
	empty := study.File{Kind: study.StripFile, Name: "empty", Media: "text/plain"}
	s.ok(s.Store.Commit(s.ctx, l, 1, []study.File{strip, empty}, at(1)))
	list := s.detail(0).Artifacts
	if len(list) != 2 {
		s.Fatalf("%d artifacts, want 2", len(list))
	}
	s.equal("artifact", list[0], study.Artifact{
		Kind: study.StripFile, Name: "strip-1.png", Media: "image/png", Step: 1, Size: 120000,
		Digest: list[0].Digest,
	})
	s.equal("the empty file's digest", list[1].Digest, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
	if got := s.content(list[0].Digest); got != string(strip.Body) {
		s.Errorf("the strip came back with %d bytes", len(got))
	}
	for _, digest := range []string{"", "ab", "../../etc/passwd", "E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855", "00" + list[0].Digest[2:]} {
		_, err := s.Store.Fetch(s.ctx, digest)
		s.is(err, study.ErrNotFound)
	}
	s.complete(l, 1, 1)
	s.equal("strips stay", len(s.detail(0).Artifacts), 2)
}

func storeSameFile(s *story) {
	a, _ := s.begin(s.propose(), at(0))
	b, _ := s.begin(s.propose(), at(0))
	s.checkpoint(a, 1, "same")
	s.checkpoint(b, 1, "same")
	digest := s.detail(0).Artifacts[0].Digest
	s.equal("digest", s.detail(1).Artifacts[0].Digest, digest)
	s.checkpoint(a, 2, "other")
	s.equal("the other trial still has it", s.content(digest), "same")
	s.checkpoint(b, 2, "same")
	s.equal("replaced by itself", s.content(digest), "same")
	s.checkpoint(b, 3, "third")
	s.equal("nobody has it", s.content(digest), "")
}

func storeFinish(s *story) {
	for i, c := range []struct {
		outcome study.Outcome
		want    study.Trial
	}{
		{
			study.Outcome{State: study.Complete, Value: 0.25, Metrics: map[string]float64{"val_mse": 0.25, "epoch": 2, "psnr": 6}},
			study.Trial{State: study.Complete, Value: 0.25, Metrics: map[string]float64{"val_mse": 0.25, "epoch": 2, "psnr": 6}},
		},
		{
			study.Outcome{State: study.Pruned, Value: 0.75},
			study.Trial{State: study.Pruned, Value: 0.75, Metrics: map[string]float64{"val_mse": 0.75}},
		},
		{
			study.Outcome{State: study.Failed, Reason: study.ReasonMemory, Message: "3 GB asked for"},
			study.Trial{
				State: study.Failed, Value: math.NaN(), Reason: study.ReasonMemory, Message: "3 GB asked for", Failures: 1,
				Metrics: map[string]float64{"val_mse": 0.75},
			},
		},
		{
			study.Outcome{State: study.Failed, Reason: study.ReasonCancelled},
			study.Trial{State: study.Failed, Value: math.NaN(), Reason: study.ReasonCancelled, Metrics: map[string]float64{"val_mse": 0.75}},
		},
	} {
		p := s.propose()
		l, _ := s.begin(p, at(10))
		s.run(l, 1, 0.25, 0.75)
		s.checkpoint(l, 2, fmt.Sprint(i))
		s.ok(s.Store.Finish(s.ctx, l, c.outcome, c.outcome.State, 1, at(70)))
		c.want.ID, c.want.Number, c.want.Params, c.want.Curve = p.ID, i, p.Params, samples(1, 0.25, 0.75)
		c.want.Attempts, c.want.Start, c.want.End, c.want.Duration = 1, at(10), at(70), time.Minute
		s.equal("trial", s.trial(i), c.want)
		a := s.detail(i).List[0]
		s.equal("attempt", []any{a.State, a.Reason, a.Message, a.End}, []any{string(c.outcome.State), c.outcome.Reason, c.outcome.Message, at(70)})
		if _, _, err := s.Store.Begin(s.ctx, p.ID, "host", "cpu:0", at(80)); err == nil {
			s.Fatal("a finished trial was begun again")
		}
	}
	l, _ := s.begin(s.propose(), at(10))
	if err := s.Store.Finish(s.ctx, l, study.Outcome{State: study.Running}, study.Complete, 1, at(20)); err == nil {
		s.Error("an attempt ended as running")
	}
	if err := s.Store.Finish(s.ctx, l, study.Outcome{State: study.Complete}, study.Running, 1, at(20)); err == nil {
		s.Error("a trial ended as running")
	}
	s.equal("state after refused ends", s.trial(4).State, study.Running)
}

func storeRetry(s *story) {
	p := s.propose()
	l, _ := s.begin(p, at(0))
	s.run(l, 1, 0.5, 0.4)
	s.checkpoint(l, 1, "state")
	s.ok(s.Store.Finish(s.ctx, l, study.Outcome{State: study.Failed, Reason: study.ReasonError, Message: "no luck"}, study.Waiting, 1, at(30)))
	got := s.trial(0)
	s.equal("trial", []any{got.State, got.Failures, got.Attempts, got.End, got.Duration}, []any{study.Waiting, 1, 1, time.Time{}, 30 * time.Second})
	s.equal("curve", got.Curve, samples(1, 0.5))
	l, resume := s.begin(p, at(100))
	s.equal("the retry goes on from the checkpoint", resume, &study.Resume{Attempt: 1, Step: 1, Digest: resume.Digest})
	got = s.trial(0)
	s.equal("a running trial has no reason yet", []any{got.Reason, got.Message, got.Start}, []any{study.Reason(""), "", at(0)})
	s.run(l, 2, 0.3)
	s.ok(s.Store.Finish(s.ctx, l, study.Outcome{State: study.Complete, Value: 0.3}, study.Complete, 1, at(110)))
	got = s.trial(0)
	s.equal("trial", []any{got.State, got.Failures, got.Attempts, got.Duration, got.Value}, []any{study.Complete, 1, 2, 40 * time.Second, 0.3})
	s.equal("curve", got.Curve, samples(1, 0.5, 0.3))
}

func storeRelease(s *story) {
	p := s.propose()
	for i := range 7 { // more often than a trial may be lost
		l, resume := s.begin(p, at(100*i))
		if (resume != nil) != (i > 0) {
			s.Fatalf("attempt %d resumes %v", i+1, resume)
		}
		s.run(l, i+1, float64(i), 99)
		s.checkpoint(l, i+1, fmt.Sprint(i))
		s.ok(s.Store.Finish(s.ctx, l, study.Outcome{State: study.Waiting}, study.Waiting, 1, at(100*i+10)))
		got := s.trial(0)
		s.equal("trial", []any{got.State, got.Failures, got.Attempts, got.Value}, []any{study.Waiting, 0, i + 1, math.NaN()})
	}
	s.equal("curve", s.trial(0).Curve, samples(1, 0, 1, 2, 3, 4, 5, 6))
	s.equal("attempt", s.detail(0).List[6].State, "released")
}

func storeKeepBest(s *story) {
	var digests []string
	for i, v := range []float64{0.5, math.NaN(), 0.3, 0.4, 0.2, math.Inf(1)} {
		l, _ := s.begin(s.propose(), at(0))
		s.complete(l, v, 2, study.File{Kind: study.ModelFile, Name: "model", Body: []byte(fmt.Sprint("model ", i))})
		for _, a := range s.detail(i).Artifacts {
			s.equal("step of the best epoch", a.Step, 2)
		}
		sum := ""
		if l := s.detail(i).Artifacts; len(l) == 1 {
			sum = l[0].Digest
		}
		digests = append(digests, sum)
	}
	var kept []int
	for i := range digests {
		if len(s.detail(i).Artifacts) > 0 {
			kept = append(kept, i)
			s.equal("model", s.content(digests[i]), fmt.Sprint("model ", i))
		} else if digests[i] != "" {
			s.equal("removed model", s.content(digests[i]), "")
		}
	}
	s.equal("trials whose models are kept", kept, []int{2, 4})
	l, _ := s.begin(s.propose(), at(0))
	s.complete(l, 9, 0)
	s.equal("keep nothing", s.content(digests[2])+s.content(digests[4]), "")
}

func storeEvents(s *story) {
	before, err := s.Events(s.ctx)
	s.ok(err)
	l, _ := s.begin(s.propose(), at(0))
	s.run(l, 1, 0.5)
	s.checkpoint(l, 1, "state")
	_, err = s.Store.Reclaim(s.ctx, s.Study.ID, at(9))
	s.ok(err)
	l, _ = s.begin(s.trial(0), at(10))
	s.complete(l, 0.5, 1)
	events, err := s.Events(s.ctx)
	s.ok(err)
	var kinds []string
	last := int64(0)
	for _, e := range events {
		if e.Seq <= last {
			s.Errorf("event %d comes after %d", e.Seq, last)
		}
		last = e.Seq
	}
	for _, e := range events[len(before):] {
		s.equal("number", e.Number, 0)
		kinds = append(kinds, e.Kind)
	}
	s.equal("kinds", kinds, []string{"proposed", "began", "point", "committed", "requeued", "began", "finished"})
}

func storeWish(s *story) {
	v, err := s.Store.Wish(s.ctx, s.Study.ID)
	s.ok(err)
	s.equal("wish", v, study.Go)
}

func storeReopen(s *story) {
	for i := range 3 {
		l, _ := s.begin(s.propose(), at(i))
		s.run(l, 1, 0.5, math.NaN(), 0.25)
		s.checkpoint(l, 2, fmt.Sprint("state ", i))
		if i == 1 {
			s.complete(l, 0.25, 2, study.File{Kind: study.ModelFile, Name: "model", Body: []byte("model")})
		}
	}
	want, err := s.Store.Trials(s.ctx, s.Study.ID)
	s.ok(err)
	details := []study.Detail{s.detail(0), s.detail(1), s.detail(2)}
	s.Opened = s.Reopen(s.T)
	got, err := s.Store.Trials(s.ctx, s.Study.ID)
	s.ok(err)
	s.equal("trials", got, want)
	for i := range details {
		s.equal("detail", s.detail(i), details[i])
	}
	s.equal("model", s.content(details[1].Artifacts[0].Digest), "model")
	n, err := s.Store.Reclaim(s.ctx, s.Study.ID, at(100))
	s.ok(err)
	s.equal("requeued", n, 2)
	_, resume := s.begin(s.trial(2), at(101))
	s.equal("checkpoint", s.content(resume.Digest), "state 2")
}
