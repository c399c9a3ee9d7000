package cpu_test

import (
	"context"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sweep/trainer"
	"sweep/trainer/cpu"
	"sweep/trainer/kernel"
	"sweep/trainer/model"
)

// normConfigs are configurations by name that train eight epochs of blobs to less than the given share of the training loss
// of their first epoch, far below what they reach when a layer passes no gradient on.
var normConfigs = []struct {
	name   string
	change func(*trainer.Config)
	share  float64
}{
	{"gelu", func(c *trainer.Config) { c.Activation = "gelu" }, 0.1},
	{"k3", func(c *trainer.Config) { c.Upsample = "k3" }, 0.25},
	{"batch", func(c *trainer.Config) { c.Norm = "batch" }, 0.1},
	{"layer", func(c *trainer.Config) { c.Norm = "layer" }, 0.1},
	{"batch, gelu, k3", func(c *trainer.Config) { c.Norm, c.Activation, c.Upsample = "batch", "gelu", "k3" }, 0.1},
	{"layer, tanh, k3", func(c *trainer.Config) { c.Norm, c.Activation, c.Upsample = "layer", "tanh", "k3" }, 0.1},
}

func TestNormsTrain(t *testing.T) {
	for _, tt := range normConfigs {
		e := engine(t)
		load(t, e, config(func(c *trainer.Config) {
			tt.change(c)
			c.Epochs, c.Train = 12, blobs(133, 12, 10, 3, 1)
		}), nil)
		reports := train(t, e, 12)
		first, last := reports[0], reports[11]
		t.Logf("%s: training loss %g to %g, validation %g to %g", tt.name, first.Train.Loss/133, last.Train.Loss/133, first.Validation.Loss/11, last.Validation.Loss/11)
		if !(last.Train.Loss < tt.share*first.Train.Loss) || !(last.Validation.SE < 0.8*first.Validation.SE) {
			t.Errorf("%s: the training loss went from %g to %g, the validation's from %g to %g", tt.name,
				first.Train.Loss, last.Train.Loss, first.Validation.Loss, last.Validation.Loss)
		}
	}
}

// Saved in one engine and loaded in another, a trial goes on as if nothing had happened: the running statistics are in the
// state. Nine images in batches of eight make a last batch of one.
func TestNormsGoOnBitForBit(t *testing.T) {
	for _, tt := range normConfigs {
		c := config(func(c *trainer.Config) {
			tt.change(c)
			c.Train = blobs(9, 12, 10, 3, 1)
		})
		whole := engine(t)
		load(t, whole, c, nil)
		straight := train(t, whole, 4)

		first := engine(t)
		load(t, first, c, nil)
		reports := train(t, first, 2)
		proceed(t, first, reports[1].Validation.Loss < reports[0].Validation.Loss)
		if _, err := first.Advance(context.Background(), 1); err != nil { // a partial epoch, whose statistics are given up
			t.Fatal(err)
		}
		second := engine(t)
		load(t, second, c, save(t, first))
		rest := train(t, second, 2)
		if diff := cmp.Diff(straight[2:], rest, exact, timeless); diff != "" {
			t.Errorf("%s: resumed: %s", tt.name, diff)
		}
		want, got := save(t, whole), save(t, second)
		for i := range want.Weights {
			if diff := cmp.Diff(want.Weights[i], got.Weights[i], exact); diff != "" {
				t.Errorf("%s: resumed: %s", tt.name, diff)
			}
			w := want.Weights[i]
			if moved := !strings.HasSuffix(w.Name, ".mean") || w.Data[0] != 0; !moved {
				t.Errorf("%s: %s still stands at its start", tt.name, w.Name)
			}
		}
	}
}

// At validation an image's reconstruction does not depend on its batch.
func TestNormsInUseSeeOneImage(t *testing.T) {
	for _, tt := range normConfigs {
		e := engine(t)
		c := config(tt.change)
		load(t, e, c, nil)
		train(t, e, 2)
		all, err := e.Evaluate(t.Context(), 0, trainer.Current, c.Validation, nil, trainer.Want{Reconstructions: true})
		if err != nil {
			t.Fatal(err)
		}
		one, err := e.Evaluate(t.Context(), 0, trainer.Current, c.Validation, []int{7}, trainer.Want{Reconstructions: true})
		if err != nil {
			t.Fatal(err)
		}
		for i, v := range one.Reconstructions {
			if w := all.Reconstructions[7*len(one.Reconstructions)+i]; math.Float32bits(v) != math.Float32bits(w) {
				t.Fatalf("%s: value %d is %g alone and %g among others", tt.name, i, v, w)
			}
		}
	}
}

// BenchmarkNorm trains the reference network of BenchmarkTrain with what a layer may be.
func BenchmarkNorm(b *testing.B) {
	for _, v := range []struct{ norm, upsample, activation string }{
		{"none", "k2", "relu"}, {"batch", "k2", "relu"}, {"layer", "k2", "relu"}, {"none", "k3", "relu"}, {"none", "k2", "gelu"}, {"batch", "k3", "gelu"},
	} {
		b.Run(fmt.Sprintf("%s/%s/%s", v.norm, v.upsample, v.activation), func(b *testing.B) {
			e := cpu.New("cpu:0", kernel.Best())
			defer e.Close()
			load(b, e, trainer.Config{
				Config: model.Config{
					Channels: 3, Height: 32, Width: 32, Depth: 3, Filters: []int{16, 32, 64}, Kernel: 3, Upsample: v.upsample,
					Latent: 128, Activation: v.activation, OutputActivation: "sigmoid", Loss: "mse", Norm: v.norm,
				},
				Batch: 64, LR: 0.001, Optimizer: "adam", Epochs: 1 << 20,
				Train: blobs(64*64, 32, 32, 3, 1), Validation: blobs(1, 32, 32, 3, 2),
			}, nil)
			ctx := context.Background()
			if _, err := e.Advance(ctx, 2); err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				reports, err := e.Advance(ctx, 1)
				if err != nil {
					b.Fatal(err)
				}
				if len(reports) > 0 {
					proceed(b, e, false)
				}
			}
			b.ReportMetric(64*float64(b.N)/b.Elapsed().Seconds(), "images/s")
		})
	}
}
