package main

import (
	"context"
	"encoding/csv"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"sweep/storage"
	"sweep/study"
)

func (a *app) topVerb() *cobra.Command {
	var n int
	var sort string
	var asJSON, asCSV bool
	c := &cobra.Command{
		Use: "top STUDY", Short: "The leaderboard", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if asJSON && asCSV {
				return usagef("choose one of --json and --csv")
			}
			if n < 0 {
				return usagef("-n %d: give a number of trials, 0 for all", n)
			}
			db, s, err := a.study(c.Context(), args[0])
			if err != nil {
				return err
			}
			defer db.Close()
			q := study.Query{Limit: n}
			if q.Sort, q.Desc, err = sortKey(s.Spec, sort); err != nil {
				return err
			}
			if n > 0 && !asJSON && !asCSV {
				q.Limit++ // one more tells which baselines belong among those shown
			}
			trials, err := allTrials(c.Context(), db, s.ID, q)
			if err != nil {
				return err
			}
			switch {
			case asJSON:
				views := make([]study.TrialView, len(trials))
				for i, t := range trials {
					views[i] = t.View()
				}
				return printJSON(a.out, views)
			case asCSV:
				return a.topCSV(s, trials)
			}
			list, err := db.Baselines(c.Context(), s.ID)
			if err != nil {
				return err
			}
			var next *study.Trial
			if n > 0 && len(trials) > n {
				trials, next = trials[:n], &trials[n]
			}
			a.topTable(s, trials, study.PlaceBaselines(list, s.Spec.Objective, q, trials, true, next))
			return nil
		},
	}
	c.Flags().IntVarP(&n, "number", "n", 20, "how many trials, 0 for all")
	c.Flags().StringVar(&sort, "sort", "rank", "rank, number, state, duration, value, a parameter or a metric; a leading - turns it round")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	c.Flags().BoolVar(&asCSV, "csv", false, "print CSV")
	return c
}

// sortKey finds out what a word to sort by means.
func sortKey(spec study.Spec, word string) (key string, desc bool, err error) {
	word, desc = strings.CutPrefix(word, "-")
	switch word {
	case "rank", "number", "state", "duration", "value":
		return word, desc, nil
	case spec.Objective.Name:
		return "value", desc, nil
	}
	if _, ok := spec.Space.Lookup(word); ok {
		return "param:" + word, desc, nil
	}
	if m, ok := catalogueOf(spec.Trainer).Metric(word); ok {
		return "metric:" + m.Key, desc, nil
	}
	return "", false, usagef("cannot sort by %q: use rank, number, state, duration, value, a parameter (%s) or a metric", word, names(spec.Space))
}

func names(s study.Space) string {
	out := make([]string, len(s))
	for i, d := range s {
		out[i] = d.Name
	}
	return strings.Join(out, ", ")
}

// allTrials reads pages until the query's limit, or to the end.
func allTrials(ctx context.Context, db *storage.DB, studyID int64, q study.Query) ([]study.Trial, error) {
	const pageSize = 500
	limit := q.Limit
	var out []study.Trial
	for {
		q.Limit = pageSize
		if limit > 0 {
			q.Limit = min(pageSize, limit-len(out))
		}
		page, err := db.Query(ctx, studyID, q)
		if err != nil {
			return nil, err
		}
		out = append(out, page.Trials...)
		if page.Next == "" || limit > 0 && len(out) >= limit {
			return out, nil
		}
		q.After = page.Next
	}
}

// shownMetrics are the metrics beside the objective that a table has room for: those of pictures, or of classes where no
// trial has any of the former.
func shownMetrics(trials []study.Trial) []string {
	has := func(keys ...string) bool {
		return slices.ContainsFunc(trials, func(t study.Trial) bool {
			return slices.ContainsFunc(keys, func(k string) bool { _, ok := t.Metrics[k]; return ok })
		})
	}
	switch {
	case has("val_mse"):
	case has("val_miou"):
		return []string{"val_miou", "val_pixel_acc", "val_loss", "epoch"}
	case has("val_acc"):
		return []string{"val_acc", "val_loss", "epoch"}
	}
	return []string{"val_mse", "val_psnr", "val_ssim", "epoch"}
}

