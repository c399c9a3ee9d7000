package studytest

import (
	"errors"
	"fmt"
	"math"

	"sweep/study"
)

// The cases of [Store] about proposals, attempts, points and what is hidden of them.

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
	a, resume, err := s.Store.Begin(s.ctx, p.ID, study.Place{Host: "host", Device: "cpu:1"}, at(1))
	s.ok(err)
	want := study.Attempt{ID: a.ID, TrialID: p.ID, Ordinal: 1, Epoch: a.Epoch, Host: "host", Device: "cpu:1", Start: at(1), State: "running"}
	s.equal("attempt", a, want)
	s.equal("resume", resume, (*study.Resume)(nil))
	s.equal("attempts", s.detail(0).List, []study.Attempt{want})
	got := s.trial(0)
	s.equal("state", got.State, study.Running)
	s.equal("start", got.Start, at(1))
	s.equal("count", got.Attempts, 1)
	if _, _, err := s.Store.Begin(s.ctx, p.ID, study.Place{Host: "host", Device: "cpu:0"}, at(2)); err == nil {
		s.Fatal("a running trial was begun again")
	}
	_, _, err = s.Store.Begin(s.ctx, p.ID+100, study.Place{Host: "host", Device: "cpu:0"}, at(2))
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

// An attempt that is lost while its process lives ends then, not at its last sign of life; it counts with those that
// Reclaim finds.
func storeLose(s *story) {
	p := s.propose()
	for i := range 5 {
		l, resume := s.begin(p, at(10*i))
		s.run(l, 1, 0.9)
		if i == 0 {
			s.checkpoint(l, 1, "state")
		} else {
			s.equal("resumed step", resume.Step, 1)
		}
		if i == 2 {
			_, err := s.Store.Reclaim(s.ctx, s.Study.ID, at(10*i+5))
			s.ok(err)
			continue
		}
		state, err := s.Store.Lose(s.ctx, l, "the driver reports an error", at(10*i+5))
		s.ok(err)
		want := study.Waiting
		if i == 4 {
			want = study.Failed
		}
		got := s.trial(0)
		s.equal("states", []study.State{state, got.State}, []study.State{want, want})
		if _, err := s.Store.Lose(s.ctx, l, "again", at(10*i+6)); !errors.Is(err, study.ErrStale) {
			s.Errorf("lost twice: %v", err)
		}
	}
	d, err := s.Detail(s.ctx, 0)
	s.ok(err)
	s.equal("end of the first", d.List[0].End, at(5))
	s.equal("reason and failures", []any{d.Reason, d.Failures}, []any{study.ReasonLost, 0})
}
