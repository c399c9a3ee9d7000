package plan

import (
	"fmt"
	"unsafe"

	"sweep/trainer/kernel"
)

// Arena is the memory of runs. Plans that never run at the same time may share one. The zero value is ready.
type Arena struct {
	floats []float32
	bytes  []byte
	ws     kernel.Workspace
}

// Reserve makes room for p. Executors that were made before keep the memory that they had, so reserve for all that
// shall share it first.
func (a *Arena) Reserve(p *Program) {
	if len(a.floats) < p.Floats {
		a.floats = aligned(p.Floats)
	}
	if len(a.bytes) < p.Bytes {
		a.bytes = make([]byte, p.Bytes)
	}
}

// aligned makes n floats that start at a multiple of a cache line.
func aligned(n int) []float32 {
	const line = 64
	x := make([]float32, n+line/4)
	skip := int(-uintptr(unsafe.Pointer(unsafe.SliceData(x))) % line / 4)
	return x[skip : skip+n : skip+n]
}

// NewBlock makes a block of zeros for arrays laid out by l.
func (l Layout) NewBlock() []float32 { return aligned(l.Total) }

// Exec runs one program on one arena. It is used by one goroutine at a time.
type Exec struct {
	p    *Program
	k    kernel.Kernels
	ws   *kernel.Workspace
	maps []kernel.Map // by value, for a whole batch
	args [][]byte     // by value

	labels []byte // of a mirrored batch
	first  []int  // 0, 1, 2 …

	words  []uint32  // random bits of one image
	folded []float32 // weights that normalisations are folded into
}

// NewExec binds a program to kernels and memory.
func NewExec(p *Program, k kernel.Kernels, a *Arena) *Exec {
	a.Reserve(p)
	e := &Exec{p: p, k: k, ws: &a.ws, maps: make([]kernel.Map, len(p.Values)), args: make([][]byte, len(p.Values)), folded: aligned(p.Folded)}
	for i, v := range p.Values {
		n := v.size(p.Batch)
		if v.Bytes {
			e.args[i] = a.bytes[v.Offset : v.Offset+n]
		} else {
			e.maps[i] = kernel.MapOn(a.floats[v.Offset:], p.Batch, v.H, v.W, v.C, v.Pad)
		}
	}
	e.words = make([]uint32, p.words())
	return e
}

// Program is what e runs.
func (e *Exec) Program() *Program { return e.p }

// Batch names the images of a run, and what its random numbers are keyed by.
type Batch struct {
	Pixels []byte // a set of images of the network's own size, NHWC
	Labels []byte // of the set's images, or of their pixels, each below Config.Classes; not read where the network needs none
	Images []int  // indices into the set, at most the program's batch
	// Mirrored says which of Images are turned left to right as they are read; nil: none.
	Mirrored []bool

	Seed      uint64
	Replicate int
	Epoch     int   // from 1; 0 outside of training: what is random then is always the same
	Step      int64 // of the optimiser, from 1
}

// Run takes a batch through the network whose weights lie in w, and writes the gradients into g, both laid out by the
// program's Layout; g may be nil in a forward plan. A training plan writes the buffers among the weights. The sums are
// those of [kernel.Sums]. Nothing is allocated once the arena has grown.
func (e *Exec) Run(w, g []float32, b Batch) (kernel.Sums, error) {
	if err := e.check(b); err != nil {
		return kernel.Sums{}, err
	}
	n := len(b.Images)
	var sums kernel.Sums
	var kl float64
	for i := range e.p.Steps {
		switch s := &e.p.Steps[i]; s.Kind {
		case KL:
			kl = kernel.KL(e.vector(s.Src, n), e.vector(s.Ref, n))
		case Loss, Evaluate, Entropy:
			sums = e.compare(s, &b)
		default:
			e.run(s, w, g, b)
		}
	}
	if n > 0 {
		sums.KL, sums.Loss = kl, sums.Loss+e.p.KLWeight*kl/float64(n)
	}
	return sums, nil
}

// RunStep runs step i alone, on what lies in the arena: a batch of len(b.Images) images. The sums are those of a step that
// compares, without a divergence.
func (e *Exec) RunStep(i int, w, g []float32, b Batch) (kernel.Sums, error) {
	if err := e.check(b); err != nil {
		return kernel.Sums{}, err
	}
	switch s := &e.p.Steps[i]; s.Kind {
	case KL:
		n := len(b.Images)
		return kernel.Sums{Images: n, KL: kernel.KL(e.vector(s.Src, n), e.vector(s.Ref, n))}, nil
	case Loss, Evaluate, Entropy:
		return e.compare(s, &b), nil
	default:
		e.run(s, w, g, b)
	}
	return kernel.Sums{}, nil
}

