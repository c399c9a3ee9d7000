package main

import (
	"errors"
	"flag"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/sync/errgroup"

	"sweep/trainer/dataset"
)

// Both tasks train on 10,000 images of CIFAR-10 and validate on 2,000 others, which lie as bytes, (N, 32, 32, 3), in the
// files train.bin and validation.bin of a folder.
const side, channels = 32, 3

func imagesVerb(f *flag.FlagSet, args []string, out io.Writer) error {
	data := f.String("data", os.Getenv("SWEEP_DATA"), "folder of data sets")
	name := f.String("name", "cifar10", "data set")
	if err := f.Parse(args); err != nil {
		return err
	}
	if f.NArg() != 1 {
		return errors.New("name one folder to write to")
	}
	source, err := dataset.Open(*name, *data)
	if err != nil {
		return err
	}
	train, validation, err := source.Split(1, fullSize.train, fullSize.validation)
	if err != nil {
		return err
	}
	if train.Height != side || train.Width != side || train.Channels != channels {
		return fmt.Errorf("the images of %s are not 32x32 in colour", *name)
	}
	if err := os.MkdirAll(f.Arg(0), 0o755); err != nil {
		return err
	}
	for file, set := range map[string]*dataset.Images{"train.bin": train, "validation.bin": validation} {
		if err := os.WriteFile(filepath.Join(f.Arg(0), file), set.Pixels, 0o644); err != nil {
			return err
		}
	}
	fmt.Fprintf(out, "%d and %d images of %s in %s\n", train.Len(), validation.Len(), *name, f.Arg(0))
	return nil
}

// readImages reads the first count images of a file.
func readImages(file string, count int) (*dataset.Images, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	const bytes = side * side * channels
	if len(b)%bytes != 0 || len(b) < count*bytes {
		return nil, fmt.Errorf("%s holds %d bytes, not %d images or more of %d each", file, len(b), count, bytes)
	}
	return &dataset.Images{Height: side, Width: side, Channels: channels, Pixels: b[:count*bytes]}, nil
}

// writePhotos writes the images as a folder that `sweep run` can train on: its training files hold both sets, of which a sweep
// draws its own, and its test files the first few of the validation set, which nothing looks at here.
func writePhotos(dir string, t task, images string) error {
	var g errgroup.Group
	g.SetLimit(8)
	number := 0
	for _, part := range []struct {
		file, folder string
		count        int
	}{{"train.bin", "train", t.Train}, {"validation.bin", "train", t.Validation}, {"validation.bin", "test", min(8, t.Validation)}} {
		set, err := readImages(filepath.Join(images, part.file), part.count)
		if err != nil {
			return err
		}
		folder := filepath.Join(dir, part.folder)
		if err := os.MkdirAll(folder, 0o755); err != nil {
			return err
		}
		for i := range part.count {
			file := filepath.Join(folder, fmt.Sprintf("%05d.png", number))
			number++
			pixels := set.Pixels[i*side*side*channels:][:side*side*channels]
			g.Go(func() error { return writePhoto(file, pixels) })
		}
	}
	return g.Wait()
}

func writePhoto(file string, pixels []byte) error {
	m := image.NewRGBA(image.Rect(0, 0, side, side))
	for i := range side * side {
		m.Set(i%side, i/side, color.RGBA{pixels[3*i], pixels[3*i+1], pixels[3*i+2], 255})
	}
	w, err := os.Create(file)
	if err != nil {
		return err
	}
	err = (&png.Encoder{CompressionLevel: png.BestSpeed}).Encode(w, m)
	return errors.Join(err, w.Close())
}
