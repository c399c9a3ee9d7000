//go:build gpu

package gpu

import (
	"fmt"
	"math"
	"testing"

	"sweep/trainer/kernel"
	"sweep/trainer/kernel/cuda"
	"sweep/trainer/plan"
)

// written are the parts of a seat's room that a step may write.
func (b *bench) written(s *seat, of *step, folded bool) []interval {
	p := s.planStep(of)
	n := int64(len(s.batch.Images))
	var out []interval
	add := func(from, bytes int64) { out = append(out, interval{from, from + bytes}) }
	value := func(v int) {
		if v == plan.None {
			return
		}
		x := s.plan.Values[v]
		bytes := n * int64(x.H*x.W*x.C)
		switch {
		case isStats(s.plan, v):
			bytes = int64(s.plan.Batch * cuda.StatsBytes(x.C/2))
		case !x.Bytes:
			bytes *= int64(b.valueBytes(s, v))
		}
		add(s.values[v], bytes)
	}
	value(p.Dst)
	if p.Kind == plan.ConvPool || p.Kind == plan.Pool || p.Kind == plan.Norm {
		value(p.Arg)
	}
	if p.Kind == plan.Norm {
		value(p.Ref)
	}
	if p.Norm != nil {
		value(p.Norm.Stats)
	}
	l := s.plan.Layout
	for _, w := range gradients(p) {
		if !s.split(p) {
			add(s.room.g+4*int64(l.Offsets[w]), 4*int64(l.Sizes[w]))
			continue
		}
		for tile := range (n + cuda.Tile - 1) / cuda.Tile {
			add(s.room.partial+4*(tile*int64(s.room.stride)+int64(s.room.splits[w])), 4*int64(l.Sizes[w]))
		}
	}
	for _, w := range statistics(p) {
		add(s.room.w+4*int64(l.Offsets[w]), 4*int64(l.Sizes[w]))
	}
	if folded {
		add(s.room.folded, 4*int64(s.room.nfolded))
	}
	if p.Kind == plan.Loss || p.Kind == plan.Evaluate {
		add(s.room.image, 8*cuda.ImageSums*n)
	}
	return out
}

// outputs compares what a step has written with what the reference has.
func (b *bench) outputs(t *testing.T, slot int, of *step, f fill, sums kernel.Sums, room []byte) {
	t.Helper()
	s := b.seats[slot]
	p := s.planStep(of)
	n := len(s.batch.Images)
	limit, floor := b.tolerance(of, p, f), 0.0
	if b.code.precision != "fp32" && f == random && linear(p.Kind) {
		floor = 1 // sums of products of numbers around 1, of which a slope may leave only a small one
	}
	if p.Kind == plan.Loss && s.plan.Loss.Kind == kernel.MSESSIM {
		limit = max(limit, similarity)
	}
	numbers := func(what string, want, got []float32, bytes int, limit float64) {
		t.Helper()
		if err := near(want, got, bytes, limit, floor); err != nil {
			t.Errorf("slot %d, %v, %s: %v", slot, f, what, err)
		}
	}
	value := func(what string, v int) {
		t.Helper()
		if v == plan.None {
			return
		}
		x := s.plan.Values[v]
		if !x.Bytes {
			bytes, count := b.valueBytes(s, v), s.numbersOf(v)
			numbers(what, s.exec.Value(v, n).Pixels(nil), floats(room[s.values[v]:][:bytes*count], bytes), bytes, limit)
			return
		}
		want, got := s.exec.Bytes(v, n), room[s.values[v]:][:n*x.H*x.W*x.C]
		differ := 0
		for i := range want {
			if want[i] != got[i] {
				differ++
			}
		}
		// Values that are equal but for rounding may be taken in another order; what was taken is compared above.
		if most := len(want) / 20; differ > 0 && (f == integers && p.Norm == nil || p.Kind == plan.DropMask || differ > most+1) {
			t.Errorf("slot %d, %v, %s: %d of %d places differ: %v, want %v", slot, f, what, differ, len(want), head(got), head(want))
		}
	}
	value("dst", p.Dst)
	switch p.Kind {
	case plan.ConvPool, plan.Pool:
		value("arg", p.Arg)
	case plan.Norm:
		value("picked", p.Ref)
		value("arg", p.Arg)
		value("stats", p.Norm.Stats)
	case plan.Moments:
		value("moments", p.Norm.Stats)
	case plan.Loss, plan.Evaluate:
		if err := s.sums(room, sums, p.Kind == plan.Evaluate, b.code.precision); err != nil {
			t.Errorf("slot %d, %v: %v", slot, f, err)
		}
	}
	l := s.plan.Layout
	for _, w := range gradients(p) {
		got := floats(room[s.room.g+4*int64(l.Offsets[w]):][:4*l.Sizes[w]], 4)
		if s.split(p) {
			sum := make([]float64, l.Sizes[w])
			for tile := range (n + cuda.Tile - 1) / cuda.Tile {
				from := s.room.partial + 4*(int64(tile)*int64(s.room.stride)+int64(s.room.splits[w]))
				for i, x := range floats(room[from:][:4*l.Sizes[w]], 4) {
					sum[i] += float64(x)
				}
			}
			for i, x := range sum {
				got[i] = float32(x)
			}
		}
		numbers("gradient of "+l.Weights[w].Name, l.Of(s.g, w), got, 4, limit)
	}
	for _, w := range statistics(p) {
		numbers(l.Weights[w].Name, l.Of(s.w, w), floats(room[s.room.w+4*int64(l.Offsets[w]):][:4*l.Sizes[w]], 4), 4, limit)
	}
}

