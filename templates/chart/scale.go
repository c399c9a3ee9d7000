// Package chart turns series of numbers into SVG geometry: scales, ticks, paths, sparklines and whole documents.
//
// It promises pure functions of their arguments: no clock, no randomness, no I/O; NaN and infinities are gaps, never
// coordinates; and every path stays inside the box that it was asked for.
package chart

import (
	"math"
	"strconv"
	"strings"
)

// Point is one sample of a series. A NaN or infinite Y is a gap.
type Point struct{ X, Y float64 }

// Scale maps a domain of values onto [0, 1].
type Scale struct {
	lo, hi float64 // of the domain, in the logarithm when log
	step   float64 // between ticks, once Nice has chosen it
	log    bool
}

// Linear returns the scale that maps lo to 0 and hi to 1. A domain without width is widened around its value.
func Linear(lo, hi float64) Scale {
	if !finite(lo) || !finite(hi) {
		lo, hi = 0, 1
	}
	if lo == hi {
		pad := math.Abs(lo) * 0.1
		if pad == 0 {
			pad = 1
		}
		lo, hi = lo-pad, hi+pad
	}
	return Scale{lo: lo, hi: hi}
}

// Log returns the logarithmic scale that maps lo to 0 and hi to 1. Where lo is not above 0 it falls back to [Linear].
func Log(lo, hi float64) Scale {
	if !(lo > 0) || !finite(hi) || hi < lo {
		return Linear(lo, hi)
	}
	if lo == hi {
		lo, hi = lo/2, hi*2
	}
	return Scale{lo: math.Log10(lo), hi: math.Log10(hi), log: true}
}

// Logarithmic reports whether s is logarithmic.
func (s Scale) Logarithmic() bool { return s.log }

// At maps v; values outside the domain land outside [0, 1], and what has no place (NaN, or v ≤ 0 on a logarithmic
// scale) is NaN.
func (s Scale) At(v float64) float64 {
	if s.log {
		if v <= 0 {
			return math.NaN()
		}
		v = math.Log10(v)
	}
	if !finite(v) {
		return math.NaN()
	}
	return (v - s.lo) / (s.hi - s.lo)
}

// Nice widens s to the ticks around its ends, as [Scale.Ticks] would set them for about n ticks.
func (s Scale) Nice(n int) Scale {
	if s.log {
		return s
	}
	step := niceStep(s.hi-s.lo, n)
	s.lo, s.hi, s.step = math.Floor(s.lo/step+1e-9)*step, math.Ceil(s.hi/step-1e-9)*step, step
	return s
}

// Tick is a labelled place on a scale.
type Tick struct {
	Value float64
	At    float64 // in [0, 1]
	Label string
}

// Ticks returns about n ticks at round values inside the domain, rising. A logarithmic scale over several decades has
// them at powers of ten, over one at 1, 2 and 5, over less where a linear scale would.
func (s Scale) Ticks(n int) []Tick {
	n = max(n, 2)
	if !s.log {
		return s.linearTicks(s.lo, s.hi, n)
	}
	lo, hi := math.Pow(10, s.lo), math.Pow(10, s.hi)
	var factors []float64
	switch decades := s.hi - s.lo; {
	case decades < 0.9:
		return s.linearTicks(lo, hi, n+2) // they crowd at the upper end, so that fewer would leave the lower one bare
	case decades < 2.5:
		factors = []float64{1, 2, 5}
	default:
		factors = []float64{1}
	}
	var out []Tick
	first, last := int(math.Floor(s.lo)), int(math.Ceil(s.hi))
	stride := max(1, (last-first)/max(n, 1))
	for e := first; e <= last; e += stride {
		for _, f := range factors {
			v := f * math.Pow(10, float64(e))
			if at := s.At(v); at > -1e-9 && at < 1+1e-9 {
				out = append(out, Tick{v, at, Label(v)})
			}
		}
	}
	return out
}

func (s Scale) linearTicks(lo, hi float64, n int) []Tick {
	step := s.step
	if step == 0 {
		step = niceStep(hi-lo, n)
	}
	decimals := max(0, int(math.Ceil(-math.Log10(step)-1e-9)))
	var out []Tick
	for i := math.Ceil(lo/step - 1e-9); i*step <= hi+step*1e-9; i++ {
		v := i*step + 0 // +0 turns -0 into 0
		label := strconv.FormatFloat(v, 'f', decimals, 64)
		if big := math.Max(math.Abs(lo), math.Abs(hi)); big >= 1e6 || big < 1e-3 {
			label = Label(v)
		}
		out = append(out, Tick{v, s.At(v), label})
	}
	return out
}

// niceStep returns 1, 2 or 5 times a power of ten so that width holds about n of it.
func niceStep(width float64, n int) float64 {
	raw := width / float64(max(n, 1))
	if !(raw > 0) || !finite(raw) {
		return 1
	}
	mag := math.Pow(10, math.Floor(math.Log10(raw)))
	switch r := raw / mag; {
	case r < 1.2:
		return mag
	case r < 2.6:
		return 2 * mag
	case r < 6:
		return 5 * mag
	}
	return 10 * mag
}

// Label prints a tick's value shortly: plain between 0.001 and a million, else with an exponent of ten.
func Label(v float64) string {
	if a := math.Abs(v); a != 0 && (a < 1e-3 || a >= 1e6) {
		mantissa, _, _ := strings.Cut(Scientific(v, 3), "e")
		return strings.TrimRight(strings.TrimRight(mantissa, "0"), ".") + Scientific(v, 3)[len(mantissa):]
	}
	s := strconv.FormatFloat(v, 'g', 4, 64)
	if strings.Contains(s, "e") { // five or six digits before the point
		s = strconv.FormatFloat(v, 'f', 0, 64)
	}
	return s
}

// Scientific prints v with so many digits and the shortest exponent: 5.00e-4.
func Scientific(v float64, digits int) string {
	s := strconv.FormatFloat(v, 'e', digits-1, 64)
	mantissa, exponent, ok := strings.Cut(s, "e")
	e, err := strconv.Atoi(exponent)
	if !ok || err != nil { // NaN and the infinities
		return s
	}
	return mantissa + "e" + strconv.Itoa(e)
}

// Extent returns the least and the greatest finite Y of all series, only those above 0 when positive is set. ok is
// false when there is none.
func Extent(positive bool, series ...[]Point) (lo, hi float64, ok bool) {
	lo, hi = math.Inf(1), math.Inf(-1)
	for _, points := range series {
		for _, p := range points {
			if !finite(p.Y) || positive && p.Y <= 0 {
				continue
			}
			lo, hi, ok = math.Min(lo, p.Y), math.Max(hi, p.Y), true
		}
	}
	return lo, hi, ok
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }
