package cuda

import "unsafe"

// None is an index that is not used: NONE of sweep.cuh.
const None = -1

// Span is how many floats of a block of gradients one block of threads takes: SPAN of sweep.cuh.
const Span = 4096

// ImageSums is how many sums a loss leaves for each image: IMAGE_SUMS of sweep.cuh.
const ImageSums = 7

// Optimisers, as sweep.cuh numbers them.
const (
	Adam = 0
	SGD  = 1
)

// What was not finite in a slot: Slot.Failed.
const (
	FailedStep       = 1
	FailedValidation = 2
	FailedWeights    = 3
)

// Purposes of a unit: Unit.Train.
const (
	Validate = 0 // a batch of an epoch's validation
	Train    = 1 // an optimiser step
	Measure  = 2 // a batch of an evaluation outside of training, whose sums count whether they are finite or not
)

// Totals that begin sets to nothing: Unit.Clear.
const (
	ClearTrain      = 1
	ClearValidation = 2
	ClearFailed     = 4
)

// Address is a place in the device's memory; 0 is none.
type Address uint64

// The tables of sweep.cuh, field by field in its order, with its types; a blank field is the gap that C leaves. They hold no
// Go pointers, so that [Bytes] can hand them to the device as they lie.
type (
	// Work is a piece of work.
	Work struct{ Slot, Tile int32 }

	// Size is a Shape of sweep.cuh: one image of a value, C perhaps [Latent].
	Size struct{ H, W, C int32 }

	// Segment is a run of a block of weights that is treated alike, From … To-1.
	Segment struct{ From, To, Split, Penalised int32 }

	// Unit is what a slot does in one round.
	Unit struct {
		Pixels, Order, Flips, W Address
		First, N, Train, Last   int32
		Clear                   int32
		Drop                    [5]uint32
		Rate, Root, Keep        float32
		_                       int32
	}

	// Sums are totals over images.
	Sums struct {
		Loss, SE, AE, SSIM     float64
		Within, Values, Images int64
	}

	// Slot is a trial. From Scale on the kernels write it.
	Slot struct {
		G, M, V, Partial, Folded, Segments, Image, Square                  Address
		Stride, NSegments, Trained, Total, Latent, Loss, Output, Optimizer int32
		SSIMWeight, Beta1, Rest1, Beta2, Rest2, Epsilon, Momentum, L1, L2  float32
		_                                                                  int32
		Clip                                                               float64
		Unit                                                               Unit

		Scale                   float32
		Failed, Steps, Infinite int32
		Norms                   float64
		Train, Validation       Sums
	}

	// Lists are the pieces of work of one kind of unit.
	Lists struct {
		Tiles, Slots int32
		Tile, Slot   Address
	}

	// Task is a step of a plan for all slots.
	Task struct {
		Lists, Slots, Values, Offsets, Splits, Rates      Address
		NValues, NWeights, Act, Side                      int32
		Dst, Src, Ref, Arg, W, B                          int32
		D, S, R                                           Size
		Norm, Scale, Shift, Mean, Var, Stats, Input, Fold int32
		FoldBias                                          int32
		Stream                                            uint32
		CropH, CropW                                      int32
		_                                                 int32
	}

	// Rounds is what begin reads.
	Rounds struct {
		Slots, Train, Evaluate, Units, Work, Lengths, Round Address
		NSlots, Capacity                                    int32
	}
)

// SlotWritten is where the part of a [Slot] begins that kernels write: zeros when an epoch begins.
const SlotWritten = int(unsafe.Offsetof(Slot{}.Scale))

// Bytes are tables as the device reads them: little-endian, as every machine that this runs on is. They are the tables
// themselves, not a copy.
func Bytes[T Work | Segment | Unit | Slot | Lists | Task | Rounds | Address | int32](tables []T) []byte {
	if len(tables) == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(&tables[0])), len(tables)*int(unsafe.Sizeof(tables[0])))
}

// Tables reads what [Bytes] wrote. The bytes must be a whole number of tables; they are copied.
func Tables[T Work | Segment | Unit | Slot | Lists | Task | Rounds | Address | int32](b []byte) []T {
	var one T
	out := make([]T, len(b)/int(unsafe.Sizeof(one)))
	copy(Bytes(out), b)
	return out
}

// SizeOf is the length of a table in bytes.
func SizeOf[T any]() int64 {
	var one T
	return int64(unsafe.Sizeof(one))
}
