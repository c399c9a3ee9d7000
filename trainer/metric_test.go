package trainer

import (
	"math"
	"slices"
	"testing"
	"time"

	"sweep/trainer/model"
)

// Images and values differ, and so do the sums, so that no figure can be taken for another.
func TestEpochMetrics(t *testing.T) {
	m := epochMetrics(model.Config{}, Report{
		Epoch: 3, Train: Sums{Images: 10, Loss: 4}, GradNorm: 0.7, LearningRate: 0.01,
		Validation: Sums{Images: 5, Values: 40, Loss: 3, SE: 0.4, AE: 2, SSIM: 4.5, Within: 30},
		TrainTime:  2 * time.Second, Time: 3 * time.Second,
	})
	for key, want := range map[string]float64{
		"train_loss": 0.4, "val_loss": 0.6, "val_mse": 0.01, "val_mae": 0.05, "val_psnr": 20, "val_ssim": 0.9, "val_pixel_acc": 0.75,
		"grad_norm": 0.7, "learning_rate": 0.01, "epoch": 3, "epoch_s": 3, "images_per_s": 5,
	} {
		if got, ok := m[key]; !ok || math.Abs(got-want) > 1e-12 {
			t.Errorf("%s is %v, want %v", key, got, want)
		}
		delete(m, key)
	}
	if len(m) > 0 {
		t.Errorf("there are %v beside", m)
	}
}

func TestTestMetrics(t *testing.T) {
	m := TestMetrics(Sums{Images: 5, Values: 40, SE: 0.4, AE: 2, SSIM: 4.5})
	for key, want := range map[string]float64{"test_mse": 0.01, "test_mae": 0.05, "test_psnr": 20, "test_ssim": 0.9} {
		if math.Abs(m[key]-want) > 1e-12 {
			t.Errorf("%s is %v, want %v", key, m[key], want)
		}
	}
}

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		of   []float64
		want float64
	}{{[]float64{3}, 3}, {[]float64{5, 1, 2}, 2}, {[]float64{4, 1, 2, 9}, 3}} {
		if got := median(c.of); got != c.want {
			t.Errorf("the median of %v is %v, want %v", c.of, got, c.want)
		}
	}
	if !math.IsNaN(median(nil)) {
		t.Error("the median of nothing is a number")
	}
}

func TestStripDue(t *testing.T) {
	var due []int
	for epoch := 1; epoch <= 100; epoch++ {
		if stripDue(epoch) {
			due = append(due, epoch)
		}
	}
	if want := []int{1, 2, 3, 5, 8, 13, 21, 34, 55, 89}; !slices.Equal(due, want) {
		t.Errorf("strips at %v, want %v", due, want)
	}
}
