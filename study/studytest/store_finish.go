package studytest

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"time"

	"sweep/study"
)

// The cases of [Store] about files, the ends of attempts and trials, events and requests.

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
	s.complete(l, 1, 1, study.File{Kind: study.ModelFile, Name: "model", Body: []byte("model")})
	s.equal("strips stay", len(s.detail(0).Artifacts), 3)
	for _, a := range s.detail(0).Artifacts {
		if a.Kind == study.ModelFile {
			s.equal("step of a file that names none at a finish", a.Step, 0)
		}
	}
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

// An attempt that goes on from before a file of a lost one makes it again: there is one of it.
func storeFileAgain(s *story) {
	strip := func(step int, body string) study.File {
		return study.File{Kind: study.StripFile, Name: fmt.Sprintf("epoch-%d.png", step), Media: "image/png", Step: step, Body: []byte(body)}
	}
	model := func(body string) study.File {
		return study.File{Kind: study.ModelFile, Name: "model", Step: 2, Body: []byte(body)}
	}
	p := s.propose()
	l, _ := s.begin(p, at(0))
	s.ok(s.Store.Commit(s.ctx, l, 2, []study.File{strip(1, "old 1"), strip(2, "old 2"), model("old model")}, at(1)))
	var old []string
	for _, a := range s.detail(0).Artifacts {
		old = append(old, a.Digest)
	}
	s.equal("files of the first attempt", len(old), 3)
	_, err := s.Store.Reclaim(s.ctx, s.Study.ID, at(2))
	s.ok(err)
	l, _ = s.begin(p, at(3))
	other := strip(1, "of another name")
	other.Name = "other.png"
	s.ok(s.Store.Commit(s.ctx, l, 1, []study.File{strip(1, "new 1"), other}, at(4)))
	s.ok(s.Store.Commit(s.ctx, l, 1, []study.File{strip(1, "new 1")}, at(4))) // told twice
	s.complete(l, 1, 1, strip(2, "new 2"), model("new model"))
	var got []string
	for _, a := range s.detail(0).Artifacts {
		got = append(got, fmt.Sprint(a.Step, " ", a.Kind, " ", a.Name, ": ", s.content(a.Digest)))
	}
	slices.Sort(got)
	s.equal("files", got, []string{
		"1 strip epoch-1.png: new 1", "1 strip other.png: of another name", "2 model model: new model", "2 strip epoch-2.png: new 2",
	})
	for _, digest := range old {
		s.equal("a replaced file", s.content(digest), "")
	}
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
		if _, _, err := s.Store.Begin(s.ctx, p.ID, study.Place{Host: "host", Device: "cpu:0"}, at(80)); err == nil {
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
		// The store knows no metric: that complete calls an epoch 2 means nothing to it.
		s.complete(l, v, 2, study.File{Kind: study.ModelFile, Name: "model", Step: 3, Body: []byte(fmt.Sprint("model ", i))})
		for _, a := range s.detail(i).Artifacts {
			s.equal("the file's own step", a.Step, 3)
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

// Pictures by epoch stay with the trials whose models are kept; of the others one stays.
func storeKeepStrips(s *story) {
	strip := func(step int) study.File {
		return study.File{Kind: study.StripFile, Name: fmt.Sprint(step), Step: step, Body: []byte(fmt.Sprint("strip ", step))}
	}
	steps := func(n int) []int {
		var out []int
		for _, a := range s.detail(n).Artifacts {
			if a.Kind == study.StripFile {
				out = append(out, a.Step)
			}
		}
		return out
	}
	model := study.File{Kind: study.ModelFile, Name: "model", Step: 2, Body: []byte("model")}
	l, _ := s.begin(s.propose(), at(0))
	s.complete(l, 0.5, 1, strip(1), strip(2), strip(3), model)
	s.equal("of the best trial", steps(0), []int{1, 2, 3})
	l, _ = s.begin(s.propose(), at(1))
	s.complete(l, 0.4, 1, strip(1), strip(2), strip(3), model)
	s.equal("of the new best", steps(1), []int{1, 2, 3})
	s.equal("of the one that it replaced", steps(0), []int{2})
	l, _ = s.begin(s.propose(), at(2))
	s.ok(s.Store.Finish(s.ctx, l, study.Outcome{State: study.Pruned, Value: 0.1, Files: []study.File{strip(1), strip(3)}}, study.Pruned, 1, at(3)))
	s.equal("of a pruned one", steps(2), []int{3})
	s.equal("the model", len(s.detail(1).Artifacts), 4)
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
	if s.Request == nil {
		return
	}
	ask := func(v study.Verdict) {
		s.Helper()
		s.ok(s.Request(s.ctx, v))
		for range 2 { // a look takes nothing away
			got, err := s.Store.Wish(s.ctx, s.Study.ID)
			s.ok(err)
			s.equal("wish", got, v)
		}
	}
	for _, v := range []study.Verdict{study.Pause, study.Stop, study.Go, study.Pause} {
		ask(v)
	}
	s.Opened = s.Reopen(s.T)
	v, err = s.Store.Wish(s.ctx, s.Study.ID)
	s.ok(err)
	s.equal("wish of a store opened again", v, study.Pause)
	ask(study.Go)
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
