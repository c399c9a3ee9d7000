package cpu_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sweep/trainer"
	"sweep/trainer/dataset"
	"sweep/trainer/model"
)

const boxSide = 12

// boxes makes n grey images of one bright box on a dark ground, its edges anywhere: what a hole, noise or halving takes
// away of one can be told from the rest.
func boxes(n int, seed uint64) *dataset.Images {
	s := &dataset.Images{Height: boxSide, Width: boxSide, Channels: 1}
	r := rand.New(rand.NewPCG(seed, 3))
	for range n {
		top, left := r.IntN(boxSide-4), r.IntN(boxSide-4)
		bottom, right := min(top+3+r.IntN(6), boxSide), min(left+3+r.IntN(6), boxSide)
		for y := range boxSide {
			for x := range boxSide {
				v := byte(40)
				if y >= top && y < bottom && x >= left && x < right {
					v = 210
				}
				s.Pixels = append(s.Pixels, v)
			}
		}
	}
	return s
}

func onBoxes(change func(*trainer.Config)) trainer.Config {
	c := trainer.Config{
		Config: model.Config{
			Channels: 1, Height: boxSide, Width: boxSide, Depth: 1, Filters: []int{16}, Kernel: 5, Upsample: "k2", Latent: 64,
			Activation: "relu", OutputActivation: "sigmoid", Loss: "mse",
		},
		Batch: 16, LR: 0.006, Schedule: "cosine", Optimizer: "adam", Epochs: 8, Seed: 5, Train: boxes(800, 1), Validation: boxes(100, 2),
	}
	change(&c)
	return c
}

func first(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}

// TestMendsItsInput: a network that gave back what goes in would have the error of its input; one that mends it has less.
func TestMendsItsInput(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*trainer.Config)
		share  float64 // of the input's error that may be left
	}{
		{"gaussian", func(c *trainer.Config) { c.Variant, c.NoiseLevel = "denoising", 0.3 }, 0.5},
		{"mask", func(c *trainer.Config) { c.Variant, c.Noise, c.NoiseLevel = "denoising", "mask", 0.3 }, 0.5},
		{"inpaint", func(c *trainer.Config) { c.Task = "inpaint" }, 0.7},
		{"superresolve", func(c *trainer.Config) { c.Task = "superresolve" }, 0.6},
	} {
		c := onBoxes(tt.change)
		e := engine(t)
		load(t, e, c, nil)
		reports := train(t, e, c.Epochs)
		v := reports[c.Epochs-1].Validation
		got := v.SE / float64(v.Values)
		var input float64
		seen := model.Inputs(c.Corruption(), 1, c.Validation.Pixels, first(c.Validation.Len()), c.Seed)
		for i, p := range c.Validation.Pixels {
			d := float64(seen[i]) - float64(p)/255
			input += d * d / float64(len(seen))
		}
		t.Logf("%s: the input's error is %.5f, the output's %.5f (%.2f of it)", tt.name, input, got, got/input)
		if !(got < tt.share*input) {
			t.Errorf("%s: the output's error %.5f is not under %g of the input's %.5f", tt.name, got, tt.share, input)
		}
	}
}

// TestVariationalLearns: codes carry what is needed and no more, and random codes become images of the kind.
func TestVariationalLearns(t *testing.T) {
	last := map[float64]trainer.Sums{}
	for _, beta := range []float64{0.2, 5} {
		c := onBoxes(func(c *trainer.Config) { c.Variant, c.Beta, c.Latent = "variational", beta, 16 })
		c.Epochs = 16
		e := engine(t)
		load(t, e, c, nil)
		reports := train(t, e, c.Epochs)
		v := reports[c.Epochs-1].Validation
		last[beta] = v
		mse, kl := v.SE/float64(v.Values), v.KL/float64(v.Images)
		t.Logf("beta %g: mse %.4f, divergence %.2f nats, after the first epoch %.2f", beta, mse, kl, reports[0].Validation.KL/float64(v.Images))
		if want := mse + beta*kl/(boxSide*boxSide); math.Abs(v.Loss/float64(v.Images)-want) > 1e-6 {
			t.Errorf("beta %g: the loss is %g, its parts give %g", beta, v.Loss/float64(v.Images), want)
		}
		images, err := e.Decode(t.Context(), 0, trainer.Current, c.GeneratedCodes(c.Seed, 40))
		if err != nil {
			t.Fatal(err)
		}
		// Over the images, every value has a mean and spreads about it; an image has dark and bright pixels.
		var spread, low, high float64
		const size = boxSide * boxSide
		for p := range size {
			var sum, squares float64
			for i := range 40 {
				x := float64(images[i*size+p])
				sum, squares = sum+x, squares+x*x
			}
			spread += math.Sqrt(max(squares/40-sum/40*sum/40, 0)) / size
		}
		for i := range 40 {
			one := images[i*size:][:size]
			low, high = low+float64(slices.Min(one))/40, high+float64(slices.Max(one))/40
		}
		t.Logf("beta %g: generated images spread by %.3f and go from %.2f to %.2f", beta, spread, low, high)
		if beta < 1 && (spread < 0.1 || low > 0.25 || high < 0.6) {
			t.Errorf("beta %g: generated images spread by %.3f and go from %.2f to %.2f", beta, spread, low, high)
		}
	}
	weak, strong := last[0.2], last[5]
	if kl := weak.KL / float64(weak.Images); kl < 4 || kl > 60 {
		t.Errorf("at beta 0.2 the divergence is %.2f nats", kl)
	}
	if !(strong.KL < weak.KL/2 && weak.SE < strong.SE/2) {
		t.Errorf("beta 5 has a divergence of %g and an error of %g, beta 0.2 of %g and %g", strong.KL, strong.SE, weak.KL, weak.SE)
	}
}

