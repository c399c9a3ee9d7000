package trainer

import (
	"context"
	"time"

	"sweep/trainer/dataset"
	"sweep/trainer/kernel"
	"sweep/trainer/model"
)

// Config is one trial as an engine trains it: the network, the optimiser and the data.
type Config struct {
	model.Config

	Batch        int
	LR           float64
	WarmupEpochs int
	Schedule     string  // constant, cosine, step
	Optimizer    string  // adam, adamw, sgd; empty: adam
	Momentum     float64 // of sgd
	WeightDecay  float64 // decoupled, of adamw and sgd; of the arrays of L1 and L2
	L1, L2       float64 // penalties L1·Σ|w| + L2/2·Σw² on the weights, see model.Weight.Penalised; no part of any loss reported
	ClipNorm     float64 // greatest 2-norm of the gradient; 0: any
	Flip         string  // horizontal: each epoch turns half of the training images left to right; none, or empty: it does not
	Epochs       int     // at most; also the horizon of the schedule
	Patience     int     // epochs without a better objective before stopping; 0: never
	Seed         uint64  // of the study
	Replicate    int

	// Start are trained weights of another network. An array that has the name and shape of one of them starts as that,
	// not at random; there is at least one, unless Start is empty. See [Fit].
	Start []Tensor

	Train, Validation *dataset.Images
}

// Engine does the arithmetic of training on one device. A unit is one optimiser step or one validation batch; an epoch
// is its steps, then its validation. An engine sums and never judges.
//
// Methods that name different slots may be called at the same time as each other and as Advance; for one slot one call at
// a time, and a slot that is neither empty nor halted is Advance's while that runs. Close comes when all others are over.
//
// An error that wraps [ErrDevice], of whichever method, says that the engine is lost with all its trials; what is left to
// do with it is Close.
type Engine interface {
	// Device names the device as `sweep devices` does: "cpu:0".
	Device() string
	// Slots is the number of trials that it trains at once.
	Slots() int
	// Kinds names the kinds of step that it can run.
	Kinds() []string
	// Load puts a trial into a free slot. st nil: initial weights by the seed. The slot stands at st's epoch's end. It may be
	// called again after an error that wraps [ErrFull].
	Load(slot int, c Config, st *State) error
	// Advance runs up to n units of every loaded slot that is not halted, and looks at ctx at least once a batch.
	// It returns a report for each slot that has just halted: at its epoch's end, or with its own error.
	// The error is ctx's, or the device's own, which concerns all slots.
	Advance(ctx context.Context, n int) ([]Report, error)
	// Continue starts the next epoch of a slot halted at an epoch's end. keepBest first copies the weights to the
	// best set, where they lie.
	Continue(slot int, keepBest bool) error
	// Evaluate runs images (by index; nil: all) of a set through the network of a slot, without training.
	Evaluate(ctx context.Context, slot int, w Which, set *dataset.Images, images []int, want Want) (Evaluation, error)
	// Decode makes images of codes, (n, Latent), by the decoder of a slot whose network Generates: (n, H, W, C) in [0, 1].
	Decode(ctx context.Context, slot int, w Which, codes []float32) ([]float32, error)
	// Save copies the state of a slot out. It is that of the last epoch's end, also in the middle of an epoch.
	Save(slot int) (*State, error)
	// Clear empties a slot.
	Clear(slot int)
	// Close frees the device.
	Close() error
}

// Hardware is an engine that says what its device is and how it computes, "NVIDIA H100 80GB HBM3, tf32" or "AVX2": a trial
// repeats to the bit on engines that say the same.
type Hardware interface{ Hardware() string }

// Which names one of the two sets of weights that a slot holds.
type Which int

// The weights of the last step, and those of the best epoch.
const (
	Current Which = iota
	Best
)

// Want says what an evaluation returns beside its sums. Where CodesOnly is set it returns nothing but codes, for the
// time that the encoder takes.
type Want struct{ Codes, Reconstructions, CodesOnly bool }

