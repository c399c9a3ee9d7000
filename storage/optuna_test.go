package storage_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"sweep/storage"
	"sweep/study"
	"sweep/study/studytest"
)

// optuna is a Python process that answers optuna_check.py's commands.
type optuna struct {
	in  io.Writer
	out *bufio.Reader
	cmd *exec.Cmd
	err *bytes.Buffer
}

// startOptuna starts Optuna's side of a test. Without an interpreter that has it the test is skipped, but not in CI.
func startOptuna(t *testing.T) *optuna {
	t.Helper()
	const unchecked = "the database is not checked with real Optuna"
	exe := studytest.Interpreter(t, "SWEEP_PYTHON", "optuna", unchecked)
	o := &optuna{cmd: exec.Command(exe, "testdata/optuna_check.py"), err: &bytes.Buffer{}}
	o.cmd.Stderr = o.err
	in, err := o.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := o.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	o.in, o.out = in, bufio.NewReader(out)
	if err := o.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close() // ends its input and so the process
		o.cmd.Wait()
	})
	if _, err := o.try("version"); err != nil {
		o.cmd.Wait()
		if o.cmd.ProcessState.ExitCode() == 9 {
			studytest.LeaveOut(t, "%s cannot import optuna: %s", exe, unchecked)
		}
		t.Fatalf("optuna_check.py: %v\n%s", err, o.err)
	}
	return o
}

func (o *optuna) try(command ...any) ([]byte, error) {
	b, err := json.Marshal(command)
	if err != nil {
		return nil, err
	}
	if _, err := o.in.Write(append(b, '\n')); err != nil {
		return nil, err
	}
	return o.out.ReadBytes('\n')
}

func (o *optuna) do(t *testing.T, command ...any) []byte {
	t.Helper()
	out, err := o.try(command...)
	if err != nil {
		o.cmd.Wait()
		t.Fatalf("optuna_check.py %v: %v\n%s", command, err, o.err)
	}
	return out
}

// optunaStudy is what optuna_check.py says of a study.
type optunaStudy struct {
	Direction   string   `json:"direction"`
	MetricNames []string `json:"metric_names"`
	Best        *string  `json:"best"`
	Trials      []struct {
		Number   int            `json:"number"`
		State    string         `json:"state"`
		Value    *string        `json:"value"`
		Params   map[string]any `json:"params"`
		Curve    [][2]any       `json:"curve"`
		Start    string         `json:"start"`
		Complete string         `json:"complete"`
	} `json:"trials"`
}

var optunaStates = map[string]study.State{
	"COMPLETE": study.Complete, "PRUNED": study.Pruned, "RUNNING": study.Running, "WAITING": study.Waiting, "FAIL": study.Failed,
}