// topTable prints trials with the baselines at their places between them, which have no number.
func (a *app) topTable(s study.Summary, trials []study.Trial, placed map[int][]study.Baseline) {
	searched := s.Spec.Space.Searched()
	head := []string{"TRIAL", "STATE", s.Spec.Objective.Name}
	right := map[string]bool{"TRIAL": true, s.Spec.Objective.Name: true, "TIME": true}
	var metrics []string
	for _, m := range shownMetrics(trials) {
		if m != s.Spec.Objective.Name {
			metrics = append(metrics, m)
			head, right[m] = append(head, m), true
		}
	}
	for _, d := range searched {
		head = append(head, d.Name)
		right[d.Name] = d.Distribution.Kind != study.Categorical
	}
	head = append(head, "TIME")
	var rows [][]string
	baselines := func(at int) {
		for _, b := range placed[at] {
			as := study.Trial{Metrics: b.Metrics}
			row := []string{b.Name, "baseline", number(metricOf(as, s.Spec.Objective.Name))}
			for _, m := range metrics {
				row = append(row, number(metricOf(as, m)))
			}
			for _, d := range searched {
				cell := "–"
				if d.Name == study.LatentParam && b.K > 0 {
					cell = fmt.Sprint(b.K)
				}
				row = append(row, cell)
			}
			rows = append(rows, append(row, "–"))
		}
	}
	for i, t := range trials {
		baselines(i)
		row := []string{fmt.Sprintf("#%d", t.Number), stateWord(t), number(objectiveOf(s.Spec, t))}
		for _, m := range metrics {
			row = append(row, number(metricOf(t, m)))
		}
		for _, d := range searched {
			row = append(row, study.FormatValue(t.Params[d.Name]))
		}
		rows = append(rows, append(row, duration(t.Duration)))
	}
	baselines(len(trials))
	table(a.out, head, right, rows)
	fmt.Fprintf(a.err, "%s: %s; %s is to %s\n", s.Name, counts(s), s.Spec.Objective.Name, s.Spec.Objective.Direction)
}

func stateWord(t study.Trial) string {
	if t.Reason != "" && t.State == study.Failed {
		return fmt.Sprintf("failed (%s)", t.Reason)
	}
	return string(t.State)
}

// topCSV prints every parameter and metric, full precision, one trial a line.
func (a *app) topCSV(s study.Summary, trials []study.Trial) error {
	seen := map[string]bool{}
	var metrics []string
	for _, t := range trials {
		for k := range t.Metrics {
			if !seen[k] {
				seen[k] = true
				metrics = append(metrics, k)
			}
		}
	}
	slices.Sort(metrics)
	head := []string{"number", "state", "value"}
	for _, d := range s.Spec.Space {
		head = append(head, "param."+d.Name)
	}
	for _, m := range metrics {
		head = append(head, "metric."+m)
	}
	w := csv.NewWriter(a.out)
	w.Write(append(head, "attempts", "duration_s")) //nolint:errcheck // csv keeps the first error for Error
	for _, t := range trials {
		v := t.View()
		row := []string{fmt.Sprint(v.Number), string(v.State), ""}
		if v.Value != nil {
			row[2] = plain(float64(*v.Value))
		}
		for _, d := range s.Spec.Space {
			row = append(row, exact(t.Params[d.Name]))
		}
		for _, m := range metrics {
			cell := ""
			if f, ok := t.Metrics[m]; ok {
				cell = plain(f)
			}
			row = append(row, cell)
		}
		w.Write(append(row, fmt.Sprint(v.Attempts), plain(v.DurationS))) //nolint:errcheck // as above
	}
	w.Flush()
	return w.Error()
}

// plain prints a number so that it reads back the same.
func plain(f float64) string { return fmt.Sprintf("%v", f) }

// exact prints a parameter value without rounding.
func exact(v any) string {
	if f, ok := v.(float64); ok {
		return plain(f)
	}
	return study.FormatValue(v)
}

// objectiveOf is a finished trial's value, and the latest objective of one that runs.
func objectiveOf(spec study.Spec, t study.Trial) float64 {
	if t.State == study.Running {
		return metricOf(t, spec.Objective.Name)
	}
	return t.Value
}
