package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"sweep/study"
	"sweep/trainer"
	"sweep/trainer/checkpoint"
	"sweep/trainer/cpu"
	"sweep/trainer/device"
	"sweep/trainer/gpu"
	"sweep/trainer/kernel"
)

// result is one measurement, ours or a peer's: the peers write the same JSON.
type result struct {
	Way       string `json:"way"`
	Task      string `json:"task"`
	Precision string `json:"precision"`
	Device    string `json:"device"`
	Torch     string `json:"torch,omitempty"` // version, of a peer

	Epochs     int     `json:"epochs"`
	OfEpochs   int     `json:"of_epochs,omitempty"` // those of whole trials, where these have been stopped after Epochs
	Train      int     `json:"train"`
	Validation int     `json:"validation"`
	Trials     []score `json:"trials"`
	Seconds    float64 `json:"seconds"` // from when the first trial could begin until the last had ended
	Images     int     `json:"images"`  // training images of all trials and epochs
	// Prepare is what a worker that stays does once: code loaded and translated for the device, graphs captured, compiled.
	Prepare float64 `json:"prepare_seconds,omitempty"`
}

// score is a trial's least mean squared error on the validation images.
type score struct {
	ID     int     `json:"id"`
	ValMSE float64 `json:"val_mse"`
	// Seconds are those of its training, where a trial has the device to itself or a process of its own.
	Seconds float64 `json:"seconds,omitempty"`
}

// training is how long its trials were trained, one after the other; 0 where that was not noted.
func (r result) training() float64 {
	seconds := 0.0
	for _, s := range r.Trials {
		seconds += s.Seconds
	}
	return seconds
}

func (r result) cut() bool { return r.OfEpochs > 0 }

// whole is how many trials that makes: of trials that have been stopped, the part that they have trained.
func (r result) whole() float64 {
	if r.cut() {
		return float64(len(r.Trials)) * float64(r.Epochs) / float64(r.OfEpochs)
	}
	return float64(len(r.Trials))
}

func (r result) trialsPerHour() float64 { return r.whole() / r.Seconds * 3600 }

// training is what to train, and on what.
type training struct {
	task, images, device, precision string
	slots, limit                    int
}

func trainVerb(ctx context.Context, f *flag.FlagSet, args []string, out io.Writer) error {
	var t training
	f.StringVar(&t.task, "task", "", "JSON of the trials")
	f.StringVar(&t.images, "images", "", "folder of train.bin and validation.bin")
	f.StringVar(&t.device, "device", "cuda:0", "a GPU as `sweep devices` lists it, or cpu")
	f.StringVar(&t.precision, "precision", "fp32", "fp32, tf32 or bf16")
	f.IntVar(&t.slots, "slots", 64, "trials at once")
	f.IntVar(&t.limit, "limit", 0, "train the first so many trials only; 0: all")
	file := f.String("out", "", "file for the result")
	if err := f.Parse(args); err != nil {
		return err
	}
	if t.task == "" || t.images == "" || f.NArg() > 0 {
		return errors.New("name the -task and the -images")
	}
	r, err := train(ctx, t)
	if err != nil {
		return err
	}
	if *file != "" {
		if err := writeJSON(*file, r); err != nil {
			return err
		}
	}
	fmt.Fprintf(out, "%s, %s: %d trials in %.1f s, %.0f images/s\n", r.Way, r.Precision, len(r.Trials), r.Seconds, float64(r.Images)/r.Seconds)
	return nil
}

// train runs a task through the pool that sweeps use, over one engine. A short run of the same trials goes before the clock
// starts, as in a pool that has been at work for a while.
func train(ctx context.Context, o training) (result, error) {
	t, err := readTask(o.task)
	if err != nil {
		return result{}, err
	}
	if o.limit > 0 {
		t.Trials = t.Trials[:min(o.limit, len(t.Trials))]
	}
	r := result{
		Way: fmt.Sprintf("sweep, %d at once", o.slots), Task: t.Name, Precision: o.precision, Epochs: t.Epochs, Train: t.Train,
		Validation: t.Validation, Images: len(t.Trials) * t.Epochs * t.Train,
	}
	begin := time.Now()
	engine, name, err := open(o)
	if err != nil {
		return r, err
	}
	defer engine.Close() //nolint:errcheck // the result stands
	r.Device = name
	short := t
	short.Epochs, short.Train, short.Validation = 1, min(t.Train, 512), min(t.Validation, 64)
	short.Trials = t.Trials[:min(o.slots, len(t.Trials))]
	if _, err := throughPool(ctx, engine, short, o.images); err != nil {
		return r, fmt.Errorf("a short run before: %w", err)
	}
	r.Prepare = time.Since(begin).Seconds()
	begin = time.Now()
	if r.Trials, err = throughPool(ctx, engine, t, o.images); err != nil {
		return r, err
	}
	r.Seconds = time.Since(begin).Seconds()
	return r, nil
}

// isGPU tells a GPU's ID from that of a core.
func isGPU(id string) bool { return strings.HasPrefix(id, "cuda") }

// nameOf is what a result calls a device: a GPU's name and not its place in the machine, as the peers' results do too.
func nameOf(id string) (string, error) {
	if !isGPU(id) {
		return "cpu", nil
	}
	d, err := device.Open(id)
	if err != nil {
		return "", err
	}
	return d.Info().Name, d.Close()
}

// open makes an engine on a GPU, or on one core.
func open(o training) (trainer.Engine, string, error) {
	if !isGPU(o.device) {
		return cpu.New("cpu:0", kernel.Best()), "cpu", nil
	}
	d, err := device.Open(o.device)
	if err != nil {
		return nil, "", err
	}
	name := d.Info().Name
	e, err := gpu.New(d, gpu.Options{Slots: o.slots, Precision: o.precision})
	if err != nil {
		return nil, "", errors.Join(err, d.Close())
	}
	return e, name, nil
}

// throughPool trains all trials of a task and returns their scores.
func throughPool(ctx context.Context, e trainer.Engine, t task, images string) ([]score, error) {
	train, err := readImages(filepath.Join(images, "train.bin"), t.Train)
	if err != nil {
		return nil, err
	}
	validation, err := readImages(filepath.Join(images, "validation.bin"), t.Validation)
	if err != nil {
		return nil, err
	}
	w := newWork(t)
	pool := trainer.Pool{
		Work: w, Engines: []trainer.Engine{e}, Host: "bench", Now: time.Now,
		Configure: func(g study.Grant) (trainer.Config, error) {
			c, err := trainer.Decode(g.Params)
			if err != nil {
				return c, err
			}
			c.Use(train, validation)
			c.Epochs, c.Seed, c.Replicate = g.Spec.Epochs, g.Spec.Seed, g.Replicate
			return c, c.Check()
		},
		Encode: checkpoint.Encode, Decode: checkpoint.Decode, EncodeModel: checkpoint.EncodeModel, Strip: checkpoint.Strip,
	}
	if err := pool.Run(ctx); err != nil {
		return nil, err
	}
	return w.scores()
}
