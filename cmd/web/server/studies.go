package server

import (
	"fmt"
	"net/http"

	"sweep/study"
	"sweep/templates"
)

// studies is the list of all studies.
func (s *Server) studies(w http.ResponseWriter, r *http.Request) error {
	list, err := s.cfg.Store.Studies(r.Context())
	if err != nil {
		return fmt.Errorf("list studies: %w", err)
	}
	p := templates.StudiesPage{
		Shell:   templates.Shell{Title: "Studies · sweep", Here: "Studies", Version: s.cfg.Version},
		Command: s.commandLine("sweep run sweeps/lr.yaml"),
	}
	p.Shell.Refresh = studiesRefresh
	now := s.cfg.Now()
	for _, sum := range list {
		row := templates.StudyRow{
			Name: sum.Name, URL: studyURL(sum.Name), State: sum.State(), Done: over(sum), Cap: sum.Spec.RunCap,
			Progress: templates.Progress(sum.Counts, sum.Spec.RunCap), Best: templates.Missing,
			Description: sum.Spec.Description,
			Metric:      sum.Spec.Objective.Name, Goal: templates.Goal(sum.Spec.Objective.Direction), Data: sum.Data.Name,
			Activity: templates.Ago(sum.Activity, now), Bytes: templates.Bytes(sum.Bytes).Text,
		}
		if b := sum.Best; b != nil {
			row.Best, row.BestURL, row.BestNumber = templates.Number(b.Value), trialURL(sum.Name, b.Number), b.Number
		}
		p.Studies = append(p.Studies, row)
	}
	s.render(w, r, http.StatusOK, templates.Studies(p))
	return nil
}

// over counts the trials in a final state.
func over(sum study.Summary) int {
	return sum.Counts[study.Complete] + sum.Counts[study.Pruned] + sum.Counts[study.Failed]
}

// commandLine adds --db to a command where the database is not the default one.
func (s *Server) commandLine(line string) string {
	if db := s.cfg.Database; db != "" && db != "sweep.db" {
		line += " --db " + quote(db)
	}
	return line
}
