package server_test

import (
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sweep/cmd/web/server"
	"sweep/study"
	"sweep/templates/static"
)

func TestArtifacts(t *testing.T) {
	f := fixture(t)
	s := newServer(t, server.Config{Store: f})
	best := f.trials[1][f.studies[0].Best.Number]
	strip, model := best.Artifacts[0], best.Artifacts[len(best.Artifacts)-1]
	svg := f.put(study.Artifact{Kind: study.StripFile, Name: "evil\r\n\".svg", Media: "image/svg+xml"}, []byte("<svg onload='x'/>"))
	for _, tt := range []struct {
		name              string
		a                 study.Artifact
		media, deposition string
	}{
		{"picture", strip, "image/png", "inline"},
		{"weights", model, "application/octet-stream", "attachment; filename=model.state"},
		{"SVG is only saved", svg, "application/octet-stream", "attachment"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			res := do(t, s, request{method: "GET", path: "/artifacts/" + tt.a.Digest})
			if res.StatusCode != 200 {
				t.Fatalf("status %d", res.StatusCode)
			}
			if got := res.Header.Get("Content-Type"); got != tt.media {
				t.Errorf("type %q, want %q", got, tt.media)
			}
			if got := res.Header.Get("Content-Disposition"); !strings.HasPrefix(got, tt.deposition) || strings.ContainsAny(got, "\r\n") {
				t.Errorf("disposition %q, want %q", got, tt.deposition)
			}
			if got := res.Header.Get("Cache-Control"); !strings.Contains(got, "immutable") {
				t.Errorf("cache %q", got)
			}
			if got := res.Header.Get("Content-Security-Policy"); !strings.Contains(got, "sandbox") {
				t.Errorf("policy %q", got)
			}
			if d := cmp.Diff(string(f.files[tt.a.Digest].body), body(t, res)); d != "" {
				t.Error(d)
			}
			again := do(t, s, request{method: "GET", path: "/artifacts/" + tt.a.Digest, header: map[string]string{"If-None-Match": res.Header.Get("ETag")}})
			if again.StatusCode != 304 {
				t.Errorf("status %d the second time, want 304", again.StatusCode)
			}
		})
	}
}

func TestBundles(t *testing.T) {
	f := fixture(t)
	s := newServer(t, server.Config{Store: f})
	best := f.studies[0].Best.Number
	e := f.exports[1][0]
	outside := filepath.Join(t.TempDir(), "outside")
	if err := os.WriteFile(outside, []byte("outside"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, filepath.Join(e.Path, "config.yaml")); err != nil {
		t.Fatal(err)
	}
	base := fmt.Sprintf("/studies/lr/trials/%d/bundles/", best)
	for _, tt := range []struct {
		name, path string
		status     int
	}{
		{"a file", base + e.Digest + "/model.onnx", 200},
		{"a name that no bundle has", base + e.Digest + "/secret.txt", 404},
		{"a file that is missing", base + e.Digest + "/curves.svg", 404},
		{"a link that leads out", base + e.Digest + "/config.yaml", 404},
		{"climbing", base + e.Digest + "/..%2f..%2fetc%2fpasswd", 404},
		{"another bundle", base + strings.Repeat("ef", 32) + "/model.onnx", 404},
		{"a folder that is gone", base + f.exports[1][1].Digest + "/model.onnx", 404},
		{"another trial", "/studies/lr/trials/0/bundles/" + e.Digest + "/model.onnx", 404},
	} {
		t.Run(tt.name, func(t *testing.T) {
			res := do(t, s, request{method: "GET", path: tt.path})
			text := body(t, res)
			if res.StatusCode != tt.status {
				t.Errorf("status %d, want %d", res.StatusCode, tt.status)
			}
			if strings.Contains(text, "outside") {
				t.Error("a file outside the bundle was served")
			}
			if tt.status == 200 && (text != "content of model.onnx" || res.Header.Get("Content-Disposition") != "attachment; filename=model.onnx") {
				t.Errorf("body %q, disposition %q", text, res.Header.Get("Content-Disposition"))
			}
		})
	}
}

func TestStaticFiles(t *testing.T) {
	s := newServer(t, server.Config{Store: newFake()})
	for _, name := range []string{"app.css", "app.js", "live.js", "plot.js", "theme.js", "icon.svg"} {
		f, ok := static.Open(static.URL(name))
		if !ok {
			t.Fatalf("%s is not there", name)
		}
		plain := do(t, s, request{method: "GET", path: f.URL})
		packed := do(t, s, request{method: "GET", path: f.URL, header: map[string]string{"Accept-Encoding": "br, gzip"}})
		if plain.Header.Get("Cache-Control") != "public, max-age=31536000, immutable" || plain.Header.Get("Content-Type") != f.Media {
			t.Errorf("%s: headers %v", name, plain.Header)
		}
		z, err := gzip.NewReader(packed.Body)
		if err != nil {
			t.Fatal(err)
		}
		unpacked, err := io.ReadAll(z)
		if err != nil {
			t.Fatal(err)
		}
		if text := body(t, plain); text != string(unpacked) || text != string(f.Body) || text == "" {
			t.Errorf("%s: the packed and the plain body differ", name)
		}
	}
}

func TestGzip(t *testing.T) {
	s := newServer(t, server.Config{Store: fixture(t)})
	for _, tt := range []struct {
		accept string
		packed bool
	}{{"", false}, {"gzip", true}, {"deflate, gzip;q=0.5", true}, {"gzip;q=0", false}, {"identity", false}} {
		res := do(t, s, request{method: "GET", path: "/studies/lr", header: map[string]string{"Accept-Encoding": tt.accept}})
		if got := res.Header.Get("Content-Encoding") == "gzip"; got != tt.packed {
			t.Errorf("Accept-Encoding %q: packed %v, want %v", tt.accept, got, tt.packed)
		}
		if n := len(body(t, res)); strconv.Itoa(n) != res.Header.Get("Content-Length") {
			t.Errorf("%d bytes, announced %s", n, res.Header.Get("Content-Length"))
		}
	}
	head := do(t, s, request{method: "HEAD", path: "/studies/lr"})
	if head.StatusCode != 200 || body(t, head) != "" {
		t.Errorf("HEAD gives %d with a body", head.StatusCode)
	}
}
