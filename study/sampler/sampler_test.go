package sampler_test

import (
	"testing"

	"sweep/study"
	"sweep/study/sampler"
	"sweep/study/studytest"
)

func TestSamplers(t *testing.T) {
	for _, method := range sampler.Methods() {
		t.Run(method, func(t *testing.T) {
			studytest.TestSampler(t, func(t *testing.T) study.Sampler { return newSampler(t, method) })
		})
	}
}

func TestNewRefusesUnknownMethod(t *testing.T) {
	if _, err := sampler.New(study.Spec{Method: "gp"}); err == nil {
		t.Error("no error")
	}
}
