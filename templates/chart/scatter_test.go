package chart_test

import (
	"math"
	"strings"
	"testing"

	"sweep/templates/chart"
)

func pairs(xy ...float64) []chart.Point {
	var out []chart.Point
	for i := 0; i < len(xy); i += 2 {
		out = append(out, chart.Point{X: xy[i], Y: xy[i+1]})
	}
	return out
}

func TestScatter(t *testing.T) {
	nan := math.NaN()
	groups := []chart.Series{
		{Name: "mse", Points: pairs(64, 0.02, 128, 0.012, 128, 0.011, 512, 0.008)},
		{Name: "mae", Points: pairs(64, 0.03, 256, nan, 512, math.Inf(1))},
	}
	lines := []chart.Series{{Name: "pca-k", Points: pairs(64, 0.0083, 128, 0.005, 512, 0.001, 1024, 0.0009)}}
	s := chart.NewScatter(groups, lines, chart.ScatterOptions{LogX: true, LogY: true})
	if !s.LogX || !s.LogY || s.Hidden != 2 || s.Empty() {
		t.Errorf("logarithmic %v, %v, hidden %d, empty %v", s.LogX, s.LogY, s.Hidden, s.Empty())
	}
	for i, g := range s.Dots {
		if len(g) != len(groups[i].Points) {
			t.Fatalf("group %d has %d dots", i, len(g))
		}
		for j, d := range g {
			if want := groups[i].Points[j].Y < 1; d.Shown != want {
				t.Errorf("dot %d of group %d: shown %v", j, i, d.Shown)
			} else if want && !(d.X > 0.03 && d.X < 0.97 && d.Y > 0.03 && d.Y < 0.97) {
				t.Errorf("dot %d of group %d lies at %g, %g: no margin", j, i, d.X, d.Y)
			}
		}
	}
	// 64, 128 and 512 are a third and two thirds of the logarithmic width apart; less is lower.
	a, b, c := s.Dots[0][0], s.Dots[0][1], s.Dots[0][3]
	if r := (b.X - a.X) / (c.X - a.X); math.Abs(r-1.0/3) > 1e-9 || !(a.Y < b.Y && b.Y < c.Y) {
		t.Errorf("dots at %v %v %v", a, b, c)
	}
	var ticks []string
	for _, k := range s.XTicks {
		ticks = append(ticks, k.Label)
	}
	if got := strings.Join(ticks, " "); got != "64 128 256 512 1024" {
		t.Errorf("the ticks of x are %s, want its values", got)
	}
	if n := strings.Count(s.Clouds[0], "M"); n != 4 || strings.Count(s.Lines[0].D, "L") != 3 {
		t.Errorf("paths %q, %q", s.Clouds[0], s.Lines[0].D)
	}
}

func TestScatterFallsBack(t *testing.T) {
	for _, c := range []struct {
		name   string
		groups []chart.Series
		logY   bool
		hidden int
		empty  bool
	}{
		{"nothing", nil, false, 0, true},
		{"no finite value", []chart.Series{{Points: pairs(1, math.NaN())}}, false, 1, true},
		{"no value above 0", []chart.Series{{Points: pairs(1, -1, 2, 0)}}, false, 0, false},
		{"some above 0", []chart.Series{{Points: pairs(1, -1, 2, 3)}}, true, 1, false},
		{"one point", []chart.Series{{Points: pairs(5, 5)}}, true, 0, false},
	} {
		s := chart.NewScatter(c.groups, nil, chart.ScatterOptions{LogX: true, LogY: true})
		if s.LogY != c.logY || s.Hidden != c.hidden || s.Empty() != c.empty {
			t.Errorf("%s: logarithmic %v, hidden %d, empty %v", c.name, s.LogY, s.Hidden, s.Empty())
		}
		for _, d := range s.Clouds {
			if strings.Contains(d, "NaN") || strings.Contains(d, "Inf") {
				t.Errorf("%s: path %q", c.name, d)
			}
		}
	}
	var many []float64
	for i := range 40 {
		many = append(many, float64(64+11*i), 0.01)
	}
	s := chart.NewScatter([]chart.Series{{Points: pairs(many...)}}, nil, chart.ScatterOptions{})
	if n := len(s.XTicks); n < 3 || n > 9 || s.LogX {
		t.Errorf("%d ticks over 40 values", n)
	}
}
