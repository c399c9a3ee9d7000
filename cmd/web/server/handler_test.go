package server_test

import (
	"bufio"
	"compress/gzip"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sweep/cmd/web/server"
	"sweep/study"
	"sweep/templates/static"
)

// request is what a test sends; the host is the server's own unless it says otherwise.
type request struct {
	method, path string
	host         string
	header       map[string]string
}

func do(t *testing.T, s *server.Server, q request) *http.Response {
	t.Helper()
	r := httptest.NewRequest(q.method, q.path, nil)
	r.Host = "127.0.0.1:8080"
	if q.host != "" {
		r.Host = q.host
	}
	for k, v := range q.header {
		r.Header.Set(k, v)
	}
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, r)
	return w.Result()
}

func get(t *testing.T, s *server.Server, path string) (int, string) {
	t.Helper()
	res := do(t, s, request{method: "GET", path: path})
	return res.StatusCode, body(t, res)
}

func body(t *testing.T, res *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func newServer(t *testing.T, cfg server.Config) *server.Server {
	t.Helper()
	if cfg.Addr == "" {
		cfg.Addr = "127.0.0.1:0"
	}
	cfg.Now = func() time.Time { return now }
	s, err := server.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestPages(t *testing.T) {
	f := fixture(t)
	s := newServer(t, server.Config{Store: f, Database: "lab/my runs.db"})
	best, failed := f.studies[0].Best.Number, f.find(1, study.Failed)
	long := "/studies/" + url.PathEscape(f.studies[1].Name)
	for _, tt := range []struct {
		path   string
		status int
		want   []string // substrings
		not    []string
	}{
		{"/", 200, []string{`href="/studies/lr"`, `class="state running"`, "at rest", `data-refresh="4000"`, "201 / 400", f.studies[1].Name, "cifar10", "12 s ago"}, nil},
		{"/studies/lr", 200, []string{fmt.Sprintf(`id="trial-%d"`, best), "complete", "1–50 of 212 trials", `rel="next"`, `aria-sort="ascending"`, `data-live="/studies/lr/live?`, "Pause", "warmup_epochs", ">min<"}, []string{"<th scope=\"col\">filters"}},
		{"/studies/lr?sort=number&from=50", 200, []string{"1–50 of 212 trials"}, nil},
		{"/studies/lr?done=pause", 200, []string{"Pause requested"}, nil},
		{"/studies/lr?done=nonsense", 200, nil, []string{"requested"}},
		{"/studies/lr?state=failed", 200, []string{`data-state="failed"`, "nan: train epoch 4"}, []string{`data-state="complete"`}},
		{"/studies/lr?state=failed,running", 200, []string{`data-state="failed"`, `data-state="running"`}, []string{`data-state="pruned"`}},
		{"/studies/lr?sort=param:lr&desc=1", 200, []string{`aria-sort="descending"`, `href="/studies/lr?sort=param%3Alr"`}, nil},
		{"/studies/lr?sort=param:nothing", 400, []string{"no parameter nothing"}, nil},
		{"/studies/lr?sort=sideways", 400, []string{"rank, number"}, nil},
		{"/studies/lr?state=completed", 400, []string{"waiting, running, complete"}, nil},
		{"/studies/lr?after=nonsense", 400, []string{"no cursor"}, nil},
		{"/studies/new", 200, []string{"No trial yet", "sweep run new.yaml --db &#39;lab/my runs.db&#39;"}, nil},
		{"/studies/new?state=failed", 200, []string{"No trial yet"}, nil},
		{long, 200, []string{"No process runs it now"}, nil},
		{long + "?state=running", 200, []string{"No trial matches", "Show all trials"}, nil},
		{fmt.Sprintf("/studies/lr/trials/%d", best), 200, []string{"sweep export lr --trial", "latent", "[16, 32, 64, 128, 256]", "val_ssim", "train_loss", "model.onnx", "0.01412", "The folder is not there any more", `type="range"`, "Rank"}, []string{"secret.txt"}},
		{fmt.Sprintf("/studies/lr/trials/%d?scale=log", best), 200, []string{"logarithmic"}, nil},
		{fmt.Sprintf("/studies/lr/trials/%d", failed), 200, []string{"Failed: ", "Only a complete trial has a model"}, nil},
		{"/studies/lr/trials/17", 200, []string{"NaN"}, nil},
		{"/studies/lr/trials/999", 404, []string{"There is no trial 999", "numbered from 0 to 211"}, nil},
		{"/studies/lr/trials/x", 404, []string{"There is no trial x"}, nil},
		{"/studies/lr/trials/-1", 404, nil, nil},
		{"/studies/rl", 404, []string{"There is no study rl", ">lr</a>"}, nil},
		{"/studies/%3Cscript%3E", 404, []string{"&lt;script&gt;"}, []string{"<script>"}},
		{fmt.Sprintf("/studies/lr/compare?trials=%d,0,5", best), 200, []string{"★", "rows without a difference left out", "Reconstructions", ">Parameters<", "only what differs"}, []string{">filters<", "optimizer"}},
		{"/studies/lr/compare?trials=1,2&show=all", 200, []string{"optimizer"}, nil},
		{"/studies/lr/compare", 200, []string{"★"}, nil},
		{"/studies/new/compare", 200, []string{"Fewer than two trials"}, nil},
		{"/studies/lr/compare?trials=1", 400, []string{"at least two"}, nil},
		{"/studies/lr/compare?trials=1,1", 400, []string{"at least two"}, nil},
		{"/studies/lr/compare?trials=1,a", 400, []string{"&#34;a&#34; is not the number"}, nil},
		{"/studies/lr/compare?trials=1,999", 400, []string{"no trial 999"}, nil},
		{"/studies/lr/compare?trials=1,2,3,4,5,6,7,8,9", 400, []string{"at most 8"}, nil},
		{"/studies/lr/config", 200, []string{"log_uniform_values", "sweep run lr.yaml", "sha256:5f2c", "0.0005 to 0.001", "asha, first look after 1 epoch"}, nil},
		{"/studies/lr/config.yaml", 200, []string{"name: lr\n", "goal: minimize", "run_cap: 400"}, nil},
		{"/studies/lr/stop", 200, []string{"8 running trials", `method="post"`}, nil},
		{"/studies/new/stop", 409, []string{"No process runs it now"}, nil},
		{"/nothing", 404, []string{"There is no page here"}, nil},
		{"/static/", 404, nil, []string{"app.css<"}},
		{"/static/app.css", 404, nil, []string{"--accent"}},
		{"/artifacts/nonsense", 404, nil, nil},
		{"/artifacts/" + strings.Repeat("0", 64), 404, []string{"There is no such file"}, nil},
	} {
		t.Run(tt.path, func(t *testing.T) {
			status, html := get(t, s, tt.path)
			if status != tt.status {
				t.Errorf("status %d, want %d", status, tt.status)
			}
			for _, want := range tt.want {
				if !strings.Contains(html, want) {
					t.Errorf("the page lacks %q", want)
				}
			}
			for _, not := range tt.not {
				if strings.Contains(html, not) {
					t.Errorf("the page has %q", not)
				}
			}
			if inline := regexp.MustCompile(`<[^>]+ style="|<style|<script>|\son[a-z]+="|javascript:`).FindString(html); inline != "" {
				t.Errorf("the policy forbids %q", inline)
			}
		})
	}
}

// The file has every trial of the list, whatever page it is asked from.
func TestTrialsFile(t *testing.T) {
	f := fixture(t)
	s := newServer(t, server.Config{Store: f})
	res := do(t, s, request{method: "GET", path: "/studies/lr/trials.csv?sort=number&state=complete,failed"})
	rows, err := csv.NewReader(res.Body).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	counts := f.studies[0].Counts
	if want := counts[study.Complete] + counts[study.Failed] + 1; len(rows) != want {
		t.Errorf("%d rows, want %d", len(rows), want)
	}
	if got := res.Header.Get("Content-Disposition"); !strings.Contains(got, "lr.csv") {
		t.Errorf("disposition %q", got)
	}
	value, lr := slices.Index(rows[0], "value"), slices.Index(rows[0], "param.lr")
	if value < 0 || lr < 0 || slices.Index(rows[0], "metric.val_psnr") < 0 {
		t.Fatalf("head %v", rows[0])
	}
	for _, row := range rows[1:] {
		number, err := strconv.Atoi(row[0])
		if err != nil {
			t.Fatal(err)
		}
		d := f.trials[1][number]
		if got, err := strconv.ParseFloat(row[lr], 64); err != nil || got != d.Params["lr"] {
			t.Errorf("trial %d: lr %q, want %v", number, row[lr], d.Params["lr"])
		}
		if got, _ := strconv.ParseFloat(row[value], 64); row[1] == "complete" && got != d.Value && d.Value == d.Value {
			t.Errorf("trial %d: value %q, want %v", number, row[value], d.Value)
		}
		if row[1] == "failed" && row[value] != "" {
			t.Errorf("failed trial %d has the value %q", number, row[value])
		}
	}
}

// Paging by the addresses of the pages shows every trial once.
func TestPagingIsComplete(t *testing.T) {
	f := fixture(t)
	s := newServer(t, server.Config{Store: f})
	row := regexp.MustCompile(`id="trial-(\d+)"`)
	next := regexp.MustCompile(`rel="next" href="([^"]+)"`)
	for _, path := range []string{"/studies/lr", "/studies/lr?sort=number", "/studies/lr?sort=duration&desc=1"} {
		seen := make(map[string]bool)
		for pages := 0; path != ""; pages++ {
			if pages > 10 {
				t.Fatal("paging does not end")
			}
			_, html := get(t, s, path)
			for _, m := range row.FindAllStringSubmatch(html, -1) {
				if seen[m[1]] {
					t.Errorf("trial %s twice", m[1])
				}
				seen[m[1]] = true
			}
			path = ""
			if m := next.FindStringSubmatch(html); m != nil {
				path = strings.ReplaceAll(m[1], "&amp;", "&")
			}
		}
		if len(seen) != 212 {
			t.Errorf("%d trials seen, want 212", len(seen))
		}
	}
}

// The table of facts about who may ask what.
func TestSecurity(t *testing.T) {
	cross := func(site string) map[string]string { return map[string]string{"Sec-Fetch-Site": site} }
	for _, tt := range []struct {
		name   string
		q      request
		status int
	}{
		{"own host", request{method: "GET", path: "/"}, 200},
		{"localhost", request{method: "GET", path: "/", host: "localhost:9999"}, 200},
		{"IPv6 loopback", request{method: "GET", path: "/", host: "[::1]:8080"}, 200},
		{"without a port", request{method: "GET", path: "/", host: "LOCALHOST."}, 200},
		{"foreign host", request{method: "GET", path: "/", host: "evil.example"}, 421},
		{"foreign host with our port", request{method: "GET", path: "/", host: "evil.example:8080"}, 421},
		{"host that begins like ours", request{method: "GET", path: "/", host: "127.0.0.1.evil.example"}, 421},
		{"another machine's address", request{method: "GET", path: "/", host: "10.0.0.7:8080"}, 421},
		{"no host", request{method: "GET", path: "/", host: " "}, 421},
		{"foreign host at the API", request{method: "GET", path: "/api/v1/studies", host: "evil.example"}, 421},
		{"POST cross-site", request{method: "POST", path: "/studies/lr/pause", header: cross("cross-site")}, 403},
		{"POST same-site", request{method: "POST", path: "/studies/lr/pause", header: cross("same-site")}, 403},
		{"POST same-origin", request{method: "POST", path: "/studies/lr/pause", header: cross("same-origin")}, 303},
		{"POST typed in", request{method: "POST", path: "/studies/lr/pause", header: cross("none")}, 303},
		{"POST without headers", request{method: "POST", path: "/studies/lr/pause"}, 303},
		{"POST with a foreign origin", request{method: "POST", path: "/studies/lr/pause", header: map[string]string{"Origin": "http://evil.example"}}, 403},
		{"POST with origin null", request{method: "POST", path: "/studies/lr/pause", header: map[string]string{"Origin": "null"}}, 403},
		{"POST to the API cross-site", request{method: "POST", path: "/api/v1/studies/lr/stop", header: cross("cross-site")}, 403},
		{"GET cross-site", request{method: "GET", path: "/", header: cross("cross-site")}, 200},
		{"GET never changes", request{method: "GET", path: "/studies/lr/pause"}, 404},
		{"PUT", request{method: "PUT", path: "/studies/lr"}, 404},
		{"climbing", request{method: "GET", path: "/static/../main.go"}, 307},
		{"climbing, encoded", request{method: "GET", path: "/static/%2e%2e/main.go"}, 404},
		{"climbing, encoded slash", request{method: "GET", path: "/static/..%2fserver.go"}, 404},
		{"listing", request{method: "GET", path: "/static/"}, 404},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := fixture(t)
			res := do(t, newServer(t, server.Config{Store: f}), tt.q)
			if res.StatusCode != tt.status {
				t.Errorf("status %d, want %d", res.StatusCode, tt.status)
			}
			if asked := f.wishes(); (len(asked) > 0) != (tt.status == 303) {
				t.Errorf("requests stored: %v", asked)
			}
			want := map[string]string{
				"X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin", "Cross-Origin-Opener-Policy": "same-origin",
				"Cross-Origin-Resource-Policy": "same-origin", "Cache-Control": "no-store",
			}
			for k, v := range want {
				if got := res.Header.Get(k); got != v {
					t.Errorf("%s is %q, want %q", k, got, v)
				}
			}
			csp := res.Header.Get("Content-Security-Policy")
			for _, part := range []string{"default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'"} {
				if !strings.Contains(csp, part) {
					t.Errorf("policy %q lacks %s", csp, part)
				}
			}
			if strings.Contains(csp, "unsafe") {
				t.Errorf("policy %q is not strict", csp)
			}
		})
	}
}

