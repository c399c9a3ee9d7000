package server

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"sweep/study"
	"sweep/templates"
	"sweep/templates/chart"
)

// maxColors is how many choices a parameter to colour by may have: as many as there are colours.
const maxColors = 8

// plot shows the objective of complete trials against one parameter, coloured by another.
func (s *Server) plot(w http.ResponseWriter, r *http.Request) error {
	sum, err := s.summary(r)
	if err != nil {
		return err
	}
	v := r.URL.Query()
	base := studyURL(sum.Name) + "/plot"
	p := templates.PlotPage{Shell: s.shell(sum, "Plot", "plot"), Title: "Plot", Action: base}
	if sum.Live {
		p.Shell.Refresh = studiesRefresh
	}
	x, color, err := axes(v, sum)
	if err != nil {
		return err
	}
	if x == "" {
		p.Problem = "No parameter of this study is a number that is searched, so there is nothing to draw the objective against."
		s.render(w, r, http.StatusOK, templates.Plot(p))
		return nil
	}
	o := sum.Spec.Objective
	p.Title, p.Goal = o.Name+" against "+x, templates.Goal(o.Direction)
	p.X, p.Color = options(sum.Spec.Space, x, color)
	for _, key := range []string{"xscale", "yscale"} {
		if text := v.Get(key); text != "" {
			p.Keep = append(p.Keep, templates.Pair{Name: key, Value: templates.Value{Text: text}})
		}
	}
	h, err := s.curves.of(r.Context(), sum)
	if err != nil {
		return err
	}
	list, err := s.baselines(r.Context(), sum)
	if err != nil {
		return err
	}
	c := newCloud(sum, h.Complete, list, x, color)
	if c.shown == 0 {
		p.Problem = "No trial with a value is complete yet: the first dots appear when one is."
		s.render(w, r, http.StatusOK, templates.Plot(p))
		return nil
	}
	log := chart.ScatterOptions{LogX: scale(v.Get("xscale"), c.wideX()), LogY: scale(v.Get("yscale"), c.wideY(o))}
	p.Chart = c.figure(sum, log)
	link := func(key, word string) string {
		next := url.Values{}
		for k := range v {
			if slices.Contains([]string{"x", "color", "xscale", "yscale"}, k) {
				next.Set(k, v.Get(k))
			}
		}
		next.Set(key, word)
		return base + "?" + next.Encode()
	}
	p.LogX = templates.Toggle{On: p.Chart.Plot.LogX, OnURL: link("xscale", "log"), OffURL: link("xscale", "linear")}
	p.LogY = templates.Toggle{On: p.Chart.Plot.LogY, OnURL: link("yscale", "log"), OffURL: link("yscale", "linear")}
	p.Table = c.table(sum)
	s.render(w, r, http.StatusOK, templates.Plot(p))
	return nil
}

// scale reads a word for a scale.
func scale(word string, otherwise bool) bool {
	switch word {
	case "log":
		return true
	case "linear":
		return false
	}
	return otherwise
}

// numeric reports whether the values of d are single numbers.
func numeric(d study.Distribution) bool {
	return d.Kind != study.Categorical || !slices.ContainsFunc(d.Choices, func(c any) bool { _, ok := study.AsFloat(c); return !ok })
}

// plottable are the parameters that can be an axis, colourable those that can be colours.
func plottable(space study.Space) (out []string) {
	for _, d := range space.Searched() {
		if numeric(d.Distribution) {
			out = append(out, d.Name)
		}
	}
	return out
}

func colourable(space study.Space) (out []string) {
	for _, d := range space.Searched() {
		if n := len(d.Distribution.Choices); d.Distribution.Kind == study.Categorical && n <= maxColors {
			out = append(out, d.Name)
		}
	}
	return out
}

// noColor is the word for one colour for all.
const noColor = "none"

// axes reads what is drawn against what. Without a word it is the latent size where that is searched, coloured by the
// loss: what the bottleneck costs. x is empty where nothing can be an axis, color where there is one for all.
func axes(v url.Values, sum study.Summary) (x, color string, err error) {
	xs, colors := plottable(sum.Spec.Space), colourable(sum.Spec.Space)
	if len(xs) == 0 {
		return "", "", nil
	}
	x, color = v.Get("x"), v.Get("color")
	switch {
	case x == "" && slices.Contains(xs, study.LatentParam):
		x = study.LatentParam
	case x == "":
		x = xs[0]
	case !slices.Contains(xs, x):
		return "", "", badAddress(fmt.Sprintf("x is one of %s: the searched parameters of %s that are numbers", strings.Join(xs, ", "), sum.Name))
	}
	words := func(name string) bool { d, _ := sum.Spec.Space.Lookup(name); return !numeric(d.Distribution) }
	switch {
	case color == noColor:
		return x, "", nil
	case color != "" && !slices.Contains(colors, color):
		return "", "", badAddress(fmt.Sprintf("color is one of %s: the searched parameters of %s with few choices", strings.Join(append(colors, noColor), ", "), sum.Name))
	case color != "":
		return x, color, nil
	case slices.Contains(colors, "loss"):
		return x, "loss", nil
	}
	if i := slices.IndexFunc(colors, words); i >= 0 {
		color = colors[i]
	}
	return x, color, nil
}

func options(space study.Space, x, color string) (xs, colors []templates.Option) {
	for _, name := range plottable(space) {
		xs = append(xs, templates.Option{Value: name, Text: name, On: name == x})
	}
	for _, name := range colourable(space) {
		colors = append(colors, templates.Option{Value: name, Text: name, On: name == color})
	}
	return xs, append(colors, templates.Option{Value: noColor, Text: "nothing", On: color == ""})
}
