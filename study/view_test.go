package study_test

import (
	"encoding/json"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sweep/study"
)

func TestTrialViewJSON(t *testing.T) {
	base := study.Trial{
		Number: 3, State: study.Complete, Value: 0.25, Params: study.Params{"lr": 0.001, "batch": int64(64)},
		Metrics: map[string]float64{"epoch": 4}, Attempts: 2, Duration: 1500 * time.Millisecond,
	}
	with := func(f func(*study.Trial)) study.Trial { t := base; f(&t); return t }
	for _, tt := range []struct {
		name  string
		trial study.Trial
		want  string
	}{
		{"complete", base, `{"number":3,"state":"complete","value":0.25,"params":{"batch":64,"lr":0.001},"metrics":{"epoch":4},"attempts":2,"duration_s":1.5}`},
		{
			"complete NaN", with(func(t *study.Trial) { t.Value = math.NaN(); t.Metrics = map[string]float64{"val_mse": math.Inf(1)} }),
			`{"number":3,"state":"complete","value":"NaN","params":{"batch":64,"lr":0.001},"metrics":{"val_mse":"Infinity"},"attempts":2,"duration_s":1.5}`,
		},
		{
			"pruned", with(func(t *study.Trial) { t.State = study.Pruned }),
			`{"number":3,"state":"pruned","value":null,"params":{"batch":64,"lr":0.001},"metrics":{"epoch":4},"attempts":2,"duration_s":1.5}`,
		},
		{
			"empty",
			study.Trial{State: study.Waiting, Value: math.NaN()},
			`{"number":0,"state":"waiting","value":null,"params":{},"metrics":{},"attempts":0,"duration_s":0}`,
		},
		{
			"list",
			study.Trial{State: study.Waiting, Params: study.Params{"filters": []any{int64(16), math.NaN()}}},
			`{"number":0,"state":"waiting","value":null,"params":{"filters":[16,"NaN"]},"metrics":{},"attempts":0,"duration_s":0}`,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := json.Marshal(tt.trial.View())
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tt.want, string(got)); d != "" {
				t.Errorf("(-want +got)\n%s", d)
			}
		})
	}
}

func TestDetailViewJSON(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	d := study.Detail{
		Trial:   study.Trial{Number: 1, State: study.Failed, Value: math.NaN(), Reason: study.ReasonNaN, Message: "loss is NaN"},
		List:    []study.Attempt{{Ordinal: 1, Host: "h", Device: "cpu", Start: at, State: "lost"}, {Ordinal: 2, Host: "h", Device: "cpu", Start: at, End: at, State: "failed", Reason: study.ReasonNaN, ResumedFrom: 1, ResumedStep: 3}},
		History: map[string][]study.Sample{"val_mse": {{Step: 1, Value: 0.5}, {Step: 2, Value: math.NaN()}}},
	}
	want := `{"number":1,"state":"failed","value":null,"params":{},"metrics":{},"attempts":0,"duration_s":0,"artifacts":[],` +
		`"reason":"nan","message":"loss is NaN","history":{"val_mse":[[1,0.5],[2,"NaN"]]},"attempt_list":[` +
		`{"attempt":1,"state":"lost","host":"h","device":"cpu","start":"2026-01-02T03:04:05Z","end":null},` +
		`{"attempt":2,"state":"failed","host":"h","device":"cpu","start":"2026-01-02T03:04:05Z","end":"2026-01-02T03:04:05Z","resumed_from":1,"resumed_step":3,"reason":"nan"}]}`
	got, err := json.Marshal(d.View())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	var back study.DetailView
	if err := json.Unmarshal(got, &back); err != nil {
		t.Fatal(err)
	}
	if s := back.History["val_mse"]; len(s) != 2 || s[0].Step != 1 || s[0].Value != 0.5 || !math.IsNaN(s[1].Value) {
		t.Errorf("history came back as %v", s)
	}
	v := d.View()
	v.History, v.AttemptList = nil, nil
	short, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(`{"number":1,"state":"failed","value":null,"params":{},"metrics":{},"attempts":0,"duration_s":0,"artifacts":[],"reason":"nan","message":"loss is NaN"}`, string(short)); diff != "" {
		t.Errorf("without history (-want +got)\n%s", diff)
	}
}

func TestSummaryState(t *testing.T) {
	target := 0.1
	spec := study.Spec{RunCap: 4, Objective: study.Objective{Name: "val_mse", Direction: study.Minimize}}
	aim := spec
	aim.Objective.Target = &target
	counts := func(complete, running, waiting int) map[study.State]int {
		return map[study.State]int{study.Complete: complete, study.Running: running, study.Waiting: waiting}
	}
	for _, tt := range []struct {
		name string
		s    study.Summary
		want string
	}{
		{"new", study.Summary{Study: study.Study{Spec: spec}}, "at rest"},
		{"running", study.Summary{Study: study.Study{Spec: spec}, Live: true, Wish: study.Go, Counts: counts(1, 1, 0)}, "running"},
		{"pausing", study.Summary{Study: study.Study{Spec: spec}, Live: true, Wish: study.Pause, Counts: counts(1, 1, 0)}, "pausing"},
		{"paused in a process", study.Summary{Study: study.Study{Spec: spec}, Live: true, Wish: study.Pause, Counts: counts(1, 0, 1)}, "paused"},
		{"paused", study.Summary{Study: study.Study{Spec: spec}, Wish: study.Pause, Counts: counts(1, 0, 1)}, "paused"},
		{"stopping", study.Summary{Study: study.Study{Spec: spec}, Live: true, Wish: study.Stop, Counts: counts(1, 0, 1)}, "stopping"},
		{"stopped", study.Summary{Study: study.Study{Spec: spec}, Wish: study.Stop, Counts: counts(1, 0, 1)}, "at rest"},
		{"finished", study.Summary{Study: study.Study{Spec: spec}, Counts: counts(4, 0, 0)}, "finished"},
		{"target reached", study.Summary{Study: study.Study{Spec: aim}, Counts: counts(2, 0, 0), Best: &study.Trial{Value: 0.1}}, "finished"},
		{"target missed", study.Summary{Study: study.Study{Spec: aim}, Counts: counts(2, 0, 0), Best: &study.Trial{Value: 0.2}}, "at rest"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.s.State(); got != tt.want {
				t.Errorf("State() = %q, want %q", got, tt.want)
			}
			v := tt.s.View()
			if v.State != tt.want || len(v.Trials) != len(study.States) {
				t.Errorf("View() = %+v", v)
			}
		})
	}
}
