package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"sweep/trainer/checkpoint"
	"sweep/trainer/dataset"
	"sweep/trainer/model"
)

func (a *app) applyVerb() *cobra.Command {
	var out string
	c := &cobra.Command{
		Use: "apply DIR IMAGE... -o OUT", Short: "Run an exported model on your own images", Args: cobra.MinimumNArgs(2),
		Long: `Run an exported model on your own PNG and JPEG images, or on those in and below folders. OUT gets a picture for each, what
the model makes of it, and a table: codes.csv with squared errors and latent codes, of a segmentation classes.csv with the
share of each class, of a classifier probabilities.csv and no pictures. OUT is a new or an empty folder, and is
written whole or not at all.
An image of another size is ` + dataset.Fit + `.`,
		RunE: func(c *cobra.Command, args []string) error {
			if out == "" {
				return usagef("say where to write the results with -o OUT")
			}
			return a.apply(c.Context(), args[0], args[1:], out)
		},
	}
	c.Flags().StringVarP(&out, "output", "o", "", "`folder` of the results")
	return c
}

func (a *app) apply(ctx context.Context, dir string, images []string, out string) error {
	r, err := checkpoint.Apply(ctx, dir, images, out)
	if err != nil {
		return err
	}
	size := fmt.Sprintf("%dx%d", r.Height, r.Width)
	if n := len(r.Resized); n > 0 {
		fmt.Fprintf(a.err, "%s not %s: %s\n", of(n, r.Images, "is", "are"), size, dataset.Fit)
	}
	if n := len(r.Grey); n > 0 {
		fmt.Fprintf(a.err, "%s coloured, and the model knows grey ones only: they were made grey\n", of(n, r.Images, "is", "are"))
	}
	switch made := fmt.Sprintf("%s: %d pictures of %s", out, r.Pictures, size); r.Task {
	case model.Segment:
		fmt.Fprintf(a.out, "%s in the colours of their classes; %s has the share of each class, and the latent codes, %d numbers each\n", made, r.Table, r.Code)
	case model.Classify:
		fmt.Fprintf(a.out, "%s: %s has the classes of %d images with their probabilities, and the latent codes, %d numbers each\n", out, r.Table, r.Images, r.Code)
	default:
		fmt.Fprintf(a.out, "%s, mean squared error %s; %s has the latent codes, %d numbers each\n", made, number(r.Error), r.Table, r.Code)
	}
	return nil
}

// of says that n of all images do something.
func of(n, all int, one, many string) string {
	switch {
	case n == all && all == 1:
		return "the image " + one
	case n == all:
		return fmt.Sprintf("all %d images %s", all, many)
	case n == 1:
		return fmt.Sprintf("1 of %d images %s", all, one)
	}
	return fmt.Sprintf("%d of %d images %s", n, all, many)
}
