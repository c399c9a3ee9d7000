package checkpoint_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"sweep/study"
	"sweep/trainer"
	"sweep/trainer/checkpoint"
	"sweep/trainer/dataset"
	"sweep/trainer/kernel"
	"sweep/trainer/model"
)

// The test set of these tests is short, because the reference code that makes the claims is slow.
const (
	bundleImages = 12
	testSet      = 15
)

// bundle makes the bundle of an untrained network on generated images. The engine is the definition: forward.
func bundle(t testing.TB, output string) checkpoint.Bundle {
	t.Helper()
	c := model.Config{
		Channels: 3, Height: 32, Width: 32, Depth: 2, Filters: []int{3, 4}, Kernel: 3, Upsample: "k2", Latent: 8,
		Activation: "relu", OutputActivation: output, Loss: "mse",
	}
	weights := randomWeights(c, 1)
	body, err := checkpoint.EncodeModel(trainer.Config{Config: c}, weights)
	if err != nil {
		t.Fatal(err)
	}
	const seed = 1<<63 + 5
	source, err := openShapes(study.Data{Name: "shapes"})
	must(t, err)
	all, err := source.Test(0)
	must(t, err)
	samples, validation, err := source.Split(seed, 20, 1)
	must(t, err)
	b := checkpoint.Bundle{
		Study: "lr", Trial: 7, Objective: study.Objective{Name: "val_mse", Direction: study.Minimize},
		Params: study.Params{
			"lr": 0.00061, "tiny": 1e-9, "whole": 2.0, "batch": int64(64), "loss": "mse+ssim", "filters": []any{int64(16), int64(32)},
			"flag": true, "word": "no: yes",
		},
		Data: study.Data{Name: "shapes", Fingerprint: dataset.Fingerprint("shapes", samples, validation)}, Train: 20, Validate: 1, Epochs: 3, Seed: seed,
		Model:   body,
		Metrics: map[string]float64{"val_mse": 0.0123, "grad_norm": math.Inf(1)},
		Samples: samples, Test: all.Take(bundleImages), Curves: []byte("<svg xmlns='http://www.w3.org/2000/svg'/>\n"),
		Versions: map[string]string{"sweep": "test"},
	}
	const size = 32 * 32 * 3
	truth, err := kernel.New("ref")
	must(t, err)
	var sums trainer.Sums
	for i := range testSet {
		image := make([]float32, size)
		for k, p := range all.Pixels[i*size:][:size] {
			image[k] = float32(p) / 255
		}
		_, out := forward(c, weights, image)
		made := float32s(out)
		if i < bundleImages {
			b.Reconstructions = append(b.Reconstructions, made...)
		}
		pred, target := kernel.NewMap(1, 32, 32, 3, 0), kernel.NewMap(1, 32, 32, 3, 0)
		pred.SetPixels(made)
		target.SetPixels(image)
		one := truth.Evaluate(new(kernel.Workspace), pred, target, kernel.Loss{H: 32, W: 32})
		sums.Images, sums.Values = sums.Images+1, sums.Values+size
		sums.SE, sums.AE, sums.SSIM = sums.SE+one.SE, sums.AE+one.AE, sums.SSIM+one.SSIM
	}
	b.TestMetrics = trainer.TestMetrics(sums)
	return b
}

// short is a data set with the first images of another's test set.
type short struct{ dataset.Source }

func (s short) Test(first int) (*dataset.Images, error) {
	if first == 0 {
		first = testSet
	}
	return s.Source.Test(first)
}

func openShapes(d study.Data) (dataset.Source, error) {
	s, err := dataset.OpenSized(d.Name, "", d.Size)
	return short{s}, err
}

func read(t testing.TB, dir, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func write(t testing.TB, dir, name string, b []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), b, 0o644); err != nil {
		t.Fatal(err)
	}
}

func names(t testing.TB, dir string) (out []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out
}

func exported(t testing.TB, dir string, b checkpoint.Bundle) string {
	t.Helper()
	sum, err := checkpoint.Export(t.Context(), dir, b)
	if err != nil {
		t.Fatal(err)
	}
	return sum
}

