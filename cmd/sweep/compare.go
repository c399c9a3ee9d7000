package main

import (
	"fmt"
	"math"
	"reflect"
	"slices"

	"github.com/spf13/cobra"

	"sweep/study"
)

// compared is what `sweep compare --json` prints.
type compared struct {
	Study   string                    `json:"study"`
	Trials  []int                     `json:"trials"`
	Values  []*study.Number           `json:"values"`
	Params  map[string][]any          `json:"params"` // only those that differ, in the order of Trials
	Metrics map[string][]study.Number `json:"metrics"`
}

func (a *app) compareVerb() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use: "compare STUDY NUMBER NUMBER...", Short: "Only what differs between trials, side by side (2 to 8 trials)", Args: cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) < 3 || len(args) > 9 {
				return usagef("compare 2 to 8 trials: use it as `sweep compare STUDY NUMBER NUMBER...`")
			}
			db, s, err := a.study(c.Context(), args[0])
			if err != nil {
				return err
			}
			defer db.Close()
			var trials []study.Trial
			for _, arg := range args[1:] {
				n, err := trialNumber(arg)
				if err != nil {
					return err
				}
				d, err := db.Detail(c.Context(), s.ID, n)
				if err != nil {
					return err
				}
				trials = append(trials, d.Trial)
			}
			params, metrics := differing(s.Spec.Space, trials)
			if asJSON {
				return printJSON(a.out, compareView(s, trials, params, metrics))
			}
			head := []string{""}
			for _, t := range trials {
				head = append(head, fmt.Sprintf("#%d", t.Number))
			}
			right := map[string]bool{}
			for _, h := range head[1:] {
				right[h] = true
			}
			rows := [][]string{row("state", trials, func(t study.Trial) string { return stateWord(t) })}
			for _, p := range params {
				rows = append(rows, row(p, trials, func(t study.Trial) string { return study.FormatValue(t.Params[p]) }))
			}
			for _, m := range metrics {
				rows = append(rows, row(m, trials, func(t study.Trial) string { return number(metricOf(t, m)) }))
			}
			table(a.out, head, right, rows)
			if len(params) == 0 {
				fmt.Fprintln(a.err, "the parameters are the same")
			}
			return nil
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func row(name string, trials []study.Trial, cell func(study.Trial) string) []string {
	out := []string{name}
	for _, t := range trials {
		out = append(out, cell(t))
	}
	return out
}

func metricOf(t study.Trial, key string) float64 {
	if v, ok := t.Metrics[key]; ok {
		return v
	}
	return math.NaN()
}

// differing lists the parameters, in the space's order, and the metrics, by key, that are not the same in all trials.
func differing(space study.Space, trials []study.Trial) (params, metrics []string) {
	for _, d := range space {
		for _, t := range trials[1:] {
			if !reflect.DeepEqual(t.Params[d.Name], trials[0].Params[d.Name]) {
				params = append(params, d.Name)
				break
			}
		}
	}
	seen := map[string]bool{}
	for _, t := range trials {
		for k := range t.Metrics {
			if seen[k] {
				continue
			}
			seen[k] = true
			for _, o := range trials {
				if metricOf(o, k) != metricOf(trials[0], k) {
					metrics = append(metrics, k)
					break
				}
			}
		}
	}
	slices.Sort(metrics)
	return params, metrics
}

func compareView(s study.Summary, trials []study.Trial, params, metrics []string) compared {
	v := compared{Study: s.Name, Params: map[string][]any{}, Metrics: map[string][]study.Number{}}
	for _, t := range trials {
		view := t.View()
		v.Trials, v.Values = append(v.Trials, t.Number), append(v.Values, view.Value)
		for _, p := range params {
			v.Params[p] = append(v.Params[p], view.Params[p])
		}
		for _, m := range metrics {
			v.Metrics[m] = append(v.Metrics[m], study.Number(metricOf(t, m)))
		}
	}
	return v
}
