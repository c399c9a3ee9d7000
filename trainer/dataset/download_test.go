package dataset

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// host is a server that follows a script: answer i goes to request i, the last one to all further ones.
type host struct {
	*httptest.Server
	mu     sync.Mutex
	script []http.HandlerFunc
	asked  []string // "Range|If-Range" of each request
}

func newHost(t testing.TB, script ...http.HandlerFunc) *host {
	h := &host{script: script}
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.mu.Lock()
		answer := h.script[min(len(h.asked), len(h.script)-1)]
		h.asked = append(h.asked, r.Header.Get("Range")+"|"+r.Header.Get("If-Range"))
		h.mu.Unlock()
		answer(w, r)
	}))
	t.Cleanup(h.Close)
	return h
}

// file serves body under an entity tag, with ranges as net/http understands them.
func file(body []byte, tag string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", tag)
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
	}
}

// cut serves like h but hangs up after n bytes of the body.
func cut(h http.HandlerFunc, n int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { h(&shears{w, n}, r) }
}

type shears struct {
	http.ResponseWriter
	left int
}

func (s *shears) Write(b []byte) (int, error) {
	n, _ := s.ResponseWriter.Write(b[:min(len(b), s.left)])
	if s.left -= n; s.left == 0 {
		s.ResponseWriter.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}
	return n, nil
}

func status(code int, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(code)
	}
}

func plainly(body []byte, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		status(http.StatusOK, header...)(w, r)
		w.Write(body) //nolint:errcheck // the client may have gone
	}
}

