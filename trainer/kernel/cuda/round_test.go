//go:build gpu

package cuda_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sweep/trainer/kernel"
	"sweep/trainer/kernel/cuda"
)

var (
	nan32 = float32(math.NaN())
	inf32 = float32(math.Inf(1))
)

// sameBits tells whether two numbers have the same bits, or are both NaN.
func sameBits(a, b float32) bool {
	return math.Float32bits(a) == math.Float32bits(b) || a != a && b != b
}

func same(t testing.TB, what string, got, want []float32) {
	t.Helper()
	for i := range want {
		if !sameBits(got[i], want[i]) {
			t.Errorf("%s: number %d of %d is %g (%#x), want %g (%#x)", what, i, len(want),
				got[i], math.Float32bits(got[i]), want[i], math.Float32bits(want[i]))
			return
		}
	}
}

// trial is a slot's optimiser on the host.
type trial struct {
	name       string
	optimizer  int32
	lr, decay  float64
	momentum   float64
	pull       kernel.Pull
	sizes      []int // of the arrays, each followed by padding
	penalised  []bool
	buffers    int
	strange    bool // whether gradients and weights have values of every kind
	w, g, m, v []float32
}

func (x *trial) trained() int { return len(x.w) - x.buffers }

// fill draws its blocks; padding is 0.
func (x *trial) fill(r *rand.Rand) []cuda.Segment {
	var segments []cuda.Segment
	odd := []float32{0, float32(math.Copysign(0, -1)), 1e-45, -3e-39, 1e-38, 3e38, -inf32, inf32, nan32, 1e20}
	draw := func() float32 {
		if x.strange && r.IntN(4) == 0 {
			return odd[r.IntN(len(odd))]
		}
		return float32(r.NormFloat64())
	}
	for i, n := range x.sizes {
		from := len(x.w)
		for range n {
			x.w, x.g = append(x.w, draw()), append(x.g, draw())
			x.m, x.v = append(x.m, 0.1*draw()), append(x.v, float32(math.Abs(float64(draw()))))
		}
		for len(x.w)%16 != 0 {
			x.w, x.g, x.m, x.v = append(x.w, 0), append(x.g, 0), append(x.m, 0), append(x.v, 0)
		}
		s := cuda.Segment{From: int32(from), To: int32(len(x.w)), Split: cuda.None}
		if x.penalised[i] {
			s.Penalised = 1
		}
		segments = append(segments, s)
	}
	for range x.buffers {
		x.w, x.g, x.m, x.v = append(x.w, 1), append(x.g, 0), append(x.m, 0), append(x.v, 0)
	}
	return segments
}

func pow(x float64, n int64) float64 {
	y := 1.0
	for ; n > 0; n >>= 1 {
		if n&1 == 1 {
			y = float64(y * x)
		}
		x = float64(x * x)
	}
	return y
}

// unit is what the host tells the device of a step.
func (x *trial) unit(step int64, w cuda.Address) cuda.Unit {
	u := cuda.Unit{W: w, N: 3, Train: cuda.Train, Rate: float32(x.lr), Root: 1, Keep: float32(1 - float64(x.lr*x.decay))}
	if x.optimizer == cuda.Adam {
		u.Rate = float32(x.lr / (1 - pow(0.9, step)))
		u.Root = float32(1 / math.Sqrt(1-pow(0.999, step)))
	}
	return u
}

// step is what the CPU does.
func (x *trial) step(k kernel.Kernels, segments []cuda.Segment, step int64) {
	for _, s := range segments {
		pull, decay := kernel.Pull{Scale: x.pull.Scale}, 0.0
		if s.Penalised == 1 {
			pull, decay = x.pull, x.decay
		}
		w, g, m, v := x.w[s.From:s.To], x.g[s.From:s.To], x.m[s.From:s.To], x.v[s.From:s.To]
		if x.optimizer == cuda.SGD {
			k.SGD(w, g, m, kernel.SGDStep{LR: x.lr, Momentum: x.momentum, WeightDecay: decay, Pull: pull})
			continue
		}
		a := kernel.DefaultAdam(x.lr, step)
		a.WeightDecay, a.Pull = decay, pull
		k.Adam(w, g, m, v, a)
	}
}

