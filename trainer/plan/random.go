package plan

import (
	G "gorgonia.org/gorgonia"

	"sweep/trainer/kernel"
	"sweep/trainer/model"
	"sweep/trainer/op"
)

// The steps that corrupt inputs and draw codes.
const (
	Corrupt    Kind = "corrupt"     // Dst: the input, made from the target Src
	Normal     Kind = "normal"      // Dst: standard normal numbers, drawn for each image
	Sample     Kind = "sample"      // Dst: codes of the means Src and log variances Ref, drawn with Arg
	SampleGrad Kind = "sample.grad" // Dst: gradient by log variances Ref, Src: by the codes, drawn with Arg
	KL         Kind = "kl"          // divergence of the codes of means Src and log variances Ref
	KLMean     Kind = "kl.mean"     // Dst: its gradient by the means Src
	KLLogVar   Kind = "kl.logvar"   // Dst: its gradient by the log variances Src
)

// words is how many random words one image takes in the step that takes most.
func (p *Program) words() int {
	return max(p.Corruption.Words(p.Config.Channels), p.Config.CodeWords())
}

// stream is what the kernels draw from with a key of these words.
func stream(key [2]uint32, counter [3]uint32) kernel.Stream {
	return kernel.Stream{Key: key, Counter: counter}
}

// corrupt makes the input of each image from its target, with random bits that belong to image and epoch, whatever batch
// the image falls into.
func (e *Exec) corrupt(s *Step, b Batch) {
	dst, src := e.m(s.Dst, len(b.Images)), e.m(s.Src, len(b.Images))
	random := stream(model.InputKey(b.Seed, b.Replicate, b.Epoch).Words())
	words := e.words[:e.p.Corruption.Words(dst.C)]
	for i, image := range b.Images {
		e.k.Random(words, random, uint32(image*len(words)/4))
		e.k.Corrupt(dst, src, i, e.p.Corruption, words)
	}
}

// normal draws what the codes are drawn with.
func (e *Exec) normal(s *Step, b Batch) {
	dst := e.vector(s.Dst, len(b.Images))
	random := stream(model.CodeKey(b.Seed, b.Replicate, b.Epoch).Words())
	size := e.p.Config.Latent
	words := e.words[:e.p.Config.CodeWords()]
	for i, image := range b.Images {
		e.k.Random(words, random, uint32(image*len(words)/4))
		kernel.Normals(dst[i*size:][:size], words)
	}
}

// vector is the numbers of n images of a value without a border.
func (e *Exec) vector(v, n int) []float32 {
	m := e.maps[v]
	return m.Data[:n*m.H*m.W*m.C]
}

func (e *Exec) latent(s *Step, n int) {
	dst, src := e.vector(s.Dst, n), e.vector(s.Src, n)
	weight := float32(e.p.KLWeight / float64(max(n, 1)))
	switch s.Kind {
	case Sample:
		kernel.Sample(dst, src, e.vector(s.Ref, n), e.vector(s.Arg, n))
	case SampleGrad:
		kernel.SampleBackward(dst, src, e.vector(s.Ref, n), e.vector(s.Arg, n))
	case KLMean:
		kernel.KLMean(dst, src, weight)
	case KLLogVar:
		kernel.KLLogVar(dst, src, weight)
	}
}

// latent plans what a variational code adds to a network.
func (c *compiler) latent(n *G.Node, in []*G.Node) {
	s := Step{Dst: None, Src: None, Ref: None, Arg: None, W: None, B: None}
	switch kindOf(n) {
	case op.Sample:
		eps := in[2]
		if eps != c.net.Eps {
			c.failf("what it draws with is not the network's own")
			return
		}
		s.Kind, s.Dst = Normal, c.newValue(eps, "eps")
		c.emit(s)
		s.Kind, s.Src, s.Ref, s.Arg = Sample, c.of(in[0]), c.of(in[1]), s.Dst
		s.Dst = c.newValue(n, "sample")
	case op.SampleGrad:
		s.Kind, s.Ref, s.Arg, s.Src = SampleGrad, c.of(in[0]), c.of(in[1]), c.of(in[2])
		s.Dst = c.newValue(n, "d.sample")
	case op.KL:
		s.Kind, s.Src, s.Ref = KL, c.of(in[0]), c.of(in[1])
		c.p.KLWeight = attr(n).KLWeight
	case op.KLMean, op.KLLogVar:
		if !c.unscaled(in[1]) {
			return
		}
		s.Kind, s.Src = KLMean, c.of(in[0])
		if kindOf(n) == op.KLLogVar {
			s.Kind = KLLogVar
		}
		s.Dst = c.newValue(n, "d.kl")
	case op.Total: // of sums that a run returns
		if kindOf(in[0]) != op.Loss || kindOf(in[1]) != op.KL {
			c.failf("it adds something else than a loss and a divergence")
		}
		return
	}
	c.emit(s)
}
