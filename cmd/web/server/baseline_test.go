package server_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"sweep/cmd/web/server"
	"sweep/storage"
	"sweep/study"
)

var rowHead = regexp.MustCompile(`<tr id="trial-(\d+)"|<tr class="baseline"[^>]*><td></td><th scope="row">(?:<a[^>]*>)?([^<]*)`)

// rowsOf lists the rows of a leaderboard's page: trials by number, baselines by name.
func rowsOf(page string) []string {
	var out []string
	for _, m := range rowHead.FindAllStringSubmatch(page, -1) {
		out = append(out, m[1]+m[2])
	}
	return out
}

var nextPage = regexp.MustCompile(`rel="next" href="([^"]*)"`)

// Over all its pages a leaderboard lists each baseline once, where its value belongs; they cannot be ticked.
func TestBaselinesStandBetweenTrials(t *testing.T) {
	f := fixture(t)
	s := newServer(t, server.Config{Store: f})
	for _, query := range []string{"", "?sort=value", "?sort=value&desc=1", "?sort=metric:val_psnr&desc=1", "?state=complete"} {
		var rows []string
		path := "/studies/lr" + query
		for path != "" {
			status, page := get(t, s, path)
			if status != 200 {
				t.Fatalf("%s: %d", path, status)
			}
			rows = append(rows, rowsOf(page)...)
			if trials := strings.Count(page, `name="trials"`); trials != strings.Count(page, `id="trial-`) {
				t.Errorf("%s: %d tick boxes", path, trials)
			}
			path = ""
			if m := nextPage.FindStringSubmatch(page); m != nil {
				path = strings.ReplaceAll(m[1], "&amp;", "&")
			}
		}
		seen := map[string]bool{}
		var last float64
		for i, name := range rows {
			v := math.NaN()
			if b, ok := find(f.lines[1], name); ok {
				if v = b.Metrics["val_mse"]; seen[name] {
					t.Errorf("%s: %s is listed twice", query, name)
				}
				seen[name] = true
			} else {
				var n int
				fmt.Sscan(name, &n)
				d := f.trials[1][n]
				m, ok := d.Metrics["val_mse"]
				switch byMetric := strings.Contains(query, "metric"); {
				case byMetric && ok:
					v = m
				case !byMetric && (d.State == study.Complete || strings.Contains(query, "value")):
					v = d.Value
				}
			}
			if math.IsNaN(v) {
				break // what has no value comes last
			}
			if i > 0 && (v < last) != strings.Contains(query, "sort=value&desc") && v != last {
				t.Errorf("%s: row %d, %s, has %g after %g", query, i, name, v, last)
			}
			last = v
		}
		if len(seen) != 5 {
			t.Errorf("%s: lists the baselines %v", query, seen)
		}
	}
	for _, query := range []string{"?sort=number", "?sort=param:lr", "?state=pruned"} {
		if _, page := get(t, s, "/studies/lr"+query); strings.Contains(page, `class="baseline"`) {
			t.Errorf("%s shows baselines, which have no place there", query)
		}
	}
}

func find(list []study.Baseline, name string) (study.Baseline, bool) {
	for _, b := range list {
		if b.Name == name {
			return b, true
		}
	}
	return study.Baseline{}, false
}

