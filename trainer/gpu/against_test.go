//go:build gpu

package gpu

import (
	"context"
	"math"
	"slices"
	"testing"

	"sweep/trainer"
	"sweep/trainer/cpu"
	"sweep/trainer/kernel"
)

// TestAgainstCPU trains three trials of one bucket with different batch, latent size and loss, and one of another, at once,
// and each on the processor.
func TestAgainstCPU(t *testing.T) {
	list := []trainer.Config{
		small(nil),
		small(func(c *trainer.Config) {
			c.Batch, c.Latent, c.Loss, c.Flip, c.ClipNorm = 37, 9, "mae", "horizontal", 0.05
		}),
		small(func(c *trainer.Config) {
			c.Batch, c.Latent, c.Loss, c.Optimizer, c.WeightDecay, c.L1 = 3, 17, "mse+ssim", "adamw", 0.01, 1e-5
		}),
		small(func(c *trainer.Config) {
			c.Norm, c.Optimizer, c.Momentum, c.DropoutConv, c.DropoutDense = "batch", "sgd", 0.9, 0.2, 0.3
		}),
	}
	// Of 16x16, where the loss is made with the output; slots with SSIM in it live among them.
	for _, loss := range []string{"mse", "mse+ssim", "mae"} {
		list = append(list, small(func(c *trainer.Config) {
			c.Height, c.Width, c.Loss, c.Train, c.Validation = 16, 16, loss, blobs(37, 16, 16, 3, 1), blobs(11, 16, 16, 3, 2)
		}))
	}
	const epochs = 3
	e := start(t, len(list), "fp32")
	var slots []int
	for i, c := range list {
		load(t, e, i, c, nil)
		slots = append(slots, i)
	}
	got := run(t, e, slots, epochs)
	for i, c := range list {
		k := cpu.New("cpu:0", kernel.Best())
		load(t, k, 0, c, nil)
		want := run(t, k, []int{0}, epochs)[0]
		// Both round every sum in another order, and a step of Adam divides by the root of the second moment, so that weights
		// part by about a thousandth of their change; figures of epochs by much less.
		const figures, weights = 2e-4, 2e-3
		for j, w := range want {
			g := got[i][j]
			if g.Epoch != w.Epoch || g.LearningRate != w.LearningRate || g.Train.Images != w.Train.Images || g.Train.Values != w.Train.Values ||
				g.Validation.Images != w.Validation.Images || g.Validation.Values != w.Validation.Values {
				t.Errorf("slot %d: the report is %+v, on the processor %+v", i, g, w)
			}
			for name, pair := range map[string][2]float64{
				"training loss": {g.Train.Loss, w.Train.Loss}, "validation loss": {g.Validation.Loss, w.Validation.Loss},
				"SE": {g.Validation.SE, w.Validation.SE}, "AE": {g.Validation.AE, w.Validation.AE},
				"SSIM": {g.Validation.SSIM, w.Validation.SSIM}, "gradient": {g.GradNorm, w.GradNorm},
				"within": {float64(g.Validation.Within) / 100, float64(w.Validation.Within) / 100},
			} {
				if d := math.Abs(pair[0] - pair[1]); !(d <= figures*math.Abs(pair[1])+0.02*float64(b2i(name == "within"))) {
					t.Errorf("slot %d, epoch %d: %s is %g, on the processor %g", i, w.Epoch, name, pair[0], pair[1])
				}
			}
			if g.TrainTime <= 0 || g.Time < g.TrainTime {
				t.Errorf("slot %d, epoch %d: took %v, of which steps %v", i, w.Epoch, g.Time, g.TrainTime)
			}
		}
		a, b := save(t, e, i), save(t, k, 0)
		if a.Epoch != b.Epoch || a.Step != b.Step {
			t.Errorf("slot %d stands at epoch %d, step %d, on the processor at %d, %d", i, a.Epoch, a.Step, b.Epoch, b.Step)
		}
		for _, pair := range [][2][]trainer.Tensor{{a.Weights, b.Weights}, {a.Best, b.Best}, {a.M, b.M}, {a.V, b.V}} {
			compareTensors(t, i, pair[0], pair[1], weights)
		}
		images := []int{3, 0, 10, 10}
		ea, err := e.Evaluate(context.Background(), i, trainer.Best, c.Validation, images, trainer.Want{Codes: true, Reconstructions: true})
		if err != nil {
			t.Fatal(err)
		}
		eb, err := k.Evaluate(context.Background(), 0, trainer.Best, c.Validation, images, trainer.Want{Codes: true, Reconstructions: true})
		if err != nil {
			t.Fatal(err)
		}
		if err := near(eb.Codes, ea.Codes, 4, weights, 0); err != nil {
			t.Errorf("slot %d, codes: %v", i, err)
		}
		if err := near(eb.Reconstructions, ea.Reconstructions, 4, weights, 0); err != nil {
			t.Errorf("slot %d, reconstructions: %v", i, err)
		}
		if d := math.Abs(ea.Sums.SE - eb.Sums.SE); d > figures*eb.Sums.SE || ea.Sums.Images != 4 {
			t.Errorf("slot %d: the evaluation gives %+v, on the processor %+v", i, ea.Sums, eb.Sums)
		}
	}
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

func compareTensors(t *testing.T, slot int, got, want []trainer.Tensor, limit float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("slot %d: %d arrays, want %d", slot, len(got), len(want))
		return
	}
	for i, w := range want {
		if got[i].Name != w.Name || !slices.Equal(got[i].Shape, w.Shape) {
			t.Errorf("slot %d: array %d is %s %v, want %s %v", slot, i, got[i].Name, got[i].Shape, w.Name, w.Shape)
		} else if err := near(w.Data, got[i].Data, 4, limit, 0); err != nil {
			t.Errorf("slot %d, %s: %v", slot, w.Name, err)
		}
	}
}

