package studytest

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"

	"sweep/study"
)

// The cases of [Work] about what happens under a lease, and after it.

func digestOf(body string) string {
	sum := sha256.Sum256([]byte(body))
	return hex.EncodeToString(sum[:])
}

// refused checks that nothing can be had or changed under l.
func (s *shift) refused(what string, l study.Lease) {
	s.Helper()
	before := s.detail(0)
	v, err := s.Work.Append(s.ctx, l, 1000, []study.Point{loss(3, 9)})
	s.is(err, study.ErrStale)
	s.equal("append under "+what, v, study.Stale)
	s.is(s.Work.Commit(s.ctx, l, 3, study.File{Kind: study.CheckpointFile, Name: "zombie", Body: []byte("zombie")}), study.ErrStale)
	r, err := s.Work.Fetch(s.ctx, l, digestOf("state"))
	if err == nil {
		r.Close() // an open file could hold up the end of the test
	}
	s.is(err, study.ErrStale)
	for _, state := range []study.State{study.Complete, study.Waiting, study.Failed} {
		s.is(s.Work.Finish(s.ctx, l, study.Outcome{State: state, Value: 9, Reason: study.ReasonError}), study.ErrStale)
	}
	s.equal("renewed under "+what, s.renew(l), []study.Verdict{study.Stale})
	s.equal("after "+what, s.detail(0), before)
}

func workFencing(s *shift) {
	old := s.one().Lease
	s.run(old, 1, 0.5)
	s.checkpoint(old, 1, "state")
	s.restart()
	s.refused("the lease of a dead process", old)
	l := s.one().Lease
	if l.TrialID != old.TrialID || l.Epoch <= old.Epoch {
		s.Fatalf("the lease %+v is followed by %+v", old, l)
	}
	s.refused("the lease of a dead process beside its successor", old)
	for what, change := range map[string]func(*study.Lease){
		"an old epoch":    func(l *study.Lease) { l.Epoch = old.Epoch },
		"a future epoch":  func(l *study.Lease) { l.Epoch++ },
		"another attempt": func(l *study.Lease) { l.AttemptID = old.AttemptID },
		"another study":   func(l *study.Lease) { l.StudyID += 100 },
		"an unknown one":  func(l *study.Lease) { l.TrialID += 100 },
		"nothing":         func(l *study.Lease) { *l = study.Lease{} },
	} {
		wrong := l
		change(&wrong)
		s.refused(what, wrong)
	}
	s.equal("renewed together", s.renew(old, l, study.Lease{}), []study.Verdict{study.Stale, study.Go, study.Stale})
	s.run(l, 2, 0.25)
	s.release(l)
	s.refused("a lease that was given back", l)
	l = s.one().Lease
	s.finish(l, study.Outcome{State: study.Failed, Reason: study.ReasonError})
	s.refused("a lease that failed", l)
	l = s.one().Lease
	s.finish(l, complete(0.25))
	s.refused("a lease that ended", l)
	s.equal("value", s.detail(0).Value, 0.25)
}

// told checks that the pruner has just seen the curve of trial 0 as it is stored.
func (s *shift) told(want ...study.Sample) {
	s.Helper()
	s.equal("stored curve", s.detail(0).Curve, want)
	s.equal("the pruner's curve", s.pruner.seen.Curve, want)
}

func workAppendOnce(s *shift) {
	l := s.one().Lease
	first := []study.Point{loss(1, 0.5), loss(2, 0.75), {Key: "psnr", Step: 1, Value: 6, Time: at(1)}}
	s.equal("verdict", s.again(l, 1), study.Go)
	before := s.detail(0)
	s.equal("a repeated seq with other points", s.again(l, 1, first...), study.Go)
	s.equal("after a repeated seq with other points", s.detail(0), before)
	s.equal("verdict", s.again(l, 2, first...), study.Go)
	s.told(samples(1, 0.5, 0.75)...)
	before = s.detail(0)
	s.equal("a repeated seq", s.again(l, 2, first...), study.Go)
	s.equal("after a repeated seq", s.detail(0), before)
	s.equal("the next seq", s.again(l, 3, loss(2, 0.25)), study.Go)
	before = s.detail(0)
	s.equal("a late copy", s.again(l, 2, first...), study.Go)
	s.equal("after a late copy", s.detail(0), before)
	s.again(l, 9, loss(3, 0.125)) // gaps are allowed, and a batch may be empty
	s.told(samples(1, 0.5, 0.25, 0.125)...)
	s.equal("an empty batch", s.again(l, 10), study.Go)
	s.finish(l, complete(0.125))
	s.equal("history", s.detail(0).History["psnr"], samples(1, 6))
}

