package trainer_test

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"sweep/trainer"
)

// gaussians makes n codes of latent numbers in classes: each class has a middle of its own in the first numbers, the
// last number is always 7, the second last a copy of the first.
func gaussians(seed uint64, n, latent, classes int, noise float64) ([]float32, []byte) {
	r := rand.New(rand.NewPCG(seed, 1))
	middle := rand.New(rand.NewPCG(1, 1))
	at := make([]float64, classes*latent)
	for i := range at {
		at[i] = middle.NormFloat64()
	}
	codes, labels := make([]float32, n*latent), make([]byte, n)
	for i := range n {
		labels[i] = byte(i % classes)
		row := codes[i*latent:][:latent]
		for j := range row {
			row[j] = float32(100 + 5*(at[int(labels[i])*latent+j]+noise*r.NormFloat64()))
		}
		row[latent-1], row[latent-2] = 7, row[0]
	}
	return codes, labels
}

func TestProbe(t *testing.T) {
	const latent, classes = 12, 5
	run := func(noise float64) float64 {
		fit, labels := gaussians(2, 1000, latent, classes, noise)
		judge, truth := gaussians(3, 2500, latent, classes, noise)
		acc, err := trainer.Probe(fit, labels, judge, truth, classes)
		if err != nil {
			t.Fatal(err)
		}
		return acc
	}
	// Far apart, near, and all in one place: a right classifier knows all, most, and no more than chance (its standard
	// error is 0.008).
	if far := run(0.2); far != 1 {
		t.Errorf("of classes far apart it knows %.3f", far)
	}
	if near := run(1); near < 0.8 || near > 0.98 {
		t.Errorf("of classes near each other it knows %.3f", near)
	}
	if noise := run(1000); math.Abs(noise-0.2) > 0.03 {
		t.Errorf("of noise it knows %.3f, chance is 0.2", noise)
	}
}

func TestProbeByHand(t *testing.T) {
	// Two classes on a line, 1:3: least squares puts the border where the regression of the labels is ½.
	fit, labels := []float32{0, 1, 1, 2}, []byte{0, 1, 1, 1}
	// Centred codes -1, 0, 0, 1; label of class 1 centred -¾, ¼, ¼, ¼; the slope is 1/(2+ridge), the border at 1-¼·(2+ridge).
	border := float32(1 - 0.25*(2+0.001*2))
	for _, c := range []struct {
		code float32
		want byte
	}{{border - 0.001, 0}, {border + 0.001, 1}, {-50, 0}, {50, 1}} {
		acc, err := trainer.Probe(fit, labels, []float32{c.code}, []byte{c.want}, 2)
		if err != nil || acc != 1 {
			t.Errorf("code %g is not of class %d: %v", c.code, c.want, err)
		}
	}
}

func TestProbeAtItsEnds(t *testing.T) {
	// Codes without any difference: the commonest class is the answer.
	acc, err := trainer.Probe(make([]float32, 8), []byte{1, 1, 0, 1}, make([]float32, 8), []byte{1, 0, 0, 0}, 2)
	if err != nil || acc != 0.25 {
		t.Errorf("equal codes: %g, %v", acc, err)
	}
	for _, bad := range []float32{float32(math.NaN()), float32(math.Inf(1))} {
		if acc, err := trainer.Probe([]float32{1, bad}, []byte{0, 1}, []float32{1}, []byte{0}, 2); err != nil || acc == acc {
			t.Errorf("fitted to %g: %g, %v", bad, acc, err)
		}
		if acc, err := trainer.Probe([]float32{1, 2}, []byte{0, 1}, []float32{bad}, []byte{0}, 2); err != nil || acc == acc {
			t.Errorf("judged on %g: %g, %v", bad, acc, err)
		}
	}
	for name, f := range map[string]func() (float64, error){
		"none": func() (float64, error) { return trainer.Probe(nil, nil, nil, nil, 2) },
		"fit": func() (float64, error) {
			return trainer.Probe(make([]float32, 3), []byte{0, 1}, make([]float32, 2), []byte{0}, 2)
		},
		"judge": func() (float64, error) {
			return trainer.Probe(make([]float32, 4), []byte{0, 1}, make([]float32, 3), []byte{0}, 2)
		},
		"labels": func() (float64, error) {
			return trainer.Probe(make([]float32, 4), []byte{0, 2}, make([]float32, 2), []byte{0}, 2)
		},
	} {
		if _, err := f(); err == nil || !strings.HasPrefix(err.Error(), "fit a linear classifier: ") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func BenchmarkProbe(b *testing.B) {
	fit, labels := gaussians(2, trainer.ProbeImages, 128, 10, 1)
	judge, truth := gaussians(3, 2000, 128, 10, 1)
	for b.Loop() {
		if _, err := trainer.Probe(fit, labels, judge, truth, 10); err != nil {
			b.Fatal(err)
		}
	}
}
