package server_test

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"sweep/cmd/web/server"
	"sweep/study"
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
