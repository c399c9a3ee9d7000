package main_test

import (
	"encoding/json"
	"errors"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sweep/study/studytest"
)

// python returns the interpreter with the packages of tools/requirements.txt.
func python(t *testing.T) string {
	t.Helper()
	return studytest.Interpreter(t, "SWEEP_PYTHON", "the packages of tools/requirements.txt", "what the program writes is not read by others")
}

func script(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.Command(python(t), args...).Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			t.Fatalf("python %v: %v\n%s", args, err, exit.Stderr)
		}
		t.Fatal(err)
	}
	return string(out)
}

// searching is a sweep with history and pruner: complete and pruned trials, whole numbers, words and lists.
const searching = `
name: searching
method: tpe
metric: {name: val_mse, goal: minimize}
run_cap: 14
parameters:
  lr:         {distribution: log_uniform_values, min: 0.0005, max: 0.01}
  batch:      {values: [16, 32]}
  latent:     {distribution: int_uniform, min: 4, max: 32}
  activation: {values: [relu, tanh]}
  depth:      {value: 2}
  filters:    {value: [4, 8]}
sweep:
  trainer: cae
  data: {name: DATA, train: 256, validation: 64}
  epochs: 4
  seed: 5
  pruner: {name: asha, min_epochs: 1, reduction: 2}
`

// dataSet is CIFAR-10 where $SWEEP_DATA has it, else the generated set, said aloud.
func dataSet(t *testing.T) (name, dir string) {
	t.Helper()
	dir = os.Getenv("SWEEP_DATA")
	if dir != "" {
		if _, err := os.Stat(filepath.Join(dir, "cifar-10-batches-bin", "test_batch.bin")); err == nil {
			return "cifar10", dir
		}
	}
	t.Log("there is no CIFAR-10 in $SWEEP_DATA: this check runs on shapes")
	return "shapes", filepath.Join(t.TempDir(), "none")
}

// TestOptunaOpensTheDatabase runs a sweep and compares what Optuna reads of its file with what we print.
func TestOptunaOpensTheDatabase(t *testing.T) {
	python(t)
	p := newPlace(t)
	name, dir := dataSet(t)
	p.must("run", p.file("searching.yaml", strings.Replace(searching, "DATA", name, 1)), "--data", dir, "--offline")
	type trial struct {
		Number int            `json:"number"`
		State  string         `json:"state"`
		Value  *float64       `json:"value"`
		Params map[string]any `json:"params"`
		Curve  [][2]float64   `json:"curve,omitempty"`
	}
	var ours []trial
	decode(t, p.must("top", "searching", "-n", "0", "--sort", "number", "--json"), &ours)
	pruned := 0
	for i := range ours {
		var d struct{ History map[string][][2]float64 }
		decode(t, p.must("show", "searching", strconv.Itoa(i), "--json"), &d)
		ours[i].Curve = d.History["val_mse"]
		ours[i].Params["filters"] = "[4,8]" // Optuna's choices are scalars: a list is its JSON text there
		if ours[i].State == "pruned" {
			pruned++
		}
	}
	if pruned == 0 || pruned == len(ours) {
		t.Fatalf("%d of %d trials were pruned: the check needs both kinds", pruned, len(ours))
	}
	var best trial
	decode(t, p.must("best", "searching", "--json"), &best)

	var theirs struct {
		Version string
		Best    struct {
			Number int
			Value  float64
		}
		Trials []trial
	}
	decode(t, script(t, "testdata/optuna_read.py", filepath.Join(p.dir, "sweep.db"), "searching"), &theirs)
	if d := cmp.Diff(ours, theirs.Trials); d != "" {
		t.Errorf("trials as we print them and as Optuna %s reads them (-ours +Optuna's):\n%s", theirs.Version, d)
	}
	if theirs.Best.Number != best.Number || theirs.Best.Value != *best.Value {
		t.Errorf("Optuna's best is trial %d with %v, ours %d with %v", theirs.Best.Number, theirs.Best.Value, best.Number, *best.Value)
	}
	t.Logf("Optuna %s reads %d trials, %d of them pruned, best %v: equal to ours", theirs.Version, len(ours), pruned, *best.Value)
}

// TestOnnxruntimeRepeatsTheCheck exports a model trained on CIFAR-10 and has onnxruntime evaluate it on the images as
// they lie in the data set's own file. (On the generated set trainer/checkpoint's tests do the same.)
func TestOnnxruntimeRepeatsTheCheck(t *testing.T) {
	python(t)
	name, dir := dataSet(t)
	if name != "cifar10" {
		t.Skip("there is no CIFAR-10 in $SWEEP_DATA: trainer/checkpoint checks this on shapes")
	}
	p := newPlace(t)
	p.must("run", p.file("searching.yaml", strings.Replace(searching, "DATA", name, 1)), "--data", dir, "--trials", "2")
	p.must("export", "searching", "-o", "best", "--data", dir)
	body, err := os.ReadFile(filepath.Join(p.dir, "best", "metrics.json"))
	if err != nil {
		t.Fatal(err)
	}
	var m struct {
		Check struct {
			Set   string
			First int
			MSE   float64
		}
	}
	if err := json.Unmarshal(body, &m); err != nil {
		t.Fatal(err)
	}
	out := script(t, "testdata/onnx_mse.py", filepath.Join(p.dir, "best"), filepath.Join(dir, "cifar-10-batches-bin", "test_batch.bin"))
	got, err := strconv.ParseFloat(strings.TrimSpace(out), 64)
	if err != nil {
		t.Fatal(err)
	}
	if d := math.Abs(got - m.Check.MSE); !(d <= 1e-6) || m.Check.First != 1000 || m.Check.Set != "test" {
		t.Errorf("onnxruntime's MSE is %.9f, the bundle claims %+v", got, m.Check)
	}
	t.Logf("onnxruntime %.9f, claimed %.9f", got, m.Check.MSE)
}
