package main

import (
	"bufio"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

func (a *app) rmVerb() *cobra.Command {
	var yes bool
	c := &cobra.Command{
		Use: "rm STUDY", Short: "Delete a study and free its disk space", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			db, s, err := a.study(c.Context(), args[0])
			if err != nil {
				return err
			}
			defer db.Close()
			if s.Live {
				return fmt.Errorf("study %s is running: `sweep stop %s` ends it, then it can be deleted", s.Name, word(s.Name))
			}
			if !yes {
				fmt.Fprintf(a.err, "Delete study %s with its trials (%s) and %s of files? [y/N] ", s.Name, counts(s), size(s.Bytes))
				answer, _ := bufio.NewReader(a.in).ReadString('\n')
				if answer = strings.ToLower(strings.TrimSpace(answer)); answer != "y" && answer != "yes" {
					fmt.Fprintln(a.err)
					return fmt.Errorf("study %s is kept: answer y, or say --yes", s.Name)
				}
			}
			if err := db.DeleteStudy(c.Context(), s.Name); err != nil {
				return err
			}
			fmt.Fprintf(a.err, "deleted study %s, %s freed\n", s.Name, size(s.Bytes))
			return nil
		},
	}
	c.Flags().BoolVar(&yes, "yes", false, "do not ask")
	return c
}
