package spec_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sweep/study"
	"sweep/study/spec"
)

func TestDevices(t *testing.T) {
	for list, want := range map[string]string{
		"cpu": "cpu", "cpu:3": "cpu:3", "cuda": "cuda", "cuda:0": "cuda:0", "cuda:0,1": "cuda:0 cuda:1", "cuda:00": "cuda:0",
		" cuda:0 , 1 , cpu ": "cuda:0 cuda:1 cpu", "cpu:0,1,cuda:2,3": "cpu:0 cpu:1 cuda:2 cuda:3",
		"MIG-8f7a": "cuda:MIG-8f7a", "cuda:MIG-8f7a,0": "cuda:MIG-8f7a cuda:0", "GPU-aa-bb": "cuda:GPU-aa-bb",
		"":  "! a device is missing: write cpu, cuda, or single ones by comma, such as cuda:0,1 or cpu:0",
		"0": "! 0 is no device: write cpu, cuda, or single ones by comma, such as cuda:0,1 or cpu:0", "gpu": "! gpu is no device: all GPUs are cuda, one of them is cuda:0",
		"GPU:1":   "! GPU:1 is no device: all GPUs are cuda, one of them is cuda:0",
		"cudda:0": "! cudda:0 is no device; did you mean cuda?", "cuda:": "! cuda: is no device: write cpu, cuda, or single ones by comma, such as cuda:0,1 or cpu:0",
		"cuda:-1":  "! cuda:-1 is no device: write cpu, cuda, or single ones by comma, such as cuda:0,1 or cpu:0",
		"cuda:0,":  "! a device is missing: write cpu, cuda, or single ones by comma, such as cuda:0,1 or cpu:0",
		"cuda:1,1": "! cuda:1 is named twice: leave one out", "cuda,cuda:1": "! cuda:1 is one of cuda, which is all of them: leave one of the two out",
		"cuda:99999999999": "! cuda:99999999999 is no device: write cpu, cuda, or single ones by comma, such as cuda:0,1 or cpu:0",
		"MIG-":             "! MIG- is no device: write cpu, cuda, or single ones by comma, such as cuda:0,1 or cpu:0",
		"tpu:0":            "! tpu:0 is no device; did you mean cpu?",
	} {
		got, err := spec.Devices(list)
		text := strings.Join(got, " ")
		if err != nil {
			text = "! " + err.Error()
		}
		if text != want {
			t.Errorf("%q is %q, want %q", list, text, want)
		}
	}
}

func TestDevicesOfAFile(t *testing.T) {
	for text, want := range map[string][]string{
		"cuda:0":            {"cuda:0"},
		"'cuda:0,1'":        {"cuda:0", "cuda:1"},
		"cuda:0,1":          {"cuda:0", "cuda:1"},
		"[cuda:0, 1, cpu]":  {"cuda:0", "cuda:1", "cpu"},
		"[cuda, MIG-12-ab]": nil, "[]": nil, "7": nil, "{a: 1}": nil, "[cuda:0, cuda:0]": nil, "[1]": nil,
	} {
		s, err := read("parameters: {lr: {value: 0.001}}\nsweep:\n  devices: " + text + "\n")
		if (err == nil) != (want != nil) {
			t.Errorf("devices: %s: %v", text, err)
		}
		if d := cmp.Diff(want, s.Devices); d != "" {
			t.Errorf("devices: %s (-want +got):\n%s", text, d)
		}
	}
}

// Devices may change between runs; the precision is the study's, and fp32 is what it is without a word.
func TestPrecisionOfAFile(t *testing.T) {
	of := func(words string) string {
		return "parameters: {lr: {value: 0.001}}\nsweep: {epochs: 3" + words + "}\n"
	}
	plain, err := read(of(""))
	if err != nil {
		t.Fatal(err)
	}
	for words, want := range map[string][]string{
		", devices: cuda": nil, ", precision: fp32": nil,
		", precision: tf32": {"sweep.precision: fp32 in the study, tf32 in the file"},
		", precision: bf16": {"sweep.precision: fp32 in the study, bf16 in the file"},
	} {
		s, err := read(of(words))
		if err != nil {
			t.Errorf("%s: %v", words, err)
			continue
		}
		if d := cmp.Diff(want, spec.Diff(plain, s)); d != "" {
			t.Errorf("%s (-want +got):\n%s", words, d)
		}
		again, err := spec.Parse(spec.Source{Name: "again.yaml", Text: spec.Format(s)}, catalogue())
		if err != nil || len(spec.Diff(s, again)) > 0 || !cmp.Equal(s.Devices, again.Devices) {
			t.Errorf("%s comes back as\n%s(%v)", words, spec.Format(s), err)
		}
	}
}

func TestAt(t *testing.T) {
	const file = "name: x\nparameters:\n  lr: {value: 0.001}\n  variant:\n    values: [plain, attention]\nsweep: {trainer: classifier}\n"
	for _, c := range []struct {
		parameter string
		value     any
		place     [2]int
	}{
		{"variant", "attention", [2]int{5, 21}},
		{"variant", "skip", [2]int{5, 5}},
		{"lr", 0.001, [2]int{3, 7}},
		{"trainer", "classifier", [2]int{6, 18}},
		{"depth", int64(3), [2]int{1, 1}},
	} {
		err := spec.At(spec.Source{Name: "f.yaml", Text: []byte(file)}, c.parameter, c.value, "no %s", "luck")
		var all *spec.Errors
		if !errors.As(err, &all) || len(all.List) != 1 {
			t.Fatalf("%s: %v", c.parameter, err)
		}
		m := all.List[0]
		if got := [2]int{m.Line, m.Column}; got != c.place || m.Message != "no luck" || m.File != "f.yaml" {
			t.Errorf("%s %v is at %v in %s: %q, want %v", c.parameter, c.value, got, m.File, m.Message, c.place)
		}
	}
}

func read(text string) (study.Spec, error) {
	return spec.Parse(spec.Source{Name: "again.yaml", Text: []byte(text)}, catalogue())
}