// Value is the first n images of a value that is no bytes, where it lies in the arena.
func (e *Exec) Value(v, n int) kernel.Map { return e.m(v, n) }

// Bytes are the first n images of a value of bytes, where they lie in the arena.
func (e *Exec) Bytes(v, n int) []byte {
	size := e.p.Values[v]
	return e.args[v][:n*size.H*size.W*size.C]
}

// check reports a batch that the program is not for.
func (e *Exec) check(b Batch) error {
	pixels, images := b.Pixels, b.Images
	n, c := len(images), &e.p.Config
	size := c.Height * c.Width * c.Channels
	switch {
	case n > e.p.Batch:
		return fmt.Errorf("run %d images: the plan is for at most %d", n, e.p.Batch)
	case b.Mirrored != nil && len(b.Mirrored) != n:
		return fmt.Errorf("run %d images: %d are said to be mirrored or not", n, len(b.Mirrored))
	case len(pixels)%size != 0:
		return fmt.Errorf("run images: %d bytes are no set of images of %dx%dx%d", len(pixels), c.Height, c.Width, c.Channels)
	}
	if want := len(pixels) / size * e.p.Labels; len(b.Labels) != want && want > 0 {
		return fmt.Errorf("run images: the set has %d labels, the network needs %d", len(b.Labels), want)
	}
	for _, i := range images {
		if i < 0 || i >= len(pixels)/size {
			return fmt.Errorf("run image %d: the set has %d", i, len(pixels)/size)
		}
	}
	return nil
}

// compare runs a step that makes sums.
func (e *Exec) compare(s *Step, b *Batch) kernel.Sums {
	n := len(b.Images)
	switch s.Kind {
	case Loss:
		return e.k.Loss(e.ws, e.m(s.Dst, n), e.m(s.Src, n), e.m(s.Ref, n), e.p.Loss)
	case Evaluate:
		return e.k.Evaluate(e.ws, e.m(s.Src, n), e.m(s.Ref, n), e.p.Loss)
	}
	return e.entropy(s, b)
}

// run runs a step that makes no sums.
func (e *Exec) run(s *Step, w, g []float32, b Batch) {
	n, c := len(b.Images), &e.p.Config
	switch s.Kind {
	case Gather:
		e.k.Gather(e.m(s.Dst, n), b.Pixels, c.Height, c.Width, b.Images)
		if b.Mirrored != nil {
			e.k.Mirror(e.m(s.Dst, n), c.Width, b.Mirrored)
		}
	case DropMask:
		e.dropMask(s, b)
	case Corrupt:
		e.corrupt(s, b)
	case Normal:
		e.normal(s, b)
	default:
		e.step(s, n, w, g)
	}
}

// Decode turns n codes (n, Latent) into outputs, which [Exec.Output] gives, by a program of [Decode] and weights w.
func (e *Exec) Decode(w, codes []float32, n int) error {
	latent := e.p.Config.Latent
	if n > e.p.Batch || len(codes) != n*latent {
		return fmt.Errorf("decode %d codes of %d numbers: the plan is for at most %d of %d", n, len(codes)/max(n, 1), e.p.Batch, latent)
	}
	copy(e.Code(n), codes)
	for i := range e.p.Steps {
		e.step(&e.p.Steps[i], n, w, nil)
	}
	return nil
}

// m is the first n images of a value.
func (e *Exec) m(v, n int) kernel.Map { return e.maps[v].First(n) }