func (x *trial) slot(m *machine, segments []cuda.Segment) cuda.Slot {
	return cuda.Slot{
		G: put(m, x.g), M: put(m, x.m), V: put(m, x.v), Segments: put(m, segments), NSegments: int32(len(segments)),
		Trained: int32(x.trained()), Total: int32(len(x.w)), Optimizer: x.optimizer, Momentum: float32(x.momentum),
		Beta1: 0.9, Rest1: float32(1 - 0.9), Beta2: 0.999, Rest2: float32(1 - 0.999), Epsilon: 1e-8,
		L1: float32(x.pull.L1), L2: float32(x.pull.L2), Scale: float32(x.pull.Scale), Unit: x.unit(1, put(m, x.w)),
	}
}

func trials() []*trial {
	all, some := []bool{true, true, true, true}, []bool{true, false, false, true}
	small, large := []int{1, 5, 32, 3}, []int{4100, 7, 1030, 2048}
	return []*trial{
		{name: "adam", lr: 1e-3, pull: kernel.Pull{Scale: 1}, sizes: large, penalised: all},
		{name: "adamw", lr: 0.3, decay: 0.1, pull: kernel.Pull{Scale: 1}, sizes: small, penalised: some},
		{name: "adam, l1 and l2", lr: 0.01, pull: kernel.Pull{Scale: 1, L1: 1e-3, L2: 0.02}, sizes: large, penalised: some},
		{name: "adam, l1, clipped", lr: 0.01, pull: kernel.Pull{Scale: 0.37, L1: 0.5}, sizes: small, penalised: all, buffers: 16},
		{name: "adam, anything", lr: 0.1, pull: kernel.Pull{Scale: 0.5, L2: 0.1}, sizes: large, penalised: some, strange: true},
		{name: "sgd", optimizer: cuda.SGD, lr: 0.1, pull: kernel.Pull{Scale: 1}, sizes: small, penalised: all},
		{name: "sgd, momentum and decay", optimizer: cuda.SGD, lr: 0.1, momentum: 0.9, decay: 0.01, pull: kernel.Pull{Scale: 0.1}, sizes: large, penalised: some},
		{name: "sgd, anything", optimizer: cuda.SGD, lr: 0.1, momentum: 0.99, pull: kernel.Pull{Scale: 1, L1: 0.1}, sizes: large, penalised: some, strange: true, buffers: 32},
		{name: "one array", lr: 1e-3, pull: kernel.Pull{Scale: 1}, sizes: []int{1}, penalised: []bool{true}},
	}
}

// TestOptimise holds three steps of every optimiser against those of a CPU, to the bit, all trials in one launch.
func TestOptimise(t *testing.T) {
	m := open(t)
	ref, err := kernel.New("ref")
	m.must(err)
	all := trials()
	var slots []cuda.Slot
	var segments [][]cuda.Segment
	var images []int
	most := 0
	for i, x := range all {
		segments = append(segments, x.fill(rand.New(rand.NewPCG(uint64(i), 1))))
		slots = append(slots, x.slot(m, segments[i]))
		images, most = append(images, 3), max(most, x.trained())
	}
	failed := len(all) - 1
	slots[failed].Failed = cuda.FailedStep
	kept := append([]float32(nil), all[failed].w...)
	for step := int64(1); step <= 3; step++ {
		for i, x := range all {
			slots[i].Unit = x.unit(step, slots[i].Unit.W)
			slots[i].Infinite = 0
		}
		at := put(m, slots)
		task := put(m, []cuda.Task{{Lists: lists(m, images), Slots: at}})
		// The grid may be larger than any slot needs, and have more slots.
		m.launch(cuda.Step{Kind: "optimise", MaxTrained: most + 5000}, task, len(slots)+2)
		after := get[cuda.Slot](m, at, len(slots))
		for i, x := range all {
			if i == failed {
				same(t, "the weights of a slot that failed", get[float32](m, slots[i].Unit.W, len(x.w)), kept)
				continue
			}
			x.step(ref, segments[i], step)
			what := fmt.Sprintf("%s, step %d: ", x.name, step)
			same(t, what+"weights", get[float32](m, slots[i].Unit.W, len(x.w)), x.w)
			same(t, what+"first moments", get[float32](m, slots[i].M, len(x.m)), x.m)
			same(t, what+"second moments", get[float32](m, slots[i].V, len(x.v)), x.v)
			same(t, what+"gradients", get[float32](m, slots[i].G, len(x.g)), x.g)
			finite := ref.Finite(x.w) && (x.optimizer == cuda.SGD || ref.Finite(x.v))
			if (after[i].Infinite == 1) == finite {
				t.Errorf("%sinfinite is %d, the weights are finite: %t", what, after[i].Infinite, finite)
			}
		}
	}
}

