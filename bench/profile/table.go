package main

import (
	"fmt"
	"io"
	"slices"
	"time"

	"sweep/trainer/plan"
)

// flop counts the multiplications and additions of step i for n images as it is defined, 0 for what is no product of
// matrices.
func flop(p *plan.Program, i, n int) float64 {
	s := p.Steps[i]
	at := func(v int) plan.Value {
		if v == plan.None {
			return plan.Value{}
		}
		return p.Values[v]
	}
	dst, src, ref := at(s.Dst), at(s.Src), at(s.Ref)
	taps := s.Side * s.Side
	if taps == 0 {
		taps = 4 // a transposed convolution 2x2 names no side
	}
	product := func(h, w, a, b int) float64 { return 2 * float64(n) * float64(h*w) * float64(a) * float64(b) }
	switch s.Kind {
	case plan.Conv, plan.ConvPool, plan.ConvData:
		return product(src.H, src.W, src.C, dst.C) * float64(taps)
	case plan.ConvWeights:
		return product(src.H, src.W, src.C, ref.C) * float64(taps)
	case plan.ConvPoolGrad:
		f := product(ref.H, ref.W, src.C, ref.C) * float64(taps)
		if s.Dst != plan.None {
			f *= 2
		}
		return f
	case plan.ConvT:
		return product(src.H, src.W, src.C, dst.C) * float64(taps)
	case plan.ConvTData:
		return product(dst.H, dst.W, src.C, dst.C) * float64(taps)
	case plan.ConvTWeights:
		return product(ref.H, ref.W, src.C, ref.C) * float64(taps)
	case plan.Dense, plan.DenseData:
		return product(1, 1, src.C*max(1, src.H*src.W), dst.C*max(1, dst.H*dst.W))
	case plan.DenseWeights:
		return product(1, 1, src.C*max(1, src.H*src.W), ref.C*max(1, ref.H*ref.W))
	}
	return 0
}

// needed is that part of a step's flop that is no product with a zero known beforehand: a gradient that comes back through
// a pooling is 0 in three of four places.
func needed(p *plan.Program, i, n int) float64 {
	if p.Steps[i].Kind == plan.ConvPoolGrad {
		return flop(p, i, n) / 4
	}
	return flop(p, i, n)
}

// bytes counts what step i for n images reads and writes of values, weights left out.
func bytes(p *plan.Program, i, n int) float64 {
	s := p.Steps[i]
	sum := 0.0
	for _, v := range []int{s.Dst, s.Src, s.Ref} {
		if v != plan.None {
			sum += 4 * float64(n) * float64(p.Values[v].H*p.Values[v].W*p.Values[v].C)
		}
	}
	if s.Arg != plan.None {
		v := p.Values[s.Arg]
		sum += float64(n) * float64(v.H*v.W*v.C)
	}
	return sum
}

func (t *timer) print(out io.Writer) {
	p := t.program
	roof := 0.0
	if len(t.roof) > 0 {
		roof = median(t.roof)
	}
	each := make([]time.Duration, len(t.times))
	whole := time.Duration(0)
	for i, x := range t.times {
		each[i] = median(x)
		whole += each[i]
	}
	fmt.Fprintf(out, "Batch %d, %s, median of %d steps; an FMA loop reaches %.1f GFLOP/s between them.\n\n", t.c.Batch, t.k.Name(), len(t.times[0]), roof)
	fmt.Fprintf(out, "| step | µs | share of the time, %% | GFLOP/s | of the FMA loop, %% | µs over the FMA loop's | GB/s |\n")
	fmt.Fprintf(out, "| --- | --- | --- | --- | --- | --- | --- |\n")
	defined, total, products := 0.0, 0.0, time.Duration(0)
	for i, d := range each {
		fmt.Fprintf(out, "| %s | %.0f | %.1f | ", t.names[i], 1e6*d.Seconds(), 100*d.Seconds()/whole.Seconds())
		switch {
		case i >= len(p.Steps): // over all weights: read one array, or read four and write three
			arrays := 1.0
			if i > len(p.Steps) {
				arrays = 7
			}
			fmt.Fprintf(out, "| | | %.1f |\n", 4*arrays*float64(p.Layout.Trained)/d.Seconds()/1e9)
		case flop(p, i, t.c.Batch) > 0:
			f := needed(p, i, t.c.Batch)
			defined += flop(p, i, t.c.Batch)
			total += f
			products += d
			fmt.Fprintf(out, "%.1f | %s | %s | |\n", f/d.Seconds()/1e9, percent(f/d.Seconds()/1e9, roof), above(d, f, roof))
		default:
			fmt.Fprintf(out, "| | | %.1f |\n", bytes(p, i, t.c.Batch)/d.Seconds()/1e9)
		}
	}
	rate := total / whole.Seconds() / 1e9
	fmt.Fprintf(out, "| all | %.0f | 100 | %.1f | %s | %s | |\n", 1e6*whole.Seconds(), rate, percent(rate, roof), above(whole, total, roof))
	n := 1e6 * float64(t.c.Batch)
	fmt.Fprintf(out, "\nAn image takes %.2f MFLOP in products of matrices as they are defined; %.2f are left without those of zeros behind a "+
		"pooling, and take %.0f %% of the time. %.0f images/s.\n",
		defined/n, total/n, 100*products.Seconds()/whole.Seconds(), float64(t.c.Batch)/whole.Seconds())
}

// above is how much longer d is than flop would take on the roof, in µs.
func above(d time.Duration, flop, roof float64) string {
	if roof == 0 {
		return ""
	}
	return fmt.Sprintf("%.0f", 1e6*d.Seconds()-flop/roof/1e3)
}

func percent(x, of float64) string {
	if of == 0 {
		return ""
	}
	return fmt.Sprintf("%.0f", 100*x/of)
}

func median[T float64 | time.Duration](x []T) T {
	s := slices.Sorted(slices.Values(x))
	n := len(s)
	return (s[(n-1)/2] + s[n/2]) / 2
}
