package sampler

import (
	"maps"
	"time"

	"github.com/c-bata/goptuna"

	"sweep/study"
)

// view shows one ask to Goptuna as a storage: the history, which nothing can change, and the one trial that is being
// proposed, whose parameters and attributes can be added once. A trial's ID is its number, the study's is 1.
//
// Goptuna's trials are made only when a sampler reads them, at most once an ask; our own samplers read the ask itself.
type view struct {
	ask      study.Ask
	searched study.Space
	space    map[string]any // of searched, in Goptuna's words

	created bool
	current goptuna.FrozenTrial
	past    []goptuna.FrozenTrial // of ask.Trials, nil before they are read
}

var _ goptuna.Storage = (*view)(nil)

const viewID = 1

func (v *view) history() []goptuna.FrozenTrial {
	if v.past == nil && len(v.ask.Trials) > 0 {
		v.past = make([]goptuna.FrozenTrial, len(v.ask.Trials))
		for i := range v.ask.Trials {
			v.past[i] = v.frozen(v.ask.Trials[i])
		}
	}
	return v.past
}

func (v *view) frozen(t study.Trial) goptuna.FrozenTrial {
	f := goptuna.FrozenTrial{
		ID: t.Number, StudyID: viewID, Number: t.Number, State: goptunaState(t.State), Value: t.Value,
		IntermediateValues: make(map[int]float64, len(t.Curve)),
		DatetimeStart:      t.Start, DatetimeComplete: t.End,
		InternalParams: make(map[string]float64, len(v.searched)),
		Params:         make(map[string]any, len(v.searched)),
		Distributions:  make(map[string]any, len(v.searched)),
		UserAttrs:      map[string]string{}, SystemAttrs: map[string]string{},
	}
	for _, s := range t.Curve {
		f.IntermediateValues[s.Step] = s.Value
	}
	for _, d := range v.searched {
		x, err := d.Distribution.Internal(t.Params[d.Name])
		if err != nil {
			continue // of an older space: Goptuna's samplers skip trials without the parameter
		}
		g := v.space[d.Name]
		if external, err := goptuna.ToExternalRepresentation(g, x); err == nil {
			f.InternalParams[d.Name], f.Params[d.Name], f.Distributions[d.Name] = x, external, g
		}
	}
	return f
}

func goptunaState(s study.State) goptuna.TrialState {
	switch s {
	case study.Complete:
		return goptuna.TrialStateComplete
	case study.Pruned:
		return goptuna.TrialStatePruned
	case study.Failed:
		return goptuna.TrialStateFail
	case study.Waiting:
		return goptuna.TrialStateWaiting
	}
	return goptuna.TrialStateRunning
}

// trial returns the trial with this ID; the maps of the one in the making are shared with the caller, as Goptuna's own.
func (v *view) trial(id int) (*goptuna.FrozenTrial, error) {
	if v.created && id == v.current.ID {
		return &v.current, nil
	}
	if past := v.history(); id >= 0 && id < len(past) && past[id].ID == id {
		return &past[id], nil
	}
	return nil, goptuna.ErrInvalidTrialID
}

// open returns the trial in the making, the only one that may grow.
func (v *view) open(id int) (*goptuna.FrozenTrial, error) {
	if !v.created || id != v.current.ID {
		return nil, goptuna.ErrTrialCannotBeUpdated
	}
	return &v.current, nil
}

func (v *view) CreateNewStudy(string) (int, error) { return viewID, nil }

func (v *view) SetStudyDirection(int, goptuna.StudyDirection) error { return nil } // it comes with the ask

func (v *view) CreateNewTrial(int) (int, error) {
	if v.created {
		return 0, errView
	}
	v.created = true
	v.current = goptuna.FrozenTrial{
		ID: v.ask.Number, StudyID: viewID, Number: v.ask.Number, State: goptuna.TrialStateRunning,
		IntermediateValues: map[int]float64{}, DatetimeStart: time.Unix(0, 0).UTC(), // an ask has no clock
		InternalParams: map[string]float64{}, Params: map[string]any{}, Distributions: map[string]any{},
		UserAttrs: map[string]string{}, SystemAttrs: map[string]string{},
	}
	return v.current.ID, nil
}

