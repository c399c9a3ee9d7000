package dataset

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

type entry struct {
	name string
	body []byte
	kind byte
}

func archive(t testing.TB, entries ...entry) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	for _, e := range entries {
		h := &tar.Header{Name: e.name, Mode: 0o600, Size: int64(len(e.body)), Typeflag: e.kind}
		if e.kind == tar.TypeSymlink {
			h.Linkname, h.Size = "/etc/passwd", 0
		}
		must(t, w.WriteHeader(h))
		if h.Size > 0 {
			_, err := w.Write(e.body)
			must(t, err)
		}
	}
	must(t, w.Close())
	must(t, z.Close())
	return b.Bytes()
}

func whole(t testing.TB, set cifarSet, contents map[string][]byte) []entry {
	out := []entry{
		{name: set.folder + "/", kind: tar.TypeDir},
		{name: set.folder + "/readme.html", body: []byte("hello"), kind: tar.TypeReg},
		{name: "../../evil", body: []byte("evil"), kind: tar.TypeReg},
		{name: "/tmp/evil-absolute", body: []byte("evil"), kind: tar.TypeReg},
		{name: set.folder + "/one.bin", kind: tar.TypeSymlink},
	}
	for name, b := range contents {
		out = append(out, entry{name: "./" + set.folder + "/" + name, body: b, kind: tar.TypeReg})
	}
	return out
}

var quick = limits{connect: 5 * time.Second, silence: 5 * time.Second}

func serve(t testing.TB, set *cifarSet, h http.HandlerFunc) {
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	set.url = server.URL + "/set.tar.gz"
}

func tree(t testing.TB, dir string) (names []string) {
	t.Helper()
	must(t, filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && path != dir {
			rel, _ := filepath.Rel(dir, path)
			names = append(names, rel)
		}
		return err
	}))
	return names
}

func TestFetch(t *testing.T) {
	set, contents := tinySet()
	body := archive(t, whole(t, set, contents)...)
	serve(t, &set, func(w http.ResponseWriter, _ *http.Request) { w.Write(body) })
	dir := filepath.Join(t.TempDir(), "not", "yet")
	var done, total int64
	must(t, fetch(t.Context(), set, dir, quick, func(d, n int64) {
		if d < done {
			t.Errorf("progress went back from %d to %d", done, d)
		}
		done, total = d, n
	}))
	if total != int64(len(body)) || done > total || done < total/2 {
		t.Errorf("progress ended at %d of %d, want about %d", done, total, len(body))
	}
	if got, want := strings.Join(tree(t, dir), " "), "tiny-bin tiny-bin/one.bin tiny-bin/test.bin tiny-bin/two.bin"; got != want {
		t.Errorf("files are %q, want %q", got, want)
	}
	s, err := openCIFAR(set, dir)
	must(t, err)
	_, _, err = s.Split(1, 6, 3)
	must(t, err)

	t.Run("over a damaged set", func(t *testing.T) {
		must(t, os.Remove(filepath.Join(dir, set.folder, "one.bin")))
		must(t, os.WriteFile(filepath.Join(dir, set.folder, "two.bin"), []byte("short"), 0o644))
		must(t, os.WriteFile(filepath.Join(dir, set.folder, "mine.txt"), []byte("mine"), 0o644))
		must(t, fetch(t.Context(), set, dir, quick, nil))
		if got, want := strings.Join(tree(t, dir), " "), "tiny-bin tiny-bin/mine.txt tiny-bin/one.bin tiny-bin/test.bin tiny-bin/two.bin"; got != want {
			t.Errorf("files are %q, want %q", got, want)
		}
		s, err := openCIFAR(set, dir)
		must(t, err)
		_, _, err = s.Split(1, 6, 3)
		must(t, err)
	})
}