// TestPrecisions trains one trial in each precision: the losses are near those of float, but not those.
func TestPrecisions(t *testing.T) {
	const epochs = 3
	var want []trainer.Report
	for _, precision := range precisions {
		e := start(t, 1, precision)
		load(t, e, 0, small(func(c *trainer.Config) { c.Batch, c.Latent = 16, 24 }), nil)
		got := run(t, e, []int{0}, epochs)[0]
		if precision == "fp32" {
			want = got
			continue
		}
		// Factors are rounded by 2⁻¹¹ or 2⁻⁹, which mostly cancels in a loss.
		limit := map[string]float64{"tf32": 2e-3, "bf16": 2e-2}[precision]
		for i, r := range got {
			d := math.Abs(r.Validation.Loss-want[i].Validation.Loss) / want[i].Validation.Loss
			if !(d < limit) {
				t.Errorf("%s, epoch %d: the loss is %g, in fp32 %g", precision, i+1, r.Validation.Loss, want[i].Validation.Loss)
			}
			if d == 0 {
				t.Errorf("%s, epoch %d: the loss is that of fp32 to the bit", precision, i+1)
			}
		}
		v, err := e.Evaluate(context.Background(), 0, trainer.Best, blobs(5, 8, 6, 3, 9), nil, trainer.Want{Codes: true, Reconstructions: true})
		if err != nil {
			t.Fatal(err)
		}
		if len(v.Codes) != 5*24 || len(v.Reconstructions) != 5*8*6*3 || slices.Max(v.Reconstructions) > 1 || !(slices.Min(v.Reconstructions) >= 0) {
			t.Errorf("%s: an evaluation gives %d numbers of codes and %d of pictures, %g to %g", precision, len(v.Codes), len(v.Reconstructions),
				slices.Min(v.Reconstructions), slices.Max(v.Reconstructions))
		}
	}
}
