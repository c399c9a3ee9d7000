package cpu_test

import (
	"context"
	"testing"

	"sweep/trainer"
	"sweep/trainer/cpu"
	"sweep/trainer/kernel"
	"sweep/trainer/model"
)

// BenchmarkRegularised is BenchmarkTrain's network (batch 64, MSE, the fastest kernels) with what regularises it.
func BenchmarkRegularised(b *testing.B) {
	for _, bb := range []struct {
		name   string
		change func(*trainer.Config)
	}{
		{"plain", func(*trainer.Config) {}},
		{"dropout", func(c *trainer.Config) { c.DropoutConv, c.DropoutDense = 0.1, 0.2 }},
		{"flips", func(c *trainer.Config) { c.Flip = "horizontal" }},
		{"penalties and clipping", func(c *trainer.Config) { c.L1, c.L2, c.ClipNorm = 1e-6, 1e-5, 0.1 }},
		{"sgd", func(c *trainer.Config) { c.Optimizer, c.Momentum = "sgd", 0.9 }},
	} {
		b.Run(bb.name, func(b *testing.B) {
			c := trainer.Config{
				Config: model.Config{
					Channels: 3, Height: 32, Width: 32, Depth: 3, Filters: []int{16, 32, 64}, Kernel: 3, Upsample: "k2",
					Latent: 128, Activation: "relu", OutputActivation: "sigmoid", Loss: "mse", SSIMWeight: 0.5,
				},
				Batch: 64, LR: 0.001, Optimizer: "adam", Epochs: 1 << 20,
				Train: blobs(64*64, 32, 32, 3, 1), Validation: blobs(1, 32, 32, 3, 2),
			}
			bb.change(&c)
			e := cpu.New("cpu:0", kernel.Best())
			defer e.Close()
			load(b, e, c, nil)
			for b.Loop() {
				reports, err := e.Advance(context.Background(), 1)
				if err != nil {
					b.Fatal(err)
				}
				if len(reports) > 0 {
					proceed(b, e, false)
				}
			}
		})
	}
}
