package server

import (
	"context"
	"fmt"
	"image/png"
	"maps"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"sweep/study"
	"sweep/study/spec"
	"sweep/templates"
)

// How often pages that have no stream ask for themselves while something runs.
const (
	trialRefresh   = 2 * time.Second
	studiesRefresh = 4 * time.Second
)

// maxCharts is how many metrics of a program with very many get a chart.
const maxCharts = 16

// trial is the page of one trial.
func (s *Server) trial(w http.ResponseWriter, r *http.Request) error {
	sum, err := s.summary(r)
	if err != nil {
		return err
	}
	d, err := s.detail(r, sum)
	if err != nil {
		return err
	}
	exports, err := s.cfg.Store.Exports(r.Context(), sum.ID, d.Number)
	if err != nil {
		return fmt.Errorf("read the exports of trial %d: %w", d.Number, err)
	}
	h, err := s.curves.of(r.Context(), sum)
	if err != nil {
		return err
	}
	self := trialURL(sum.Name, d.Number)
	logarithmic := r.URL.Query().Get("scale") == "log"
	p := templates.TrialPage{
		Shell: s.shell(sum, "Trial #"+strconv.Itoa(d.Number), "trials"), Number: d.Number, State: d.State,
		Facts: s.facts(sum, d, h), Why: explainTrial(d.Trial),
		Log:    templates.Toggle{On: logarithmic, OnURL: self + "?scale=log", OffURL: self},
		Charts: trialCharts(sum, d, logarithmic), Pictures: pictures(sum.Spec.Trainer, d),
		Export: s.commandLine(fmt.Sprintf("sweep export %s --trial %d -o %s", quote(sum.Name), d.Number, quote(fmt.Sprintf("%s-%d", sum.Name, d.Number)))),
	}
	if !d.State.Final() && sum.Live {
		p.Shell.Refresh = trialRefresh
	}
	for i := range p.Pictures {
		s.measure(r.Context(), &p.Pictures[i])
	}
	p.PicturesTitle = picturesTitle(sum.Spec.Trainer, d.Params)
	if p.Generated = generated(d); p.Generated != nil {
		s.measure(r.Context(), p.Generated)
	}
	if d.Number > 0 {
		p.Previous = trialURL(sum.Name, d.Number-1)
	}
	if d.Number+1 < total(sum) {
		p.Next = trialURL(sum.Name, d.Number+1)
	}
	if b := sum.Best; b != nil && b.Number != d.Number {
		p.Compare = fmt.Sprintf("%s/compare?trials=%d,%d", studyURL(sum.Name), b.Number, d.Number)
	}
	list, err := s.baselines(r.Context(), sum)
	if err != nil {
		return err
	}
	if f, ok := baselineFact(sum, d.Trial, list); ok {
		p.Facts = slices.Insert(p.Facts, 1, f)
	}
	p.Searched, p.Fixed = paramPairs(sum.Spec.Space, d.Params)
	for _, key := range keysInOrder(slices.Collect(maps.Keys(d.Metrics)), sum.Spec.Objective.Name) {
		p.Metrics = append(p.Metrics, templates.Pair{Name: key, Value: metricValue(key, d.Metrics[key]), Note: unitOf(key)})
	}
	now := s.cfg.Now()
	for _, a := range d.List {
		p.Attempts = append(p.Attempts, attempt(a, now))
	}
	for _, a := range d.Artifacts {
		p.Artifacts = append(p.Artifacts, templates.File{
			Name: a.Name, Kind: string(a.Kind), URL: artifactURL(a.Digest), Step: a.Step, Size: templates.Bytes(a.Size), Digest: a.Digest,
		})
	}
	switch {
	case exportable(d):
		p.CanExport = true
	case d.State == study.Complete:
		p.ExportWhy = fmt.Sprintf("The weights of this trial are no longer kept: they are for the best %d of a study (keep_checkpoints).", sum.Spec.KeepCheckpoints)
	case d.State.Final():
		p.ExportWhy = "Only a complete trial has a model to export; this one " + map[study.State]string{study.Pruned: "was pruned.", study.Failed: "failed."}[d.State]
	default:
		p.ExportWhy = "The model can be exported once the trial is complete."
	}
	for _, e := range exports {
		p.Bundles = append(p.Bundles, bundle(sum, e, now))
	}
	s.render(w, r, http.StatusOK, templates.Trial(p))
	return nil
}

func (s *Server) facts(sum study.Summary, d study.Detail, h history) []templates.Fact {
	o := sum.Spec.Objective
	row := layout{}.row(sum, d.Trial)
	objective := templates.Fact{Label: o.Name, Goal: templates.Goal(o.Direction), Value: row.Objective}
	switch d.State {
	case study.Complete:
		objective.Note = "at the best epoch"
	case study.Pruned:
		objective.Note = "the last before it was pruned"
	case study.Failed:
		objective.Note = "the trial failed"
		objective.Value = templates.Missing
	default:
		if objective.Note = "the latest"; row.Objective == templates.Missing {
			objective.Note = "nothing reported yet"
		}
	}
	rank := templates.Fact{Label: "Rank", Value: templates.Missing, Note: "of complete trials"}
	if n, ok := h.Ranks[d.Number]; ok {
		rank.Value, rank.Note = templates.Value{Text: strconv.Itoa(n)}, "of "+templates.Plural(len(h.Ranks), "complete trial")
	}
	epoch := templates.Fact{Label: "Epochs", Value: row.Epoch}
	if best, ok := d.Metrics["epoch"]; ok && d.State.Final() {
		epoch.Note = fmt.Sprintf("best at %d", int(best))
	}
	speed := templates.Fact{Label: "Training", Value: templates.Missing, Note: "images a second"}
	if v, ok := d.Metrics["images_per_s"]; ok && !math.IsNaN(v) {
		speed.Value = templates.Value{Text: templates.Count(int(math.Round(v))), Title: templates.Number(v).Title}
	}
	tries := templates.Fact{Label: "Attempts", Value: templates.Value{Text: strconv.Itoa(d.Attempts)}}
	if d.Failures > 0 {
		tries.Note = templates.Plural(d.Failures, "failure")
	}
	duration := templates.Fact{Label: "Duration", Value: row.Duration, Note: "of all attempts"}
	if !d.End.IsZero() {
		duration.Note = "ended " + templates.Ago(d.End, s.cfg.Now()).Text
	}
	return []templates.Fact{objective, rank, epoch, duration, tries, speed}
}

