package cpu_test

import (
	"errors"
	"math"
	"testing"

	"sweep/trainer"
	"sweep/trainer/model"
)

// still is a configuration whose steps are too small to change a weight: what an epoch reports can then be worked out
// from the initial weights alone. (A bias of 0 does move, by 1e-30, which would open a rectifier; tanh has no such edge.)
// Nine images in batches of four leave a batch of one.
func still(change func(*trainer.Config)) trainer.Config {
	return config(func(c *trainer.Config) {
		c.LR, c.WarmupEpochs, c.Schedule, c.Batch = 1e-30, 0, "constant", 4
		c.Activation, c.Train = "tanh", blobs(9, 12, 10, 3, 1)
		if change != nil {
			change(c)
		}
	})
}

// A short batch counts by its own images, not as a whole batch.
func TestTrainLossIsTheMeanOverImages(t *testing.T) {
	e := engine(t)
	c := still(nil)
	load(t, e, c, nil)
	got, err := e.Evaluate(t.Context(), 0, trainer.Current, c.Train, nil, trainer.Want{Reconstructions: true})
	if err != nil {
		t.Fatal(err)
	}
	const size = 12 * 10 * 3
	var want float64 // the sum of each image's mean squared error
	least, most := math.Inf(1), 0.0
	for i := range 9 {
		var se float64
		for j := range size {
			d := float64(got.Reconstructions[i*size+j]) - float64(c.Train.Pixels[i*size+j])/255
			se += d * d
		}
		want += se / size
		least, most = min(least, se/size), max(most, se/size)
	}
	if most < 1.2*least {
		t.Fatalf("the images' losses are all about %g: the test could not tell one weight from another", most)
	}
	r := epoch(t, e)
	if r.Err != nil {
		t.Fatal(r.Err)
	}
	if r.Train.Images != 9 || r.Train.Values != 9*size || math.Abs(r.Train.Loss-want) > 1e-6*want {
		t.Errorf("the epoch's training loss sums to %g over %d images, want %g over 9", r.Train.Loss, r.Train.Images, want)
	}
}

// Each epoch has an order of its own, and every image is in it once. With weights that stand still the losses add up to
// the same, while the norms of the batches' gradients tell how the batches were made up.
func TestOrderChangesFromEpochToEpoch(t *testing.T) {
	e := engine(t)
	load(t, e, still(nil), nil)
	reports := train(t, e, 3)
	for i, a := range reports {
		for _, b := range reports[:i] {
			if math.Abs(a.GradNorm/b.GradNorm-1) < 1e-5 {
				t.Errorf("epochs %d and %d have the same batches: their gradients' norms are %g and %g", b.Epoch, a.Epoch, b.GradNorm, a.GradNorm)
			}
			if math.Abs(a.Train.Loss/b.Train.Loss-1) > 1e-6 {
				t.Errorf("epochs %d and %d do not train on the same images: their losses sum to %g and %g", b.Epoch, a.Epoch, b.Train.Loss, a.Train.Loss)
			}
		}
	}
	// The same epoch has the same order, whoever trains it.
	other := engine(t)
	load(t, other, still(nil), nil)
	if again := train(t, other, 3); again[1].GradNorm != reports[1].GradNorm {
		t.Errorf("epoch 2 once has a norm of %g and once of %g", reports[1].GradNorm, again[1].GradNorm)
	}
}

// A number that is lost without a trace in the losses is found at the epoch's end: a second moment beyond float32, which
// freezes its weight, and a weight that a saturated output hides.
func TestEpochEndFindsWhatTheLossHides(t *testing.T) {
	inf := float32(math.Inf(1))
	for name, spoil := range map[string]func(*trainer.State){
		"second moment": func(s *trainer.State) { s.V[0].Data[0] = inf },
		"weight":        func(s *trainer.State) { s.Weights[len(s.Weights)-1].Data[0] = inf }, // the last bias, before the sigmoid
	} {
		t.Run(name, func(t *testing.T) {
			c := still(nil)
			st := initial(c.Config)
			e := engine(t)
			load(t, e, c, st)
			if r := epoch(t, e); r.Err != nil {
				t.Fatalf("before it is spoilt: %v", r.Err)
			}
			e.Clear(0)
			spoil(st)
			load(t, e, c, st)
			if r := epoch(t, e); !errors.Is(r.Err, trainer.ErrNaN) || r.Epoch != 1 {
				t.Errorf("epoch %d ends with %v", r.Epoch, r.Err)
			}
		})
	}
}

// initial is a state of c's network before its first step.
func initial(c model.Config) *trainer.State {
	var weights []trainer.Tensor
	for i, w := range model.Init(c, 1, 0) {
		spec := c.Weights()[i]
		weights = append(weights, trainer.Tensor{Name: spec.Name, Shape: spec.Shape, Data: w})
	}
	return trainer.Finished(weights)
}

// The short batch is a step of its epoch: nine images in batches of four are three steps.
func TestScheduleCountsTheShortBatch(t *testing.T) {
	for _, tt := range []struct {
		schedule string
		warmup   int
		epochs   int
		want     []float64 // share of the rate at each epoch's last step
	}{
		{"constant", 2, 3, []float64{0.5, 1, 1}},
		// 1/2 + cos(π·done/6)/2, after two of the six steps and after five.
		{"cosine", 0, 2, []float64{0.75, 0.5 * (1 + math.Cos(math.Pi*5/6))}},
		{"step", 0, 4, []float64{1, 1, 0.1, 0.01}},
	} {
		e := engine(t)
		c := still(func(c *trainer.Config) {
			c.LR, c.Schedule, c.WarmupEpochs, c.Epochs = 1e-3, tt.schedule, tt.warmup, tt.epochs
		})
		load(t, e, c, nil)
		for i, r := range train(t, e, tt.epochs) {
			if math.Abs(r.LearningRate/c.LR-tt.want[i]) > 1e-12 {
				t.Errorf("%s, epoch %d: the last rate is %g of lr, want %g", tt.schedule, r.Epoch, r.LearningRate/c.LR, tt.want[i])
			}
		}
	}
}
