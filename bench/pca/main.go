// Command pca prints what principal component analysis with k components makes of the validation images: the best linear
// code of k numbers, and so the line that an autoencoder with a latent of k must beat to have learned anything. k = 0 is
// the mean image.
//
//	go run ./bench/pca -data DIR -name cifar10 -train 10000 -validation 2000 -seed 1 0 64 128 256 512
//
// The images are the ones that a sweep with the same data, counts and seed trains and validates on, the figures those
// that its leaderboard shows.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strconv"
	"time"

	"sweep/trainer"
	"sweep/trainer/baseline"
	"sweep/trainer/dataset"
	"sweep/trainer/kernel"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "pca:", err)
		os.Exit(1)
	}
}

func run() error {
	data := flag.String("data", os.Getenv("SWEEP_DATA"), "folder of data sets")
	name := flag.String("name", "cifar10", "data set")
	train := flag.Int("train", 10000, "training images")
	validation := flag.Int("validation", 2000, "validation images")
	seed := flag.Uint64("seed", 1, "the study's seed")
	flag.Parse()
	var components []int
	for _, arg := range flag.Args() {
		k, err := strconv.Atoi(arg)
		if err != nil || k < 0 || k > baseline.Most {
			return fmt.Errorf("%q is not a number of components, 0 to %d", arg, baseline.Most)
		}
		components = append(components, k)
	}
	if len(components) == 0 {
		return errors.New("name one or more numbers of components: pca 64 128")
	}
	source, err := dataset.Open(*name, *data)
	if err != nil {
		return err
	}
	t, v, err := source.Split(*seed, *train, *validation)
	if err != nil {
		return err
	}
	begun := time.Now()
	p, err := baseline.Fit(context.Background(), kernel.Best(), t, max(1, slices.Max(components)), nil)
	if err != nil {
		return err
	}
	fitted := time.Now()
	sums, err := p.Evaluate(context.Background(), v, components, nil)
	if err != nil {
		return err
	}
	fmt.Printf("%s, %d training and %d validation images, seed %d: %d components in %.1f s, evaluated in %.1f s\n", *name, *train, *validation,
		*seed, p.Components(), fitted.Sub(begun).Seconds(), time.Since(fitted).Seconds())
	for i, k := range components {
		m := trainer.ValidationMetrics(sums[i])
		fmt.Printf("pca-%-4d val_mse %.6f  unlimited %.6f  val_mae %.5f  val_psnr %.2f  val_ssim %.4f  val_pixel_acc %.4f\n", k, m["val_mse"],
			sums[i].Loss/float64(sums[i].Images), m["val_mae"], m["val_psnr"], m["val_ssim"], m["val_pixel_acc"])
	}
	return nil
}
