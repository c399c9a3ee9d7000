package checkpoint

import (
	"fmt"

	"sweep/study"
)

// baselineDocument is what metrics.json says of the baseline that the model was held against.
type baselineDocument struct {
	Name string                  `json:"name"`
	K    int                     `json:"k"`
	Test map[string]study.Number `json:"test_metrics"`
}

// baseline is the document of the bundle's baseline, nil without one.
func (b Bundle) baseline() *baselineDocument {
	if b.Baseline == nil {
		return nil
	}
	return &baselineDocument{Name: b.Baseline.Name, K: b.Baseline.K, Test: numbers(b.Baseline.Metrics)}
}

// verdict says in a sentence whether the model beats its baseline on the test set; empty without one.
func (b Bundle) verdict() string {
	if b.Baseline == nil {
		return ""
	}
	own, there := b.TestMetrics["test_mse"]
	line, known := b.Baseline.Metrics["test_mse"]
	if !there || !known || !(own >= 0) || !(line >= 0) {
		return ""
	}
	what := fmt.Sprintf("%s, the best linear code of %d numbers", b.Baseline.Name, b.Baseline.K)
	figures := fmt.Sprintf("(`test_mse` %s against %s)", study.FormatValue(own), study.FormatValue(line))
	switch {
	case own < line:
		return fmt.Sprintf("On the test images it beats %s: its squared error is %.3g %% smaller %s.", what, 100*(1-own/line), figures)
	case line == 0:
		return fmt.Sprintf("On the test images it does not beat %s, which makes no error %s.", what, figures)
	case own == line:
		return fmt.Sprintf("On the test images it is as good as %s %s.", what, figures)
	}
	return fmt.Sprintf("On the test images it does not beat %s: its squared error is %.3g times as large %s.", what, own/line, figures)
}
