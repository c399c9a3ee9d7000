package checkpoint_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
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

// resign writes a manifest that agrees with the files again, as someone who forges a claim would.
func resign(t testing.TB, dir string) {
	t.Helper()
	m, err := checkpoint.ReadManifest(dir)
	must(t, err)
	for name := range m.Files {
		b := read(t, dir, name)
		sum := sha256.Sum256(b)
		m.Files[name] = checkpoint.FileEntry{Size: int64(len(b)), SHA256: hex.EncodeToString(sum[:])}
	}
	j, err := json.Marshal(m)
	must(t, err)
	write(t, dir, "MANIFEST.json", j)
}

// otherNetwork is what ONNX makes of a bundle's weights after one of them has changed.
func otherNetwork(t testing.TB, dir string) (model, encoder []byte) {
	t.Helper()
	c, weights, err := checkpoint.DecodeModel(read(t, dir, "model.safetensors"))
	must(t, err)
	weights[0].Data[0]++
	model, encoder, err = checkpoint.ONNX(c, weights)
	must(t, err)
	return model, encoder
}

func TestVerifyRefuses(t *testing.T) {
	good := filepath.Join(t.TempDir(), "best")
	exported(t, good, bundle(t, "sigmoid"))
	flip := func(name string) func(t *testing.T, dir string) {
		return func(t *testing.T, dir string) {
			b := read(t, dir, name)
			b[len(b)/2] ^= 1
			write(t, dir, name, b)
		}
	}
	type test struct {
		name   string
		damage func(t *testing.T, dir string)
		want   string
	}
	var tests []test
	for _, name := range names(t, good) {
		if name != "MANIFEST.json" {
			tests = append(tests,
				test{name + " flipped", flip(name), name + " has the SHA-256"},
				test{name + " missing", func(t *testing.T, dir string) { must(t, os.Remove(filepath.Join(dir, name))) }, name + " is missing"},
				test{name + " longer", func(t *testing.T, dir string) { write(t, dir, name, append(read(t, dir, name), 0)) }, name + " has "})
		}
	}
	edit := func(name, from, to string) func(t *testing.T, dir string) {
		return func(t *testing.T, dir string) {
			b := read(t, dir, name)
			if !bytes.Contains(b, []byte(from)) {
				t.Fatalf("%s does not contain %q", name, from)
			}
			write(t, dir, name, bytes.Replace(b, []byte(from), []byte(to), 1))
			if name != "MANIFEST.json" {
				resign(t, dir)
			}
		}
	}
	tests = append(tests,
		test{"two files damaged", func(t *testing.T, dir string) {
			flip("config.yaml")(t, dir)
			must(t, os.Remove(filepath.Join(dir, "curves.svg")))
		}, "; curves.svg is missing"},
		test{"a prettier claim", edit("metrics.json", `"mse": 0.`, `"mse": 0.0`), "they differ by more than"},
		test{"a claim of other images", edit("metrics.json", `"first": 12`, `"first": 13`), "they differ by more than"},
		test{"a claim of another set", edit("metrics.json", `"set": "test"`, `"set": "train"`), `the set "train"`},
		test{"a claim of none", edit("metrics.json", `"first": 12`, `"first": 0`), "first 0 images"},
		test{"a claim of too many", edit("metrics.json", `"first": 12`, `"first": 20000`), "it has 10000"},
		test{"no metrics", edit("metrics.json", `{`, ``), "metrics.json is not readable"},
		test{"a prettier figure of the whole set", edit("metrics.json", `"test_mse": 0.`, `"test_mse": 0.0`), "claims a test_mse of"},
		test{"a prettier error", edit("metrics.json", `"test_mae": 0.`, `"test_mae": 0.0`), "claims a test_mae of"},
		test{"a prettier ratio", edit("metrics.json", `"test_psnr": `, `"test_psnr": 1`), "claims a test_psnr of"},
		test{"a prettier likeness", edit("metrics.json", `"test_ssim": `, `"test_ssim": 1`), "claims a test_ssim of"},
		test{"a figure of our own", edit("metrics.json", `"test_mse"`, `"test_fid"`), "claims a test_fid, which is not understood"},
		test{"metrics of another trial", edit("metrics.json", `"trial": 7`, `"trial": 8`), "metrics.json is of trial 8"},
		test{"another encoder", func(t *testing.T, dir string) {
			_, encoder := otherNetwork(t, dir)
			write(t, dir, "encoder.onnx", encoder)
			resign(t, dir)
		}, "encoder.onnx is not the network of model.safetensors"},
		test{"another model", func(t *testing.T, dir string) {
			model, _ := otherNetwork(t, dir)
			write(t, dir, "model.onnx", model)
			resign(t, dir)
		}, "model.onnx is not the network of model.safetensors"},
		test{"other weights", func(t *testing.T, dir string) {
			c, weights, err := checkpoint.DecodeModel(read(t, dir, "model.safetensors"))
			must(t, err)
			weights[0].Data[0]++
			b, err := checkpoint.EncodeModel(trainer.Config{Config: c}, weights)
			must(t, err)
			write(t, dir, "model.safetensors", b)
			resign(t, dir)
		}, "model.onnx is not the network of model.safetensors"},
		test{"no encoder", func(t *testing.T, dir string) {
			write(t, dir, "encoder.onnx", []byte("x"))
			resign(t, dir)
		}, "encoder.onnx is not the network"},
		test{"trained on other images", edit("MANIFEST.json", `"seed": 9223372036854775813`, `"seed": 4`), "trained on other images"},
		test{"trained on more images", edit("MANIFEST.json", `"train": 20`, `"train": 21`), "trained on other images"},
		test{"trained on none", edit("MANIFEST.json", `"train": 20`, `"train": 0`), "draw the images that it was trained on: 0 training images"},
		test{"no weights", func(t *testing.T, dir string) {
			write(t, dir, "model.safetensors", []byte("x"))
			resign(t, dir)
		}, "model.safetensors: read a model"},
		test{"no manifest", func(t *testing.T, dir string) { must(t, os.Remove(filepath.Join(dir, "MANIFEST.json"))) }, "this is no bundle"},
		test{"a manifest of a later version", edit("MANIFEST.json", "sweep bundle 1", "sweep bundle 9"), `"sweep bundle 9"`},
		test{"a manifest that leads out", edit("MANIFEST.json", `"curves.svg": {`, `"../evil": {`), "no name of a file"},
		test{"a manifest with less", edit("MANIFEST.json", `"curves.svg": {`, `"c.svg": {`), "does not list curves.svg"},
		test{"no folder", func(t *testing.T, dir string) { must(t, os.RemoveAll(dir)) }, "there is no such folder"},
	)
	for _, c := range tests {
		t.Run(c.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "copy")
			must(t, os.CopyFS(dir, os.DirFS(good)))
			c.damage(t, dir)
			_, err := checkpoint.Verify(t.Context(), dir, openShapes)
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "verify "+dir) || strings.Contains(err.Error(), "\n") {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
		})
	}
	t.Run("a model too large for the whole set", func(t *testing.T) {
		report, err := checkpoint.VerifyWithin(t.Context(), good, openShapes, 1000)
		if err != nil || report.Found != nil || len(report.Claimed) != 4 || report.Images != testSet || !(report.MSE > 0) {
			t.Errorf("report %+v, %v", report, err)
		}
	})
	t.Run("data set not there", func(t *testing.T) {
		_, err := checkpoint.Verify(t.Context(), good, func(d study.Data) (dataset.Source, error) {
			return nil, errors.New(d.Name + " is not here")
		})
		if err == nil || !strings.Contains(err.Error(), "its claim is about the data set shapes: shapes is not here") {
			t.Errorf("error %v", err)
		}
	})
}

