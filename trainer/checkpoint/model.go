package checkpoint

import (
	"context"
	"fmt"
	"iter"
	"slices"
)

// Model is an ONNX model that is ready to run. It computes in float32, image by image, with plain loops: a second opinion
// on what was exported, not a fast engine. It may be used from several goroutines.
type Model struct {
	input, output []int // shapes of one image and of what comes of it
	sizes         []int // of each value, an image's: value 0 is the input, value i+1 what step i makes
	steps         []step
	places        []int // sizes of the memory that an image needs beside the input
	work          int   // multiplications an image
}

// step makes a value of values before it.
type step struct {
	from  []int // values
	place int   // of the result
	run   func(dst []float32, src [][]float32)
}

// Limits of a model from a file, so that none can ask for unbounded memory or time. Beside its weights, which are as large
// as the file, a run holds the values that a later step reads, for each image that it works on: of a chain, two.
const (
	maxValue = 1 << 24      // numbers of one value of one image
	maxHeld  = 2 * maxValue // numbers held at a time for one image
	maxWork  = 1 << 34      // multiplications for one image
)

// ReadONNX reads a model of the kind that [Export] writes: float32, one input and one output with a free first
// dimension, nodes that each read values before them: Conv, ConvTranspose, Gemm, MatMul, MaxPool, MaxUnpool,
// BatchNormalization, InstanceNormalization, Relu, LeakyRelu, Tanh, Sigmoid, Erf, Softmax, Flatten, Reshape, Transpose,
// Pad, Slice, Clip, Add and Mul of opset 17. Every shape is checked here; whatever else a file holds is an error.
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
	onCores(n, func(turns iter.Seq[int]) {
		places := make([][]float32, len(m.places))
		for i, size := range m.places {
			places[i] = make([]float32, size)
		}
		values := make([][]float32, len(m.sizes))
		var src [][]float32
		for i := range turns {
			if ctx.Err() != nil {
				return
			}
			values[0] = images[i*in:][:in]
			for s, step := range m.steps {
				src = src[:0]
				for _, from := range step.from {
					src = append(src, values[from])
				}
				values[s+1] = places[step.place][:m.sizes[s+1]]
				step.run(values[s+1], src)
			}
			copy(result[i*out:][:out], values[len(m.steps)])
		}
	})
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("run a model: %w", err)
	}
	return result, nil
}
