// Command reference prints the training images a second of the reference network on one core:
//
//	3x[conv3x3, ReLU, max-pool] with 16, 32, 64 filters, dense latent 128, dense, 3x conv-transpose 2x2 stride 2,
//	sigmoid; MSE; Adam; batch 64; images 32x32x3
//
// through the engine that sweeps use: gather from bytes, forward, backward, optimiser. It prints one line:
// "sweep KERNELS images/s RATE".
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"runtime"
	"time"

	"sweep/trainer"
	"sweep/trainer/cpu"
	"sweep/trainer/dataset"
	"sweep/trainer/kernel"
	"sweep/trainer/model"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "reference:", err)
		os.Exit(1)
	}
}

const (
	images = 2048
	batch  = 64
	warm   = 10 // steps before the clock starts
)

func run() error {
	seconds := flag.Float64("seconds", 5, "how long to train")
	name := flag.String("kernels", kernel.Best().Name(), "kernels: ref, portable, avx2")
	flag.Parse()
	runtime.GOMAXPROCS(1)
	k, err := kernel.New(*name)
	if err != nil {
		return err
	}
	source, err := dataset.Open("shapes", "")
	if err != nil {
		return err
	}
	train, validation, err := source.Split(1, images, batch)
	if err != nil {
		return err
	}
	e := cpu.New("cpu:0", k)
	defer e.Close() //nolint:errcheck // a core has nothing to give back
	err = e.Load(0, trainer.Config{
		Config: model.Config{
			Channels: 3, Height: 32, Width: 32, Depth: 3, Filters: []int{16, 32, 64}, Kernel: 3, Upsample: "k2", Latent: 128,
			Activation: "relu", OutputActivation: "sigmoid", Loss: "mse",
		},
		Batch: batch, LR: 1e-3, Schedule: "constant", Optimizer: "adam", Epochs: 1 << 20, Seed: 1, Train: train, Validation: validation,
	}, nil)
	if err != nil {
		return err
	}
	ctx := context.Background()
	if _, err := e.Advance(ctx, warm); err != nil {
		return err
	}
	// Whole epochs from here, so that the report's own clock, which leaves validation out, is what counts.
	var trained int
	var spent time.Duration
	for epoch := 0; spent.Seconds() < *seconds; {
		reports, err := e.Advance(ctx, images)
		if err != nil {
			return err
		}
		for _, r := range reports {
			if r.Err != nil {
				return r.Err
			}
			if epoch > 0 { // the first one began before the clock
				trained += r.Train.Images
				spent += r.TrainTime
			}
			epoch++
			if err := e.Continue(0, false); err != nil {
				return err
			}
		}
	}
	fmt.Printf("sweep %s images/s %.0f\n", k.Name(), float64(trained)/spent.Seconds())
	return nil
}
