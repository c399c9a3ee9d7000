package study_test

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"

	"sweep/study"
)

func baselines(values ...float64) []study.Baseline {
	var out []study.Baseline
	for i, v := range values {
		b := study.Baseline{Name: study.PCAName(64 * i), K: 64 * i, Metrics: map[string]float64{"val_mse": v, "val_psnr": -10 * math.Log10(v)}}
		if i == 0 {
			b.Name = study.MeanImage
		}
		out = append(out, b)
	}
	return out
}

// listed writes trials by number with the baselines between them.
func listed(trials []study.Trial, at map[int][]study.Baseline) string {
	var out []string
	for i := 0; i <= len(trials); i++ {
		for _, b := range at[i] {
			out = append(out, b.Name)
		}
		if i < len(trials) {
			out = append(out, fmt.Sprint(trials[i].Number))
		}
	}
	return strings.Join(out, " ")
}

func trials(values ...float64) []study.Trial {
	var out []study.Trial
	for i, v := range values {
		out = append(out, study.Trial{
			Number: i, State: study.Complete, Value: v, Params: study.Params{"latent": int64(40 * (i + 1))},
			Metrics: map[string]float64{"val_mse": v, "val_psnr": -10 * math.Log10(v)},
		})
	}
	return out
}

func TestPlaceBaselines(t *testing.T) {
	least := study.Objective{Name: "val_mse", Direction: study.Minimize}
	most := study.Objective{Name: "val_psnr", Direction: study.Maximize}
	list := baselines(0.06, 0.008, 0.002)
	nan := trials(0.001, 0.004, math.NaN())
	pruned := trials(0.001, 0.004, 0.0005)
	pruned[2].State = study.Pruned
	rising := trials(0.001, 0.004, 0.01)
	falling := trials(0.01, 0.004, 0.001)
	psnr := trials(0.001, 0.004, 0.01)
	for i := range psnr {
		psnr[i].Value = psnr[i].Metrics["val_psnr"]
	}
	for _, c := range []struct {
		name   string
		o      study.Objective
		q      study.Query
		trials []study.Trial
		want   string
	}{
		{"rank", least, study.Query{Sort: "rank"}, rising, "0 pca-128 1 pca-64 2 mean image"},
		{"no sort is rank", least, study.Query{}, rising, "0 pca-128 1 pca-64 2 mean image"},
		{"rank, more is better", most, study.Query{Sort: "rank"}, psnr, "0 pca-128 1 pca-64 2 mean image"},
		{"rank, turned round", least, study.Query{Sort: "rank", Desc: true}, falling, "mean image 0 pca-64 1 pca-128 2"},
		{"before what is not complete", least, study.Query{Sort: "rank"}, pruned, "0 pca-128 1 pca-64 mean image 2"},
		{"before what is no number", least, study.Query{Sort: "rank"}, nan, "0 pca-128 1 pca-64 mean image 2"},
		{"value", least, study.Query{Sort: "value"}, rising, "0 pca-128 1 pca-64 2 mean image"},
		{"value, falling", least, study.Query{Sort: "value", Desc: true}, falling, "mean image 0 pca-64 1 pca-128 2"},
		{"a metric", least, study.Query{Sort: "metric:val_psnr", Desc: true}, rising, "0 pca-128 1 pca-64 2 mean image"},
		{"a metric that they lack", least, study.Query{Sort: "metric:grad_norm"}, rising, "0 1 2"},
		{"latent", least, study.Query{Sort: "param:latent"}, rising, "mean image 0 pca-64 1 2 pca-128"},
		{"another parameter", least, study.Query{Sort: "param:lr"}, rising, "0 1 2"},
		{"number", least, study.Query{Sort: "number"}, rising, "0 1 2"},
		{"an objective that they lack", study.Objective{Name: "val_loss"}, study.Query{Sort: "rank"}, rising, "0 1 2"},
		{"pruned trials alone", least, study.Query{States: []study.State{study.Pruned}}, nil, ""},
		{"complete trials alone", least, study.Query{States: []study.State{study.Complete}}, rising, "0 pca-128 1 pca-64 2 mean image"},
		{"no trial yet", least, study.Query{}, nil, "pca-128 pca-64 mean image"},
		{"an equal trial comes first", least, study.Query{}, trials(0.002, 0.008), "0 pca-128 1 pca-64 mean image"},
	} {
		t.Run(c.name, func(t *testing.T) {
			at := study.PlaceBaselines(list, c.o, c.q, c.trials, true, nil)
			if got := listed(c.trials, at); got != c.want {
				t.Errorf("listed %q, want %q", got, c.want)
			}
		})
	}
}

