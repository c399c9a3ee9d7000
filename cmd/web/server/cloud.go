package server

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"sweep/study"
	"sweep/templates"
	"sweep/templates/chart"
)

const (
	maxDots    = 1500 // trials that are dots with a link each; more are drawn as clouds
	maxJoined  = 16   // different x up to which the best at each are joined
	maxTable   = 24   // different x up to which they are a table too
	wideDomain = 4    // ratio of greatest to least from which a scale is logarithmic unless told otherwise
)

// cloud are the trials of a plot by colour, and the pca-k line where x is the size of the code.
type cloud struct {
	x     string
	color string          // empty: one colour for all
	names []string        // of the groups, in the order of the choices
	of    [][]study.Trial // the trials of each group, by x
	pca   []study.Baseline
	shown int
	left  int       // trials whose value is not finite
	xs    []float64 // different ones, rising
}

func newCloud(sum study.Summary, complete []study.Trial, list []study.Baseline, x, color string) cloud {
	c := cloud{x: x, color: color, names: []string{"trials"}}
	if d, ok := sum.Spec.Space.Lookup(color); ok {
		c.names = nil
		for _, choice := range d.Distribution.Choices {
			c.names = append(c.names, study.FormatValue(choice))
		}
	}
	c.of = make([][]study.Trial, len(c.names))
	for _, t := range complete {
		group := 0
		if color != "" {
			group = slices.Index(c.names, study.FormatValue(t.Params[color]))
		}
		if at := c.at(t); group < 0 || !isFinite(at) || !isFinite(t.Value) {
			c.left++
			continue
		}
		c.of[group] = append(c.of[group], t)
		c.xs = append(c.xs, c.at(t))
		c.shown++
	}
	for _, g := range c.of {
		slices.SortFunc(g, func(a, b study.Trial) int {
			return cmp.Or(cmp.Compare(c.at(a), c.at(b)), cmp.Compare(a.Number, b.Number))
		})
	}
	slices.Sort(c.xs)
	c.xs = slices.Compact(c.xs)
	if x == study.LatentParam {
		for _, b := range list {
			if v, ok := b.Metrics[sum.Spec.Objective.Name]; ok && b.K > 0 && isFinite(v) {
				c.pca = append(c.pca, b)
			}
		}
	}
	return c
}

func isFinite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// at is where a trial stands on x, NaN where nowhere.
func (c cloud) at(t study.Trial) float64 {
	v, ok := study.AsFloat(t.Params[c.x])
	if !ok {
		return math.NaN()
	}
	return v
}

// wideX and wideY report whether the values call for a logarithmic scale.
func (c cloud) wideX() bool { return wide(c.xs[0], c.xs[len(c.xs)-1]) }

func (c cloud) wideY(o study.Objective) bool {
	lo, hi := math.Inf(1), math.Inf(-1)
	for _, g := range c.of {
		for _, t := range g {
			lo, hi = min(lo, t.Value), max(hi, t.Value)
		}
	}
	for _, b := range c.pca {
		lo, hi = min(lo, b.Metrics[o.Name]), max(hi, b.Metrics[o.Name])
	}
	return wide(lo, hi)
}

func wide(lo, hi float64) bool { return lo > 0 && hi >= wideDomain*lo }

// best gives the best trial of a group at each different x that it has.
func (c cloud) best(group int, d study.Direction) map[float64]study.Trial {
	out := make(map[float64]study.Trial)
	for _, t := range c.of[group] {
		if b, ok := out[c.at(t)]; !ok || d.Better(t.Value, b.Value) {
			out[c.at(t)] = t
		}
	}
	return out
}

