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
	sizes         []int // of each value, an image's; value 0 is the input
	steps         []step
	last          int // the value that is the output
}

// step computes value dst of an image from value src.
type step struct {
	src, dst int
	run      func(dst, src []float32)
}

// Limits of a model from a file, so that none can ask for unbounded memory or time.
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
	in, out := m.sizes[0], m.sizes[m.last]
	if len(images)%in != 0 {
		return nil, fmt.Errorf("run a model: %d values are no number of images of shape %v", len(images), m.input)
	}
	n := len(images) / in
	result := make([]float32, n*out)
	var next atomic.Int64
	var group sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), n) {
		group.Go(func() {
			values := make([][]float32, len(m.sizes))
			for i, size := range m.sizes[1:] {
				values[i+1] = make([]float32, size)
			}
			for {
				i := int(next.Add(1) - 1)
				if i >= n || ctx.Err() != nil {
					return
				}
				values[0] = images[i*in:][:in]
				for _, s := range m.steps {
					s.run(values[s.dst], values[s.src])
				}
				copy(result[i*out:][:out], values[m.last])
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
	places map[string]int // of values, by name
	shapes [][]int        // of values
	work   int
}

func compile(g graph) (*Model, error) {
	c := &compiler{arrays: map[string]array{}, places: map[string]int{}}
	for _, a := range g.arrays {
		if _, twice := c.arrays[a.name]; twice {
			return nil, fmt.Errorf("two initializers are called %q", a.name)
		}
		c.arrays[a.name] = a
	}
	c.input, c.output = g.input.shape, g.output.shape
	if _, err := c.add(g.input.name, c.input); err != nil {
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
	place, ok := c.places[g.output.name]
	if !ok {
		return nil, fmt.Errorf("no node makes the output %q", g.output.name)
	}
	if !slices.Equal(c.shapes[place], c.output) {
		return nil, fmt.Errorf("the output %q is said to be %v, but becomes %v", g.output.name, c.output, c.shapes[place])
	}
	c.last = place
	return &c.Model, nil
}

// add makes room for a value.
func (c *compiler) add(name string, shape []int) (int, error) {
	if _, twice := c.places[name]; twice {
		return 0, fmt.Errorf("two values are called %q", name)
	}
	if _, twice := c.arrays[name]; twice || name == "" {
		return 0, fmt.Errorf("no value can be called %q", name)
	}
	n, ok := elements(shape)
	if !ok || n > maxValue {
		return 0, fmt.Errorf("the shape %v is too large", shape)
	}
	c.places[name] = len(c.sizes)
	c.sizes = append(c.sizes, n)
	c.shapes = append(c.shapes, shape)
	return len(c.sizes) - 1, nil
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
	src, ok := c.places[n.inputs[0]]
	if !ok {
		return fmt.Errorf("its input %q is made by no node before it", n.inputs[0])
	}
	o := operand{shape: c.shapes[src], attrs: map[string]attr{}}
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
	dst, err := c.add(n.output[0], shape)
	if err != nil {
		return err
	}
	if o.work < 0 || o.work > maxWork {
		o.work = maxWork
	}
	c.work += o.work + c.sizes[dst]
	c.steps = append(c.steps, step{src, dst, run})
	return nil
}
