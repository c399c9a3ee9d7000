package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/a-h/templ"

	"sweep/study"
	"sweep/templates"
)

// news asks the store for its newest event once a tick, while anyone listens, and wakes the streams when it moved. So
// any number of open pages costs one look-up a tick.
type news struct {
	store Store
	tick  time.Duration
	mu    sync.Mutex
	seats map[chan struct{}]bool
	asked chan struct{}
	// patience is how many quiet ticks count as news.
	patience int
}

// Quiet ticks after which pages are looked at again: a process that died leaves no event, and a device that does
// something else neither.
const (
	deathTicks  = 10
	deviceTicks = 2
)

func newNews(store Store, tick time.Duration) *news {
	return &news{store: store, tick: tick, seats: make(map[chan struct{}]bool), asked: make(chan struct{}, 1), patience: deathTicks}
}

// run watches until ctx ends.
func (n *news) run(ctx context.Context) {
	t := time.NewTicker(n.tick)
	defer t.Stop()
	last, quiet := int64(-1), 0
	for {
		select {
		case <-ctx.Done():
			return
		case <-n.asked:
		case <-t.C:
		}
		if n.empty() {
			continue
		}
		seq, err := n.store.LastSeq(ctx)
		if err != nil { // the next tick asks again
			continue
		}
		if quiet++; seq != last || quiet >= n.patience {
			last, quiet = seq, 0
			n.wake()
		}
	}
}

func (n *news) poke() {
	select {
	case n.asked <- struct{}{}:
	default:
	}
}

func (n *news) empty() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.seats) == 0
}

func (n *news) wake() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for c := range n.seats {
		select {
		case c <- struct{}{}:
		default: // it has a wake-up waiting already: news coalesce
		}
	}
}

func (n *news) sit() (chan struct{}, func()) {
	c := make(chan struct{}, 1)
	n.mu.Lock()
	n.seats[c] = true
	n.mu.Unlock()
	return c, func() {
		n.mu.Lock()
		delete(n.seats, c)
		n.mu.Unlock()
	}
}

// Limits of a stream.
const (
	maxEvents   = 2000             // read at once
	maxWatched  = 200              // rows that a page may name
	sseDeadline = 10 * time.Second // for one write
	sseSilence  = 20 * time.Second // after which a comment keeps proxies from closing
)

var metricKey = regexp.MustCompile(`^[A-Za-z0-9_.:/+-]{1,80}$`)

// stream is one open page.
type stream struct {
	s        *Server
	w        http.ResponseWriter
	control  *http.ResponseController
	sum      study.Summary
	watched  map[int]bool
	layout   layout
	list     study.Query
	whole    bool // the page shows all trials of the study: new ones follow below
	after    int64
	proposed map[int]bool
	ended    map[int]bool // shown trials that ended since: the order may differ now
	sent     map[string]string
	told     string
	baseline int // baselines that the page knows of
}

// live is the event stream of a leaderboard: `rows` replace rows of the trials on the page, or follow them where the page
// shows all trials, `part` replaces the summary,
// the devices, the chips, the state and the controls, `news` and `stale` say that reloading shows more, `end` that nothing more will
// come. At most one round a tick.
func (s *Server) live(w http.ResponseWriter, r *http.Request) error {
	sum, err := s.summary(r)
	if err != nil {
		return err
	}
	st := &stream{
		s: s, w: w, control: http.NewResponseController(w), sum: sum, watched: make(map[int]bool), layout: newLayout(sum),
		proposed: make(map[int]bool), ended: make(map[int]bool), sent: make(map[string]string),
	}
	v := r.URL.Query()
	for text := range strings.SplitSeq(v.Get("trials"), ",") {
		if n, err := strconv.Atoi(text); err == nil && len(st.watched) < maxWatched {
			st.watched[n] = true
		}
	}
	// The page's own columns hold, whatever the study has learned to show since.
	st.layout.extra = ""
	if key := v.Get("metric"); metricKey.MatchString(key) {
		st.layout.extra = key
	}
	list, err := url.ParseQuery(v.Get("list"))
	if err != nil {
		return badAddress("list is the query of a leaderboard")
	}
	if st.list, err = parseQuery(list, sum); err != nil {
		return err
	}
	st.whole = v.Get("whole") == "1"
	st.baseline, _ = strconv.Atoi(v.Get("baselines")) // nonsense is 0: the page is told of all
	last := r.Header.Get("Last-Event-ID")
	if last == "" {
		last = v.Get("after")
	}
	st.after, _ = strconv.ParseInt(last, 10, 64) // nonsense is 0: everything is sent anew

	seat, leave := s.news.sit()
	defer leave()
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("X-Accel-Buffering", "no")
	// The server's read timeout is for requests; this one stays open.
	_ = st.control.SetReadDeadline(time.Time{})
	if err := st.send("", "retry: 2000\n\n"); err != nil {
		return nil // gone already
	}
	keep := time.NewTicker(sseSilence)
	defer keep.Stop()
	for {
		done, err := st.round(r.Context())
		if err != nil {
			if r.Context().Err() == nil && !errors.Is(err, study.ErrNotFound) {
				s.cfg.Log.Error("stream", "path", r.URL.Path, "error", err)
			}
			return nil // the headers are out: the browser will connect again
		}
		if done {
			return nil
		}
		select {
		case <-r.Context().Done():
			return nil
		case <-s.stopping:
			return nil
		case <-keep.C:
			if st.send("", ": still here\n\n") != nil {
				return nil
			}
		case <-seat:
			// Rounds are a tick apart however fast events come.
			select {
			case <-r.Context().Done():
				return nil
			case <-s.stopping:
				return nil
			case <-time.After(s.cfg.Tick / 2):
			}
		}
	}
}

