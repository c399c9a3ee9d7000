package trainer_test

import (
	"context"
	"testing"

	"sweep/study"
	"sweep/trainer"
	"sweep/trainer/dataset"
	"sweep/trainer/model"
)

// sorting is an engine whose networks take everything for class 1.
type sorting struct{ *null }

func (e sorting) Advance(ctx context.Context, n int) ([]trainer.Report, error) {
	reports, err := e.null.Advance(ctx, n)
	for i := range reports {
		v := trainer.Sums{Images: 4, Values: 4, Loss: 2, Right: 3}
		v.Intersection[1], v.Union[1], v.Union[0] = 3, 4, 1
		reports[i].Validation = v
	}
	return reports, err
}

func (e sorting) Evaluate(_ context.Context, slot int, _ trainer.Which, _ *dataset.Images, images []int, _ trainer.Want) (trainer.Evaluation, error) {
	out := make([]byte, len(images)*e.slots[slot].config.LabelsEach())
	for i := range out {
		out[i] = 1
	}
	return trainer.Evaluation{Classes: out}, nil
}

// The metrics of a network on labels are its own, and its pictures hold images, truth and answers in colour.
func TestPoolOnLabels(t *testing.T) {
	for _, tt := range []struct {
		task, objective string
		value           float64
		metrics, rows   int
	}{
		{model.Segment, "val_miou", (3.0/4 + 0) / 2, 2, 3},
		{model.Classify, "val_acc", 0.75, 1, 2},
	} {
		g := newGround(t, 1, func(s *study.Spec) {
			s.Objective, s.Epochs = study.Objective{Name: tt.objective, Direction: study.Maximize}, 2
		})
		p := g.pool(t.Context(), nil, sorting{newNull("cpu:0", 1)})
		configure := p.Configure
		p.Configure = func(gr study.Grant) (trainer.Config, error) {
			c, err := configure(gr)
			c.Task = tt.task
			set := &dataset.Images{
				Height: 1, Width: 2, Channels: 1, Pixels: make([]byte, 8), Labels: []byte{1, 1, 0, 1}, Classes: []string{"a", "b"},
				Masks: []byte{1, 1, 1, 0, 1, 1, 1, 1}, MaskClasses: []string{"a", "b"},
			}
			if tt.task == model.Segment {
				set.Labels, set.Classes = nil, nil // so that no linear classifier is fitted to the codes
			}
			c.Use(set, set)
			c.Latent = 0
			return c, err
		}
		drawn := 0
		p.Strip = func(rows [][]float32, h, w, c int) ([]byte, error) {
			drawn++
			if len(rows) != tt.rows || h != 1 || w != 2 || c != 3 || len(rows[tt.rows-1]) != 4*2*3 {
				t.Errorf("task %s: %d rows of %d values, images of %dx%dx%d", tt.task, len(rows), len(rows[tt.rows-1]), h, w, c)
			}
			return []byte("a picture"), nil
		}
		p.Run(t.Context()) //nolint:errcheck // the trial tells
		tr := g.table()[0]
		if tr.State != study.Complete || tr.Value != tt.value || tr.Metrics[tt.objective] != tt.value || drawn != 1 {
			t.Errorf("task %s: %+v after %d pictures", tt.task, tr, drawn)
		}
		own := 0
		for _, k := range []string{"val_miou", "val_pixel_acc", "val_acc", "val_mse", "val_mae", "val_psnr", "val_ssim", "val_probe_acc"} {
			if _, ok := tr.Metrics[k]; ok && k != "val_probe_acc" {
				own++
			}
		}
		if own != tt.metrics {
			t.Errorf("task %s: the metrics are %v", tt.task, tr.Metrics)
		}
	}
}
