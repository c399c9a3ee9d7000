package checkpoint_test

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"sweep/study"
	"sweep/trainer/checkpoint"
)

// The model card and the numbers say how the model stands to its baseline, and a bundle with one verifies.
func TestExportBaseline(t *testing.T) {
	b := bundle(t, "sigmoid")
	own := b.TestMetrics["test_mse"]
	for _, c := range []struct {
		name string
		line float64
		want string
	}{
		{"beaten", own * 1.25, "beats pca-8, the best linear code of 8 numbers: its squared error is 20 % smaller"},
		{"not beaten", own / 3, "does not beat pca-8, the best linear code of 8 numbers: its squared error is 3 times as large"},
		{"equal", own, "is as good as pca-8"},
		{"perfect", 0, "does not beat pca-8, the best linear code of 8 numbers, which makes no error"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := b
			b.Baseline = &study.Baseline{Name: "pca-8", K: 8, Metrics: map[string]float64{"test_mse": c.line}}
			dir := filepath.Join(t.TempDir(), "best")
			exported(t, dir, b)
			if card := string(read(t, dir, "README.md")); !strings.Contains(card, c.want) {
				t.Errorf("the card does not say %q:\n%s", c.want, card)
			}
			var doc struct {
				Baseline struct {
					Name string
					K    int
					Test map[string]float64 `json:"test_metrics"`
				}
			}
			if err := json.Unmarshal(read(t, dir, "metrics.json"), &doc); err != nil {
				t.Fatal(err)
			}
			if got := doc.Baseline; got.Name != "pca-8" || got.K != 8 || got.Test["test_mse"] != c.line {
				t.Errorf("metrics.json has %+v", got)
			}
			if _, err := checkpoint.Verify(t.Context(), dir, openShapes); err != nil {
				t.Error(err)
			}
		})
	}
	dir := filepath.Join(t.TempDir(), "best")
	exported(t, dir, b)
	if strings.Contains(string(read(t, dir, "README.md"))+string(read(t, dir, "metrics.json")), "baseline") {
		t.Error("a bundle without a baseline speaks of one")
	}
}
