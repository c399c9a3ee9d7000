package cpu

import (
	"fmt"

	"sweep/trainer"
)

// save copies the state of the last epoch's end.
func (t *trial) save() *trainer.State {
	st := &trainer.State{
		Epoch: t.epoch, Step: t.keptStep,
		Weights: t.tensors(t.kept[0]), M: t.tensors(t.kept[1]),
	}
	if t.v != nil {
		st.V = t.tensors(t.kept[2])
	}
	if t.hasBest {
		st.Best = t.tensors(t.best)
	}
	return st
}

func (t *trial) tensors(block []float32) []trainer.Tensor {
	return trainer.TensorsOf(t.layout.Weights, func(i int) []float32 { return t.layout.Of(block, i) })
}

// restore copies st in; it says what does not fit this trial's network.
func (t *trial) restore(st *trainer.State) error {
	if st.Epoch < 0 || st.Step < 0 {
		return fmt.Errorf("epoch %d and step %d are not counts", st.Epoch, st.Step)
	}
	for _, set := range []struct {
		name  string
		from  []trainer.Tensor
		block []float32
	}{{"weights", st.Weights, t.w}, {"first moments", st.M, t.m}, {"second moments", st.V, t.v}, {"best weights", st.Best, t.best}} {
		if set.name == "best weights" && len(set.from) == 0 {
			continue
		}
		if set.block == nil {
			continue // what an optimiser without a second moment has no use for
		}
		at := func(i int) []float32 { return t.layout.Of(set.block, i) }
		if err := trainer.PutTensors(set.name, set.from, t.layout.Weights, at); err != nil {
			return err
		}
	}
	t.hasBest = len(st.Best) > 0
	t.epoch, t.step = st.Epoch, st.Step
	t.keep()
	t.begin()
	return nil
}