// TestOptimiseFindsBuffers: a running statistic that is not finite counts, though the optimiser does not change it.
func TestOptimiseFindsBuffers(t *testing.T) {
	m := open(t)
	x := &trial{lr: 1, pull: kernel.Pull{Scale: 1}, sizes: []int{40}, penalised: []bool{true}, buffers: 272}
	segments := x.fill(rand.New(rand.NewPCG(1, 1)))
	x.w[len(x.w)-1] = inf32
	slot := x.slot(m, segments)
	at := put(m, []cuda.Slot{slot})
	m.launch(cuda.Step{Kind: "optimise", MaxTrained: x.trained()}, put(m, []cuda.Task{{Lists: lists(m, []int{1}), Slots: at}}), 1)
	if s := get[cuda.Slot](m, at, 1)[0]; s.Infinite != 1 {
		t.Error("an infinite buffer was not found")
	}
	same(t, "buffers", get[float32](m, slot.Unit.W, len(x.w))[x.trained():], x.w[x.trained():])
}

// TestReduce adds partial sums of slots with different numbers of images, and squares: small integers, so that every order
// gives the same sums.
func TestReduce(t *testing.T) {
	m := open(t)
	r := rand.New(rand.NewPCG(3, 1))
	images := []int{1, 32, 33, 100, 256, 7}
	sizes := [][]int{{16, 32, 48}, {4096, 16, 4112}, {16}, {8192}, {20000, 16, 160}, {4080, 32}}
	var slots []cuda.Slot
	var grads [][]float32
	most := 0
	for i, n := range images {
		tiles := (n + cuda.Tile - 1) / cuda.Tile
		var segments []cuda.Segment
		total, stride := 0, 0
		for k, size := range sizes[i] {
			s := cuda.Segment{From: int32(total), To: int32(total + size), Split: cuda.None}
			if (k+i)%2 == 0 {
				s.Split = int32(stride)
				stride += size
			}
			total += size
			segments = append(segments, s)
		}
		partial := make([]float32, (tiles+1)*stride)
		for j := range partial {
			partial[j] = nan32 // what no tile has is not read
			if j < tiles*stride {
				partial[j] = float32(r.IntN(15) - 7)
			}
		}
		g, want := make([]float32, total), make([]float32, total)
		for _, s := range segments {
			for j := s.From; j < s.To; j++ {
				if s.Split == cuda.None {
					g[j] = float32(r.IntN(15) - 7)
					want[j] = g[j]
					continue
				}
				g[j] = nan32 // overwritten
				for tile := range tiles {
					want[j] += partial[tile*stride+int(s.Split+j-s.From)]
				}
			}
		}
		slots = append(slots, cuda.Slot{
			G: put(m, g), Partial: put(m, partial), Segments: put(m, segments), NSegments: int32(len(segments)),
			Square: put(m, make([]float64, (total+cuda.Span-1)/cuda.Span)), Stride: int32(stride), Trained: int32(total),
			Unit: cuda.Unit{N: int32(n), Train: cuda.Train},
		})
		grads, most = append(grads, want), max(most, total)
	}
	task := put(m, []cuda.Task{{Lists: lists(m, images), Slots: put(m, slots)}})
	m.launch(cuda.Step{Kind: "reduce", MaxTrained: most}, task, len(slots)+1)
	for i, s := range slots {
		what := fmt.Sprintf("slot %d: ", i)
		same(t, what+"gradient", get[float32](m, s.G, len(grads[i])), grads[i])
		for span, got := range get[float64](m, s.Square, (len(grads[i])+cuda.Span-1)/cuda.Span) {
			want := 0.0
			for _, v := range grads[i][span*cuda.Span : min((span+1)*cuda.Span, len(grads[i]))] {
				want += float64(v) * float64(v)
			}
			if got != want {
				t.Errorf("%sspan %d has the sum of squares %g, want %g", what, span, got, want)
			}
		}
	}
}