func TestExport(t *testing.T) {
	parent := t.TempDir()
	dir := filepath.Join(parent, "to", "best")
	b := bundle(t, "sigmoid")
	sum := exported(t, dir, b)
	want := []string{
		"MANIFEST.json", "README.md", "config.yaml", "curves.svg", "encoder.onnx", "metrics.json", "model.onnx", "model.safetensors",
		"reconstructions.png", "samples.png",
	}
	if d := cmp.Diff(want, names(t, dir)); d != "" {
		t.Errorf("files (-want +got):\n%s", d)
	}
	if d := cmp.Diff([]string{"best"}, names(t, filepath.Dir(dir))); d != "" {
		t.Errorf("beside the bundle (-want +got):\n%s", d)
	}
	if got := sha256.Sum256(read(t, dir, "MANIFEST.json")); hex.EncodeToString(got[:]) != sum {
		t.Errorf("the digest %s is not the manifest's, %x", sum, got)
	}
	m, err := checkpoint.ReadManifest(dir)
	if err != nil {
		t.Fatal(err)
	}
	if m.Study != "lr" || m.Trial != 7 || m.Seed != b.Seed || m.Data != b.Data || m.Versions["sweep"] != "test" || m.Versions["onnx_opset"] != "17" {
		t.Errorf("manifest %+v", m)
	}

	var metrics struct {
		Metrics map[string]any `json:"metrics"`
		Test    map[string]any `json:"test_metrics"`
		Check   map[string]any `json:"check"`
	}
	if err := json.Unmarshal(read(t, dir, "metrics.json"), &metrics); err != nil {
		t.Fatal(err)
	}
	mse := 0.0
	for i, v := range b.Reconstructions {
		d := float64(v) - float64(float32(b.Test.Pixels[i])/255)
		mse += d * d / float64(len(b.Reconstructions))
	}
	if got := metrics.Check["mse"].(float64); math.Abs(got-mse) > 1e-12 || mse < 0.001 {
		t.Errorf("the claim is %v, want %v", got, mse)
	}
	delete(metrics.Check, "mse")
	if d := cmp.Diff(map[string]any{"set": "test", "first": float64(bundleImages)}, metrics.Check); d != "" {
		t.Errorf("check (-want +got):\n%s", d)
	}
	if d := cmp.Diff(map[string]any{"val_mse": 0.0123, "grad_norm": "Infinity"}, metrics.Metrics); d != "" {
		t.Errorf("metrics (-want +got):\n%s", d)
	}

	report, err := checkpoint.Verify(t.Context(), dir, openShapes)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(report.Claimed, report.Found, cmpopts.EquateApprox(0, 1e-4)); d != "" || len(report.Found) != 4 || report.Images != testSet {
		t.Errorf("on %d test images (-claimed +found):\n%s", report.Images, d)
	}
	if report.Digest != sum || report.Check.First != bundleImages || math.Abs(report.MSE-mse) > 1e-6 || report.Bytes < 1000 {
		t.Errorf("report %+v", report)
	}

	t.Run("again", func(t *testing.T) { // replaced by the same bytes
		if again := exported(t, dir, b); again != sum {
			t.Errorf("the same bundle has the digest %s, then %s", sum, again)
		}
		b.Trial = 8
		if other := exported(t, dir, b); other == sum {
			t.Error("another trial has the same digest")
		}
		if d := cmp.Diff([]string{"best"}, names(t, filepath.Dir(dir))); d != "" {
			t.Errorf("beside the bundle (-want +got):\n%s", d)
		}
		if m, err := checkpoint.ReadManifest(dir); err != nil || m.Trial != 8 {
			t.Errorf("after the replacement: trial %d, %v", m.Trial, err)
		}
	})
	t.Run("empty folder", func(t *testing.T) { // filled, not replaced: someone may stand in it, or it is a mount point
		dir := t.TempDir()
		before, err := os.Stat(dir)
		must(t, err)
		t.Chdir(dir)
		exported(t, ".", b)
		if d := cmp.Diff(want, names(t, ".")); d != "" {
			t.Errorf("files (-want +got):\n%s", d)
		}
		after, err := os.Stat(dir)
		if err != nil || !os.SameFile(before, after) || after.Mode() != before.Mode() {
			t.Errorf("it is another folder now: %v", err)
		}
		if _, err := checkpoint.Verify(t.Context(), ".", openShapes); err != nil {
			t.Error(err)
		}
	})
	t.Run("empty folder in one that cannot be written", func(t *testing.T) {
		parent := t.TempDir()
		dir := filepath.Join(parent, "mount")
		must(t, os.Mkdir(dir, 0o755))
		must(t, os.Chmod(parent, 0o555))
		defer os.Chmod(parent, 0o755) //nolint:errcheck // for the clean-up
		exported(t, dir, b)
	})
	t.Run("other outputs", func(t *testing.T) {
		for _, output := range []string{"tanh", "none"} {
			dir := filepath.Join(t.TempDir(), output)
			exported(t, dir, bundle(t, output))
			if _, err := checkpoint.Verify(t.Context(), dir, openShapes); err != nil {
				t.Error(err)
			}
		}
	})
}

