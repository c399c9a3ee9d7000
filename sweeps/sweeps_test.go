// Package sweeps holds the sweep files that come with the program; its test keeps them right.
package sweeps_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sweep/study"
	"sweep/study/pruner"
	"sweep/study/sampler"
	"sweep/study/spec"
	"sweep/trainer"
	"sweep/trainer/baseline"
	"sweep/trainer/dataset"
)

func read(t *testing.T, name string) study.Spec {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	s, err := parse(name, b)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func parse(name string, text []byte) (study.Spec, error) {
	known := trainer.Catalogues(dataset.Catalogue())
	return spec.Parse(spec.Source{Name: name, Text: text}, known[0], known[1:]...)
}

// Every file parses without a warning, is named after itself, and its first trials can be proposed and decoded.
func TestFiles(t *testing.T) {
	files, err := filepath.Glob("*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"cae.yaml", "capacity.yaml", "classifier.yaml", "denoise.yaml", "finetune.yaml", "generate.yaml", "lr.yaml", "paper.yaml", "segment.yaml", "smoke.yaml", "variants.yaml"}; !cmp.Equal(files, want) {
		t.Errorf("the files are %v, want %v", files, want)
	}
	for _, name := range files {
		t.Run(name, func(t *testing.T) {
			s := read(t, name)
			if s.Name+".yaml" != name {
				t.Errorf("the study is called %s", s.Name)
			}
			if w := spec.Warnings(s); len(w) != 0 {
				t.Errorf("warnings: %q", w)
			}
			if _, err := pruner.New(s.Pruner); err != nil {
				t.Error(err)
			}
			smp, err := sampler.New(s)
			if err != nil {
				t.Fatal(err)
			}
			for n := range 20 {
				p, err := smp.Sample(t.Context(), study.Ask{Number: n, Seed: s.Seed, Space: s.Space, Objective: s.Objective})
				if err != nil {
					t.Fatal(err)
				}
				if _, err := trainer.DecodeFor(s.Trainer, p); err != nil {
					t.Error(err)
				}
			}
			again, err := parse(name, spec.Format(s))
			if err != nil || !cmp.Equal(s, again) {
				t.Errorf("printed and read back: %v\n%s", err, cmp.Diff(s, again))
			}
		})
	}
}

// The space that the owner asked for.
func TestCAEHoldsTheWholeSpace(t *testing.T) {
	s := read(t, "cae.yaml")
	for name, want := range map[string]study.Distribution{
		"lr":     {Kind: study.Float, Low: 0.0005, High: 0.001, Log: true},
		"batch":  {Kind: study.Categorical, Choices: []any{int64(32), int64(64), int64(128), int64(256)}},
		"latent": {Kind: study.Int, Low: 64, High: 512},
		"loss":   {Kind: study.Categorical, Choices: []any{"mse", "mae", "mse+ssim"}},
	} {
		d, _ := s.Space.Lookup(name)
		if diff := cmp.Diff(want, d.Distribution); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	for _, name := range []string{"patience", "warmup_epochs"} {
		if d, ok := s.Space.Lookup(name); !ok || d.Distribution.Single() {
			t.Errorf("%s is not searched", name)
		}
	}
}

// The values of the paper, as the mission states them.
func TestPaper(t *testing.T) {
	s := read(t, "paper.yaml")
	if s.RunCap != 1 || s.Epochs != 100 || s.Data.Train != 45000 || s.Data.Validation != 5000 || len(s.Space.Searched()) != 0 {
		t.Errorf("got %+v", s)
	}
}

// Every loss meets every latent size once, each trained equally long, and the study has a pca line at those sizes.
func TestCapacity(t *testing.T) {
	s := read(t, "capacity.yaml")
	if s.RunCap != 18 || s.Space.Cardinality() != 18 || s.Pruner.Name != "" {
		t.Errorf("run_cap %d of %g configurations, pruner %q", s.RunCap, s.Space.Cardinality(), s.Pruner.Name)
	}
	smp, err := sampler.New(s)
	if err != nil {
		t.Fatal(err)
	}
	cells := map[string]bool{}
	for n := range s.RunCap {
		p, err := smp.Sample(t.Context(), study.Ask{Number: n, Seed: s.Seed, Space: s.Space, Objective: s.Objective})
		if err != nil {
			t.Fatal(err)
		}
		cells[study.FormatValue(p["latent"])+" "+study.FormatValue(p["loss"])] = true
	}
	if len(cells) != 18 {
		t.Errorf("the trials are %v", cells)
	}
	if got, want := baseline.Sizes(s.Space), []int{0, 16, 32, 64, 128, 256, 512}; !baseline.Apply(s) || !cmp.Equal(got, want) {
		t.Errorf("baselines of %v, want %v", got, want)
	}
}

// Variants can be compared by what all of them measure, and not by what one of them does alone.
func TestVariantsAreCompared(t *testing.T) {
	for _, tt := range []struct{ metric, variants, want string }{
		{"val_mse", "[plain, denoising, variational, skip]", ""},
		{"val_kl", "[variational]", ""},
		{"val_kl", "[plain, variational]", "val_kl is not reported by trials with variant plain"},
	} {
		text := "metric: {name: " + tt.metric + ", goal: minimize}\nparameters: {variant: {values: " + tt.variants + "}}\n"
		_, err := parse("v.yaml", []byte(text))
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s of %s: %v, want %q", tt.metric, tt.variants, err, tt.want)
		}
	}
}
