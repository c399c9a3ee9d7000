//go:build gpu

package cuda_test

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"sweep/study"
	"sweep/trainer/kernel"
	"sweep/trainer/kernel/cuda"
)

// Slots of different batches and latent sizes take part in every launch.
var (
	batches = []int{5, 1, 33, 64, 70}
	latents = []int32{3, 17, 8, 1, 33}
)

// shapes of one image; C 0 is the slot's latent size.
var shapes = []cuda.Shape{{H: 1, W: 1, C: 1}, {H: 2, W: 2, C: 3}, {H: 4, W: 6, C: 4}, {H: 1, W: 1}, {H: 6, W: 10, C: 5}, {H: 8, W: 8, C: 12}}

// bench is a step on all slots: values 0 … 3 are Dst, Src, Ref and Arg.
type bench struct {
	*machine
	r      *rand.Rand
	step   cuda.Step
	task   cuda.Task
	slots  []cuda.Slot
	values [][4]cuda.Address
	rates  [][4]int32
}

func newBench(m *machine, kind string, seed uint64) *bench {
	b := &bench{
		machine: m, r: rand.New(rand.NewPCG(seed, 9)), step: cuda.Step{Kind: kind, MaxLatent: 33, MaxBatch: 70},
		task: cuda.Task{Dst: 0, Src: 1, Ref: 2, Arg: 3, NValues: 4}, values: make([][4]cuda.Address, len(batches)),
		rates: make([][4]int32, len(batches)),
	}
	for i, n := range batches {
		b.slots = append(b.slots, cuda.Slot{Latent: latents[i], Unit: cuda.Unit{N: int32(n)}})
	}
	return b
}

// shape is a shape of slot i.
func shape(s cuda.Shape, i int) cuda.Shape {
	if s.C == cuda.Latent {
		s.C = int(latents[i])
	}
	return s
}

func size(s cuda.Shape) cuda.Size { return cuda.Size{H: int32(s.H), W: int32(s.W), C: int32(s.C)} }

func (b *bench) half() bool { return b.precision == "bf16" }

// rounded is x as a value holds it: a bfloat16 is the nearest one, ties to even.
func (b *bench) rounded(x []float32) []float32 {
	for i, v := range x {
		if u := math.Float32bits(v); b.half() && v == v {
			x[i] = math.Float32frombits((u + 0x7fff + u>>16&1) &^ 0xffff)
		}
	}
	return x
}

// putValues puts numbers, as values of the precision, behind value v of slot i.
func (b *bench) putValues(i, v int, x []float32) {
	b.Helper()
	if !b.half() {
		b.values[i][v] = put(b.machine, x)
		return
	}
	h := make([]uint16, len(x))
	for j, v := range x {
		h[j] = uint16(math.Float32bits(v) >> 16)
		if v != v {
			h[j] = 0x7fc0
		}
	}
	b.values[i][v] = put(b.machine, h)
}

func (b *bench) getValues(i, v, n int) []float32 {
	b.Helper()
	if !b.half() {
		return whole[float32](b.machine, b.values[i][v], n)
	}
	x := make([]float32, n)
	for j, h := range whole[uint16](b.machine, b.values[i][v], n) {
		x[j] = math.Float32frombits(uint32(h) << 16)
	}
	return x
}

// draw makes a map of n images of numbers, many of them equal, some of them strange.
func (b *bench) draw(n int, s cuda.Shape) kernel.Map {
	m := kernel.Map{Data: make([]float32, n*s.H*s.W*s.C), N: n, H: s.H, W: s.W, C: s.C}
	odd := []float32{nan32, inf32, -inf32, float32(math.Copysign(0, -1)), 1e-40, -90, 90, 3e38}
	for i := range m.Data {
		switch k := b.r.IntN(8); {
		case k == 0:
			m.Data[i] = odd[b.r.IntN(len(odd))]
		case k < 4:
			m.Data[i] = float32(b.r.IntN(5) - 2)
		default:
			m.Data[i] = float32(3 * b.r.NormFloat64())
		}
	}
	b.rounded(m.Data)
	return m
}

// empty is a map for a result, which begins as NaN everywhere.
func (b *bench) empty(n int, s cuda.Shape) kernel.Map {
	m := kernel.Map{Data: make([]float32, n*s.H*s.W*s.C), N: n, H: s.H, W: s.W, C: s.C}
	for i := range m.Data {
		m.Data[i] = nan32
	}
	return m
}

func (b *bench) run() {
	b.Helper()
	b.task.D, b.task.S, b.task.R, b.task.Act = size(b.step.D), size(b.step.S), size(b.step.R), int32(b.step.Act)
	b.task.Lists, b.task.Slots = lists(b.machine, batches), put(b.machine, b.slots)
	b.task.Values, b.task.Rates = put(b.machine, b.values), put(b.machine, b.rates)
	pieces := 0
	for _, n := range batches {
		pieces += (n + cuda.Tile - 1) / cuda.Tile
	}
	b.launch(b.step, put(b.machine, []cuda.Task{b.task}), pieces+1)
}

