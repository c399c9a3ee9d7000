package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"

	"sweep/study"
	"sweep/study/sampler"
	"sweep/study/spec"
	"sweep/trainer"
	"sweep/trainer/dataset"
)

// task is one of the two that everybody trains: A, trials drawn from the whole space of sweeps/cae.yaml; B, the reference
// network of bench/README.md with many learning rates, so that trials agree in every shape. None stops early.
type task struct {
	Name       string  `json:"name"`
	Epochs     int     `json:"epochs"`
	Train      int     `json:"train"`
	Validation int     `json:"validation"`
	Trials     []trial `json:"trials"`
}

type trial struct {
	ID           int     `json:"id"`
	LR           float64 `json:"lr"`
	Batch        int64   `json:"batch"`
	Latent       int64   `json:"latent"`
	Loss         string  `json:"loss"`
	SSIMWeight   float64 `json:"ssim_weight"`
	WarmupEpochs int64   `json:"warmup_epochs"`
	Seed         uint64  `json:"seed"` // of the initial weights and the order of the images
}

// params are those of a sweep file.
func (t trial) params() study.Params {
	return study.Params{
		"lr": t.LR, "batch": t.Batch, "latent": t.Latent, "loss": t.Loss, "ssim_weight": t.SSIMWeight,
		"warmup_epochs": t.WarmupEpochs, "patience": int64(0),
	}
}

// size is what differs between the tasks and a trial run of them.
type size struct{ trials, epochs, train, validation int }

var (
	fullSize = size{trials: 64, epochs: 10, train: 10000, validation: 2000}
	// Small enough for a stand-in that runs every thread of a kernel by itself.
	tinySize = size{trials: 2, epochs: 1, train: 40, validation: 8}
)

// taskA draws trials from the space of a sweep file, at random by its seed.
func taskA(file string, s size) (task, error) {
	t := task{Name: "A", Epochs: s.epochs, Train: s.train, Validation: s.validation}
	text, err := os.ReadFile(file)
	if err != nil {
		return t, err
	}
	known := trainer.Catalogues(dataset.Catalogue())
	sp, err := spec.Parse(spec.Source{Name: file, Text: text}, known[0], known[1:]...)
	if err != nil {
		return t, err
	}
	sp.Method = "random"
	draw, err := sampler.New(sp)
	if err != nil {
		return t, err
	}
	for i := range s.trials {
		p, err := draw.Sample(context.Background(), study.Ask{Number: i, Seed: sp.Seed, Space: sp.Space, Objective: sp.Objective})
		if err != nil {
			return t, fmt.Errorf("draw trial %d: %w", i, err)
		}
		c, err := trainer.Decode(p)
		if err != nil {
			return t, fmt.Errorf("draw trial %d: %w", i, err)
		}
		t.Trials = append(t.Trials, trial{
			ID: i, LR: c.LR, Batch: int64(c.Batch), Latent: int64(c.Latent), Loss: c.Loss, SSIMWeight: c.SSIMWeight,
			WarmupEpochs: int64(c.WarmupEpochs), Seed: uint64(i + 1),
		})
	}
	return t, nil
}

// taskB spreads learning rates evenly in the logarithm over those that sweeps/cae.yaml searches, 0.0005 … 0.001.
func taskB(s size) task {
	t := task{Name: "B", Epochs: s.epochs, Train: s.train, Validation: s.validation}
	for i := range s.trials {
		t.Trials = append(t.Trials, trial{
			ID: i, LR: 0.0005 * math.Exp2(float64(i)/float64(max(1, s.trials-1))), Batch: 128, Latent: 128, Loss: "mse",
			SSIMWeight: 0.5, Seed: uint64(i + 1),
		})
	}
	return t
}

// writeTasks writes A.json and B.json.
func writeTasks(dir, file string, s size) error {
	a, err := taskA(file, s)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	b := taskB(s)
	if s == tinySize {
		for i := range b.Trials { // one that a test has the time for
			b.Trials[i].Batch, b.Trials[i].Latent = 16, 8
		}
		for i := range a.Trials {
			a.Trials[i].Batch, a.Trials[i].Latent = a.Trials[i].Batch/8, a.Trials[i].Latent/16
		}
	}
	for _, t := range []task{a, b} {
		if err := writeJSON(filepath.Join(dir, t.Name+".json"), t); err != nil {
			return err
		}
	}
	return nil
}

func readTask(file string) (task, error) {
	var t task
	if err := readJSON(file, &t); err != nil {
		return t, err
	}
	if len(t.Trials) == 0 || t.Epochs < 1 || t.Train < 1 || t.Validation < 1 {
		return t, fmt.Errorf("%s has no trials, epochs or images", file)
	}
	return t, nil
}

func tasksVerb(f *flag.FlagSet, args []string) error {
	file := f.String("sweep", "sweeps/cae.yaml", "sweep file whose space task A is drawn from")
	tiny := f.Bool("tiny", false, "write small ones, to try the programs with")
	if err := f.Parse(args); err != nil {
		return err
	}
	if f.NArg() != 1 {
		return errors.New("name one folder to write to")
	}
	return writeTasks(f.Arg(0), *file, sizeOf(*tiny))
}

func sizeOf(tiny bool) size {
	if tiny {
		return tinySize
	}
	return fullSize
}

// writeJSON writes a file whole or not at all.
func writeJSON(file string, v any) error {
	b, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		return fmt.Errorf("write %s: %w", file, err)
	}
	if err := os.WriteFile(file+".part", append(b, '\n'), 0o644); err != nil {
		return err
	}
	return os.Rename(file+".part", file)
}

func readJSON(file string, v any) error {
	b, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, v); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return nil
}