func TestExportConfig(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "best")
	b := bundle(t, "sigmoid")
	exported(t, dir, b)
	var file struct {
		Name       string
		Method     string
		Metric     map[string]string
		RunCap     int `yaml:"run_cap"`
		Parameters map[string]struct{ Value any }
		Sweep      struct {
			Trainer string
			Data    map[string]any
			Epochs  int
			Seed    uint64
		}
	}
	if err := yaml.UnmarshalWithOptions(read(t, dir, "config.yaml"), &file, yaml.Strict()); err != nil {
		t.Fatal(err)
	}
	if file.Name != "lr-trial-7" || file.RunCap != 1 || file.Metric["name"] != "val_mse" || file.Metric["goal"] != "minimize" ||
		file.Sweep.Trainer != "cae" || file.Sweep.Epochs != 3 || file.Sweep.Seed != b.Seed || file.Sweep.Data["name"] != "shapes" {
		t.Errorf("config.yaml is read as %+v", file)
	}
	if len(file.Parameters) != len(b.Params) {
		t.Errorf("%d parameters, want %d", len(file.Parameters), len(b.Params))
	}
	for k, want := range b.Params {
		got := file.Parameters[k].Value
		if n, ok := got.(uint64); ok { // the library's type of a whole number
			got = int64(n)
		}
		if l, ok := got.([]any); ok {
			for i := range l {
				l[i] = int64(l[i].(uint64))
			}
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("parameter %s (-want +got):\n%s", k, d)
		}
	}
}

func TestExportRefuses(t *testing.T) {
	good := bundle(t, "sigmoid")
	for _, c := range []struct {
		name    string
		prepare func(t *testing.T, dir string) // dir does not exist yet
		change  func(b *checkpoint.Bundle)
		want    string
	}{
		{"a folder of the user's", func(t *testing.T, dir string) {
			must(t, os.Mkdir(dir, 0o755))
			write(t, dir, "thesis.tex", []byte("years"))
		}, nil, "left alone"},
		{"a file", func(t *testing.T, dir string) { must(t, os.WriteFile(dir, []byte("x"), 0o644)) }, nil, "there is a file of that name"},
		{"a bundle with a note", func(t *testing.T, dir string) {
			exported(t, dir, good)
			write(t, dir, "note.txt", []byte("mine"))
		}, nil, "note.txt, which is not of it"},
		{"another program's manifest", func(t *testing.T, dir string) {
			must(t, os.Mkdir(dir, 0o755))
			write(t, dir, "MANIFEST.json", []byte("{}"))
		}, nil, "left alone"},
		{"another engine", nil, func(b *checkpoint.Bundle) {
			b.Reconstructions = slices.Clone(b.Reconstructions)
			for i := range b.Reconstructions {
				b.Reconstructions[i] *= 0.9
			}
		}, "should agree"},
		{"an engine gone wrong", nil, func(b *checkpoint.Bundle) {
			b.Reconstructions = slices.Clone(b.Reconstructions)
			b.Reconstructions[5] = float32(math.NaN())
		}, "should agree"},
		{"too few reconstructions", nil, func(b *checkpoint.Bundle) { b.Reconstructions = b.Reconstructions[1:] }, "values of reconstructions"},
		{"no test images", nil, func(b *checkpoint.Bundle) { b.Test = nil }, "no test images"},
		{"images of another size", nil, func(b *checkpoint.Bundle) {
			b.Samples = &dataset.Images{Height: 2, Width: 2, Channels: 3, Pixels: make([]byte, 12)}
		}, "2x2"},
		{"a damaged model", nil, func(b *checkpoint.Bundle) { b.Model = b.Model[:len(b.Model)-4] }, "damaged"},
		{"no curves", nil, func(b *checkpoint.Bundle) { b.Curves = nil }, "curves"},
	} {
		t.Run(c.name, func(t *testing.T) {
			parent := t.TempDir()
			dir := filepath.Join(parent, "best")
			b := good
			if c.prepare != nil {
				c.prepare(t, dir)
			}
			if c.change != nil {
				c.change(&b)
			}
			before := snapshot(t, parent)
			_, err := checkpoint.Export(t.Context(), dir, b)
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("error %v, want one line with %q", err, c.want)
			}
			if d := cmp.Diff(before, snapshot(t, parent)); d != "" {
				t.Errorf("what lies there changed (-before +after):\n%s", d)
			}
		})
	}
	t.Run("cancelled", func(t *testing.T) {
		parent := t.TempDir()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := checkpoint.Export(ctx, filepath.Join(parent, "best"), good); !errors.Is(err, context.Canceled) {
			t.Errorf("error %v, want context.Canceled", err)
		}
		if left := names(t, parent); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
	})
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// snapshot is every file below a folder with its contents.
func snapshot(t testing.TB, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	must(t, filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		sum := sha256.Sum256(b)
		out[path] = hex.EncodeToString(sum[:])
		return err
	}))
	return out
}