func workAppendOutOfOrder(s *shift) {
	l := s.one().Lease
	for i, p := range []study.Sample{{Step: 2, Value: 5}, {Step: 4, Value: 3}, {Step: 1, Value: 7}, {Step: 3, Value: 2}, {Step: 2, Value: 4}} {
		s.equal("verdict", s.again(l, int64(i+1), loss(p.Step, p.Value)), study.Go)
	}
	s.equal("stored curve", s.detail(0).Curve, samples(1, 7, 4, 2, 3))
	s.equal("verdict", s.again(l, 6, loss(5, 1)), study.Go)
	s.told(samples(1, 7, 4, 2, 3, 1)...)
	s.equal("history", s.detail(0).History["loss"], samples(1, 7, 4, 2, 3, 1))
}

func workAppendRefused(s *shift) {
	l := s.one().Lease
	s.run(l, 1, 0.5)
	before := s.detail(0)
	if _, err := s.Work.Append(s.ctx, l, 2, []study.Point{loss(2, 9), {Step: 2}}); err == nil || errors.Is(err, study.ErrStale) {
		s.Fatalf("a point without a key: %v, want an error of its own", err)
	}
	s.equal("after a refused batch", s.detail(0), before)
	s.equal("the lease still holds", s.renew(l), []study.Verdict{study.Go})
	s.equal("the seq is free", s.again(l, 2, loss(2, 0.25)), study.Go)
	s.told(samples(1, 0.5, 0.25)...)
}

func workPrune(s *shift) {
	g := s.claim(2)
	l := g[0].Lease
	s.pruner.limit = 0.25
	s.equal("above", s.again(l, 1, loss(1, 0.5)), study.Go)
	s.equal("below", s.again(l, 2, loss(2, 0.125)), study.Prune)
	s.equal("trial", s.pruner.seen.Number, 0)
	s.equal("trials", []int{len(s.pruner.all), len(s.pruner.all[0].Curve)}, []int{2, 2})
	s.equal("told again", s.again(l, 2, loss(2, 0.125)), study.Prune)
	s.told(samples(1, 0.5, 0.125)...)
	s.equal("not the objective", s.again(l, 3, study.Point{Key: "psnr", Step: 3, Value: 0, Time: at(3)}), study.Go)
	s.equal("not the newest step", s.again(l, 4, loss(1, 0)), study.Go)
	s.equal("another trial", s.again(g[1].Lease, 1, loss(1, 0.5)), study.Go)
	s.equal("another trial", s.pruner.seen.Number, 1)
	s.finish(l, study.Outcome{State: study.Pruned, Value: 0.125})
	s.equal("states", s.states(), []study.State{study.Pruned, study.Running})
	s.equal("verdict of the rest", s.again(g[1].Lease, 2, loss(2, 0)), study.Prune)
}

func workNotFinite(s *shift) {
	l := s.one().Lease
	values := []float64{math.NaN(), math.Inf(1), math.Inf(-1), 0, math.SmallestNonzeroFloat64, math.MaxFloat64}
	for i, v := range values {
		s.equal("verdict", s.append(l, loss(i+1, v), study.Point{Key: "psnr", Step: i + 1, Value: v, Time: at(i)}), study.Go)
	}
	s.told(samples(1, values...)...)
	s.equal("history", s.detail(0).History, map[string][]study.Sample{"loss": samples(1, values...), "psnr": samples(1, values...)})
	metrics := map[string]float64{"loss": math.Inf(1), "psnr": math.Inf(-1), "ssim": math.NaN(), "mae": 0.5}
	for i, o := range []study.Outcome{
		{State: study.Pruned, Value: math.Inf(-1), Metrics: metrics},
		{State: study.Complete, Value: math.NaN(), Metrics: metrics},
		{State: study.Complete, Value: math.Inf(1), Metrics: metrics},
	} {
		s.finish(l, o)
		got := s.trials()[i]
		s.equal("ended as", []any{got.State, got.Value, got.Metrics}, []any{o.State, o.Value, o.Metrics})
		if i < 2 {
			l = s.one().Lease
		}
	}
}