func TestBaselinesOnPages(t *testing.T) {
	f := fixture(t)
	s := newServer(t, server.Config{Store: f})
	best := f.studies[0].Best
	latent := int(best.Params["latent"].(int64))
	b, _ := study.BaselineFor(f.lines[1], latent)
	_, page := get(t, s, fmt.Sprintf("/studies/lr/trials/%d", best.Number))
	for _, want := range []string{b.Name, b.Relation(f.studies[0].Spec.Objective, best.Value), fmt.Sprintf("with %d numbers", latent)} {
		if !strings.Contains(page, want) {
			t.Errorf("the trial's page does not say %q", want)
		}
	}
	if _, page := get(t, s, "/studies/"+url.PathEscape(f.studies[1].Name)+"/trials/1"); strings.Contains(page, "pca-") {
		t.Error("a study without baselines has one")
	}
	if _, page := get(t, s, "/studies/lr"); !strings.Contains(page, `href="/studies/lr/plot?x=latent"`) || !strings.Contains(page, ">Plot</a>") {
		t.Error("the leaderboard does not lead to the plot")
	}

	status, text := get(t, s, "/api/v1/studies/lr/baselines")
	var views []study.BaselineView
	if err := json.Unmarshal([]byte(text), &views); err != nil || status != 200 || len(views) != 5 || views[2].Name != "pca-128" || *views[2].Value != 0.01523 {
		t.Errorf("the API gives %d, %s (%v)", status, text, err)
	}
	if status, text := get(t, s, "/api/v1/studies/new/baselines"); status != 200 || strings.TrimSpace(text) != "[]" {
		t.Errorf("without baselines: %d, %s", status, text)
	}
	if status, _ := get(t, s, "/api/v1/studies/rl/baselines"); status != 404 {
		t.Errorf("no study: %d", status)
	}
	// The API's trials are trials alone.
	_, text = get(t, s, "/api/v1/studies/lr/trials")
	var trials []study.TrialView
	if err := json.Unmarshal([]byte(text), &trials); err != nil || len(trials) != 212 {
		t.Errorf("%d trials, %v", len(trials), err)
	}
}

// A page that was loaded before the baselines were there is told of them, once.
func TestBaselinesAreNews(t *testing.T) {
	f := fixture(t)
	delete(f.lines, 1)
	s := serve(t, server.Config{Store: f})
	base := strings.TrimSuffix(s.URL(), "/")
	_, page := get(t, s, "/studies/lr")
	address := strings.ReplaceAll(regexp.MustCompile(`data-live="([^"]*)"`).FindStringSubmatch(page)[1], "&amp;", "&")
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	events := follow(t, ctx, base+address+"&after=1000")
	wait(t, events, "part")
	f.addBaselines(1)
	f.event(1, 3, "point")
	if e := wait(t, events, "news"); !strings.Contains(e.data, "Baselines") {
		t.Errorf("the news are %q", e.data)
	}
	if _, page := get(t, s, "/studies/lr"); !strings.Contains(page, "baselines=5") {
		t.Error("the page does not say which baselines it has")
	}
}

func TestPlot(t *testing.T) {
	f := fixture(t)
	s := newServer(t, server.Config{Store: f})
	complete := 0
	for _, d := range f.trials[1] {
		if d.State == study.Complete && !math.IsNaN(d.Value) {
			complete++
		}
	}
	for _, c := range []struct {
		query  string
		status int
		want   []string
		not    []string
	}{
		{"", 200, []string{"val_mse against latent", " mse+ssim</span>", "pca-k", `class="line reference"`, "pruned left out", "1 trial whose value cannot be drawn", "pca-128: val_mse 0.01523"}, []string{"The best at each"}},
		{"?x=batch", 200, []string{"val_mse against batch", "The best at each batch", "lines join the best"}, []string{"pca-k"}},
		{"?x=latent&color=none", 200, []string{"val_mse against latent", "pca-k"}, []string{"mse+ssim</span>"}},
		{"?color=batch&yscale=log&xscale=linear", 200, []string{`href="/studies/lr/plot?color=batch&amp;xscale=linear&amp;yscale=linear"`, `name="yscale" value="log"`}, nil},
		{"?x=loss", 400, []string{"X is one of lr, batch, latent"}, nil},
		{"?x=nothing", 400, []string{"X is one of"}, nil},
		{"?color=lr", 400, []string{"Color is one of batch, loss"}, nil},
	} {
		status, page := get(t, s, "/studies/lr/plot"+c.query)
		if status != c.status {
			t.Errorf("%s: status %d", c.query, status)
		}
		for _, w := range c.want {
			if !strings.Contains(page, w) {
				t.Errorf("%s: %q is missing", c.query, w)
			}
		}
		for _, w := range c.not {
			if strings.Contains(page, w) {
				t.Errorf("%s: %q is there", c.query, w)
			}
		}
		if n := strings.Count(page, `r="4.5"`); status == 200 && n != complete {
			t.Errorf("%s: %d dots for %d trials", c.query, n, complete)
		}
		if strings.Contains(page, "NaN%") {
			t.Errorf("%s: a dot without a place", c.query)
		}
	}
	if status, page := get(t, s, "/studies/new/plot"); status != 200 || !strings.Contains(page, "No trial with a value is complete yet") {
		t.Errorf("no trial: %d", status)
	}
	f.studies[2].Spec.Space = study.Space{{Name: "loss", Distribution: study.Distribution{Kind: study.Categorical, Choices: []any{"mse", "mae"}}}}
	if status, page := get(t, s, "/studies/new/plot"); status != 200 || !strings.Contains(page, "No parameter of this study is a number") {
		t.Errorf("no number searched: %d", status)
	}
}

