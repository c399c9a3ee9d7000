package server

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"sweep/study"
	"sweep/templates"
)

// Limits of a comparison.
const (
	minCompared = 2
	maxCompared = 8
)

// compare sets two to eight trials side by side; without a choice, the best four.
func (s *Server) compare(w http.ResponseWriter, r *http.Request) error {
	sum, err := s.summary(r)
	if err != nil {
		return err
	}
	v := r.URL.Query()
	// Tick boxes without scripts send trials=1&trials=5: the address to share has them in one.
	if many := v["trials"]; len(many) > 1 {
		v.Set("trials", strings.Join(many, ","))
		http.Redirect(w, r, studyURL(sum.Name)+"/compare?trials="+v.Get("trials"), http.StatusSeeOther)
		return nil
	}
	base := studyURL(sum.Name) + "/compare"
	p := templates.ComparePage{Shell: s.shell(sum, "Compare", "compare"), Action: base}
	numbers, problem := parseNumbers(v.Get("trials"), sum)
	if v.Get("trials") == "" {
		if numbers, err = s.bestFew(r, sum); err != nil {
			return err
		}
		if problem = ""; len(numbers) < minCompared {
			problem = "Fewer than two trials are complete yet. Tick trials on the list, or name their numbers above."
		}
	}
	p.Numbers, p.Problem = v.Get("trials"), problem
	if problem != "" {
		status := http.StatusOK
		if v.Get("trials") != "" {
			status = http.StatusBadRequest
		}
		s.render(w, r, status, templates.Compare(p))
		return nil
	}
	p.Numbers = joinNumbers(numbers)
	all, logarithmic := v.Get("show") == "all", v.Get("scale") == "log"
	link := func(all, logarithmic bool) string {
		u := base + "?trials=" + p.Numbers
		if all {
			u += "&show=all"
		}
		if logarithmic {
			u += "&scale=log"
		}
		return u
	}
	p.All = templates.Toggle{On: all, OnURL: link(true, logarithmic), OffURL: link(false, logarithmic)}
	p.Log = templates.Toggle{On: logarithmic, OnURL: link(all, true), OffURL: link(all, false)}

	trials := make([]study.Detail, len(numbers))
	for i, n := range numbers {
		if trials[i], err = s.cfg.Store.Detail(r.Context(), sum.ID, n); err != nil {
			return fmt.Errorf("read trial %d of study %s: %w", n, sum.Name, err)
		}
		p.Trials = append(p.Trials, templates.Compared{Number: n, URL: trialURL(sum.Name, n), State: trials[i].State, Color: i})
		if exportable(trials[i]) {
			p.Trials[i].ExportURL, p.Export = trialURL(sum.Name, n)+"#export", true
		}
		if pics := pictures(sum.Spec.Trainer, trials[i]); len(pics) > 0 {
			pic := pics[len(pics)-1]
			if best := slices.IndexFunc(pics, func(p templates.Picture) bool { return p.Best }); best >= 0 {
				pic = pics[best]
			}
			pic.Title, pic.Color = "#"+strconv.Itoa(n), i
			s.measure(r.Context(), &pic)
			p.Pictures = append(p.Pictures, pic)
			switch title := picturesTitle(sum.Spec.Trainer, trials[i].Params); p.PicturesTitle {
			case "", title:
				p.PicturesTitle = title
			default:
				p.PicturesTitle = "Pictures" // of trials with different tasks
			}
		}
	}
	p.Params, p.Same = onlyDifferent(compareParams(sum, trials), all)
	metrics, same := onlyDifferent(compareMetrics(sum, trials), all)
	p.Metrics, p.Same = metrics, p.Same+same
	if p.Charts, err = s.overlays(r, sum, trials, logarithmic); err != nil {
		return err
	}
	s.render(w, r, http.StatusOK, templates.Compare(p))
	return nil
}

// parseNumbers reads "1,5,9". The second result says in words what is wrong with it.
func parseNumbers(text string, sum study.Summary) ([]int, string) {
	var out []int
	for part := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == ',' || r == ' ' || r == '#' }) {
		n, err := strconv.Atoi(part)
		if err != nil || n < 0 {
			return nil, fmt.Sprintf("%q is not the number of a trial. Write them with commas between: 1,5,9.", clip(part))
		}
		if n >= total(sum) {
			return nil, fmt.Sprintf("There is no trial %d in %s: its trials are numbered from 0 to %d.", n, sum.Name, total(sum)-1)
		}
		if !slices.Contains(out, n) {
			out = append(out, n)
		}
	}
	switch {
	case len(out) < minCompared:
		return nil, "A comparison needs at least two different trials."
	case len(out) > maxCompared:
		return nil, fmt.Sprintf("A comparison shows at most %d trials; these are %d.", maxCompared, len(out))
	}
	return out, ""
}

