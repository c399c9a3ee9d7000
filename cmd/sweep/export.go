package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"sweep/storage"
	"sweep/study"
	"sweep/templates/chart"
	"sweep/trainer"
	"sweep/trainer/checkpoint"
	"sweep/trainer/cpu"
	"sweep/trainer/dataset"
	"sweep/trainer/kernel"
)

// bestTrial stands for the best trial where a number is wanted.
const bestTrial = -1

func (a *app) exportVerb() *cobra.Command {
	var trial int
	var dir string
	c := &cobra.Command{
		Use: "export STUDY -o DIR", Short: "Write the model of the best trial, or of another, as a bundle", Args: cobra.ExactArgs(1),
		Long: `Write the model of the best trial, or of --trial, as a bundle: ONNX, safetensors, numbers, pictures and a model card.
The test set is evaluated here, and nowhere before.`,
		RunE: func(c *cobra.Command, args []string) error {
			if dir == "" {
				return usagef("say where to write the bundle with -o DIR")
			}
			if !c.Flags().Changed("trial") {
				trial = bestTrial
			} else if trial < 0 {
				return usagef("--trial %d: trials are numbered from 0", trial)
			}
			return a.export(c.Context(), args[0], trial, dir)
		},
	}
	c.Flags().IntVar(&trial, "trial", 0, "`number` of the trial; without it the best one")
	c.Flags().Lookup("trial").DefValue = "0" // not shown: the default is the best one
	c.Flags().StringVarP(&dir, "output", "o", "", "`folder` of the bundle")
	return c
}

func (a *app) export(ctx context.Context, name string, trial int, dir string) error {
	if err := checkpoint.CheckTarget(dir); err != nil {
		return err
	}
	path, err := filepath.Abs(dir) // before the export, which may replace the folder that this process stands in
	if err != nil {
		return fmt.Errorf("export to %s: %w", dir, err)
	}
	db, s, err := a.study(ctx, name)
	if err != nil {
		return err
	}
	defer db.Close()
	if trial == bestTrial {
		if s.Best == nil {
			return noBest(s)
		}
		trial = s.Best.Number
	}
	d, err := db.Detail(ctx, s.ID, trial)
	if err != nil {
		return err
	}
	model, err := modelOf(ctx, db, s, d)
	if err != nil {
		return err
	}
	source, err := dataset.OpenSized(s.Data.Name, a.data, s.Data.Size)
	if err != nil {
		return fmt.Errorf("export needs the data that study %s was trained on: %w", s.Name, err)
	}
	b := checkpoint.Bundle{
		Study: s.Name, Trial: d.Number, Objective: s.Spec.Objective, Params: d.Params, Data: s.Data, Train: s.Spec.Data.Train,
		Validate: s.Spec.Data.Validation, Epochs: s.Spec.Epochs, Seed: s.Spec.Seed, InitFrom: s.Spec.InitFrom, InitDigest: s.Spec.InitDigest, Model: model, Metrics: d.Metrics,
		Curves:   chart.CurvesSVG(fmt.Sprintf("%s, trial %d", s.Name, d.Number), panels(d.History)),
		Versions: map[string]string{"sweep": version, "commit": commit()},
	}
	fmt.Fprintf(a.err, "evaluating trial #%d of %s on the test set of %s\n", d.Number, s.Name, s.Data.Name)
	if err := test(ctx, &b, s, source); err != nil {
		return fmt.Errorf("evaluate trial #%d on the test set: %w", d.Number, err)
	}
	if b.Baseline, err = a.testBaseline(ctx, s, d.Trial, source); err != nil {
		return fmt.Errorf("evaluate the baseline of trial #%d on the test set: %w", d.Number, err)
	}
	digest, err := checkpoint.Export(ctx, path, b)
	if err != nil {
		return err
	}
	err = db.RecordExport(ctx, s.ID, study.Export{Number: d.Number, Digest: digest, Path: path, Metrics: b.TestMetrics, Time: a.now()})
	if err != nil {
		return err
	}
	fmt.Fprintf(a.out, "%s: trial #%d, %s\n", dir, d.Number, tested(b.TestMetrics))
	if b.Baseline != nil {
		fmt.Fprintln(a.out, b.Baseline.Beside(study.Objective{Name: "test_mse", Direction: study.Minimize}, b.TestMetrics["test_mse"]))
	}
	fmt.Fprintf(a.err, "next: `sweep verify %s` evaluates it again\n", word(dir))
	return nil
}

// tested names the figures of the test set that a line has room for.
func tested(m map[string]float64) string {
	if mse, ok := m["test_mse"]; ok {
		return fmt.Sprintf("test_mse %s, test_psnr %s dB, test_ssim %s", number(mse), number(m["test_psnr"]), number(m["test_ssim"]))
	}
	var out []string
	for _, k := range slices.Sorted(maps.Keys(m)) {
		out = append(out, k+" "+number(m[k]))
	}
	return strings.Join(out, ", ")
}

// modelOf reads the kept weights of a trial.
func modelOf(ctx context.Context, db *storage.DB, s study.Summary, d study.Detail) ([]byte, error) {
	for _, f := range d.Artifacts {
		if f.Kind != study.ModelFile {
			continue
		}
		r, _, err := db.OpenArtifact(ctx, f.Digest)
		if err != nil {
			return nil, err
		}
		defer r.Close()
		b, err := io.ReadAll(r)
		if err != nil {
			return nil, fmt.Errorf("read the model of trial #%d: %w", d.Number, err)
		}
		return b, nil
	}
	if d.State != study.Complete {
		return nil, fmt.Errorf("trial #%d of %s is not complete but %s: only complete trials have a model", d.Number, s.Name, d.State)
	}
	return nil, fmt.Errorf("the model of trial #%d is not kept: study %s keeps those of its %d best trials (sweep.keep_checkpoints); export one of `sweep top %[2]s -n %d`",
		d.Number, s.Name, s.Spec.KeepCheckpoints)
}

