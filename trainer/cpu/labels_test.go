package cpu_test

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sweep/trainer"
	"sweep/trainer/dataset"
	"sweep/trainer/model"
)

// rectangles makes n images of 16x16 of one rectangle on a grey ground, whose class is its colour.
func rectangles(n int, seed uint64) *dataset.Images {
	const side = 16
	s := &dataset.Images{Height: side, Width: side, Channels: 3, Classes: []string{"red", "green", "blue", "yellow"}}
	s.MaskClasses = append([]string{"ground"}, s.Classes...)
	tones := [][3]int{{200, 60, 60}, {60, 200, 60}, {60, 60, 200}, {200, 200, 60}}
	r := rand.New(rand.NewPCG(seed, 1))
	for range n {
		class := r.IntN(len(tones))
		top, left := r.IntN(side-8), r.IntN(side-8)
		bottom, right := top+4+r.IntN(5), left+4+r.IntN(5)
		s.Labels = append(s.Labels, byte(class))
		for y := range side {
			for x := range side {
				tone, mask := [3]int{120, 120, 120}, byte(0)
				if y >= top && y < bottom && x >= left && x < right {
					tone, mask = tones[class], byte(1+class)
				}
				s.Masks = append(s.Masks, mask)
				for _, v := range tone {
					s.Pixels = append(s.Pixels, byte(v+r.IntN(100)-50))
				}
			}
		}
	}
	return s
}

// onLabels is a small network on the labels of rectangles.
func onLabels(task string, train, validation int) trainer.Config {
	c := trainer.Config{
		Config: model.Config{
			Channels: 3, Height: 16, Width: 16, Depth: 2, Filters: []int{8, 24}, Kernel: 3, Upsample: "k2", Latent: 48,
			Activation: "relu", OutputActivation: "sigmoid", Loss: "cross_entropy", Task: task, Classes: 4,
		},
		Batch: 16, LR: 0.003, Optimizer: "adam", Epochs: 8, Seed: 1, Train: rectangles(train, 1), Validation: rectangles(validation, 2),
	}
	if task == model.Segment {
		c.Classes = 5
	}
	return c
}

// iou is the mean intersection over union of the classes that occur.
func iou(s trainer.Sums) float64 {
	var sum, n float64
	for i, u := range s.Union {
		if u > 0 {
			sum += float64(s.Intersection[i]) / float64(u)
			n++
		}
	}
	return sum / n
}

// Whoever takes every pixel for the ground comes to a pixel accuracy of about 0.86 and a mean IoU of 0.17.
func TestSegments(t *testing.T) {
	e := engine(t)
	c := onLabels(model.Segment, 1000, 150)
	c.Epochs = 16
	load(t, e, c, nil)
	reports := train(t, e, c.Epochs)
	v := reports[c.Epochs-1].Validation
	acc := float64(v.Right) / float64(v.Values)
	t.Logf("mean IoU %.3f, pixel accuracy %.3f, loss %.3f", iou(v), acc, v.Loss/float64(v.Images))
	if v.Values != 150*16*16 || iou(v) < 0.7 || acc < 0.95 {
		t.Errorf("after %d epochs the mean IoU is %.3f and the pixel accuracy %.3f", c.Epochs, iou(v), acc)
	}
	// What Evaluate returns is what the sums count.
	got, err := e.Evaluate(t.Context(), 0, trainer.Current, c.Validation, nil, trainer.Want{Reconstructions: true})
	if err != nil {
		t.Fatal(err)
	}
	right := 0
	for i, m := range got.Classes {
		if m == c.Validation.Masks[i] {
			right++
		}
	}
	if got.Sums.Right != v.Right || right != v.Right || got.Reconstructions != nil {
		t.Errorf("the epoch counts %d pixels right, an evaluation %d, its classes are right at %d", v.Right, got.Sums.Right, right)
	}
}

// Chance is 0.25.
func TestClassifies(t *testing.T) {
	e := engine(t)
	c := onLabels(model.Classify, 500, 150)
	load(t, e, c, nil)
	reports := train(t, e, c.Epochs)
	v := reports[c.Epochs-1].Validation
	acc := float64(v.Right) / float64(v.Values)
	t.Logf("accuracy %.3f, loss %.3f", acc, v.Loss/float64(v.Images))
	if v.Values != 150 || acc < 0.9 {
		t.Errorf("after %d epochs the accuracy is %.3f", c.Epochs, acc)
	}
}

// A frozen encoder keeps every bit while the head learns.
func TestFreezes(t *testing.T) {
	e := engine(t)
	c := onLabels(model.Classify, 200, 50)
	c.Freeze = "encoder"
	load(t, e, c, nil)
	before := save(t, e)
	train(t, e, 2)
	after := save(t, e)
	for i, w := range after.Weights {
		same := slices.Equal(w.Data, before.Weights[i].Data)
		if enc := strings.HasPrefix(w.Name, "enc."); same != enc {
			t.Errorf("%s is the same after two epochs: %v", w.Name, same)
		}
	}
}

func TestResumesOnLabels(t *testing.T) {
	for _, change := range []func(*trainer.Config){
		func(c *trainer.Config) { c.Task = model.Segment; c.Classes = len(c.Train.MaskClasses) },
		func(c *trainer.Config) {},
		func(c *trainer.Config) { c.Freeze = "encoder" },
	} {
		c := onLabels(model.Classify, 100, 30)
		change(&c)
		straight := engine(t)
		load(t, straight, c, nil)
		want := train(t, straight, 4)
		first, second := engine(t), engine(t)
		load(t, first, c, nil)
		train(t, first, 2)
		load(t, second, c, save(t, first))
		got := train(t, second, 2)
		if diff := cmp.Diff(want[2:], got, exact, timeless); diff != "" {
			t.Errorf("task %s: resumed, the epochs differ:\n%s", c.Task, diff)
		}
	}
}

func TestSetsWithoutLabels(t *testing.T) {
	for task, want := range map[string]string{model.Segment: "no masks", model.Classify: "no labels"} {
		c := onLabels(task, 20, 10)
		bare := *c.Validation
		bare.Labels, bare.Masks = nil, nil
		c.Validation = &bare
		if err := engine(t).Load(0, c, nil); err == nil || !strings.Contains(err.Error(), "the validation images have "+want) {
			t.Errorf("task %s: %v", task, err)
		}
		c = onLabels(task, 20, 10)
		c.Classes = 2
		if err := engine(t).Load(0, c, nil); err == nil || !strings.Contains(err.Error(), "but there are 2 classes") {
			t.Errorf("task %s of few classes: %v", task, err)
		}
	}
}
