// Command precision trains the reference network of bench/README.md on a CPU with the roundings of each precision of the GPU
// kernels, and prints the validation error of every epoch:
//
//	go run ./bench/precision -data DIR -images 10000 -epochs 5 -seeds 3
//
// What it emulates is in rounded.go. It says nothing of speed.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"math"
	"os"

	"sweep/study"
	"sweep/trainer"
	"sweep/trainer/cpu"
	"sweep/trainer/dataset"
	"sweep/trainer/kernel"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "precision:", err)
		os.Exit(1)
	}
}

func run(args []string, out io.Writer) error {
	f := flag.NewFlagSet("precision", flag.ContinueOnError)
	data := f.String("data", "", "folder of CIFAR-10; empty: generated shapes")
	images := f.Int("images", 10_000, "training images")
	validation := f.Int("validation", 2_000, "validation images")
	epochs := f.Int("epochs", 5, "epochs of a trial")
	seeds := f.Int("seeds", 3, "trials of each precision, of seeds 1, 2, …")
	batch := f.Int64("batch", 128, "images of an optimiser step")
	if err := f.Parse(args); err != nil {
		return err
	}
	name := "shapes"
	if *data != "" {
		name = "cifar10"
	}
	source, err := dataset.Open(name, *data)
	if err != nil {
		return fmt.Errorf("open the data set %s: %w", name, err)
	}
	last := map[string][]float64{}
	for seed := 1; seed <= *seeds; seed++ {
		c, err := trainer.Decode(study.Params{"batch": *batch})
		if err != nil {
			return err
		}
		if c.Train, c.Validation, err = source.Split(uint64(seed), *images, *validation); err != nil {
			return fmt.Errorf("split the data set %s: %w", name, err)
		}
		c.Channels, c.Height, c.Width = c.Train.Channels, c.Train.Height, c.Train.Width
		c.Epochs, c.Seed, c.Replicate = *epochs, uint64(seed), 1
		for _, p := range []string{"fp32", "tf32", "bf16"} {
			fmt.Fprintf(out, "seed %d %s:", seed, p)
			mse, err := train(c, p, func(v float64) { fmt.Fprintf(out, " %.6f", v) })
			fmt.Fprintln(out)
			if err != nil {
				return fmt.Errorf("train in %s: %w", p, err)
			}
			last[p] = append(last[p], mse)
		}
	}
	for _, p := range []string{"fp32", "tf32", "bf16"} {
		mean, deviation := moments(last[p])
		ratios := make([]float64, len(last[p]))
		for i, v := range last[p] {
			ratios[i] = v / last["fp32"][i]
		}
		ratio, spread := moments(ratios)
		fmt.Fprintf(out, "%s: val_mse %.6f ± %.6f; of fp32's of the same seed %.4f ± %.4f\n", p, mean, deviation, ratio, spread)
	}
	return nil
}

// train runs a trial to its end and gives its last val_mse; each is called with every epoch's.
func train(c trainer.Config, precision string, each func(float64)) (float64, error) {
	e := cpu.New("cpu:0", newRounded(kernel.Best(), precision))
	if err := e.Load(0, c, nil); err != nil {
		return 0, err
	}
	mse := math.NaN()
	for epoch := 0; epoch < c.Epochs; {
		reports, err := e.Advance(context.Background(), c.Train.Len()+1)
		if err != nil {
			return 0, err
		}
		for _, r := range reports {
			if r.Err != nil {
				return 0, r.Err
			}
			epoch = r.Epoch
			mse = r.Validation.SE / float64(r.Validation.Values)
			each(mse)
		}
		if epoch < c.Epochs {
			if err := e.Continue(0, false); err != nil {
				return 0, err
			}
		}
	}
	return mse, nil
}

// moments are the mean and the standard deviation of a sample.
func moments(x []float64) (mean, deviation float64) {
	for _, v := range x {
		mean += v / float64(len(x))
	}
	for _, v := range x {
		deviation += (v - mean) * (v - mean)
	}
	if len(x) > 1 {
		deviation = math.Sqrt(deviation / float64(len(x)-1))
	}
	return mean, deviation
}
