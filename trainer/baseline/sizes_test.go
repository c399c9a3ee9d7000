package baseline_test

import (
	"slices"
	"testing"

	"sweep/study"
	"sweep/trainer/baseline"
)

func TestSizes(t *testing.T) {
	whole := func(low, high, step float64) study.Distribution {
		return study.Distribution{Kind: study.Int, Low: low, High: high, Step: step}
	}
	for _, c := range []struct {
		name   string
		latent study.Distribution
		want   []int
	}{
		{"fixed", study.Fixed(int64(48)), []int{0, 48}},
		{"a list", study.Distribution{Kind: study.Categorical, Choices: []any{int64(256), int64(16), int64(100)}}, []int{0, 16, 100, 256}},
		{"a range", whole(64, 512, 1), []int{0, 64, 128, 256, 512}},
		{"a range between powers", whole(48, 300, 1), []int{0, 48, 64, 128, 256, 300}},
		{"a step that does not lead to the end", whole(10, 37, 5), []int{0, 10, 16, 32, 35}},
		{"a range of one", whole(7, 7, 1), []int{0, 7}},
		{"too large", whole(512, 4096, 1), []int{0, 512, 1024}},
		{"much too large", study.Fixed(int64(4096)), []int{0}},
	} {
		if got := baseline.Sizes(study.Space{{Name: "latent", Distribution: c.latent}}); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
	if got := baseline.Sizes(nil); !slices.Equal(got, []int{0, 128}) {
		t.Errorf("a latent that is not named: %v, want its default", got)
	}
}

func TestLatentSizes(t *testing.T) {
	var trials []study.Trial
	for _, v := range []any{int64(300), int64(64), 300.0, int64(4096), int64(0), "many", nil} {
		trials = append(trials, study.Trial{Params: study.Params{"latent": v}})
	}
	if got, want := baseline.LatentSizes(append(trials, study.Trial{})), []int{64, 300}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestApply(t *testing.T) {
	choice := func(values ...any) study.Distribution {
		return study.Distribution{Kind: study.Categorical, Choices: values}
	}
	for _, c := range []struct {
		name    string
		trainer string
		space   study.Space
		want    bool
	}{
		{"plain", "cae", nil, true},
		{"reconstruction named", "cae", study.Space{{Name: "task", Distribution: choice("reconstruct")}, {Name: "variant", Distribution: choice("plain", "skip")}}, true},
		{"noise", "cae", study.Space{{Name: "variant", Distribution: choice("plain", "denoising")}}, false},
		{"inpainting", "cae", study.Space{{Name: "task", Distribution: choice("reconstruct", "inpaint")}}, false},
		{"segmentation", "cae", study.Space{{Name: "task", Distribution: choice("segment")}}, false},
		{"a classifier", "classifier", nil, false},
		{"a program", "program", nil, false},
	} {
		if got := baseline.Apply(study.Spec{Trainer: c.trainer, Space: c.space}); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

func TestWithout(t *testing.T) {
	there := []study.Baseline{{Name: study.MeanImage}, {Name: "pca-8", K: 8}}
	if got := baseline.Without([]int{0, 4, 8, 16}, there); !slices.Equal(got, []int{4, 16}) {
		t.Errorf("left are %v", got)
	}
	if baseline.Name(0) != study.MeanImage || baseline.Name(8) != "pca-8" {
		t.Error("names")
	}
}
