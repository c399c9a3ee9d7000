package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
)

// Model is an ONNX model that is ready to run. It computes in float32, image by image, with plain loops: a second opinion
// on what was exported, not a fast engine. It may be used from several goroutines.
type Model struct {
	input, output []int // shapes of one image and of what comes of it
	sizes         []int // of each value, an image's: value 0 is the input, value i+1 what step i makes of value i
	steps         []func(dst, src []float32)
	work          int // multiplications an image
}

// Limits of a model from a file, so that none can ask for unbounded memory or time. Beside its weights, which are as large
// as the file, a run holds two values for each image that it works on, however long the chain is.
const (
	maxValue = 1 << 24 // numbers of one value of one image
	maxWork  = 1 << 34 // multiplications for one image
)

// ReadONNX reads a model of the kind that [Export] writes: float32, one input and one output with a free first
// dimension, a chain of Conv, ConvTranspose, Gemm, MaxPool, Relu, LeakyRelu, Tanh, Sigmoid, Flatten, Reshape, Pad, Slice,
// Clip, Add and Mul of opset 17. Every shape is checked here; whatever else a file holds is an error.
func ReadONNX(b []byte) (*Model, error) {
	g, err := readONNX(b)
	if err == nil {
		var m *Model
		if m, err = compile(g); err == nil {
			return m, nil
		}
	}
	return nil, fmt.Errorf("read an ONNX model of %d bytes: %w", len(b), err)
}

// Input is the shape of an image: (C, H, W).
func (m *Model) Input() []int { return slices.Clone(m.input) }

// Output is the shape of what the model makes of an image: (C, H, W), or (Latent) of an encoder.
func (m *Model) Output() []int { return slices.Clone(m.output) }

// Run takes images, (N, C, H, W) with values in [0, 1], and returns (N, output shape...). It works on as many images at a
// time as there are cores, and looks at ctx before each.
func (m *Model) Run(ctx context.Context, images []float32) ([]float32, error) {
	in, out := m.sizes[0], m.sizes[len(m.steps)]
	if len(images)%in != 0 {
		return nil, fmt.Errorf("run a model: %d values are no number of images of shape %v", len(images), m.input)
	}
	n := len(images) / in
	result := make([]float32, n*out)
	var next atomic.Int64
	var group sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), n) {
		group.Go(func() {
			// The values come to lie in two places by turns: a step reads only what the one before it made.
			var places [2][]float32
			for i := range places {
				places[i] = make([]float32, slices.Max(m.sizes))
			}
			for {
				i := int(next.Add(1) - 1)
				if i >= n || ctx.Err() != nil {
					return
				}
				value := images[i*in:][:in]
				for s, run := range m.steps {
					next := places[s%2][:m.sizes[s+1]]
					run(next, value)
					value = next
				}
				copy(result[i*out:][:out], value)
			}
		})
	}
	group.Wait()
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("run a model: %w", err)
	}
	return result, nil
}

// compiler checks a graph's nodes one by one and turns them into steps.
type compiler struct {
	Model
	arrays map[string]array
	names  map[string]bool // of values
	last   string          // the value made last
	shape  []int           // of it
}

func compile(g graph) (*Model, error) {
	c := &compiler{arrays: map[string]array{}, names: map[string]bool{}}
	for _, a := range g.arrays {
		if _, twice := c.arrays[a.name]; twice {
			return nil, fmt.Errorf("two initializers are called %q", a.name)
		}
		c.arrays[a.name] = a
	}
	c.input, c.output = g.input.shape, g.output.shape
	if err := c.add(g.input.name, c.input); err != nil {
		return nil, err
	}
	for _, n := range g.nodes {
		if err := c.node(n); err != nil {
			return nil, fmt.Errorf("node %q, %s: %w", n.name, n.op, err)
		}
		if c.work > maxWork {
			return nil, fmt.Errorf("it takes more than %d multiplications an image", maxWork)
		}
	}
	if g.output.name != c.last {
		return nil, fmt.Errorf("the last node does not make the output %q", g.output.name)
	}
	if !slices.Equal(c.shape, c.output) {
		return nil, fmt.Errorf("the output %q is said to be %v, but becomes %v", g.output.name, c.output, c.shape)
	}
	return &c.Model, nil
}

// add appends a value to the chain.
func (c *compiler) add(name string, shape []int) error {
	if _, array := c.arrays[name]; array || c.names[name] || name == "" {
		return fmt.Errorf("no value can be called %q, or two are", name)
	}
	n, ok := elements(shape)
	if !ok || n > maxValue {
		return fmt.Errorf("the shape %v is too large", shape)
	}
	c.names[name] = true
	c.last, c.shape = name, shape
	c.sizes = append(c.sizes, n)
	return nil
}

// operand is what an operator has to work with.
type operand struct {
	shape []int // of its input, an image's
	more  []array
	attrs map[string]attr
	work  int // set by the operator: multiplications an image
}

// operator checks its operand, and returns the shape of its output and how it is computed.
type operator func(o *operand) (shape []int, run func(dst, src []float32), err error)

func (c *compiler) node(n node) error {
	build, ok := operators()[n.op]
	if !ok {
		return errors.New("this operator is not understood here")
	}
	if len(n.inputs) == 0 || len(n.output) != 1 {
		return fmt.Errorf("it has %d inputs and %d outputs", len(n.inputs), len(n.output))
	}
	if n.inputs[0] != c.last {
		return fmt.Errorf("its input %q is not what the node before it makes", n.inputs[0])
	}
	o := operand{shape: c.shape, attrs: map[string]attr{}}
	for _, name := range n.inputs[1:] {
		a, ok := c.arrays[name]
		if !ok {
			return fmt.Errorf("its input %q is no initializer", name)
		}
		o.more = append(o.more, a)
	}
	for _, a := range n.attrs {
		if _, twice := o.attrs[a.name]; twice {
			return fmt.Errorf("it has two attributes %s", a.name)
		}
		o.attrs[a.name] = a
	}
	shape, run, err := build(&o)
	if err != nil {
		return err
	}
	for name := range o.attrs { // those that were understood have been taken
		return fmt.Errorf("its attribute %s is not understood here", name)
	}
	if err := c.add(n.output[0], shape); err != nil {
		return err
	}
	if o.work < 0 || o.work > maxWork {
		o.work = maxWork
	}
	c.work += o.work + c.sizes[len(c.sizes)-1]
	c.steps = append(c.steps, run)
	return nil
}
