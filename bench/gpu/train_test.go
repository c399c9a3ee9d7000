package main

import (
	"bytes"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"sweep/study/studytest"
)

// place makes tiny tasks and images in a folder.
func place(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := writeTasks(dir, caeFile, tinySize); err != nil {
		t.Fatal(err)
	}
	if err := run(t.Context(), []string{"images", "-name", "shapes", dir}, &bytes.Buffer{}); err != nil {
		t.Fatal(err)
	}
	return dir
}

// The trials of a task go through the pool on one core: the result has a score of each.
func TestTrain(t *testing.T) {
	dir := place(t)
	for _, name := range []string{"A", "B"} {
		file := filepath.Join(dir, "result.json")
		args := []string{"train", "-task", filepath.Join(dir, name+".json"), "-images", dir, "-device", "cpu", "-slots", "1", "-out", file}
		if err := run(t.Context(), args, &bytes.Buffer{}); err != nil {
			t.Fatal(err)
		}
		var r result
		if err := readJSON(file, &r); err != nil {
			t.Fatal(err)
		}
		if len(r.Trials) != 2 || r.Images != 2*40 || r.Seconds <= 0 || r.Task != name {
			t.Errorf("task %s: %+v", name, r)
		}
		for _, s := range r.Trials {
			if !(s.ValMSE > 0 && s.ValMSE < 1) {
				t.Errorf("task %s, trial %d: val_mse %g", name, s.ID, s.ValMSE)
			}
		}
	}
	err := run(t.Context(), []string{"train", "-task", filepath.Join(dir, "A.json"), "-images", dir, "-device", "cuda:99"}, &bytes.Buffer{})
	if err == nil || !strings.Contains(err.Error(), "cuda:99") {
		t.Errorf("a GPU that is not there: %v", err)
	}
}

// All ways in which the peers train give the same errors but for rounding, as one after the other does, on a CPU.
func TestPeers(t *testing.T) {
	python := studytest.Interpreter(t, "SWEEP_TORCH", "PyTorch", "the peers are not run")
	dir := place(t)
	peers, err := filepath.Abs("peers")
	if err != nil {
		t.Fatal(err)
	}
	script := func(t *testing.T, name string, args ...string) string {
		t.Helper()
		c := exec.CommandContext(t.Context(), python, append([]string{filepath.Join(peers, name), "--device", "cpu"}, args...)...)
		c.Env = append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1", "CUDA_VISIBLE_DEVICES=")
		said, err := c.CombinedOutput()
		if err != nil && strings.Contains(string(said), "needs PyTorch 2") {
			studytest.LeaveOut(t, "%s", lastLines(string(said), 1))
		}
		if err != nil {
			t.Fatalf("%s %v: %v\n%s", name, args, err, said)
		}
		return string(said)
	}
	scores := func(t *testing.T, task, name string, args ...string) []score {
		t.Helper()
		file := filepath.Join(t.TempDir(), "result.json")
		script(t, name, append(args, "--task", filepath.Join(dir, task+".json"), "--images", dir, "--out", file)...)
		var r result
		if err := readJSON(file, &r); err != nil {
			t.Fatal(err)
		}
		if len(r.Trials) != 2 || r.Images != 2*40 || r.Seconds <= 0 || r.Task != task || r.Torch == "" {
			t.Errorf("%+v", r)
		}
		return r.Trials
	}
	want := map[string][]score{"A": scores(t, "A", "eager.py"), "B": scores(t, "B", "eager.py")}
	for _, tt := range []struct{ task, script, args string }{
		{"A", "processes.py", "--at-once 1"},
		{"A", "processes.py", "--at-once 2"},
		{"A", "graphs.py", ""},
		{"B", "graphs.py", "--streams 1 --layout nchw"},
		{"B", "graphs.py", "--layout nhwc"},
		{"B", "graphs.py", "--reduce-overhead"},
		{"B", "graphs.py", "--inductor"},
		{"B", "fused.py", "--form nchw"},
		{"B", "fused.py", "--form nhwc --at-once 1"},
		{"B", "fused.py", "--form nchw,products"},
		{"B", "fused.py", "--form nhwc,products"},
		{"B", "fused.py", "--form nchw,products --inductor"},
		{"B", "fused.py", "--way vmap"},
	} {
		t.Run(strings.TrimSpace(tt.script+" "+tt.args+" "+tt.task), func(t *testing.T) {
			for i, s := range scores(t, tt.task, tt.script, strings.Fields(tt.args)...) {
				// Sums of a few thousand float32 in another order, over a few steps of Adam.
				if w := want[tt.task][i]; s.ID != w.ID || s.ValMSE < w.ValMSE*(1-1e-4) || s.ValMSE > w.ValMSE*(1+1e-4) {
					t.Errorf("%+v, one after the other %+v", s, w)
				}
			}
		})
	}
	t.Run("a stack whose time is over", func(t *testing.T) {
		var long task
		if err := readJSON(filepath.Join(dir, "B.json"), &long); err != nil {
			t.Fatal(err)
		}
		long.Name, long.Epochs = "long", 3
		if err := writeJSON(filepath.Join(dir, "long.json"), long); err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(t.TempDir(), "result.json")
		script(t, "fused.py", "--seconds", "0", "--task", filepath.Join(dir, "long.json"), "--images", dir, "--out", file)
		var r result
		if err := readJSON(file, &r); err != nil {
			t.Fatal(err)
		}
		if len(r.Trials) != 2 || r.Epochs != 1 || r.OfEpochs != 3 || r.Images != 2*40 || math.Abs(r.whole()-2.0/3) > 1e-9 {
			t.Errorf("%+v", r)
		}
		for i, s := range r.Trials { // of its only epoch
			if w := want["B"][i].ValMSE; math.Abs(s.ValMSE/w-1) > 1e-4 {
				t.Errorf("%+v, one epoch gives %g", s, w)
			}
		}
	})
	t.Run("ceilings", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "ceilings.json")
		script(t, "ceilings.py", "--side", "64", "--bytes", "4096", "--rounds", "2", "--out", file)
		var c ceilings
		if err := readJSON(file, &c); err != nil || c.FP32 <= 0 || c.TF32 <= 0 || c.BF16 <= 0 || c.Copy <= 0 {
			t.Errorf("%+v, %v", c, err)
		}
	})
}
