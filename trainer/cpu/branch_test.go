package cpu_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sweep/trainer"
	"sweep/trainer/cpu"
)

var branches = []string{"skip", "residual", "segnet", "attention"}

// branch is a network of a variant with so many numbers in its code.
func branch(variant string, latent int) trainer.Config {
	return config(func(c *trainer.Config) {
		c.Variant, c.Latent, c.LR, c.Epochs = variant, latent, 0.005, 20
		c.Activation, c.OutputActivation, c.Filters = "leaky_relu", "none", []int{8, 16}
		c.Train, c.Validation = blobs(300, 12, 10, 3, 1), blobs(50, 12, 10, 3, 2)
	})
}

// squared is the mean squared error of the validation images at the end of training.
func squared(t *testing.T, e *cpu.Engine, c trainer.Config) float64 {
	t.Helper()
	load(t, e, c, nil)
	v := train(t, e, c.Epochs)[c.Epochs-1].Validation
	return v.SE / float64(v.Values)
}

// What passes by the code of a single number: the mean image comes to 0.021, the plain network to 0.016.
func TestBranchesAroundTheCode(t *testing.T) {
	for variant, most := range map[string]float64{"skip": 0.007, "segnet": 0.0125} {
		e := engine(t)
		plain, got := squared(t, e, branch("plain", 1)), 0.0
		e.Clear(0)
		got = squared(t, e, branch(variant, 1))
		t.Logf("%s: %.5f, plain %.5f", variant, got, plain)
		if got > most || plain < 0.014 { // the plain network has no way around the code
			t.Errorf("%s: the error is %.5f, want at most %g; the plain network's is %.5f", variant, got, most, plain)
		}
	}
}

// The blocks are trained and used: without what they add the error grows to twice, or for one block by a quarter.
func TestBlocksAreUsed(t *testing.T) {
	for variant, blocks := range map[string][]string{
		"residual": {"enc.res0b.", "enc.res1b.", "dec.res0b.", "dec.res1b."}, "attention": {"enc.attn.o."},
	} {
		least := 1.25
		if variant == "residual" {
			least = 2
		}
		e := engine(t)
		c := branch(variant, 24)
		got := squared(t, e, c)
		st := save(t, e)
		e.Clear(0)
		for _, w := range st.Weights {
			for _, b := range blocks {
				if strings.HasPrefix(w.Name, b) {
					clear(w.Data)
				}
			}
		}
		load(t, e, c, st)
		ev, err := e.Evaluate(t.Context(), 0, trainer.Current, c.Validation, nil, trainer.Want{})
		if err != nil {
			t.Fatal(err)
		}
		without := ev.Sums.SE / float64(ev.Sums.Values)
		t.Logf("%s: %.5f, without its blocks %.5f", variant, got, without)
		if got > 0.009 || without < least*got {
			t.Errorf("%s: the error is %.5f, without its blocks %.5f", variant, got, without)
		}
	}
}

func TestBranchesGoOnBitForBit(t *testing.T) {
	for _, v := range branches {
		c := config(func(c *trainer.Config) { c.Variant, c.Norm = v, "batch" })
		whole := engine(t)
		load(t, whole, c, nil)
		straight := train(t, whole, 4)

		first := engine(t)
		load(t, first, c, nil)
		reports := train(t, first, 2)
		proceed(t, first, reports[1].Validation.Loss < reports[0].Validation.Loss)
		st := save(t, first)
		second := engine(t)
		load(t, second, config(nil), nil) // another network ran there before
		train(t, second, 1)
		second.Clear(0)
		load(t, second, c, st)
		again := train(t, second, 2)
		if diff := cmp.Diff(straight[2:], again, exact, timeless); diff != "" {
			t.Errorf("%s: reports differ: %s", v, diff)
		}
		if diff := cmp.Diff(save(t, whole), save(t, second), exact); diff != "" {
			t.Errorf("%s: states differ: %s", v, diff)
		}
	}
}