// SetTrialParam keeps the first value of a name: a second one is an error, since Goptuna would hand out a value that
// differs from the one that is kept.
func (v *view) SetTrialParam(id int, name string, x float64, distribution any) error {
	t, err := v.open(id)
	if err != nil {
		return err
	}
	if _, ok := t.InternalParams[name]; ok {
		return errView
	}
	external, err := goptuna.ToExternalRepresentation(distribution, x)
	if err != nil {
		return err
	}
	t.InternalParams[name], t.Params[name], t.Distributions[name] = x, external, distribution
	return nil
}

func (v *view) SetTrialUserAttr(id int, key, value string) error {
	t, err := v.open(id)
	if err != nil {
		return err
	}
	t.UserAttrs[key] = value
	return nil
}

func (v *view) SetTrialSystemAttr(id int, key, value string) error {
	t, err := v.open(id)
	if err != nil {
		return err
	}
	t.SystemAttrs[key] = value
	return nil
}

func (v *view) GetTrial(id int) (goptuna.FrozenTrial, error) {
	t, err := v.trial(id)
	if err != nil {
		return goptuna.FrozenTrial{}, err
	}
	return *t, nil
}

func (v *view) GetAllTrials(int) ([]goptuna.FrozenTrial, error) {
	past := v.history()
	all := past[:len(past):len(past)]
	if v.created {
		all = append(all, v.current)
	}
	return all, nil
}

// GetBestTrial finds the best complete trial whose value is a number.
func (v *view) GetBestTrial(int) (goptuna.FrozenTrial, error) {
	best := -1
	for i := range v.ask.Trials {
		t := &v.ask.Trials[i]
		if t.State == study.Complete && t.Value == t.Value &&
			(best < 0 || v.ask.Objective.Direction.Better(t.Value, v.ask.Trials[best].Value)) {
			best = i
		}
	}
	if best < 0 {
		return goptuna.FrozenTrial{}, goptuna.ErrNoCompletedTrials
	}
	return v.history()[best], nil
}

func (v *view) GetTrialNumberFromID(id int) (int, error) {
	t, err := v.trial(id)
	if err != nil {
		return 0, err
	}
	return t.Number, nil
}

func (v *view) GetTrialParam(id int, name string) (float64, error) {
	t, err := v.trial(id)
	if err != nil {
		return 0, err
	}
	x, ok := t.InternalParams[name]
	if !ok {
		return 0, study.ErrNotFound
	}
	return x, nil
}

func (v *view) GetTrialParams(id int) (map[string]any, error) {
	t, err := v.trial(id)
	if err != nil {
		return nil, err
	}
	return maps.Clone(t.Params), nil
}

func (v *view) GetTrialUserAttrs(id int) (map[string]string, error) {
	t, err := v.trial(id)
	if err != nil {
		return nil, err
	}
	return maps.Clone(t.UserAttrs), nil
}

func (v *view) GetTrialSystemAttrs(id int) (map[string]string, error) {
	t, err := v.trial(id)
	if err != nil {
		return nil, err
	}
	return maps.Clone(t.SystemAttrs), nil
}

func (v *view) GetStudyDirection(int) (goptuna.StudyDirection, error) {
	if v.ask.Objective.Direction == study.Maximize {
		return goptuna.StudyDirectionMaximize, nil
	}
	return goptuna.StudyDirectionMinimize, nil
}

func (v *view) GetStudyIDFromName(string) (int, error)           { return viewID, nil }
func (v *view) GetStudyIDFromTrialID(int) (int, error)           { return viewID, nil }
func (v *view) GetStudyNameFromID(int) (string, error)           { return "study", nil }
func (v *view) GetStudyUserAttrs(int) (map[string]string, error) { return map[string]string{}, nil }
func (v *view) GetStudySystemAttrs(int) (map[string]string, error) {
	return map[string]string{}, nil
}
func (v *view) GetAllStudySummaries() ([]goptuna.StudySummary, error) { return nil, errView }
func (v *view) DeleteStudy(int) error                                 { return errView }
func (v *view) SetStudyUserAttr(int, string, string) error            { return errView }
func (v *view) SetStudySystemAttr(int, string, string) error          { return errView }
func (v *view) CloneTrial(int, goptuna.FrozenTrial) (int, error)      { return 0, errView }
func (v *view) SetTrialValue(int, float64) error                      { return errView }
func (v *view) SetTrialIntermediateValue(int, int, float64) error     { return errView }
func (v *view) SetTrialState(int, goptuna.TrialState) error           { return errView }
