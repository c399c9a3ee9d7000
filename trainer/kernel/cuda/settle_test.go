//go:build gpu

package cuda_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"sweep/trainer/kernel"
	"sweep/trainer/kernel/cuda"
)

// settled is what a unit leaves, by the formulas.
type settled struct {
	loss, norm float64
	sums       cuda.Sums
}

const (
	cropH, cropW, cropC = 5, 7, 3
	values              = cropH * cropW * cropC
	// Sums of doubles in another order differ by a few units in the last place.
	settleTolerance = 1e-14
)

// formula adds the images' sums in their order and takes the loss of the batch as kernel.Loss has it.
func formula(s cuda.Slot, image, square []float64) settled {
	var sum [cuda.ImageSums]float64
	n := int(s.Unit.N)
	for i := range n {
		for k := range sum {
			sum[k] += image[i*cuda.ImageSums+k]
		}
	}
	var out settled
	w, count := float64(s.SSIMWeight), float64(n*values)
	switch kernel.LossKind(s.Loss) {
	case kernel.MSE:
		out.loss = sum[4] / count
	case kernel.MAE:
		out.loss = sum[5] / count
	case kernel.MSESSIM:
		out.loss = (1-w)*sum[4]/count + w*(1-sum[6]/float64(n))
	}
	for _, v := range square {
		out.norm += v
	}
	out.norm = math.Sqrt(out.norm)
	out.sums = cuda.Sums{
		Loss: out.loss * float64(n), SE: sum[0], AE: sum[1], SSIM: sum[2], Within: int64(sum[3]),
		Values: int64(n * values), Images: int64(n),
	}
	return out
}

func near(a, b float64) bool {
	return a == b || math.Abs(a-b) <= settleTolerance*math.Abs(b) || a != a && b != b
}

func nearSums(a, b cuda.Sums) bool {
	return near(a.Loss, b.Loss) && near(a.SE, b.SE) && near(a.AE, b.AE) && near(a.SSIM, b.SSIM) &&
		a.Within == b.Within && a.Values == b.Values && a.Images == b.Images
}

func settle(m *machine, slots []cuda.Slot) []cuda.Slot {
	var images []int
	for _, s := range slots {
		images = append(images, int(s.Unit.N))
	}
	at := put(m, slots)
	task := cuda.Task{Lists: lists(m, images), Slots: at, S: cuda.Size{H: 8, W: 8, C: cropC}, CropH: cropH, CropW: cropW}
	m.launch(cuda.Step{Kind: "settle"}, put(m, []cuda.Task{task}), len(slots)+1)
	return get[cuda.Slot](m, at, len(slots))
}

func TestSettle(t *testing.T) {
	m := open(t)
	r := rand.New(rand.NewPCG(5, 1))
	before := cuda.Sums{Loss: 3, SE: 2, AE: 1, SSIM: 4, Within: 5, Values: 6, Images: 7}
	var slots []cuda.Slot
	var want []settled
	for i, n := range []int{1, 2, 31, 32, 33, 100, 256, 300} {
		for kind := range 3 {
			image := make([]float64, n*cuda.ImageSums)
			for j := range image {
				image[j] = r.Float64()
				if j%cuda.ImageSums == 3 {
					image[j] = float64(r.IntN(values))
				}
				if kind == 0 {
					image[j] = float64(r.IntN(100)) // exact in any order
				}
			}
			trained := []int{16, 4096, 4112, 300_000, 1_100_000}[i%5]
			square := make([]float64, (trained+cuda.Span-1)/cuda.Span)
			for j := range square {
				square[j] = r.ExpFloat64()
			}
			s := cuda.Slot{
				Image: put(m, image), Square: put(m, square), Trained: int32(trained), Loss: int32(kind), SSIMWeight: 0.3,
				Clip: []float64{0, 1e-3, 1e9}[(i+kind)%3], Scale: nan32, Steps: 4, Norms: 8, Train: before, Validation: before,
				Unit: cuda.Unit{N: int32(n), Train: int32((i + kind) % 3)},
			}
			slots, want = append(slots, s), append(want, formula(s, image, square))
		}
	}
	for i, got := range settle(m, slots) {
		s, w := slots[i], want[i]
		what := fmt.Sprintf("slot %d, %d images, loss %d, purpose %d", i, s.Unit.N, s.Loss, s.Unit.Train)
		if got.Failed != 0 {
			t.Errorf("%s: failed with %d", what, got.Failed)
		}
		if s.Unit.Train != cuda.Train {
			sums := before
			add(&sums, w.sums)
			if !nearSums(got.Validation, sums) || got.Train != before || got.Steps != 4 || got.Norms != 8 {
				t.Errorf("%s: totals %+v, want %+v", what, got.Validation, sums)
			}
			continue
		}
		sums := before
		sums.Loss, sums.Values, sums.Images = before.Loss+w.sums.Loss, before.Values+w.sums.Values, before.Images+w.sums.Images
		scale := float32(1)
		if s.Clip > 0 && w.norm > s.Clip {
			scale = float32(s.Clip / w.norm)
		}
		if !nearSums(got.Train, sums) || got.Validation != before || got.Steps != 5 || !near(got.Norms, 8+w.norm) {
			t.Errorf("%s: totals %+v, norms %g, want %+v, %g", what, got.Train, got.Norms, sums, 8+w.norm)
		}
		// Where the norm is another double, the scale may round to the next float.
		if d := math.Abs(float64(got.Scale - scale)); !(d <= float64(scale)*0x1p-23) {
			t.Errorf("%s: scale %g, want %g", what, got.Scale, scale)
		}
	}
}