func (e *Exec) step(s *Step, n int, w, g []float32) {
	l := &e.p.Layout
	k := e.k
	switch s.Kind {
	case Conv:
		weights, bias := e.linear(s, w)
		k.Conv(e.ws, e.m(s.Dst, n), e.m(s.Src, n), weights, bias, s.Side, s.Act)
	case ConvPool:
		weights, bias := e.linear(s, w)
		k.ConvPool(e.ws, e.m(s.Dst, n), e.arg(s, n), e.m(s.Src, n), weights, bias, s.Side, s.Act)
	case ConvPoolGrad:
		var dx kernel.Map
		if s.Dst != None {
			dx = e.m(s.Dst, n)
		}
		k.ConvPoolBackward(e.ws, dx, l.Of(g, s.W), l.Of(g, s.B), e.m(s.Ref, n), e.m(s.Src, n), e.arg(s, n), l.Of(w, s.W), s.Side)
	case ConvData:
		k.ConvBackwardData(e.ws, e.m(s.Dst, n), e.m(s.Src, n), l.Of(w, s.W), s.Side)
	case ConvWeights:
		k.ConvBackwardWeights(e.ws, l.Of(g, s.W), l.bias(g, s.B), e.m(s.Ref, n), e.m(s.Src, n), s.Side)
	case ConvT:
		weights, bias := e.linear(s, w)
		if s.Side == 3 {
			k.ConvT3(e.ws, e.m(s.Dst, n), e.m(s.Src, n), weights, bias, s.Act)
			return
		}
		k.ConvT(e.ws, e.m(s.Dst, n), e.m(s.Src, n), weights, bias, s.Act)
	case ConvTData:
		if s.Side == 3 {
			k.ConvT3BackwardData(e.ws, e.m(s.Dst, n), e.m(s.Src, n), l.Of(w, s.W))
			return
		}
		k.ConvTBackwardData(e.ws, e.m(s.Dst, n), e.m(s.Src, n), l.Of(w, s.W))
	case ConvTWeights:
		if s.Side == 3 {
			k.ConvT3BackwardWeights(e.ws, l.Of(g, s.W), l.bias(g, s.B), e.m(s.Ref, n), e.m(s.Src, n))
			return
		}
		k.ConvTBackwardWeights(e.ws, l.Of(g, s.W), l.bias(g, s.B), e.m(s.Ref, n), e.m(s.Src, n))
	case Moments, Norm, NormGrad:
		e.normalize(s, n, w, g)
	case Dense:
		in, out := e.p.Values[s.Src].C, e.p.Values[s.Dst].C
		k.Dense(e.ws, e.maps[s.Dst].Data, e.maps[s.Src].Data, l.Of(w, s.W), l.Of(w, s.B), n, in, out, s.Act)
	case DenseData:
		in, out := e.p.Values[s.Dst].C, e.p.Values[s.Src].C
		k.DenseBackwardData(e.ws, e.maps[s.Dst].Data, e.maps[s.Src].Data, l.Of(w, s.W), n, in, out)
	case DenseWeights:
		in, out := e.p.Values[s.Ref].C, e.p.Values[s.Src].C
		k.DenseBackwardWeights(e.ws, l.Of(g, s.W), l.Of(g, s.B), e.maps[s.Ref].Data, e.maps[s.Src].Data, n, in, out)
	case ActGrad:
		k.ActivationBackward(s.Act, e.m(s.Dst, n), e.m(s.Ref, n))
	case Pool:
		k.MaxPool(e.m(s.Dst, n), e.arg(s, n), e.m(s.Src, n))
	case PoolGrad, Unpool:
		k.MaxPoolBackward(e.m(s.Dst, n), e.m(s.Src, n), e.arg(s, n))
	case UnpoolGrad:
		k.UnpoolBackward(e.m(s.Dst, n), e.m(s.Src, n), e.arg(s, n))
	case Act:
		if s.Src != None {
			k.ActivateTo(s.Act, e.m(s.Dst, n), e.m(s.Src, n))
			return
		}
		k.Activate(s.Act, e.m(s.Dst, n))
	case Add:
		k.Add(s.Act, e.m(s.Dst, n), e.m(s.Src, n), e.m(s.Ref, n))
	case Copy:
		k.Copy(e.alike(s.Dst, s.Src, n))
	case Attention:
		k.Attention(e.ws, e.m(s.Dst, n), e.m(s.Src, n), e.m(s.Ref, n), e.m(s.Arg, n))
	case AttentionGrad:
		k.AttentionBackward(e.ws, e.m(s.Dst, n), e.m(s.Ref, n), e.m(s.Arg, n), e.m(s.Src, n))
	case Drop:
		e.drop(s, n)
	case Sample, SampleGrad, KLMean, KLLogVar:
		e.latent(s, n)
	default:
		panic("plan: unknown step")
	}
}

// linear are the weights and the bias of a linear map, nil where it has none.
func (e *Exec) linear(s *Step, w []float32) (weights, bias []float32) {
	if s.Norm != nil {
		return e.fold(s, w)
	}
	l := &e.p.Layout
	return l.Of(w, s.W), l.bias(w, s.B)
}

// alike is two values of equally many numbers as maps of one shape: one of another shape has no border.
func (e *Exec) alike(a, b, n int) (x, y kernel.Map) {
	x, y = e.m(a, n), e.m(b, n)
	if x.Pad == 0 {
		x.H, x.W, x.C = y.H, y.W, y.C
	} else {
		y.H, y.W, y.C = x.H, x.W, x.C
	}
	return x, y
}

// arg is the noted places of a pooling over n images.
func (e *Exec) arg(s *Step, n int) []byte {
	v := &e.p.Values[s.Arg]
	return e.args[s.Arg][:n*v.H*v.W*v.C]
}

// Code is the latent code, n rows of Latent numbers, of the n images of the last run of a forward plan, in the arena.
func (e *Exec) Code(n int) []float32 { return e.maps[e.p.Code].Data[:n*e.p.Values[e.p.Code].C] }

// Output is the network's output, before cropping, for the n images of the last run of a forward plan, in the arena.
func (e *Exec) Output(n int) kernel.Map { return e.m(e.p.Output, n) }
