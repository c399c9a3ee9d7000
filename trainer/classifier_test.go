package trainer_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"sweep/study"
	"sweep/trainer"
	"sweep/trainer/dataset"
	"sweep/trainer/model"
)

func TestDecodeClassifier(t *testing.T) {
	want, err := trainer.Decode(study.Params{"lr": 0.01, "latent": int64(32)})
	if err != nil {
		t.Fatal(err)
	}
	want.Task, want.Freeze, want.Loss, want.OutputActivation, want.SSIMWeight = "classify", "encoder", "cross_entropy", "none", 0
	got, err := trainer.DecodeFor("classifier", study.Params{"lr": 0.01, "latent": int64(32), "freeze": "encoder"})
	if err != nil || !cmp.Equal(got, want) {
		t.Fatalf("%v\n%s", err, cmp.Diff(want, got))
	}
	for name, p := range map[string]study.Params{
		"none of that name": {"output_activation": "tanh"},
		"one of none":       {"freeze": "decoder"},
		"above 0":           {"lr": 0.0},
		"too few":           {"filters": []any{int64(4)}},
	} {
		if _, err := trainer.DecodeFor("classifier", p); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%v: %v", p, err)
		}
	}
	if _, err := trainer.DecodeFor("program", nil); err == nil {
		t.Error("there is a trainer program")
	}
	if c, err := trainer.DecodeFor("cae", study.Params{"task": "segment"}); err != nil || c.Loss != "cross_entropy" || c.OutputActivation != "none" {
		t.Errorf("task segment: %+v, %v", c, err)
	}
}

// A classifier has what its encoder has, in the words of the autoencoder.
func TestClassifierCatalogue(t *testing.T) {
	cae, c := trainer.Catalogue(nil), trainer.ClassifierCatalogue(nil)
	for _, name := range []string{"lr", "batch", "latent", "depth", "filters", "activation", "variant", "patience", "freeze"} {
		if _, ok := c.Param(name); !ok {
			t.Errorf("it has no parameter %s", name)
		}
	}
	for _, d := range c.Params {
		if _, ok := cae.Param(d.Name); !ok && d.Name != "freeze" {
			t.Errorf("%s is no parameter of cae", d.Name)
		}
	}
	for _, name := range []string{"loss", "task", "output_activation", "upsample"} {
		if _, ok := c.Param(name); ok {
			t.Errorf("it has the decoder's parameter %s", name)
		}
	}
	var keys []string
	for _, m := range c.Metrics {
		keys = append(keys, m.Key)
	}
	want := []string{"train_loss", "val_loss", "val_acc", "grad_norm", "epoch", "epoch_s", "images_per_s", "learning_rate"}
	if diff := cmp.Diff(want, keys); diff != "" {
		t.Errorf("metrics:\n%s", diff)
	}
}

func TestUseAndNeeds(t *testing.T) {
	set := func(change func(*dataset.Images)) *dataset.Images {
		s := &dataset.Images{
			Height: 2, Width: 3, Channels: 1, Pixels: make([]byte, 12), Labels: []byte{0, 1}, Classes: []string{"a", "b"},
			Masks: make([]byte, 12), MaskClasses: []string{"x", "y", "z"},
		}
		change(s)
		return s
	}
	whole := set(func(*dataset.Images) {})
	for task, classes := range map[string]int{"": 0, model.Segment: 3, model.Classify: 2} {
		var c trainer.Config
		c.Task = task
		c.Use(whole, whole)
		if c.Height != 2 || c.Width != 3 || c.Channels != 1 || c.Classes != classes || c.Validation != whole {
			t.Errorf("task %s: %+v", task, c.Config)
		}
	}
	segment := study.Spec{Trainer: "cae", Space: study.Space{{Name: "task", Distribution: study.Fixed("segment")}}}
	for _, tt := range []struct {
		spec   study.Spec
		change func(*dataset.Images)
		want   string
	}{
		{study.Spec{Trainer: "cae"}, func(s *dataset.Images) { s.Labels, s.Classes, s.Masks = nil, nil, nil }, ""},
		{segment, func(*dataset.Images) {}, ""},
		{segment, func(s *dataset.Images) { s.Masks = nil }, "the data set photos has no masks: write data: {name: shapes}"},
		{study.Spec{Trainer: "classifier"}, func(*dataset.Images) {}, ""},
		{study.Spec{Trainer: "classifier"}, func(s *dataset.Images) { s.Labels = nil }, "the data set photos has none"},
		{study.Spec{Trainer: "classifier"}, func(s *dataset.Images) { s.Classes = s.Classes[:1] }, "at least two classes"},
	} {
		err := trainer.Needs(tt.spec, "photos", set(tt.change))
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: %v, want %q", tt.spec.Trainer, err, tt.want)
		}
	}
}

func TestMetricsOnLabels(t *testing.T) {
	s := trainer.Sums{Images: 2, Values: 16, Loss: 1, Right: 12}
	// Classes 0, 1 and 3 occur: 6 of 8, 4 of 6 and 0 of 2.
	s.Intersection[0], s.Union[0], s.Intersection[1], s.Union[1], s.Union[3] = 6, 8, 4, 6, 2
	iou := (6.0/8 + 4.0/6 + 0) / 3
	for task, want := range map[string]map[string]float64{
		model.Segment:  {"test_miou": iou, "test_pixel_acc": 0.75},
		model.Classify: {"test_acc": 0.75},
	} {
		got := trainer.TestMetricsOf(model.Config{Task: task}, s)
		if diff := cmp.Diff(want, got, cmpopts.EquateApprox(0, 1e-12)); diff != "" {
			t.Errorf("task %s:\n%s", task, diff)
		}
	}
	if m := trainer.TestMetricsOf(model.Config{}, trainer.Sums{Images: 1, Values: 4, SE: 1}); m["test_mse"] != 0.25 || len(m) != 4 {
		t.Errorf("of pictures: %v", m)
	}
	if v := trainer.MeanIoU(trainer.Sums{}); !math.IsNaN(v) {
		t.Errorf("of nothing the mean IoU is %g", v)
	}
}

func TestLabelRows(t *testing.T) {
	s := &dataset.Images{Height: 1, Width: 2, Channels: 1, Pixels: []byte{0, 51, 255, 102}, Masks: []byte{0, 1, 2, 0}}
	rows := trainer.LabelRows(model.Config{Task: model.Segment}, s, []int{1}, []byte{2, 1})
	if len(rows) != 3 || !slices.Equal(rows[0], []float32{1, 1, 1, 0.4, 0.4, 0.4}) {
		t.Fatalf("rows %v", rows)
	}
	truth, got := rows[1], rows[2]
	if !slices.Equal(truth[:3], got[:3]) || slices.Equal(truth[3:], got[3:]) || slices.Equal(truth[:3], truth[3:]) {
		t.Errorf("a class has a colour: truth %v, prediction %v", truth, got)
	}
	s.Labels = []byte{3, 4}
	rows = trainer.LabelRows(model.Config{Task: model.Classify}, s, []int{0, 1}, []byte{3, 3})
	if len(rows) != 2 || !slices.Equal(rows[0][6:9], []float32{1, 1, 1}) {
		t.Fatalf("rows %v", rows)
	}
	right, wrong := rows[1][:6], rows[1][6:]
	if !(right[1] > right[0]) || !(wrong[0] > wrong[1]) || !slices.Equal(right[:3], right[3:]) {
		t.Errorf("right %v is no green, or wrong %v no red", right, wrong)
	}
}
