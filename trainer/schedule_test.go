package trainer_test

import (
	"math"
	"testing"

	"sweep/trainer"
)

func TestLearningRate(t *testing.T) {
	const perEpoch = 10
	for _, tt := range []struct {
		name     string
		schedule string
		warmup   int
		epochs   int
		step     int64
		want     float64
	}{
		{"constant from the first step", "constant", 0, 4, 1, 1},
		{"constant to the last", "constant", 0, 4, 40, 1},
		{"unset is constant", "", 0, 4, 17, 1},
		{"warm-up begins", "constant", 2, 4, 1, 0.05},
		{"warm-up half", "constant", 2, 4, 10, 0.5},
		{"warm-up ends at lr", "constant", 2, 4, 20, 1},
		{"after warm-up", "constant", 2, 4, 21, 1},
		{"cosine begins", "cosine", 0, 4, 1, 1},
		{"cosine half way", "cosine", 0, 4, 21, 0.5},
		{"cosine a quarter", "cosine", 0, 4, 11, 0.5 * (1 + math.Sqrt2/2)},
		{"cosine after warm-up", "cosine", 2, 4, 21, 1},
		{"cosine half way after warm-up", "cosine", 2, 4, 31, 0.5},
		{"cosine beyond its horizon", "cosine", 0, 4, 41, 0},
		{"warm-up longer than the trial", "cosine", 8, 4, 40, 0.5},
		{"step first half", "step", 0, 4, 20, 1},
		{"step third quarter", "step", 0, 4, 21, 0.1},
		{"step third quarter ends", "step", 0, 4, 30, 0.1},
		{"step last quarter", "step", 0, 4, 31, 0.01},
	} {
		c := trainer.Config{LR: 1, WarmupEpochs: tt.warmup, Schedule: tt.schedule, Epochs: tt.epochs}
		if got := trainer.LearningRate(c, perEpoch, tt.step); math.Abs(got-tt.want) > 1e-12 {
			t.Errorf("%s: %g, want %g", tt.name, got, tt.want)
		}
	}
}