// TestReduceOrder: partial sums are added in the order of the tiles, in float64, and rounded once.
func TestReduceOrder(t *testing.T) {
	m := open(t)
	partial := []float32{1e30, 1, 1 << 24, -1e30, 1, 1, 1, 1, -1 << 24}
	const stride = 16
	all := make([]float32, 3*stride)
	for tile := range 3 {
		copy(all[tile*stride:], partial[3*tile:3*tile+3])
	}
	slot := cuda.Slot{
		G: put(m, make([]float32, stride)), Partial: put(m, all), Segments: put(m, []cuda.Segment{{To: stride}}), NSegments: 1,
		Square: put(m, make([]float64, 1)), Stride: stride, Trained: stride, Unit: cuda.Unit{N: 90, Train: cuda.Train},
	}
	m.launch(cuda.Step{Kind: "reduce", MaxTrained: stride}, put(m, []cuda.Task{{Lists: lists(m, []int{90}), Slots: put(m, []cuda.Slot{slot})}}), 1)
	same(t, "sums", get[float32](m, slot.G, 3), []float32{1, 3, 1})
	if s := get[float64](m, slot.Square, 1)[0]; s != 11 {
		t.Errorf("sum of squares %g, want 11", s)
	}
}

// TestBegin runs three rounds of five slots.
func TestBegin(t *testing.T) {
	m := open(t)
	const rounds, nslots, capacity = 3, 5, 9
	var units []cuda.Unit
	for i := range rounds * nslots {
		units = append(units, cuda.Unit{
			Pixels: cuda.Address(100 + i), Order: 2, W: cuda.Address(i), First: int32(i), N: int32(i % 4), Train: int32(i % 2),
			Clear: int32(i % 8), Drop: [5]uint32{1, 2, 3, 4, uint32(i)}, Rate: float32(i), Keep: 0.5,
		})
	}
	work := make([]cuda.Work, rounds*4*capacity)
	for i := range work {
		work[i] = cuda.Work{Slot: int32(i), Tile: int32(-i)}
	}
	lengths := []int32{9, 5, 0, 0, 3, 2, 8, 4, 0, 0, 1, 1}
	stale := cuda.Sums{Loss: 1, SE: 2, AE: 3, SSIM: 4, Within: 5, Values: 6, Images: 7}
	slots := make([]cuda.Slot, nslots)
	for i := range slots {
		slots[i] = cuda.Slot{G: 77, Scale: 0.5, Failed: 1, Steps: 4, Infinite: 1, Norms: 2, Train: stale, Validation: stale}
	}
	at, round := put(m, slots), put(m, []int32{0})
	empty := make([]cuda.Work, capacity)
	tables := []cuda.Lists{{Tile: put(m, empty), Slot: put(m, empty)}, {Tile: put(m, empty), Slot: put(m, empty)}}
	to := []cuda.Address{put(m, tables[:1]), put(m, tables[1:])}
	argument := put(m, []cuda.Rounds{{
		Slots: at, Train: to[0], Evaluate: to[1], Units: put(m, units), Work: put(m, work), Lengths: put(m, lengths), Round: round,
		NSlots: nslots, Capacity: capacity,
	}})
	for k := range rounds {
		m.launch(cuda.Step{Kind: "begin"}, argument, nslots) // one block would do, and does
		for i := range slots {
			u := units[k*nslots+i]
			slots[i].Unit = u
			if u.Clear&cuda.ClearTrain != 0 {
				slots[i].Train, slots[i].Norms, slots[i].Steps, slots[i].Infinite = cuda.Sums{}, 0, 0, 0
			}
			if u.Clear&cuda.ClearValidation != 0 {
				slots[i].Validation = cuda.Sums{}
			}
			if u.Clear&cuda.ClearFailed != 0 {
				slots[i].Failed = 0
			}
		}
		if got := get[cuda.Slot](m, at, nslots); fmt.Sprint(got) != fmt.Sprint(slots) {
			t.Errorf("round %d: slots are\n%+v\nwant\n%+v", k, got, slots)
		}
		for kind := range 2 {
			l := get[cuda.Lists](m, to[kind], 1)[0]
			n := lengths[4*k+2*kind:][:2]
			if l.Tiles != n[0] || l.Slots != n[1] {
				t.Errorf("round %d, kind %d: %d tiles and %d slots, want %v", k, kind, l.Tiles, l.Slots, n)
			}
			from := work[(4*k+2*kind)*capacity:]
			if d := cmp.Diff(from[:n[0]], get[cuda.Work](m, tables[kind].Tile, int(n[0]))); d != "" {
				t.Errorf("round %d, kind %d, tiles: %s", k, kind, d)
			}
			if d := cmp.Diff(from[capacity:][:n[1]], get[cuda.Work](m, tables[kind].Slot, int(n[1]))); d != "" {
				t.Errorf("round %d, kind %d, slots: %s", k, kind, d)
			}
		}
		if got := get[int32](m, round, 1)[0]; got != int32(k+1) {
			t.Errorf("after round %d the next one is %d", k, got)
		}
	}
}

