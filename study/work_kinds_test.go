package study_test

import (
	"testing"

	"sweep/study"
)

func TestCapacityTakes(t *testing.T) {
	gpu := []string{"conv", "dense"}
	for _, c := range []struct {
		name  string
		c     study.Capacity
		needs []string
		want  bool
	}{
		{"anything for one that says nothing", study.Capacity{}, []string{"attention"}, true},
		{"nothing is judged", study.Capacity{Kinds: gpu}, nil, true},
		{"all that it has", study.Capacity{Kinds: gpu}, []string{"dense", "conv"}, true},
		{"one is lacking", study.Capacity{Kinds: gpu}, []string{"conv", "attention"}, false},
		{"it has none", study.Capacity{Kinds: []string{}}, []string{"conv"}, false},
		{"left to another", study.Capacity{Leave: [][]string{gpu}}, []string{"conv"}, false},
		{"none of the others has it", study.Capacity{Leave: [][]string{gpu, {"attention"}}}, []string{"conv", "attention"}, true},
		{"the second of the others has it", study.Capacity{Leave: [][]string{gpu, {"attention", "conv"}}}, []string{"conv", "attention"}, false},
		{"another runs everything", study.Capacity{Leave: [][]string{nil}}, []string{"attention"}, false},
		{"nothing judged is left to another", study.Capacity{Leave: [][]string{gpu}}, nil, false},
	} {
		if got := c.c.Takes(c.needs); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}
