package cpu

import (
	"fmt"
	"math"
	"time"

	"sweep/study"
	"sweep/trainer"
	"sweep/trainer/dataset"
	"sweep/trainer/kernel"
	"sweep/trainer/model"
	"sweep/trainer/plan"
)

// status of a trial.
type status int

const (
	running status = iota
	halted         // at an epoch's end
	failed         // by its own error
)

// trial is what a slot holds.
type trial struct {
	c              trainer.Config
	train, forward *plan.Exec
	encode         *plan.Exec // as far as the code
	decode         *plan.Exec // from the code on; nil of a network that does not generate
	layout         plan.Layout

	optimiser optimiser

	w, g, m, v []float32 // weights, gradients, the optimiser's moments; without a second one v is nil
	best       []float32
	hasBest    bool
	// kept are w, m and v at the last epoch's end, where a save in the middle of an epoch finds them.
	kept     [3][]float32
	keptStep int64

	state status
	epoch int   // finished
	step  int64 // optimiser steps taken

	order []int // of the training images in this epoch
	every []int // 0, 1, 2 …: the validation images
	at    int   // images of the epoch done: of order, then of every

	flips    []bool // by training image: whether this epoch turns it left to right; nil: none is
	mirrored []bool // of a batch

	report trainer.Report
	norms  float64 // sum of the gradients' norms in this epoch
	steps  int     // of this epoch
}

func newTrial(c trainer.Config, train, forward *plan.Exec) *trial {
	l := train.Program().Layout
	t := &trial{
		c: c, train: train, forward: forward, layout: l,
		optimiser: newOptimiser(c, l),
		w:         l.NewBlock(), g: l.NewBlock(), m: l.NewBlock(), best: l.NewBlock(),
		order: make([]int, c.Train.Len()), every: make([]int, c.Validation.Len()),
	}
	if t.optimiser.moments() == 2 {
		t.v = l.NewBlock()
	}
	for i := range 1 + t.optimiser.moments() {
		t.kept[i] = l.NewBlock()
	}
	for i := range t.every {
		t.every[i] = i
	}
	if c.Flip == "horizontal" {
		t.flips, t.mirrored = make([]bool, c.Train.Len()), make([]bool, c.Batch)
	}
	return t
}

// fresh sets the initial weights.
func (t *trial) fresh() {
	for i, w := range model.Init(t.c.Config, t.c.Seed, t.c.Replicate) {
		copy(t.layout.Of(t.w, i), w)
	}
	from, _ := trainer.Fit(t.c.Config, t.c.Start)
	for i, f := range from {
		if f != nil {
			copy(t.layout.Of(t.w, i), f.Data)
		}
	}
	t.keep()
	t.begin()
}

// begin starts the next epoch. The order of the images is drawn from the epoch alone, so nothing of it need be saved.
func (t *trial) begin() {
	for i := range t.order {
		t.order[i] = i
	}
	r := study.Stream(t.c.Seed, t.c.Replicate, study.ForShuffle, t.epoch+1)
	r.Shuffle(len(t.order), func(i, j int) { t.order[i], t.order[j] = t.order[j], t.order[i] })
	key := study.Keyed(t.c.Seed, t.c.Replicate, study.ForFlip, t.epoch+1)
	for i := range t.flips {
		t.flips[i] = key.Block(uint32(i))[0]&1 == 1
	}
	t.at, t.steps, t.norms = 0, 0, 0
	t.report = trainer.Report{Epoch: t.epoch + 1}
	t.state = running
}

// unit runs one optimiser step or one validation batch. since tells how long the unit has taken so far.
func (t *trial) unit(k kernel.Kernels, since func() time.Duration) error {
	train := t.at < len(t.order)
	var err error
	if train {
		err = t.optimise(k)
	} else {
		err = t.validate()
	}
	if err == nil && t.at == len(t.order)+len(t.every) {
		err = t.end(k)
	}
	d := since()
	t.report.Time += d
	if train {
		t.report.TrainTime += d
	}
	return err
}

func (t *trial) optimise(k kernel.Kernels) error {
	images := t.order[t.at:min(t.at+t.c.Batch, len(t.order))]
	b := t.batch(t.c.Train, images)
	b.Epoch, b.Step = t.epoch+1, t.step+1
	if t.flips != nil {
		b.Mirrored = t.mirrored[:len(images)]
		for i, image := range images {
			b.Mirrored[i] = t.flips[image]
		}
	}
	sums, err := t.train.Run(t.w, t.g, b)
	if err != nil {
		return err
	}
	norm := math.Sqrt(k.SumSquares(t.g[:t.layout.Trained]))
	if !finite(sums.Loss) || !finite(norm) {
		return fmt.Errorf("epoch %d, step %d: %w", t.epoch+1, t.step+1, trainer.ErrNaN)
	}
	t.step++
	perEpoch := (len(t.order) + t.c.Batch - 1) / t.c.Batch
	lr := trainer.LearningRate(t.c, perEpoch, t.step)
	t.optimiser.run(k, t.w, t.g, t.m, t.v, norm, lr, t.step)

	t.at += len(images)
	t.steps++
	t.norms += norm
	t.report.LearningRate = lr
	t.report.Train.Images += sums.Images
	t.report.Train.Values += sums.Values
	t.report.Train.Loss += sums.Loss * float64(sums.Images)
	return nil
}

// batch names images of a set for a run outside of training.
func (t *trial) batch(set *dataset.Images, images []int) plan.Batch {
	return plan.Batch{Pixels: set.Pixels, Labels: trainer.Labels(t.c.Config, set), Images: images, Seed: t.c.Seed, Replicate: t.c.Replicate}
}

func (t *trial) validate() error {
	from := t.at - len(t.order)
	images := t.every[from:min(from+t.c.Batch, len(t.every))]
	sums, err := t.forward.Run(t.w, nil, t.batch(t.c.Validation, images))
	if err != nil {
		return err
	}
	if !finite(sums.Loss) || !finite(sums.SSIM) {
		return fmt.Errorf("epoch %d, validation: %w", t.epoch+1, trainer.ErrNaN)
	}
	t.at += len(images)
	t.report.Validation.Add(trainer.SumsOf(sums))
	return nil
}

// end closes the epoch.
func (t *trial) end(k kernel.Kernels) error {
	// A second moment beyond float32 would freeze its weight for ever without a NaN to show for it.
	if !k.Finite(t.w) || !k.Finite(t.v) {
		return fmt.Errorf("epoch %d, weights: %w", t.epoch+1, trainer.ErrNaN)
	}
	t.epoch++
	t.report.GradNorm = t.norms / float64(t.steps)
	t.keep()
	t.state = halted
	return nil
}

func (t *trial) keep() {
	for i, x := range [][]float32{t.w, t.m, t.v} {
		copy(t.kept[i], x)
	}
	t.keptStep = t.step
}

func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }
