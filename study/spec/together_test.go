package spec_test

import (
	"strings"
	"testing"

	"sweep/study"
	"sweep/study/spec"
)

// A parameter that needs a word of another one is refused wherever a search could come to a combination without it.
func TestTogether(t *testing.T) {
	c := study.Catalogue{
		Trainer: "cae",
		Params: []study.Declaration{
			{Name: "optimizer", Kind: study.Categorical, Words: []string{"adam", "adamw", "sgd"}, Default: "adam"},
			{Name: "weight_decay", Kind: study.Float, High: 1, Default: 0.0, With: "optimizer", WithWords: []string{"adamw", "sgd"}, Doc: "use l2"},
		},
		Metrics: []study.MetricDecl{{Key: "val_mse", Direction: study.Minimize}},
		Data:    []study.DataDecl{{Name: "cifar10", Train: 50000}, {Name: "shapes", Train: 50000}},
	}
	const refused = "weight_decay has no meaning where optimizer is adam, only with adamw or sgd"
	for text, want := range map[string]string{
		"{optimizer: {value: adamw}, weight_decay: {value: 0.1}}":                       "",
		"{optimizer: {values: [adamw, sgd]}, weight_decay: {min: 0.0, max: 0.1}}":       "",
		"{weight_decay: {value: 0}}":                                                    "",
		"{weight_decay: {value: 0.1}}":                                                  refused,
		"{optimizer: {values: [sgd, adam]}, weight_decay: {values: [0.0, 0.1]}}":        refused,
		"{optimizer: {value: adam}, weight_decay: {min: 0.0, max: 0.1}}":                refused,
		"{optimizer: {value: lion}, weight_decay: {value: 0.1}}":                        "lion",
		"{weight_decay: {distribution: log_uniform_values, min: 0.00001, max: 0.0001}}": refused,
	} {
		_, err := spec.Parse(spec.Source{Name: "s.yaml", Text: []byte("parameters: " + text + "\n")}, c)
		switch {
		case want == "" && err != nil:
			t.Errorf("%s: %v", text, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%s: got %v, want %q in it", text, err, want)
		case want == "lion" && strings.Contains(err.Error(), refused):
			t.Errorf("%s: one mistake is told twice: %v", text, err)
		}
	}
}
