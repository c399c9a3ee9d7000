package main

import (
	"context"
	"fmt"
	"time"

	"sweep/study"
	"sweep/trainer"
	"sweep/trainer/cpu"
	"sweep/trainer/dataset"
	"sweep/trainer/kernel"
)

// trial is a trial on an engine of its own.
type trial struct {
	engine *cpu.Engine
	units  int // of an epoch, at most
}

// newTrial loads the trial with these parameters, those of a sweep file; all others have their defaults, which are the
// reference network's.
func newTrial(p study.Params, kernels string, images, replicate int) (*trial, error) {
	k, err := kernel.New(kernels)
	if err != nil {
		return nil, err
	}
	c, err := trainer.Decode(p)
	if err != nil {
		return nil, err
	}
	source, err := dataset.Open("shapes", "")
	if err != nil {
		return nil, err
	}
	if c.Train, c.Validation, err = source.Split(1, images, 1); err != nil {
		return nil, err
	}
	c.Channels, c.Height, c.Width = c.Train.Channels, c.Train.Height, c.Train.Width
	c.Epochs, c.Seed, c.Replicate = 1<<20, 1, replicate
	t := &trial{engine: cpu.New(fmt.Sprintf("cpu:%d", replicate-1), k), units: images + 1}
	if err := t.engine.Load(0, c, nil); err != nil {
		return nil, err
	}
	_, err = t.measure(0) // an epoch, before the clock starts
	return t, err
}

// measure trains whole epochs until their steps have taken d, and returns images a second. The one validation image of
// an epoch is outside the clock: the engine's own, which tells a trial's images_per_s.
func (t *trial) measure(d time.Duration) (float64, error) {
	ctx := context.Background()
	trained, spent := 0, time.Duration(0)
	for {
		reports, err := t.engine.Advance(ctx, t.units)
		if err != nil {
			return 0, err
		}
		for _, r := range reports {
			if r.Err != nil {
				return 0, r.Err
			}
			trained += r.Train.Images
			spent += r.TrainTime
		}
		if err := t.engine.Continue(0, false); err != nil {
			return 0, err
		}
		if spent >= d {
			return float64(trained) / spent.Seconds(), nil
		}
	}
}
