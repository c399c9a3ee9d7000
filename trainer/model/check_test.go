package model_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"sweep/trainer/model"
)

func reference() model.Config {
	return model.Config{
		Channels: 3, Height: 32, Width: 32, Depth: 3, Filters: []int{16, 32, 64, 128, 256}, Kernel: 3, Upsample: "k2",
		Latent: 128, Activation: "relu", OutputActivation: "sigmoid", Loss: "mse", SSIMWeight: 0.5,
	}
}

func TestCheck(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*model.Config)
		want   string // empty: no error
	}{
		{"reference", func(*model.Config) {}, ""},
		{"deepest", func(c *model.Config) { c.Depth = 5 }, ""},
		{"too deep for the image", func(c *model.Config) { c.Depth, c.Height = 5, 28 }, "use a depth of at most 4"},
		{"too deep", func(c *model.Config) { c.Depth = 6 }, "depth 6 is outside 1 to 5"},
		{"no depth", func(c *model.Config) { c.Depth = 0 }, "depth 0 is outside"},
		{"few filters", func(c *model.Config) { c.Filters = []int{16} }, "list at least 3"},
		{"empty filter", func(c *model.Config) { c.Filters = []int{16, 0, 4} }, "holds 0 at place 2"},
		{"unused filter", func(c *model.Config) { c.Filters = []int{16, 4, 4, 0} }, ""},
		{"even kernel", func(c *model.Config) { c.Kernel = 4 }, "kernel 4 is not an odd number"},
		{"latent", func(c *model.Config) { c.Latent = 0 }, "latent 0"},
		{"activation", func(c *model.Config) { c.Activation = "elu" }, `activation "elu" is not one of relu,`},
		{"output", func(c *model.Config) { c.OutputActivation = "" }, "output_activation"},
		{"loss", func(c *model.Config) { c.Loss = "ssim" }, "loss"},
		{"init", func(c *model.Config) { c.Init = "xavier" }, `init "xavier" is not one of auto, he, glorot`},
		{"glorot", func(c *model.Config) { c.Init = "glorot" }, ""},
		{"gelu, k3 and a norm", func(c *model.Config) { c.Activation, c.Upsample, c.Norm = "gelu", "k3", "batch" }, ""},
		{"norm", func(c *model.Config) { c.Norm = "group" }, `norm "group" is not one of none, batch, layer`},
		{"upsample", func(c *model.Config) { c.Upsample = "k4" }, "upsample"},
		{"weight", func(c *model.Config) { c.SSIMWeight = math.NaN() }, "ssim_weight NaN"},
		{"segment", func(c *model.Config) { c.Task, c.Loss, c.Classes = "segment", "cross_entropy", 11 }, ""},
		{"segment without masks", func(c *model.Config) { c.Task, c.Loss = "segment", "cross_entropy" }, "use one with masks of 2 to 16 classes"},
		{"segment with a loss", func(c *model.Config) { c.Task, c.Classes = "segment", 11 }, "loss"},
		{"segment by noise", func(c *model.Config) {
			c.Task, c.Loss, c.Classes, c.Variant = "segment", "cross_entropy", 11, "denoising"
		}, "task segment makes none"},
		{"classify", func(c *model.Config) {
			c.Task, c.Loss, c.Classes, c.Freeze = "classify", "cross_entropy", 256, "encoder"
		}, ""},
		{"classify one class", func(c *model.Config) { c.Task, c.Loss, c.Classes = "classify", "cross_entropy", 1 }, "labels of 2 to 256"},
		{"classify by noise", func(c *model.Config) {
			c.Task, c.Loss, c.Classes, c.Variant = "classify", "cross_entropy", 9, "denoising"
		}, "has the encoder of plain"},
		{"freeze", func(c *model.Config) { c.Freeze = "encoder" }, "freeze encoder is for the trainer classifier"},
		{"freeze what", func(c *model.Config) { c.Freeze = "decoder" }, "freeze"},
		{"skip", func(c *model.Config) { c.Variant = "skip" }, ""},
		{"skip of nothing", func(c *model.Config) { c.Variant, c.Depth = "skip", 1 }, "variant skip with depth 1"},
		{"residual", func(c *model.Config) { c.Variant, c.Depth, c.Kernel = "residual", 1, 1 }, ""},
		{"segnet", func(c *model.Config) { c.Variant = "segnet" }, ""},
		{"segnet by points", func(c *model.Config) { c.Variant, c.Kernel = "segnet", 1 }, "variant segnet with kernel 1"},
		{"segnet upsampled", func(c *model.Config) { c.Variant, c.Upsample = "segnet", "k3" }, "leave upsample at k2, not k3"},
		{"attention", func(c *model.Config) { c.Variant, c.Depth = "attention", 1 }, ""},
		{"attention to nobody", func(c *model.Config) { c.Variant, c.Depth = "attention", 5 }, "a single pixel"},
		{"attention to all", func(c *model.Config) { c.Variant, c.Depth, c.Height, c.Width = "attention", 1, 64, 66 }, "lets 1056 pixels"},
		{"variant at no depth", func(c *model.Config) { c.Variant, c.Depth = "attention", 6 }, "depth 6"},
		{"unknown variant", func(c *model.Config) { c.Variant = "unet" }, `variant "unet" is not one of plain,`},
		{"empty image", func(c *model.Config) { c.Width = 0 }, "has no values"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := reference()
			tt.change(&c)
			err := c.Check()
			switch {
			case tt.want == "" && err != nil:
				t.Fatalf("unexpected: %v", err)
			case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
				t.Fatalf("got %v, want %q in it", err, tt.want)
			}
		})
	}
	c := reference()
	c.Depth, c.Latent, c.Loss = 9, 0, "x"
	if got := strings.Count(c.Check().Error(), "\n"); got != 2 {
		t.Errorf("three mistakes are reported in %d lines", got+1)
	}
}

