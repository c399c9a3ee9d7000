package checkpoint_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"image/png"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
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

// taskCases are networks whose bundles differ from a plain one's.
var taskCases = []struct {
	name, input string // what is fed for the check, as the Python program calls it
	change      func(*model.Config)
	rows        int // of the picture of reconstructions
	words       string
}{
	{"gaussian", "clean", func(c *model.Config) { c.Variant, c.Noise, c.NoiseLevel = "denoising", "gaussian", 0.2 }, 3, "without noise"},
	{"mask", "clean", func(c *model.Config) { c.Variant, c.Noise, c.NoiseLevel = "denoising", "mask", 0.5 }, 3, "without noise"},
	{"inpaint", "hole", func(c *model.Config) { c.Task = "inpaint" }, 3, "a hole of half the height and width"},
	{"superresolve", "averages", func(c *model.Config) { c.Task = "superresolve" }, 3, "each 2x2 pixels"},
	{"variational", "clean", func(c *model.Config) { c.Variant, c.Beta = "variational", 2 }, 2, "nothing is drawn"},
	{"variational inpaint", "hole", func(c *model.Config) { c.Variant, c.Task = "variational", "inpaint" }, 3, "a hole"},
}

// taskBundle is the bundle of an untrained network, measured by the engine.
func taskBundle(t testing.TB, change func(*model.Config)) (checkpoint.Bundle, model.Config, []trainer.Tensor) {
	t.Helper()
	c := model.Config{
		Channels: 3, Height: 32, Width: 32, Depth: 2, Filters: []int{3, 4}, Kernel: 3, Upsample: "k2", Latent: 10,
		Activation: "relu", OutputActivation: "sigmoid", Loss: "mse",
	}
	change(&c)
	weights := randomWeights(c, 4)
	body, err := checkpoint.EncodeModel(trainer.Config{Config: c}, weights)
	must(t, err)
	source, err := openShapes(study.Data{Name: "shapes"})
	must(t, err)
	all, err := source.Test(0)
	must(t, err)
	const seed = 77
	samples, validation, err := source.Split(seed, 20, 1)
	must(t, err)
	b := checkpoint.Bundle{
		Study: "task", Trial: 3, Objective: study.Objective{Name: "val_mse", Direction: study.Minimize}, Params: study.Params{"lr": 0.001},
		Data:  study.Data{Name: "shapes", Fingerprint: dataset.Fingerprint("shapes", samples, validation)},
		Train: 20, Validate: 1, Epochs: 3, Seed: seed, Model: body, Metrics: map[string]float64{"val_mse": 0.5}, Samples: samples,
		Test: all.Take(bundleImages), Curves: []byte("<svg xmlns='http://www.w3.org/2000/svg'/>\n"), Versions: map[string]string{"sweep": "test"},
	}
	engine := cpu.New("cpu:0", kernel.Best())
	defer engine.Close() //nolint:errcheck // a core has nothing to give back
	must(t, engine.Load(0, trainer.Config{
		Config: c, Batch: 4, LR: 0.001, Optimizer: "adam", Epochs: 1, Seed: b.Seed, Train: b.Samples, Validation: b.Test,
	}, trainer.Finished(weights)))
	whole, err := engine.Evaluate(t.Context(), 0, trainer.Current, all, nil, trainer.Want{})
	must(t, err)
	b.TestMetrics = trainer.TestMetrics(whole.Sums)
	first, err := engine.Evaluate(t.Context(), 0, trainer.Current, b.Test, nil, trainer.Want{Reconstructions: true})
	must(t, err)
	b.Reconstructions = first.Reconstructions
	if c.Generates() {
		b.Generated, err = engine.Decode(t.Context(), 0, trainer.Current, c.GeneratedCodes(b.Seed, 6))
		must(t, err)
	}
	return b, c, weights
}

func claimOf(t *testing.T, dir string) (check struct {
	Set, Input string
	First      int
	MSE        float64
},
) {
	t.Helper()
	doc := struct{ Check any }{&check}
	must(t, json.Unmarshal(read(t, dir, "metrics.json"), &doc))
	return check
}

// TestExportOfTasks: a bundle's figures come out again on the task's own inputs, its check on inputs that anyone can make.
func TestExportOfTasks(t *testing.T) {
	for _, tt := range taskCases {
		t.Run(tt.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "best")
			b, c, weights := taskBundle(t, tt.change)
			exported(t, dir, b)
			report, err := checkpoint.Verify(t.Context(), dir, openShapes)
			must(t, err)
			if len(report.Found) != 4 || report.Images != testSet {
				t.Errorf("the report is %+v", report)
			}
			check := claimOf(t, dir)
			if !strings.Contains(check.Input, tt.words) {
				t.Errorf("the input of the check is %q", check.Input)
			}
			own := 0.0
			for i, v := range b.Reconstructions {
				d := float64(v) - float64(float32(b.Test.Pixels[i])/255)
				own += d * d / float64(len(b.Reconstructions))
			}
			// Another input gives another error; the same one the same.
			if same := math.Abs(check.MSE-own) < 1e-7; same != (tt.name == "superresolve" || tt.name == "variational") {
				t.Errorf("the error is %g with the task's own inputs, %g with those of the check", own, check.MSE)
			}
			picture, err := png.Decode(bytes.NewReader(read(t, dir, "reconstructions.png")))
			must(t, err)
			if want := tt.rows*(2*32+2) - 2; picture.Bounds().Dy() != want {
				t.Errorf("the picture is %d high, want %d rows", picture.Bounds().Dy(), tt.rows)
			}
			card := string(read(t, dir, "README.md"))
			if !strings.Contains(card, check.Input) || strings.Contains(card, "generated.png") != c.Generates() ||
				strings.Contains(card, "decoder.onnx") != c.Generates() || strings.Contains(card, "%!") {
				t.Errorf("the card is\n%s", card)
			}
			_, missing := os.Stat(filepath.Join(dir, "decoder.onnx"))
			if _, err := os.Stat(filepath.Join(dir, "generated.png")); (err == nil) != c.Generates() || (missing == nil) != c.Generates() {
				t.Errorf("files %v", names(t, dir))
			}
			if !c.Generates() {
				if _, err := checkpoint.DecoderONNX(c, weights); err != nil {
					t.Errorf("the decoder of a network without skips: %v", err)
				}
				return
			}
			m, err := checkpoint.ReadONNX(read(t, dir, "decoder.onnx"))
			must(t, err)
			out, err := m.Run(t.Context(), c.GeneratedCodes(b.Seed, 6))
			must(t, err)
			const size = 32 * 32 * 3
			for i := range 6 {
				compare(t, "generated", out[i*size:][:size], planes(b.Generated[i*size:][:size], 3), 2e-5)
			}
		})
	}
}

