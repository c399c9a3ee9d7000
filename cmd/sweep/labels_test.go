package main_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// marked is a sweep of a second that segments; DATA and METRIC are to be replaced.
const marked = `
name: marked
method: random
METRIC
run_cap: 1
parameters:
  task:    {value: segment}
  lr:      {value: 0.005}
  batch:   {value: 16}
  latent:  {value: 16}
  depth:   {value: 2}
  filters: {value: [4, 8]}
sweep:
  data: {DATA, train: 48, validation: 16}
  epochs: 2
  seed: 3
`

// sorted is one that classifies.
const sorted = `
name: sorted
method: random
metric: {name: val_acc, goal: maximize}
run_cap: 2
parameters:
  lr:      {value: 0.005}
  batch:   {value: 16}
  latent:  {value: 8}
  depth:   {value: 2}
  filters: {value: [4, 8]}
  freeze:  {values: [none, encoder]}
sweep:
  trainer: classifier
  data: {name: "folder:own", train: 80, validation: 20}
  epochs: 6
  seed: 3
`

func segmenting(data, metric string) string {
	return strings.NewReplacer("DATA", data, "METRIC", metric).Replace(marked)
}

// A segmentation from the sweep file to the bundle. (That bundles of networks on labels verify is tested where they are
// made: evaluating ten thousand images by plain loops takes its time.)
func TestSegmentation(t *testing.T) {
	p := newPlace(t)
	p.must("run", p.file("marked.yaml", segmenting("name: shapes", "metric: {name: val_miou, goal: maximize}")), "--offline")
	p.onLabels("marked", "val_miou", "val_pixel_acc")
	if out := p.must("export", "marked", "-o", "best"); !strings.Contains(out, "test_miou") || !strings.Contains(out, "test_pixel_acc") {
		t.Errorf("export says %s", out)
	}
}

// A classifier on one's own images, from the sweep file to the verified bundle, which trains it again.
func TestClassifier(t *testing.T) {
	p := newPlace(t)
	for i := range 120 {
		class := []string{"bright", "dark"}[i%2]
		picture(t, filepath.Join(p.dir, "data", "own", class, fmt.Sprintf("%03d.png", i)), i, 16, 16, i%2 == 0)
	}
	p.must("run", p.file("sorted.yaml", sorted))
	p.onLabels("sorted", "val_acc", "val_loss")
	best := p.bestOf("sorted")
	if best.Value < 0.9 {
		t.Errorf("grey and coloured images are told apart in %g of all cases", best.Value)
	}
	if out := p.must("export", "sorted", "-o", "best"); !strings.Contains(out, "test_acc") {
		t.Errorf("export says %s", out)
	}
	if said := p.must("verify", "best"); !strings.Contains(said, ": acc 1.000000000, claimed 1.000000000") {
		t.Errorf("verify says %s", said)
	}
	p.must("run", filepath.Join("best", "config.yaml"))
	if again := p.bestOf(fmt.Sprintf("sorted-trial-%d", best.Number)); again.Value != best.Value {
		t.Errorf("trained again from its bundle it has a val_acc of %g instead of %g", again.Value, best.Value)
	}
}

type bestTrial struct {
	Number  int
	Value   float64
	Metrics map[string]float64
}

func (p place) bestOf(study string) (b bestTrial) {
	p.t.Helper()
	decode(p.t, p.must("best", study, "--json"), &b)
	return b
}

// onLabels checks what is shown of a study whose trials have the metric objective and a second one, and make no pictures.
func (p place) onLabels(study, objective, second string) {
	p.t.Helper()
	if out := p.must("top", study); !strings.Contains(out, objective) || !strings.Contains(out, second) || strings.Contains(out, "val_mse") {
		p.t.Errorf("the table is\n%s", out)
	}
	best := p.bestOf(study)
	if best.Metrics[objective] != best.Value || !(best.Value > 0 && best.Value <= 1) {
		p.t.Errorf("the best trial is %+v", best)
	}
	for _, k := range []string{"val_mse", "val_psnr", "val_ssim"} {
		if v, ok := best.Metrics[k]; ok {
			p.t.Errorf("a network on labels has a %s of %g", k, v)
		}
	}
	if shown := p.must("show", study, fmt.Sprint(best.Number)); !strings.Contains(shown, "epoch-0001.png") {
		p.t.Errorf("no picture is kept:\n%s", shown)
	}
}

func TestLabelsAreRefusedByName(t *testing.T) {
	p := newPlace(t)
	for i := range 140 {
		picture(t, filepath.Join(p.dir, "data", "photos", fmt.Sprintf("%02d.png", i)), i, 16, 16, true)
	}
	const miou = "metric: {name: val_miou, goal: maximize}"
	plain := strings.ReplaceAll(segmenting("name: shapes", "metric: {name: val_miou}"), "  task:    {value: segment}\n", "")
	for _, tt := range []struct {
		name, text, want string
		code             int
	}{
		{"masks", segmenting(`name: "folder:photos"`, miou), "task segment needs the class of each pixel, and the data set folder:photos has no masks", 2},
		{"fetched", segmenting("name: [shapes, cifar10]", miou), "the data set cifar10 has no masks: write data: {name: shapes}", 2},
		{"clash", strings.Replace(segmenting("name: shapes", miou), "  lr: ", "  variant: {value: denoising}\n  lr: ", 1), "clash.yaml:", 2},
		{"labels", strings.Replace(sorted, "folder:own", "folder:photos", 1), "the trainer classifier needs images with labels", 1},
		{"objective", segmenting("name: shapes", ""), "val_mse is not reported by trials with task segment: write metric: {name: val_miou, goal: maximize}", 2},
		{"task", plain, "val_miou is not reported by trials with task reconstruct: write metric: {name: val_mse, goal: minimize}", 2},
		{"loss", strings.Replace(segmenting("name: shapes", miou), "  lr: ", "  loss:    {value: mae}\n  lr: ", 1), "loss", 2},
		{"parameter", strings.Replace(sorted, "freeze:", "upsample:", 1), "upsample is not a parameter of classifier", 2},
		{"probe", strings.Replace(strings.Replace(segmenting("name: shapes", "metric: {name: val_probe_acc}"), "segment", "reconstruct", 1), "name: marked", "name: probe", 1), "val_probe_acc cannot be searched", 2},
	} {
		_, said, code := p.sweep("run", p.file(tt.name+".yaml", tt.text), "--offline")
		if code != tt.code || !strings.Contains(said, tt.want) {
			t.Errorf("%s: exit %d, want %d with %q:\n%s", tt.name, code, tt.code, tt.want, said)
		}
	}
	if list := p.must("studies", "--json"); strings.Contains(list, "name") {
		t.Errorf("a refused sweep left a study:\n%s", list)
	}
}
