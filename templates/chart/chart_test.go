package chart_test

import (
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sweep/templates/chart"
)

var update = flag.Bool("update", false, "rewrite the golden files")

var nan = math.NaN()

func points(ys ...float64) []chart.Point {
	out := make([]chart.Point, len(ys))
	for i, y := range ys {
		out[i] = chart.Point{X: float64(i), Y: y}
	}
	return out
}

func TestTicks(t *testing.T) {
	for _, tt := range []struct {
		name  string
		scale chart.Scale
		n     int
		want  string
	}{
		{"unit", chart.Linear(0, 1), 5, "0.0 0.2 0.4 0.6 0.8 1.0"},
		{"small", chart.Linear(0.0131, 0.0152), 4, "0.0135 0.0140 0.0145 0.0150"},
		{"tiny", chart.Linear(0, 0.0004), 4, "0 1e-4 2e-4 3e-4 4e-4"},
		{"negative", chart.Linear(-1, 1), 4, "-1.0 -0.5 0.0 0.5 1.0"},
		{"epochs", chart.Linear(1, 10), 6, "2 4 6 8 10"},
		{"no width", chart.Linear(5, 5), 4, "4.6 4.8 5.0 5.2 5.4"},
		{"decades", chart.Log(1e-5, 1), 6, "1e-5 1e-4 0.001 0.01 0.1 1"},
		{"large", chart.Log(10, 2e6), 6, "10 100 1000 10000 100000 1e6"},
		{"one decade", chart.Log(0.01, 0.3), 4, "0.01 0.02 0.05 0.1 0.2"},
		{"part of a decade", chart.Log(0.012, 0.03), 4, "0.015 0.020 0.025 0.030"},
		{"log of nothing", chart.Log(0, 1), 5, "0.0 0.2 0.4 0.6 0.8 1.0"},
		{"not finite", chart.Linear(math.Inf(-1), nan), 2, "0.0 0.5 1.0"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var labels []string
			last := math.Inf(-1)
			for _, tick := range tt.scale.Ticks(tt.n) {
				labels = append(labels, tick.Label)
				if tick.At < -1e-6 || tick.At > 1+1e-6 || tick.Value <= last {
					t.Errorf("tick %+v is outside or out of order", tick)
				}
				last = tick.Value
			}
			if d := cmp.Diff(tt.want, strings.Join(labels, " ")); d != "" {
				t.Errorf("(-want +got)\n%s", d)
			}
		})
	}
}

func TestScaleAt(t *testing.T) {
	for _, tt := range []struct {
		name  string
		scale chart.Scale
		v     float64
		want  float64
	}{
		{"middle", chart.Linear(0, 10), 5, 0.5},
		{"outside", chart.Linear(0, 10), 20, 2},
		{"log middle", chart.Log(1, 100), 10, 0.5},
		{"log of zero", chart.Log(1, 100), 0, nan},
		{"nan", chart.Linear(0, 1), nan, nan},
		{"infinite", chart.Linear(0, 1), math.Inf(1), nan},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := tt.scale.At(tt.v)
			if math.IsNaN(got) != math.IsNaN(tt.want) || math.Abs(got-tt.want) > 1e-12 {
				t.Errorf("At(%v) = %v, want %v", tt.v, got, tt.want)
			}
		})
	}
}

func TestPath(t *testing.T) {
	x, y := chart.Linear(0, 4), chart.Linear(0, 1)
	for _, tt := range []struct {
		name   string
		points []chart.Point
		want   string
	}{
		{"none", nil, ""},
		{"line, y upwards", points(0, 1, 0.5), "M0 100L25 0L50 50"},
		{"gap", points(0, nan, 1, 1), "M0 100h0M50 0L75 0"},
		{"lone end", points(nan, nan, 1), "M50 0h0"},
		{"held at the edge", points(-3, 9), "M0 100L25 0"},
		{"infinite", points(math.Inf(1), 0), "M25 100h0"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if d := cmp.Diff(tt.want, chart.Path(tt.points, x, y, 100, 100)); d != "" {
				t.Errorf("(-want +got)\n%s", d)
			}
		})
	}
	if got, want := chart.StepPath(points(1, 0.5), x, y, 100, 100), "M0 0H25V50H100"; got != want {
		t.Errorf("StepPath = %q, want %q", got, want)
	}
}

func TestSparkline(t *testing.T) {
	for _, tt := range []struct {
		name   string
		values []float64
		want   string
	}{
		{"none", nil, ""},
		{"only nan", []float64{nan, nan}, ""},
		{"falling, logarithmic", []float64{100, 10, 1}, "M0 0L40 10L80 20"},
		{"with zero, linear", []float64{0, 5, 10}, "M0 20L40 10L80 0"},
		{"one", []float64{3}, "M0 10h0"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if d := cmp.Diff(tt.want, chart.Sparkline(tt.values, 80, 20)); d != "" {
				t.Errorf("(-want +got)\n%s", d)
			}
		})
	}
}