// each runs f in every precision, on the reference kernels.
func each(t *testing.T, f func(*testing.T, *machine, kernel.Kernels)) {
	ref, err := kernel.New("ref")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{"fp32", "tf32", "bf16"} {
		t.Run(p, func(t *testing.T) {
			m := open(t)
			m.precision = p
			f(t, m, ref)
		})
	}
}

// compare holds value v of slot i against a map.
func (b *bench) compare(what string, i, v int, want kernel.Map) {
	b.Helper()
	same(b, fmt.Sprintf("%s, slot %d", what, i), b.getValues(i, v, len(want.Data)), b.rounded(want.Data))
}

// TestPointwise holds the steps that take values by themselves against the reference, to the bit.
func TestPointwise(t *testing.T) {
	each(t, func(t *testing.T, m *machine, ref kernel.Kernels) {
		for act := kernel.Identity; act <= kernel.GELU; act++ {
			for k := range 3 { // every activation on three shapes, every shape in turn
				s := shapes[(3*int(act)+k)%len(shapes)]
				for _, kind := range []string{"act", "act in place", "act.grad", "add", "add to itself", "copy"} {
					name := kind
					switch kind {
					case "act in place":
						name = "act"
					case "add to itself":
						name = "add"
					}
					b := newBench(m, name, uint64(10*k)+uint64(act))
					b.step.D, b.step.S, b.step.R, b.step.Act = s, s, s, int(act)
					var want []kernel.Map
					for i, n := range batches {
						s := shape(s, i)
						x, y, dst := b.draw(n, s), b.draw(n, s), b.empty(n, s)
						b.putValues(i, 0, dst.Data)
						b.putValues(i, 1, x.Data)
						b.putValues(i, 2, y.Data)
						switch kind {
						case "act":
							ref.ActivateTo(act, dst, x)
						case "act in place":
							b.values[i][0] = b.values[i][1]
							ref.ActivateTo(act, dst, x)
							b.task.Src = cuda.None
						case "act.grad":
							b.values[i][0] = b.values[i][1]
							copy(dst.Data, x.Data)
							ref.ActivationBackward(act, dst, y)
						case "add":
							ref.Add(act, dst, x, y)
						case "add to itself":
							b.values[i][0] = b.values[i][2]
							ref.Add(act, dst, x, y)
						case "copy":
							copy(dst.Data, x.Data)
						}
						want = append(want, dst)
					}
					b.run()
					for i := range batches {
						b.compare(fmt.Sprintf("%s %v %+v", kind, act, s), i, 0, want[i])
					}
				}
			}
		}
	})
}

// TestPooling: the first of equal numbers, and NaN before every number, as the reference has it; gradients go where it went.
func TestPooling(t *testing.T) {
	each(t, func(t *testing.T, m *machine, ref kernel.Kernels) {
		for k, s := range shapes {
			if s.H%2 == 1 {
				continue
			}
			half := cuda.Shape{H: s.H / 2, W: s.W / 2, C: s.C}
			what := fmt.Sprintf("%+v", s)
			pool, unpool, grad := newBench(m, "pool", uint64(k)), newBench(m, "unpool", uint64(k)), newBench(m, "unpool.grad", uint64(k))
			pool.step.D, pool.step.S = half, s
			unpool.step.D, unpool.step.S = s, half
			grad.step.D, grad.step.S = half, s
			var pooled, unpooled, grads []kernel.Map
			var args [][]byte
			for i, n := range batches {
				x, small, large, dy := pool.draw(n, s), pool.empty(n, half), pool.empty(n, s), unpool.draw(n, half)
				arg := make([]byte, len(small.Data))
				pool.putValues(i, 0, small.Data)
				pool.putValues(i, 1, x.Data)
				pool.values[i][3] = put(m, bytes.Repeat([]byte{9}, len(arg)))
				ref.MaxPool(small, arg, x)
				pooled, args = append(pooled, small), append(args, arg)

				unpool.putValues(i, 0, large.Data)
				unpool.putValues(i, 1, dy.Data)
				unpool.values[i][3] = put(m, arg)
				ref.MaxPoolBackward(large, dy, arg)
				unpooled = append(unpooled, large)

				back := grad.empty(n, half)
				grad.putValues(i, 0, back.Data)
				grad.putValues(i, 1, x.Data)
				grad.values[i][3] = unpool.values[i][3]
				ref.UnpoolBackward(back, x, arg)
				grads = append(grads, back)
			}
			for _, b := range []*bench{pool, unpool, grad} {
				b.run()
			}
			for i := range batches {
				pool.compare("pool "+what, i, 0, pooled[i])
				if got := whole[byte](m, pool.values[i][3], len(args[i])); !bytes.Equal(got, args[i]) {
					t.Errorf("pool %s, slot %d: places %v, want %v", what, i, got, args[i])
				}
				unpool.compare("unpool "+what, i, 0, unpooled[i])
				grad.compare("unpool.grad "+what, i, 0, grads[i])
			}
		}
	})
}