func TestDownload(t *testing.T) {
	body := make([]byte, 300_000)
	for i := range body {
		body[i] = byte(i * i >> 7)
	}
	other := bytes.Clone(body)
	other[100] ^= 1
	good, changed := file(body, `"a"`), file(other, `"b"`)
	old := time.Now().Add(-24 * time.Hour).UTC().Format(http.TimeFormat)
	dated := func(w http.ResponseWriter, r *http.Request) {
		at, _ := http.ParseTime(old)
		http.ServeContent(w, r, "", at, bytes.NewReader(body))
	}
	// A server that answers a range without looking whether its file is still the same.
	careless := func(b []byte) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			r.Header.Del("If-Range")
			http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(b))
		}
	}
	for _, c := range []struct {
		name   string
		script []http.HandlerFunc
		asked  string // the requests, by space; empty: not looked at
		want   string // of the error; empty: none
		kept   int    // bytes of the part after an error
	}{
		{name: "at once", script: []http.HandlerFunc{good}, asked: "|"},
		{name: "broken off twice", script: []http.HandlerFunc{cut(good, 1000), cut(good, 99_000), good}, asked: `| bytes=1000-|"a" bytes=100000-|"a"`},
		{name: "more often than there are tries, each a bit further", script: []http.HandlerFunc{
			cut(good, 1000), cut(good, 1), cut(good, 1), cut(good, 1), cut(good, 1), cut(good, 1), good,
		}},
		{name: "ranges ignored", script: []http.HandlerFunc{cut(good, 5000), plainly(body)}, asked: `| bytes=5000-|"a"`},
		{name: "changed in between", script: []http.HandlerFunc{cut(changed, 5000), good}, asked: `| bytes=5000-|"b"`},
		{name: "changed, and a range of it all the same", script: []http.HandlerFunc{cut(careless(other), 5000), careless(body), careless(body)}, asked: "| bytes=5000-| |"},
		{name: "changed for another tag behind a careless cache", script: []http.HandlerFunc{
			cut(changed, 5000), func(w http.ResponseWriter, r *http.Request) {
				r.Header.Del("If-Range")
				good(w, r)
			}, good,
		}, asked: `| bytes=5000-|"b" |`},
		{name: "a date in place of a tag", script: []http.HandlerFunc{cut(dated, 5000), dated}, asked: "| bytes=5000-|" + old},
		{name: "a weak tag is no validator", script: []http.HandlerFunc{cut(file(body, `W/"a"`), 5000), careless(body)}, asked: "| bytes=5000-|"},
		{name: "a range of another place", script: []http.HandlerFunc{
			cut(good, 5000), status(http.StatusPartialContent, "Content-Range", "bytes 0-9/300000"), good,
		}, asked: `| bytes=5000-|"a" |`},
		{name: "no such range", script: []http.HandlerFunc{
			cut(good, 5000), status(http.StatusRequestedRangeNotSatisfiable, "Content-Range", "bytes */300000"), good,
		}, asked: `| bytes=5000-|"a" |`},
		{name: "busy", script: []http.HandlerFunc{status(503), status(429, "Retry-After", "0"), good}, asked: "| | |"},
		{name: "busy for ever", script: []http.HandlerFunc{status(503)}, want: "answered 503 Service Unavailable, after 4 tries"},
		{name: "not found", script: []http.HandlerFunc{status(404)}, asked: "|", want: "answered 404 Not Found"},
		{name: "forbidden range", script: []http.HandlerFunc{cut(good, 5000), status(403)}, want: "answered 403 Forbidden", kept: 5000},
		{name: "a page to sign in", script: []http.HandlerFunc{plainly([]byte("<html>"))}, asked: "|", want: "sends 6 bytes, but the file has 300000: this is something else"},
		{name: "wrong content", script: []http.HandlerFunc{changed}, asked: "|", want: "expected SHA-256 " + hexSum(body) + ", found " + hexSum(other)},
		{name: "wrong content, twice", script: []http.HandlerFunc{cut(changed, 5000), changed}, asked: `| bytes=5000-|"b" |`, want: "expected SHA-256 "},
		{name: "more than there is", script: []http.HandlerFunc{func(w http.ResponseWriter, _ *http.Request) {
			w.(http.Flusher).Flush() // no length
			w.Write(append(bytes.Clone(body), 0))
		}}, asked: "|", want: "sends more than the 300000 bytes"},
		{name: "no length", script: []http.HandlerFunc{func(w http.ResponseWriter, _ *http.Request) {
			w.(http.Flusher).Flush()
			w.Write(body)
		}}, asked: "|"},
		{name: "dies each time", script: []http.HandlerFunc{cut(good, 7000), status(500)}, want: "answered 500", kept: 7000},
		{name: "silent", script: []http.HandlerFunc{func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "300000")
			w.Write(body[:200])
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		}}, want: "sent nothing for 50ms", kept: 200},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newHost(t, c.script...)
			lim := quick
			if c.name == "silent" {
				lim.silence, lim.tries = 50*time.Millisecond, 1
			}
			d := newDownloader(lim)
			part := filepath.Join(t.TempDir(), "x.part")
			last := int64(0)
			d.progress = func(done, total int64) {
				if last = done; done > total && c.want == "" || total != int64(len(body)) {
					t.Fatalf("progress %d of %d", done, total)
				}
			}
			err := d.get(t.Context(), remote{[]string{h.URL + "/x"}, int64(len(body)), hexSum(body)}, part)
			if c.want == "" {
				must(t, err)
				if got, err := os.ReadFile(part); err != nil || !bytes.Equal(got, body) || last != int64(len(body)) {
					t.Errorf("%d bytes came, the last progress was %d, %v", len(got), last, err)
				}
			} else if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
			if got := strings.Join(h.asked, " "); c.asked != "" && got != c.asked {
				t.Errorf("asked %s\n want %s", got, c.asked)
			}
			if c.want != "" && sizeOf(part) != int64(c.kept) {
				t.Errorf("%d bytes are kept, want %d", sizeOf(part), c.kept)
			}
		})
	}

	t.Run("goes on in the next call", func(t *testing.T) {
		h := newHost(t, cut(good, 10_000), status(500), status(500), status(500), status(500), good)
		part := filepath.Join(t.TempDir(), "x.part")
		r := remote{[]string{h.URL + "/x"}, int64(len(body)), hexSum(body)}
		if err := newDownloader(quick).get(t.Context(), r, part); err == nil || sizeOf(part) != 10_000 {
			t.Fatalf("error %v, %d bytes kept", err, sizeOf(part))
		}
		must(t, newDownloader(quick).get(t.Context(), r, part))
		if last := h.asked[len(h.asked)-1]; last != `bytes=10000-|"a"` {
			t.Errorf("the next call asked %s", last)
		}
		// Whole, but not yet in its place when the process died.
		must(t, newDownloader(quick).get(t.Context(), r, part))
		if len(h.asked) != 6 {
			t.Errorf("%d requests, want none for a part that is whole", len(h.asked)-6)
		}
		b, err := os.ReadFile(part)
		must(t, err)
		b[5] ^= 1
		must(t, os.WriteFile(part, b, 0o644))
		must(t, newDownloader(quick).get(t.Context(), r, part))
		if got, _ := os.ReadFile(part); !bytes.Equal(got, body) || len(h.asked) != 7 {
			t.Errorf("a damaged part was not fetched anew: %d requests", len(h.asked))
		}
	})
	t.Run("the second address", func(t *testing.T) {
		first, second := newHost(t, cut(good, 9000), status(404)), newHost(t, good)
		part := filepath.Join(t.TempDir(), "x.part")
		must(t, newDownloader(quick).get(t.Context(), remote{[]string{first.URL, second.URL}, int64(len(body)), hexSum(body)}, part))
		if got, _ := os.ReadFile(part); !bytes.Equal(got, body) {
			t.Error("another file came")
		}
	})
	t.Run("both addresses refuse", func(t *testing.T) {
		first, second := newHost(t, status(404)), newHost(t, status(410))
		err := newDownloader(quick).get(t.Context(), remote{[]string{first.URL, second.URL}, 5, "x"}, filepath.Join(t.TempDir(), "x.part"))
		if err == nil || !strings.Contains(err.Error(), "404") || !strings.Contains(err.Error(), "410") {
			t.Errorf("error %v", err)
		}
	})
	t.Run("cancelled", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		h := newHost(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "300000")
			w.Write(body[:200])
			w.(http.Flusher).Flush()
			cancel()
			<-r.Context().Done()
		})
		err := newDownloader(quick).get(ctx, remote{[]string{h.URL}, 300_000, "x"}, filepath.Join(t.TempDir(), "x.part"))
		if !errors.Is(err, context.Canceled) {
			t.Errorf("error %v, want context.Canceled", err)
		}
	})
}

