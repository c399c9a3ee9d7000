package server

import (
	"fmt"
	"net/http"

	"sweep/study"
	"sweep/templates"
)

// control is one of the three things that a page can ask of a running sweep.
type control struct {
	word    string // last part of the address
	verdict study.Verdict
	done    string
}

var (
	pause  = control{"pause", study.Pause, "Pause requested: running trials save a checkpoint and go back to waiting."}
	resume = control{"resume", study.Go, "Resume requested: trials go on."}
	stop   = control{"stop", study.Stop, "Stop requested: running trials save a checkpoint, then the process ends."}
)

// notices are the words after the redirect, by what the address says was done.
var notices = map[string]string{pause.word: pause.done, resume.word: resume.done, stop.word: stop.done}

// request stores c for the study, or says why it does not apply.
func (s *Server) request(r *http.Request, sum study.Summary, c control) error {
	h := head(sum)
	allowed := map[string]bool{pause.word: h.CanPause, resume.word: h.CanResume, stop.word: h.CanStop}[c.word]
	if !allowed {
		return &problem{
			status: http.StatusConflict, title: "Nothing to " + c.word,
			text: fmt.Sprintf("The study %s is %s. %s", sum.Name, sum.State(), h.Why),
			back: templates.Link{Text: "Back to " + sum.Name, URL: h.URL},
		}
	}
	if err := s.cfg.Store.Request(r.Context(), sum.ID, c.verdict, s.cfg.Now()); err != nil {
		return fmt.Errorf("ask study %s to %s: %w", sum.Name, c.word, err)
	}
	s.news.poke()
	return nil
}

// control answers the forms of a study's page: it works without scripts and ends on that page again.
func (s *Server) control(c control) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		sum, err := s.summary(r)
		if err != nil {
			return err
		}
		if err := s.request(r, sum, c); err != nil {
			return err
		}
		http.Redirect(w, r, studyURL(sum.Name)+"?done="+c.word, http.StatusSeeOther)
		return nil
	}
}

// stopPage asks whether to stop, where there are no scripts to open the dialog.
func (s *Server) stopPage(w http.ResponseWriter, r *http.Request) error {
	sum, err := s.summary(r)
	if err != nil {
		return err
	}
	h := head(sum)
	if !h.CanStop {
		return &problem{
			status: http.StatusConflict, title: "Nothing to stop", text: h.Why,
			back: templates.Link{Text: "Back to " + sum.Name, URL: h.URL},
		}
	}
	s.render(w, r, http.StatusOK, templates.Stop(templates.StopPage{Shell: s.shell(sum, "Stop", "")}))
	return nil
}

// head is a study's name, state and controls.
func head(sum study.Summary) templates.StudyHead {
	h := templates.StudyHead{Name: sum.Name, URL: studyURL(sum.Name), State: sum.State(), Running: sum.Counts[study.Running]}
	switch h.State {
	case "running":
		h.CanPause, h.CanStop = true, true
	case "pausing":
		h.CanResume, h.CanStop = true, true
	case "paused":
		h.CanResume, h.CanStop = sum.Live, sum.Live
		h.Why = "No process runs it now."
	case "stopping":
		h.Why = "It is stopping already."
	case "finished":
		h.Why = "All its trials are over."
	default:
		h.Why = "No process runs it now."
	}
	return h
}

// shell is the frame of a study's pages.
func (s *Server) shell(sum study.Summary, here, tab string) templates.Shell {
	h := head(sum)
	title := sum.Name
	if here != "" {
		title = here + " · " + sum.Name
	}
	return templates.Shell{Title: title + " · sweep", Head: &h, Here: here, Tab: tab, Version: s.cfg.Version}
}