// head is the beginning of something long.
func head(b []byte) []byte { return b[:min(len(b), 16)] }

// linear tells whether a step is a product of matrices.
func linear(k plan.Kind) bool {
	switch k {
	case plan.Conv, plan.ConvPool, plan.ConvData, plan.ConvPoolGrad, plan.ConvWeights, plan.ConvT, plan.ConvTData, plan.ConvTWeights,
		plan.Dense, plan.DenseData, plan.DenseWeights:
		return true
	}
	return false
}

// tolerance is that of a step; 0: to the bit.
func (b *bench) tolerance(of *step, p plan.Step, f fill) float64 {
	simple := p.Act == kernel.Identity || p.Act == kernel.ReLU
	switch p.Kind {
	case plan.Gather, plan.DropMask, plan.Pool, plan.PoolGrad, plan.Unpool, plan.UnpoolGrad, plan.Copy, plan.Drop:
		if b.code.precision != "bf16" || p.Kind == plan.DropMask {
			return 0 // nothing is added up
		}
	default:
		if (linear(p.Kind) || p.Kind == plan.Add) && f == integers && simple && len(of.plan) == 1 && p.Norm == nil {
			return 0 // every sum of small integers is exact
		}
	}
	return tolerances[b.code.precision]
}

// near compares numbers: within limit parts of the largest of want, which counts as at least floor, or, with limit 0, as a
// value of so many bytes holds them. NaN equals NaN.
func near(want, got []float32, bytes int, limit, floor float64) error {
	scale := floor
	for _, w := range want {
		if a := math.Abs(float64(w)); a > scale && !math.IsInf(a, 0) {
			scale = a
		}
	}
	worst, at := -1.0, 0
	for i, w := range want {
		if limit == 0 {
			w = rounded(w, bytes)
		}
		g := got[i]
		switch {
		case w == g, w != w && g != g:
		case g != g || w != w:
			return fmt.Errorf("number %d of %d is %g, want %g", i, len(want), g, w)
		default:
			if d := math.Abs(float64(w) - float64(g)); d > worst {
				worst, at = d, i
			}
		}
	}
	if worst > limit*scale {
		return fmt.Errorf("number %d of %d is %g, want %g: off by %.2g of the largest, more than %.2g",
			at, len(want), got[at], want[at], worst/scale, limit)
	}
	return nil
}

// sums compares the sums of images with those of the reference, an evaluation's all, a loss's those that the loss is of.
func (s *seat) sums(room []byte, want kernel.Sums, all bool, precision string) error {
	n := len(s.batch.Images)
	var total [cuda.ImageSums]float64
	images := doubles(room[s.room.image:][:8*cuda.ImageSums*n])
	for i, x := range images {
		total[i%cuda.ImageSums] += x
	}
	l := s.plan.Loss
	values := float64(want.Values)
	loss := total[4] / values
	switch l.Kind {
	case kernel.MAE:
		loss = total[5] / values
	case kernel.MSESSIM:
		loss = (1-l.SSIMWeight)*total[4]/values + l.SSIMWeight*(1-total[6]/float64(n))
	}
	// Sums of float32 numbers in float64 or, of SSIM's windows, in float32.
	const limit = 2e-5
	off := func(what string, got, want, scale float64) error {
		if math.IsNaN(got) != math.IsNaN(want) || math.Abs(got-want) > limit*max(math.Abs(want), scale) {
			return fmt.Errorf("%s is %g, want %g", what, got, want)
		}
		return nil
	}
	if err := off("the loss", loss, want.Loss, 0.1); err != nil || !all {
		return err
	}
	for i, w := range []float64{want.SE, want.AE, want.SSIM} {
		if err := off([]string{"SE", "AE", "SSIM"}[i], total[i], w, 0.1*float64(n)); err != nil {
			return err
		}
	}
	if int(total[3]) != want.Within {
		return fmt.Errorf("%g values are within, want %d", total[3], want.Within)
	}
	return nil
}