// test evaluates a bundle's model on the test set and fills in what the bundle says of it.
func test(ctx context.Context, b *checkpoint.Bundle, s study.Summary, source dataset.Source) error {
	network, weights, err := checkpoint.DecodeModel(b.Model)
	if err != nil {
		return err
	}
	train, validation, err := source.Split(s.Spec.Seed, s.Spec.Data.Train, s.Spec.Data.Validation)
	if err != nil {
		return err
	}
	if print := dataset.Fingerprint(source.Name(), train, validation); print != s.Data.Fingerprint {
		return fmt.Errorf("the images of %s in --data are not those that the study was created with (%.12s, now %.12s)", s.Data.Name, s.Data.Fingerprint, print)
	}
	b.Samples = train
	all, err := source.Test(0)
	if err != nil {
		return err
	}
	c, err := trainer.DecodeFor(s.Spec.Trainer, b.Params)
	if err != nil {
		return err
	}
	c.Config, c.Train, c.Validation, c.Epochs, c.Seed = network, train, validation, s.Spec.Epochs, s.Spec.Seed
	engine := cpu.New("cpu:0", kernel.Best())
	defer engine.Close() //nolint:errcheck // a core has nothing to give back
	if err := engine.Load(0, c, trainer.Finished(weights)); err != nil {
		return err
	}
	whole, err := engine.Evaluate(ctx, 0, trainer.Current, all, nil, trainer.Want{})
	if err != nil {
		return err
	}
	b.TestMetrics = trainer.TestMetricsOf(network, whole.Sums)
	b.Test = all.Take(checkpoint.CheckImages)
	first, err := engine.Evaluate(ctx, 0, trainer.Current, b.Test, nil, trainer.Want{Reconstructions: true})
	if err != nil {
		return err
	}
	b.Reconstructions, b.Classes = first.Reconstructions, first.Classes
	if c.Generates() {
		b.Generated, err = engine.Decode(ctx, 0, trainer.Current, c.GeneratedCodes(c.Seed, checkpoint.PictureImages))
	}
	return err
}

// panels are the charts of a trial.
func panels(history map[string][]study.Sample) []chart.Panel {
	series := func(keys ...string) []chart.Series {
		var out []chart.Series
		for i, k := range keys {
			s := chart.Series{Name: k, Color: i}
			for _, p := range history[k] {
				s.Points = append(s.Points, chart.Point{X: float64(p.Step), Y: p.Value})
			}
			out = append(out, s)
		}
		return out
	}
	out := []chart.Panel{{Title: "Loss", Series: series("train_loss", "val_loss"), Log: true}}
	for _, p := range []struct {
		title, key string
		log        bool
	}{
		{"Validation MSE", "val_mse", true},
		{"Validation PSNR, dB", "val_psnr", false},
		{"Validation SSIM", "val_ssim", false},
		{"Validation mean IoU", "val_miou", false},
		{"Validation accuracy", "val_acc", false},
		{"Divergence of the codes, nats", "val_kl", false},
	} {
		if len(history[p.key]) > 0 {
			out = append(out, chart.Panel{Title: p.title, Series: series(p.key), Log: p.log})
		}
	}
	return out
}

func (a *app) verifyVerb() *cobra.Command {
	return &cobra.Command{
		Use: "verify DIR", Short: "Check a bundle's files and evaluate its model again", Args: cobra.ExactArgs(1),
		Long: `Check a bundle: every file against the manifest, both ONNX models against the weights, the images that it was trained on
against their fingerprint, and the figures of the test set by evaluating model.onnx again. The other figures of metrics.json
were measured while the trial was trained and are not computed again.`,
		RunE: func(c *cobra.Command, args []string) error {
			if _, err := os.Stat(args[0]); err != nil {
				return fmt.Errorf("there is no bundle at %s: `sweep export STUDY -o DIR` makes one", args[0])
			}
			r, err := checkpoint.Verify(c.Context(), args[0], func(d study.Data) (dataset.Source, error) {
				return dataset.OpenSized(d.Name, a.data, d.Size)
			})
			if err != nil {
				return err
			}
			fmt.Fprintf(a.out, "%s: ok. %d files, %s, every SHA-256 right\n", args[0], len(r.Manifest.Files), size(r.Bytes))
			fmt.Fprintf(a.out, "model.onnx and encoder.onnx are the network of model.safetensors; seed %d draws the images that it was trained on from %s\n",
				r.Manifest.Seed, r.Manifest.Data.Name)
			if r.Check.Input != "" {
				fmt.Fprintf(a.out, "fed with %s:\n", r.Check.Input)
			}
			of := fmt.Sprintf("model.onnx on the first %d %s images of %s", r.Check.First, r.Check.Set, r.Manifest.Data.Name)
			for _, f := range r.Figures {
				fmt.Fprintf(a.out, "%s: %s %.9f, claimed %.9f\n", of, f.Name, f.Found, f.Claimed)
			}
			if len(r.Figures) == 0 {
				fmt.Fprintf(a.out, "%s: mse %.9f, claimed %.9f\n", of, r.MSE, float64(r.Check.MSE))
			}
			for _, k := range slices.Sorted(maps.Keys(r.Found)) {
				fmt.Fprintf(a.out, "model.onnx on all %d test images: %s %.9g, claimed %.9g\n", r.Images, k, r.Found[k], r.Claimed[k])
			}
			if r.Found == nil && len(r.Claimed) > 0 {
				fmt.Fprintf(a.out, "the claims about all %d test images were not computed again: the model is too large for that\n", r.Images)
			}
			return nil
		},
	}
}
