package study

import (
	"encoding/json"
	"math"
	"time"
)

// TrialView is a trial in JSON, as `sweep top --json` and the HTTP API write it. Its keys are a contract.
type TrialView struct {
	Number    int               `json:"number"`
	State     State             `json:"state"`
	Value     *Number           `json:"value"` // null unless the trial is complete
	Params    map[string]any    `json:"params"`
	Metrics   map[string]Number `json:"metrics"`
	Attempts  int               `json:"attempts"`
	DurationS float64           `json:"duration_s"` // seconds, to the millisecond
}

// DetailView is a trial with all that is known of it, as `sweep show --json` writes it. A nil History or AttemptList
// is left out (`sweep best --json`).
type DetailView struct {
	TrialView
	Artifacts   []Artifact              `json:"artifacts"`
	Reason      Reason                  `json:"reason"`
	Message     string                  `json:"message,omitempty"`
	History     map[string][]SampleView `json:"history,omitzero"`
	AttemptList []AttemptView           `json:"attempt_list,omitzero"`
}

// SampleView is a sample in JSON: the pair [step, value].
type SampleView Sample

// AttemptView is an attempt in JSON.
type AttemptView struct {
	Attempt     int        `json:"attempt"` // 1, 2, … within the trial
	State       string     `json:"state"`
	Host        string     `json:"host"`
	Device      string     `json:"device"`
	Kind        string     `json:"kind,omitempty"`    // what the device is and how it computes: bits repeat on one kind
	Because     string     `json:"because,omitempty"` // why it ran there, where others lack what it needs
	Start       time.Time  `json:"start"`
	End         *time.Time `json:"end"`                    // null while it runs
	ResumedFrom int        `json:"resumed_from,omitempty"` // the attempt whose checkpoint it continued
	ResumedStep int        `json:"resumed_step,omitempty"`
	Reason      Reason     `json:"reason,omitempty"`
	Message     string     `json:"message,omitempty"`
}

// StudyView is a study in JSON, as `sweep studies --json` and the HTTP API write it.
type StudyView struct {
	Name      string        `json:"name"`
	State     string        `json:"state"`  // a word of [Summary.State]
	Trials    map[State]int `json:"trials"` // every state has its key
	RunCap    int           `json:"run_cap"`
	Metric    string        `json:"metric"`
	Goal      Direction     `json:"goal"`
	BestTrial *int          `json:"best_trial"` // null before the first complete trial
	BestValue *Number       `json:"best_value"`
	Data      Data          `json:"data"`
	Created   time.Time     `json:"created"`
	Activity  time.Time     `json:"activity"`
	Bytes     int64         `json:"bytes"`
}

// View gives the JSON form of t.
func (t Trial) View() TrialView {
	v := TrialView{
		Number: t.Number, State: t.State, Attempts: t.Attempts, DurationS: t.Duration.Round(time.Millisecond).Seconds(),
		Params: make(map[string]any, len(t.Params)), Metrics: make(map[string]Number, len(t.Metrics)),
	}
	if t.State == Complete {
		n := Number(t.Value)
		v.Value = &n
	}
	for k, p := range t.Params {
		v.Params[k] = viewValue(p)
	}
	for k, m := range t.Metrics {
		v.Metrics[k] = Number(m)
	}
	return v
}

// viewValue makes a parameter value safe for JSON, which has no word for NaN.
func viewValue(v any) any {
	switch t := v.(type) {
	case float64:
		return Number(t)
	case []any:
		out := make([]any, len(t))
		for i := range t {
			out[i] = viewValue(t[i])
		}
		return out
	}
	return v
}

// View gives the JSON form of d, history and attempts included.
func (d Detail) View() DetailView {
	v := DetailView{
		TrialView: d.Trial.View(), Artifacts: d.Artifacts, Reason: d.Reason, Message: d.Message,
		History: make(map[string][]SampleView, len(d.History)), AttemptList: make([]AttemptView, 0, len(d.List)),
	}
	if v.Artifacts == nil {
		v.Artifacts = []Artifact{}
	}
	for k, series := range d.History {
		out := make([]SampleView, len(series))
		for i, s := range series {
			out[i] = SampleView(s)
		}
		v.History[k] = out
	}
	for _, a := range d.List {
		v.AttemptList = append(v.AttemptList, a.View())
	}
	return v
}

// View gives the JSON form of a.
func (a Attempt) View() AttemptView {
	v := AttemptView{
		Attempt: a.Ordinal, State: a.State, Host: a.Host, Device: a.Device, Kind: a.Kind, Because: a.Because, Start: a.Start,
		ResumedFrom: a.ResumedFrom, ResumedStep: a.ResumedStep, Reason: a.Reason, Message: a.Message,
	}
	if !a.End.IsZero() {
		v.End = &a.End
	}
	return v
}

// View gives the JSON form of s.
func (s Summary) View() StudyView {
	v := StudyView{
		Name: s.Name, State: s.State(), Trials: make(map[State]int, len(States)), RunCap: s.Spec.RunCap,
		Metric: s.Spec.Objective.Name, Goal: s.Spec.Objective.Direction, Data: s.Data,
		Created: s.Created, Activity: s.Activity, Bytes: s.Bytes,
	}
	for _, st := range States {
		v.Trials[st] = s.Counts[st]
	}
	if s.Best != nil {
		number, value := s.Best.Number, Number(s.Best.Value)
		v.BestTrial, v.BestValue = &number, &value
	}
	return v
}

// State says in one or two words where the study stands: "running" while a process runs it, "pausing" and "stopping" while
// such a process still gives its trials back, "paused", "finished" once run_cap trials are over or the target is
// reached, and "at rest" when nobody runs it though there is more to do.
func (s Summary) State() string {
	open := s.Counts[Running] + s.Counts[Waiting]
	over := s.Counts[Complete] + s.Counts[Pruned] + s.Counts[Failed]
	target := s.Spec.Objective.Target
	reached := target != nil && s.Best != nil && !s.Spec.Objective.Direction.Better(*target, s.Best.Value)
	switch {
	case s.Live && s.Wish == Stop:
		return "stopping"
	case s.Live && s.Wish == Pause && s.Counts[Running] > 0:
		return "pausing"
	case s.Live && s.Wish == Pause:
		return "paused"
	case s.Live:
		return "running"
	case open == 0 && over > 0 && over >= s.Spec.RunCap, s.Counts[Running] == 0 && reached && !math.IsNaN(s.Best.Value):
		return "finished"
	case s.Wish == Pause:
		return "paused"
	}
	return "at rest"
}

// MarshalJSON writes s as [step, value].
func (s SampleView) MarshalJSON() ([]byte, error) {
	return json.Marshal([2]any{s.Step, Number(s.Value)})
}

// UnmarshalJSON reads what MarshalJSON writes.
func (s *SampleView) UnmarshalJSON(b []byte) error {
	var step int
	var value Number
	if err := json.Unmarshal(b, &[2]any{&step, &value}); err != nil {
		return err
	}
	*s = SampleView{Step: step, Value: float64(value)}
	return nil
}
