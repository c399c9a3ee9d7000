package server

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"sweep/study"
	"sweep/templates"
	"sweep/templates/chart"
)

// Sizes of a sparkline, in the units of its view box.
const (
	sparkWidth  = 92
	sparkHeight = 22
)

// leaderboard is a study's page of trials.
func (s *Server) leaderboard(w http.ResponseWriter, r *http.Request) error {
	// The event number is read first: what comes after it, the page's stream sends, be it on the page already or not.
	seq, err := s.cfg.Store.LastSeq(r.Context())
	if err != nil {
		return fmt.Errorf("read the last event: %w", err)
	}
	sum, err := s.summary(r)
	if err != nil {
		return err
	}
	q, err := parseQuery(r.URL.Query(), sum)
	if err != nil {
		return err
	}
	page, err := s.query(r, sum, q)
	if err != nil {
		return err
	}
	strip, err := s.strip(r.Context(), sum)
	if err != nil {
		return err
	}
	layout := newLayout(sum)
	base := studyURL(sum.Name)
	p := templates.LeaderboardPage{
		Shell: s.shell(sum, "", "trials"), Summary: strip, Devices: s.devices(sum), Chips: chips(sum, q), Columns: columns(layout, sum, q),
		Compare: base + "/compare", Reload: address(base, q), Total: total(sum), Command: s.commandLine("sweep run " + quote(sum.Name) + ".yaml"),
		CSV: address(base+"/trials.csv", study.Query{Sort: q.Sort, Desc: q.Desc, States: q.States}), Clear: address(base, study.Query{Sort: q.Sort, Desc: q.Desc}),
	}
	for _, t := range page.Trials {
		p.Rows = append(p.Rows, layout.row(sum, t))
	}
	list, err := s.baselines(r.Context(), sum)
	if err != nil {
		return err
	}
	if err := s.placeBaselines(r, sum, q, page, layout, list, &p); err != nil {
		return err
	}
	p.Shown = templates.Plural(page.Total, "trial")
	from := firstRow(r.URL.Query(), page)
	if n := len(page.Trials); n < page.Total {
		p.Shown = fmt.Sprintf("%s–%s of %s", templates.Count(from+1), templates.Count(from+n), p.Shown)
	}
	if q.After != "" {
		first := q
		first.After = ""
		p.TopURL = address(base, first)
	}
	if page.Next != "" {
		next := q
		next.After = page.Next
		p.NextURL = address(base, next) + fmt.Sprintf("&from=%d", from+len(page.Trials))
	}
	p.Shell.Notice = notices[r.URL.Query().Get("done")]
	p.Shell.Live, p.Shell.Seq = liveURL(sum, q, page, layout.extra, len(list)), seq
	s.render(w, r, http.StatusOK, templates.Leaderboard(p))
	return nil
}

// layout is which columns a leaderboard has; live rows must have the same.
type layout struct {
	params []templates.ParamColumn
	extra  string // one metric beside the objective, empty for none
}

func newLayout(sum study.Summary) layout {
	var l layout
	for _, d := range sum.Spec.Space.Searched() {
		dist := d.Distribution
		number := dist.Kind != study.Categorical
		if dist.Kind == study.Categorical {
			number = !slices.ContainsFunc(dist.Choices, func(c any) bool { _, ok := study.AsFloat(c); return !ok })
		}
		l.params = append(l.params, templates.ParamColumn{Name: d.Name, Number: number, Scientific: dist.Kind == study.Float && dist.Log})
	}
	if sum.Best != nil {
		for _, key := range []string{"val_psnr", "val_ssim", "val_miou", "val_acc", "val_pixel_acc", "val_loss"} {
			if _, ok := sum.Best.Metrics[key]; ok && key != sum.Spec.Objective.Name {
				l.extra = key
				break
			}
		}
	}
	return l
}

func (l layout) row(sum study.Summary, t study.Trial) templates.Row {
	row := templates.Row{
		Number: t.Number, URL: trialURL(sum.Name, t.Number), State: t.State, Why: why(t), Final: t.State == study.Complete,
		Objective: templates.Missing, Epoch: templates.Missing, Duration: templates.Duration(t.Duration),
	}
	if t.State == study.Failed {
		row.Reason = string(t.Reason)
	}
	if t.State == study.Running && !t.Start.IsZero() {
		row.Duration.Title += ", until its last report"
	}
	value := t.Value
	if !t.State.Final() && len(t.Curve) > 0 {
		value = t.Curve[len(t.Curve)-1].Value
	}
	if row.Final || !math.IsNaN(value) {
		row.Objective = templates.Number(value)
	}
	switch {
	case t.State == study.Pruned && row.Objective != templates.Missing:
		row.Objective.Title += ", the last before it was pruned"
	case !t.State.Final() && row.Objective != templates.Missing:
		row.Objective.Title += ", the latest"
	}
	if l.extra != "" {
		v := templates.Missing
		if m, ok := t.Metrics[l.extra]; ok {
			v = metricValue(l.extra, m)
			if t.State == study.Pruned {
				v.Title += ", at its best epoch"
			}
		}
		row.Extra = &v
	}
	values := make([]float64, len(t.Curve))
	for i, c := range t.Curve {
		values[i] = c.Value
	}
	row.Spark = chart.Sparkline(values, sparkWidth, sparkHeight)
	row.Epoch = epochs(sum, t)
	for _, c := range l.params {
		cell := templates.Cell{Value: templates.Missing, Number: c.Number}
		if v, ok := t.Params[c.Name]; ok {
			cell.Value = templates.Param(v, c.Scientific)
		}
		row.Params = append(row.Params, cell)
	}
	return row
}