func (s *Server) bestFew(r *http.Request, sum study.Summary) ([]int, error) {
	page, err := s.cfg.Store.Query(r.Context(), sum.ID, study.Query{States: []study.State{study.Complete}, Sort: "rank", Limit: 4})
	if err != nil {
		return nil, fmt.Errorf("read the best trials of study %s: %w", sum.Name, err)
	}
	var out []int
	for _, t := range page.Trials {
		out = append(out, t.Number)
	}
	return out, nil
}

func joinNumbers(numbers []int) string {
	parts := make([]string, len(numbers))
	for i, n := range numbers {
		parts[i] = strconv.Itoa(n)
	}
	return strings.Join(parts, ",")
}

func compareParams(sum study.Summary, trials []study.Detail) []templates.CompareRow {
	var out []templates.CompareRow
	for _, dim := range sum.Spec.Space {
		row := templates.CompareRow{Name: dim.Name, Best: make([]bool, len(trials))}
		for _, t := range trials {
			v, ok := t.Params[dim.Name]
			if !ok {
				row.Values = append(row.Values, templates.Missing)
				continue
			}
			row.Values = append(row.Values, templates.Param(v, dim.Distribution.Kind == study.Float && dim.Distribution.Log))
		}
		out = append(out, row)
	}
	return out
}

func compareMetrics(sum study.Summary, trials []study.Detail) []templates.CompareRow {
	var keys []string
	for _, t := range trials {
		keys = slices.AppendSeq(keys, maps.Keys(t.Metrics))
	}
	var out []templates.CompareRow
	for _, key := range keysInOrder(keys, sum.Spec.Objective.Name) {
		goal := goalOf(key, sum.Spec.Objective)
		row := templates.CompareRow{Name: key, Unit: unitOf(key), Best: make([]bool, len(trials))}
		best := -1
		for i, t := range trials {
			v, ok := t.Metrics[key]
			if !ok {
				row.Values = append(row.Values, templates.Missing)
				continue
			}
			row.Values = append(row.Values, metricValue(key, v))
			if goal != "" && v == v && (best < 0 || goal.Better(v, trials[best].Metrics[key])) {
				best = i
			}
		}
		if goal != "" {
			row.Goal = templates.Goal(goal)
		}
		if best >= 0 {
			for i, t := range trials {
				v, ok := t.Metrics[key]
				row.Best[i] = ok && v == trials[best].Metrics[key]
			}
		}
		out = append(out, row)
	}
	duration := templates.CompareRow{Name: "duration", Best: make([]bool, len(trials))}
	for _, t := range trials {
		duration.Values = append(duration.Values, templates.Duration(t.Duration))
	}
	return append(out, duration)
}

// onlyDifferent marks rows whose values are all the same, and leaves them out unless all are wanted.
func onlyDifferent(rows []templates.CompareRow, all bool) (kept []templates.CompareRow, left int) {
	for _, row := range rows {
		row.Same = !slices.ContainsFunc(row.Values[1:], func(v templates.Value) bool { return v != row.Values[0] })
		if row.Same {
			clear(row.Best)
		}
		if row.Same && !all {
			left++
			continue
		}
		kept = append(kept, row)
	}
	return kept, left
}

// overlays draws each metric of the trials in one chart, a trial in the same colour everywhere.
func (s *Server) overlays(r *http.Request, sum study.Summary, trials []study.Detail, logarithmic bool) ([]templates.Chart, error) {
	var keys []string
	numbers := make([]int, len(trials))
	for i, t := range trials {
		numbers[i] = t.Number
		keys = slices.AppendSeq(keys, maps.Keys(t.History))
	}
	var out []templates.Chart
	for _, key := range charted(keys, sum.Spec.Objective.Name, maxCharts) {
		curves, err := s.cfg.Store.Curves(r.Context(), sum.ID, key, numbers)
		if err != nil {
			return nil, fmt.Errorf("read %s of trials %v: %w", key, numbers, err)
		}
		var lines []line
		for i, n := range numbers {
			mark := 0
			if best, ok := trials[i].Metrics["epoch"]; ok && trials[i].State.Final() {
				mark = int(best)
			}
			lines = append(lines, line{"#" + strconv.Itoa(n), i, curves[n], mark})
		}
		out = append(out, newChart(key, logarithmic, lines))
	}
	return out, nil
}
