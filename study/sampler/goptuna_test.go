package sampler

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"sync"
	"testing"

	"github.com/c-bata/goptuna"
	"github.com/c-bata/goptuna/cmaes"
	"github.com/c-bata/goptuna/sobol"
	"github.com/c-bata/goptuna/tpe"

	"sweep/study"
	"sweep/study/studytest"
)

func viewOf(a study.Ask) *view {
	v := &view{ask: a, searched: a.Space.Searched(), space: map[string]any{}}
	for _, d := range v.searched {
		v.space[d.Name], _ = toGoptuna(d.Distribution)
	}
	return v
}

// Any Goptuna sampler can be put in: its own ones must give values of the space, mixed categories and logarithmic
// integers included.
func TestForeignSamplers(t *testing.T) {
	for name, make := range map[string]func(study.Ask) (goptuna.Sampler, goptuna.RelativeSampler){
		"random": func(a study.Ask) (goptuna.Sampler, goptuna.RelativeSampler) {
			return goptuna.NewRandomSampler(goptuna.RandomSamplerOptionSeed(int64(a.Number))), nil
		},
		"tpe": func(a study.Ask) (goptuna.Sampler, goptuna.RelativeSampler) {
			return tpe.NewSampler(tpe.SamplerOptionSeed(int64(a.Number))), nil
		},
		"cmaes": func(a study.Ask) (goptuna.Sampler, goptuna.RelativeSampler) {
			return &Random{a.Seed}, cmaes.NewSampler(cmaes.SamplerOptionSeed(int64(a.Number)))
		},
		"sobol": func(a study.Ask) (goptuna.Sampler, goptuna.RelativeSampler) {
			return &Random{a.Seed}, sobol.NewSampler()
		},
	} {
		t.Run(name, func(t *testing.T) {
			for _, n := range []int{0, 30} {
				a := studytest.History(n, 3)
				p, err := Goptuna(make).Sample(t.Context(), a)
				if err != nil {
					t.Fatal(err)
				}
				if err := a.Space.Check(p); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// recorder is a relative sampler that notes the space that it is asked for.
type recorder struct{ space map[string]any }

func (r *recorder) SampleRelative(_ *goptuna.Study, _ goptuna.FrozenTrial, space map[string]any) (map[string]float64, error) {
	r.space = maps.Clone(space)
	return nil, nil
}

// Goptuna computed the space without single-valued parameters and then passed all of them on.
func TestSingleValuesNeverReachTheSampler(t *testing.T) {
	r := &recorder{}
	s := Goptuna(func(a study.Ask) (goptuna.Sampler, goptuna.RelativeSampler) { return &Random{a.Seed}, r })
	p, err := s.Sample(t.Context(), studytest.History(0, 1))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"float", "int", "intlog", "intstep", "lists", "log", "numbers", "step", "words"}
	if got := slices.Sorted(maps.Keys(r.space)); !slices.Equal(got, want) {
		t.Errorf("the sampler was asked for %v, want %v", got, want)
	}
	if p["fixed"] != "only" || p["fixedint"] != int64(7) || p["fixedfloat"] != 0.25 {
		t.Errorf("fixed parameters are %v", p)
	}
}

type broken struct{ value float64 }

func (b broken) Sample(*goptuna.Study, goptuna.FrozenTrial, string, any) (float64, error) {
	if b.value == 0 {
		return 0, errors.New("out of ideas")
	}
	return b.value, nil
}

func TestBrokenSamplersAreErrors(t *testing.T) {
	a := studytest.History(0, 1)
	a.Space = a.Space[:1]
	for _, v := range []float64{0, math.NaN()} {
		s := Goptuna(func(study.Ask) (goptuna.Sampler, goptuna.RelativeSampler) { return broken{v}, nil })
		if p, err := s.Sample(t.Context(), a); err == nil {
			t.Errorf("value %v: no error but %v", v, p)
		}
	}
	// What is off the grid or outside is brought back.
	s := Goptuna(func(study.Ask) (goptuna.Sampler, goptuna.RelativeSampler) { return broken{1e9}, nil })
	if p, err := s.Sample(t.Context(), a); err != nil || p["float"] != 3.0 {
		t.Errorf("got %v, %v; want the greatest value", p, err)
	}
}

func TestTranslation(t *testing.T) {
	for _, test := range []struct {
		d    study.Distribution
		want any
	}{
		{study.Distribution{Kind: study.Float, Low: 0, High: 1}, goptuna.UniformDistribution{Low: 0, High: 1}},
		{study.Distribution{Kind: study.Float, Low: 1, High: 10, Log: true}, goptuna.LogUniformDistribution{Low: 1, High: 10}},
		{study.Distribution{Kind: study.Float, Low: 0, High: 1, Step: 0.4}, goptuna.DiscreteUniformDistribution{Low: 0, High: 0.8, Q: 0.4}},
		{study.Distribution{Kind: study.Int, Low: 1, High: 3, Step: 1}, goptuna.IntUniformDistribution{Low: 1, High: 3}},
		{study.Distribution{Kind: study.Int, Low: 1, High: 9, Step: 3}, goptuna.StepIntUniformDistribution{Low: 1, High: 7, Step: 3}},
		{study.Distribution{Kind: study.Int, Low: 1, High: 64, Log: true}, goptuna.LogUniformDistribution{Low: 0.5, High: 64.5}},
		{
			study.Distribution{Kind: study.Categorical, Choices: []any{"1", int64(1), nil, []any{int64(2)}}},
			goptuna.CategoricalDistribution{Choices: []string{`"1"`, `1`, `null`, `[2]`}},
		},
	} {
		got, err := toGoptuna(test.d)
		if err != nil || !reflect.DeepEqual(got, test.want) {
			t.Errorf("%+v: got %#v (%v), want %#v", test.d, got, err, test.want)
		}
	}
	if _, err := toGoptuna(study.Distribution{Kind: study.Float, Low: 2, High: 1}); err == nil {
		t.Error("a range upside down was translated")
	}
}

func TestViewIsReadOnly(t *testing.T) {
	a := studytest.History(12, 5)
	before := studytest.FormatTrials(a.Trials)
	v := viewOf(a)
	for name, err := range map[string]error{
		"state":  v.SetTrialState(3, goptuna.TrialStateComplete),
		"value":  v.SetTrialValue(3, 1),
		"step":   v.SetTrialIntermediateValue(3, 1, 1),
		"param":  v.SetTrialParam(3, "float", 1, v.space["float"]),
		"attr":   v.SetTrialUserAttr(3, "a", "b"),
		"delete": v.DeleteStudy(1),
		"early":  v.SetTrialParam(12, "float", 1, v.space["float"]), // not created yet
	} {
		if err == nil {
			t.Errorf("%s: the history was changed", name)
		}
	}
	id, err := v.CreateNewTrial(1)
	if err != nil || id != 12 {
		t.Fatalf("new trial %d, %v", id, err)
	}
	if _, err := v.CreateNewTrial(1); err == nil {
		t.Error("a second trial was created")
	}
	if err := v.SetTrialParam(id, "float", 1, v.space["float"]); err != nil {
		t.Error(err)
	}
	// Goptuna hands out a second value that differs from the stored one.
	if err := v.SetTrialParam(id, "float", 2, v.space["float"]); err == nil {
		t.Error("a parameter was set twice")
	}
	all, err := v.GetAllTrials(1)
	if err != nil || len(all) != 13 {
		t.Fatalf("%d trials, %v", len(all), err)
	}
	all[0].Value = -1
	for i, f := range all[:12] {
		if f.ID != i || f.Number != i || len(f.InternalParams) != 9 || len(f.Params) != 9 {
			t.Errorf("trial %d is %+v", i, f)
		}
	}
	if got := studytest.FormatTrials(a.Trials); got != before {
		t.Error("the trials of the ask were changed")
	}
}

// Goptuna's database turned a NaN into 0, which became the best trial, and gave a zero trial without an error when
// there was none.
func TestBestTrial(t *testing.T) {
	a := studytest.History(6, 5)
	for i := range a.Trials {
		a.Trials[i].State, a.Trials[i].Value = study.Complete, math.NaN()
	}
	if _, err := viewOf(a).GetBestTrial(1); !errors.Is(err, goptuna.ErrNoCompletedTrials) {
		t.Errorf("only NaN: %v", err)
	}
	a.Trials[4].Value, a.Trials[2].Value = 3, 5
	if b, err := viewOf(a).GetBestTrial(1); err != nil || b.Number != 4 {
		t.Errorf("best is %d, %v", b.Number, err)
	}
	a.Objective.Direction = study.Maximize
	if b, err := viewOf(a).GetBestTrial(1); err != nil || b.Number != 2 {
		t.Errorf("greatest is %d, %v", b.Number, err)
	}
}

// Goptuna's Sobol and CMA samplers race; ours hold no state.
func TestParallelUse(t *testing.T) {
	for _, method := range []string{"tpe", "random"} {
		s, err := New(study.Spec{Method: method})
		if err != nil {
			t.Fatal(err)
		}
		a := studytest.History(60, 7)
		want, err := s.Sample(t.Context(), a)
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for range 5 {
					if got, err := s.Sample(t.Context(), a); err != nil || !reflect.DeepEqual(got, want) {
						t.Errorf("%s: got %v, %v; want %v", method, got, err, want)
					}
				}
			})
		}
		wg.Wait()
	}
}

// goptunaSpace is what a Goptuna program can say itself: no logarithmic integers.
var goptunaSpace = map[string]any{
	"lr":    goptuna.LogUniformDistribution{Low: 1e-5, High: 1e-1},
	"batch": goptuna.CategoricalDistribution{Choices: []string{"16", "32", "64"}},
	"width": goptuna.IntUniformDistribution{Low: 16, High: 512},
	"one":   goptuna.IntUniformDistribution{Low: 5, High: 5},
}

func goptunaObjective(t goptuna.Trial) (float64, error) {
	lr, err := t.SuggestLogFloat("lr", 1e-5, 1e-1)
	if err != nil {
		return 0, err
	}
	width, err := t.SuggestInt("width", 16, 512)
	if err != nil {
		return 0, err
	}
	batch, err := t.SuggestCategorical("batch", []string{"16", "32", "64"})
	if err != nil {
		return 0, err
	}
	if one, err := t.SuggestInt("one", 5, 5); err != nil || one != 5 {
		return 0, fmt.Errorf("one is %d: %v", one, err)
	}
	v := math.Pow(math.Log10(lr)+3, 2) + math.Pow(float64(width)-200, 2)/3e4
	if batch != "32" {
		v += 0.3
	}
	return v, nil
}

// Our samplers work in any Goptuna program, its own loop and storage included, and propose there what they propose
// through our view of the same history.
func TestInAGoptunaProgram(t *testing.T) {
	best := map[string]float64{}
	for name, relative := range map[string]goptuna.RelativeSampler{"random": nil, "tpe": &TPE{Seed: 9}} {
		st, err := goptuna.CreateStudy("s", goptuna.StudyOptionLogger(nil), goptuna.StudyOptionSampler(&Random{Seed: 9}),
			goptuna.StudyOptionRelativeSampler(relative), goptuna.StudyOptionDefineSearchSpace(goptunaSpace))
		if err != nil {
			t.Fatal(err)
		}
		if err := st.Optimize(goptunaObjective, 60); err != nil {
			t.Fatal(err)
		}
		if best[name], err = st.GetBestValue(); err != nil {
			t.Fatal(err)
		}
		trials, err := st.GetTrials()
		if err != nil {
			t.Fatal(err)
		}
		if relative == nil {
			continue
		}
		a := study.Ask{Number: 40, Seed: 9, Objective: study.Objective{Direction: study.Minimize}}
		for _, name := range []string{"width", "lr", "one", "batch"} {
			d, err := fromGoptuna(goptunaSpace[name])
			if err != nil {
				t.Fatal(err)
			}
			a.Space = append(a.Space, study.Dimension{Name: name, Distribution: d})
		}
		for _, f := range trials[:40] {
			p := study.Params{}
			for _, d := range a.Space {
				p[d.Name] = d.Distribution.External(f.InternalParams[d.Name])
			}
			a.Trials = append(a.Trials, study.Trial{Number: f.Number, State: study.Complete, Params: p, Value: f.Value})
		}
		ours, err := New(study.Spec{Method: "tpe"})
		if err != nil {
			t.Fatal(err)
		}
		p, err := ours.Sample(t.Context(), a)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range a.Space {
			if x, err := d.Distribution.Internal(p[d.Name]); err != nil || x != trials[40].InternalParams[d.Name] {
				t.Errorf("%s: through the view %v (%v), in the program %v", d.Name, x, err, trials[40].InternalParams[d.Name])
			}
		}
	}
	if best["tpe"] >= best["random"] || best["tpe"] > 0.02 {
		t.Errorf("best of 60: tpe %.4f, random %.4f", best["tpe"], best["random"])
	}
}