// trials puts what Optuna said into our words.
func (o optunaStudy) trials(t *testing.T) []study.Trial {
	t.Helper()
	value := func(s *string) float64 {
		if s == nil {
			return math.NaN()
		}
		v, err := strconv.ParseFloat(*s, 64)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	when := func(s string) time.Time {
		if s == "" {
			return time.Time{}
		}
		v, err := time.Parse("2006-01-02T15:04:05", s)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	var out []study.Trial
	for _, o := range o.Trials {
		trial := study.Trial{
			Number: o.Number, State: optunaStates[o.State], Value: value(o.Value), Params: o.Params,
			Start: when(o.Start), End: when(o.Complete),
		}
		for _, c := range o.Curve {
			v := c[1].(string)
			trial.Curve = append(trial.Curve, study.Sample{Step: int(c[0].(float64)), Value: value(&v)})
		}
		out = append(out, trial)
	}
	return out
}

// asOptuna is what Optuna can know of our trials: a list among the choices is its JSON text, a complete trial without a
// value has failed.
func asOptuna(t *testing.T, trials []study.Trial) []study.Trial {
	t.Helper()
	out := make([]study.Trial, len(trials))
	for i, o := range trials {
		params := study.Params{}
		for k, v := range o.Params {
			if l, ok := v.([]any); ok {
				b, err := json.Marshal(l)
				if err != nil {
					t.Fatal(err)
				}
				v = string(b)
			}
			if f, ok := study.AsFloat(v); ok {
				v = f // JSON's only kind of number
			}
			params[k] = v
		}
		out[i] = study.Trial{
			Number: o.Number, State: o.State, Value: o.Value, Params: params, Curve: o.Curve, Start: o.Start, End: o.End,
		}
		if o.State == study.Complete && math.IsNaN(o.Value) {
			out[i].State = study.Failed
		}
	}
	return out
}

func compareWithOptuna(t *testing.T, db *storage.DB, name string, out []byte) optunaStudy {
	t.Helper()
	var o optunaStudy
	if err := json.Unmarshal(out, &o); err != nil {
		t.Fatal(err)
	}
	sum, err := db.Summary(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	trials, err := db.Trials(t.Context(), sum.ID)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(asOptuna(t, trials), o.trials(t), cmpopts.EquateNaNs()); d != "" {
		t.Errorf("trials (-ours +Optuna's):\n%s", d)
	}
	if !strings.EqualFold(o.Direction, string(sum.Spec.Objective.Direction)) {
		t.Errorf("Optuna's direction is %s, ours %s", o.Direction, sum.Spec.Objective.Direction)
	}
	switch {
	case (sum.Best == nil) != (o.Best == nil):
		t.Errorf("best: ours %v, Optuna's %v", sum.Best, o.Best)
	case sum.Best != nil:
		if v, err := strconv.ParseFloat(*o.Best, 64); err != nil || v != sum.Best.Value {
			t.Errorf("best value: ours %g, Optuna's %s", sum.Best.Value, *o.Best)
		}
	}
	return o
}

func TestOptuna(t *testing.T) {
	o := startOptuna(t)
	t.Logf("Optuna %s", o.do(t, "version"))
	t.Run("it opens ours", func(t *testing.T) { optunaOpensOurs(t, o) })
	t.Run("ours opens its", func(t *testing.T) { opensOptunas(t, o) })
}

// Real Optuna reads a database of ours, all of it equal, and works on it.
func optunaOpensOurs(t *testing.T, o *optuna) {
	path := filepath.Join(t.TempDir(), "sweep.db")
	db := openDB(t, path)
	s := newStudy(t, db, nil)
	beside := newStudy(t, db, func(s *study.Spec) { s.Name, s.Objective.Direction = "beside", study.Maximize })
	fill(t, db, s, 60, rand.New(rand.NewPCG(7, 8)))
	fill(t, db, beside, 12, rand.New(rand.NewPCG(9, 10)))
	for _, name := range []string{s.Name, "beside"} {
		got := compareWithOptuna(t, db, name, o.do(t, "dump", path, name))
		if d := cmp.Diff([]string{"val_mse"}, got.MetricNames); d != "" {
			t.Errorf("metric names: %s", d)
		}
	}

	// Ask and tell from Python on the open file. A study without waiting trials, which Optuna would take up itself.
	third := newStudy(t, db, func(s *study.Spec) { s.Name = "third" })
	compareWithOptuna(t, db, "third", o.do(t, "ask", path, "third", 4))
	page, err := db.Query(t.Context(), third.ID, study.Query{Sort: "rank"})
	if err != nil {
		t.Fatal(err)
	}
	var got []any
	for _, trial := range page.Trials {
		got = append(got, trial.Number, trial.State, trial.Value)
		if trial.State.Final() && (trial.Duration <= 0 || trial.Duration > time.Minute) {
			t.Errorf("trial %d of Optuna's took %s", trial.Number, trial.Duration)
		}
	}
	want := []any{0, study.Complete, 0.125, 1, study.Complete, 1.125, 2, study.Complete, 2.125, 3, study.Pruned, 3.25, 4, study.Failed, math.NaN()}
	if d := cmp.Diff(want, got, cmpopts.EquateNaNs()); d != "" {
		t.Errorf("what Python told (-want +got):\n%s", d)
	}
	p, err := db.Propose(t.Context(), third.ID, study.Proposal{Params: crashParams(0), Space: third.Spec.Space, Now: start})
	if err != nil || p.Number != 5 {
		t.Errorf("the next proposal has number %d (%v), want 5", p.Number, err)
	}
	compareWithOptuna(t, db, "third", o.do(t, "dump", path, "third"))

	// Ranges whose steps do not lead to their ends: Optuna would warn of them as they are.
	steps := newStudy(t, db, func(s *study.Spec) {
		s.Name, s.Space = "steps", study.Space{
			{Name: "tenth", Distribution: study.Distribution{Kind: study.Float, Low: 0.1, High: 0.35, Step: 0.1}},
			{Name: "third", Distribution: study.Distribution{Kind: study.Float, Low: -1, High: 1, Step: 1.0 / 3}},
			{Name: "rate", Distribution: study.Distribution{Kind: study.Float, Low: 1e-4, High: 1.2345e-2, Step: 7e-4}},
			{Name: "whole", Distribution: study.Distribution{Kind: study.Int, Low: 64, High: 500, Step: 100}},
		}
	})
	for _, part := range []float64{0, 0.3, 0.5, 1} {
		params := study.Params{}
		for _, d := range steps.Spec.Space {
			params[d.Name] = d.Distribution.External(d.Distribution.Low + part*(d.Distribution.High-d.Distribution.Low))
		}
		if _, err := db.Propose(t.Context(), steps.ID, study.Proposal{Params: params, Space: steps.Spec.Space, Now: start}); err != nil {
			t.Fatal(err)
		}
	}
	compareWithOptuna(t, db, "steps", o.do(t, "dump", path, "steps"))

	// Optuna removes a study: nothing of ours stays, the others are whole.
	o.do(t, "delete", path, "beside")
	if _, err := db.Study(t.Context(), "beside"); !errors.Is(err, study.ErrNotFound) {
		t.Errorf("the deleted study: %v", err)
	}
	checkNoRows(t, path, beside.ID)
	compareWithOptuna(t, db, s.Name, o.do(t, "dump", path, s.Name))
}

// A file that Optuna made is read like one of ours.
func opensOptunas(t *testing.T, o *optuna) {
	path := filepath.Join(t.TempDir(), "optuna.db")
	out := o.do(t, "create", path, "theirs")
	db, err := storage.Open(t.Context(), path, storage.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if d := cmp.Diff([]string{".before-0001"}, copies(t, path)); d != "" {
		t.Errorf("copies kept: %s", d)
	}
	compareWithOptuna(t, db, "theirs", out)
	compareWithOptuna(t, db, "theirs", o.do(t, "dump", path, "theirs"))
	s, err := db.Study(t.Context(), "theirs")
	if err != nil {
		t.Fatal(err)
	}
	page, err := db.Query(t.Context(), s.ID, study.Query{})
	if err != nil {
		t.Fatal(err)
	}
	var got []int
	for _, trial := range page.Trials {
		got = append(got, trial.Number)
	}
	if d := cmp.Diff([]int{1, 0, 2, 4, 5, 3}, got); d != "" { // maximised; then pruned, running, waiting, failed
		t.Errorf("rank (-want +got):\n%s", d)
	}
	d, err := db.Detail(t.Context(), s.ID, 0)
	if err != nil {
		t.Fatal(err)
	}
	want := []study.Sample{{Step: 1, Value: math.NaN()}, {Step: 2, Value: math.Inf(1)}, {Step: 3, Value: 0.25}}
	if diff := cmp.Diff(map[string][]study.Sample{"value": want}, d.History, cmpopts.EquateNaNs()); diff != "" {
		t.Errorf("history (-want +got):\n%s", diff)
	}
	curves, err := db.Curves(t.Context(), s.ID, "value", []int{0, 4})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[int][]study.Sample{0: want}, curves, cmpopts.EquateNaNs()); diff != "" {
		t.Errorf("curves (-want +got):\n%s", diff)
	}
	if err := db.DeleteStudy(t.Context(), "theirs"); err != nil {
		t.Error(err)
	}
	checkNoRows(t, path, s.ID)
}