func (c cloud) figure(sum study.Summary, o chart.ScatterOptions) *templates.Scatter {
	objective := sum.Spec.Objective
	var groups, lines []chart.Series
	for i, g := range c.of {
		s := chart.Series{Name: c.names[i], Color: i, Points: make([]chart.Point, len(g))}
		for j, t := range g {
			s.Points[j] = chart.Point{X: c.at(t), Y: t.Value}
		}
		groups = append(groups, s)
		if len(c.xs) > 1 && len(c.xs) <= maxJoined {
			best := c.best(i, objective.Direction)
			joined := chart.Series{Name: c.names[i], Color: i}
			for _, x := range c.xs {
				if t, ok := best[x]; ok {
					joined.Points = append(joined.Points, chart.Point{X: x, Y: t.Value})
				}
			}
			lines = append(lines, joined)
		}
	}
	if len(c.pca) > 0 {
		s := chart.Series{Name: "pca-k"}
		for _, b := range c.pca {
			s.Points = append(s.Points, chart.Point{X: float64(b.K), Y: b.Metrics[objective.Name]})
		}
		lines = append(lines, s)
	}
	f := &templates.Scatter{Plot: chart.NewScatter(groups, lines, o), XLabel: c.x, YLabel: objective.Name, Label: objective.Name + " against " + c.x}
	for i, g := range c.of {
		v := templates.ScatterGroup{Color: i}
		if len(g) == 0 {
			continue
		}
		for j, t := range g {
			if dot := f.Plot.Dots[i][j]; dot.Shown && c.shown <= maxDots {
				v.Dots = append(v.Dots, templates.ScatterDot{X: dot.X, Y: dot.Y, URL: trialURL(sum.Name, t.Number), Title: c.title(i, t, objective)})
			}
		}
		if c.shown > maxDots {
			v.Cloud = f.Plot.Clouds[i]
		}
		f.Groups = append(f.Groups, v)
		if c.color != "" {
			f.Legend = append(f.Legend, templates.ScatterKey{Name: c.names[i], Color: i})
			f.Label += fmt.Sprintf("; %s: %s", c.names[i], templates.Plural(len(g), "trial"))
		}
	}
	for i, l := range f.Plot.Lines {
		f.Lines = append(f.Lines, templates.ScatterLine{D: l.D, Color: l.Color, Baseline: len(c.pca) > 0 && i == len(f.Plot.Lines)-1})
	}
	if n := len(c.pca); n > 0 {
		f.Legend = append(f.Legend, templates.ScatterKey{Name: "pca-k", Baseline: true})
		for _, b := range c.pca {
			v := b.Metrics[objective.Name]
			if dot := f.Plot.Dot(chart.Point{X: float64(b.K), Y: v}); dot.Shown {
				f.Marks = append(f.Marks, templates.ScatterDot{X: dot.X, Y: dot.Y, Title: fmt.Sprintf("%s: %s %s", b.Name, objective.Name, templates.Number(v).Text)})
			}
		}
		f.Label += fmt.Sprintf("; pca-k from k %d to %d as a line", c.pca[0].K, c.pca[n-1].K)
	}
	f.Notes = c.notes(sum, f.Plot)
	return f
}

func (c cloud) title(group int, t study.Trial, o study.Objective) string {
	text := fmt.Sprintf("#%d: %s %s, %s %s", t.Number, o.Name, templates.Number(t.Value).Text, c.x, study.FormatValue(t.Params[c.x]))
	if c.color != "" {
		text += ", " + c.color + " " + c.names[group]
	}
	return text
}

func (c cloud) notes(sum study.Summary, p chart.Scatter) []string {
	notes := []string{templates.Plural(c.shown, "complete trial")}
	if n := c.left + p.Hidden; n > 0 {
		notes = append(notes, templates.Plural(n, "trial")+" whose value cannot be drawn")
	}
	if n := sum.Counts[study.Pruned]; n > 0 {
		notes = append(notes, templates.Count(n)+" pruned left out")
	}
	if len(c.xs) > 1 && len(c.xs) <= maxJoined {
		notes = append(notes, "lines join the best at each "+c.x)
	}
	return notes
}

// table is the chart in numbers; nil where x has too many values for one.
func (c cloud) table(sum study.Summary) *templates.PlotTable {
	if len(c.xs) > maxTable {
		return nil
	}
	o := sum.Spec.Objective
	t := &templates.PlotTable{X: c.x, Groups: slices.Clone(c.names)}
	if c.color == "" {
		t.Groups = []string{o.Name}
	}
	best := make([]map[float64]study.Trial, len(c.names))
	for i := range c.names {
		best[i] = c.best(i, o.Direction)
	}
	if len(c.pca) > 0 {
		t.Groups = append(t.Groups, "pca-k")
	}
	for _, x := range c.xs {
		row := templates.PlotTableRow{X: study.FormatValue(x), Best: -1}
		value := math.NaN()
		for i := range c.names {
			trial, ok := best[i][x]
			if !ok {
				row.Values, row.URLs = append(row.Values, templates.Missing), append(row.URLs, "")
				continue
			}
			if o.Direction.Better(trial.Value, value) {
				row.Best, value = i, trial.Value
			}
			row.Values, row.URLs = append(row.Values, templates.Number(trial.Value)), append(row.URLs, trialURL(sum.Name, trial.Number))
		}
		if len(c.pca) > 0 {
			v := templates.Missing
			if i := slices.IndexFunc(c.pca, func(b study.Baseline) bool { return float64(b.K) == x }); i >= 0 {
				v = templates.Number(c.pca[i].Metrics[o.Name])
			}
			row.Values, row.URLs = append(row.Values, v), append(row.URLs, "")
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}
