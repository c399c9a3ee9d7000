// Command split writes the images of a study as bytes, so that another program can train on the very same ones:
//
//	go run ./bench/split -data DIR -name cifar10 -train 45000 -validation 5000 -seed 1 OUT
//
// OUT/train.bin and OUT/validation.bin are what a sweep with the same data, counts and seed trains and validates on, in
// its order; OUT/test.bin is the test file. Each is (N, H, W, C) bytes; OUT/shape holds "H W C".
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"sweep/trainer/dataset"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "split:", err)
		os.Exit(1)
	}
}

func run() error {
	data := flag.String("data", os.Getenv("SWEEP_DATA"), "folder of data sets")
	name := flag.String("name", "cifar10", "data set")
	train := flag.Int("train", 45000, "training images")
	validation := flag.Int("validation", 5000, "validation images")
	seed := flag.Uint64("seed", 1, "the study's seed")
	flag.Parse()
	if flag.NArg() != 1 {
		return errors.New("name one folder to write to")
	}
	out := flag.Arg(0)
	source, err := dataset.Open(*name, *data)
	if err != nil {
		return err
	}
	t, v, err := source.Split(*seed, *train, *validation)
	if err != nil {
		return err
	}
	test, err := source.Test(0)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	for file, b := range map[string][]byte{
		"train.bin": t.Pixels, "validation.bin": v.Pixels, "test.bin": test.Pixels,
		"shape": fmt.Appendf(nil, "%d %d %d\n", t.Height, t.Width, t.Channels),
	} {
		if err := os.WriteFile(filepath.Join(out, file), b, 0o644); err != nil {
			return fmt.Errorf("write the split: %w", err)
		}
	}
	fmt.Printf("%s, seed %d: %d training, %d validation and %d test images in %s\n", *name, *seed, t.Len(), v.Len(), test.Len(), out)
	return nil
}
