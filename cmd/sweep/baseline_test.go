package main_test

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// baselineView is a line of `sweep baselines --json`.
type baselineView struct {
	Name        string
	K           int
	Value       *float64
	Metrics     map[string]float64
	Fingerprint string
}

// times reads when the baselines of a database were computed.
func (p place) times(file string) string {
	p.t.Helper()
	db, err := sql.Open("sqlite3", filepath.Join(p.dir, file))
	if err != nil {
		p.t.Fatal(err)
	}
	defer db.Close()
	var out string
	if err := db.QueryRow(`SELECT coalesce(group_concat(study_id || name || time, ' '), '') FROM (SELECT * FROM baseline ORDER BY study_id, name)`).Scan(&out); err != nil {
		p.t.Fatal(err)
	}
	return out
}

// A sweep computes its baselines once, shows them between its trials, and never counts them as trials.
func TestBaselines(t *testing.T) {
	p := newPlace(t)
	spec := p.file("tiny.yaml", tiny)
	out := p.must("run", spec, "--workers", "2")
	if !strings.Contains(out, "; this trial is ") {
		t.Errorf("the end of a run does not set its best trial beside pca:\n%s", out)
	}
	var list []baselineView
	decode(t, p.must("baselines", "tiny", "--json"), &list)
	var names []string
	for _, b := range list {
		names = append(names, fmt.Sprint(b.Name, " ", b.K))
		if len(b.Fingerprint) != 64 || b.Value == nil || *b.Value != b.Metrics["val_mse"] || len(b.Metrics) != 5 {
			t.Errorf("%s: %+v", b.Name, b)
		}
	}
	if got := strings.Join(names, ", "); got != "mean image 0, pca-4 4, pca-8 8" {
		t.Fatalf("the baselines are %s", got)
	}
	if a, b, c := *list[0].Value, *list[1].Value, *list[2].Value; !(a > b && b > c && c > 0) {
		t.Errorf("val_mse %g, %g, %g do not fall with the components", a, b, c)
	}
	table := p.must("baselines", "tiny")
	if !strings.Contains(table, "pca-8") || !strings.Contains(table, "val_pixel_acc") {
		t.Errorf("the table is\n%s", table)
	}

	// Two epochs of a tiny network are far from all of them: they stand first, marked, and under no number.
	top := strings.Split(p.must("top", "tiny"), "\n")
	for i, want := range []string{"pca-8", "pca-4"} {
		if f := strings.Fields(top[i+1]); f[0] != want || f[1] != "baseline" {
			t.Errorf("line %d of top is %q, want %s", i+1, top[i+1], want)
		}
	}
	if joined := strings.Join(top, "\n"); strings.Count(joined, "#") != 2 || strings.Count(joined, "baseline") != 3 {
		t.Errorf("top prints\n%s", joined)
	}
	if got := p.must("top", "tiny", "--sort", "number"); strings.Contains(got, "baseline") {
		t.Errorf("by number, where they have no place:\n%s", got)
	}
	if got := p.must("top", "tiny", "-n", "1"); strings.Count(got, "#") != 1 {
		t.Errorf("-n 1 prints\n%s", got)
	}
	var trials []map[string]any
	decode(t, p.must("top", "tiny", "--json"), &trials)
	if len(trials) != 2 {
		t.Errorf("top --json has %d entries, the contract is trials alone", len(trials))
	}
	if got := p.must("top", "tiny", "--csv"); strings.Count(got, "\n") != 3 {
		t.Errorf("top --csv has baselines:\n%s", got)
	}
	if got := p.must("show", "tiny", "0"); !strings.Contains(got, "; this trial is ") {
		t.Errorf("show says\n%s", got)
	}

	// Continuing computes none anew; another study has its own.
	before := p.times("sweep.db")
	p.must("run", spec, "--trials", "3")
	if after := p.times("sweep.db"); after != before || before == "" {
		t.Errorf("continued: the baselines went from %q to %q", before, after)
	}
	p.must("run", spec, "--name", "other", "--seed", "9", "--trials", "1")
	var other []baselineView
	decode(t, p.must("baselines", "other", "--json"), &other)
	if len(other) != 3 || other[1].Fingerprint == list[1].Fingerprint || *other[1].Value == *list[1].Value {
		t.Errorf("the other study's images are others: %+v", other)
	}

	p.must("rm", "tiny", "--yes")
	if left := p.times("sweep.db"); left == before || strings.Count(left, "pca") != 2 {
		t.Errorf("after its study was deleted: %q", left)
	}
}

// The latent sizes of the best trials of a range get baselines too, once the search is over.
func TestBaselinesOfTheBest(t *testing.T) {
	p := newPlace(t)
	spec := p.file("range.yaml", strings.NewReplacer("values: [4, 8]", "distribution: int_uniform, min: 20, max: 60", "name: tiny", "name: range").Replace(tiny))
	p.must("run", spec)
	var trials []struct{ Params map[string]any }
	decode(t, p.must("top", "range", "--json"), &trials)
	want := map[string]bool{"mean image": true, "pca-20": true, "pca-32": true, "pca-60": true}
	for _, tr := range trials {
		want[fmt.Sprintf("pca-%v", tr.Params["latent"])] = true
	}
	var list []baselineView
	decode(t, p.must("baselines", "range", "--json"), &list)
	for _, b := range list {
		if !want[b.Name] {
			t.Errorf("%s was computed for nobody", b.Name)
		}
		delete(want, b.Name)
	}
	if len(want) > 0 {
		t.Errorf("%v are missing", want)
	}
}