func TestTasksInONNXRuntime(t *testing.T) {
	p := python(t)
	for _, tt := range taskCases {
		dir := filepath.Join(t.TempDir(), "best")
		b, c, _ := taskBundle(t, tt.change)
		exported(t, dir, b)
		scratch := t.TempDir()
		images := filepath.Join(scratch, "images.bin")
		must(t, os.WriteFile(images, b.Test.Pixels, 0o644))
		args := []string{filepath.Join("testdata", "task_check.py"), dir, images, tt.input}
		if c.Generates() {
			var codes bytes.Buffer
			must(t, binary.Write(&codes, binary.LittleEndian, c.GeneratedCodes(b.Seed, 6)))
			must(t, os.WriteFile(filepath.Join(scratch, "codes.bin"), codes.Bytes(), 0o644))
			args = append(args, filepath.Join(scratch, "codes.bin"), filepath.Join(scratch, "made.bin"))
		}
		said, err := exec.CommandContext(t.Context(), p, args...).Output()
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			t.Fatalf("%s: %v\n%s", tt.name, err, exit.Stderr)
		}
		must(t, err)
		mse, err := strconv.ParseFloat(strings.TrimSpace(string(said)), 64)
		must(t, err)
		if claimed := claimOf(t, dir).MSE; math.Abs(mse-claimed) > 1e-6 {
			t.Errorf("%s: onnxruntime has an MSE of %.9f, the claim is %.9f", tt.name, mse, claimed)
		}
		if c.Generates() {
			made := floats(t, filepath.Join(scratch, "made.bin"))
			const size = 32 * 32 * 3
			for i := range 6 {
				compare(t, "generated", made[i*size:][:size], planes(b.Generated[i*size:][:size], 3), 2e-5)
			}
		}
	}
}

// TestVerifyRefusesOtherTasks: a bundle whose words or decoder are not those of its weights.
func TestVerifyRefusesOtherTasks(t *testing.T) {
	b, _, _ := taskBundle(t, taskCases[4].change)
	for name, tt := range map[string]struct {
		damage func(t *testing.T, dir string)
		want   string
	}{
		"another input": {func(t *testing.T, dir string) {
			write(t, dir, "metrics.json", bytes.Replace(read(t, dir, "metrics.json"), []byte("nothing is drawn"), []byte("all is drawn"), 1))
		}, "but for the network of model.safetensors it is"},
		"another decoder": {func(t *testing.T, dir string) {
			write(t, dir, "decoder.onnx", read(t, dir, "encoder.onnx"))
		}, "decoder.onnx is not the network of"},
	} {
		dir := filepath.Join(t.TempDir(), "best")
		exported(t, dir, b)
		tt.damage(t, dir)
		resign(t, dir)
		if _, err := checkpoint.Verify(t.Context(), dir, openShapes); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// Exported with another seed, the noise is not that of the claims.
	b, _, _ = taskBundle(t, taskCases[0].change)
	dir := filepath.Join(t.TempDir(), "best")
	b.Seed++
	source, err := openShapes(study.Data{Name: "shapes"})
	must(t, err)
	samples, validation, err := source.Split(b.Seed, b.Train, b.Validate)
	must(t, err)
	b.Data = study.Data{Name: "shapes", Fingerprint: dataset.Fingerprint("shapes", samples, validation)}
	if _, err := checkpoint.Export(t.Context(), dir, b); err == nil || !strings.Contains(err.Error(), "the exported model has a mean squared error") {
		t.Errorf("with another seed: %v", err)
	}
	b, _, _ = taskBundle(t, taskCases[4].change)
	b.Generated = nil
	if _, err := checkpoint.Export(t.Context(), dir, b); err == nil || !strings.Contains(err.Error(), "generated images") {
		t.Errorf("without generated images: %v", err)
	}
}

// The encoder of a variational model gives means, whose weights come before those of the log variances.
func TestVariationalEncoder(t *testing.T) {
	b, c, weights := taskBundle(t, taskCases[4].change)
	_, encoder, err := checkpoint.ONNX(c, weights)
	must(t, err)
	plain := c
	plain.Variant = "plain"
	_, other, err := checkpoint.ONNX(plain, slices.DeleteFunc(slices.Clone(weights), func(w trainer.Tensor) bool { return strings.HasPrefix(w.Name, "enc.logvar") }))
	must(t, err)
	if len(b.Generated) == 0 || !bytes.Equal(encoder, other) {
		t.Error("the encoder is not that of the means alone")
	}
}
