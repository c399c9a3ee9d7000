package server_test

import (
	"fmt"
	"strings"
	"testing"

	"sweep/cmd/web/server"
	"sweep/study"
)

// onLabels makes a study of the fixture one whose trials have no picture metrics, but these.
func onLabels(f *fake, name, trainer, task string, keys ...string) study.Summary {
	f.addStudy(name, 12, false)
	s := &f.studies[len(f.studies)-1]
	s.Spec.Trainer, s.Spec.Objective = trainer, study.Objective{Name: keys[0], Direction: study.Maximize}
	convert := func(t *study.Trial, history map[string][]study.Sample) {
		t.Params["task"] = task
		curve := t.Curve
		for _, k := range []string{"val_mse", "val_mae", "val_psnr", "val_ssim"} {
			delete(t.Metrics, k)
			delete(history, k)
		}
		for _, k := range keys {
			var samples []study.Sample
			for _, p := range curve {
				samples = append(samples, study.Sample{Step: p.Step, Value: 1 - p.Value})
			}
			if n := len(samples); n > 0 {
				t.Metrics[k] = samples[n-1].Value
				if history != nil {
					history[k] = samples
				}
			}
			t.Curve = samples
		}
		t.Value = 1 - t.Value
	}
	for i := range f.trials[s.ID] {
		d := &f.trials[s.ID][i]
		convert(&d.Trial, d.History)
		if s.Best != nil && d.Number == s.Best.Number {
			t := d.Trial
			s.Best = &t
		}
	}
	return *s
}

// Pages of trials that are trained on labels show what these have, and none of what they have not.
func TestPagesOnLabels(t *testing.T) {
	f := newFake()
	seg := onLabels(f, "seg", "cae", "segment", "val_miou", "val_pixel_acc")
	cls := onLabels(f, "cls", "classifier", "", "val_acc")
	s := newServer(t, server.Config{Store: f, Database: "sweep.db"})
	for _, tt := range []struct {
		path string
		want []string
		not  []string
	}{
		{"/studies/seg", []string{"val_miou", "val_pixel_acc", ">max<"}, []string{"val_mse", "val_psnr"}},
		{fmt.Sprintf("/studies/seg/trials/%d", seg.Best.Number), []string{"val_miou", "<span>classes</span><span>found</span>", "rows, image, classes, found", "<h2>Segmentation</h2>"}, []string{"val_mse", "decoded", "Reconstructions"}},
		{"/studies/seg/compare", []string{"val_pixel_acc", "found, by trial #", "Validation images: classes", "Validation images: image", "<h2>Segmentation</h2>"}, []string{"val_mse", "decoded"}},
		{"/studies/cls", []string{"val_acc", "val_loss", ">max<"}, []string{"val_mse"}},
		{fmt.Sprintf("/studies/cls/trials/%d", cls.Best.Number), []string{"val_acc", "right?", "<h2>Answers</h2>"}, []string{"val_mse", "decoded"}},
		{"/studies/cls/compare", []string{"★", "right?, by trial #"}, []string{"val_mse", "decoded"}},
	} {
		status, page := get(t, s, tt.path)
		if status != 200 {
			t.Errorf("%s: status %d", tt.path, status)
		}
		for _, w := range tt.want {
			if !strings.Contains(page, w) {
				t.Errorf("%s: %q is not there", tt.path, w)
			}
		}
		for _, w := range tt.not {
			if strings.Contains(page, w) {
				t.Errorf("%s: %q is there", tt.path, w)
			}
		}
	}
}
