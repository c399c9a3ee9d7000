package studytest

import (
	"context"
	"math"
	"reflect"
	"slices"
	"testing"

	"sweep/study"
)

// Space returns one dimension of every kind that a sweep file can name.
func Space() study.Space {
	dim := func(name string, d study.Distribution) study.Dimension {
		return study.Dimension{Name: name, Distribution: d}
	}
	return study.Space{
		dim("float", study.Distribution{Kind: study.Float, Low: -2, High: 3}),
		dim("log", study.Distribution{Kind: study.Float, Low: 1e-4, High: 1e-1, Log: true}),
		dim("step", study.Distribution{Kind: study.Float, Low: 0.1, High: 0.75, Step: 0.2}),
		dim("int", study.Distribution{Kind: study.Int, Low: 1, High: 3}),
		dim("intstep", study.Distribution{Kind: study.Int, Low: 2, High: 11, Step: 3}),
		dim("intlog", study.Distribution{Kind: study.Int, Low: 1, High: 64, Log: true}),
		dim("words", study.Distribution{Kind: study.Categorical, Choices: []any{"a", "b", "c"}}),
		dim("numbers", study.Distribution{Kind: study.Categorical, Choices: []any{int64(32), int64(64), 0.5, true, nil}}),
		dim("lists", study.Distribution{Kind: study.Categorical, Choices: []any{[]any{int64(8), int64(16)}, []any{int64(8)}}}),
		dim("fixed", study.Fixed("only")),
		dim("fixedlist", study.Fixed([]any{int64(4), int64(8)})),
		dim("fixedint", study.Distribution{Kind: study.Int, Low: 7, High: 7}),
		dim("fixedfloat", study.Distribution{Kind: study.Float, Low: 0.25, High: 0.25}),
	}
}

// History returns an ask for trial n of a study over [Space] whose n trials lie evenly over the space and are finished:
// most complete, some pruned, a few failed.
func History(n int, seed uint64) study.Ask {
	a := study.Ask{Number: n, Seed: seed, Space: Space(), Objective: study.Objective{Name: "loss", Direction: study.Minimize}}
	r := study.Stream(seed, 0, "history", 0)
	for i := range n {
		p := study.Params{}
		for _, d := range a.Space {
			low, high := d.Distribution.Low, d.Distribution.High
			if d.Distribution.Kind == study.Categorical {
				low, high = 0, float64(len(d.Distribution.Choices)-1)
			}
			p[d.Name] = d.Distribution.External(low + r.Float64()*(high-low))
		}
		t := study.Trial{ID: int64(i + 1), Number: i, State: study.Complete, Params: p, Value: r.Float64()}
		for step := 1; step <= 5; step++ {
			t.Curve = append(t.Curve, study.Sample{Step: step, Value: t.Value + 1/float64(step)})
		}
		switch {
		case i%50 == 49:
			t.State, t.Value = study.Failed, math.NaN()
		case i%4 == 3:
			t.State, t.Curve = study.Pruned, t.Curve[:2]
			t.Value = t.Curve[1].Value
		}
		a.Trials = append(a.Trials, t)
	}
	return a
}

