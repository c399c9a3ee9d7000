package cpu_test

import (
	"context"
	"math"
	"slices"
	"testing"

	"sweep/trainer"
	"sweep/trainer/cpu"
	"sweep/trainer/dataset"
	"sweep/trainer/kernel"
)

// Dropout costs the fit of the training loss, trains nonetheless, and is off where a network is looked at.
func TestDropoutTrains(t *testing.T) {
	trainedBy := func(change func(*trainer.Config)) (*cpu.Engine, []trainer.Report) {
		e := engine(t)
		load(t, e, config(change), nil)
		return e, train(t, e, 8)
	}
	_, plain := trainedBy(nil)
	e, dropped := trainedBy(func(c *trainer.Config) { c.DropoutConv, c.DropoutDense = 0.1, 0.2 })
	if first, last := dropped[0], dropped[7]; !(last.Validation.SE < 0.9*first.Validation.SE) {
		t.Errorf("with dropout eight epochs took the squared error from %g to %g", first.Validation.SE, last.Validation.SE)
	}
	if !(dropped[7].Train.Loss > plain[7].Train.Loss) {
		t.Errorf("the training loss with dropout is %g, without it %g", dropped[7].Train.Loss, plain[7].Train.Loss)
	}
	c := config(nil)
	var codes [2][]float32
	for i := range codes {
		got, err := e.Evaluate(context.Background(), 0, trainer.Current, c.Validation, nil, trainer.Want{Codes: true})
		if err != nil {
			t.Fatal(err)
		}
		codes[i] = got.Codes
		for _, v := range got.Codes[:12] {
			if v == 0 {
				t.Error("a code was dropped")
			}
		}
	}
	if !slices.Equal(codes[0], codes[1]) {
		t.Error("looking twice shows two things")
	}
}

// lopsided images are bright on their left: what is never seen the other way round is not learned that way round.
func lopsided(n int, seed uint64) *dataset.Images {
	s := blobs(n, 12, 10, 3, seed)
	for i := range s.Pixels {
		if x := i / 3 % 10; x >= 5 {
			s.Pixels[i] /= 8
		} else {
			s.Pixels[i] = 100 + s.Pixels[i]/2
		}
	}
	return s
}

func mirrored(s *dataset.Images) *dataset.Images {
	out := *s
	out.Pixels = slices.Clone(s.Pixels)
	m := kernel.NewMap(1, s.Height, s.Width, s.Channels, 0)
	size := len(s.Pixels) / s.Len()
	for i := range s.Len() {
		for j, p := range s.Pixels[i*size:][:size] {
			m.Data[j] = float32(p)
		}
		kernel.Best().Mirror(m, s.Width, []bool{true})
		for j := range size {
			out.Pixels[i*size+j] = byte(m.Data[j])
		}
	}
	return &out
}

// With flips a network reconstructs images of both sides, without them those that it saw.
func TestFlipsTeachBothSides(t *testing.T) {
	ratio := func(flip string) float64 {
		c := config(func(c *trainer.Config) {
			c.Flip, c.Train, c.Validation, c.Epochs = flip, lopsided(64, 1), lopsided(16, 2), 12
		})
		e := engine(t)
		load(t, e, c, nil)
		last := train(t, e, 12)[11]
		turned, err := e.Evaluate(context.Background(), 0, trainer.Current, mirrored(c.Validation), nil, trainer.Want{})
		if err != nil {
			t.Fatal(err)
		}
		return turned.Sums.SE / last.Validation.SE
	}
	if with, without := ratio("horizontal"), ratio("none"); !(with < 1.5 && without > 3) || math.IsNaN(with) {
		t.Errorf("turned images are off by %g times as much with flips, %g without", with, without)
	}
}