func add(to *cuda.Sums, s cuda.Sums) {
	to.Loss += s.Loss
	to.SE += s.SE
	to.AE += s.AE
	to.SSIM += s.SSIM
	to.Within += s.Within
	to.Values += s.Values
	to.Images += s.Images
}

// TestSettleFails: what is not finite fails the slot, adds to no total, and leaves the slots beside it alone.
func TestSettleFails(t *testing.T) {
	m := open(t)
	const n, trained = 40, 9000
	nan, inf := math.NaN(), math.Inf(1)
	good := cuda.Sums{Images: 1}
	for _, c := range []struct {
		name         string
		loss         kernel.LossKind
		purpose      int32
		sum          int // of the image sums one is spoilt; -1: of the squares
		bad          float64
		last         int32
		infinite     int32
		failed, want int32
		counts       bool
	}{
		{name: "nothing", purpose: cuda.Train, sum: -2, counts: true},
		{name: "loss of a step", purpose: cuda.Train, sum: 4, bad: nan, want: cuda.FailedStep},
		{name: "infinite loss", loss: kernel.MAE, purpose: cuda.Train, sum: 5, bad: inf, want: cuda.FailedStep},
		{name: "what the loss is not of", purpose: cuda.Train, sum: 5, bad: nan, counts: true},
		{name: "ssim", loss: kernel.MSESSIM, purpose: cuda.Train, sum: 6, bad: -inf, want: cuda.FailedStep},
		{name: "norm", purpose: cuda.Train, sum: -1, bad: nan, want: cuda.FailedStep},
		{name: "infinite norm", purpose: cuda.Train, sum: -1, bad: inf, want: cuda.FailedStep},
		{name: "loss of a validation", purpose: cuda.Validate, sum: 4, bad: inf, want: cuda.FailedValidation},
		{name: "its ssim", purpose: cuda.Validate, sum: 2, bad: nan, want: cuda.FailedValidation},
		{name: "its squared error", purpose: cuda.Validate, sum: 0, bad: 1, counts: true},
		{name: "squares in a validation", purpose: cuda.Validate, sum: -1, bad: nan, counts: true},
		{name: "an evaluation", purpose: cuda.Measure, sum: 4, bad: nan, counts: true},
		{name: "an evaluation after a failure", purpose: cuda.Measure, sum: -2, failed: cuda.FailedStep, want: cuda.FailedStep, counts: true},
		{name: "a step after a failure", purpose: cuda.Train, sum: -2, failed: cuda.FailedStep, want: cuda.FailedStep},
		{name: "a validation after a failure", purpose: cuda.Validate, sum: 4, bad: nan, failed: cuda.FailedStep, want: cuda.FailedStep},
		{name: "weights", purpose: cuda.Validate, sum: -2, last: 1, infinite: 1, want: cuda.FailedWeights, counts: true},
		{name: "weights before the end", purpose: cuda.Validate, sum: -2, infinite: 1, counts: true},
		{name: "weights at the end", purpose: cuda.Validate, sum: -2, last: 1, counts: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			var slots []cuda.Slot
			for i := range 3 {
				image, square := make([]float64, n*cuda.ImageSums), make([]float64, 3)
				if i == 1 && c.sum >= 0 {
					image[(n-1)*cuda.ImageSums+c.sum] = c.bad
				}
				if i == 1 && c.sum == -1 {
					square[2] = c.bad
				}
				s := cuda.Slot{
					Image: put(m, image), Square: put(m, square), Trained: trained, Loss: int32(c.loss), SSIMWeight: 0.5, Train: good,
					Validation: good, Unit: cuda.Unit{N: n, Train: c.purpose},
				}
				if i == 1 {
					s.Failed, s.Infinite, s.Unit.Last = c.failed, c.infinite, c.last
				}
				slots = append(slots, s)
			}
			for i, got := range settle(m, slots) {
				counted := got.Train.Images+got.Validation.Images == 2+n
				if i != 1 {
					if got.Failed != 0 || !counted {
						t.Errorf("slot %d beside it: %+v", i, got)
					}
					continue
				}
				if got.Failed != c.want || counted != c.counts {
					t.Errorf("failed is %d, want %d; its images count: %t, want %t", got.Failed, c.want, counted, c.counts)
				}
			}
		})
	}
}
