package cuda

// Tile is how many images of a slot one piece of work has: TILE of sweep.cuh.
const Tile = 32

// Latent stands in the place of a number of channels for each slot's own latent size: LATENT of sweep.cuh.
const Latent = 0

// Domain is what the second coordinate of a grid counts.
type Domain int

// The pieces of work: tiles of the images of every slot, or slots.
const (
	Tiles Domain = iota
	Slots
)

// Shape is one image of a value. C may be [Latent].
type Shape struct{ H, W, C int }

// Step is a step of a plan as far as the size of its launches depends on it.
type Step struct {
	Kind    string // as plan.Kind
	Act     int    // kernel.Activation
	Side    int
	D, S, R Shape // of Dst, Src and Ref; zero where there is none

	DataWanted bool // of conv+pool.grad: whether it has a Dst
	Bias       bool // whether a linear map has one
	Pooled     bool // of a normalisation
	Folded     bool // of a linear map

	CropH, CropW int // of loss and evaluate: sides of the image proper

	// Fused says of a convt that it makes the loss of what it gives, see [MakesLoss], and of a loss that one stands before it:
	// it has the slots with SSIM left.
	Fused bool

	// What is greatest among the slots that a launch is to serve.
	MaxLatent, MaxBatch int
	MaxTrained          int // floats of the trained part of a block
}

// Channels is c, or the greatest latent size.
func (s Step) Channels(c int) int {
	if c == Latent {
		return s.MaxLatent
	}
	return c
}

// Launch is one kernel of a step.
type Launch struct {
	Kernel  string // name without the precision's suffix
	Module  string // file that holds it, without ".cu"
	Threads int    // of a block, as the kernel declares them
	Shared  int    // bytes of dynamic shared memory
	Over    Domain
	X       int // blocks for each piece of work, of the slot that needs most
}

// Launches are the kernels of a step, in order; ok is false where there are none for it.
func Launches(s Step) (list []Launch, ok bool) {
	f, ok := families[s.Kind]
	if !ok {
		return nil, false
	}
	list = f(s)
	return list, len(list) > 0
}

// Kinds lists the steps that there are kernels for.
func Kinds() []string {
	var out []string
	for k := range families {
		out = append(out, k)
	}
	return out
}

// families holds the kernels by kind of step: those of plan.Kind, and those that every round has beside them.
var families = map[string]func(Step) []Launch{
	"gather": gather, "act": pointwise, "act.grad": pointwise, "add": pointwise, "copy": pointwise,
	"pool": pooling, "pool.grad": pooling, "unpool": pooling, "unpool.grad": pooling,
	"drop.mask": drop, "drop": drop,
	"conv": conv, "conv+pool": conv, "conv.data": conv, "conv.weights": conv, "conv+pool.grad": conv,
	"convt": convT, "convt.data": convT, "convt.weights": convT,
	"dense": dense, "dense.data": dense, "dense.weights": dense,
	"loss": loss, "evaluate": loss,
	"norm.moments": norm, "norm": norm, "norm.grad": norm, "fold": norm,
	"begin": round, "reduce": round, "settle": round, "optimise": round,
}

// blocks is how many blocks of so many threads n values take.
func blocks(n, threads int) int { return (n + threads - 1) / threads }
