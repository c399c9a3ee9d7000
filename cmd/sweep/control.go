package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"sweep/study"
)

func (a *app) pauseVerb() *cobra.Command {
	return a.request("pause", study.Pause, "Ask the running sweep to save its trials and wait",
		"%s will save its trials at their last epoch and wait; `sweep resume %[2]s` lets it go on\n")
}

func (a *app) resumeVerb() *cobra.Command {
	return a.request("resume", study.Go, "Let a paused sweep go on", "%s goes on\n")
}

func (a *app) stopVerb() *cobra.Command {
	return a.request("stop", study.Stop, "Ask the running sweep to save its trials and end",
		"%s will save its trials at their last epoch and end; the same `sweep run` continues it\n")
}

// request leaves a wish in the store, which the running sweep reads once a second.
func (a *app) request(use string, wish study.Verdict, short, said string) *cobra.Command {
	return &cobra.Command{
		Use: use + " STUDY", Short: short, Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			db, s, err := a.study(c.Context(), args[0])
			if err != nil {
				return err
			}
			defer db.Close()
			if !s.Live {
				return fmt.Errorf("study %s is not running, so there is nothing to %s: `sweep run` with its sweep file starts or continues it", s.Name, use)
			}
			if wish == study.Go && s.Wish == study.Stop {
				return fmt.Errorf("study %s is being stopped: once it has ended, `sweep run` with its sweep file continues it", s.Name)
			}
			if err := db.Request(c.Context(), s.ID, wish, a.now()); err != nil {
				return err
			}
			fmt.Fprintf(a.err, said, s.Name, word(s.Name))
			return nil
		},
	}
}
