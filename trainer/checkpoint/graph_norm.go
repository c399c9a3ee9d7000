package checkpoint

import (
	"fmt"
	"math"

	"sweep/trainer/kernel"
	"sweep/trainer/model"
)

// norm adds a normalisation: by a batch's running statistics, or of an image as one channel of all its values, with a scale
// and a shift by channel behind it.
func (b *builder) norm(l model.Layer, in []string) string {
	epsilon := attr{name: "epsilon", kind: attrFloat, f: kernel.NormEpsilon}
	name := func(s string) string { return l.Name + "." + s }
	inputs := []string{in[0]}
	for _, w := range l.Weights {
		a := unchanged(b.weights[w.Name])
		if a.name = w.Name; l.Norm == "layer" {
			a.shape = []int{l.C, 1, 1}
		}
		b.arrays = append(b.arrays, a)
		inputs = append(inputs, w.Name)
	}
	switch l.Norm {
	case "batch":
		return b.node("BatchNormalization", l.Name, inputs, epsilon)
	case "layer":
		b.array(name("flat"), nil, []int64{0, 1, int64(l.C * l.H * l.W)}, 3)
		b.array(name("map"), nil, []int64{0, int64(l.C), int64(l.H), int64(l.W)}, 4)
		b.array(name("one"), []float32{1}, nil, 1)
		b.array(name("zero"), []float32{0}, nil, 1)
		at := b.node("Reshape", name("values"), []string{in[0], name("flat")})
		at = b.node("InstanceNormalization", name("normal"), []string{at, name("one"), name("zero")}, epsilon)
		at = b.node("Reshape", name("pixels"), []string{at, name("map")})
		at = b.node("Mul", name("scaled"), []string{at, inputs[1]})
		return b.node("Add", l.Name, []string{at, inputs[2]})
	}
	b.err = fmt.Errorf("normalisation %q has no ONNX operator here", l.Norm)
	return in[0]
}

// gelu is x·(1 + erf(x/√2))/2, which ONNX has no operator for before opset 20.
func (b *builder) gelu(l model.Layer, in []string) string {
	name := func(s string) string { return l.Name + "." + s }
	b.array(name("root"), []float32{math.Sqrt2 / 2}, nil)
	b.array(name("one"), []float32{1}, nil)
	b.array(name("half"), []float32{0.5}, nil)
	at := b.node("Mul", name("scaled"), []string{in[0], name("root")})
	at = b.node("Erf", name("erf"), []string{at})
	at = b.node("Add", name("shifted"), []string{at, name("one")})
	at = b.node("Mul", name("share"), []string{at, name("half")})
	return b.node("Mul", l.Name, []string{in[0], at})
}
