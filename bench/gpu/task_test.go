package main

import (
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sweep/study/spec"
	"sweep/trainer"
	"sweep/trainer/dataset"
)

const caeFile = "../../sweeps/cae.yaml"

// Task A is drawn from the whole space, the same at every time, and every trial can be trained.
func TestTaskA(t *testing.T) {
	a, err := taskA(caeFile, fullSize)
	if err != nil {
		t.Fatal(err)
	}
	again, err := taskA(caeFile, fullSize)
	if err != nil || !slices.Equal(a.Trials, again.Trials) {
		t.Errorf("drawn twice it differs: %v", err)
	}
	if len(a.Trials) != 64 || a.Epochs != 10 || a.Train != 10000 || a.Validation != 2000 {
		t.Errorf("%d trials of %d epochs on %d and %d images", len(a.Trials), a.Epochs, a.Train, a.Validation)
	}
	batches, losses := map[int64]bool{}, map[string]bool{}
	low, high := int64(math.MaxInt64), int64(0)
	for _, x := range a.Trials {
		batches[x.Batch], losses[x.Loss] = true, true
		low, high = min(low, x.Latent), max(high, x.Latent)
		if x.LR < 0.0005 || x.LR > 0.001 || x.Latent < 64 || x.Latent > 512 || x.WarmupEpochs > 5 || x.SSIMWeight < 0.1 || x.SSIMWeight > 0.9 {
			t.Errorf("%+v is not of the space", x)
		}
		c, err := trainer.Decode(x.params())
		if err != nil {
			t.Fatal(err)
		}
		if c.Patience != 0 || int64(c.Batch) != x.Batch || c.LR != x.LR {
			t.Errorf("%+v is decoded as %+v", x, c)
		}
	}
	if len(batches) != 4 || len(losses) != 3 || low > 100 || high < 450 {
		t.Errorf("the draw leaves out much: batches %v, losses %v, latent %d … %d", batches, losses, low, high)
	}
}

func TestTaskB(t *testing.T) {
	b := taskB(fullSize)
	first, last := b.Trials[0], b.Trials[63]
	if first.LR != 0.0005 || math.Abs(last.LR-0.001) > 1e-15 {
		t.Errorf("rates from %g to %g", first.LR, last.LR)
	}
	for i, x := range b.Trials {
		if x.Batch != 128 || x.Latent != 128 || x.Loss != "mse" || x.ID != i || x.Seed != uint64(i+1) {
			t.Errorf("trial %d is %+v", i, x)
		}
	}
}

func TestTaskFiles(t *testing.T) {
	dir := t.TempDir()
	if err := writeTasks(dir, caeFile, tinySize); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"A", "B"} {
		got, err := readTask(filepath.Join(dir, name+".json"))
		if err != nil || got.Name != name || len(got.Trials) != 2 {
			t.Errorf("read back %+v, %v", got, err)
		}
	}
	bad := filepath.Join(dir, "bad.json")
	for _, text := range []string{"", "{", "{}", `{"trials":[{}],"epochs":0}`} {
		if err := os.WriteFile(bad, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := readTask(bad); err == nil {
			t.Errorf("%q is a task", text)
		}
	}
}

// The sweep file of the benchmark searches what sweeps/cae.yaml does, for the objective and the number of trials that the
// tasks have.
func TestSweepFile(t *testing.T) {
	known := trainer.Catalogues(dataset.Catalogue())
	read := func(file string) (out [2]any) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		s, err := spec.Parse(spec.Source{Name: file, Text: text}, known[0], known[1:]...)
		if err != nil {
			t.Fatal(err)
		}
		if file == "cae.yaml" && (s.RunCap != fullSize.trials || s.Epochs != fullSize.epochs || s.Data.Train != fullSize.train || s.Data.Validation != fullSize.validation) {
			t.Errorf("%s has another length than the tasks", file)
		}
		return [2]any{s.Space, s.Objective}
	}
	ours, theirs := read("cae.yaml"), read(caeFile)
	if a, b := jsonOf(t, ours), jsonOf(t, theirs); a != b {
		t.Errorf("cae.yaml here searches\n%s\nand %s\n%s", a, caeFile, b)
	}
}

func TestReadImages(t *testing.T) {
	file := filepath.Join(t.TempDir(), "x.bin")
	if err := os.WriteFile(file, make([]byte, 3*3072), 0o644); err != nil {
		t.Fatal(err)
	}
	if s, err := readImages(file, 2); err != nil || s.Len() != 2 {
		t.Errorf("two of three: %v, %v", s.Len(), err)
	}
	if _, err := readImages(file, 4); err == nil || !strings.Contains(err.Error(), "4 images") {
		t.Errorf("four of three: %v", err)
	}
	if err := os.WriteFile(file, make([]byte, 3071), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := readImages(file, 0); err == nil {
		t.Error("a part of an image is taken")
	}
}
