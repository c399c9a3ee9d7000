package plan_test

import (
	"slices"
	"strings"
	"testing"

	"sweep/trainer/dataset"
	"sweep/trainer/kernel"
	"sweep/trainer/model"
	"sweep/trainer/plan"
)

// labelled is an image set with classes for images and pixels.
func labelled(c model.Config, n int) *dataset.Images {
	s := images(c, n)
	for i := range n {
		s.Labels = append(s.Labels, byte(i*7%c.Classes))
	}
	for i := range n * c.Height * c.Width {
		s.Masks = append(s.Masks, byte(i*i%17%c.Classes))
	}
	return s
}

func labelsOf(c model.Config, s *dataset.Images) []byte {
	if c.Task == model.Segment {
		return s.Masks
	}
	return s.Labels
}

// classes are the labels of some images as a graph takes them.
func classes(c model.Config, s *dataset.Images, idx []int) []float32 {
	var out []float32
	for _, i := range idx {
		for _, l := range labelsOf(c, s)[i*c.LabelsEach():][:c.LabelsEach()] {
			out = append(out, float32(l))
		}
	}
	return out
}

// logits are the crop of the output of a network on labels.
func logits(m kernel.Map, c model.Config) []float32 {
	h, w := c.Height, c.Width
	if c.Task == model.Classify {
		h, w = 1, 1
	}
	var out []float32
	for n := range m.N {
		for y := range h {
			out = append(out, m.Data[m.At(n, y, 0, 0):][:w*c.Classes]...)
		}
	}
	return out
}

func segment(c *model.Config) { c.Task, c.Loss, c.Classes = model.Segment, "cross_entropy", 5 }

func classify(c *model.Config) { c.Task, c.Loss, c.Classes = model.Classify, "cross_entropy", 7 }

func TestPlanOnLabelsEqualsTapeMachine(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*model.Config)
	}{
		{"segment", segment},
		{"segment, padded", func(c *model.Config) { segment(c); c.Height, c.Width, c.OutputActivation = 13, 18, "tanh" }},
		{"segment, one channel", func(c *model.Config) { segment(c); c.Channels, c.Classes = 1, 16 }},
		{"classify", classify},
		{"classify, padded", func(c *model.Config) { classify(c); c.Height, c.Depth, c.Activation, c.Classes = 10, 3, "tanh", 2 }},
		{"segment, segnet", func(c *model.Config) { segment(c); c.Variant, c.Height, c.Width = model.SegNet, 13, 18 }},
		{"segment, skip", func(c *model.Config) { segment(c); c.Variant, c.Norm = model.Skip, "batch" }},
		{"segment, attention, 3x3", func(c *model.Config) { segment(c); c.Variant, c.Upsample = model.Attention, "k3" }},
		{"classify, residual", func(c *model.Config) { classify(c); c.Variant, c.Norm = model.Residual, "layer" }},
		{"classify, attention", func(c *model.Config) { classify(c); c.Variant = model.Attention }},
		{"classify, frozen with a norm", func(c *model.Config) { classify(c); c.Freeze, c.Norm, c.Variant = "encoder", "batch", model.Residual }},
		{"classify, frozen", func(c *model.Config) { classify(c); c.Freeze = "encoder" }},
	} {
		c := config(tt.change)
		compare(t, tt.name, labelled(c, 12), weights(c), func(n int) *model.Network { return build(t, c, n) })
	}
}

// A frozen encoder costs no step back: its weights stand behind those that are trained, under the names that they have in
// an autoencoder.
func TestFrozenEncoder(t *testing.T) {
	c := config(classify)
	free, err := plan.Training(build(t, c, 2))
	if err != nil {
		t.Fatal(err)
	}
	c.Freeze = "encoder"
	frozen, err := plan.Training(build(t, c, 2))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range frozen.Steps {
		if k := string(s.Kind); strings.HasSuffix(k, ".data") || strings.HasPrefix(k, "conv") && strings.HasSuffix(k, ".weights") {
			t.Errorf("a step back into the encoder: %s", k)
		}
	}
	if f, l := free.Layout, frozen.Layout; f.Trained != f.Total || l.Trained >= l.Total || l.Total != f.Total || l.Weights[0].Name != "head.weight" {
		t.Errorf("frozen, %d of %d numbers are trained, the first of %s; free, %d of %d", l.Trained, l.Total, l.Weights[0].Name, f.Trained, f.Total)
	}
	auto := c
	auto.Task, auto.Loss, auto.Classes, auto.Freeze = "", "mse", 0, ""
	var names []string
	for _, w := range auto.Weights() {
		names = append(names, w.Name)
	}
	for _, w := range frozen.Layout.Weights {
		if strings.HasPrefix(w.Name, "enc.") && !slices.Contains(names, w.Name) {
			t.Errorf("%s is no array of the autoencoder %v", w.Name, names)
		}
	}
}

func TestRunsWithoutLabels(t *testing.T) {
	for _, change := range []func(*model.Config){segment, classify} {
		c := config(change)
		p, err := plan.Training(build(t, c, 2))
		if err != nil {
			t.Fatal(err)
		}
		e := plan.NewExec(p, kernels(t, "ref"), new(plan.Arena))
		set := labelled(c, 3)
		b := plan.Batch{Pixels: set.Pixels, Labels: labelsOf(c, set)[1:], Images: []int{0}}
		if _, err := e.Run(p.Layout.NewBlock(), p.Layout.NewBlock(), b); err == nil || !strings.Contains(err.Error(), "labels") {
			t.Errorf("a label too few: %v", err)
		}
	}
}

// What a network takes pixels for is what its sums count.
func TestClasses(t *testing.T) {
	for _, change := range []func(*model.Config){segment, classify} {
		c := config(change)
		p, err := plan.Forward(build(t, c, 4))
		if err != nil {
			t.Fatal(err)
		}
		e := plan.NewExec(p, kernel.Best(), new(plan.Arena))
		set, idx := labelled(c, 6), []int{5, 1, 2}
		sums, err := e.Run(block(p.Layout, weights(c)), nil, plan.Batch{Pixels: set.Pixels, Labels: labelsOf(c, set), Images: idx})
		if err != nil {
			t.Fatal(err)
		}
		right := 0
		got := e.Classes(nil, len(idx))
		for i, want := range classes(c, set, idx) {
			if float32(got[i]) == want {
				right++
			}
		}
		if right != sums.Right || sums.Values != len(got) || right == 0 && c.Task == model.Segment {
			t.Errorf("task %s: %d of %d labels are right, the sums say %+v", c.Task, right, len(got), sums)
		}
	}
}

func TestRunsOnLabelsDoNotAllocate(t *testing.T) {
	for _, change := range []func(*model.Config){segment, classify} {
		c := config(change)
		train, err := plan.Training(build(t, c, 4))
		if err != nil {
			t.Fatal(err)
		}
		set := labelled(c, 6)
		b := plan.Batch{Pixels: set.Pixels, Labels: labelsOf(c, set), Images: []int{1, 3, 5}}
		w, g := block(train.Layout, weights(c)), train.Layout.NewBlock()
		for _, name := range kernel.Names() {
			e := plan.NewExec(train, kernels(t, name), new(plan.Arena))
			if n := testing.AllocsPerRun(3, func() {
				if _, err := e.Run(w, g, b); err != nil {
					t.Fatal(err)
				}
			}); n != 0 {
				t.Errorf("%s, task %s: a run allocates %g times", name, c.Task, n)
			}
		}
	}
}
