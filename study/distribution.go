package study

import (
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"reflect"
	"strconv"
	"strings"
)

// Kind tells what the values of a [Distribution] are.
type Kind string

// The three kinds of distribution, Optuna's since its version 3.
const (
	Float       Kind = "float"
	Int         Kind = "int"
	Categorical Kind = "categorical"
)

// Distribution is where the value of a parameter comes from.
//
// A Float draws from [Low, High], evenly in the logarithm when Log is set, on the grid Low + i·Step when Step is not 0.
// An Int draws from the whole numbers Low, Low+Step, … ≤ High (both ends included; Step is at least 1 after
// [Distribution.Check]). A Categorical draws one of Choices; a choice is a string, a bool, an int64, a float64, nil, or
// a list of those (a list such as the filters of a network can only be one of the choices, never be searched inside).
type Distribution struct {
	Kind    Kind    `json:"kind"`
	Low     float64 `json:"low,omitempty"`
	High    float64 `json:"high,omitempty"`
	Log     bool    `json:"log,omitempty"`
	Step    float64 `json:"step,omitempty"`
	Choices []any   `json:"choices,omitempty"`
}

// Fixed returns the distribution that has the single value v.
func Fixed(v any) Distribution { return Distribution{Kind: Categorical, Choices: []any{v}} }

// Check reports the first thing that makes d no distribution, in words for the person who wrote it.
func (d Distribution) Check() error {
	switch d.Kind {
	case Categorical:
		if len(d.Choices) == 0 {
			return fmt.Errorf("there is no value to choose from")
		}
		for i, c := range d.Choices {
			for _, o := range d.Choices[:i] {
				if reflect.DeepEqual(c, o) {
					return fmt.Errorf("the value %s is listed twice", FormatValue(c))
				}
			}
		}
		return nil
	case Float, Int:
	default:
		return fmt.Errorf("kind %q is not one of float, int, categorical", d.Kind)
	}
	for _, v := range []float64{d.Low, d.High, d.Step} {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return fmt.Errorf("a bound or step is not a finite number")
		}
	}
	switch {
	case d.Low > d.High:
		return fmt.Errorf("min %s is above max %s", FormatValue(d.Low), FormatValue(d.High))
	case d.Step < 0:
		return fmt.Errorf("the step %s is negative", FormatValue(d.Step))
	case d.Log && d.Low <= 0:
		return fmt.Errorf("a logarithmic range starts above 0, not at %s", FormatValue(d.Low))
	case d.Log && d.Kind == Float && d.Step != 0:
		return fmt.Errorf("a logarithmic range has no step")
	case d.Kind == Int && (d.Low != math.Trunc(d.Low) || d.High != math.Trunc(d.High) || d.Step != math.Trunc(d.Step)):
		return fmt.Errorf("a range of whole numbers has whole bounds and a whole step")
	case d.Kind == Int && math.Max(math.Abs(d.Low), math.Abs(d.High)) > 1<<53:
		return fmt.Errorf("a bound beyond ±2^53 cannot be kept exactly")
	}
	return nil
}

// Single reports whether d has exactly one value.
func (d Distribution) Single() bool { return d.Cardinality() == 1 }

// Cardinality is the number of distinct values, +Inf for a continuous range.
func (d Distribution) Cardinality() float64 {
	switch {
	case d.Kind == Categorical:
		return float64(len(d.Choices))
	case d.Kind == Int:
		return math.Floor((d.High-d.Low)/math.Max(d.Step, 1)) + 1
	case d.Low == d.High:
		return 1
	case d.Step > 0:
		return math.Floor((d.High-d.Low)/d.Step+1e-9) + 1
	}
	return math.Inf(1)
}

