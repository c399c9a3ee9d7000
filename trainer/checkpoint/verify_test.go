package checkpoint_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"sweep/study"
	"sweep/trainer"
	"sweep/trainer/checkpoint"
	"sweep/trainer/dataset"
)

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
