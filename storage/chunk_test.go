package storage

import (
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sweep/study"
)

// bits makes samples comparable: every NaN as its own bits.
func bits(s []sample) [][3]int64 {
	out := make([][3]int64, len(s))
	for i, p := range s {
		out[i] = [3]int64{p.step, int64(math.Float64bits(p.value)), p.time}
	}
	return out
}

func TestChunk(t *testing.T) {
	regular := make([]sample, chunkPoints)
	for i := range regular {
		regular[i] = sample{int64(i + 1), math.Sin(float64(i)), 1_767_000_000_000_000 + int64(i)*250_000}
	}
	odd := []sample{
		{math.MaxInt64, math.NaN(), math.MinInt64},
		{math.MinInt64, math.Inf(1), math.MaxInt64},
		{0, math.Inf(-1), 0},
		{-5, math.Copysign(0, -1), 3},
		{-5, math.Float64frombits(0x7ff8000000000123), 2},
		{7, math.SmallestNonzeroFloat64, 2},
	}
	for name, s := range map[string][]sample{"none": {}, "one": regular[:1], "regular": regular, "odd": odd} {
		body := encodeChunk(s)
		got, err := decodeChunk(body)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if d := cmp.Diff(bits(s), bits(got)); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
		for n := range body {
			if _, err := decodeChunk(body[:n]); err == nil {
				t.Errorf("%s: the first %d of %d bytes were read", name, n, len(body))
			}
		}
		if _, err := decodeChunk(append(body, 0)); err == nil {
			t.Errorf("%s: a byte too many was read", name)
		}
	}
	if n := len(encodeChunk(regular)); n > 11*len(regular) {
		t.Errorf("a regular series takes %d bytes for %d points", n, len(regular))
	}
	low, high := extremes(odd)
	if !math.IsInf(low, -1) || !math.IsInf(high, 1) {
		t.Errorf("extremes %g and %g", low, high)
	}
	if low, high := extremes(odd[:1]); !math.IsNaN(low) || !math.IsNaN(high) {
		t.Errorf("extremes of NaN alone are %g and %g", low, high)
	}
}

func FuzzDecodeChunk(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f})
	f.Add(encodeChunk([]sample{{1, 0.5, 10}, {2, math.NaN(), 20}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := decodeChunk(b)
		if err != nil {
			return
		}
		again, err := decodeChunk(encodeChunk(s))
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(bits(s), bits(again)); d != "" {
			t.Fatal(d)
		}
	})
}

func TestDistributionText(t *testing.T) {
	for _, c := range []struct {
		d    study.Distribution
		text string
	}{
		{study.Distribution{Kind: study.Float, Low: 5e-4, High: 1, Log: true}, `{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0005, "high": 1.0, "log": true}}`},
		{study.Distribution{Kind: study.Float, Low: 0, High: 1e-7, Step: 1e-9}, `{"name": "FloatDistribution", "attributes": {"step": 1e-09, "low": 0.0, "high": 1e-07, "log": false}}`},
		{study.Distribution{Kind: study.Int, Low: -1, High: 1 << 53}, `{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": -1, "high": 9007199254740992}}`},
		{study.Distribution{Kind: study.Int, Low: 32, High: 256, Step: 32}, `{"name": "IntDistribution", "attributes": {"log": false, "step": 32, "low": 32, "high": 256}}`},
		{study.Distribution{Kind: study.Categorical, Choices: []any{"a\"b", int64(1), 0.5, true, nil}}, `{"name": "CategoricalDistribution", "attributes": {"choices": ["a\"b", 1, 0.5, true, null]}}`},
	} {
		text, err := encodeDistribution(c.d)
		if err != nil {
			t.Fatal(err)
		}
		if text != c.text {
			t.Errorf("text is\n%s, want\n%s", text, c.text)
		}
		got, err := decodeDistribution(text)
		if err != nil {
			t.Fatal(err)
		}
		if c.d.Kind == study.Int && c.d.Step == 0 {
			c.d.Step = 1
		}
		if d := cmp.Diff(c.d, got); d != "" {
			t.Errorf("%s came back as (-want +got):\n%s", text, d)
		}
	}
	for _, c := range []struct {
		d    study.Distribution
		text string
	}{
		{study.Distribution{Kind: study.Float, Low: 0.1, High: 0.35, Step: 0.1}, `{"name": "FloatDistribution", "attributes": {"step": 0.1, "low": 0.1, "high": 0.3, "log": false}}`},
		{study.Distribution{Kind: study.Int, Low: 64, High: 500, Step: 100}, `{"name": "IntDistribution", "attributes": {"log": false, "step": 100, "low": 64, "high": 464}}`},
	} {
		text, err := encodeDistribution(c.d)
		if err != nil || text != c.text {
			t.Errorf("a range that its steps do not fill is\n%s (%v), want\n%s", text, err, c.text)
		}
		codec, err := newCodec(study.Space{{Name: "x", Distribution: c.d}})
		if err != nil {
			t.Fatal(err)
		}
		// So did an earlier version write them.
		old := strings.Replace(strings.Replace(text, "0.3,", "0.35,", 1), "464", "500", 1)
		for _, text := range []string{text, old} {
			if want, got := c.d.External(c.d.Last()), codec.value("x", text, c.d.Last()); got != want {
				t.Errorf("%s: the last value is read as %v, want %v", text, got, want)
			}
		}
	}
	list := study.Fixed([]any{int64(16), int64(32)})
	if text, err := encodeDistribution(list); err != nil || text != `{"name": "CategoricalDistribution", "attributes": {"choices": ["[16,32]"]}}` {
		t.Errorf("a list is %s (%v)", text, err)
	}
	c, err := newCodec(study.Space{{Name: "filters", Distribution: list}})
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []struct {
		name, text string
		internal   float64
		want       any
	}{
		{"filters", `{"name": "CategoricalDistribution", "attributes": {"choices": ["[16,32]"]}}`, 0, []any{int64(16), int64(32)}},
		{"other", `{"name": "CategoricalDistribution", "attributes": {"choices": ["[16,32]"]}}`, 0, "[16,32]"},
		{"filters", `{"name": "UniformDistribution", "attributes": {"low": 0.0, "high": 2.0}}`, 1.5, 1.5},
		{"filters", `{"name": "IntLogUniformDistribution", "attributes": {"low": 1, "high": 9}}`, 3, int64(3)},
		{"filters", `{"name": "DiscreteUniformDistribution", "attributes": {"low": 0.0, "high": 2.0, "q": 0.5}}`, 1.5, 1.5},
		{"filters", `{"name": "CategoricalDistribution", "attributes": {"choices": [NaN]}}`, 0, 0.0},
		{"filters", `{"name": "CategoricalDistribution", "attributes": {"choices": []}}`, 0, 0.0},
		{"filters", `{"name": "SomethingNew", "attributes": {}}`, 2, 2.0},
	} {
		if d := cmp.Diff(v.want, c.value(v.name, v.text, v.internal)); d != "" {
			t.Errorf("%s of %s (-want +got):\n%s", v.name, v.text, d)
		}
	}
}
