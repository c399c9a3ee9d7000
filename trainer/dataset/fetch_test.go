package dataset

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
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

var quick = limits{connect: 5 * time.Second, silence: 5 * time.Second, pause: time.Millisecond, tries: 3}

// serve makes h the server of the set's archive, which is body.
func serve(t testing.TB, set *cifarSet, body []byte, h http.HandlerFunc) {
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	set.archive = remote{urls: []string{server.URL + "/set.tar.gz"}, size: int64(len(body)), sum: hexSum(body)}
}

func hexSum(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
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
	requests := 0
	serve(t, &set, body, func(w http.ResponseWriter, _ *http.Request) {
		requests++
		w.Write(body)
	})
	dir := filepath.Join(t.TempDir(), "not", "yet")
	var done, total int64
	must(t, fetch(t.Context(), set, dir, quick, func(d, n int64) {
		if d < done {
			t.Errorf("progress went back from %d to %d", done, d)
		}
		done, total = d, n
	}))
	if total != int64(len(body)) || done != total {
		t.Errorf("progress ended at %d of %d, want %d", done, total, len(body))
	}
	if got, want := strings.Join(tree(t, dir), " "), "tiny-bin tiny-bin/one.bin tiny-bin/test.bin tiny-bin/two.bin"; got != want {
		t.Errorf("files are %q, want %q", got, want)
	}
	s, err := openCIFAR(set, dir)
	must(t, err)
	_, _, err = s.Split(1, 6, 3)
	must(t, err)

	t.Run("what is there already", func(t *testing.T) {
		before := requests
		must(t, fetch(t.Context(), set, dir, quick, nil))
		if requests != before {
			t.Errorf("%d requests for a set that is there and right", requests-before)
		}
	})
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

// TestFetchRefuses serves archives that are whole and have the sum that is asked for, but not the files.
func TestFetchRefuses(t *testing.T) {
	set, contents := tinySet()
	flipped := map[string][]byte{}
	for name, b := range contents {
		flipped[name] = bytes.Clone(b)
	}
	flipped["two.bin"][4000] ^= 1
	short := map[string][]byte{"one.bin": contents["one.bin"], "two.bin": contents["two.bin"][:100], "test.bin": contents["test.bin"]}
	fewer := map[string][]byte{"one.bin": contents["one.bin"], "two.bin": contents["two.bin"]}
	for _, c := range []struct {
		name, want string
		body       []byte
	}{
		{"no archive", "is no gzip file", []byte("<html>sign in</html>")},
		{"another sum", "two.bin: expected SHA-256 ", archive(t, whole(t, set, flipped)...)},
		{"another size", "expected 12292 bytes, found 100", archive(t, whole(t, set, short)...)},
		{"a file missing", "does not hold test.bin", archive(t, whole(t, set, fewer)...)},
	} {
		t.Run(c.name, func(t *testing.T) {
			set := set
			serve(t, &set, c.body, func(w http.ResponseWriter, _ *http.Request) { w.Write(c.body) })
			dir := t.TempDir()
			err := fetch(t.Context(), set, dir, quick, nil)
			wantFetchError(t, err, c.want)
			for _, left := range tree(t, dir) {
				if !strings.HasPrefix(left, ".tiny-bin.tar.gz.part") {
					t.Errorf("%s was left behind", left)
				}
			}
		})
	}
}

// wantFetchError checks that err says want, on one line, and what to do.
func wantFetchError(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want one with %q", want)
	}
	for _, w := range []string{want, "fetch data set tiny: ", "--data", "tiny-bin"} {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("error %q does not say %q", err, w)
		}
	}
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("error of several lines: %q", err)
	}
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
		{
			"no such folder",
			[]string{"folder:photos", "shapes"},
			empty, false, forbidden, "shapes", "data: shapes, generated images, because there is no folder " + filepath.Join(empty, "photos"), "",
		},
		{"nothing but a folder", []string{"folder:photos"}, empty, true, forbidden, "", "", "no data: there is no folder " + filepath.Join(empty, "photos") + "; put its files there, or name the folder that holds them with --data, or use"},
		{"shapes first", []string{"shapes", "tiny"}, empty, false, forbidden, "shapes", "data: shapes, generated images", ""},
		{"a part is there", []string{"tiny", "shapes"}, partly, false, forbidden, "", "", "two.bin: expected 12292 bytes, found no such file"},
		{"nothing", []string{"tiny"}, empty, false, unreachable, "", "", "or use the data set shapes"},
		{"nothing, offline", []string{"tiny"}, empty, true, forbidden, "", "", "leave out --offline"},
		{"unknown", []string{"tini"}, empty, true, forbidden, "", "", `there is no data set "tini"`},
		{"no name", nil, empty, true, forbidden, "", "", "none is named"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, note, err := choose(t.Context(), Wanted{Names: c.names, Dir: c.dir, Offline: c.offline}, c.fetch, open)
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
		_, _, err := choose(ctx, Wanted{Names: []string{"tiny", "shapes"}, Dir: empty}, func(context.Context, string, string) error {
			cancel()
			return ctx.Err()
		}, open)
		if !errors.Is(err, context.Canceled) {
			t.Errorf("error %v, want context.Canceled", err)
		}
	})
}
