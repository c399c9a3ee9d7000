package checkpoint_test

import (
	"encoding/json"
	"errors"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sweep/study"
	"sweep/trainer"
	"sweep/trainer/checkpoint"
	"sweep/trainer/cpu"
	"sweep/trainer/dataset"
	"sweep/trainer/kernel"
	"sweep/trainer/model"
)

// labelled is the bundle of a network on labels with random weights: what an engine makes of the first test images.
func labelled(t testing.TB, task string) checkpoint.Bundle {
	t.Helper()
	source, err := openShapes(study.Data{Name: "shapes"})
	must(t, err)
	const seed = 3
	train, validation, err := source.Split(seed, 20, 2)
	must(t, err)
	all, err := source.Test(0)
	must(t, err)
	c := trainer.Config{
		Config: model.Config{
			Depth: 2, Filters: []int{3, 4}, Kernel: 3, Upsample: "k2", Latent: 8, Activation: "relu", OutputActivation: "none",
			Loss: "cross_entropy", Task: task,
		},
		Batch: 16, LR: 1, Epochs: 1,
	}
	c.Use(train, validation)
	weights := randomWeights(c.Config, 1)
	engine := cpu.New("cpu:0", kernel.Best())
	defer engine.Close()
	must(t, engine.Load(0, c, trainer.Finished(weights)))
	whole, err := engine.Evaluate(t.Context(), 0, trainer.Current, all, nil, trainer.Want{Reconstructions: true})
	must(t, err)
	body, err := checkpoint.EncodeModel(c, weights)
	must(t, err)
	return checkpoint.Bundle{
		Study: "labels", Trial: 2, Objective: study.Objective{Name: "val_acc", Direction: study.Maximize}, Params: study.Params{"lr": 0.001},
		Data:  study.Data{Name: "shapes", Fingerprint: dataset.Fingerprint("shapes", train, validation)},
		Train: 20, Validate: 2, Epochs: 3, Seed: seed, Model: body, Metrics: map[string]float64{"val_loss": 2},
		TestMetrics: trainer.TestMetricsOf(c.Config, whole.Sums), Samples: train,
		Test: all.Take(bundleImages), Classes: whole.Classes[:bundleImages*c.LabelsEach()],
		Curves: []byte("<svg xmlns='http://www.w3.org/2000/svg'/>\n"), Versions: map[string]string{"sweep": "test"},
	}
}

var onLabels = []string{model.Segment, model.Classify}

func TestExportOnLabels(t *testing.T) {
	for _, task := range onLabels {
		t.Run(task, func(t *testing.T) {
			b := labelled(t, task)
			dir := filepath.Join(t.TempDir(), "best")
			exported(t, dir, b)
			r, err := checkpoint.Verify(t.Context(), dir, openShapes)
			must(t, err)
			var names []string
			for _, f := range r.Figures {
				names = append(names, f.Name)
				if f.Claimed != f.Found || !(f.Found > 0 && f.Found < 1) {
					t.Errorf("%s is claimed to be %g and comes to %g", f.Name, f.Claimed, f.Found)
				}
			}
			want, trainerName := []string{"miou", "pixel_acc"}, "cae"
			if task == model.Classify {
				want, trainerName = []string{"acc"}, "classifier"
			}
			if !slices.Equal(names, want) || r.MSE != 0 || len(r.Found) != len(want) {
				t.Errorf("the figures are %v and %v", names, r.Found)
			}
			for k, v := range r.Found {
				if math.Abs(v-b.TestMetrics[k]) > 1e-3 {
					t.Errorf("%s comes to %g, the engine has %g", k, v, b.TestMetrics[k])
				}
			}
			if config := string(read(t, dir, "config.yaml")); !strings.Contains(config, "trainer: "+trainerName+"\n") {
				t.Errorf("the sweep file of the trial:\n%s", config)
			}
			if card := string(read(t, dir, "README.md")); !strings.Contains(card, "logits") || strings.Contains(card, "quared error") {
				t.Errorf("the card:\n%s", card)
			}
			if m := string(read(t, dir, "metrics.json")); strings.Contains(m, "mse") {
				t.Errorf("the numbers:\n%s", m)
			}
		})
	}
}

func TestExportOnLabelsRefuses(t *testing.T) {
	for _, task := range onLabels {
		for name, change := range map[string]func(*checkpoint.Bundle){
			"the truth for classes": func(b *checkpoint.Bundle) {
				if b.Classes = b.Test.Labels; task == model.Segment {
					b.Classes = b.Test.Masks
				}
			},
			"too few classes": func(b *checkpoint.Bundle) { b.Classes = b.Classes[1:] },
			"no labels": func(b *checkpoint.Bundle) {
				s := *b.Test
				s.Labels, s.Masks = nil, nil
				b.Test = &s
			},
		} {
			b := labelled(t, task)
			change(&b)
			dir := filepath.Join(t.TempDir(), "best")
			if _, err := checkpoint.Export(t.Context(), dir, b); err == nil {
				t.Errorf("task %s, %s: no error", task, name)
			} else if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("task %s, %s: something was written", task, name)
			}
		}
		// A claim that the model does not come to.
		b := labelled(t, task)
		for k := range b.TestMetrics {
			b.TestMetrics[k] += 0.5
		}
		dir := filepath.Join(t.TempDir(), "best")
		exported(t, dir, b)
		if _, err := checkpoint.Verify(t.Context(), dir, openShapes); err == nil || !strings.Contains(err.Error(), "differ by more than rounding") {
			t.Errorf("task %s: a wrong claim passes: %v", task, err)
		}
	}
}

func TestLabelsInONNXRuntime(t *testing.T) {
	p := python(t)
	for _, task := range onLabels {
		dir, beside := filepath.Join(t.TempDir(), "best"), t.TempDir()
		b := labelled(t, task)
		exported(t, dir, b)
		labels := b.Test.Labels
		if task == model.Segment {
			labels = b.Test.Masks
		}
		images := filepath.Join(beside, "images.bin")
		must(t, os.WriteFile(images, b.Test.Pixels, 0o644))
		must(t, os.WriteFile(filepath.Join(beside, "labels.bin"), labels, 0o644))
		said, err := exec.CommandContext(t.Context(), p, filepath.Join("testdata", "labels_check.py"), dir, images, filepath.Join(beside, "labels.bin")).Output()
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			t.Fatalf("%v\n%s", err, exit.Stderr)
		}
		must(t, err)
		var theirs map[string]float64
		must(t, json.Unmarshal(said, &theirs))
		r, err := checkpoint.Verify(t.Context(), dir, openShapes)
		must(t, err)
		for _, f := range r.Figures {
			if math.Abs(theirs[f.Name]-f.Claimed) > 1e-3 || len(theirs) != len(r.Figures) {
				t.Errorf("task %s: onnxruntime has %v, the claim is %+v", task, theirs, f)
			}
		}
		m, err := checkpoint.ReadONNX(read(t, dir, "model.onnx"))
		must(t, err)
		const size, plane = 32 * 32 * 3, 32 * 32
		input := make([]float32, len(b.Test.Pixels))
		for i, v := range b.Test.Pixels {
			n, k := i/size, i%size
			input[n*size+k%3*plane+k/3] = float32(v) / 255
		}
		ours, err := m.Run(t.Context(), input)
		must(t, err)
		compare(t, "logits", ours, floats(t, filepath.Join(beside, "logits.bin")), 1e-5*largest(ours))
	}
}

func largest(x []float32) float64 {
	var most float64
	for _, v := range x {
		most = max(most, math.Abs(float64(v)))
	}
	return most
}