// Of very many trials the plot is a cloud without links, and its size stays small.
func TestPlotOfManyTrials(t *testing.T) {
	f := newFake()
	f.addStudy("many", 40, false)
	for i := range 3000 {
		d := f.trials[1][0]
		d.Trial = study.Trial{Number: 40 + i, State: study.Complete, Value: 0.01 + float64(i)*1e-6, Params: f.trials[1][i%40].Params}
		f.trials[1] = append(f.trials[1], d)
	}
	f.studies[0].Counts[study.Complete] += 3000
	_, page := get(t, newServer(t, server.Config{Store: f}), "/studies/many/plot")
	if n := strings.Count(page, `r="4.5"`); n != 0 || strings.Count(page, `class="dot s`) != 3 || len(page) > 200_000 {
		t.Errorf("%d dots with links in a page of %d bytes", n, len(page))
	}
}

// The real store serves all of it.
func TestBaselinesOfTheRealStore(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sweep.db")
	l, err := storage.Lock(path, storage.Holder{Study: "lr", Command: "test"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Release()
	db, err := storage.Open(t.Context(), path, storage.Options{Write: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	st, err := db.CreateStudy(t.Context(), lrSpec("lr"), study.Data{Name: "cifar10", Fingerprint: "f00d"}, now)
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range []float64{0.011, 0.02} {
		tr, err := db.Propose(t.Context(), st.ID, study.Proposal{
			Space: st.Spec.Space, Sampler: "test", Now: now, Params: study.Params{
				"lr": 0.0006, "batch": int64(64), "latent": int64(100 + 100*i), "loss": "mse", "warmup_epochs": int64(1), "patience": int64(3),
				"filters": st.Spec.Space[6].Distribution.Choices[0], "optimizer": "adam",
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		a, _, err := db.Begin(t.Context(), tr.ID, study.Place{Host: "host", Device: "cpu:0"}, now)
		if err != nil {
			t.Fatal(err)
		}
		lease := study.Lease{StudyID: st.ID, TrialID: tr.ID, AttemptID: a.ID, Epoch: a.Epoch}
		o := study.Outcome{State: study.Complete, Value: v, Metrics: map[string]float64{"val_mse": v}}
		if err := db.Finish(t.Context(), lease, o, study.Complete, 5, now); err != nil {
			t.Fatal(err)
		}
	}
	f := newFake()
	f.addBaselines(1)
	if err := db.RecordBaselines(t.Context(), st.ID, f.lines[1]); err != nil {
		t.Fatal(err)
	}
	s := newServer(t, server.Config{Store: db})
	_, page := get(t, s, "/studies/lr")
	if got := strings.Join(rowsOf(page), " "); got != "pca-512 0 pca-256 pca-128 pca-64 1 mean image" {
		t.Errorf("the rows are %s", got)
	}
	if status, page := get(t, s, "/studies/lr/plot"); status != 200 || strings.Count(page, `r="4.5"`) != 2 || !strings.Contains(page, "pca-512: val_mse 0.01072") {
		t.Errorf("the plot: %d", status)
	}
}