// epochs says how far a trial came, and which of its epochs was the best.
func epochs(sum study.Summary, t study.Trial) templates.Value {
	last := 0
	if n := len(t.Curve); n > 0 {
		last = t.Curve[n-1].Step
	}
	best, ok := t.Metrics["epoch"]
	if last == 0 && ok {
		last = int(best)
	}
	if last == 0 {
		return templates.Missing
	}
	v := templates.Value{Text: fmt.Sprintf("%d / %d", last, sum.Spec.Epochs), Title: fmt.Sprintf("%d epochs trained of at most %d", last, sum.Spec.Epochs)}
	if ok && t.State.Final() {
		v.Title += fmt.Sprintf("; the best was %d", int(best))
	}
	return v
}

func why(t study.Trial) string {
	switch {
	case t.Reason != "" && t.Message != "":
		return string(t.Reason) + ": " + clip(t.Message)
	case t.Reason != "":
		return string(t.Reason)
	}
	return ""
}

// columns are the heads of the table; each sorts by itself, turning round when it already does.
func columns(l layout, sum study.Summary, q study.Query) []templates.Column {
	base := studyURL(sum.Name)
	sorted := func(c templates.Column, key string, descFirst bool) templates.Column {
		next := study.Query{Sort: key, Desc: descFirst, States: q.States}
		if q.Sort == key {
			next.Desc = !q.Desc
			c.Sorted = "ascending"
			if q.Desc {
				c.Sorted = "descending"
			}
		}
		c.URL = address(base, next)
		return c
	}
	o := sum.Spec.Objective
	objective := templates.Column{Label: o.Name, Number: true, Goal: templates.Goal(o.Direction), Title: "the objective of the search: of a complete trial at its best epoch, else the latest"}
	objective = sorted(objective, "value", o.Direction == study.Maximize)
	if q.Sort == "rank" { // which sorts by the objective too, within complete trials; the other way round comes next
		objective.Sorted = map[bool]string{false: "ascending", true: "descending"}[(o.Direction == study.Maximize) != q.Desc]
		objective.URL = address(base, study.Query{Sort: "value", Desc: objective.Sorted == "ascending", States: q.States})
	}
	out := []templates.Column{
		sorted(templates.Column{Label: "Trial", Number: true}, "number", false),
		sorted(templates.Column{Label: "State", Title: "in the order of the states’ names"}, "state", false),
		objective,
	}
	if l.extra != "" {
		out = append(out, sorted(templates.Column{Label: l.extra, Number: true, Title: extraTitle(l.extra)}, "metric:"+l.extra, l.extra != "val_loss"))
	}
	out = append(out,
		templates.Column{Label: "Curve", Title: o.Name + " by epoch, each on its own logarithmic scale"},
		sorted(templates.Column{Label: "Epoch", Number: true, Title: "epochs trained of at most; sorts by the best epoch"}, "metric:epoch", true))
	for _, p := range l.params {
		out = append(out, sorted(templates.Column{Label: p.Name, Number: p.Number}, "param:"+p.Name, false))
	}
	return append(out, sorted(templates.Column{Label: "Duration", Number: true}, "duration", true))
}

// extraTitle says what the numbers of the second metric are.
func extraTitle(key string) string {
	title := "of a finished trial at its best epoch, else the latest"
	if u := unitOf(key); u != "" {
		title = "in " + u + "; " + title
	}
	return title
}

// firstRow is how many trials lie before the page. A cursor does not know, so the addresses of later pages carry it; it
// is only shown.
func firstRow(v url.Values, page study.Page) int {
	n, err := strconv.Atoi(v.Get("from"))
	if err != nil || v.Get("after") == "" {
		return 0
	}
	return min(max(n, 0), page.Total-len(page.Trials))
}

