package plan_test

import (
	"slices"
	"testing"

	"sweep/study"
	"sweep/trainer/kernel"
	"sweep/trainer/model"
	"sweep/trainer/plan"
)

// keeps draws the mask of a dropout for the images of b, value by value, as [model.DropKey] says.
func keeps(b plan.Batch, stream uint32, d model.Drop) []float32 {
	s := d.Mask.Shape()
	rows, width := len(b.Images), s[len(s)-1]
	if len(s) == 4 {
		rows, width = rows*s[1], width*s[2]
	}
	threshold := uint32(d.Rate*65536 + 0.5)
	out := make([]float32, 0, rows*width)
	for r := range rows {
		for i := range width {
			block := study.Keyed(b.Seed, b.Replicate, study.ForDropout, int(b.Step)).Block(stream<<28 + uint32(r*((width+7)/8)+i/8))
			bits := block[i%8/2] >> (16 * (i % 2)) & 0xffff
			keep := float32(0)
			if bits >= threshold {
				keep = 1
			}
			out = append(out, keep)
		}
	}
	return out
}

// A step's masks are its own: of another step, seed or replicate, and of the second dropout of one step, they are others;
// what a run does not train is not dropped.
func TestMasksAreDrawnByStep(t *testing.T) {
	c := config(func(c *model.Config) { c.DropoutConv, c.DropoutDense = 0.5, 0.5 })
	set, w := images(c, 12), weights(c)
	train := program(t, plan.Training, build(t, c, 4))
	e := plan.NewExec(train, kernels(t, "portable"), new(plan.Arena))
	weights, g := block(train.Layout, w), train.Layout.NewBlock()
	run := func(b plan.Batch) []float32 {
		b.Pixels, b.Images = set.Pixels, []int{3, 5, 8}
		if _, err := e.Run(weights, g, b); err != nil {
			t.Fatal(err)
		}
		return slices.Clone(g)
	}
	first := run(plan.Batch{Seed: 1, Epoch: 2, Step: 7})
	if !slices.Equal(first, run(plan.Batch{Seed: 1, Epoch: 3, Step: 7})) {
		t.Error("the masks depend on more than the step")
	}
	for name, b := range map[string]plan.Batch{"step": {Seed: 1, Step: 8}, "seed": {Seed: 2, Step: 7}, "replicate": {Seed: 1, Replicate: 1, Step: 7}} {
		if slices.Equal(first, run(b)) {
			t.Errorf("another %s has the same masks", name)
		}
	}
	streams := map[uint32]bool{}
	for _, v := range train.Values {
		if v.Bytes && v.Threshold > 0 {
			streams[v.Stream] = true
		}
	}
	if len(streams) != 2*c.Depth-1+2 {
		t.Errorf("%d dropouts have streams of their own, want %d", len(streams), 2*c.Depth+1)
	}
	for _, s := range program(t, plan.Forward, inference(t, c, 4)).Steps {
		if s.Kind == plan.Drop || s.Kind == plan.DropMask {
			t.Errorf("a forward plan has the step %s", s.Kind)
		}
	}
}

// The label masks turn with their images.
func TestMirroredLabels(t *testing.T) {
	c := config(func(c *model.Config) { segment(c); c.Height, c.Width = 13, 18 })
	set, turned := labelled(c, 6), labelled(c, 6)
	masks, marks := labelsOf(c, set), slices.Clone(labelsOf(c, set))
	for _, i := range []int{4, 2} {
		for y := range c.Height {
			for x := range c.Width {
				to, from := (i*c.Height+y)*c.Width+x, (i*c.Height+y)*c.Width+c.Width-1-x
				copy(turned.Pixels[to*c.Channels:][:c.Channels], set.Pixels[from*c.Channels:])
				marks[to] = masks[from]
			}
		}
	}
	p := program(t, plan.Training, build(t, c, 3))
	e := plan.NewExec(p, kernel.Best(), new(plan.Arena))
	w, want, got := block(p.Layout, weights(c)), p.Layout.NewBlock(), p.Layout.NewBlock()
	sums, err := e.Run(w, want, plan.Batch{Pixels: turned.Pixels, Labels: marks, Images: []int{4, 0, 2}})
	if err != nil {
		t.Fatal(err)
	}
	again, err := e.Run(w, got, plan.Batch{Pixels: set.Pixels, Labels: masks, Images: []int{4, 0, 2}, Mirrored: []bool{true, false, true}})
	if err != nil {
		t.Fatal(err)
	}
	if sums != again || !slices.Equal(want, got) {
		t.Errorf("the sums are %+v, want %+v, or the gradients differ", again, sums)
	}
}

// A run on mirrored images is a run on a set whose pixels are mirrored.
func TestMirroredImages(t *testing.T) {
	c := config(func(c *model.Config) { c.Height, c.Width, c.Task = 13, 18, "superresolve" })
	set, w := images(c, 6), weights(c)
	turned := images(c, 6)
	for _, i := range []int{4, 2} {
		for y := range c.Height {
			for x := range c.Width {
				for ch := range c.Channels {
					row := (i*c.Height + y) * c.Width
					turned.Pixels[(row+x)*c.Channels+ch] = set.Pixels[(row+c.Width-1-x)*c.Channels+ch]
				}
			}
		}
	}
	train := program(t, plan.Training, build(t, c, 3))
	for _, name := range kernel.Names() {
		e := plan.NewExec(train, kernels(t, name), new(plan.Arena))
		weights, want, got := block(train.Layout, w), train.Layout.NewBlock(), train.Layout.NewBlock()
		if _, err := e.Run(weights, want, plan.Batch{Pixels: turned.Pixels, Images: []int{4, 0, 2}}); err != nil {
			t.Fatal(err)
		}
		if _, err := e.Run(weights, got, plan.Batch{Pixels: set.Pixels, Images: []int{4, 0, 2}, Mirrored: []bool{true, false, true}}); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(want, got) {
			t.Errorf("%s: the gradients differ", name)
		}
		if _, err := e.Run(weights, got, plan.Batch{Pixels: set.Pixels, Images: []int{4, 0, 2}, Mirrored: []bool{true}}); err == nil {
			t.Error("a mark is missing, and nothing said so")
		}
	}
}