// Evaluation is what a network makes of some images.
type Evaluation struct {
	Sums Sums
	// Codes is (images, Latent), nil unless wanted.
	Codes []float32
	// Reconstructions is (images, H, W, C) in [0, 1], cropped to the image's own size, nil unless wanted.
	Reconstructions []float32
	// Classes stands in place of Reconstructions for a network on labels: what each pixel, (images, H, W), or each image
	// is taken for.
	Classes []byte
}

// Sums are totals over images and values, so that they can be added over batches and devices in a fixed order.
type Sums struct {
	Images int     //
	Values int     // Images x H x W x C
	Loss   float64 // each batch's loss times its images
	SE     float64 // squared errors
	AE     float64 // absolute errors
	SSIM   float64 // each image's SSIM (mean over channels and windows)
	Within int     // values within 1/20 of the truth
	KL     float64 // each image's divergence of a variational code, nats

	// Of a network on labels, whose Values are labels (the other sums are 0): those that are right, and of each class of a
	// segmentation the pixels that are of it and taken for it, and of it or taken for it.
	Right               int
	Intersection, Union [kernel.MaxMaskClasses]int
}

// SumsOf are those of a batch, of which a kernel gives the mean loss.
func SumsOf(s kernel.Sums) Sums {
	return Sums{
		Images: s.Images, Values: s.Values, Loss: s.Loss * float64(s.Images), SE: s.SE, AE: s.AE, SSIM: s.SSIM, Within: s.Within, KL: s.KL,
		Right: s.Right, Intersection: s.Intersection, Union: s.Union,
	}
}

// Add adds those of further images.
func (s *Sums) Add(o Sums) {
	s.Images += o.Images
	s.Values += o.Values
	s.Loss += o.Loss
	s.SE += o.SE
	s.AE += o.AE
	s.SSIM += o.SSIM
	s.Within += o.Within
	s.KL += o.KL
	s.Right += o.Right
	for i := range o.Union {
		s.Intersection[i] += o.Intersection[i]
		s.Union[i] += o.Union[i]
	}
}

// Report is a slot that has halted.
type Report struct {
	Slot  int
	Epoch int   // just ended, from 1
	Err   error // the slot's own error; ErrNaN when a loss or weight was not finite
	// Train holds images and loss of the epoch's steps (its SE, AE, SSIM and Within are not filled);
	// Validation all of them.
	Train, Validation Sums
	GradNorm          float64       // mean over steps of the 2-norm of the whole gradient
	LearningRate      float64       // of the last step
	TrainTime         time.Duration // steps only
	Time              time.Duration // validation included
}

// Tensor is a named array of a state.
type Tensor struct {
	Name  string
	Shape []int
	Data  []float32
}

// State is a trial between two epochs: what a checkpoint holds. It has one layout that every engine reads: tensors in
// the order of model.Config.Weights.
type State struct {
	Epoch   int   // finished
	Step    int64 // optimiser steps taken
	Weights []Tensor
	Best    []Tensor // weights of the best epoch; empty before there is one
	M, V    []Tensor // Adam's moments; of sgd M is the momentum and V empty
	Stop    StopState
}

// Finished is the state of a trial that is only to be evaluated: its weights, with an optimiser that has not begun.
func Finished(weights []Tensor) *State {
	zeros := func() []Tensor {
		out := make([]Tensor, len(weights))
		for i, t := range weights {
			out[i] = Tensor{Name: t.Name, Shape: t.Shape, Data: make([]float32, len(t.Data))}
		}
		return out
	}
	return &State{Weights: weights, M: zeros(), V: zeros()}
}

// StopState is the early-stopping counter and the summary of the best epoch, which live above the engine.
type StopState struct {
	BestEpoch int                `json:"best_epoch"` // 0: none yet
	Best      float64            `json:"-"`          // the objective there
	Bad       int                `json:"bad"`        // epochs since
	Rates     []float64          `json:"rates"`      // training images a second, by epoch
	Metrics   map[string]float64 `json:"-"`          // at the best epoch
}
