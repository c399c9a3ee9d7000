package study_test

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sweep/study"
)

func TestDistributionCheck(t *testing.T) {
	for _, test := range []struct {
		name string
		d    study.Distribution
		want string // part of the message; empty: right
	}{
		{"float", study.Distribution{Kind: study.Float, Low: -1, High: 1}, ""},
		{"one value", study.Distribution{Kind: study.Float, Low: 1, High: 1}, ""},
		{"log", study.Distribution{Kind: study.Float, Low: 1e-9, High: 1, Log: true}, ""},
		{"int", study.Distribution{Kind: study.Int, Low: -3, High: 3, Step: 2}, ""},
		{"log int", study.Distribution{Kind: study.Int, Low: 1, High: 64, Log: true}, ""},
		{"choices", study.Distribution{Kind: study.Categorical, Choices: []any{"1", int64(1), 1.5, nil, true, []any{int64(1)}}}, ""},
		{"no kind", study.Distribution{}, "kind"},
		{"no choice", study.Distribution{Kind: study.Categorical}, "no value"},
		{"twice", study.Distribution{Kind: study.Categorical, Choices: []any{"a", "b", "a"}}, "twice"},
		{"list twice", study.Distribution{Kind: study.Categorical, Choices: []any{[]any{int64(1)}, []any{int64(1)}}}, "twice"},
		{"upside down", study.Distribution{Kind: study.Float, Low: 2, High: 1}, "above max"},
		{"nan", study.Distribution{Kind: study.Float, Low: math.NaN(), High: 1}, "finite"},
		{"infinite", study.Distribution{Kind: study.Float, Low: 0, High: math.Inf(1)}, "finite"},
		{"negative step", study.Distribution{Kind: study.Float, Low: 0, High: 1, Step: -1}, "negative"},
		{"log of zero", study.Distribution{Kind: study.Float, Low: 0, High: 1, Log: true}, "above 0"},
		{"log with step", study.Distribution{Kind: study.Float, Low: 1, High: 2, Log: true, Step: 0.1}, "no step"},
		{"half int", study.Distribution{Kind: study.Int, Low: 0.5, High: 1}, "whole"},
		{"half step", study.Distribution{Kind: study.Int, Low: 0, High: 1, Step: 0.5}, "whole"},
		{"huge int", study.Distribution{Kind: study.Int, Low: 0, High: 1e17}, "2^53"},
	} {
		err := test.d.Check()
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%s: got %v, want %q", test.name, err, test.want)
		}
	}
}

func TestCardinality(t *testing.T) {
	for _, test := range []struct {
		d    study.Distribution
		want float64
	}{
		{study.Distribution{Kind: study.Float, Low: 0, High: 1}, math.Inf(1)},
		{study.Distribution{Kind: study.Float, Low: 1, High: 1}, 1},
		{study.Distribution{Kind: study.Float, Low: 0, High: 1, Step: 0.1}, 11}, // 1/0.1 is a little below 10
		{study.Distribution{Kind: study.Float, Low: 0, High: 1, Step: 0.3}, 4},
		{study.Distribution{Kind: study.Int, Low: 1, High: 3}, 3},
		{study.Distribution{Kind: study.Int, Low: 1, High: 10, Step: 4}, 3},
		{study.Distribution{Kind: study.Int, Low: 5, High: 5}, 1},
		{study.Distribution{Kind: study.Categorical, Choices: []any{"a", "b"}}, 2},
	} {
		if got := test.d.Cardinality(); got != test.want {
			t.Errorf("%+v: got %v, want %v", test.d, got, test.want)
		}
		if got := test.d.Single(); got != (test.want == 1) {
			t.Errorf("%+v: Single is %v", test.d, got)
		}
	}
	s := study.Space{
		{Name: "a", Distribution: study.Distribution{Kind: study.Int, Low: 1, High: 3}},
		{Name: "b", Distribution: study.Fixed("x")},
		{Name: "c", Distribution: study.Distribution{Kind: study.Categorical, Choices: []any{"a", "b"}}},
	}
	if got := s.Cardinality(); got != 6 {
		t.Errorf("the space has %v configurations, want 6", got)
	}
	if got := s.Searched(); len(got) != 2 || got[0].Name != "a" || got[1].Name != "c" {
		t.Errorf("searched are %v", got)
	}
}