// Whatever the size of a page, the pages together list each baseline once, in the same place.
func TestPlaceBaselinesByPage(t *testing.T) {
	o := study.Objective{Name: "val_mse", Direction: study.Minimize}
	all := trials(0.001, 0.002, 0.0025, 0.004, 0.007, 0.009, 0.02)
	list := baselines(0.06, 0.0024, 0.008, 0.0005, 0.00405)
	whole := listed(all, study.PlaceBaselines(list, o, study.Query{}, all, true, nil))
	for size := 1; size <= len(all); size++ {
		var parts []string
		for from := 0; from < len(all); from += size {
			to := min(from+size, len(all))
			var next *study.Trial
			if to < len(all) {
				next = &all[to]
			}
			parts = append(parts, listed(all[from:to], study.PlaceBaselines(list, o, study.Query{}, all[from:to], from == 0, next)))
		}
		if got := strings.Join(parts, " "); got != whole {
			t.Errorf("pages of %d: %q, want %q", size, got, whole)
		}
	}
}

func TestBaselineFor(t *testing.T) {
	list := baselines(0.06, 0.008, 0.002)
	for latent, want := range map[int]string{1: "", 63: "", 64: "pca-64", 100: "pca-64", 128: "pca-128", 4096: "pca-128"} {
		if b, ok := study.BaselineFor(list, latent); b.Name != want || ok != (want != "") {
			t.Errorf("latent %d: %q, %v", latent, b.Name, ok)
		}
	}
}

func TestBaselineOf(t *testing.T) {
	list := baselines(0.06, 0.008, 0.002)
	for _, c := range []struct {
		name string
		list []study.Baseline
		p    study.Params
		want string
	}{
		{"its own", list, study.Params{"latent": int64(128)}, "pca-128"},
		{"a float", list, study.Params{"latent": 100.0}, "pca-64"},
		{"not named, several", list, nil, ""},
		{"not named, one", list[:2], nil, "pca-64"},
		{"no baseline", nil, study.Params{"latent": int64(128)}, ""},
	} {
		if b, ok := study.BaselineOf(c.list, c.p); ok != (c.want != "") || ok && b.Name != c.want {
			t.Errorf("%s: %q, %v", c.name, b.Name, ok)
		}
	}
}

func TestBaselineView(t *testing.T) {
	b := study.Baseline{Name: "pca-8", K: 8, Metrics: map[string]float64{"val_mse": 0, "val_psnr": math.Inf(1)}, Fingerprint: "f00d"}
	for objective, want := range map[string]string{
		"val_mse":  `{"name":"pca-8","k":8,"value":0,"metrics":{"val_mse":0,"val_psnr":"Infinity"},"fingerprint":"f00d"}`,
		"val_loss": `{"name":"pca-8","k":8,"value":null,"metrics":{"val_mse":0,"val_psnr":"Infinity"},"fingerprint":"f00d"}`,
	} {
		if got, err := json.Marshal(b.View(study.Objective{Name: objective})); err != nil || string(got) != want {
			t.Errorf("%s: %s, %v; want %s", objective, got, err, want)
		}
	}
}

func TestBeside(t *testing.T) {
	inf, nan := math.Inf(1), math.NaN()
	for _, c := range []struct {
		direction study.Direction
		baseline  float64
		trial     float64
		want      string
	}{
		{study.Minimize, 0.001679, 0.01186, "pca-8: 0.001679; this trial is 7.1 times that"},
		{study.Minimize, 0.005, 0.0052, "pca-8: 0.005; this trial is 1.04 times that"},
		{study.Minimize, 0.005, 0.002, "pca-8: 0.005; this trial is 0.40 times that"},
		{study.Minimize, 0.001, 0.0421, "pca-8: 0.001; this trial is 42 times that"},
		{study.Minimize, 0.001, 0.000012, "pca-8: 0.001; this trial is 0.012 times that"},
		{study.Minimize, 0.005, 0.005, "pca-8: 0.005; this trial is as good"},
		{study.Minimize, 0, 0.25, "pca-8: 0; this trial is 0.25 worse"},
		{study.Minimize, 0.005, inf, "pca-8: 0.005; this trial is +Inf worse"},
		{study.Maximize, 27.5, 19.25, "pca-8: 27.5; this trial is 8.25 worse"},
		{study.Maximize, 27.5, 28, "pca-8: 27.5; this trial is 0.5 better"},
		{study.Minimize, nan, 1, ""},
		{study.Minimize, 1, nan, ""},
	} {
		b := study.Baseline{Name: "pca-8", K: 8, Metrics: map[string]float64{"m": c.baseline}}
		if got := b.Beside(study.Objective{Name: "m", Direction: c.direction}, c.trial); got != c.want {
			t.Errorf("%s %g beside %g: %q, want %q", c.direction, c.trial, c.baseline, got, c.want)
		}
	}
	if got := (study.Baseline{}).Beside(study.Objective{Name: "m"}, 1); got != "" {
		t.Errorf("without the metric: %q", got)
	}
}
