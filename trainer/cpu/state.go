package cpu

import (
	"fmt"
	"slices"

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
	out := make([]trainer.Tensor, len(t.layout.Weights))
	for i, w := range t.layout.Weights {
		out[i] = trainer.Tensor{Name: w.Name, Shape: slices.Clone(w.Shape), Data: slices.Clone(t.layout.Of(block, i))}
	}
	return out
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
		if len(set.from) != len(t.layout.Weights) {
			return fmt.Errorf("it holds %d arrays of %s, the network has %d", len(set.from), set.name, len(t.layout.Weights))
		}
		for i, w := range t.layout.Weights {
			f := set.from[i]
			dst := t.layout.Of(set.block, i)
			if f.Name != w.Name || !slices.Equal(f.Shape, w.Shape) || len(f.Data) != len(dst) {
				return fmt.Errorf("array %d of %s is %s %v of %d values, the network has %s %v",
					i, set.name, f.Name, f.Shape, len(f.Data), w.Name, w.Shape)
			}
			copy(dst, f.Data)
		}
	}
	t.hasBest = len(st.Best) > 0
	t.epoch, t.step = st.Epoch, st.Step
	t.keep()
	t.begin()
	return nil
}