func TestControl(t *testing.T) {
	for _, tt := range []struct {
		name    string
		live    bool
		wish    study.Verdict
		counts  bool // trials are running
		path    string
		status  int
		verdict study.Verdict
	}{
		{"pause", true, study.Go, true, "pause", 303, study.Pause},
		{"stop", true, study.Go, true, "stop", 303, study.Stop},
		{"resume while pausing", true, study.Pause, true, "resume", 303, study.Go},
		{"stop while pausing", true, study.Pause, true, "stop", 303, study.Stop},
		{"pause twice", true, study.Pause, true, "pause", 409, ""},
		{"resume what runs", true, study.Go, true, "resume", 409, ""},
		{"stop twice", true, study.Stop, true, "stop", 409, ""},
		{"pause what nobody runs", false, study.Go, false, "pause", 409, ""},
		{"stop what nobody runs", false, study.Go, false, "stop", 409, ""},
		{"unknown word", true, study.Go, true, "explode", 404, ""},
	} {
		for _, api := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/api=%v", tt.name, api), func(t *testing.T) {
				f := fixture(t)
				f.studies[0].Live, f.studies[0].Wish = tt.live, tt.wish
				path, want := "/studies/lr/"+tt.path, tt.status
				if api {
					path = "/api/v1" + path
					if want == 303 {
						want = 202
					}
				}
				res := do(t, newServer(t, server.Config{Store: f}), request{method: "POST", path: path})
				if res.StatusCode != want {
					t.Errorf("status %d, want %d: %s", res.StatusCode, want, body(t, res))
				}
				var asked []study.Verdict
				if tt.verdict != "" {
					asked = []study.Verdict{tt.verdict}
				}
				if d := cmp.Diff(asked, f.wishes()); d != "" {
					t.Errorf("requests (-want +got)\n%s", d)
				}
				if want == 303 {
					if got, want := res.Header.Get("Location"), "/studies/lr?done="+tt.path; got != want {
						t.Errorf("sent to %q, want %q", got, want)
					}
				}
				if api && !json.Valid([]byte(body(t, res))) && want != 202 {
					t.Error("the answer is not JSON")
				}
			})
		}
	}
}

