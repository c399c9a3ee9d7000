//go:build gpu

package gpu

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"sweep/trainer"
	"sweep/trainer/dataset"
	"sweep/trainer/device"
	"sweep/trainer/kernel"
	"sweep/trainer/kernel/cuda"
	"sweep/trainer/model"
	"sweep/trainer/plan"
)

// fill is a way to fill memory with numbers.
type fill int

const (
	random   fill = iota // of a normal distribution
	integers             // small ones, of which every sum is exact in any order
)

func (f fill) String() string { return [...]string{"random", "integers"}[f] }

// bench is a program on the device and on the reference kernels for three slots of one stack, to run step by step.
type bench struct {
	*memory
	code    *code
	program *program
	tables  *tables
	slots   device.Address
	class   class
	seats   []*seat
	pixels  []byte
}

// seat is one slot of a bench.
type seat struct {
	c      trainer.Config
	plan   *plan.Program
	exec   *plan.Exec
	room   *room
	at     device.Address // of the room
	values []int64        // by value: offset in the room
	w, g   []float32
	batch  plan.Batch
	table  cuda.Slot
}

const poolImages = 9 // in the set that batches are gathered from

// newBench makes the bench of a stack for slots of these networks and batches.
func newBench(t testing.TB, gpu device.GPU, precision string, networks []trainer.Config, training bool) *bench {
	t.Helper()
	b := &bench{memory: newMemory(t, gpu), code: kernels(gpu, precision)}
	train, forward, err := stepwise(networks[0].Config)
	b.check(err)
	b.program = forward
	if training {
		b.program = train
	}
	size := networks[0].Height * networks[0].Width * networks[0].Channels
	r := rand.New(rand.NewPCG(5, 6))
	for range poolImages * size {
		b.pixels = append(b.pixels, byte(r.Uint32()))
	}
	pixels := b.take(int64(len(b.pixels)))
	b.put(pixels, b.pixels)

	capacity := 0
	for _, c := range networks {
		capacity += (c.Batch + cuda.Tile - 1) / cuda.Tile
	}
	b.tables = newTables(b.program, len(networks), capacity)
	b.tables.at = b.take(b.tables.bytes)
	b.slots = b.take(int64(len(networks)) * cuda.SizeOf[cuda.Slot]())
	patches := b.tables.fixed(b.slots)
	var tiles, list []cuda.Work
	for i, c := range networks {
		c.Replicate = i
		c.Train = &dataset.Images{Height: c.Height, Width: c.Width, Channels: c.Channels, Pixels: b.pixels}
		c.Validation = c.Train
		trainPlan, forwardPlan, err := plans(c.Config, c.Batch)
		b.check(err)
		s := &seat{c: c, plan: forwardPlan}
		if training {
			s.plan = trainPlan
		}
		s.exec = plan.NewExec(s.plan, reference(t), &plan.Arena{})
		s.room = newRoom(c, trainPlan, forwardPlan, train.split, valueBytes(precision))
		s.at = b.take(s.room.bytes)
		s.values = s.room.forward
		if training {
			s.values = s.room.train
		}
		s.w, s.g = s.plan.Layout.NewBlock(), s.plan.Layout.NewBlock()
		patches = append(patches, b.tables.row(i, s.plan, s.values, s.room.splits, s.at)...)

		// A unit of most of the batch, or of one image more than a tile.
		n := c.Batch - i%2
		if n < 1 {
			n = 1
		}
		order := make([]int32, n)
		flips := make([]byte, poolImages)
		for j := range flips {
			flips[j] = byte(r.Uint32() & 1)
		}
		s.batch = plan.Batch{Pixels: b.pixels, Seed: c.Seed, Replicate: c.Replicate, Epoch: 1, Step: int64(7 + i)}
		for j := range order {
			order[j] = int32(r.IntN(poolImages))
			s.batch.Images = append(s.batch.Images, int(order[j]))
		}
		s.table = s.room.slot(c, s.plan.Layout, s.plan.Loss, s.at)
		u := &s.table.Unit
		*u = cuda.Unit{
			Pixels: cuda.Address(pixels), Order: cuda.Address(s.at) + cuda.Address(s.room.order), W: cuda.Address(s.at) + cuda.Address(s.room.w),
			N: int32(n),
		}
		if training {
			u.Train = cuda.Train
			for _, image := range s.batch.Images {
				s.batch.Mirrored = append(s.batch.Mirrored, flips[image] == 1)
			}
			u.Flips = cuda.Address(s.at) + cuda.Address(s.room.flips)
			setDropKey(u, c, s.batch.Step)
		}
		// The room for the order may be too short for a batch that names images several times.
		orderAt := b.take(int64(4*n) + 4)
		u.Order = cuda.Address(orderAt)
		patches = append(patches, patch{orderAt, cuda.Bytes(order)}, patch{s.at + device.Address(s.room.flips), flips},
			patch{s.at + device.Address(s.room.segments), cuda.Bytes(s.room.segment)},
			patch{b.slots + device.Address(int64(i)*cuda.SizeOf[cuda.Slot]()), cuda.Bytes([]cuda.Slot{s.table})})
		b.seats = append(b.seats, s)
		list = append(list, cuda.Work{Slot: int32(i)})
		for tile := range (n + cuda.Tile - 1) / cuda.Tile {
			tiles = append(tiles, cuda.Work{Slot: int32(i), Tile: int32(tile)})
		}
		b.class = class{
			tiles: capacity, slots: len(networks), latent: max(b.class.latent, c.Latent), batch: max(b.class.batch, c.Batch),
			trained: max(b.class.trained, s.plan.Layout.Trained),
		}
	}
	patches = append(patches,
		patch{b.tables.at + device.Address(b.tables.tileList), cuda.Bytes(tiles)},
		patch{b.tables.at + device.Address(b.tables.slotList), cuda.Bytes(list)},
		patch{b.tables.at + device.Address(b.tables.lists), cuda.Bytes([]cuda.Lists{{
			Tiles: int32(len(tiles)), Slots: int32(len(list)), Tile: b.tables.on(b.tables.tileList), Slot: b.tables.on(b.tables.slotList),
		}})})
	for _, p := range patches {
		b.put(p.at, p.bytes)
	}
	return b
}

