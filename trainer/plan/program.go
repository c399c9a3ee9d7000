package plan

import (
	"fmt"
	"strings"

	"sweep/trainer/kernel"
	"sweep/trainer/model"
)

// Kind names a step. A capacity lists these words.
type Kind string

// The steps. Each is one call of [kernel.Kernels], or of a function of package kernel; a bias and an
// activation belong to the step before them.
const (
	Gather       Kind = "gather"        // Dst: the batch's images, bytes/255
	Conv         Kind = "conv"          // Dst = Act(Src * W + B)
	ConvPool     Kind = "conv+pool"     // the same, then 2x2 max-pooling; Arg: which of the four
	ConvData     Kind = "conv.data"     // Dst: gradient by the input, Src: by the output
	ConvWeights  Kind = "conv.weights"  // gradients of W and B; Src: by the output, Ref: the input
	ConvT        Kind = "convt"         // as Conv, transposed
	ConvTData    Kind = "convt.data"    // as ConvData
	ConvTWeights Kind = "convt.weights" // as ConvWeights
	Dense        Kind = "dense"         // Dst = Act(Src·W + B)
	DenseData    Kind = "dense.data"    // as ConvData
	DenseWeights Kind = "dense.weights" // as ConvWeights
	ActGrad      Kind = "act.grad"      // Dst, in place, times the slope of Act where its output is Ref
	Pool         Kind = "pool"          // Dst and Arg of Src
	PoolGrad     Kind = "pool.grad"     // Dst: Src where Arg says, 0 elsewhere
	Loss         Kind = "loss"          // Src against Ref; Dst: gradient by Src
	Evaluate     Kind = "evaluate"      // Src against Ref, sums only
	Entropy      Kind = "entropy"       // softmax of Src against the labels; Dst, unless None: gradient by Src

	// The gradients of W, B and (Dst, unless None) of the input Ref of a ConvPool; Src: by its output, before Act.
	ConvPoolGrad Kind = "conv+pool.grad"
)

// The steps of values with several readers, and of what stands between layers.
const (
	Act           Kind = "act"            // Dst, in place, or Dst of Src
	Add           Kind = "add"            // Dst = Act(Src + Ref); Dst may be one of them
	Copy          Kind = "copy"           // Dst = Src, with another border or another shape
	Unpool        Kind = "unpool"         // Dst: Src where Arg says, 0 elsewhere
	UnpoolGrad    Kind = "unpool.grad"    // Dst: what of Src stands where Arg says
	Attention     Kind = "attention"      // Dst of the queries Src, the keys Ref and the values Arg
	AttentionGrad Kind = "attention.grad" // gradients in the places of the queries Dst, keys Ref and values Arg; Src: by the output
)

// Kinds lists the steps that an [Exec] runs.
func Kinds() []string {
	var out []string
	for _, k := range []Kind{
		Gather, Conv, ConvPool, ConvData, ConvWeights, ConvT, ConvTData, ConvTWeights, Dense, DenseData, DenseWeights,
		ActGrad, Pool, PoolGrad, Loss, Evaluate, Entropy, ConvPoolGrad,
		Moments, Norm, NormGrad,
		Act, Add, Copy, Unpool, UnpoolGrad, Attention, AttentionGrad,
		Corrupt, Normal, Sample, SampleGrad, KL, KLMean, KLLogVar,
		DropMask, Drop,
	} {
		out = append(out, string(k))
	}
	return out
}

// None is the index of a value or weight that a step does not use.
const None = -1

// Step is one kernel call. Dst, Src, Ref and Arg index a program's values, W and B its weights; [None] where unused.
type Step struct {
	Kind Kind
	Act  kernel.Activation
	Side int // of a convolution's kernel

	Dst, Src, Ref, Arg int
	W, B               int
	Norm               *NormStep // of a normalisation, or of a linear map that one is folded into; else nil
}

// Value is an array of a run: for each image H·W·C floats inside a border of Pad pixels, or as many bytes (Bytes). Values
// may share a place: a reshaped one, one changed in place, or two that are never needed at the same time.
type Value struct {
	Name         string
	H, W, C, Pad int
	Bytes        bool
	Threshold    uint16 // of the bits of a dropout: see [kernel.DropThreshold]
	Stream       uint32 // that they are drawn from: see [model.DropKey]
	Offset       int    // of the first float (byte) in the arena, a multiple of 16
	First, Last  int    // steps that write and that last read it, or another value of its place
	Place        int    // values of one place share memory: they are one value, of which steps make the next in place
}

