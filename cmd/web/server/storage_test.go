package server_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sweep/cmd/web/server"
	"sweep/storage"
	"sweep/study"
)

var _ server.Store = (*storage.DB)(nil)

// A real database while a sweep runs on it: the pages, the paging of every sort, the files, the live rows, a request.
func TestOnRealDatabase(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sweep.db")
	lock, err := storage.Lock(path, storage.Holder{Study: "lr", Command: "test"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := lock.Release(); err != nil {
			t.Error(err)
		}
	})
	ctx := t.Context()
	db, err := storage.Open(ctx, path, storage.Options{Write: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	spec := lrSpec("lr")
	made, err := db.CreateStudy(ctx, spec, study.Data{Name: "shapes", Fingerprint: strings.Repeat("5f2c", 16)}, now)
	if err != nil {
		t.Fatal(err)
	}
	const trials = 60
	var open study.Lease
	for i := range trials {
		params := study.Params{
			"lr": 0.0005 + float64(i)*8e-6, "batch": int64(64), "latent": int64(64 + i), "loss": "mse", "warmup_epochs": int64(1), "patience": int64(3),
			"filters": spec.Space[6].Distribution.Choices[0], "optimizer": "adam",
		}
		tr, err := db.Propose(ctx, made.ID, study.Proposal{Params: params, Space: spec.Space, Sampler: "tpe", Now: now})
		if err != nil {
			t.Fatal(err)
		}
		a, _, err := db.Begin(ctx, tr.ID, study.Place{Host: "atlas", Device: "cpu"}, now)
		if err != nil {
			t.Fatal(err)
		}
		l := study.Lease{StudyID: made.ID, TrialID: tr.ID, AttemptID: a.ID, Epoch: a.Epoch}
		var points []study.Point
		for e := 1; e <= 5; e++ {
			v := 0.02 + 0.05/float64(e) + float64(i%7)*0.001
			points = append(points, study.Point{Key: "val_mse", Step: e, Value: v, Time: now}, study.Point{Key: "train_loss", Step: e, Value: v * 0.9, Time: now})
		}
		if err := db.Append(ctx, l, 1, points, "val_mse"); err != nil {
			t.Fatal(err)
		}
		if i == trials-1 {
			open = l
			continue
		}
		o := study.Outcome{State: study.Complete, Value: 0.03 + float64(i%7)*0.001, Metrics: map[string]float64{"val_mse": 0.03, "epoch": 5}}
		if i%9 == 4 {
			o = study.Outcome{State: study.Failed, Reason: study.ReasonNaN, Message: "the loss is not a number"}
		}
		if i == 0 {
			o.Files = []study.File{{Kind: study.StripFile, Name: "strip-005.png", Media: "image/png", Step: 5, Body: strip(0, 5)}, {Kind: study.ModelFile, Name: "model.state", Media: "application/octet-stream", Step: 5, Body: []byte("weights")}}
		}
		if err := db.Finish(ctx, l, o, o.State, 10, now.Add(time.Duration(i+1)*time.Second)); err != nil {
			t.Fatal(err)
		}
	}

	s := serve(t, server.Config{Store: db})
	if status, html := get(t, s, "/"); status != 200 || !strings.Contains(html, "59 / 400") || !strings.Contains(html, `class="state running"`) {
		t.Errorf("studies: %d", status)
	}
	for _, sort := range []string{"", "?sort=number", "?sort=state", "?sort=duration&desc=1", "?sort=value&desc=1", "?sort=param%3Alr", "?sort=param%3Aloss&desc=1", "?sort=metric%3Aepoch&state=complete,failed"} {
		seen := make(map[string]bool)
		for path, pages := "/studies/lr"+sort, 0; path != "" && pages < 5; pages++ {
			status, html := get(t, s, path)
			if status != 200 {
				t.Fatalf("%s: status %d", path, status)
			}
			for i := range trials {
				if strings.Contains(html, fmt.Sprintf(`id="trial-%d"`, i)) {
					seen[fmt.Sprint(i)] = true
				}
			}
			_, rest, ok := strings.Cut(html, `rel="next" href="`)
			path, _, _ = strings.Cut(rest, `"`)
			if path = strings.ReplaceAll(path, "&amp;", "&"); !ok {
				path = ""
			}
		}
		want := trials
		if strings.Contains(sort, "state=") {
			want--
		}
		if len(seen) != want {
			t.Errorf("%s: %d trials on all pages, want %d", sort, len(seen), want)
		}
	}
	if status, _ := get(t, s, "/studies/lr?after=bm9uc2Vuc2U"); status != 400 {
		t.Errorf("a cursor that is none: status %d, want 400", status)
	}
	_, html := get(t, s, "/studies/lr/trials/0")
	_, rest, _ := strings.Cut(html, `<img src="`)
	src, _, _ := strings.Cut(rest, `"`)
	if status, body := get(t, s, src); status != 200 || body != string(strip(0, 5)) {
		t.Errorf("the picture at %q: status %d", src, status)
	}
	if status, html := get(t, s, "/studies/lr/trials/4"); status != 200 || !strings.Contains(html, "the loss is not a number") {
		t.Errorf("the failed trial: %d", status)
	}
	if status, _ := get(t, s, "/studies/lr/compare?trials=0,1,2&show=all"); status != 200 {
		t.Errorf("compare: %d", status)
	}
	if status, _ := get(t, s, "/studies/lr/trials/60"); status != 404 {
		t.Errorf("a trial that is not there: %d", status)
	}

	seq, err := db.LastSeq(ctx)
	if err != nil {
		t.Fatal(err)
	}
	events := follow(t, ctx, fmt.Sprintf("%sstudies/lr/live?trials=0,%d&after=%d", s.URL(), trials-1, seq))
	wait(t, events, "part")
	if err := db.Append(ctx, open, 2, []study.Point{{Key: "val_mse", Step: 6, Value: 0.0123456, Time: now}}, "val_mse"); err != nil {
		t.Fatal(err)
	}
	if e := wait(t, events, "rows"); !strings.Contains(e.data, "0.01235") || !strings.Contains(e.data, "6 / 30") {
		t.Errorf("rows %q", e.data)
	}
	if res := do(t, s, request{method: "POST", path: "/studies/lr/pause"}); res.StatusCode != 303 {
		t.Errorf("pause: %d", res.StatusCode)
	}
	if v, err := db.Wish(ctx, made.ID); err != nil || v != study.Pause {
		t.Errorf("the wish is %s, %v", v, err)
	}
	for !strings.Contains(wait(t, events, "part").data, "pausing") {
	}
}
