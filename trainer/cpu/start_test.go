package cpu_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sweep/trainer"
	"sweep/trainer/model"
)

// startWeights are weights of another seed for all but the dense layers, which are those of a narrower code.
func startWeights(c trainer.Config) []trainer.Tensor {
	c.Latent--
	var out []trainer.Tensor
	for i, x := range model.Init(c.Config, 99, 0) {
		w := c.Config.Weights()[i]
		out = append(out, trainer.Tensor{Name: w.Name, Shape: w.Shape, Data: x})
	}
	return out
}

// Arrays of the same name and shape start as those that are given, in whatever order they come, the others at random.
func TestStart(t *testing.T) {
	c := config(nil)
	plain := engine(t)
	load(t, plain, c, nil)
	random := save(t, plain).Weights

	given := startWeights(c)
	slices.Reverse(given)
	c.Start = given
	e := engine(t)
	load(t, e, c, nil)
	taken := 0
	for i, w := range save(t, e).Weights {
		want := random[i].Data
		for _, g := range given {
			if g.Name == w.Name && slices.Equal(g.Shape, w.Shape) {
				want = g.Data
				taken++
			}
		}
		if !slices.Equal(w.Data, want) {
			t.Errorf("%s starts with other numbers", w.Name)
		}
	}
	_, missing := trainer.Fit(c.Config, given)
	want := []string{"enc.dense.weight is [72 11] there, [72 12] here", "enc.dense.bias is [11] there, [12] here", "dec.dense.weight is [11 72] there, [12 72] here"}
	if diff := cmp.Diff(want, missing); diff != "" || taken != len(random)-3 {
		t.Errorf("%d of %d are taken: %s", taken, len(random), diff)
	}

	// A saved trial goes on from its own weights.
	train(t, e, 1)
	st := save(t, e)
	e.Clear(0)
	load(t, e, c, st)
	if diff := cmp.Diff(st, save(t, e), exact); diff != "" {
		t.Errorf("a resumed trial started anew: %s", diff)
	}

	for i := range given {
		given[i].Name = "x." + given[i].Name
	}
	if err := engine(t).Load(0, c, nil); err == nil || !strings.Contains(err.Error(), "none of the weights of init_from fits this network (enc.conv0.weight is not there,") {
		t.Errorf("got %v", err)
	}
}
