package server_test

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"sweep/cmd/web/server"
	"sweep/study"
)

// event is one message of a stream.
type event struct{ id, kind, data string }

// follow opens a stream and hands over its events.
func follow(t *testing.T, ctx context.Context, url string) <-chan event {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, "GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if got := res.Header.Get("Content-Type"); got != "text/event-stream" {
		t.Fatalf("type %q", got)
	}
	out := make(chan event, 100)
	go func() { // ends with the stream, which ends with ctx or the server
		defer close(out)
		defer res.Body.Close()
		var e event
		for lines := bufio.NewScanner(res.Body); lines.Scan(); {
			switch key, value, _ := strings.Cut(lines.Text(), ": "); key {
			case "id":
				e.id = value
			case "event":
				e.kind = value
			case "data":
				e.data += value + "\n"
			case "":
				if e.kind != "" {
					out <- e
				}
				e = event{}
			}
		}
	}()
	return out
}

// wait returns the first event of this kind.
func wait(t *testing.T, events <-chan event, kind string) event {
	t.Helper()
	late := time.After(5 * time.Second)
	for {
		select {
		case e, ok := <-events:
			if !ok {
				t.Fatalf("the stream ended before an event %s", kind)
			}
			if e.kind == kind {
				return e
			}
		case <-late:
			t.Fatalf("no event %s came", kind)
		}
	}
}

func TestLiveStream(t *testing.T) {
	f := fixture(t)
	running, waiting := f.find(1, study.Running), f.find(1, study.Waiting)
	s := serve(t, server.Config{Store: f})
	base := strings.TrimSuffix(s.URL(), "/") + "/studies/lr/live?metric=val_psnr&after=1"
	events := follow(t, t.Context(), fmt.Sprintf("%s&trials=0,%d", base, running))
	if e := wait(t, events, "part"); !strings.Contains(e.data, "id=") {
		t.Errorf("part %q", e.data)
	}

	f.change(1, running, func(d *study.Detail) {
		d.Curve = append(slices.Clone(d.Curve), study.Sample{Step: 29, Value: 0.0123456})
	})
	f.event(1, running, "point")
	f.event(1, waiting, "point") // not on this page
	e := wait(t, events, "rows")
	if !strings.Contains(e.data, fmt.Sprintf(`id="trial-%d"`, running)) || !strings.Contains(e.data, "0.01235") || strings.Count(e.data, "<tr") != 1 {
		t.Errorf("rows %q", e.data)
	}
	if e.id != "3" {
		t.Errorf("id %q, want 3", e.id)
	}

	f.event(1, 212, "proposed")
	f.event(1, 213, "proposed")
	if e := wait(t, events, "news"); e.data != "2 new trials · refresh\n" {
		t.Errorf("news %q", e.data)
	}

	f.change(1, running, func(d *study.Detail) { d.State = study.Complete; d.Value = 0.012 })
	f.event(1, running, "finished")
	if e := wait(t, events, "rows"); !strings.Contains(e.data, `data-state="complete"`) {
		t.Errorf("rows %q", e.data)
	}
	summary := false
	for !summary {
		summary = strings.Contains(wait(t, events, "part").data, "202 <small>of 400 trials")
	}

	// A browser that comes back names the last event it has seen and gets what came since, once.
	again := follow(t, t.Context(), fmt.Sprintf("%s&trials=0,%d&after=3", strings.TrimSuffix(base, "&after=1"), running))
	if e := wait(t, again, "rows"); !strings.Contains(e.data, `data-state="complete"`) {
		t.Errorf("rows after coming back: %q", e.data)
	}

	// A page that shows the whole study gets the rows of trials that it has not shown yet, and no call to refresh.
	whole := follow(t, t.Context(), fmt.Sprintf("%s&trials=0&whole=1", strings.TrimSuffix(base, "&after=1")+"&after=5"))
	wait(t, whole, "part")
	f.event(1, waiting, "point")
	if e := wait(t, whole, "rows"); !strings.Contains(e.data, fmt.Sprintf(`id="trial-%d"`, waiting)) {
		t.Errorf("rows of a whole study: %q", e.data)
	}

	f.mu.Lock()
	f.studies[0].Live = false
	f.studies[0].Counts = map[study.State]int{study.Complete: 400}
	f.mu.Unlock()
	f.event(1, -1, "requested")
	wait(t, events, "end")
}

// The end of the server ends its streams at once, rather than waiting for their readers.
func TestServeEndsStreams(t *testing.T) {
	f := fixture(t)
	s, err := server.New(server.Config{Addr: "127.0.0.1:0", Store: f, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx) }()
	events := follow(t, t.Context(), strings.TrimSuffix(s.URL(), "/")+"/studies/lr/live?trials=0")
	wait(t, events, "part")
	start := time.Now()
	cancel()
	if err := <-done; err != nil {
		t.Errorf("serve: %v", err)
	}
	if d := time.Since(start); d > 2*time.Second {
		t.Errorf("the end took %v", d)
	}
	for range events {
	}
	if _, err := http.Get(s.URL()); err == nil {
		t.Error("the address still answers")
	}
}