// TestUnreachable fails at once: a machine without network falls back to another set, and must not wait for it.
func TestUnreachable(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	address := l.Addr().String()
	must(t, l.Close())
	set, contents := tinySet()
	set.archive = remote{[]string{"http://" + address + "/x"}, 5, "x"}
	lim := quick
	lim.pause = time.Hour
	dir := t.TempDir()
	err = fetch(t.Context(), set, dir, lim, nil)
	wantFetchError(t, err, address+" cannot be reached: connection refused")
	if strings.Contains(err.Error(), "kept") || strings.Contains(err.Error(), "dial") {
		t.Errorf("error %q", err)
	}
	if left := tree(t, dir); len(left) > 0 {
		t.Errorf("%q were left behind", left)
	}

	body := archive(t, whole(t, set, contents)...)
	h := newHost(t, cut(file(body, `"a"`), 1000), status(404))
	set.archive = remote{[]string{h.URL}, int64(len(body)), hexSum(body)}
	wantFetchError(t, fetch(t.Context(), set, dir, quick, nil), "what has come is kept, `sweep data fetch tiny` goes on")
	h.script = []http.HandlerFunc{file(body, `"a"`)}
	must(t, fetch(t.Context(), set, dir, quick, nil))
	if last := h.asked[len(h.asked)-1]; last != `bytes=1000-|"a"` {
		t.Errorf("the next fetch asked %s", last)
	}
	if got, want := strings.Join(tree(t, dir), " "), "tiny-bin tiny-bin/one.bin tiny-bin/test.bin tiny-bin/two.bin"; got != want {
		t.Errorf("files are %q, want %q", got, want)
	}
}

// TestTurns has two fetches of one set into one folder at once: one downloads, the other finds it there.
func TestTurns(t *testing.T) {
	set, contents := tinySet()
	body := archive(t, whole(t, set, contents)...)
	h := newHost(t, file(body, `"a"`))
	set.archive = remote{[]string{h.URL}, int64(len(body)), hexSum(body)}
	dir := t.TempDir()
	var group sync.WaitGroup
	errs := make([]error, 4)
	for i := range errs {
		group.Go(func() { errs[i] = fetch(t.Context(), set, dir, quick, nil) })
	}
	group.Wait()
	if err := errors.Join(errs...); err != nil || len(h.asked) != 1 {
		t.Errorf("%d downloads, %v", len(h.asked), err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	for _, d := range []string{dir, t.TempDir()} {
		held, err := takeTurn(t.Context(), filepath.Join(d, "."+set.name+".fetching"))
		must(t, err)
		var want error // in dir there is nothing to wait for
		if d != dir {
			want = context.DeadlineExceeded
		}
		if err := fetch(ctx, set, d, quick, nil); !errors.Is(err, want) {
			t.Errorf("while another fetches: %v, want %v", err, want)
		}
		held.end()
		if left := fmt.Sprint(tree(t, d)); strings.Contains(left, "fetching") {
			t.Errorf("left behind: %s", left)
		}
	}
}