// TestTasksResume: what is drawn for an image belongs to epoch and image, so nothing of it has to be saved.
func TestTasksResume(t *testing.T) {
	for name, change := range map[string]func(*trainer.Config){
		"gaussian":    func(c *trainer.Config) { c.Variant, c.NoiseLevel = "denoising", 0.2 },
		"inpaint":     func(c *trainer.Config) { c.Task = "inpaint" },
		"variational": func(c *trainer.Config) { c.Variant, c.Beta = "variational", 1 },
	} {
		c := config(change)
		straight := engine(t)
		load(t, straight, c, nil)
		want := train(t, straight, 4)
		first, second := engine(t), engine(t)
		load(t, first, c, nil)
		train(t, first, 2)
		load(t, second, c, save(t, first))
		if diff := cmp.Diff(want[2:], train(t, second, 2), exact, timeless); diff != "" {
			t.Errorf("%s: resumed, the epochs differ:\n%s", name, diff)
		}
		if diff := cmp.Diff(save(t, straight).Weights, save(t, second).Weights, exact); diff != "" {
			t.Errorf("%s: resumed, the weights differ", name)
		}
		other := c
		other.Replicate = 1
		third := engine(t)
		load(t, third, other, nil)
		if got := train(t, third, 1); got[0].Train.Loss == want[0].Train.Loss {
			t.Errorf("%s: another replicate is the same", name)
		}
	}
}

// Noise is new in every epoch of training and the same in every validation.
func TestNoiseOfEpochs(t *testing.T) {
	c := still(func(c *trainer.Config) { c.Variant, c.NoiseLevel = "denoising", 0.3 })
	e := engine(t)
	load(t, e, c, nil)
	r := train(t, e, 2)
	if r[0].Train.Loss == r[1].Train.Loss {
		t.Error("two epochs are trained with the same noise")
	}
	// The weights of still barely move.
	if a, b := r[0].Validation.SE, r[1].Validation.SE; math.Abs(a-b) > 1e-4*a {
		t.Errorf("two epochs are validated with other noise: %g and %g", a, b)
	}
}

func TestDecodeRefuses(t *testing.T) {
	e := engine(t)
	if _, err := e.Decode(t.Context(), 0, trainer.Current, nil); err == nil {
		t.Error("an empty slot decodes")
	}
	load(t, e, config(nil), nil)
	if _, err := e.Decode(t.Context(), 0, trainer.Current, make([]float32, 12)); err == nil {
		t.Error("a plain network decodes")
	}
	e.Clear(0)
	load(t, e, config(func(c *trainer.Config) { c.Variant = "variational" }), nil)
	if _, err := e.Decode(t.Context(), 0, trainer.Current, make([]float32, 13)); err == nil {
		t.Error("a part of a code was decoded")
	}
	if _, err := e.Decode(t.Context(), 0, trainer.Best, make([]float32, 12)); err == nil {
		t.Error("there are best weights before an epoch")
	}
	// Any number of codes: several batches and a short one.
	c := config(nil)
	codes := c.GeneratedCodes(1, 2*c.Batch+3)
	all, err := e.Decode(t.Context(), 0, trainer.Current, codes)
	if err != nil {
		t.Fatal(err)
	}
	last, err := e.Decode(t.Context(), 0, trainer.Current, codes[len(codes)-c.Latent:])
	if err != nil || !slices.Equal(last, all[len(all)-len(last):]) {
		t.Errorf("a code by itself becomes another image: %v", err)
	}
}