func workCommit(s *shift) {
	l := s.one().Lease
	s.run(l, 1, 0.5, 0.25)
	strip := study.File{Kind: study.StripFile, Name: "epoch-1.png", Media: "image/png", Step: 1, Body: []byte("pixels")}
	s.ok(s.Work.Commit(s.ctx, l, 2, strip, study.File{Kind: study.CheckpointFile, Name: "state", Media: "x/state", Body: []byte("\x00\xff state")}))
	got := s.detail(0).Artifacts
	slices.SortFunc(got, func(a, b study.Artifact) int { return a.Step - b.Step })
	s.equal("artifacts", got, []study.Artifact{
		{Kind: study.StripFile, Name: "epoch-1.png", Media: "image/png", Step: 1, Size: 6, Digest: digestOf("pixels")},
		{Kind: study.CheckpointFile, Name: "state", Media: "x/state", Step: 2, Size: 8, Digest: digestOf("\x00\xff state")},
	})
	s.equal("the checkpoint", s.content(l, digestOf("\x00\xff state")), "\x00\xff state")
	s.equal("the strip", s.content(l, digestOf("pixels")), "pixels")
	for _, digest := range []string{"", "../state", digestOf("nobody's")} {
		_, err := s.Work.Fetch(s.ctx, l, digest)
		s.is(err, study.ErrNotFound)
	}
	s.checkpoint(l, 2, "newer")
	s.restart()
	g := s.one()
	s.equal("the newest checkpoint counts", g.Resume, &study.Resume{Attempt: 1, Step: 2, Digest: digestOf("newer")})
	s.equal("strips stay", s.content(g.Lease, digestOf("pixels")), "pixels")
}

func workResume(s *shift) {
	g := s.one()
	s.run(g.Lease, 1, 0.5, 0.4)
	s.checkpoint(g.Lease, 2, "state")
	s.run(g.Lease, 3, 0.3)
	resumed := func(attempt int) {
		s.Helper()
		g = s.one()
		s.equal("attempt and resume", []any{g.Attempt, g.Resume}, []any{attempt, &study.Resume{Attempt: 1, Step: 2, Digest: digestOf("state")}})
		s.equal("state", s.content(g.Lease, g.Resume.Digest), "state")
		d := s.detail(0)
		s.equal("points after the checkpoint are hidden", d.Curve, samples(1, 0.5, 0.4))
		s.equal("also of the history", d.History, map[string][]study.Sample{"loss": samples(1, 0.5, 0.4)})
	}
	s.restart()
	s.equal("states", s.states(), []study.State{study.Waiting})
	s.equal("hidden at once", s.trials()[0].Curve, samples(1, 0.5, 0.4))
	resumed(2)
	s.run(g.Lease, 3, 0.35)
	s.told(samples(1, 0.5, 0.4, 0.35)...)
	s.restart()
	resumed(3) // lost before it made a checkpoint of its own
	s.run(g.Lease, 3, 0.36, 0.26)
	s.release(g.Lease)
	resumed(4)
	s.run(g.Lease, 3, 0.37)
	s.told(samples(1, 0.5, 0.4, 0.37)...) // also where one process runs both attempts
	s.run(g.Lease, 4, 0.27)
	s.finish(g.Lease, study.Outcome{State: study.Failed, Reason: study.ReasonError})
	resumed(5)
	s.run(g.Lease, 3, 0.38)
	s.told(samples(1, 0.5, 0.4, 0.38)...)
	s.finish(g.Lease, complete(0.38))
	s.equal("history", s.detail(0).History["loss"], samples(1, 0.5, 0.4, 0.38))
	s.done()
	s.restart()
	s.equal("curve", s.trials()[0].Curve, samples(1, 0.5, 0.4, 0.38))
}