// Last is the greatest value of a range: High, or where a step does not lead there the last value before it. On a grid of
// fractions it is counted in decimals, as they are written, so that 0.1 and two steps of 0.1 are 0.3 and not a hair more;
// where a step ends at High but for rounding, Last may be that hair above it.
func (d Distribution) Last() float64 {
	switch {
	case d.Kind == Int: // the width of a range within ±2^53 is no exact float64
		return d.High - float64((int64(d.High)-int64(d.Low))%int64(math.Max(d.Step, 1)))
	case d.Kind != Float || d.Step <= 0 || d.Low == d.High:
		return d.High
	}
	low, ok := decimal(d.Low)
	step, good := decimal(d.Step)
	n := new(big.Rat).SetFloat64(d.Cardinality() - 1)
	if !ok || !good || n == nil { // a bound is no finite number: see Check
		return d.High
	}
	last, _ := low.Add(low, step.Mul(step, n)).Float64()
	return last
}

// decimal is exactly the number that v is written as.
func decimal(v float64) (*big.Rat, bool) {
	return new(big.Rat).SetString(strconv.FormatFloat(v, 'g', -1, 64))
}

// offGrid is how far, in steps, a value of a stepped range may be from the grid: as far as Optuna lets it be. Low + i·Step
// is rounded twice, and so is a decimal that a person writes for it.
const offGrid = 1e-8

// onGrid reports whether f is one of Low, Low+Step, …
func (d Distribution) onGrid(f float64) bool {
	switch {
	case d.Kind == Int:
		return (int64(f)-int64(d.Low))%int64(math.Max(d.Step, 1)) == 0
	case d.Step <= 0 || f == d.Low:
		return true
	}
	// Far from Low the rounding of f itself is more than that: some units in the last place of the largest number.
	tolerance := offGrid + 4*0x1p-52*math.Max(math.Abs(f), math.Abs(d.Low))/d.Step
	i := (f - d.Low) / d.Step
	return math.Abs(i-math.Round(i)) <= tolerance
}

// Internal gives the number that stands for v in Optuna's tables and in a sampler: the value itself for numbers, the
// index of the choice for a Categorical. It fails when v is not a value of d.
func (d Distribution) Internal(v any) (float64, error) {
	if d.Kind == Categorical {
		v = normal(v)
		for i, c := range d.Choices {
			if reflect.DeepEqual(normal(c), v) {
				return float64(i), nil
			}
		}
		return 0, fmt.Errorf("%s is not one of %s", FormatValue(v), FormatValue(d.Choices))
	}
	f, ok := number(v)
	switch {
	case !ok:
		return 0, fmt.Errorf("%s is not a number", FormatValue(v))
	case d.Kind == Int && f != math.Trunc(f):
		return 0, fmt.Errorf("%s is not a whole number", FormatValue(v))
	case f < d.Low || f > d.High || math.IsNaN(f):
		return 0, fmt.Errorf("%s is outside %s to %s", FormatValue(v), FormatValue(d.Low), FormatValue(d.High))
	case !d.onGrid(f):
		return 0, fmt.Errorf("%s is none of the steps of %s from %s", FormatValue(v), FormatValue(d.Step), FormatValue(d.Low))
	}
	return f, nil
}

// External is the inverse of [Distribution.Internal]: a float64 for a Float, an int64 for an Int, the choice for a
// Categorical. It snaps x to the nearest value of d, so that a sampler may hand over any real number.
func (d Distribution) External(x float64) any {
	switch d.Kind {
	case Categorical:
		i := int(math.Round(x))
		return d.Choices[min(max(i, 0), len(d.Choices)-1)]
	case Int:
		step := math.Max(d.Step, 1)
		return int64(min(max(d.Low+math.Round((x-d.Low)/step)*step, d.Low), d.Last()))
	}
	if d.Step > 0 {
		i := min(max(math.Round((x-d.Low)/d.Step), 0), d.Cardinality()-1)
		x = d.Low + i*d.Step
		if i == d.Cardinality()-1 {
			x = d.Last()
		}
	}
	return min(max(x, d.Low), d.High)
}