// round sends what has changed since the last one, and reports whether nothing more will come.
func (st *stream) round(ctx context.Context) (done bool, err error) {
	store := st.s.cfg.Store
	sum, err := store.Summary(ctx, st.sum.Name)
	if err != nil {
		return false, err
	}
	if sum.ID != st.sum.ID {
		return true, st.send("end", "gone")
	}
	st.sum = sum
	changed := make(map[int]bool)
	for {
		events, err := store.Events(ctx, sum.ID, st.after, maxEvents)
		if err != nil {
			return false, err
		}
		for _, e := range events {
			st.after = e.Seq
			switch {
			case e.Number < 0:
			case st.watched[e.Number]:
				changed[e.Number] = true
				if e.Kind == "finished" {
					st.ended[e.Number] = true
				}
			case st.whole && len(st.watched) < pageRows:
				st.watched[e.Number], changed[e.Number] = true, true
				if e.Kind == "finished" {
					st.ended[e.Number] = true
				}
			case e.Kind == "proposed":
				st.proposed[e.Number] = true
			}
		}
		if len(events) < maxEvents {
			break
		}
	}
	if err := st.rows(ctx, changed); err != nil {
		return false, err
	}
	if err := st.parts(ctx); err != nil {
		return false, err
	}
	list, err := store.Baselines(ctx, sum.ID)
	if err != nil {
		return false, err
	}
	if n := len(list); n > st.baseline && len(st.watched) > 0 {
		st.baseline = n
		if err := st.send("news", "Baselines are there · refresh"); err != nil {
			return false, err
		}
	}
	if n := len(st.proposed); n > 0 {
		text := templates.Plural(n, "new trial") + " · refresh"
		if text != st.told {
			st.told = text
			if err := st.send("news", text); err != nil {
				return false, err
			}
		}
	} else if len(st.ended) > 0 && st.told == "" && st.list.Sort != "number" {
		st.told = "stale"
		if err := st.send("stale", "order"); err != nil {
			return false, err
		}
	}
	if sum.State() == "finished" {
		return true, st.send("end", "finished")
	}
	return false, nil
}

func (st *stream) rows(ctx context.Context, changed map[int]bool) error {
	var html strings.Builder
	for _, n := range slices.Sorted(maps.Keys(changed)) {
		d, err := st.s.cfg.Store.Detail(ctx, st.sum.ID, n)
		if errors.Is(err, study.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		t := d.Trial
		if curve, ok := d.History[st.sum.Spec.Objective.Name]; ok && len(t.Curve) == 0 {
			t.Curve = curve
		}
		row, err := markup(ctx, templates.TrialRow(st.layout.row(st.sum, t)))
		if err != nil {
			return err
		}
		html.WriteString(row)
	}
	if html.Len() == 0 {
		return nil
	}
	return st.send("rows", html.String())
}

func (st *stream) parts(ctx context.Context) error {
	strip, err := st.s.strip(ctx, st.sum)
	if err != nil {
		return err
	}
	h := head(st.sum)
	parts := map[string]templ.Component{
		"summary": templates.SummaryStrip(strip), "chips": templates.StateChips(chips(st.sum, st.list)),
		"state": templates.StudyState(h), "controls": templates.Controls(h),
		"devices": templates.DevicesPanel(st.s.devices(st.sum)),
	}
	if st.whole && total(st.sum) == len(st.watched) {
		parts["shown"] = templates.Shown(templates.Plural(total(st.sum), "trial"))
	}
	for key, c := range parts {
		html, err := markup(ctx, c)
		if err != nil {
			return err
		}
		if st.sent[key] == html {
			continue
		}
		st.sent[key] = html
		if err := st.send("part", html); err != nil {
			return err
		}
	}
	return nil
}

// send writes one event; kind "" writes data as it is.
func (st *stream) send(kind, data string) error {
	var b bytes.Buffer
	if kind == "" {
		b.WriteString(data)
	} else {
		fmt.Fprintf(&b, "id: %d\nevent: %s\n", st.after, kind)
		for line := range strings.Lines(data) {
			fmt.Fprintf(&b, "data: %s\n", strings.TrimRight(line, "\r\n"))
		}
		b.WriteString("\n")
	}
	// A server in a test may not know deadlines; a real one does.
	_ = st.control.SetWriteDeadline(time.Now().Add(sseDeadline))
	if _, err := st.w.Write(b.Bytes()); err != nil {
		return err
	}
	return st.control.Flush()
}

func markup(ctx context.Context, c templ.Component) (string, error) {
	var b strings.Builder
	err := c.Render(ctx, &b)
	return b.String(), err
}
