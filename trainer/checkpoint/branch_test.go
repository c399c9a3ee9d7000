package checkpoint

import (
	"math"
	"slices"
	"strings"
	"testing"

	"sweep/trainer"
	"sweep/trainer/model"
)

var branches = []string{"skip", "residual", "segnet", "attention"}

// branching is a small network of a variant, its weights growing numbers, as network takes it.
func branching(variant string) (model.Config, []trainer.Tensor, string) {
	c := model.Config{
		Channels: 1, Height: 8, Width: 12, Depth: 2, Filters: []int{2, 3}, Kernel: 3, Upsample: "k2", Latent: 2,
		Activation: "tanh", OutputActivation: "sigmoid", Loss: "mse", Variant: variant,
	}
	var weights []trainer.Tensor
	for _, w := range c.Weights() {
		t := trainer.Tensor{Name: w.Name, Shape: w.Shape}
		for i := range w.Size() {
			t.Data = append(t.Data, float32(math.Sin(float64(i+len(weights)))))
		}
		weights = append(weights, t)
	}
	return c, weights, wholePart
}

// Models whose nodes read several values are refused when they would compute something else, or nothing.
func TestReadONNXRefusesBranches(t *testing.T) {
	first := func(g *graph, op string) *node {
		return &g.nodes[slices.IndexFunc(g.nodes, func(n node) bool { return n.op == op })]
	}
	for _, tt := range []struct {
		name, variant, want string
		change              func(g *graph)
	}{
		{"a sum of two shapes", "skip", "have the shapes", func(g *graph) { first(g, "Add").inputs[1] = "enc.conv0" }},
		{"a sum of three", "skip", "3 values", func(g *graph) {
			n := first(g, "Add")
			n.inputs = append(n.inputs, n.inputs[0])
		}},
		{"a sum with what comes later", "skip", "stands before it", func(g *graph) { first(g, "Add").inputs[1] = "dec.convt0" }},
		{"a value that nothing reads", "skip", "nothing reads", func(g *graph) {
			n := *first(g, "Tanh")
			n.output = []string{"more"}
			g.nodes = slices.Insert(g.nodes, 2, n)
		}},
		{"a value behind an array", "skip", "behind an initializer", func(g *graph) {
			n := first(g, "Conv")
			n.inputs = append(n.inputs, "input")
		}},
		{"a convolution of two values", "skip", "not understood", func(g *graph) {
			n := first(g, "Conv")
			n.inputs = slices.Insert(n.inputs, 1, n.inputs[0])
		}},
		{"places as values", "segnet", "are the places of a pooling", func(g *graph) {
			first(g, "Tanh").inputs[0] = first(g, "MaxPool").output[1]
		}},
		{"values as places", "segnet", "to places of", func(g *graph) { first(g, "MaxUnpool").inputs[1] = "enc.pool1" }},
		{"places of another pooling", "segnet", "to places of", func(g *graph) {
			first(g, "MaxUnpool").inputs[1] = first(g, "MaxPool").output[1]
		}},
		{"places of other windows", "segnet", "are not those", func(g *graph) {
			first(g, "MaxUnpool").attrs = []attr{ints("kernel_shape", 3, 3), ints("strides", 3, 3)}
		}},
		{"overlapping windows", "segnet", "are not those", func(g *graph) { first(g, "MaxUnpool").attrs[1].ints = []int64{1, 1} }},
		{"padded windows", "segnet", "pads", func(g *graph) {
			n := first(g, "MaxUnpool")
			n.attrs = append(n.attrs, ints("pads", 1, 1, 1, 1))
		}},
		{"an output shape beside", "segnet", "3 values", func(g *graph) {
			n := first(g, "MaxUnpool")
			n.inputs = append(n.inputs, "input")
		}},
		{"places of a convolution", "segnet", "2 outputs", func(g *graph) {
			n := first(g, "Conv")
			n.output = append(n.output, "more")
		}},
		{"matrices that do not fit", "attention", "have the shapes", func(g *graph) {
			n := first(g, "MatMul")
			n.inputs[0] = n.inputs[1]
		}},
		{"a softmax over queries", "attention", "axis is 2", func(g *graph) { first(g, "Softmax").attrs[0].i = 2 }},
		{"a softmax over no axis", "attention", "axis", func(g *graph) { first(g, "Softmax").attrs = nil }},
		{"a transpose of images", "attention", "perm", func(g *graph) { first(g, "Transpose").attrs[0].ints = []int64{1, 0, 2} }},
		{"a softmax of a map", "attention", "dimensions", func(g *graph) { first(g, "Softmax").inputs[0] = "enc.attn.q" }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g, err := network(branching(tt.variant))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := ReadONNX(writeONNX(g)); err != nil {
				t.Fatalf("before the change: %v", err)
			}
			tt.change(&g)
			if _, err := ReadONNX(writeONNX(g)); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q in it", err, tt.want)
			}
		})
	}
}

// Values that are all read at the end have to be held until then, and that has a bound.
func TestHeldValuesAreBounded(t *testing.T) {
	held := func(n int) error {
		shape := []int{1, 1 << 12, 1 << 12}
		g := graph{name: "held", input: value{"v0", shape}, output: value{"y", shape}}
		name := func(s string, i int) string { return s + strings.Repeat("i", i) }
		for i := range n {
			g.nodes = append(g.nodes, node{op: "Relu", name: name("r", i), inputs: []string{"v0"}, output: []string{name("r", i)}})
		}
		at := name("r", 0)
		for i := 1; i < n; i++ {
			to := name("s", i)
			if i == n-1 {
				to = "y"
			}
			g.nodes = append(g.nodes, node{op: "Add", name: to, inputs: []string{at, name("r", i)}, output: []string{to}})
			at = to
		}
		_, err := ReadONNX(writeONNX(g))
		return err
	}
	if err := held(5); err == nil || !strings.Contains(err.Error(), "holds") {
		t.Errorf("five values of 64 MiB at a time: %v", err)
	}
}
