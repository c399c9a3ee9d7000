package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"github.com/spf13/cobra"

	"sweep/storage"
	"sweep/study"
)

// trialNumber reads a trial's number as typed, with or without its #.
func trialNumber(arg string) (int, error) {
	n, err := strconv.Atoi(arg)
	if len(arg) > 1 && arg[0] == '#' {
		n, err = strconv.Atoi(arg[1:])
	}
	if err != nil || n < 0 {
		return 0, usagef("%q is not the number of a trial", arg)
	}
	return n, nil
}

func (a *app) showVerb() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use: "show STUDY NUMBER", Short: "One trial: params, metrics, attempts, files, why it failed", Args: cobra.ExactArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			n, err := trialNumber(args[1])
			if err != nil {
				return err
			}
			db, s, err := a.study(c.Context(), args[0])
			if err != nil {
				return err
			}
			defer db.Close()
			d, err := db.Detail(c.Context(), s.ID, n)
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(a.out, d.View())
			}
			return a.showTrial(c.Context(), db, s, d)
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func (a *app) showTrial(ctx context.Context, db *storage.DB, s study.Summary, d study.Detail) error {
	list, err := db.Baselines(ctx, s.ID)
	if err != nil {
		return err
	}
	fmt.Fprintf(a.out, "trial #%d of %s: %s", d.Number, s.Name, stateWord(d.Trial))
	if d.State == study.Complete {
		fmt.Fprintf(a.out, ", %s %s", s.Spec.Objective.Name, number(d.Value))
	}
	fmt.Fprintf(a.out, ", %s\n", duration(d.Duration))
	if text := baselineOf(s.Spec, d.Trial, list); d.State == study.Complete && text != "" {
		fmt.Fprintln(a.out, text)
	}
	if d.Message != "" {
		fmt.Fprintf(a.out, "\n%s\n", d.Message)
	}
	fmt.Fprintln(a.out, "\nparameters")
	var rows [][]string
	for _, dim := range s.Spec.Space {
		note := ""
		if dim.Distribution.Single() {
			note = "fixed"
		}
		rows = append(rows, []string{"  " + dim.Name, exact(d.Params[dim.Name]), note})
	}
	table(a.out, []string{"  NAME", "VALUE", ""}, nil, rows)

	if len(d.Metrics) > 0 {
		fmt.Fprintln(a.out, "\nmetrics")
		keys := make([]string, 0, len(d.Metrics))
		for k := range d.Metrics {
			keys = append(keys, k)
		}
		slices.Sort(keys)
		rows = nil
		for _, k := range keys {
			rows = append(rows, []string{"  " + k, number(d.Metrics[k])})
		}
		table(a.out, []string{"  KEY", "VALUE"}, map[string]bool{"VALUE": true}, rows)
	}

	if len(d.List) > 0 {
		fmt.Fprintln(a.out, "\nattempts")
		rows = nil
		for _, t := range d.List {
			from := "nothing"
			if t.ResumedFrom > 0 {
				from = fmt.Sprintf("attempt %d, epoch %d", t.ResumedFrom, t.ResumedStep)
			}
			ran := "–"
			if !t.End.IsZero() {
				ran = duration(t.End.Sub(t.Start))
			}
			state := t.State
			if t.Reason != "" && string(t.Reason) != state {
				state += " (" + string(t.Reason) + ")"
			}
			rows = append(rows, []string{
				fmt.Sprintf("  %d", t.Ordinal), state, t.Host, deviceOf(t), t.Start.Local().Format("2006-01-02 15:04:05"), ran, from,
			})
		}
		table(a.out, []string{"  #", "STATE", "HOST", "DEVICE", "START", "TIME", "FROM"}, nil, rows)
	}

	if len(d.Artifacts) > 0 {
		fmt.Fprintln(a.out, "\nfiles")
		rows = nil
		for _, f := range d.Artifacts {
			rows = append(rows, []string{"  " + string(f.Kind), f.Name, fmt.Sprint(f.Step), size(f.Size), f.Digest[:12]})
		}
		table(a.out, []string{"  KIND", "NAME", "EPOCH", "SIZE", "SHA-256"}, map[string]bool{"EPOCH": true, "SIZE": true}, rows)
	}
	return nil
}

func (a *app) bestVerb() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use: "best STUDY", Short: "The best trial", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			db, s, err := a.study(c.Context(), args[0])
			if err != nil {
				return err
			}
			defer db.Close()
			if s.Best == nil {
				return noBest(s)
			}
			d, err := db.Detail(c.Context(), s.ID, s.Best.Number)
			if err != nil {
				return err
			}
			if asJSON {
				v := d.View()
				v.History, v.AttemptList = nil, nil
				return printJSON(a.out, v)
			}
			return a.showTrial(c.Context(), db, s, d)
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func noBest(s study.Summary) error {
	return fmt.Errorf("study %s has no complete trial yet (%s): `sweep top %[1]s` shows them", s.Name, counts(s))
}

// deviceOf says where an attempt ran: its device, which kind that is, and why it was this one.
func deviceOf(a study.Attempt) string {
	s := a.Device
	if a.Kind != "" {
		s += " (" + a.Kind + ")"
	}
	if a.Because != "" {
		s += ": " + a.Because
	}
	return s
}
