package sampler

import (
	"cmp"
	"encoding/json"
	"math"
	"slices"

	"github.com/c-bata/goptuna"

	"sweep/study"
)

// history is what a model-based sampler learns from: one row of internal values a trial, and how good the trial was.
type history struct {
	dims []study.Dimension // searched, by name
	rows []row             // by trial number
}

type row struct {
	x     []float64 // one internal value a dimension
	class class
	step  int     // of a pruned trial: how far it came
	value float64 // complete: the objective; pruned: its last one; smaller is better
}

// class orders trials by what their value is worth.
type class int

const (
	complete class = iota // has a value
	pruned                // has a value of fewer steps
	useless               // is over and has no number for a value
	pending               // is not over: a constant liar counts it among the bad ones
)

// ranked reports whether a trial of this class may count as a good one.
func (c class) ranked() bool { return c == complete || c == pruned }

func classify(s study.State, value float64) class {
	switch {
	case !s.Final():
		return pending
	case s == study.Failed || math.IsNaN(value):
		return useless
	case s == study.Pruned:
		return pruned
	}
	return complete
}

// better orders two ranked rows: complete before pruned, a pruned one that came further first, then by value.
func better(a, b row) int {
	return cmp.Or(cmp.Compare(a.class, b.class), cmp.Compare(b.step, a.step), cmp.Compare(a.value, b.value))
}

// readHistory reads the trials before t. Through our own view it reads the ask, in any other Goptuna program that
// program's storage. Trials that lack a value inside the space (it may have changed) are left out.
func readHistory(st *goptuna.Study, t goptuna.FrozenTrial, space map[string]any) (history, error) {
	if v, ok := st.Storage.(*view); ok {
		return readAsk(v.ask, v.searched), nil
	}
	h := history{}
	for name, g := range space {
		d, err := fromGoptuna(g)
		if err != nil {
			return history{}, err
		}
		if !d.Single() {
			h.dims = append(h.dims, study.Dimension{Name: name, Distribution: d})
		}
	}
	sortByName(h.dims)
	trials, err := st.GetTrials()
	if err != nil {
		return history{}, err
	}
	for _, past := range trials {
		if past.ID == t.ID {
			continue
		}
		x := make([]float64, 0, len(h.dims))
		for _, d := range h.dims {
			v, ok := past.InternalParams[d.Name]
			c := d.Distribution
			if !ok || math.IsNaN(v) || c.Kind == study.Categorical && (v < 0 || v >= float64(len(c.Choices))) ||
				c.Kind != study.Categorical && (v < c.Low || v > c.High) {
				break
			}
			x = append(x, v)
		}
		if len(x) < len(h.dims) {
			continue
		}
		value, step := past.Value, 0
		state := study.Complete
		switch past.State {
		case goptuna.TrialStateRunning, goptuna.TrialStateWaiting:
			state = study.Running
		case goptuna.TrialStateFail:
			state = study.Failed
		case goptuna.TrialStatePruned:
			state, value = study.Pruned, math.NaN()
			if last, ok := past.GetLatestStep(); ok {
				step, value = last, past.IntermediateValues[last]
			}
		}
		if st.Direction() == goptuna.StudyDirectionMaximize {
			value = -value
		}
		h.rows = append(h.rows, row{x, classify(state, value), step, value})
	}
	return h, nil
}

func readAsk(a study.Ask, searched study.Space) history {
	h := history{dims: slices.Clone(searched), rows: make([]row, 0, len(a.Trials))}
	sortByName(h.dims)
	internal := make([]func(any) (float64, bool), len(h.dims))
	for i, d := range h.dims {
		internal[i] = internalOf(d.Distribution)
	}
	flat := make([]float64, 0, len(a.Trials)*len(h.dims))
trials:
	for i := range a.Trials {
		t := &a.Trials[i]
		from := len(flat)
		for j, d := range h.dims {
			x, ok := internal[j](t.Params[d.Name])
			if !ok {
				flat = flat[:from]
				continue trials
			}
			flat = append(flat, x)
		}
		value, step := t.Value, 0
		if t.State == study.Pruned && len(t.Curve) > 0 {
			last := t.Curve[len(t.Curve)-1]
			step, value = last.Step, last.Value
		}
		if a.Objective.Direction == study.Maximize {
			value = -value
		}
		h.rows = append(h.rows, row{flat[from:len(flat):len(flat)], classify(t.State, value), step, value})
	}
	return h
}

func sortByName(dims []study.Dimension) {
	slices.SortFunc(dims, func(a, b study.Dimension) int { return cmp.Compare(a.Name, b.Name) })
}

// internalOf is [study.Distribution.Internal] without its errors, and with a table of the choices, because a sampler
// asks it for every value of the history.
func internalOf(d study.Distribution) func(any) (float64, bool) {
	if d.Kind != study.Categorical {
		return func(v any) (float64, bool) {
			f, ok := study.AsFloat(v)
			return f, ok && f >= d.Low && f <= d.High
		}
	}
	index := make(map[any]float64, len(d.Choices))
	for i := len(d.Choices) - 1; i >= 0; i-- {
		index[choiceKey(d.Choices[i])] = float64(i)
	}
	return func(v any) (float64, bool) {
		x, ok := index[choiceKey(v)]
		return x, ok
	}
}

type listKey string

// choiceKey maps equal choices, whatever Go number holds them, to equal keys of a map.
func choiceKey(v any) any {
	if f, ok := study.AsFloat(v); ok {
		return f
	}
	switch v.(type) {
	case nil, string, bool:
		return v
	}
	b, err := json.Marshal(v)
	if err != nil {
		return nil
	}
	return listKey(b)
}