func TestFetchRefuses(t *testing.T) {
	set, contents := tinySet()
	good := archive(t, whole(t, set, contents)...)
	flipped := map[string][]byte{}
	for name, b := range contents {
		flipped[name] = bytes.Clone(b)
	}
	flipped["two.bin"][4000] ^= 1
	short := map[string][]byte{"one.bin": contents["one.bin"], "two.bin": contents["two.bin"][:100], "test.bin": contents["test.bin"]}
	fewer := map[string][]byte{"one.bin": contents["one.bin"], "two.bin": contents["two.bin"]}
	tests := []struct {
		name, want string
		serve      http.HandlerFunc
	}{
		{"not found", "404", func(w http.ResponseWriter, r *http.Request) { http.NotFound(w, r) }},
		{"a page", "is no gzip file", func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("<html>sign in</html>")) }},
		{"cut short", "unexpected EOF", func(w http.ResponseWriter, _ *http.Request) { w.Write(good[:len(good)/2]) }},
		{"connection lost", "", func(w http.ResponseWriter, _ *http.Request) {
			w.Write(good[:len(good)/2])
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}},
		{"another sum", "two.bin: expected SHA-256 ", func(w http.ResponseWriter, _ *http.Request) { w.Write(archive(t, whole(t, set, flipped)...)) }},
		{"another size", "expected 12292 bytes, found 100", func(w http.ResponseWriter, _ *http.Request) { w.Write(archive(t, whole(t, set, short)...)) }},
		{"a file missing", "does not hold test.bin", func(w http.ResponseWriter, _ *http.Request) { w.Write(archive(t, whole(t, set, fewer)...)) }},
		{"silence", "sent nothing for 100ms", func(w http.ResponseWriter, r *http.Request) {
			w.Write(good[:200])
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		}},
	}
	for _, c := range tests {
		t.Run(c.name, func(t *testing.T) {
			set := set
			serve(t, &set, c.serve)
			dir, lim := t.TempDir(), quick
			if c.name == "silence" {
				lim.silence = 100 * time.Millisecond
			}
			err := fetch(t.Context(), set, dir, lim, nil)
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "fetch data set tiny: ") {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
			if left := tree(t, dir); len(left) > 0 {
				t.Errorf("files were left behind: %q", left)
			}
		})
	}
	t.Run("cancelled", func(t *testing.T) {
		set := set
		ctx, cancel := context.WithCancel(t.Context())
		serve(t, &set, func(w http.ResponseWriter, r *http.Request) {
			w.Write(good[:200])
			w.(http.Flusher).Flush()
			cancel()
			<-r.Context().Done()
		})
		dir := t.TempDir()
		if err := fetch(ctx, set, dir, quick, nil); !errors.Is(err, context.Canceled) {
			t.Errorf("error %v, want context.Canceled", err)
		}
		if left := tree(t, dir); len(left) > 0 {
			t.Errorf("files were left behind: %q", left)
		}
	})
}

func TestChoose(t *testing.T) {
	set, contents := tinySet()
	there := writeSet(t, set, contents)
	partly := writeSet(t, set, map[string][]byte{"one.bin": contents["one.bin"]})
	open := func(name, dir string) (Source, error) {
		if name == set.name {
			return openCIFAR(set, dir)
		}
		return Open(name, dir)
	}
	unreachable := func(context.Context, string, string) error {
		return errors.New("fetch data set tiny: dial tcp: i/o timeout")
	}
	brings := func(_ context.Context, _, dir string) error {
		return os.CopyFS(filepath.Join(dir, set.folder), os.DirFS(filepath.Join(there, set.folder)))
	}
	forbidden := func(context.Context, string, string) error {
		t.Error("fetch was called")
		return nil
	}
	empty := t.TempDir()
	fill := t.TempDir()
	for _, c := range []struct {
		name       string
		names      []string
		dir        string
		offline    bool
		fetch      func(context.Context, string, string) error
		want, note string
		err        string
	}{
		{"there", []string{"tiny", "shapes"}, there, false, forbidden, "tiny", "data: tiny from " + there, ""},
		{"fetched", []string{"tiny", "shapes"}, fill, false, brings, "tiny", "data: tiny, fetched into " + fill, ""},
		{
			"unreachable",
			[]string{"tiny", "shapes"},
			empty, false, unreachable, "shapes",
			"data: shapes, generated images, because tiny is not in " + empty + " and could not be fetched (dial tcp: i/o timeout)", "",
		},
		{
			"offline",
			[]string{"tiny", "shapes"},
			empty, true, forbidden, "shapes",
			"data: shapes, generated images, because tiny is not in " + empty + " and --offline forbids to fetch it", "",
		},
		{"shapes first", []string{"shapes", "tiny"}, empty, false, forbidden, "shapes", "data: shapes, generated images", ""},
		{"a part is there", []string{"tiny", "shapes"}, partly, false, forbidden, "", "", "two.bin: expected 12292 bytes, found no such file"},
		{"nothing", []string{"tiny"}, empty, false, unreachable, "", "", "or use the data set shapes"},
		{"nothing, offline", []string{"tiny"}, empty, true, forbidden, "", "", "leave out --offline"},
		{"unknown", []string{"tini"}, empty, true, forbidden, "", "", `there is no data set "tini"`},
		{"no name", nil, empty, true, forbidden, "", "", "none is named"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, note, err := choose(t.Context(), c.names, c.dir, c.offline, c.fetch, open)
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) || strings.Contains(err.Error(), "\n") {
					t.Fatalf("error %v, want one line with %q", err, c.err)
				}
				return
			}
			must(t, err)
			if s.Name() != c.want || note != c.note {
				t.Errorf("chose %s, %q; want %s, %q", s.Name(), note, c.want, c.note)
			}
		})
	}
	t.Run("cancelled", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		_, _, err := choose(ctx, []string{"tiny", "shapes"}, empty, false, func(context.Context, string, string) error {
			cancel()
			return ctx.Err()
		}, open)
		if !errors.Is(err, context.Canceled) {
			t.Errorf("error %v, want context.Canceled", err)
		}
	})
}
