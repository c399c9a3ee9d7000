package server

import (
	"fmt"
	"net/http"
	"strconv"

	"sweep/study"
)

func (s *Server) apiStudies(w http.ResponseWriter, r *http.Request) error {
	list, err := s.cfg.Store.Studies(r.Context())
	if err != nil {
		return fmt.Errorf("list studies: %w", err)
	}
	out := make([]study.StudyView, 0, len(list))
	for _, sum := range list {
		out = append(out, sum.View())
	}
	return writeJSON(w, r, http.StatusOK, out)
}

func (s *Server) apiStudy(w http.ResponseWriter, r *http.Request) error {
	sum, err := s.summary(r)
	if err != nil {
		return err
	}
	return writeJSON(w, r, http.StatusOK, sum.View())
}

// apiTrials lists trials in the order of `sweep top`: all of them, or ?limit of them with the address of the next page
// in a Link header. ?sort, ?desc and ?state are those of the leaderboard.
func (s *Server) apiTrials(w http.ResponseWriter, r *http.Request) error {
	sum, err := s.summary(r)
	if err != nil {
		return err
	}
	q, err := parseQuery(r.URL.Query(), sum)
	if err != nil {
		return err
	}
	q.Limit = 0
	if text := r.URL.Query().Get("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 {
			return badAddress("limit is a number of trials, 0 for all")
		}
		q.Limit = n
	}
	page, err := s.query(r, sum, q)
	if err != nil {
		return err
	}
	out := make([]study.TrialView, 0, len(page.Trials))
	for _, t := range page.Trials {
		out = append(out, t.View())
	}
	if page.Next != "" {
		next := r.URL.Query()
		next.Set("after", page.Next)
		w.Header().Set("Link", "<"+r.URL.EscapedPath()+"?"+next.Encode()+`>; rel="next"`)
	}
	w.Header().Set("X-Total-Count", strconv.Itoa(page.Total))
	return writeJSON(w, r, http.StatusOK, out)
}

func (s *Server) apiTrial(w http.ResponseWriter, r *http.Request) error {
	sum, err := s.summary(r)
	if err != nil {
		return err
	}
	d, err := s.detail(r, sum)
	if err != nil {
		return err
	}
	return writeJSON(w, r, http.StatusOK, d.View())
}

func (s *Server) apiControl(c control) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		sum, err := s.summary(r)
		if err != nil {
			return err
		}
		if err := s.request(r, sum, c); err != nil {
			return err
		}
		return writeJSON(w, r, http.StatusAccepted, map[string]string{"study": sum.Name, "requested": c.word})
	}
}
