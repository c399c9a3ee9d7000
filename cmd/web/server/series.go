package server

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"sweep/study"
	"sweep/templates"
	"sweep/templates/chart"
)

// line is one series on its way into a chart.
type line struct {
	name    string
	color   int
	samples []study.Sample
	mark    int // the step to mark, 0 for none
}

// newChart lays lines out, with the numbers for the crosshair.
func newChart(title string, logarithmic bool, lines []line) templates.Chart {
	var series []chart.Series
	seen := make(map[int]bool)
	for _, l := range lines {
		s := chart.Series{Name: l.name, Color: l.color, Points: make([]chart.Point, len(l.samples))}
		for i, p := range l.samples {
			s.Points[i] = chart.Point{X: float64(p.Step), Y: p.Value}
			seen[p.Step] = true
			if p.Step == l.mark {
				s.Mark = &s.Points[i]
			}
		}
		series = append(series, s)
	}
	c := templates.Chart{Title: title, Unit: unitOf(title), XLabel: "epoch", Plot: chart.NewPlot(series, chart.Options{Log: logarithmic, Whole: true})}
	switch {
	case c.Plot.Hidden > 0:
		c.Note = templates.Plural(c.Plot.Hidden, "value") + " not above 0 left out"
	case logarithmic && !c.Plot.Log && !c.Plot.Empty():
		c.Note = "linear: no value is above 0"
	}
	if n := notFinite(lines); n > 0 {
		if c.Note != "" {
			c.Note += ", "
		}
		c.Note += templates.Plural(n, "value") + " not finite"
	}
	d := templates.ChartData{Steps: make([]int, 0, len(seen)), Lines: []templates.ChartLine{}}
	for step := range seen {
		d.Steps = append(d.Steps, step)
	}
	slices.Sort(d.Steps)
	at := make(map[int]int, len(d.Steps))
	for i, step := range d.Steps {
		at[step] = i
	}
	if n := len(d.Steps); n > 0 {
		d.X0, d.X1 = float64(d.Steps[0]), float64(d.Steps[n-1])
	}
	for _, l := range lines {
		out := templates.ChartLine{Name: l.name, Color: l.color % 8, Values: make([]*string, len(d.Steps))}
		for _, p := range l.samples {
			text := templates.Number(p.Value).Text
			out.Values[at[p.Step]] = &text
		}
		d.Lines = append(d.Lines, out)
	}
	c.Data = d
	return c
}

func notFinite(lines []line) int {
	n := 0
	for _, l := range lines {
		for _, p := range l.samples {
			if math.IsNaN(p.Value) || math.IsInf(p.Value, 0) {
				n++
			}
		}
	}
	return n
}

// metricOrder is how known metrics are listed; others follow by name.
var metricOrder = []string{
	"val_loss", "train_loss", "val_mse", "val_mae", "val_psnr", "val_ssim", "val_miou", "val_acc", "val_pixel_acc", "val_probe_acc",
	"learning_rate", "grad_norm", "epoch", "epoch_s", "images_per_s",
}

// keysInOrder sorts keys: the objective, the known metrics, the rest by name.
func keysInOrder(keys []string, objective string) []string {
	place := func(k string) int {
		if k == objective {
			return -1
		}
		if i := slices.Index(metricOrder, k); i >= 0 {
			return i
		}
		return len(metricOrder)
	}
	slices.SortFunc(keys, func(a, b string) int {
		if d := place(a) - place(b); d != 0 {
			return d
		}
		return strings.Compare(a, b)
	})
	return slices.Compact(keys)
}

// goalOf says which way a metric is better: the objective as the study says, others by what their names mean; empty
// where neither way is.
func goalOf(key string, o study.Objective) study.Direction {
	if key == o.Name {
		return o.Direction
	}
	for _, end := range []string{"loss", "mse", "mae", "error", "rmse"} {
		if strings.HasSuffix(key, end) {
			return study.Minimize
		}
	}
	for _, end := range []string{"psnr", "ssim", "acc", "accuracy", "iou", "auc", "f1"} {
		if strings.HasSuffix(key, end) {
			return study.Maximize
		}
	}
	return ""
}

// charted are the metrics of keys that have a chart of their own, in order, at most so many.
func charted(keys []string, objective string, most int) []string {
	var out []string
	for _, k := range keysInOrder(keys, objective) {
		switch k {
		case "epoch", "epoch_s", "images_per_s":
			continue
		}
		if len(out) < most {
			out = append(out, k)
		}
	}
	return out
}

// unitOf is the unit of a known metric, empty for one without.
func unitOf(key string) string {
	switch {
	case strings.HasSuffix(key, "psnr"):
		return "dB"
	case key == "epoch_s":
		return "s"
	case key == "images_per_s":
		return "images/s"
	}
	return ""
}

// metricValue prints a metric; the best epoch and the speed are whole numbers.
func metricValue(key string, v float64) templates.Value {
	if key == "epoch" && v == math.Trunc(v) && math.Abs(v) < 1e9 {
		return templates.Value{Text: fmt.Sprint(int(v))}
	}
	if key == "images_per_s" && v >= 100 && v < 1e9 {
		return templates.Value{Text: templates.Count(int(math.Round(v))), Title: templates.Number(v).Title}
	}
	return templates.Number(v)
}