// size is the number of floats (bytes) that n images need.
func (v Value) size(n int) int {
	if v.Bytes {
		return n * v.H * v.W * v.C
	}
	return kernel.Floats(n, v.H, v.W, v.C, v.Pad)
}

// Program is a compiled plan. It is read-only: several [Exec] may run it.
type Program struct {
	Config model.Config
	Batch  int // most images of a run
	Steps  []Step
	Values []Value
	Layout Layout // of the weights, and of their gradients
	Loss   kernel.Loss
	// Corruption is how Corrupt makes the input; of an untouched one there is no such step.
	Corruption kernel.Corruption
	// KLWeight is what the loss takes of the divergence of an image's code, where a step KL finds it.
	KLWeight float64

	Code   int // value: (1, 1, Latent) of a forward plan, else None
	Labels int // how many of them an image has: 0, 1 or one for each pixel
	Output int // value: the network's output before cropping; a training plan does not keep it to the end

	Floats, Bytes int // of the arena
	Folded        int // floats of an Exec's own: weights that normalisations are folded into
}

// Layout says where the arrays of a network lie in one block of floats, in the order of [model.Config.Weights], each at
// a multiple of 16; what lies between is 0 and stays 0 under any optimiser.
type Layout struct {
	Weights []model.Weight
	Offsets []int
	Sizes   []int
	Total   int
	Trained int // where the buffers begin, which no optimiser changes
}

// NewLayout lays out these weights, buffers last.
func NewLayout(weights []model.Weight) Layout {
	l := Layout{Weights: weights}
	for _, w := range l.Weights {
		l.Offsets, l.Sizes = append(l.Offsets, l.Total), append(l.Sizes, w.Size())
		l.Total += align(w.Size())
		if !w.Buffer {
			l.Trained = l.Total
		}
	}
	return l
}

// Of is array i of a block.
func (l Layout) Of(block []float32, i int) []float32 {
	return block[l.Offsets[i] : l.Offsets[i]+l.Sizes[i] : l.Offsets[i]+l.Sizes[i]]
}

// bias is array i of a block, or nil for [None].
func (l Layout) bias(block []float32, i int) []float32 {
	if i == None {
		return nil
	}
	return l.Of(block, i)
}

func align(n int) int { return (n + 15) &^ 15 }

// String lists the steps with the values that they read and write.
func (p *Program) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "batch %d, arena %d KiB, weights %d\n", p.Batch, (4*p.Floats+p.Bytes)/1024, p.Layout.Total)
	value := func(i int) string {
		v := p.Values[i]
		s := fmt.Sprintf("%s %dx%dx%d", v.Name, v.H, v.W, v.C)
		if v.Pad > 0 {
			s += fmt.Sprintf("+%d", v.Pad)
		}
		return fmt.Sprintf("%s@%d", s, v.Offset)
	}
	for i, s := range p.Steps {
		name := string(s.Kind)
		if s.Side > 0 {
			name += fmt.Sprintf(" %dx%d", s.Side, s.Side)
		}
		if s.Act != kernel.Identity {
			name += " " + s.Act.String()
		}
		switch s.Kind {
		case Loss, Evaluate:
			name += " " + p.Loss.Kind.String()
		}
		fmt.Fprintf(&b, "%3d  %-22s", i, name)
		if s.Dst != None {
			fmt.Fprintf(&b, " %s", value(s.Dst))
		}
		gradient := s.Kind == ConvPoolGrad || strings.HasSuffix(string(s.Kind), ".weights")
		if s.W != None && gradient {
			fmt.Fprintf(&b, " d(%s)", strings.TrimSuffix(p.Layout.Weights[s.W].Name, ".weight"))
		}
		if s.Src != None {
			fmt.Fprintf(&b, " <- %s", value(s.Src))
		}
		if s.Ref != None {
			fmt.Fprintf(&b, ", %s", value(s.Ref))
		}
		if s.Arg != None && !p.Values[s.Arg].Bytes {
			fmt.Fprintf(&b, ", %s", value(s.Arg))
		}
		if s.W != None && !gradient {
			fmt.Fprintf(&b, ", %s", strings.TrimSuffix(p.Layout.Weights[s.W].Name, ".weight"))
		}
		b.WriteByte('\n')
	}
	return b.String()
}