func reference(t testing.TB) kernel.Kernels {
	k, err := kernel.New("ref")
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// rounded is x as a value of a precision holds it.
func rounded(x float32, bytes int) float32 {
	if bytes == 4 || x != x {
		return x
	}
	u := math.Float32bits(x)
	return math.Float32frombits((u + 0x7fff + u>>16&1) &^ 0xffff)
}

// numbers packs floats for the device: values in its precision, weights and stats always as they are.
func numbers(x []float32, bytes int) []byte {
	out := make([]byte, 0, len(x)*bytes)
	for _, v := range x {
		if bytes == 4 {
			out = binary.LittleEndian.AppendUint32(out, math.Float32bits(v))
		} else {
			out = binary.LittleEndian.AppendUint16(out, uint16(math.Float32bits(rounded(v, 2))>>16))
		}
	}
	return out
}

func floats(b []byte, bytes int) []float32 {
	out := make([]float32, len(b)/bytes)
	for i := range out {
		if bytes == 4 {
			out[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
		} else {
			out[i] = math.Float32frombits(uint32(binary.LittleEndian.Uint16(b[2*i:])) << 16)
		}
	}
	return out
}

// valueBytes is what a number of a value takes on the device: that of stats is a float in any precision.
func (b *bench) valueBytes(s *seat, v int) int {
	if isStats(s.plan, v) {
		return 4
	}
	return valueBytes(b.code.precision)
}

// set puts x, (n, h, w, c) of a value, into both memories.
func (b *bench) set(s *seat, v int, x []float32) {
	bytes := b.valueBytes(s, v)
	for i := range x {
		x[i] = rounded(x[i], bytes)
	}
	s.exec.Value(v, len(s.batch.Images)).SetPixels(x)
	b.put(s.at+device.Address(s.values[v]), numbers(x, bytes))
}

// numbersOf is how many numbers the unit's images have in a value.
func (s *seat) numbersOf(v int) int {
	x := s.plan.Values[v]
	return len(s.batch.Images) * x.H * x.W * x.C
}

// weights draws a block of weights for both memories: scales of both signs, variances above 0.
func (b *bench) weights(s *seat, r *rand.Rand, f fill) {
	for i, spec := range s.plan.Layout.Weights {
		w := s.plan.Layout.Of(s.w, i)
		scale := 1.0
		if f == random {
			scale = 1 / math.Sqrt(float64(max(1, spec.Size()/spec.Shape[len(spec.Shape)-1])))
		}
		draw(w, r, f, scale)
		if strings.HasSuffix(spec.Name, ".var") {
			for j := range w {
				w[j] = 0.25 + float32(math.Abs(float64(w[j])))
			}
		}
	}
	b.put(s.at+device.Address(s.room.w), numbers(s.w, 4))
}

func draw(x []float32, r *rand.Rand, f fill, scale float64) {
	for i := range x {
		if f == integers {
			x[i] = float32(r.IntN(5) - 2)
		} else {
			x[i] = float32(scale * r.NormFloat64())
		}
	}
}

// interval is a piece of a room that a step may change.
type interval struct{ from, to int64 }

// untouched reports the first byte outside of the allowed intervals that differs.
func untouched(before, after []byte, allowed []interval) error {
	slices.SortFunc(allowed, func(a, b interval) int { return int(a.from - b.from) })
	at := int64(0)
	for _, a := range append(allowed, interval{int64(len(before)), int64(len(before))}) {
		if from := min(a.from, int64(len(before))); at < from && !bytes.Equal(before[at:from], after[at:from]) {
			for before[at] == after[at] {
				at++
			}
			return fmt.Errorf("byte %d of the trial's memory, which the step does not write, has changed", at)
		}
		at = max(at, a.to)
	}
	return nil
}

// network is one of the table's rows as a network; latent and batch are a slot's.
func network(change func(*model.Config), latent, batch int) trainer.Config {
	c := trainer.Config{
		Config: model.Config{
			Channels: 3, Height: 8, Width: 8, Depth: 1, Filters: []int{4, 8, 8}, Kernel: 3, Upsample: "k2", Activation: "relu",
			OutputActivation: "sigmoid", Loss: "mse", SSIMWeight: 0.4,
		},
		LR: 0.01, Epochs: 1, Seed: 3,
	}
	if change != nil {
		change(&c.Config)
	}
	c.Latent, c.Batch = latent, batch
	return c
}

func doubles(b []byte) []float64 {
	out := make([]float64, len(b)/8)
	for i := range out {
		out[i] = math.Float64frombits(binary.LittleEndian.Uint64(b[8*i:]))
	}
	return out
}
