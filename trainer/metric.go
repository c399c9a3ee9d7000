package trainer

import (
	"math"
	"slices"
	"time"

	"sweep/study"
	"sweep/trainer/model"
)

// epochMetrics turns an epoch's report into the metrics of the sweep file, by key. Losses are means over images, errors
// means over values; PSNR is 10·log10(1/MSE) of the mean squared error with a range of 1 (not the mean of each image's),
// in dB, +Inf for a perfect copy.
func epochMetrics(c model.Config, r Report) map[string]float64 {
	m := measures(c, "val_", r.Validation)
	m["train_loss"] = r.Train.Loss / float64(r.Train.Images)
	m["val_loss"] = r.Validation.Loss / float64(r.Validation.Images)
	if c.Generates() {
		m["val_kl"] = r.Validation.KL / float64(r.Validation.Images)
	}
	m["grad_norm"] = r.GradNorm
	m["learning_rate"] = r.LearningRate
	m["epoch"] = float64(r.Epoch)
	m["epoch_s"] = r.Time.Seconds()
	if s := r.TrainTime.Seconds(); s > 0 {
		m["images_per_s"] = float64(r.Train.Images) / s
	}
	return m
}

// PSNR is the peak signal-to-noise ratio in dB of a mean squared error of values in [0, 1].
func PSNR(mse float64) float64 { return -10 * math.Log10(mse) }

// pictures names an evaluation's figures of images, each with a prefix.
func pictures(prefix string, s Sums) map[string]float64 {
	mse := s.SE / float64(s.Values)
	return map[string]float64{
		prefix + "mse": mse, prefix + "mae": s.AE / float64(s.Values), prefix + "psnr": PSNR(mse), prefix + "ssim": s.SSIM / float64(s.Images),
	}
}

// ValidationMetrics names an evaluation's figures as those of the validation images, but for the loss, which is a trial's
// own: a baseline has none.
func ValidationMetrics(s Sums) map[string]float64 {
	m := pictures("val_", s)
	m["val_pixel_acc"] = float64(s.Within) / float64(s.Values)
	return m
}

// measures names an evaluation's figures, each with a prefix: those of pictures, or for a network on labels what it gets
// right.
func measures(c model.Config, prefix string, s Sums) map[string]float64 {
	right := float64(s.Right) / float64(s.Values)
	switch {
	case c.Task == model.Segment:
		return map[string]float64{prefix + "miou": MeanIoU(s), prefix + "pixel_acc": right}
	case c.Task == model.Classify:
		return map[string]float64{prefix + "acc": right}
	case prefix == "test_":
		return TestMetrics(s)
	}
	return ValidationMetrics(s)
}

// MeanIoU is the intersection over union of what is of a class and what is taken for it, summed over all pixels and then
// averaged over the classes that occur, in truth or prediction (Everingham et al., "The Pascal visual object classes
// challenge", 2010, section 4.3.2); NaN without pixels.
func MeanIoU(s Sums) float64 {
	var sum, classes float64
	for i, u := range s.Union {
		if u > 0 {
			sum += float64(s.Intersection[i]) / float64(u)
			classes++
		}
	}
	return sum / classes
}

// TestMetricsOf names the figures of the network of c on the test set.
func TestMetricsOf(c model.Config, s Sums) map[string]float64 { return measures(c, "test_", s) }

// TestMetrics names an evaluation's figures as those of the test set.
func TestMetrics(s Sums) map[string]float64 { return pictures("test_", s) }

// points lists metrics as points of a step, by key, so that what is stored does not depend on a map's order.
func points(m map[string]float64, step int, now time.Time) []study.Point {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	out := make([]study.Point, len(keys))
	for i, k := range keys {
		out[i] = study.Point{Key: k, Step: step, Value: m[k], Time: now}
	}
	return out
}

func median(v []float64) float64 {
	if len(v) == 0 {
		return math.NaN()
	}
	s := slices.Sorted(slices.Values(v))
	if n := len(s); n%2 == 0 {
		return (s[n/2-1] + s[n/2]) / 2
	}
	return s[len(s)/2]
}
