package storage_test

import (
	"errors"
	"math"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sweep/storage"
	"sweep/study"
)

// Baselines come back as they were kept, survive the file being closed, replace those of their name, and are of their
// study alone.
func TestBaselines(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sweep.db")
	db := openDB(t, path)
	s := newStudy(t, db, nil)
	other := newStudy(t, db, func(p *study.Spec) { p.Name = "other" })
	seq, err := db.LastSeq(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	list := []study.Baseline{
		{Name: "pca-128", K: 128, Metrics: map[string]float64{"val_mse": 0.005, "val_psnr": 23}, Fingerprint: "f00d", Time: start},
		{Name: study.MeanImage, Metrics: map[string]float64{"val_mse": 0, "val_psnr": math.Inf(1), "val_ssim": math.NaN()}, Fingerprint: "f00d", Time: start},
		{Name: "pca-64", K: 64, Metrics: map[string]float64{"val_mse": 1e-300}, Fingerprint: "f00d", Time: start},
	}
	if err := db.RecordBaselines(t.Context(), s.ID, list); err != nil {
		t.Fatal(err)
	}
	list[0].Metrics, list[0].Time = map[string]float64{"val_mse": 0.004}, start.Add(time.Hour)
	if err := db.RecordBaselines(t.Context(), s.ID, list[:1]); err != nil {
		t.Fatal(err)
	}
	reader, err := storage.Open(t.Context(), path, storage.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	got, err := reader.Baselines(t.Context(), s.ID)
	if err != nil {
		t.Fatal(err)
	}
	sameNaN := cmp.Comparer(func(a, b float64) bool { return a == b || math.IsNaN(a) && math.IsNaN(b) })
	if d := cmp.Diff([]study.Baseline{list[1], list[2], list[0]}, got, sameNaN); d != "" {
		t.Errorf("baselines (-want +got):\n%s", d)
	}
	if got, err := db.Baselines(t.Context(), other.ID); err != nil || len(got) != 0 {
		t.Errorf("the other study has %v, %v", got, err)
	}

	// They are no trials, and no news to a sampler.
	page, err := db.Query(t.Context(), s.ID, study.Query{})
	if err != nil || page.Total != 0 {
		t.Errorf("%d trials, %v", page.Total, err)
	}
	if now, err := db.LastSeq(t.Context()); err != nil || now != seq {
		t.Errorf("the last event went from %d to %d, %v", seq, now, err)
	}

	if err := db.DeleteStudy(t.Context(), s.Name); err != nil {
		t.Fatal(err)
	}
	checkNoRows(t, path, s.ID)
	if err := db.RecordBaselines(t.Context(), s.ID, list); !errors.Is(err, study.ErrNotFound) {
		t.Errorf("a study that is gone takes baselines: %v", err)
	}
}