// TestAlone: the end of a round leaves the same bits in a slot among 64 of all sizes, wherever it stands, and alone.
func TestAlone(t *testing.T) {
	m := open(t)
	r := rand.New(rand.NewPCG(11, 1))
	const n = 64
	type result struct {
		w, m, v, g []float32
		square     []float64
		slot       cuda.Slot
	}
	slots := make([]func() cuda.Slot, n)
	sizes := make([]int, n)
	images := make([]int, n)
	for i := range slots {
		x := &trial{
			name: "adam", lr: 1e-3, decay: 0.1, optimizer: int32(i % 2), momentum: 0.9, pull: kernel.Pull{L1: 1e-4, L2: 1e-3},
			sizes: []int{1 + r.IntN(300), 1 + r.IntN(9000), 1 + r.IntN(40)}, penalised: []bool{true, false, i%3 == 0},
		}
		segments := x.fill(r)
		sizes[i], images[i] = len(x.w), 1+r.IntN(256)
		tiles, stride := (images[i]+cuda.Tile-1)/cuda.Tile, int(segments[0].To)
		segments[0].Split = 0
		partial, sums := make([]float32, tiles*stride), make([]float64, images[i]*cuda.ImageSums)
		for j := range partial {
			partial[j] = float32(r.NormFloat64())
		}
		for j := range sums {
			sums[j] = r.Float64()
		}
		slots[i] = func() cuda.Slot {
			s := x.slot(m, segments)
			s.Partial, s.Stride, s.Image, s.Loss, s.SSIMWeight = put(m, partial), int32(stride), put(m, sums), int32(i%3), 0.25
			s.Square = put(m, make([]float64, (len(x.w)+cuda.Span-1)/cuda.Span))
			s.Clip, s.Unit.N = 0.5*float64(i%4), int32(images[i])
			return s
		}
	}
	run := func(which []int) []result {
		var all []cuda.Slot
		var n []int
		most := 0
		for _, i := range which {
			all, n, most = append(all, slots[i]()), append(n, images[i]), max(most, sizes[i])
		}
		at := put(m, all)
		task := put(m, []cuda.Task{{Lists: lists(m, n), Slots: at, S: cuda.Size{C: 3}, CropH: 4, CropW: 5}})
		for _, kind := range []string{"reduce", "settle", "optimise"} {
			m.launch(cuda.Step{Kind: kind, MaxTrained: most}, task, len(all))
		}
		var out []result
		for k, s := range get[cuda.Slot](m, at, len(all)) {
			size := sizes[which[k]]
			x := result{slot: s, square: get[float64](m, s.Square, (size+cuda.Span-1)/cuda.Span)}
			for _, b := range []struct {
				to *[]float32
				at cuda.Address
			}{{&x.w, s.Unit.W}, {&x.m, s.M}, {&x.v, s.V}, {&x.g, s.G}} {
				*b.to = whole[float32](m, b.at, size)
			}
			// What lies elsewhere, lies elsewhere.
			x.slot.G, x.slot.M, x.slot.V, x.slot.Partial, x.slot.Segments, x.slot.Image, x.slot.Square, x.slot.Unit.W = 0, 0, 0, 0, 0, 0, 0, 0
			out = append(out, x)
		}
		return out
	}
	order := r.Perm(n)
	among := run(order)
	for k, i := range order {
		alone := run([]int{i})[0]
		if a, b := fmt.Sprint(among[k]), fmt.Sprint(alone); a != b {
			t.Errorf("trial %d, in slot %d of %d, has other bits than alone", i, k, n)
		}
		if alone.slot.Failed != 0 || alone.slot.Steps != 1 {
			t.Errorf("trial %d has failed with %d after %d steps", i, alone.slot.Failed, alone.slot.Steps)
		}
	}
}
