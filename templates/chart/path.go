package chart

import (
	"math"
	"strconv"
)

// Path returns the `d` of the line through points in a box of w by h units, y downwards. A gap starts a new piece; a
// piece of one point is a line of no length, which round caps draw as a dot. Values outside a scale are held at the
// box's edge.
func Path(points []Point, x, y Scale, w, h float64) string {
	var b []byte
	run := 0 // points of the current piece
	for i, p := range points {
		px, py := x.At(p.X)*w, (1-y.At(p.Y))*h
		if !finite(px) || !finite(py) {
			run = 0
			continue
		}
		px, py = clamp(px, w), clamp(py, h)
		if run == 0 {
			b = coordinates(append(b, 'M'), px, py)
			if i+1 == len(points) || !finite(y.At(points[i+1].Y)) {
				b = append(b, "h0"...)
			}
		} else {
			b = coordinates(append(b, 'L'), px, py)
		}
		run++
	}
	return string(b)
}

// StepPath is [Path] for a value that holds until the next point, drawn on to the right edge of the box.
func StepPath(points []Point, x, y Scale, w, h float64) string {
	var b []byte
	for _, p := range points {
		px, py := x.At(p.X)*w, (1-y.At(p.Y))*h
		if !finite(px) || !finite(py) {
			continue
		}
		px, py = clamp(px, w), clamp(py, h)
		if len(b) == 0 {
			b = coordinates(append(b, 'M'), px, py)
			continue
		}
		b = number(append(b, 'H'), px)
		b = number(append(b, 'V'), py)
	}
	if len(b) > 0 {
		b = number(append(b, 'H'), w)
	}
	return string(b)
}

// Sparkline returns the path of values, evenly spaced in a box of w by h units, filling its height. Values that are all
// above 0 are drawn on a logarithmic scale, so that a steep beginning does not flatten the rest.
func Sparkline(values []float64, w, h float64) string {
	points := make([]Point, len(values))
	for i, v := range values {
		points[i] = Point{float64(i), v}
	}
	lo, hi, ok := Extent(false, points)
	if !ok {
		return ""
	}
	y := Linear(lo, hi)
	if lo > 0 {
		y = Log(lo, hi)
	}
	return Path(MinMax(points, int(w)), Linear(0, math.Max(1, float64(len(values)-1))), y, w, h)
}

// BestSoFar returns the running best of points, one point where it first holds and one at each improvement.
func BestSoFar(points []Point, better func(a, b float64) bool) []Point {
	var out []Point
	for _, p := range points {
		if !finite(p.Y) {
			continue
		}
		if len(out) == 0 || better(p.Y, out[len(out)-1].Y) {
			out = append(out, p)
		}
	}
	return out
}

// MinMax thins points, which rise in X, to at most four a bucket: the first, the least, the greatest and the last of
// each of so many buckets of equal count, so that no spike is lost. Gaps between buckets are kept.
func MinMax(points []Point, buckets int) []Point {
	buckets = max(buckets, 1)
	if len(points) <= 4*buckets {
		return points
	}
	var out []Point
	for i := range buckets {
		part := points[i*len(points)/buckets : (i+1)*len(points)/buckets]
		lo, hi, gap := -1, -1, -1
		for j, p := range part {
			switch {
			case !finite(p.Y):
				gap = j
			case lo < 0:
				lo, hi = j, j
			default:
				if p.Y < part[lo].Y {
					lo = j
				}
				if p.Y > part[hi].Y {
					hi = j
				}
			}
		}
		if lo < 0 { // nothing but a gap
			out = append(out, part[gap])
			continue
		}
		last := -1
		for _, j := range [...]int{0, min(lo, hi), max(lo, hi), len(part) - 1} {
			if j > last {
				out, last = append(out, part[j]), j
			}
		}
	}
	return out
}

func clamp(v, size float64) float64 { return math.Min(math.Max(v, 0), size) }

func coordinates(b []byte, x, y float64) []byte {
	return number(append(number(b, x), ' '), y)
}

// number appends v with at most one decimal.
func number(b []byte, v float64) []byte {
	v = math.Round(v*10) / 10
	return strconv.AppendFloat(b, v+0, 'f', -1, 64) // +0 turns -0 into 0
}
