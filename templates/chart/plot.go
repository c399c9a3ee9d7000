package chart

import (
	"math"
	"strconv"
)

// Unit is the width and height of the box that the paths of a [Plot] are drawn in. A page stretches it to any size with
// preserveAspectRatio="none" and strokes that do not scale, and sets the labels of the ticks beside it in per cent, so
// that text keeps its size.
const Unit = 1000

// Series is one line of a plot.
type Series struct {
	Name   string
	Points []Point // rising in X
	Color  int     // which of the page's series colours, from 0
	Mark   *Point  // drawn as a dot: the best
	Faint  bool    // drawn thinner, behind
}

// Options are the choices that the reader of a plot has.
type Options struct {
	Log    bool // logarithmic y, where every value allows it
	XTicks int  // about how many; 0: 6
	YTicks int  // about how many; 0: 4
	Whole  bool // x counts something: ticks at whole numbers only
}

// Plot is the geometry of a line chart.
type Plot struct {
	X, Y           Scale
	XTicks, YTicks []Tick
	Lines          []Line
	Log            bool // y is logarithmic: Options.Log, and at least one value above 0
	Hidden         int  // samples that a logarithmic y cannot show
}

// Line is the geometry of one series in a box of Unit by Unit.
type Line struct {
	Series
	D    string // the path, empty when nothing of the series can be shown
	Dot  string // the path of the mark
	Last float64
}

// Empty reports whether there is nothing to draw.
func (p Plot) Empty() bool {
	for _, l := range p.Lines {
		if l.D != "" {
			return false
		}
	}
	return true
}

// NewPlot lays out series. The x axis spans all their points, the y axis all their finite values.
func NewPlot(series []Series, o Options) Plot {
	var all [][]Point
	xlo, xhi := math.Inf(1), math.Inf(-1)
	for _, s := range series {
		all = append(all, s.Points)
		for _, p := range s.Points {
			xlo, xhi = math.Min(xlo, p.X), math.Max(xhi, p.X)
		}
	}
	var p Plot
	if o.Log {
		if lo, hi, ok := Extent(true, all...); ok {
			p.Y, p.Log = Log(lo, hi), true
		}
	}
	if !p.Log {
		lo, hi, _ := Extent(false, all...)
		p.Y = Linear(lo, hi).Nice(orElse(o.YTicks, 4))
	}
	p.X = Linear(xlo, xhi)
	p.YTicks = p.Y.Ticks(orElse(o.YTicks, 4))
	for _, t := range p.X.Ticks(orElse(o.XTicks, 6)) {
		if o.Whole {
			if t.Value != math.Trunc(t.Value) || t.Value < xlo || t.Value > xhi {
				continue
			}
			t.Label = strconv.FormatFloat(t.Value, 'f', 0, 64)
		}
		p.XTicks = append(p.XTicks, t)
	}
	for _, s := range series {
		l := Line{Series: s, D: Path(MinMax(s.Points, Unit/2), p.X, p.Y, Unit, Unit), Last: math.NaN()}
		if s.Mark != nil {
			l.Dot = Path([]Point{*s.Mark}, p.X, p.Y, Unit, Unit)
		}
		for _, q := range s.Points {
			if p.Log && finite(q.Y) && q.Y <= 0 {
				p.Hidden++
			}
			if finite(q.Y) {
				l.Last = q.Y
			}
		}
		p.Lines = append(p.Lines, l)
	}
	return p
}

func orElse(n, other int) int {
	if n > 0 {
		return n
	}
	return other
}
