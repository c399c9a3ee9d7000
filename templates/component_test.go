package templates_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/a-h/templ"
	"github.com/google/go-cmp/cmp"

	"sweep/study"
	"sweep/templates"
	"sweep/templates/chart"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// Partials that live updates send alone, against their golden markup.
func TestComponents(t *testing.T) {
	hostile := templates.StudyHead{Name: `<b>"x"</b>`, URL: "/studies/x", State: "running", CanPause: true, CanStop: true}
	psnr := templates.Number(18.2)
	for _, tt := range []struct {
		name string
		c    templ.Component
	}{
		{"row-complete", templates.TrialRow(templates.Row{
			Number: 12, URL: "/studies/lr/trials/12", State: study.Complete, Objective: templates.Number(0.0151), Final: true, Extra: &psnr,
			Spark: "M0 0L92 22", Epoch: templates.Value{Text: "10 / 10"}, Duration: templates.Value{Text: "52s"},
			Params: []templates.Cell{{Value: templates.Param(0.00082, true), Number: true}, {Value: templates.Param("mse", false)}},
		})},
		{"row-failed", templates.TrialRow(templates.Row{
			Number: 3, URL: "/studies/lr/trials/3", State: study.Failed, Why: `nan: <script>alert("x")</script>`, Objective: templates.Missing,
			Epoch: templates.Missing, Duration: templates.Missing,
		})},
		{"summary-empty", templates.SummaryStrip(templates.Summary{Metric: "val_mse", Goal: "min", Best: templates.Missing, Cap: 16, Rate: templates.Missing, Pruned: "—"})},
		{"chips", templates.StateChips(templates.Chips{List: []templates.Chip{{Count: 3, URL: "/studies/lr", On: true}, {State: study.Pruned, Count: 1, URL: "/studies/lr?state=pruned"}}})},
		{"controls-live", templates.Controls(hostile)},
		{"controls-rest", templates.Controls(templates.StudyHead{Name: "lr", URL: "/studies/lr", State: "at rest", Why: "No process runs it now."})},
		{"devices-none", templates.DevicesPanel(templates.Devices{})},
		{"devices", templates.DevicesPanel(templates.Devices{
			Telling: true, Note: "GPU path: not yet measured on hardware", Rows: []templates.DeviceRow{
				{
					ID: "cuda:0", Kind: `<b>"x"</b>, tf32`, Slots: "3 of 8", Rate: templates.Value{Text: "41 210", Title: "41210.4"},
					Utilisation: templates.Value{Text: "97 %"}, Memory: templates.Bytes(41_200_000_000),
					Power: templates.Value{Text: "312 W"}, Temperature: templates.Value{Text: "58 °C"},
				},
				{
					ID: "cpu:0", Kind: "AVX2", Slots: "0 of 1", Rate: templates.Missing,
					Utilisation: templates.Missing, Memory: templates.Missing, Power: templates.Missing, Temperature: templates.Missing,
				},
			},
		})},
		{"devices-silent", templates.DevicesPanel(templates.Devices{Rows: []templates.DeviceRow{{ID: "cpu:0", Kind: "AVX2", Slots: "1 of 1", Rate: templates.Value{Text: "812"}}}})},
		{"state", templates.StudyState(hostile)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var b strings.Builder
			if err := tt.c.Render(t.Context(), &b); err != nil {
				t.Fatal(err)
			}
			got := strings.ReplaceAll(b.String(), "><", ">\n<") + "\n"
			file := filepath.Join("testdata", tt.name+".html")
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(string(want), got); d != "" {
				t.Errorf("%s differs; -update rewrites it (-want +got)\n%s", file, d)
			}
			if strings.Contains(got, "<b>\"x") || strings.Contains(got, "<script>") || strings.Contains(got, " style=") {
				t.Error("the markup is not safe")
			}
		})
	}
}

// A whole page of hostile words stays text.
func TestPageEscapes(t *testing.T) {
	const bad = `</script><img src=x onerror=alert(1)>`
	head := templates.StudyHead{Name: bad, URL: "/studies/x", State: "running"}
	text := bad
	p := templates.TrialPage{
		Shell: templates.Shell{Title: bad, Head: &head, Here: bad, Notice: bad}, State: study.Failed,
		Why:      &templates.Why{State: study.Failed, Title: bad, Message: bad},
		Searched: []templates.Pair{{Name: bad, Value: templates.Value{Text: bad, Title: bad + "."}}},
		Charts: []templates.Chart{{
			Title: bad, XLabel: "epoch", Plot: chart.NewPlot([]chart.Series{{Name: bad, Points: []chart.Point{{X: 1, Y: 1}, {X: 2, Y: 2}}}}, chart.Options{}),
			Data: templates.ChartData{Steps: []int{1}, Lines: []templates.ChartLine{{Name: bad, Values: []*string{&text}}}},
		}},
		Attempts: []templates.Attempt{{Ordinal: 1, State: "failed", Host: bad, Message: bad}}, Export: bad, CanExport: true,
		Bundles: []templates.Bundle{{Path: bad, Files: []templates.File{{Name: bad, URL: "javascript:alert(1)"}}}},
	}
	var b strings.Builder
	if err := templates.Trial(p).Render(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
	if html := b.String(); strings.Contains(html, "<img src=x") || strings.Count(html, "</script>") != strings.Count(html, "<script") {
		t.Error("a hostile word became markup")
	}
}