// The best value so far falls when less is better: its line must go down the page, that is to a greater y.
func TestBestSoFarIsDrawnTheRightWayUp(t *testing.T) {
	best := chart.BestSoFar(points(0.9, nan, 0.5, 0.7, 0.2), func(a, b float64) bool { return a < b })
	if d := cmp.Diff([]chart.Point{{X: 0, Y: 0.9}, {X: 2, Y: 0.5}, {X: 4, Y: 0.2}}, best); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
	if got, want := chart.StepPath(best, chart.Linear(0, 4), chart.Linear(0.2, 0.9), 100, 70), "M0 0H50V40H100V70H100"; got != want {
		t.Errorf("path %q, want %q", got, want)
	}
}

func TestMinMaxKeepsEnds(t *testing.T) {
	ys := make([]float64, 10000)
	for i := range ys {
		ys[i] = math.Sin(float64(i) / 500)
	}
	ys[4321], ys[7777] = 9, -9
	for i := 2000; i < 2400; i++ {
		ys[i] = nan
	}
	in := points(ys...)
	out := chart.MinMax(in, 100)
	if len(out) > 400 {
		t.Errorf("%d points left, want at most 400", len(out))
	}
	lo, hi, _ := chart.Extent(false, out)
	if lo != -9 || hi != 9 {
		t.Errorf("extent %v to %v, want -9 to 9", lo, hi)
	}
	gap := false
	for i, p := range out {
		gap = gap || math.IsNaN(p.Y)
		if i > 0 && p.X <= out[i-1].X {
			t.Fatalf("x does not rise at %d", i)
		}
	}
	if !gap {
		t.Error("the gap was drawn over")
	}
	if out[0] != in[0] || out[len(out)-1] != in[len(in)-1] {
		t.Error("an end was lost")
	}
	if short := chart.MinMax(in[:50], 100); len(short) != 50 {
		t.Errorf("a short series was thinned to %d", len(short))
	}
}

func TestPlot(t *testing.T) {
	p := chart.NewPlot([]chart.Series{{Name: "a", Points: points(0, 1, 10)}, {Name: "b", Points: points(nan, nan, nan)}}, chart.Options{Log: true})
	if !p.Log || p.Hidden != 1 || p.Lines[1].D != "" || p.Empty() {
		t.Errorf("plot %+v", p)
	}
	if p := chart.NewPlot([]chart.Series{{Points: points(-1, -2)}}, chart.Options{Log: true}); p.Log || p.Empty() {
		t.Errorf("a series without positive values has no logarithmic plot: %+v", p)
	}
	if p := chart.NewPlot(nil, chart.Options{}); !p.Empty() {
		t.Errorf("a plot of nothing is not empty: %+v", p)
	}
}

func TestCurvesSVG(t *testing.T) {
	train, val := points(0.9, 0.5, 0.3, 0.2, 0.15), points(0.95, 0.6, nan, 0.4, 0.42)
	for i := range train {
		train[i].X++
		val[i].X++
	}
	many := chart.Panel{Title: "many <series> & signs", Log: true}
	for i := range 10 {
		many.Series = append(many.Series, chart.Series{Name: fmt.Sprintf("trial %d", i), Color: i, Points: points(1, 1/float64(i+2), 0.01*float64(i+1))})
	}
	for _, tt := range []struct {
		name   string
		panels []chart.Panel
	}{
		{"loss", []chart.Panel{
			{Title: "Loss", Series: []chart.Series{{Name: "train_loss", Points: train}, {Name: "val_loss", Points: val, Color: 1, Mark: &val[3]}}},
			{Title: "val_psnr", Series: []chart.Series{{Name: "val_psnr", Points: points(12, 14.5, 15)}}},
			{Title: "left out", Series: []chart.Series{{Name: "nothing", Points: points(nan)}}},
		}},
		{"many", []chart.Panel{many}},
		{"empty", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := chart.CurvesSVG("Trial 7 of lr & <co>", tt.panels)
			dec := xml.NewDecoder(strings.NewReader(string(got)))
			for {
				if _, err := dec.Token(); errors.Is(err, io.EOF) {
					break
				} else if err != nil {
					t.Fatalf("not XML: %v", err)
				}
			}
			file := filepath.Join("testdata", "curves-"+tt.name+".svg")
			if *update {
				if err := os.WriteFile(file, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(string(want), string(got)); d != "" {
				t.Errorf("%s differs; -update rewrites it (-want +got)\n%s", file, d)
			}
		})
	}
}

func FuzzSparkline(f *testing.F) {
	f.Add(1.0, 2.0, 3.0)
	f.Add(0.0, math.Inf(1), nan)
	f.Add(1e-320, 1e308, -1e308)
	f.Fuzz(func(t *testing.T, a, b, c float64) {
		if d := chart.Sparkline([]float64{a, b, c}, 80, 20); strings.ContainsAny(d, "NIa") {
			t.Errorf("Sparkline(%v, %v, %v) = %q", a, b, c, d)
		}
	})
}