func TestBundleInONNXRuntime(t *testing.T) {
	p := python(t)
	for _, output := range []string{"sigmoid", "tanh", "none"} {
		dir := filepath.Join(t.TempDir(), "best")
		b := bundle(t, output)
		exported(t, dir, b)
		images := filepath.Join(t.TempDir(), "images.bin")
		must(t, os.WriteFile(images, b.Test.Pixels, 0o644))
		said, err := exec.CommandContext(t.Context(), p, filepath.Join("testdata", "bundle_check.py"), dir, images).Output()
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			t.Fatalf("%v\n%s", err, exit.Stderr)
		}
		must(t, err)
		mse, err := strconv.ParseFloat(strings.TrimSpace(string(said)), 64)
		must(t, err)
		report, err := checkpoint.Verify(t.Context(), dir, openShapes)
		must(t, err)
		if math.Abs(mse-float64(report.Check.MSE)) > 1e-6 || math.Abs(mse-report.MSE) > 1e-6 {
			t.Errorf("%s: onnxruntime has an MSE of %.9f, the claim is %.9f, our own run has %.9f", output, mse, float64(report.Check.MSE), report.MSE)
		}
	}
}

func TestStrip(t *testing.T) {
	const n, h, w = 18, 3, 2
	for _, c := range []int{1, 3} {
		images, reconstructions := make([]float32, n*h*w*c), make([]float32, n*h*w*c)
		for i := range images {
			images[i], reconstructions[i] = float32(i%200)/255, 1-float32(i%200)/255
		}
		images[0], reconstructions[0] = -3, 7 // outside of the range
		images[1] = float32(math.NaN())
		b, err := checkpoint.Strip(images, reconstructions, h, w, c)
		must(t, err)
		again, err := checkpoint.Strip(images, reconstructions, h, w, c)
		if err != nil || !bytes.Equal(b, again) {
			t.Errorf("the same strip has other bytes: %v", err)
		}
		p, err := png.Decode(bytes.NewReader(b))
		must(t, err)
		if got := p.Bounds().Size(); got.X != 16*(w+2)-2 || got.Y != 2*(2*(h+2)-2)+8 {
			t.Errorf("the strip is %v", got)
		}
		level := func(v float32) uint32 {
			if !(v > 0) {
				return 0
			}
			return uint32(min(v, 1)*255+0.5) * 0x101
		}
		for i := range n {
			for place, set := range [][]float32{images, reconstructions} {
				for y := range h {
					for x := range w {
						at := ((i*h+y)*w + x) * c
						r, g, b, a := p.At(i%16*(w+2)+x, i/16*(2*(h+2)-2+8)+place*(h+2)+y).RGBA()
						want := [4]uint32{level(set[at]), level(set[at+c/3]), level(set[at+c/3*2]), 0xffff}
						if got := [4]uint32{r, g, b, a}; got != want {
							t.Fatalf("%d channels, image %d, row %d, pixel %d, %d: %v, want %v", c, i, place, x, y, got, want)
						}
					}
				}
			}
		}
		if _, _, _, a := p.At(w, 0).RGBA(); a != 0 {
			t.Error("the gap is not transparent")
		}
	}
	for name, f := range map[string]func() ([]byte, error){
		"none":         func() ([]byte, error) { return checkpoint.Strip(nil, nil, 2, 2, 1) },
		"two channels": func() ([]byte, error) { return checkpoint.Strip(make([]float32, 8), make([]float32, 8), 2, 2, 2) },
		"a part":       func() ([]byte, error) { return checkpoint.Strip(make([]float32, 5), make([]float32, 5), 2, 2, 1) },
		"fewer":        func() ([]byte, error) { return checkpoint.Strip(make([]float32, 8), make([]float32, 4), 2, 2, 1) },
		"huge": func() ([]byte, error) {
			return checkpoint.Strip(make([]float32, 8), make([]float32, 8), 1<<40, 1<<40, 1)
		},
		"no samples": func() ([]byte, error) { return checkpoint.Samples(&dataset.Images{Height: 2, Width: 2, Channels: 1}) },
	} {
		if _, err := f(); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
