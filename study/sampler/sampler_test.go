package sampler_test

import (
	"slices"
	"testing"

	"sweep/study"
	"sweep/study/sampler"
	"sweep/study/studytest"
)

func TestSamplers(t *testing.T) {
	for _, method := range ofRanges() {
		t.Run(method, func(t *testing.T) {
			studytest.TestSampler(t, func(t *testing.T) study.Sampler { return newSampler(t, method) })
		})
	}
}

// ofRanges are the methods that search ranges too, which a grid cannot: it has tests of its own.
func ofRanges() []string {
	return slices.DeleteFunc(sampler.Methods(), func(m string) bool { return m == "grid" })
}

func TestNewRefusesUnknownMethod(t *testing.T) {
	if _, err := sampler.New(study.Spec{Method: "gp"}); err == nil {
		t.Error("no error")
	}
}
