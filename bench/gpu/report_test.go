package main

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func jsonOf(t *testing.T, v any) string {
	t.Helper()
	b, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// What an image takes, counted by hand: 3,375,104 products forward at a latent of 128, thrice that less the first layer's
// gradient of its images for a step: the 19.37 MFLOP of bench/README.md. 297,363 weights.
func TestEffort(t *testing.T) {
	b := taskB(size{trials: 1, epochs: 1, train: 128, validation: 0})
	flop, moved := effort(b, result{Epochs: 1, Train: 128, Trials: []score{{}}, Precision: "fp32"})
	const forward = 442368 + 1179648 + 1179648 + 2*131072 + 131072 + 131072 + 49152
	if want := 128.0 * 2 * (3*forward - 442368); flop != want || math.Abs(flop/128-19.37e6) > 0.01e6 {
		t.Errorf("%g operations, want %g", flop, want)
	}
	const values = 7168 + 6144 + 3072 + 1152 + 1152 + 3072 + 6144 + 7168
	if want := 128.0*4*(3*values-7168) + 28*297363; moved != want {
		t.Errorf("%g bytes, want %g", moved, want)
	}
	if _, half := effort(b, result{Epochs: 1, Train: 128, Trials: []score{{}}, Precision: "bf16"}); half >= moved {
		t.Errorf("%g bytes of bfloat16 are not fewer than %g", half, moved)
	}
	b.Validation = 64
	if more, _ := effort(b, result{Epochs: 1, Train: 128, Validation: 64, Trials: []score{{}}}); more-flop != 64*2*forward {
		t.Errorf("64 images forward take %g", more-flop)
	}
}

func TestNoise(t *testing.T) {
	a := result{Way: "sweep", Precision: "tf32", Trials: []score{{ID: 0, ValMSE: 1.01}, {ID: 1, ValMSE: 2.03}, {ID: 2, ValMSE: 3.01}, {ID: 3, ValMSE: 4.03}, {ID: 9, ValMSE: 5}}}
	b := result{Way: "peer", Precision: "tf32", Trials: []score{{ID: 0, ValMSE: 1}, {ID: 1, ValMSE: 2}, {ID: 2, ValMSE: 3}, {ID: 3, ValMSE: 4}}}
	line, ok := noise(a, b)
	// Differences of 0.01, 0.03, 0.01, 0.03: mean 0.02, deviation 0.01155, of 2.5 on average.
	if !ok || !strings.Contains(line, "of 4 trials") || !strings.Contains(line, "+0.80 %") || !strings.Contains(line, "3.5 standard errors") {
		t.Errorf("%v %q", ok, line)
	}
	b.Trials = b.Trials[:3]
	if _, ok := noise(a, b); ok {
		t.Error("three trials are compared")
	}
}

func TestReport(t *testing.T) {
	dir := t.TempDir()
	for _, d := range []string{"results", "tasks"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	put := func(name string, v any) {
		if err := writeJSON(filepath.Join(dir, name), v); err != nil {
			t.Fatal(err)
		}
	}
	trials := func(n int, mse float64) (list []score) {
		for i := range n {
			list = append(list, score{ID: i, ValMSE: mse, Seconds: 10})
		}
		return list
	}
	base := result{Task: "B", Device: "one GPU", Precision: "tf32", Epochs: 10, Train: 10000, Validation: 2000}
	stopped := base
	stopped.Way, stopped.Trials, stopped.Seconds, stopped.Epochs, stopped.OfEpochs = "stack", trials(64, 0.5), 64, 5, 10
	put("results/stack.json", stopped)
	put("tasks/A.json", taskB(fullSize))
	put("tasks/B.json", taskB(fullSize))
	put("ceilings.json", ceilings{FP32: 50e12, TF32: 400e12, BF16: 700e12, Copy: 3e12})
	for name, c := range map[string]struct {
		way     string
		n       int
		seconds float64
	}{"ours": {"sweep, 64 at once", 64, 16}, "usual": {"a process for each trial", 4, 60}, "graphs": {"CUDA graphs, 4 streams", 64, 40}, "slow": {"8 processes", 16, 40}} {
		r := base
		r.Way, r.Trials, r.Seconds, r.Images = c.way, trials(c.n, 0.01), c.seconds, c.n*100000
		put("results/"+name+".json", r)
	}
	var out bytes.Buffer
	handed := t.TempDir()
	if err := run(t.Context(), []string{"report", "-out", dir, "-pack", handed}, &out); err != nil {
		t.Fatal(err)
	}
	// 64 trials in 16 s are 14,400 an hour, 60 times 4 in a minute and 2.5 times 64 in 40 s.
	for _, want := range []string{"14400", "400000", "0.250", "is 60.0 times", "to start: 40.0 times", "both in tf32: 2.50 times as fast as CUDA graphs", "is 2.50 times as fast as the best of the others: CUDA graphs", "0.010000"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the report lacks %q:\n%s", want, out.String())
		}
	}
	// The stack has trained half of 64 trials in 64 s; what errors it came to is not compared.
	plain := strings.Join(strings.Fields(out.String()), " ")
	if !strings.Contains(plain, "stack tf32 64, 5 of 10 epochs 1800 ") || strings.Contains(plain, "less stack") {
		t.Errorf("of trials that were stopped it says:\n%s", out.String())
	}
	if text, err := os.ReadFile(filepath.Join(dir, "report.txt")); err != nil || string(text) != out.String() {
		t.Errorf("kept %q, %v", text, err)
	}
	list, err := exec.Command("tar", "tzf", filepath.Join(handed, "gpu-check-out.tar.gz")).CombinedOutput()
	if err != nil || !strings.Contains(string(list), "gpu-check-out/results/ours.json") || !strings.Contains(string(list), "gpu-check-out/report.txt") {
		t.Errorf("the archive holds %s, %v", list, err)
	}
	if files, err := os.ReadDir(handed); err != nil || len(files) != 1 {
		t.Errorf("%v beside the archive, %v", files, err)
	}
	if first := strings.Split(out.String(), "\n")[1]; !strings.Contains(first, "sweep, 64") {
		t.Errorf("the fastest does not come first: %s", first)
	}
	if err := run(t.Context(), []string{"report", "-out", t.TempDir()}, &out); err == nil {
		t.Error("an empty folder gives a report")
	}
}

// Only results of one GPU are compared with each other.
func TestReportDevices(t *testing.T) {
	of := func(device, way string, seconds float64) result {
		return result{Way: way, Task: "B", Device: device, Precision: "fp32", Trials: []score{{}}, Seconds: seconds}
	}
	const usual = "a process for each trial"
	for _, tt := range []struct {
		name       string
		list       []result
		want, lack []string
	}{
		{"one GPU", []result{of("H", "sweep", 1), of("H", usual, 60)}, []string{"on H\n", "is 60.0 times"}, []string{"left out", "nothing"}},
		// Each of those left out is the fastest of its kind, and would be what the others are compared by.
		{
			"others beside one GPU",
			[]result{of("H", "sweep", 2), of("stand-in 9.0", "sweep", 1), of("H", usual, 60), of("H", "graphs", 8), of("cpu", "stack", 3)},
			[]string{"on stand-in 9.0, H, cpu\n", "left out: 2 results of no GPU\n", "is 30.0 times", "is 4.00 times as fast as the best of the others: graphs"},
			[]string{"nothing", "others: stack"},
		},
		{"one beside one GPU", []result{of("H", "sweep", 2), of("cpu", usual, 3)}, []string{"left out: 1 result of no GPU\n"}, []string{" times", "nothing"}},
		{
			"two GPUs",
			[]result{of("H", "sweep", 1), of("cpu", "sweep", 9), of("A", usual, 60)},
			[]string{"left out: 1 result of no GPU\nmeasured on different devices: nothing is compared; run the stages again on one"},
			[]string{" times"},
		},
		{
			"no GPU",
			[]result{of("stand-in 9.0", "sweep", 1), of("cpu", usual, 60)},
			[]string{"That says nothing of a GPU: nothing is compared.\n"},
			[]string{" times", "left out"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var out bytes.Buffer
			if err := reportTask(&out, "B", taskB(fullSize), ceilings{}, tt.list); err != nil {
				t.Fatal(err)
			}
			for _, w := range tt.want {
				if !strings.Contains(out.String(), w) {
					t.Errorf("it lacks %q:\n%s", w, out.String())
				}
			}
			for _, w := range tt.lack {
				if strings.Contains(out.String(), w) {
					t.Errorf("it holds %q:\n%s", w, out.String())
				}
			}
		})
	}
}
