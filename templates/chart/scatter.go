package chart

import (
	"math"
	"slices"
)

// Dot is the place of a point in the box of a [Scatter]: shares of its width from the left and of its height from the top.
type Dot struct {
	X, Y  float64
	Shown bool // false: the point has no place on these scales
}

// Scatter is the geometry of groups of dots with lines among them.
type Scatter struct {
	X, Y           Scale
	XTicks, YTicks []Tick
	Dots           [][]Dot  // of each group, in the order of its points
	Clouds         []string // of each group, all its dots as one path in a box of Unit by Unit
	Lines          []Line   // in a box of Unit by Unit
	LogX, LogY     bool     // the scales that were possible
	Hidden         int      // points of groups without a place
}

// Empty reports whether there is no dot.
func (s Scatter) Empty() bool {
	return !slices.ContainsFunc(s.Clouds, func(d string) bool { return d != "" })
}

// ScatterOptions are the choices that the reader of a scatter has. A logarithmic scale is used where a value is above 0.
type ScatterOptions struct{ LogX, LogY bool }

const (
	scatterMargin = 0.04 // of the box beside the outermost dots
	namedTicks    = 10   // up to so many different values of x, they are the ticks
	tickDistance  = 0.045
)

// NewScatter lays out groups of points and lines; the axes span the finite values of both. Where x has few different
// values, they are its ticks.
func NewScatter(groups, lines []Series, o ScatterOptions) Scatter {
	var s Scatter
	var points, turned []Point
	all := slices.Concat(groups, lines)
	for i, g := range all {
		for _, p := range g.Points {
			if !finite(p.X) || !finite(p.Y) {
				if i < len(groups) {
					s.Hidden++
				}
				continue
			}
			points = append(points, p)
			turned = append(turned, Point{p.Y, p.X})
		}
	}
	x, logX := axis(turned, o.LogX)
	y, logY := axis(points, o.LogY)
	s.X, s.Y, s.LogX, s.LogY = x, y, logX, logY
	s.XTicks, s.YTicks = xTicks(x, all), inside(y.Ticks(5))
	for _, g := range groups {
		dots := make([]Dot, len(g.Points))
		apart := make([]Point, 0, 2*len(g.Points))
		for i, p := range g.Points {
			if dots[i] = s.Dot(p); dots[i].Shown {
				apart = append(apart, p, Point{p.X, math.NaN()})
			} else if finite(p.X) && finite(p.Y) {
				s.Hidden++
			}
		}
		s.Dots = append(s.Dots, dots)
		s.Clouds = append(s.Clouds, Path(apart, x, y, Unit, Unit))
	}
	for _, l := range lines {
		s.Lines = append(s.Lines, Line{Series: l, D: Path(l.Points, x, y, Unit, Unit)})
	}
	return s
}

// Dot is the place of a point.
func (s Scatter) Dot(p Point) Dot {
	d := Dot{X: s.X.At(p.X), Y: 1 - s.Y.At(p.Y)}
	d.Shown = finite(d.X) && finite(d.Y)
	return d
}

// axis is the scale of the Y of points, with a margin.
func axis(points []Point, logarithmic bool) (Scale, bool) {
	if logarithmic {
		if lo, hi, ok := Extent(true, points); ok {
			return Log(lo, hi).margin(scatterMargin), true
		}
	}
	lo, hi, _ := Extent(false, points)
	return Linear(lo, hi).margin(scatterMargin), false
}

// margin widens the domain by a share of its width at both ends.
func (s Scale) margin(share float64) Scale {
	pad := (s.hi - s.lo) * share
	s.lo, s.hi = s.lo-pad, s.hi+pad
	return s
}

func xTicks(x Scale, series []Series) []Tick {
	var values []float64
	for _, g := range series {
		for _, p := range g.Points {
			if finite(x.At(p.X)) {
				values = append(values, p.X)
			}
		}
	}
	slices.Sort(values)
	if values = slices.Compact(values); len(values) == 0 || len(values) > namedTicks {
		return inside(x.Ticks(6))
	}
	var out []Tick
	for _, v := range values {
		if at := x.At(v); len(out) == 0 || at-out[len(out)-1].At >= tickDistance {
			out = append(out, Tick{v, at, Label(v)})
		}
	}
	return out
}

// inside drops ticks that rounding put outside the box.
func inside(ticks []Tick) []Tick {
	return slices.DeleteFunc(ticks, func(t Tick) bool { return !(t.At >= 0 && t.At <= 1) })
}
