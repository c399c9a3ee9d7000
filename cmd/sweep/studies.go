package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"sweep/study"
)

func (a *app) studiesVerb() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use: "studies", Short: "Studies with state, trials by state, best value", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			db, err := a.open(c.Context())
			if err != nil {
				return err
			}
			defer db.Close()
			list, err := db.Studies(c.Context())
			if err != nil {
				return err
			}
			if asJSON {
				views := make([]study.StudyView, len(list))
				for i, s := range list {
					views[i] = s.View()
				}
				return printJSON(a.out, views)
			}
			if len(list) == 0 {
				fmt.Fprintf(a.err, "no studies in %s yet: `sweep run sweeps/lr.yaml` makes one\n", a.db)
				return nil
			}
			var rows [][]string
			for _, s := range list {
				best := "–"
				if s.Best != nil {
					best = fmt.Sprintf("%s (#%d)", number(s.Best.Value), s.Best.Number)
				}
				rows = append(rows, []string{
					s.Name, s.State(), fmt.Sprint(s.Spec.RunCap), counts(s), s.Spec.Objective.Name, best, s.Data.Name, size(s.Bytes),
				})
			}
			table(a.out, []string{"STUDY", "STATE", "CAP", "TRIALS", "OBJECTIVE", "BEST", "DATA", "DISK"},
				map[string]bool{"CAP": true, "DISK": true}, rows)
			return nil
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}