func TestToken(t *testing.T) {
	const secret = "correct horse battery staple"
	if _, err := server.New(server.Config{Addr: "0.0.0.0:0", Store: newFake()}); err == nil || !strings.Contains(err.Error(), "SWEEP_TOKEN") {
		t.Errorf("an open address without a token gives %v", err)
	}
	if _, err := server.New(server.Config{Addr: "0.0.0.0:0", Store: newFake(), Token: "short"}); err == nil || !strings.Contains(err.Error(), "at least 16") {
		t.Errorf("a short token gives %v", err)
	}
	s := newServer(t, server.Config{Addr: "0.0.0.0:0", Store: fixture(t), Token: secret, Hosts: []string{"lab.example"}})
	port := regexp.MustCompile(`:(\d+)/`).FindStringSubmatch(s.URL())[1]
	if want := "http://lab.example:" + port + "/?token="; !strings.HasPrefix(s.URL(), want) {
		t.Errorf("URL %s, want one that begins with %s", s.URL(), want)
	}
	link := "/studies/lr?sort=number&token=" + url.QueryEscape(secret)
	res := do(t, s, request{method: "GET", path: link, host: "lab.example:" + port})
	if res.StatusCode != 303 || res.Header.Get("Location") != "/studies/lr?sort=number" || len(res.Cookies()) != 1 {
		t.Fatalf("the link gives %d to %q with %v", res.StatusCode, res.Header.Get("Location"), res.Cookies())
	}
	cookie := res.Cookies()[0]
	if !cookie.HttpOnly || cookie.SameSite != http.SameSiteStrictMode || strings.Contains(cookie.Value, secret) {
		t.Errorf("cookie %v", cookie)
	}
	for _, tt := range []struct {
		name   string
		q      request
		status int
	}{
		{"nothing", request{method: "GET", path: "/", host: "lab.example"}, 401},
		{"nothing, API", request{method: "GET", path: "/api/v1/studies", host: "lab.example"}, 401},
		{"nothing, static", request{method: "GET", path: static.URL("app.css"), host: "lab.example"}, 401},
		{"wrong link", request{method: "GET", path: "/?token=wrong", host: "lab.example"}, 401},
		{"POST with the link", request{method: "POST", path: "/studies/lr/stop?token=" + url.QueryEscape(secret), host: "lab.example"}, 401},
		{"cookie", request{method: "GET", path: "/", host: "lab.example", header: map[string]string{"Cookie": cookie.Name + "=" + cookie.Value}}, 200},
		{"forged cookie", request{method: "GET", path: "/", host: "lab.example", header: map[string]string{"Cookie": cookie.Name + "=" + strings.Repeat("0", 64)}}, 401},
		{"token as cookie", request{method: "GET", path: "/", host: "lab.example", header: map[string]string{"Cookie": cookie.Name + "=" + secret}}, 401},
		{"bearer", request{method: "GET", path: "/api/v1/studies", host: "10.0.0.7:" + port, header: map[string]string{"Authorization": "Bearer " + secret}}, 200},
		{"wrong bearer", request{method: "GET", path: "/api/v1/studies", host: "lab.example", header: map[string]string{"Authorization": "Bearer wrong"}}, 401},
		{"bearer, foreign host", request{method: "GET", path: "/", host: "evil.example", header: map[string]string{"Authorization": "Bearer " + secret}}, 421},
		{"link that leads away", request{method: "GET", path: "http://lab.example//evil.example/?token=" + url.QueryEscape(secret), host: "lab.example"}, 303},
	} {
		t.Run(tt.name, func(t *testing.T) {
			res := do(t, s, tt.q)
			if res.StatusCode != tt.status {
				t.Errorf("status %d, want %d", res.StatusCode, tt.status)
			}
			if to := res.Header.Get("Location"); strings.HasPrefix(to, "//") || strings.Contains(to, "token") {
				t.Errorf("sent to %q", to)
			}
		})
	}
}

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