// TestGather reads images by a list, from its middle, some of them turned, into values with larger sides.
func TestGather(t *testing.T) {
	each(t, func(t *testing.T, m *machine, ref kernel.Kernels) {
		for k, c := range []struct{ h, w, c, high, wide int }{{1, 1, 1, 1, 1}, {3, 5, 3, 4, 8}, {6, 4, 1, 6, 4}, {7, 7, 4, 8, 7}, {16, 16, 3, 16, 16}} {
			b := newBench(m, "gather", uint64(k))
			b.step.D = cuda.Shape{H: c.high, W: c.wide, C: c.c}
			b.step.CropH, b.step.CropW = c.h, c.w
			b.task.CropH, b.task.CropW = int32(c.h), int32(c.w)
			const set, first = 40, 6
			var want []kernel.Map
			for i, n := range batches {
				pixels, order, flips := make([]byte, set*c.h*c.w*c.c), make([]int32, first+n), make([]byte, set)
				for j := range pixels {
					pixels[j] = byte(b.r.IntN(256))
				}
				for j := range flips {
					flips[j] = byte(b.r.IntN(2))
				}
				var images []int
				var marked []bool
				for j := range order {
					order[j] = int32(b.r.IntN(set))
					if j >= first {
						images, marked = append(images, int(order[j])), append(marked, flips[order[j]] == 1)
					}
				}
				u := &b.slots[i].Unit
				u.Pixels, u.Order, u.First = put(m, pixels), put(m, order), first
				dst := b.empty(n, b.step.D)
				b.putValues(i, 0, dst.Data)
				ref.Gather(dst, pixels, c.h, c.w, images)
				if i%2 == 0 {
					u.Flips = put(m, flips)
					ref.Mirror(dst, c.w, marked)
				}
				want = append(want, dst)
			}
			b.run()
			for i := range batches {
				b.compare(fmt.Sprintf("gather %+v", c), i, 0, want[i])
			}
		}
	})
}

// TestGatherValues: every byte becomes the float nearest to its 255th part.
func TestGatherValues(t *testing.T) {
	m := open(t)
	b := newBench(m, "gather", 1)
	b.step.D = cuda.Shape{H: 16, W: 16, C: 1}
	b.task.CropH, b.task.CropW = 16, 16
	pixels, want := make([]byte, 256), make([]float32, 256)
	for i := range pixels {
		pixels[i], want[i] = byte(i), float32(i)/255
	}
	for i, n := range batches {
		b.slots[i].Unit.Pixels, b.slots[i].Unit.Order = put(m, pixels), put(m, make([]int32, n))
		b.putValues(i, 0, make([]float32, n*256))
	}
	b.run()
	same(t, "pixels", b.getValues(0, 0, 256*batches[0])[:256], want)
}

// TestDrop: the bits are those of the CPU's streams, by each slot's threshold; of 0 a dropout changes nothing.
func TestDrop(t *testing.T) {
	each(t, func(t *testing.T, m *machine, ref kernel.Kernels) {
		thresholds := []int32{13107, 0, 65535, 1, 32768}
		for k, s := range shapes {
			for _, place := range []string{"elsewhere", "in place"} {
				mask, drop := newBench(m, "drop.mask", uint64(k)), newBench(m, "drop", uint64(k))
				mask.step.D, drop.step.D, drop.step.S = s, s, s
				mask.task.Src = cuda.None
				mask.task.Stream = uint32(k) << 28
				var bits [][]byte
				var want []kernel.Map
				for i, n := range batches {
					s := shape(s, i)
					key, counter := study.Keyed(uint64(k)<<40+uint64(i), i, study.ForDropout, 7).Words()
					u := &mask.slots[i].Unit
					u.Drop = [5]uint32{key[0], key[1], counter[0], counter[1], counter[2]}
					mask.rates[i][0], drop.rates[i][3] = thresholds[i], thresholds[i]
					bit := make([]byte, n*kernel.DropBytes(s.H, s.W, s.C))
					mask.values[i][0] = put(m, bit)
					drop.values[i][3] = mask.values[i][0]
					ref.DropMask(nil, bit, kernel.Stream{Key: key, Counter: counter}, mask.task.Stream, uint16(thresholds[i]))
					bits = append(bits, bit)

					x, dst := drop.draw(n, s), drop.empty(n, s)
					drop.putValues(i, 0, dst.Data)
					drop.putValues(i, 1, x.Data)
					if place == "in place" {
						drop.values[i][0] = drop.values[i][1]
					}
					ref.Drop(dst, x, bit, uint16(thresholds[i]))
					if thresholds[i] == 0 {
						same(t, "the reference without a dropout", dst.Data, x.Data)
					}
					want = append(want, dst)
				}
				mask.run()
				drop.run()
				for i := range batches {
					if got := whole[byte](m, mask.values[i][0], len(bits[i])); !bytes.Equal(got, bits[i]) {
						t.Errorf("bits of %+v, slot %d: %v, want %v", s, i, got, bits[i])
					}
					drop.compare(fmt.Sprintf("drop %s %+v", place, s), i, 0, want[i])
				}
			}
		}
	})
}