func TestExternalSnaps(t *testing.T) {
	for _, test := range []struct {
		name string
		d    study.Distribution
		x    float64
		want any
	}{
		{"float", study.Distribution{Kind: study.Float, Low: 0, High: 1}, 0.3, 0.3},
		{"below", study.Distribution{Kind: study.Float, Low: 0, High: 1}, -3, 0.0},
		{"above", study.Distribution{Kind: study.Float, Low: 0, High: 1}, 3, 1.0},
		{"step", study.Distribution{Kind: study.Float, Low: 0.1, High: 0.75, Step: 0.2}, 0.44, 0.1 + 2*0.2},
		{"last step", study.Distribution{Kind: study.Float, Low: 0.1, High: 0.75, Step: 0.2}, 9, 0.7},
		{"int", study.Distribution{Kind: study.Int, Low: 1, High: 3}, 2.6, int64(3)},
		{"int below", study.Distribution{Kind: study.Int, Low: 1, High: 3}, 0.2, int64(1)},
		{"int step", study.Distribution{Kind: study.Int, Low: 2, High: 12, Step: 4}, 7.9, int64(6)},
		{"int last step", study.Distribution{Kind: study.Int, Low: 2, High: 12, Step: 4}, 12, int64(10)},
		{"choice", study.Distribution{Kind: study.Categorical, Choices: []any{"a", "b"}}, 1.2, "b"},
		{"choice above", study.Distribution{Kind: study.Categorical, Choices: []any{"a", "b"}}, 7, "b"},
	} {
		got := test.d.External(test.x)
		if f, ok := test.want.(float64); ok {
			if g, ok := got.(float64); !ok || math.Abs(f-g) > 1e-15 {
				t.Errorf("%s: got %v, want %v", test.name, got, test.want)
			}
		} else if got != test.want {
			t.Errorf("%s: got %#v, want %#v", test.name, got, test.want)
		}
		if x, err := test.d.Internal(got); err != nil || test.d.External(x) != got {
			t.Errorf("%s: %v does not come back: %v, %v", test.name, got, x, err)
		}
	}
}

func TestInternalRefuses(t *testing.T) {
	ints := study.Distribution{Kind: study.Int, Low: 1, High: 3}
	words := study.Distribution{Kind: study.Categorical, Choices: []any{"1", 0.5, []any{int64(8), int64(16)}}}
	for _, test := range []struct {
		d study.Distribution
		v any
	}{
		{ints, "2"},
		{ints, 2.5},
		{ints, int64(0)},
		{ints, int64(4)},
		{ints, nil},
		{ints, math.NaN()},
		{words, int64(1)},
		{words, "0.5"},
		{words, []any{int64(8)}},
		{words, nil},
		{study.Distribution{Kind: study.Int, Low: 2, High: 12, Step: 4}, int64(8)},
		{study.Distribution{Kind: study.Int, Low: 2, High: 12, Step: 4}, int64(12)},
		{study.Distribution{Kind: study.Float, Low: 0, High: 1, Step: 0.25}, 0.3},
		{study.Distribution{Kind: study.Float, Low: 0, High: 1, Step: 0.25}, 0.2500001},
		{study.Distribution{Kind: study.Float, Low: 0.1, High: 0.35, Step: 0.1}, 0.35},
		{study.Distribution{Kind: study.Float, Low: 5, High: 9, Step: 1e-6}, 5.0000005},
	} {
		if x, err := test.d.Internal(test.v); err == nil {
			t.Errorf("%#v was taken for %v", test.v, x)
		}
	}
	// Whatever Go number holds it, a value is itself.
	for _, v := range []any{2, int64(2), 2.0, float32(2), uint64(2)} {
		if x, err := ints.Internal(v); err != nil || x != 2 {
			t.Errorf("%T: %v, %v", v, x, err)
		}
	}
	if x, err := words.Internal([]int{8, 16}); err != nil || x != 2 {
		t.Errorf("a list of ints: %v, %v", x, err)
	}
}

func TestLast(t *testing.T) {
	for _, test := range []struct {
		d    study.Distribution
		want float64
	}{
		{study.Distribution{Kind: study.Float, Low: 0, High: 1}, 1},
		{study.Distribution{Kind: study.Float, Low: 0.1, High: 0.35, Step: 0.1}, 0.3}, // 0.1 + 2*0.1 is more
		{study.Distribution{Kind: study.Float, Low: 0, High: 1, Step: 0.1}, 1},
		{study.Distribution{Kind: study.Float, Low: 0, High: 1, Step: 0.3}, 0.9},
		{study.Distribution{Kind: study.Float, Low: -1, High: 1, Step: 0.15}, 0.95},
		{study.Distribution{Kind: study.Float, Low: 2, High: 2, Step: 0.3}, 2},
		{study.Distribution{Kind: study.Float, Low: 0, High: 1e-7, Step: 3e-9}, 9.9e-8},
		{study.Distribution{Kind: study.Int, Low: 64, High: 512}, 512},
		{study.Distribution{Kind: study.Int, Low: 64, High: 500, Step: 100}, 464},
		{study.Distribution{Kind: study.Int, Low: -5, High: 5, Step: 3}, 4},
		{study.Distribution{Kind: study.Int, Low: -1, High: 1 << 53}, 1 << 53},
		{study.Distribution{Kind: study.Int, Low: -1, High: 1 << 53, Step: 2}, 1<<53 - 1},
	} {
		if got := test.d.Last(); got != test.want {
			t.Errorf("%+v: %v, want %v", test.d, got, test.want)
		}
	}
}

