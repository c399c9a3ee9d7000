package trainer

import (
	"fmt"
	"slices"

	"sweep/trainer/model"
)

// TensorsOf copies the arrays of a network out of where an engine keeps them: of gives that of weight i.
func TensorsOf(weights []model.Weight, of func(i int) []float32) []Tensor {
	out := make([]Tensor, len(weights))
	for i, w := range weights {
		out[i] = Tensor{Name: w.Name, Shape: slices.Clone(w.Shape), Data: slices.Clone(of(i))}
	}
	return out
}

// PutTensors copies one of a state's sets of arrays, called so, to where an engine keeps them, or says what does not fit the
// network.
func PutTensors(name string, from []Tensor, weights []model.Weight, of func(i int) []float32) error {
	if len(from) != len(weights) {
		return fmt.Errorf("it holds %d arrays of %s, the network has %d", len(from), name, len(weights))
	}
	for i, w := range weights {
		f, dst := from[i], of(i)
		if f.Name != w.Name || !slices.Equal(f.Shape, w.Shape) || len(f.Data) != len(dst) {
			return fmt.Errorf("array %d of %s is %s %v of %d values, the network has %s %v",
				i, name, f.Name, f.Shape, len(f.Data), w.Name, w.Shape)
		}
		copy(dst, f.Data)
	}
	return nil
}