func workResumeFromNothing(s *shift) {
	g := s.one()
	s.run(g.Lease, 1, 0.5, 0.4)
	s.ok(s.Work.Commit(s.ctx, g.Lease, 2, study.File{Kind: study.StripFile, Name: "strip", Body: []byte("pixels")})) // no checkpoint
	s.restart()
	g = s.one()
	s.equal("attempt and resume", []any{g.Attempt, g.Resume}, []any{2, (*study.Resume)(nil)})
	s.equal("all is hidden", s.detail(0).History, map[string][]study.Sample{})
	s.equal("seqs begin anew", s.append(g.Lease, loss(1, 0.6)), study.Go)
	s.told(samples(1, 0.6)...)
}

func workFinish(s *shift) {
	outcomes := []study.Outcome{
		{State: study.Complete, Value: 0.25, Metrics: map[string]float64{"loss": 0.25, "psnr": 6}},
		{State: study.Pruned, Value: 0.75, Metrics: map[string]float64{"loss": 0.75}},
		{State: study.Failed, Reason: study.ReasonNaN, Message: "loss is NaN at epoch 2: lower the learning rate"},
	}
	for i, o := range outcomes {
		g := s.one()
		s.run(g.Lease, 1, 0.25, 0.75)
		s.checkpoint(g.Lease, 1, "state")
		o.Files = []study.File{{Kind: study.StripFile, Name: "strip", Media: "image/png", Step: 2, Body: fmt.Append(nil, "pixels ", i)}}
		if o.State == study.Complete {
			o.Files = append(o.Files, study.File{Kind: study.ModelFile, Name: "model", Step: 1, Body: []byte("weights")})
		}
		if err := s.Work.Finish(s.ctx, g.Lease, study.Outcome{State: study.Running}); err == nil || errors.Is(err, study.ErrStale) {
			s.Fatalf("an attempt ended as running: %v", err)
		}
		s.equal("a refused end", s.renew(g.Lease), []study.Verdict{study.Go})
		s.finish(g.Lease, o)

		d := s.detail(i)
		want := study.Trial{
			ID: d.ID, Number: i, State: o.State, Params: workParams(i), Value: o.Value, Reason: o.Reason, Message: o.Message,
			Curve: samples(1, 0.25, 0.75), Metrics: o.Metrics, Attempts: 1, Start: d.Start, End: d.End, Duration: d.End.Sub(d.Start),
		}
		if o.State == study.Failed {
			want.Value, want.Failures, want.Metrics = math.NaN(), 1, map[string]float64{"loss": 0.75}
		}
		s.equal("trial", d.Trial, want)
		if d.Duration <= 0 {
			s.Fatalf("trial %d took %v", i, d.Duration)
		}
		s.equal("attempt", []any{len(d.List), d.List[0].State}, []any{1, string(o.State)})
		s.equal("where it ran", []string{d.List[0].Host, d.List[0].Device}, []string{"here", "cpu:0"})
		kept := map[string]int{}
		for _, a := range d.Artifacts {
			kept[string(a.Kind)+" "+a.Digest] = a.Step
		}
		files := map[string]int{}
		for _, f := range o.Files {
			files[string(f.Kind)+" "+digestOf(string(f.Body))] = f.Step
		}
		s.equal("files and their steps", kept, files)
	}
	s.done()
}

// Of several that end an attempt at the same time, one does.
func workFinishOnce(s *shift) {
	l := s.one().Lease
	errs := make([]error, 4)
	var all sync.WaitGroup
	for i := range errs {
		all.Go(func() { errs[i] = s.Work.Finish(s.ctx, l, complete(float64(i))) })
	}
	all.Wait()
	won := -1
	for i, err := range errs {
		switch {
		case err == nil && won >= 0:
			s.Fatalf("it ended twice, as %d and as %d", won, i)
		case err == nil:
			won = i
		default:
			s.is(err, study.ErrStale)
		}
	}
	if won < 0 {
		s.Fatal("nobody ended it")
	}
	s.equal("value", s.trials()[0].Value, float64(won))
	s.equal("number of the next", s.one().Number, 1)
}