// UnmarshalJSON reads d and turns the choices that are whole numbers back into int64, which JSON does not keep apart.
func (d *Distribution) UnmarshalJSON(b []byte) error {
	type plain Distribution
	if err := json.Unmarshal(b, (*plain)(d)); err != nil {
		return err
	}
	for i := range d.Choices {
		d.Choices[i] = normal(d.Choices[i])
	}
	return nil
}

// Dimension is one named axis of a [Space].
type Dimension struct {
	Name         string       `json:"name"`
	Distribution Distribution `json:"distribution"`
}

// Space is what a study searches, in the order of its file. Fixed parameters are dimensions with a single value.
type Space []Dimension

// Lookup finds the dimension called name.
func (s Space) Lookup(name string) (Dimension, bool) {
	for _, d := range s {
		if d.Name == name {
			return d, true
		}
	}
	return Dimension{}, false
}

// Searched returns the dimensions with more than one value, in order.
func (s Space) Searched() Space {
	var out Space
	for _, d := range s {
		if !d.Distribution.Single() {
			out = append(out, d)
		}
	}
	return out
}

// Cardinality is the number of distinct configurations, +Inf when one dimension is continuous.
func (s Space) Cardinality() float64 {
	n := 1.0
	for _, d := range s {
		n *= d.Distribution.Cardinality()
	}
	return n
}

// Params are the values of one trial by the names of the space's dimensions: float64, int64, string, bool, nil, or a
// list of those.
type Params map[string]any

// Check reports the first parameter of s that p lacks or that is outside its distribution.
func (s Space) Check(p Params) error {
	for _, d := range s {
		v, ok := p[d.Name]
		if !ok {
			return fmt.Errorf("parameter %s has no value", d.Name)
		}
		if _, err := d.Distribution.Internal(v); err != nil {
			return fmt.Errorf("parameter %s: %w", d.Name, err)
		}
	}
	return nil
}

// UnmarshalJSON reads p and turns whole numbers back into int64.
func (p *Params) UnmarshalJSON(b []byte) error {
	var m map[string]any
	if err := json.Unmarshal(b, &m); err != nil {
		return err
	}
	for k := range m {
		m[k] = normal(m[k])
	}
	*p = m
	return nil
}

// normal maps every Go number to int64 when it is whole and small enough to be exact, else to float64. (A Float
// parameter whose value is whole comes back as int64; readers go through [Distribution.Internal] or [AsFloat].)
func normal(v any) any {
	switch t := v.(type) {
	case []any:
		out := make([]any, len(t))
		for i := range t {
			out[i] = normal(t[i])
		}
		return out
	case []int:
		out := make([]any, len(t))
		for i := range t {
			out[i] = int64(t[i])
		}
		return out
	}
	f, ok := number(v)
	switch {
	case !ok:
		return v
	case f == math.Trunc(f) && math.Abs(f) <= 1<<53:
		return int64(f)
	}
	return f
}

func number(v any) (float64, bool) {
	switch t := v.(type) {
	case float64:
		return t, true
	case float32:
		return float64(t), true
	case int64:
		return float64(t), true
	case uint64:
		return float64(t), true
	case int:
		return float64(t), true
	}
	return 0, false
}

// AsFloat returns v as a float64 when it is a number.
func AsFloat(v any) (float64, bool) { return number(v) }

// FormatValue prints a parameter value for people: four significant digits never lose a whole number, lists in brackets.
func FormatValue(v any) string {
	switch t := v.(type) {
	case nil:
		return "null"
	case string:
		return t
	case []any:
		parts := make([]string, len(t))
		for i := range t {
			parts[i] = FormatValue(t[i])
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case float64:
		if t == math.Trunc(t) && math.Abs(t) < 1e6 {
			return strconv.FormatFloat(t, 'f', -1, 64)
		}
		return strconv.FormatFloat(t, 'g', 4, 64)
	}
	return fmt.Sprint(v)
}