// exportable reports whether the weights of a complete trial are still kept.
func exportable(d study.Detail) bool {
	return d.State == study.Complete && slices.ContainsFunc(d.Artifacts, func(a study.Artifact) bool { return a.Kind == study.ModelFile })
}

// explainTrial says why a trial failed or was pruned, and what that means.
func explainTrial(t study.Trial) *templates.Why {
	switch t.State {
	case study.Failed:
		w := &templates.Why{State: t.State, Title: "Failed", Message: t.Message}
		if t.Reason != "" {
			w.Title = "Failed: " + string(t.Reason)
		}
		w.Advice = map[study.Reason]string{
			study.ReasonNaN:       "The loss was not a number any more: a smaller learning rate or a longer warm-up usually helps.",
			study.ReasonMemory:    "The configuration does not fit the device: a smaller batch or latent size does.",
			study.ReasonLost:      "Its process ended five times without a newer checkpoint, so it was given up.",
			study.ReasonCancelled: "Somebody ended it.",
		}[t.Reason]
		return w
	case study.Pruned:
		w := &templates.Why{State: t.State, Title: "Pruned early", Message: t.Message, Advice: "The pruner stopped it: at the same epoch other trials were better. Its weights are not kept."}
		if t.Reason != "" {
			w.Title = "Pruned: " + string(t.Reason)
		}
		return w
	}
	return nil
}

// trialCharts puts both losses into one chart and gives every other metric its own, the objective first.
func trialCharts(sum study.Summary, d study.Detail, logarithmic bool) []templates.Chart {
	mark := 0
	if best, ok := d.Metrics["epoch"]; ok && d.State.Final() {
		mark = int(best)
	}
	var out []templates.Chart
	losses := false
	for _, key := range charted(slices.Collect(maps.Keys(d.History)), sum.Spec.Objective.Name, maxCharts) {
		if key == "train_loss" || key == "val_loss" {
			if losses {
				continue
			}
			losses = true
			var lines []line
			for i, k := range []string{"train_loss", "val_loss"} {
				if samples, ok := d.History[k]; ok {
					lines = append(lines, line{k, i, samples, mark})
				}
			}
			c := newChart("Loss", logarithmic, lines)
			c.Legend = true
			out = append(out, c)
			continue
		}
		out = append(out, newChart(key, logarithmic, []line{{key, 0, d.History[key], mark}}))
	}
	return out
}

// measure fills in the size of a picture from its file, where that can be read.
func (s *Server) measure(ctx context.Context, p *templates.Picture) {
	body, _, err := s.cfg.Store.OpenArtifact(ctx, p.Digest)
	if err != nil {
		return
	}
	defer body.Close()
	if c, err := png.DecodeConfig(body); err == nil {
		p.Width, p.Height = c.Width, c.Height
	}
}

// paramPairs parts the parameters into those searched and those fixed, in the order of the space.
func paramPairs(space study.Space, params study.Params) (searched, fixed []templates.Pair) {
	for _, dim := range space {
		v, ok := params[dim.Name]
		p := templates.Pair{Name: dim.Name, Value: templates.Missing}
		d := dim.Distribution
		if ok {
			p.Value = templates.Param(v, d.Kind == study.Float && d.Log)
		}
		if d.Single() {
			fixed = append(fixed, p)
			continue
		}
		p.Note = spec.Describe(d)
		searched = append(searched, p)
	}
	var others []string
	for name := range params {
		if _, ok := space.Lookup(name); !ok {
			others = append(others, name)
		}
	}
	slices.Sort(others)
	for _, name := range others {
		fixed = append(fixed, templates.Pair{Name: name, Value: templates.Param(params[name], false)})
	}
	return searched, fixed
}

func attempt(a study.Attempt, now time.Time) templates.Attempt {
	v := templates.Attempt{
		Ordinal: a.Ordinal, State: a.State, Host: a.Host, Device: a.Device, Kind: a.Kind, Because: a.Because, Start: templates.Ago(a.Start, now),
		Reason: string(a.Reason), Message: a.Message, Resumed: "—",
	}
	if a.State == "released" && a.Reason == "" {
		v.Reason = "paused or interrupted, saved at a checkpoint"
	}
	end := a.End
	if end.IsZero() {
		end = now
	}
	v.Duration = templates.Duration(end.Sub(a.Start))
	if isGPU(a.Device) {
		v.Note = unmeasured
	}
	if a.ResumedFrom > 0 {
		v.Resumed = fmt.Sprintf("attempt %d, epoch %d", a.ResumedFrom, a.ResumedStep)
	}
	return v
}

func artifactURL(digest string) string { return "/artifacts/" + url.PathEscape(digest) }
