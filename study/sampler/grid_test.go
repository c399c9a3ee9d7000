package sampler_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sweep/study"
)

func gridSpace() study.Space {
	return study.Space{
		{Name: "loss", Distribution: study.Distribution{Kind: study.Categorical, Choices: []any{"mse", "mae"}}},
		{Name: "fixed", Distribution: study.Fixed([]any{int64(4), int64(8)})},
		{Name: "latent", Distribution: study.Distribution{Kind: study.Int, Low: 64, High: 192, Step: 64}},
		{Name: "rate", Distribution: study.Distribution{Kind: study.Float, Low: 0.1, High: 0.35, Step: 0.2}},
	}
}

func TestGridTriesEachOnce(t *testing.T) {
	space := gridSpace()
	var got []string
	for n := range 13 {
		p, err := newSampler(t, "grid").Sample(t.Context(), study.Ask{Number: n, Space: space})
		if err != nil {
			t.Fatal(err)
		}
		if err := space.Check(p); err != nil {
			t.Errorf("trial %d: %v", n, err)
		}
		got = append(got, fmt.Sprint(p["loss"], " ", p["latent"], " ", p["rate"]))
	}
	want := []string{
		"mse 64 0.1", "mse 64 0.3", "mse 128 0.1", "mse 128 0.3", "mse 192 0.1", "mse 192 0.3",
		"mae 64 0.1", "mae 64 0.3", "mae 128 0.1", "mae 128 0.3", "mae 192 0.1", "mae 192 0.3",
		"mse 64 0.1", // all are tried: it begins again
	}
	for i, g := range got {
		if i < len(want) && g != want[i] {
			t.Errorf("trial %d is %s, want %s", i, g, want[i])
		}
	}
	if diff := cmp.Diff(len(want), len(got)); diff != "" {
		t.Error(diff)
	}
}

func TestGridRefusesARange(t *testing.T) {
	space := study.Space{{Name: "lr", Distribution: study.Distribution{Kind: study.Float, Low: 0, High: 1}}}
	if p, err := newSampler(t, "grid").Sample(t.Context(), study.Ask{Space: space}); err == nil {
		t.Errorf("a grid over a range proposes %v", p)
	}
}