// TestSampler checks what package study states of a [study.Sampler]. fresh makes a new one; it is called once a check.
func TestSampler(t *testing.T, fresh func(t *testing.T) study.Sampler) {
	sample := func(t *testing.T, s study.Sampler, a study.Ask) study.Params {
		t.Helper()
		p, err := s.Sample(t.Context(), a)
		if err != nil {
			t.Fatal(err)
		}
		if err := a.Space.Check(p); err != nil {
			t.Fatalf("trial %d: %v", a.Number, err)
		}
		if len(p) != len(a.Space) {
			t.Fatalf("trial %d has %d parameters, its space %d", a.Number, len(p), len(a.Space))
		}
		return p
	}

	t.Run("every value has the type of its distribution and lies on its grid", func(t *testing.T) {
		s := fresh(t)
		for _, n := range []int{0, 60} {
			a := History(n, 3)
			for i := range 40 {
				a.Seed = uint64(i)
				p := sample(t, s, a)
				for _, d := range a.Space {
					x, err := d.Distribution.Internal(p[d.Name])
					if err != nil {
						t.Fatal(err)
					}
					if again := d.Distribution.External(x); !reflect.DeepEqual(again, p[d.Name]) {
						t.Fatalf("%s: %v is not on the grid, which has %v there", d.Name, p[d.Name], again)
					}
				}
			}
		}
	})

	t.Run("both ends of every range are reached", func(t *testing.T) {
		// With a history that teaches nothing (no values), the rarest end of Space has probability 0.0161 (intlog at
		// 64: log(64.5/63.5)/log(64.5/0.5) = 0.0032 is the exception and is left to the quantiles), so 800 draws miss
		// one end with probability under 0.9839^800 < 3e-6.
		s := fresh(t)
		a := History(0, 5)
		seen := map[string]map[string]bool{}
		for i := range 800 {
			a.Number = i
			p := sample(t, s, a)
			for k, v := range p {
				if seen[k] == nil {
					seen[k] = map[string]bool{}
				}
				seen[k][study.FormatValue(v)] = true
			}
		}
		for name, want := range map[string]int{"step": 4, "int": 3, "intstep": 4, "words": 3, "numbers": 5, "lists": 2, "fixed": 1} {
			if len(seen[name]) != want {
				t.Errorf("%s: %d of %d values were reached: %v", name, len(seen[name]), want, seen[name])
			}
		}
		if !seen["intlog"]["1"] {
			t.Error("intlog never gave its least value")
		}
	})

	t.Run("without history a logarithmic range is even in the logarithm", func(t *testing.T) {
		// The share of n draws below a quantile q is binomial: five standard deviations of it are the bound, which a
		// right sampler crosses with probability under 6e-7.
		const n = 2000
		s := fresh(t)
		a := History(0, 7)
		var logs, ints, plain []float64
		for i := range n {
			a.Number = i
			p := sample(t, s, a)
			f, _ := study.AsFloat(p["log"])
			g, _ := study.AsFloat(p["intlog"])
			h, _ := study.AsFloat(p["float"])
			logs = append(logs, (math.Log(f)-math.Log(1e-4))/math.Log(1e3))
			ints = append(ints, g)
			plain = append(plain, (h+2)/5)
		}
		check := func(name string, v []float64, limit, q float64) {
			below := 0
			for _, x := range v {
				if x <= limit {
					below++
				}
			}
			if got, bound := float64(below)/n, 5*math.Sqrt(q*(1-q)/n); math.Abs(got-q) > bound {
				t.Errorf("%s: a share of %.3f is at most %g, want %.3f ± %.3f", name, got, limit, q, bound)
			}
		}
		for _, q := range []float64{0.1, 0.25, 0.5, 0.75, 0.9} {
			check("log", logs, q, q)
			check("float", plain, q, q)
		}
		for _, k := range []float64{1, 2, 8, 32, 63} {
			check("intlog", ints, k, math.Log((k+0.5)/0.5)/math.Log(64.5/0.5))
		}
	})

	t.Run("the same ask has the same answer", func(t *testing.T) {
		for _, n := range []int{0, 9, 10, 40, 200} {
			a := History(n, 11)
			one, two := fresh(t), fresh(t)
			first := sample(t, one, a)
			sample(t, one, History(n/2, 12)) // what it did meanwhile must not matter
			if again := sample(t, one, a); !reflect.DeepEqual(first, again) {
				t.Errorf("after %d trials the same sampler answers %v, then %v", n, first, again)
			}
			if other := sample(t, two, a); !reflect.DeepEqual(first, other) {
				t.Errorf("after %d trials another sampler answers %v instead of %v", n, other, first)
			}
			turned := a
			turned.Space = slices.Clone(a.Space)
			slices.Reverse(turned.Space)
			if got := sample(t, one, turned); !reflect.DeepEqual(first, got) {
				t.Errorf("after %d trials the order of the parameters changes the answer: %v, %v", n, first, got)
			}
		}
	})

	t.Run("seeds and numbers give different answers", func(t *testing.T) {
		s := fresh(t)
		a := History(60, 13)
		first := sample(t, s, a)
		a.Seed++
		if reflect.DeepEqual(first, sample(t, s, a)) {
			t.Error("another seed gives the same trial")
		}
		b := History(60, 13)
		b.Trials = b.Trials[:0]
		b.Number = 0
		p := sample(t, s, b)
		b.Number = 1
		if reflect.DeepEqual(p, sample(t, s, b)) {
			t.Error("trials 0 and 1 are the same")
		}
	})

	t.Run("the history is not changed", func(t *testing.T) {
		a, b := History(60, 17), History(60, 17)
		sample(t, fresh(t), a)
		if FormatTrials(a.Trials) != FormatTrials(b.Trials) {
			t.Error("sampling changed the trials it was shown")
		}
	})

	t.Run("values that are not numbers", func(t *testing.T) {
		for _, value := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
			for every := 1; every <= 2; every++ {
				a := History(40, 19)
				for i := range a.Trials {
					if i%every == 0 {
						a.Trials[i].Value = value
						for j := range a.Trials[i].Curve {
							a.Trials[i].Curve[j].Value = value
						}
					}
				}
				for i := range 20 {
					a.Seed = uint64(i)
					sample(t, fresh(t), a)
				}
			}
		}
	})

	t.Run("only failed, only pending, and trials of an older space", func(t *testing.T) {
		for _, state := range []study.State{study.Failed, study.Running, study.Waiting} {
			a := History(40, 23)
			for i := range a.Trials {
				a.Trials[i].State, a.Trials[i].Value = state, math.NaN()
			}
			sample(t, fresh(t), a)
		}
		a := History(40, 29)
		for i := range a.Trials {
			switch i % 3 {
			case 0:
				delete(a.Trials[i].Params, "float")
			case 1:
				a.Trials[i].Params["int"] = int64(99)
			case 2:
				a.Trials[i].Params["words"] = "gone"
			}
		}
		sample(t, fresh(t), a)
	})

	t.Run("one dimension, and none to search", func(t *testing.T) {
		a := History(0, 31)
		for i := range Space() {
			b := a
			b.Space = Space()[i : i+1]
			for n := range 30 {
				b.Number = n
				p := sample(t, fresh(t), b)
				b.Trials = append(b.Trials, study.Trial{Number: n, State: study.Complete, Params: p, Value: float64(n)})
			}
		}
		b := a
		b.Space = nil
		if p := sample(t, fresh(t), b); len(p) != 0 {
			t.Errorf("an empty space gave %v", p)
		}
	})

	t.Run("a large history", func(t *testing.T) {
		sample(t, fresh(t), History(5000, 37))
	})

	t.Run("a cancelled context", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := fresh(t).Sample(ctx, History(20, 41)); err == nil {
			t.Error("no error")
		}
	})
}