func chips(sum study.Summary, q study.Query) templates.Chips {
	base := studyURL(sum.Name)
	out := templates.Chips{List: []templates.Chip{{Count: total(sum), URL: address(base, study.Query{Sort: q.Sort, Desc: q.Desc}), On: len(q.States) == 0}}}
	for _, st := range study.States {
		out.List = append(out.List, templates.Chip{
			State: st, Count: sum.Counts[st], On: slices.Contains(q.States, st),
			URL: address(base, study.Query{Sort: q.Sort, Desc: q.Desc, States: []study.State{st}}),
		})
	}
	return out
}

// strip fills the figures above the trials.
func (s *Server) strip(ctx context.Context, sum study.Summary) (templates.Summary, error) {
	h, err := s.curves.of(ctx, sum)
	if err != nil {
		return templates.Summary{}, err
	}
	o := sum.Spec.Objective
	v := templates.Summary{
		Metric: o.Name, Goal: templates.Goal(o.Direction), Best: templates.Missing, Done: over(sum), Cap: sum.Spec.RunCap,
		Progress: templates.Progress(sum.Counts, sum.Spec.RunCap), Rate: templates.Missing, Pruned: "—",
	}
	if b := sum.Best; b != nil {
		v.Best, v.BestURL, v.BestNumber = templates.Number(b.Value), trialURL(sum.Name, b.Number), b.Number
		if psnr, ok := b.Metrics["val_psnr"]; ok && o.Name != "val_psnr" {
			v.BestNote = fmt.Sprintf(" · PSNR %.1f dB", psnr)
		}
	}
	running := sum.Counts[study.Running]
	switch unit := h.Rate; {
	case unit >= 1:
		v.Rate, v.RateUnit = templates.Value{Text: fmt.Sprintf("%.1f", unit)}, "trials/s"
	case unit*60 >= 1:
		v.Rate, v.RateUnit = templates.Value{Text: fmt.Sprintf("%.1f", unit*60)}, "trials/min"
	case unit > 0:
		v.Rate, v.RateUnit = templates.Value{Text: fmt.Sprintf("%.1f", unit*3600)}, "trials/h"
	}
	switch {
	case running > 0:
		v.RateNote = templates.Plural(running, "trial") + " running"
	case h.Median > 0:
		v.RateNote = "median trial " + templates.Duration(h.Median).Text
	}
	left := sum.Spec.RunCap - over(sum)
	switch state := sum.State(); {
	case state == "finished":
		v.ETA = "all done"
	case state == "running" && left > 0 && h.Rate > 0:
		v.ETA = "less than a minute to go"
		if d := time.Duration(float64(left) / h.Rate * float64(time.Second)); d >= time.Minute {
			v.ETA = "about " + templates.Duration(d).Text + " to go"
		}
	case left > 0:
		v.ETA = templates.Plural(left, "trial") + " to go"
	}
	if n := over(sum); n > 0 {
		v.Pruned = fmt.Sprintf("%.0f %%", 100*float64(sum.Counts[study.Pruned])/float64(n))
		switch {
		case sum.Spec.Pruner.Name == "":
			v.PrunedNote = "no pruner in this sweep"
		case h.Saved > 0:
			v.PrunedNote = templates.Count(h.Saved) + " epochs not trained"
		default:
			v.PrunedNote = sum.Spec.Pruner.Name
		}
	}
	var first, last float64
	if v.Curve, v.Dots, first, last = h.curve(o.Direction); v.Curve != "" {
		v.First, v.Last = templates.Number(first).Text, templates.Number(last).Text
		v.CurveNote = "over " + templates.Plural(len(h.Points), "complete trial")
	}
	return v, nil
}

// liveURL is the stream of a page: it names the trials shown, so that only their rows are sent, and says when they are
// all of the study, so that new ones can follow, and how many baselines it knows of.
func liveURL(sum study.Summary, q study.Query, page study.Page, extra string, baselines int) string {
	numbers := make([]string, len(page.Trials))
	for i, t := range page.Trials {
		numbers[i] = strconv.Itoa(t.Number)
	}
	v := url.Values{"trials": {strings.Join(numbers, ",")}, "baselines": {strconv.Itoa(baselines)}}
	if q.After == "" && page.Next == "" && len(q.States) == 0 {
		v.Set("whole", "1")
	}
	if extra != "" {
		v.Set("metric", extra)
	}
	if u := address("", q); u != "" {
		v.Set("list", strings.TrimPrefix(u, "?"))
	}
	return studyURL(sum.Name) + "/live?" + v.Encode()
}

// quote makes an argument safe to paste into a shell.
func quote(s string) string {
	plain := func(r rune) bool {
		return r == '-' || r == '_' || r == '.' || r == '/' || r == ':' || '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
	}
	if s != "" && !strings.HasPrefix(s, "-") && strings.IndexFunc(s, func(r rune) bool { return !plain(r) }) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
