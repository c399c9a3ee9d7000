package studytest

import (
	"errors"
	"math"

	"sweep/study"
)

// The cases of [Work] about devices: what they are, what they can run and that they can be lost.

// An attempt says which kind of device it ran on.
func workKinds(s *shift) {
	g, err := s.Work.Claim(s.ctx, study.Capacity{Host: "here", Device: "cuda:0", Kind: "NVIDIA H100, tf32", Slots: 1, Kinds: []string{"conv"}})
	s.ok(err)
	s.equal("grants", len(g), 1)
	a := s.detail(0).List[0]
	s.equal("where it ran", []string{a.Device, a.Kind, a.Because}, []string{"cuda:0", "NVIDIA H100, tf32", ""})
}

// The model of a trial is wanted while fewer than two of the complete ones are better; values that are no numbers come last.
func workKeeps(s *shift) {
	keeps := func(l study.Lease, v float64) bool {
		s.Helper()
		k, err := s.Work.Keeps(s.ctx, l, v)
		s.ok(err)
		return k
	}
	for i, c := range []struct {
		value float64
		want  bool
	}{{3, true}, {math.NaN(), true}, {5, true}, {4, true}, {4.5, false}, {4, true}, {math.NaN(), false}, {math.Inf(1), false}, {1, true}} {
		if i == 4 { // another process knows what the first one did
			s.restart()
		}
		l := s.one().Lease
		if got := keeps(l, c.value); got != c.want {
			s.Errorf("trial %d with %g: kept is %v", i, c.value, got)
		}
		s.finish(l, complete(c.value))
		if _, err := s.Work.Keeps(s.ctx, l, 0); !errors.Is(err, study.ErrStale) {
			s.Errorf("a trial that is over: %v", err)
		}
	}
}

// A trial whose device is lost waits again and is charged with nothing, until that has happened too often.
func workLost(s *shift) {
	lost := study.Outcome{State: study.Failed, Reason: study.ReasonLost, Message: "the driver reports an error"}
	for i := range 5 {
		g := s.one()
		s.equal("number and attempt", []int{g.Number, g.Attempt}, []int{0, i + 1})
		s.run(g.Lease, 1, 0.5)
		s.finish(g.Lease, lost)
		d := s.detail(0)
		a := d.List[i]
		s.equal("attempt", []any{a.State, a.Reason, a.Message}, []any{"lost", study.ReasonLost, lost.Message})
		want := study.Waiting
		if i == 4 {
			want = study.Failed
		}
		s.equal("trial", []any{d.State, d.Failures}, []any{want, 0})
	}
	s.equal("reason", s.detail(0).Reason, study.ReasonLost)
	s.done()
}