func TestAPI(t *testing.T) {
	f := fixture(t)
	s := newServer(t, server.Config{Store: f})
	read := func(path string, v any) http.Header {
		t.Helper()
		res := do(t, s, request{method: "GET", path: path})
		text := body(t, res)
		if res.StatusCode != 200 || res.Header.Get("Content-Type") != "application/json" {
			t.Fatalf("%s: %d %s: %s", path, res.StatusCode, res.Header.Get("Content-Type"), text)
		}
		if err := json.Unmarshal([]byte(text), v); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		return res.Header
	}
	var studies []map[string]any
	read("/api/v1/studies", &studies)
	if len(studies) != 3 || studies[0]["name"] != "lr" || studies[0]["state"] != "running" {
		t.Errorf("studies %v", studies)
	}
	var one map[string]any
	read("/api/v1/studies/lr", &one)
	if d := cmp.Diff(studies[0], one); d != "" {
		t.Errorf("one study differs from the list (-want +got)\n%s", d)
	}
	var all []study.TrialView
	read("/api/v1/studies/lr/trials", &all)
	if len(all) != 212 || all[0].Number != f.studies[0].Best.Number {
		t.Errorf("%d trials, the first is %d", len(all), all[0].Number)
	}
	order := []study.State{study.Complete, study.Pruned, study.Running, study.Waiting, study.Failed}
	if !slices.IsSortedFunc(all, func(a, b study.TrialView) int { return slices.Index(order, a.State) - slices.Index(order, b.State) }) {
		t.Error("the trials are not in the contract's order")
	}
	for _, v := range all {
		if (v.Value != nil) != (v.State == study.Complete) {
			t.Errorf("trial %d is %s with value %v", v.Number, v.State, v.Value)
		}
	}
	var paged []study.TrialView
	for path := "/api/v1/studies/lr/trials?limit=100"; path != ""; {
		var part []study.TrialView
		h := read(path, &part)
		paged = append(paged, part...)
		path = ""
		if link, ok := strings.CutSuffix(h.Get("Link"), `>; rel="next"`); ok {
			path = strings.TrimPrefix(link, "<")
		}
	}
	if d := cmp.Diff(numbers(all), numbers(paged)); d != "" {
		t.Errorf("paged (-want +got)\n%s", d)
	}
	var raw map[string]json.RawMessage
	read("/api/v1/studies/lr/trials/17", &raw)
	for _, key := range []string{"number", "state", "value", "params", "metrics", "attempts", "duration_s", "artifacts", "reason", "history", "attempt_list"} {
		if _, ok := raw[key]; !ok {
			t.Errorf("a trial has no key %s", key)
		}
	}
	if string(raw["value"]) != `"NaN"` {
		t.Errorf("NaN is written as %s", raw["value"])
	}
	for path, status := range map[string]int{
		"/api/v1/studies/rl": 404, "/api/v1/studies/lr/trials/999": 404, "/api/v1/nothing": 404, "/api/v1/studies/lr/trials?limit=x": 400,
		"/api/v1/studies/lr/trials?sort=x": 400,
	} {
		res := do(t, s, request{method: "GET", path: path})
		var v struct{ Error string }
		if err := json.Unmarshal([]byte(body(t, res)), &v); err != nil || res.StatusCode != status || v.Error == "" {
			t.Errorf("%s: %d, %v, %v", path, res.StatusCode, v, err)
		}
	}
}

func numbers(list []study.TrialView) []int {
	var out []int
	for _, v := range list {
		out = append(out, v.Number)
	}
	return out
}

// What fails inside is not shown to the reader of a page.
func TestInnerErrorsStayInside(t *testing.T) {
	f := fixture(t)
	f.broken = errors.New("disk I/O error at sector 7")
	s := newServer(t, server.Config{Store: f})
	for _, path := range []string{"/", "/studies/lr", "/api/v1/studies"} {
		if status, text := get(t, s, path); status != 500 || strings.Contains(text, "sector") {
			t.Errorf("%s: %d: %s", path, status, text)
		}
	}
}

func TestNewSaysWhatToDo(t *testing.T) {
	first := newServer(t, server.Config{Store: newFake()})
	addr := strings.TrimSuffix(strings.TrimPrefix(first.URL(), "http://"), "/")
	for _, tt := range []struct{ name, addr, want string }{
		{"port in use", addr, "the port is in use"},
		{"no port", "127.0.0.1", "is not host:port"},
		{"no such address", "192.0.2.1:0", "SWEEP_TOKEN"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := server.New(server.Config{Addr: tt.addr, Store: newFake()})
			if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("error %v, want one line with %q", err, tt.want)
			}
		})
	}
}

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