// What is no distribution breaks nothing.
func TestLastOfNone(t *testing.T) {
	odd := []float64{math.NaN(), math.Inf(1), math.Inf(-1), 0, -1, 1e308, 5e-324}
	for _, kind := range []study.Kind{study.Float, study.Int, study.Categorical, ""} {
		for _, low := range odd {
			for _, high := range odd {
				for _, step := range odd {
					d := study.Distribution{Kind: kind, Low: low, High: high, Step: step}
					d.Last()
					d.Internal(1.0) //nolint:errcheck // nor does this
				}
			}
		}
	}
}

// Every value of a grid is a value, as it is counted up and as a person writes it.
func TestGridValues(t *testing.T) {
	for _, d := range []study.Distribution{
		{Kind: study.Float, Low: 0, High: 1, Step: 0.1},
		{Kind: study.Float, Low: 0.1, High: 0.35, Step: 0.1},
		{Kind: study.Float, Low: -3.3, High: 4, Step: 0.7},
		{Kind: study.Float, Low: 0, High: 1, Step: 1.0 / 3},
		{Kind: study.Float, Low: 1e6, High: 1e6 + 1, Step: 1e-3},
		{Kind: study.Float, Low: 0, High: 1e3, Step: 1e-6},
		{Kind: study.Float, Low: 0, High: 1e-12, Step: 1e-15},
		{Kind: study.Int, Low: -7, High: 1 << 40, Step: 1 << 20},
	} {
		n := d.Cardinality()
		for _, i := range []float64{0, 1, 2, math.Floor(n / 3), math.Floor(n / 2), n - 2, n - 1} {
			v := d.External(d.Low + i*d.Step)
			f, err := d.Internal(v)
			if err != nil {
				t.Errorf("%+v: value %v of %v: %v", d, i, n, err)
				continue
			}
			if again := d.External(f); again != v {
				t.Errorf("%+v: %v comes back as %v", d, v, again)
			}
			if d.Kind == study.Int {
				continue
			}
			written, err := strconv.ParseFloat(strconv.FormatFloat(f, 'g', 15, 64), 64)
			if err != nil {
				t.Fatal(err)
			}
			if written > d.High {
				continue
			}
			if _, err := d.Internal(written); err != nil {
				t.Errorf("%+v: value %v of %v as written: %v", d, i, n, err)
			}
		}
	}
}

// What the database keeps as JSON comes back with the same types.
func TestJSON(t *testing.T) {
	s := study.Space{
		{Name: "log", Distribution: study.Distribution{Kind: study.Float, Low: 0.0005, High: 0.001, Log: true}},
		{Name: "mixed", Distribution: study.Distribution{Kind: study.Categorical, Choices: []any{"1", int64(1), 0.5, nil, true, []any{int64(8), 0.5}}}},
	}
	b, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	var back study.Space
	if err := json.Unmarshal(b, &back); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(s, back); d != "" {
		t.Error(d)
	}
	p := study.Params{"a": int64(3), "b": 0.5, "c": "x", "d": nil, "e": false, "f": []any{int64(8), int64(16)}}
	if b, err = json.Marshal(p); err != nil {
		t.Fatal(err)
	}
	var q study.Params
	if err := json.Unmarshal(b, &q); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(p, q); d != "" {
		t.Error(d)
	}
}

func TestSpaceCheck(t *testing.T) {
	s := study.Space{{Name: "batch", Distribution: study.Distribution{Kind: study.Int, Low: 1, High: 3}}}
	for _, test := range []struct {
		p    study.Params
		want string
	}{
		{study.Params{"batch": int64(2)}, ""},
		{study.Params{"batch": 2.0, "other": 1}, ""},
		{study.Params{}, "parameter batch has no value"},
		{study.Params{"batch": int64(9)}, "parameter batch: 9 is outside 1 to 3"},
	} {
		got := ""
		if err := s.Check(test.p); err != nil {
			got = err.Error()
		}
		if got != test.want {
			t.Errorf("%v: got %q, want %q", test.p, got, test.want)
		}
	}
}

func TestFormatValue(t *testing.T) {
	for want, v := range map[string]any{
		"null": nil, "mse": "mse", "true": true, "64": int64(64), "123456789": int64(123456789), "0.0005": 0.0005,
		"0.0006543": 0.00065432109, "1.5e-07": 1.5e-7, "1": 1.0, "[16, 32]": []any{int64(16), int64(32)}, "NaN": math.NaN(),
	} {
		if got := study.FormatValue(v); got != want {
			t.Errorf("%#v: got %q, want %q", v, got, want)
		}
	}
}
