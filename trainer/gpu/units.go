package gpu

import (
	"sweep/trainer"
	"sweep/trainer/kernel/cuda"
	"sweep/trainer/model"
)

// setDropKey keys the dropouts of an optimiser step, counted from 1 over the trial.
func setDropKey(u *cuda.Unit, c trainer.Config, step int64) {
	key, counter := model.DropKey(c.Seed, c.Replicate, step).Words()
	u.Drop = [5]uint32{key[0], key[1], counter[0], counter[1], counter[2]}
}
