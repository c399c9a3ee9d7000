package plan_test

import (
	"testing"

	"sweep/trainer/kernel"
	"sweep/trainer/model"
	"sweep/trainer/plan"
)

// TestLay lays the values of programs out without borders, two bytes a number, and looks at every pair of them.
func TestLay(t *testing.T) {
	for _, c := range []model.Config{
		{Variant: model.Skip, Norm: "batch", Upsample: "k2"},
		{Variant: model.SegNet, Upsample: "k2", DropoutConv: 0.2, DropoutDense: 0.3},
		{Upsample: "k3", Activation: "gelu"},
	} {
		c.Channels, c.Height, c.Width, c.Depth, c.Filters, c.Kernel, c.Latent = 3, 9, 11, 2, []int{5, 7}, 3, 6
		c.OutputActivation, c.Loss = "sigmoid", "mse"
		if c.Activation == "" {
			c.Activation = "relu"
		}
		net, err := model.Build(c, 4)
		if err != nil {
			t.Fatal(err)
		}
		p, err := plan.Training(net)
		if err != nil {
			t.Fatal(err)
		}
		size := func(i int) int {
			v := p.Values[i]
			n := 4 * v.H * v.W * v.C
			if !v.Bytes {
				n *= 2
			}
			return n
		}
		const unit = 128
		offsets, total := p.Lay(unit, size)
		needed := 0
		for i, v := range p.Values {
			needed += size(i)
			if offsets[i] == plan.None {
				if v.Last != plan.None {
					t.Errorf("%s has no place", v.Name)
				}
				continue
			}
			if offsets[i]%unit != 0 || offsets[i]+size(i) > total {
				t.Errorf("%s lies at %d … %d of %d bytes", v.Name, offsets[i], offsets[i]+size(i), total)
			}
			for j, w := range p.Values[:i] {
				switch {
				case offsets[j] == plan.None:
				case v.Place == w.Place:
					if offsets[i] != offsets[j] || v.First != w.First || v.Last != w.Last {
						t.Errorf("%s and %s share a place, but not its offset and its time", v.Name, w.Name)
					}
				case v.First <= w.Last && w.First <= v.Last && offsets[i] < offsets[j]+size(j) && offsets[j] < offsets[i]+size(i):
					t.Errorf("%s and %s overlap in memory and in time", v.Name, w.Name)
				}
			}
		}
		if total >= needed {
			t.Errorf("%+v takes %d bytes, and nothing shares any of them", c, total)
		}
	}
}

// TestRunStep runs a program step by step, which has to give what running it whole gives.
func TestRunStep(t *testing.T) {
	c := model.Config{
		Channels: 1, Height: 6, Width: 7, Depth: 1, Filters: []int{3}, Kernel: 3, Upsample: "k2", Latent: 4, Activation: "relu",
		OutputActivation: "none", Loss: "mse+ssim", SSIMWeight: 0.5, Norm: "layer", DropoutConv: 0.3,
	}
	net, err := model.Build(c, 3)
	if err != nil {
		t.Fatal(err)
	}
	p, err := plan.Training(net)
	if err != nil {
		t.Fatal(err)
	}
	w := p.Layout.NewBlock()
	for i, x := range model.Init(c, 1, 0) {
		copy(p.Layout.Of(w, i), x)
	}
	b := plan.Batch{Pixels: make([]byte, 5*42), Images: []int{4, 0, 2}, Mirrored: []bool{true, false, true}, Seed: 3, Epoch: 1, Step: 2}
	for i := range b.Pixels {
		b.Pixels[i] = byte(7 * i)
	}
	whole, parts := p.Layout.NewBlock(), p.Layout.NewBlock()
	want, err := plan.NewExec(p, kernel.Best(), &plan.Arena{}).Run(w, whole, b)
	if err != nil {
		t.Fatal(err)
	}
	e := plan.NewExec(p, kernel.Best(), &plan.Arena{})
	var got kernel.Sums
	for i, s := range p.Steps {
		sums, err := e.RunStep(i, w, parts, b)
		if err != nil {
			t.Fatal(err)
		}
		if s.Kind == plan.Loss {
			got = sums
		} else if sums != (kernel.Sums{}) {
			t.Errorf("step %d, %s, gives sums", i, s.Kind)
		}
	}
	if got != want {
		t.Errorf("step by step the sums are %+v, else %+v", got, want)
	}
	for i := range whole {
		if whole[i] != parts[i] {
			t.Fatalf("gradient %d is %g step by step, else %g", i, parts[i], whole[i])
		}
	}
	b.Images = []int{5}
	if _, err := e.RunStep(0, w, parts, b); err == nil {
		t.Error("an image that is not there is taken")
	}
}
