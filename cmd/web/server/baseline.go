package server

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"sweep/study"
	"sweep/templates"
)

func (s *Server) baselines(ctx context.Context, sum study.Summary) ([]study.Baseline, error) {
	list, err := s.cfg.Store.Baselines(ctx, sum.ID)
	if err != nil {
		return nil, fmt.Errorf("read the baselines of study %s: %w", sum.Name, err)
	}
	return list, nil
}

// placeBaselines puts baselines between the rows of a leaderboard's page.
func (s *Server) placeBaselines(r *http.Request, sum study.Summary, q study.Query, page study.Page, l layout, list []study.Baseline, p *templates.LeaderboardPage) error {
	if len(list) == 0 || len(page.Trials) == 0 {
		return nil
	}
	var next *study.Trial
	if page.Next != "" {
		peek := q
		peek.After, peek.Limit = page.Next, 1
		one, err := s.query(r, sum, peek)
		if err != nil {
			return err
		}
		if len(one.Trials) > 0 {
			next = &one.Trials[0]
		}
	}
	for at, here := range study.PlaceBaselines(list, sum.Spec.Objective, q, page.Trials, q.After == "", next) {
		rows := make([]templates.BaselineRow, len(here))
		for i, b := range here {
			rows[i] = l.baseline(sum, b)
		}
		if at < len(p.Rows) {
			p.Rows[at].Before = rows
		} else {
			p.Last = rows
		}
	}
	return nil
}

// baseline is a baseline's row: what it has of the columns of trials.
func (l layout) baseline(sum study.Summary, b study.Baseline) templates.BaselineRow {
	row := templates.BaselineRow{Name: b.Name, Title: aboutBaseline(b), Objective: baselineMetric(b, sum.Spec.Objective.Name)}
	if d, ok := sum.Spec.Space.Lookup(study.LatentParam); ok && b.K > 0 && numeric(d.Distribution) && !d.Distribution.Single() {
		row.URL = studyURL(sum.Name) + "/plot?" + url.Values{"x": {study.LatentParam}}.Encode()
	}
	if l.extra != "" {
		v := baselineMetric(b, l.extra)
		row.Extra = &v
	}
	for _, c := range l.params {
		cell := templates.Cell{Value: templates.Missing, Number: c.Number}
		if c.Name == study.LatentParam && b.K > 0 {
			cell.Text = strconv.Itoa(b.K)
		}
		row.Params = append(row.Params, cell)
	}
	return row
}

func baselineMetric(b study.Baseline, key string) templates.Value {
	if v, ok := b.Metrics[key]; ok {
		return metricValue(key, v)
	}
	return templates.Missing
}

// aboutBaseline says what a baseline is.
func aboutBaseline(b study.Baseline) string {
	if b.K == 0 {
		return "Baseline: every reconstruction is the mean of the training images"
	}
	return fmt.Sprintf("Baseline: the first %s of the training images, the best linear code of so many numbers",
		templates.Plural(b.K, "principal component"))
}

// baselineFact sets a trial beside the baseline of its code's size.
func baselineFact(sum study.Summary, t study.Trial, list []study.Baseline) (templates.Fact, bool) {
	o := sum.Spec.Objective
	b, ok := study.BaselineOf(list, t.Params)
	if !ok {
		return templates.Fact{}, false
	}
	value := t.Value
	if !t.State.Final() && len(t.Curve) > 0 {
		value = t.Curve[len(t.Curve)-1].Value
	}
	f := templates.Fact{Label: b.Name, Goal: templates.Goal(o.Direction), Value: baselineMetric(b, o.Name), Note: "the best linear code of as many numbers"}
	if t.State != study.Failed {
		if text := b.Relation(o, value); text != "" {
			f.Note = text
		}
	}
	if latent, ok := study.AsFloat(t.Params[study.LatentParam]); ok && int(latent) != b.K {
		f.Note += fmt.Sprintf(", with %d numbers", int(latent))
	}
	return f, f.Value != templates.Missing
}

func (s *Server) apiBaselines(w http.ResponseWriter, r *http.Request) error {
	sum, err := s.summary(r)
	if err != nil {
		return err
	}
	list, err := s.baselines(r.Context(), sum)
	if err != nil {
		return err
	}
	out := make([]study.BaselineView, 0, len(list))
	for _, b := range list {
		out = append(out, b.View(sum.Spec.Objective))
	}
	return writeJSON(w, r, http.StatusOK, out)
}
