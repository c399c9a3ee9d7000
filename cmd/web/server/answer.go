package server

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/a-h/templ"

	"sweep/study"
	"sweep/templates"
)

// handler answers a request or returns why it cannot; [Server.page] and [Server.api] turn that into a status.
type handler func(http.ResponseWriter, *http.Request) error

// problem is an error that a reader of a page can do something about.
type problem struct {
	status      int
	title, text string
	names       []templates.Link // what exists instead
	back        templates.Link
}

func (p *problem) Error() string { return p.title + ": " + p.text }

// page adapts a handler of pages: its errors become pages.
func (s *Server) page(h handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		err := h(w, r)
		if err == nil || r.Context().Err() != nil {
			return
		}
		p := s.explain(r, err)
		s.render(w, r, p.status, templates.Problem(templates.ProblemPage{
			Shell:  templates.Shell{Title: p.title + " · sweep", Here: "Error", Version: s.cfg.Version},
			Status: p.status, Title: p.title, Text: p.text, Names: p.names, Back: p.back,
		}))
	})
}

// api adapts a handler of the JSON API: its errors become {"error": …}.
func (s *Server) api(h handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := h(w, r); err != nil && r.Context().Err() == nil {
			writeProblemJSON(w, s.explain(r, err))
		}
	})
}

// explain maps an error to a problem, in this one place. The text of a failure inside goes to the log alone.
func (s *Server) explain(r *http.Request, err error) *problem {
	if p, ok := errors.AsType[*problem](err); ok {
		return p
	}
	if errors.Is(err, study.ErrNotFound) {
		return &problem{status: http.StatusNotFound, title: "Not found", text: "What this address names is not in the database.", back: allStudies}
	}
	s.cfg.Log.Error("request", "method", r.Method, "path", r.URL.Path, "error", err)
	return &problem{
		status: http.StatusInternalServerError, title: "Something went wrong inside sweep",
		text: "The reason is in the output of the process that serves these pages. The database is unharmed; reloading may help.", back: allStudies,
	}
}

var allStudies = templates.Link{Text: "All studies", URL: "/"}

// noStudy names the studies that there are.
func (s *Server) noStudy(ctx context.Context, name string) error {
	p := &problem{
		status: http.StatusNotFound, title: "There is no study " + clip(name),
		text: "This database has no study at all.", back: allStudies,
	}
	list, err := s.cfg.Store.Studies(ctx)
	if err != nil {
		return fmt.Errorf("list studies: %w", err)
	}
	for i, sum := range list {
		p.text = "This database has:"
		if i == 12 {
			p.text = "Some of the studies of this database:"
			break
		}
		p.names = append(p.names, templates.Link{Text: sum.Name, URL: studyURL(sum.Name)})
	}
	return p
}

// summary reads the study that the request names.
func (s *Server) summary(r *http.Request) (study.Summary, error) {
	name := r.PathValue("name")
	sum, err := s.cfg.Store.Summary(r.Context(), name)
	if errors.Is(err, study.ErrNotFound) {
		return sum, s.noStudy(r.Context(), name)
	}
	if err != nil {
		return sum, fmt.Errorf("read study %s: %w", name, err)
	}
	return sum, nil
}

// detail reads the trial that the request names.
func (s *Server) detail(r *http.Request, sum study.Summary) (study.Detail, error) {
	n, err := strconv.Atoi(r.PathValue("number"))
	if err != nil || n < 0 {
		return study.Detail{}, noTrial(sum, clip(r.PathValue("number")))
	}
	d, err := s.cfg.Store.Detail(r.Context(), sum.ID, n)
	if errors.Is(err, study.ErrNotFound) {
		return d, noTrial(sum, strconv.Itoa(n))
	}
	if err != nil {
		return d, fmt.Errorf("read trial %d of study %s: %w", n, sum.Name, err)
	}
	return d, nil
}

func noTrial(sum study.Summary, number string) error {
	text := "The study has no trial yet."
	if n := total(sum); n > 0 {
		text = fmt.Sprintf("The study %s has %s, numbered from 0 to %d.", sum.Name, templates.Plural(n, "trial"), n-1)
	}
	return &problem{
		status: http.StatusNotFound, title: "There is no trial " + number, text: text,
		back: templates.Link{Text: "All trials of " + sum.Name, URL: studyURL(sum.Name)},
	}
}

func total(sum study.Summary) int {
	n := 0
	for _, s := range study.States {
		n += sum.Counts[s]
	}
	return n
}

func studyURL(name string) string { return "/studies/" + url.PathEscape(name) }

func trialURL(name string, number int) string {
	return studyURL(name) + "/trials/" + strconv.Itoa(number)
}

// render writes a page whole: an error while rendering still gives a clean 500.
func (s *Server) render(w http.ResponseWriter, r *http.Request, status int, c templ.Component) {
	var b bytes.Buffer
	if err := c.Render(r.Context(), &b); err != nil {
		s.cfg.Log.Error("render", "path", r.URL.Path, "error", err)
		http.Error(w, "the page could not be rendered; the reason is in the server's output", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	write(w, r, status, b.Bytes())
}

// write sends body, gzipped where that helps and is understood.
func write(w http.ResponseWriter, r *http.Request, status int, body []byte) {
	h := w.Header()
	h.Add("Vary", "Accept-Encoding")
	if len(body) > 1400 && acceptsGzip(r) {
		var b bytes.Buffer
		z, _ := gzip.NewWriterLevel(&b, gzip.BestSpeed) // the level is valid
		_, _ = z.Write(body)                            // a bytes.Buffer takes all
		_ = z.Close()
		body = b.Bytes()
		h.Set("Content-Encoding", "gzip")
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body) // the client may be gone
	}
}

func acceptsGzip(r *http.Request) bool {
	for part := range strings.SplitSeq(r.Header.Get("Accept-Encoding"), ",") {
		name, q, _ := strings.Cut(strings.TrimSpace(part), ";")
		if strings.TrimSpace(name) == "gzip" {
			q = strings.ReplaceAll(q, " ", "")
			return q != "q=0" && q != "q=0.0" && q != "q=0.00" && q != "q=0.000"
		}
	}
	return false
}

func writeJSON(w http.ResponseWriter, r *http.Request, status int, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("write JSON: %w", err)
	}
	w.Header().Set("Content-Type", "application/json")
	write(w, r, status, append(b, '\n'))
	return nil
}

func writeProblemJSON(w http.ResponseWriter, p *problem) {
	text := p.title + ": " + p.text
	body := map[string]any{"error": text}
	if len(p.names) > 0 {
		var names []string
		for _, n := range p.names {
			names = append(names, n.Text)
		}
		body["names"] = names
		body["error"] = text + " " + strings.Join(names, ", ")
	}
	b, _ := json.Marshal(body) // strings only
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(p.status)
	_, _ = w.Write(append(b, '\n')) // the client may be gone
}
