package spec_test

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sweep/study"
	"sweep/study/spec"
)

var update = flag.Bool("update", false, "write the golden files of testdata anew")

// catalogue is a trainer with one parameter of each sort. (The real one lives above this package.)
func catalogue() study.Catalogue {
	return study.Catalogue{
		Trainer: "cae",
		Params: []study.Declaration{
			{Name: "lr", Kind: study.Float, Low: 0, OpenLow: true, High: 10, Default: 0.001},
			{Name: "batch", Kind: study.Int, Low: 1, High: 1024, Default: int64(64)},
			{Name: "latent", Kind: study.Int, Low: 1, High: 4096, Default: int64(128)},
			{Name: "loss", Kind: study.Categorical, Words: []string{"mse", "mae", "mse+ssim"}, Default: "mse"},
			{Name: "ssim_weight", Kind: study.Float, Low: 0, High: 1, Default: 0.5},
			{Name: "optimizer", Kind: study.Categorical, Words: []string{"adam"}, Later: []string{"adamw", "sgd"}, Default: "adam"},
			{Name: "momentum", Kind: study.Float, Low: 0, High: 1, Default: 0.9, Unbuilt: true},
			{Name: "weight_decay", Kind: study.Float, Low: 0, High: 1, Default: 0.0, Unbuilt: true},
			{Name: "warmup_epochs", Kind: study.Int, Low: 0, High: 1000, Default: int64(0)},
			{Name: "patience", Kind: study.Int, Low: 0, High: 1000, Default: int64(5)},
			{
				Name: "depth", Kind: study.Int, Low: 1, High: 5, Default: int64(3),
				Clashes: []study.Clash{{Values: []any{int64(1)}, With: "variant", Words: []string{"skip"}, Doc: "there is nothing to skip, use at least 2"}},
			},
			{Name: "learn", Kind: study.Categorical, Words: []string{"images", "masks"}, OfMasks: []string{"masks"}, Default: "images"},
			{Name: "variant", Kind: study.Categorical, Words: []string{"plain", "skip"}, Default: "plain"},
			{
				Name: "filters", Kind: study.Int, List: true, Low: 1, High: 1024, AtLeast: "depth",
				Default: []any{int64(16), int64(32), int64(64), int64(128), int64(256)},
			},
			{Name: "kernel", Kind: study.Int, Low: 1, High: 7, Step: 2, Default: int64(3)},
		},
		Metrics: []study.MetricDecl{
			{Key: "train_loss", Direction: study.Minimize},
			{Key: "val_loss", Direction: study.Minimize},
			{Key: "val_mse", Direction: study.Minimize},
			{Key: "val_psnr", Direction: study.Maximize},
			{Key: "val_far_acc", Direction: study.Maximize, Unbuilt: true},
			{Key: "val_probe_acc", Direction: study.Maximize, Sparse: true},
			{Key: "epoch"},
			{Key: "epoch_s", Direction: study.Minimize, Timing: true},
		},
		Data: []study.DataDecl{
			{Name: "cifar10", Train: 50000, Test: 10000},
			{Name: "shapes", Train: 50000, Test: 10000, Masks: true},
			{Name: "mnist", Train: 60000, Test: 10000},
			{Name: "folder:PATH", Prefix: "folder:", MinSide: 16, MaxSide: 64},
		},
	}
}

func parse(text string) (study.Spec, error) {
	return spec.Parse(spec.Source{Name: "sweep.yaml", Text: []byte(text)}, catalogue())
}

const contract = `
name: lr
method: tpe
metric: {name: val_mse, goal: minimize}
run_cap: 16
parameters:
  lr:      {distribution: log_uniform_values, min: 0.0005, max: 0.001}
  batch:   {values: [32, 64, 128, 256]}
  latent:  {distribution: int_uniform, min: 64, max: 512}
  loss:    {values: [mse, mae, mse+ssim]}
sweep:
  trainer: cae
  data: {name: [cifar10, shapes], train: 10000, validation: 2000}
  epochs: 10
  seed: 1
  pruner: {name: asha, min_epochs: 1, reduction: 3}
`