func TestInit(t *testing.T) {
	c := reference()
	a, b := model.Init(c, 7, 0), model.Init(c, 7, 0)
	for i := range a {
		if !slices.Equal(a[i], b[i]) { // cmp takes seconds over so many
			t.Fatalf("two calls differ in array %d", i)
		}
	}
	other, replicate := model.Init(c, 8, 0), model.Init(c, 7, 1)
	for i, w := range c.Weights() {
		n := 1
		for _, s := range w.Shape {
			n *= s
		}
		if len(a[i]) != n {
			t.Fatalf("%s has %d values, want %d", w.Name, len(a[i]), n)
		}
		var sum, sq float64
		for _, v := range a[i] {
			sum += float64(v)
			sq += float64(v) * float64(v)
		}
		if strings.HasSuffix(w.Name, ".bias") {
			if sq != 0 {
				t.Errorf("%s does not start at 0", w.Name)
			}
			continue
		}
		if slices.Equal(a[i], other[i]) || slices.Equal(a[i], replicate[i]) {
			t.Errorf("%s does not depend on seed and replicate", w.Name)
		}
		var variance float64
		switch w.Name {
		case "enc.conv1.weight":
			variance = 2.0 / (9 * 16)
		case "enc.dense.weight":
			variance = 2.0 / (1024 + 128)
		case "dec.convt2.weight":
			variance = 2.0 / 64
		case "dec.convt0.weight":
			variance = 2.0 / (16 + 12)
		default:
			continue
		}
		// The variance of n uniform draws strays from its mean by sqrt(0.8/n) relative; five of those is a bound that a
		// right generator misses once in a million.
		got := sq/float64(n) - (sum/float64(n))*(sum/float64(n))
		if rel := math.Abs(got/variance - 1); rel > 5*math.Sqrt(0.8/float64(n)) {
			t.Errorf("%s has variance %g, want %g", w.Name, got, variance)
		}
	}
}

// The laws differ where the activation would choose another one, and nowhere else.
func TestInitLaws(t *testing.T) {
	limit := func(init, name string) float64 {
		c := reference()
		c.Init, c.Activation = init, "leaky_relu"
		for _, w := range c.Weights() {
			if w.Name == name {
				return w.Limit
			}
		}
		t.Fatalf("there is no %s", name)
		return 0
	}
	const slope = 1 + 0.01*0.01
	for _, tt := range []struct {
		init, name string
		want       float64
	}{
		{"auto", "enc.conv1.weight", 6 / (slope * 9 * 16)},
		{"he", "enc.conv1.weight", 6 / (slope * 9 * 16)},
		{"glorot", "enc.conv1.weight", 6.0 / (9 * (16 + 32))},
		{"auto", "enc.dense.weight", 6.0 / (1024 + 128)}, // no activation follows
		{"he", "enc.dense.weight", 6.0 / 1024},
		{"glorot", "enc.dense.weight", 6.0 / (1024 + 128)},
	} {
		if got := limit(tt.init, tt.name); math.Abs(got*got/tt.want-1) > 1e-12 {
			t.Errorf("%s: %s is drawn from ±%g, want ±√%g", tt.init, tt.name, got, tt.want)
		}
	}
}

// Each layer reads layers before it, names are unique, and the sizes fit those of the weights.
func TestLayers(t *testing.T) {
	c := reference()
	c.Height, c.OutputActivation = 30, "tanh" // padded, cropped and mapped
	seen := map[string]bool{}
	layers := c.Layers()
	for i, l := range layers {
		if seen[l.Name] {
			t.Errorf("there are two layers %s", l.Name)
		}
		seen[l.Name] = true
		for _, from := range l.In {
			if from < 0 || from >= i {
				t.Errorf("layer %d, %s, reads layer %d", i, l.Name, from)
			}
		}
	}
	last := layers[len(layers)-1]
	if last.Kind != model.ImageLayer || last.H != 30 || last.W != 32 || last.C != 3 {
		t.Errorf("the output is %+v", last)
	}
	if n := len(c.Weights()); n != 2*(3+2+3) {
		t.Errorf("there are %d arrays of weights", n)
	}
}