func TestContract(t *testing.T) {
	got, err := parse(contract)
	if err != nil {
		t.Fatal(err)
	}
	want := study.Spec{
		Name: "lr", Method: "tpe", Objective: study.Objective{Name: "val_mse", Direction: study.Minimize}, RunCap: 16,
		Space: study.Space{
			{Name: "lr", Distribution: study.Distribution{Kind: study.Float, Low: 0.0005, High: 0.001, Log: true}},
			{Name: "batch", Distribution: study.Distribution{Kind: study.Categorical, Choices: []any{int64(32), int64(64), int64(128), int64(256)}}},
			{Name: "latent", Distribution: study.Distribution{Kind: study.Int, Low: 64, High: 512}},
			{Name: "loss", Distribution: study.Distribution{Kind: study.Categorical, Choices: []any{"mse", "mae", "mse+ssim"}}},
		},
		Trainer: "cae", Data: study.DataSpec{Names: []string{"cifar10", "shapes"}, Train: 10000, Validation: 2000},
		Epochs: 10, Seed: 1, Pruner: study.PrunerSpec{Name: "asha", MinEpochs: 1, Reduction: 3}, Retries: 2, KeepCheckpoints: 10,
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// A folder of images is named by its path; how many it holds is not known here.
func TestFolder(t *testing.T) {
	got, err := parse("parameters:\nsweep: {data: {name: [folder:../my photos/cats, \"folder:/x: y\", shapes], train: 40000, validation: 9000, size: 48}}")
	if err != nil {
		t.Fatal(err)
	}
	want := study.DataSpec{Names: []string{"folder:../my photos/cats", "folder:/x: y", "shapes"}, Train: 40000, Validation: 9000, Size: 48}
	if d := cmp.Diff(want, got.Data); d != "" {
		t.Error(d)
	}
	again, err := parse(string(spec.Format(got)))
	if err != nil || !cmp.Equal(got, again) {
		t.Errorf("printed and read back: %v\n%s", err, cmp.Diff(got, again))
	}
	other := got
	other.Data.Size = 32
	if d := spec.Diff(got, other); len(d) != 1 || d[0] != "sweep.data.size: 48 in the study, 32 in the file" {
		t.Errorf("the difference is %q", d)
	}
}

func TestDefaults(t *testing.T) {
	got, err := spec.Parse(spec.Source{Name: "sweeps/my first.yaml", Text: []byte("parameters:\n")}, catalogue())
	if err != nil {
		t.Fatal(err)
	}
	want := study.Spec{
		Name: "my first", Method: "tpe", Objective: study.Objective{Name: "val_mse", Direction: study.Minimize}, RunCap: 100,
		Trainer: "cae", Data: study.DataSpec{Names: []string{"cifar10", "shapes"}, Train: 10000, Validation: 2000},
		Epochs: 10, Seed: 1, Retries: 2, KeepCheckpoints: 10,
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestSeed(t *testing.T) {
	for text, want := range map[string]uint64{
		"0": 0, "7": 7, "1e3": 1000, "1.5e3": 1500, "1000.0": 1000, "0x10": 16, "9007199254740992": 1 << 53, "9.007199254740992e15": 1 << 53,
		"18446744073709551615": math.MaxUint64,
	} {
		got, err := parse("parameters: {}\nsweep: {seed: " + text + "}\n")
		if err != nil || got.Seed != want {
			t.Errorf("seed %s is read as %d (%v)", text, got.Seed, err)
		}
	}
	for _, text := range []string{"-1", "-1e3", "1.5", "1e17", "1e300", ".inf", ".nan", "yes", "[1]", "18446744073709551616", "*none"} {
		_, err := parse("parameters: {}\nsweep: {seed: " + text + "}\n")
		var e *spec.Errors
		if !errors.As(err, &e) || len(e.List) != 1 {
			t.Errorf("seed %s: %v", text, err)
		}
	}
}

func TestParameters(t *testing.T) {
	between := func(k study.Kind, low, high, step float64, log bool) study.Distribution {
		return study.Distribution{Kind: k, Low: low, High: high, Step: step, Log: log}
	}
	of := func(v ...any) study.Distribution { return study.Distribution{Kind: study.Categorical, Choices: v} }
	for text, want := range map[string]study.Distribution{
		"lr: {min: 0.1, max: 1}":                                              between(study.Float, 0.1, 1, 0, false),
		"lr: {min: 1e-4, max: 1.5E+0}":                                        between(study.Float, 1e-4, 1.5, 0, false),
		"lr: {distribution: uniform, min: 1, max: 2}":                         between(study.Float, 1, 2, 0, false),
		"lr: {distribution: int_uniform, min: 1, max: 2}":                     between(study.Int, 1, 2, 0, false),
		"lr: {distribution: q_uniform, min: 0.1, max: 1, q: 0.1}":             between(study.Float, 0.1, 1, 0.1, false),
		"lr: {distribution: log_uniform_values, min: 1e-5, max: 1}":           between(study.Float, 1e-5, 1, 0, true),
		"latent: {min: 64, max: 512}":                                         between(study.Int, 64, 512, 0, false),
		"latent: {distribution: log_uniform_values, min: 64, max: 512}":       between(study.Int, 64, 512, 0, true),
		"latent: {distribution: q_uniform, min: 64, max: 512, q: 64}":         between(study.Int, 64, 512, 64, false),
		"kernel: {distribution: q_uniform, min: 3, max: 7, q: 2}":             between(study.Int, 3, 7, 2, false),
		"kernel: {values: [3, 5]}":                                            of(int64(3), int64(5)),
		"lr: {values: [1, 0.5, 5e-1]}":                                        {},
		"lr: {values: [1.0, 0.5]}":                                            of(int64(1), 0.5),
		"lr: {value: 1e-3}":                                                   of(0.001),
		"lr: {distribution: constant, value: 1}":                              of(int64(1)),
		"loss: {distribution: categorical, values: [mae]}":                    of("mae"),
		"loss: {value: \"mse+ssim\"}":                                         of("mse+ssim"),
		"filters: {value: [8, 16, 32]}":                                       of([]any{int64(8), int64(16), int64(32)}),
		"filters: {values: [[8, 16, 32], [4, 4, 4, 4]]}":                      of([]any{int64(8), int64(16), int64(32)}, []any{int64(4), int64(4), int64(4), int64(4)}),
		"weight_decay: {value: 0}":                                            of(int64(0)),
		"batch: &b {values: [1, 2]}\n  latent: *b":                            of(int64(1), int64(2)),
		"batch: {<<: {min: 1, max: 5}, max: 7}":                               between(study.Int, 1, 7, 0, false),
		"batch:\n    values:\n      - 8 # small\n      # and\n      - 16\n\n": of(int64(8), int64(16)),
	} {
		got, err := parse("parameters:\n  " + text + "\n")
		if want.Kind == "" {
			if err == nil {
				t.Errorf("%s: no mistake", text)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s:\n%v", text, err)
			continue
		}
		if d := cmp.Diff(want, got.Space[len(got.Space)-1].Distribution); d != "" {
			t.Errorf("%s: %s", text, d)
		}
		if d := cmp.Diff(got, roundTrip(t, got)); d != "" {
			t.Errorf("%s: JSON gives it back otherwise: %s", text, d)
		}
	}
}

// roundTrip stores a spec and reads it back, as the database does.
func roundTrip(t *testing.T, s study.Spec) study.Spec {
	t.Helper()
	b, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	var out study.Spec
	if err := json.Unmarshal(b, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// TestMistakes reads testdata/mistakes.txt: files after a line "=== name", each followed, after a line "---", by the
// mistakes that it must give.
func TestMistakes(t *testing.T) {
	const golden = "testdata/mistakes.txt"
	b, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	cases := strings.Split("\n"+string(b), "\n=== ")[1:]
	for _, c := range cases {
		name, body, _ := strings.Cut(c, "\n")
		text, want, _ := strings.Cut(body, "\n---\n")
		// What an editor would change or hide stands as a word.
		file := strings.NewReplacer("<TAB>", "\t", "<EMPTY>", "", "<NUL>", "\x00", "<LATIN1>", "\xe9", "<CR>", "\r", "<DASHES>", "---").Replace(text)
		got := "no mistake"
		_, err := parse(file + "\n")
		if err != nil {
			got = err.Error()
		}
		fmt.Fprintf(&out, "=== %s\n%s\n---\n%s\n", name, text, got)
		if *update {
			continue
		}
		t.Run(name, func(t *testing.T) {
			if d := cmp.Diff(strings.TrimSuffix(want, "\n"), got); d != "" {
				t.Error(d)
			}
			var e *spec.Errors
			if !errors.As(err, &e) {
				t.Fatalf("the error is a %T", err)
			}
			for _, m := range e.List {
				if strings.ContainsAny(m.Message, "\n\t") || len(m.Message) > 250 {
					t.Errorf("the message is not one line of sensible length: %q", m.Message)
				}
			}
		})
	}
	if *update {
		if err := os.WriteFile(golden, []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if len(cases) < 40 {
		t.Errorf("only %d cases", len(cases))
	}
}

func TestLargeFiles(t *testing.T) {
	for name, text := range map[string]string{
		"oversized":      contract + strings.Repeat("# padding\n", 120_000),
		"brackets":       "parameters: " + strings.Repeat("[", 100_000),
		"dashes":         strings.Repeat("- ", 100_000),
		"anchors":        "a: " + strings.Repeat("&a ", 100_000),
		"questions":      strings.Repeat("? ", 100_000),
		"many mistakes":  "parameters:\n" + strings.Repeat("  lt: {value: 1}\n", 4_000),
		"many lines":     contract + strings.Repeat("# padding\n", 5_000),
		"tags":           "a: " + strings.Repeat("!x ", 100_000),
		"dashes in list": "parameters: {batch: {values: [" + strings.Repeat("-1, ", 500) + "-1]}}",
		"long line":      "metod: " + strings.Repeat("x", 100_000),
		"many values":    "parameters: {batch: {values: [" + strings.Repeat("1, ", 5000) + "1]}}",
		"self merge":     "a: &a\n  <<: *a\nparameters: *a\n",
		"self alias":     "parameters: &a {lr: &b [*b, *a]}\n",
		"laughs":         "a: &a [x, x]\nb: &b [*a, *a, *a]\nc: &c [*b, *b, *b]\nparameters: {loss: {values: *c}}\n",
		"deep by indent": deep(500),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parse(text)
			if err == nil {
				t.Fatal("no mistake")
			}
			if s := err.Error(); len(s) > 40_000 {
				t.Errorf("the mistakes have %d bytes", len(s))
			}
		})
	}
}

func deep(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "%sa:\n", strings.Repeat(" ", i))
	}
	return b.String()
}

// (The shipped sweeps are read and printed in their own folder, by the trainers' own catalogues.)
func TestFormat(t *testing.T) {
	texts := []string{contract, "parameters: {}", `
name: "7"
description: "two\nlines: \"quoted\", # no comment, ünïcödé"
metric: {name: val_psnr, target: 31.5}
parameters:
  lr: {distribution: q_uniform, min: 1e-3, max: 0.5, q: 1e-3}
  kernel: {distribution: q_uniform, min: 1, max: 7, q: 2}
  latent: {distribution: log_uniform_values, min: 1, max: 4096}
  filters: {values: [[1, 2, 3], [4, 5, 6]]}
  loss: {value: mse+ssim}
sweep: {seed: 18446744073709551615, workers: 3, retries: 0, keep_checkpoints: 0, pruner: {name: none}}
`}
	for _, text := range texts {
		s, err := parseAny(text)
		if err != nil {
			t.Errorf("%s\n%v", text, err)
			continue
		}
		again, err := parseAny(string(spec.Format(s)))
		if err != nil {
			t.Errorf("printed as\n%s\n%v", spec.Format(s), err)
			continue
		}
		if d := cmp.Diff(s, again); d != "" {
			t.Errorf("printed as\n%s\n%s", spec.Format(s), d)
		}
		if d := spec.Diff(roundTrip(t, s), again); len(d) != 0 {
			t.Errorf("stored and read back it differs: %q", d)
		}
	}
}

// parseAny parses with every word that the shipped sweeps use.
func parseAny(text string) (study.Spec, error) {
	c := catalogue()
	for _, name := range []string{"activation", "output_activation"} {
		c.Params = append(c.Params, study.Declaration{Name: name, Kind: study.Categorical, Words: []string{"relu", "sigmoid"}, Default: "relu"})
	}
	return spec.Parse(spec.Source{Name: "sweep.yaml", Text: []byte(text)}, c)
}

func TestDiff(t *testing.T) {
	a, err := parse(contract)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ name, old, new, want string }{
		{"run_cap", "run_cap: 16", "run_cap: 99", ""},
		{"order", "parameters:", "parameters:\n  ssim_weight: {value: 0.5}", "parameters.ssim_weight: absent in the study, 0.5 in the file"},
		{"lr", "max: 0.001", "max: 0.0010001", "parameters.lr: 0.0005 to 0.001, logarithmic in the study, 0.0005 to 0.0010001, logarithmic in the file"},
		{"batch", "64, 128", "65, 128", "parameters.batch: one of 32, 64, 128, 256 in the study, one of 32, 65, 128, 256 in the file"},
		{"gone", "  loss:    {values: [mse, mae, mse+ssim]}\n", "", "parameters.loss: one of mse, mae, mse+ssim in the study, absent in the file"},
		{"method", "method: tpe", "method: random", "method: tpe in the study, random in the file"},
		{"metric", "name: val_mse, goal: minimize", "name: val_psnr", "metric.name: val_mse in the study, val_psnr in the file\nmetric.goal: minimize in the study, maximize in the file"},
		{"target", "goal: minimize", "target: 0.01", "metric.target: none in the study, 0.01 in the file"},
		{"data", "[cifar10, shapes]", "shapes", "sweep.data.name: cifar10, shapes in the study, shapes in the file"},
		{"train", "train: 10000", "train: 9", "sweep.data.train: 10000 in the study, 9 in the file"},
		{"epochs", "epochs: 10\n", "epochs: 11\n", "sweep.epochs: 10 in the study, 11 in the file"},
		{"seed", "seed: 1", "seed: 2", "sweep.seed: 1 in the study, 2 in the file"},
		{"pruner", "pruner: {name: asha, min_epochs: 1, reduction: 3}", "retries: 5", "sweep.pruner: asha (min_epochs 1, reduction 3) in the study, none in the file\nsweep.retries: 2 in the study, 5 in the file"},
	} {
		t.Run(test.name, func(t *testing.T) {
			text := strings.Replace(contract, test.old, test.new, 1)
			if text == contract {
				t.Fatal("nothing was replaced")
			}
			b, err := parse(text)
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(spec.Diff(a, b), "\n"); got != test.want {
				t.Errorf("got  %q\nwant %q", got, test.want)
			}
		})
	}
	b := a
	b.Space = study.Space{a.Space[2], a.Space[0], a.Space[3], a.Space[1]}
	if d := spec.Diff(a, b); len(d) != 0 {
		t.Errorf("the order of parameters: %q", d)
	}
}

func TestWarnings(t *testing.T) {
	for _, test := range []struct{ name, text, want string }{
		{"none", contract, ""},
		{"cap", "run_cap: 7\nparameters: {batch: {values: [1, 2]}, depth: {min: 1, max: 3}}", "run_cap is 7 but the space has only 6 configurations"},
		{"one", "run_cap: 2\nparameters: {batch: {value: 1}}", "only one configuration"},
		{"warm-up", "parameters: {lr: {min: 0.1, max: 0.2}, warmup_epochs: {min: 0, max: 10}}", "up to 10 of 10 epochs"},
		{"batch", "parameters: {lr: {min: 0.1, max: 0.2}, batch: {values: [8, 512]}}\nsweep: {data: {train: 256}}", "batch goes up to 512"},
		{"pruner", "parameters: {lr: {min: 0.1, max: 0.2}}\nsweep: {epochs: 3, pruner: {name: asha, min_epochs: 3}}", "it will stop nothing"},
		{"loss", "metric: {name: val_loss}\nparameters: {lr: {min: 0.1, max: 0.2}, loss: {values: [mse, mae]}}", "not comparable"},
		{"weight", "parameters: {ssim_weight: {min: 0.1, max: 0.2}}", "it will change nothing"},
	} {
		s, err := parse(test.text)
		if err != nil {
			t.Fatalf("%s: %v", test.name, err)
		}
		got := spec.Warnings(s)
		if test.want == "" && len(got) != 0 || test.want != "" && (len(got) != 1 || !strings.Contains(got[0], test.want)) {
			t.Errorf("%s: got %q, want one with %q", test.name, got, test.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(contract)
	files, _ := filepath.Glob("../../sweeps/*.yaml")
	for _, name := range files {
		if b, err := os.ReadFile(name); err == nil {
			f.Add(string(b))
		}
	}
	b, err := os.ReadFile("testdata/mistakes.txt")
	if err != nil {
		f.Fatal(err)
	}
	for _, c := range strings.Split("\n"+string(b), "\n=== ")[1:] {
		_, body, _ := strings.Cut(c, "\n")
		text, _, _ := strings.Cut(body, "\n---\n")
		f.Add(text)
	}
	f.Add("name: \"\\u00e9 x\"\nparameters: {lr: {values: [1e-320, 9.999999999999999e-1]}}\nsweep: {seed: 18446744073709551615}\n")
	f.Add("description: |\n  a\n   b\n\n  c\nparameters: {}\n")
	f.Fuzz(func(t *testing.T, text string) {
		// A parser that never ends would hang the fuzzer without a word.
		slow := time.AfterFunc(20*time.Second, func() { panic(fmt.Sprintf("still reading %q", text)) })
		defer slow.Stop()
		s, err := parseAny(text)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "sweep.yaml:") {
				t.Errorf("a mistake has no place: %v", err)
			}
			return
		}
		printed := string(spec.Format(s))
		again, err := parseAny(printed)
		if err != nil {
			t.Fatalf("accepted, but not as it prints itself:\n%s\n%v", printed, err)
		}
		if d := cmp.Diff(s, again); d != "" {
			t.Fatalf("printed\n%s\n%s", printed, d)
		}
		spec.Warnings(s)
		if d := spec.Diff(s, again); len(d) != 0 {
			t.Fatal(d)
		}
	})
}

// A grid that names no run_cap is tried whole.
func TestGrid(t *testing.T) {
	const file = "name: g\nmethod: grid\n%sparameters:\n  loss: {values: [mse, mae]}\n  latent: {values: [64, 128, 256]}\n"
	for cap, want := range map[string]int{"": 6, "run_cap: 4\n": 4} {
		s, err := parse(fmt.Sprintf(file, cap))
		if err != nil {
			t.Fatal(err)
		}
		if s.RunCap != want {
			t.Errorf("%q gives a run_cap of %d, want %d", cap, s.RunCap, want)
		}
	}
}
