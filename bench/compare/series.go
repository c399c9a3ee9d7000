package main

import (
	"fmt"
	"slices"
)

// median of a series that is not empty.
func median(x []float64) float64 {
	s := slices.Sorted(slices.Values(x))
	n := len(s)
	return (s[(n-1)/2] + s[n/2]) / 2
}

// over is a/b, round by round.
func over(a, b []float64) []float64 {
	out := make([]float64, len(a))
	for i := range a {
		out[i] = a[i] / b[i]
	}
	return out
}

// times is factor·x.
func times(factor float64, x []float64) []float64 {
	out := make([]float64, len(x))
	for i, v := range x {
		out[i] = factor * v
	}
	return out
}

// told is a series as a table has it: its median, and its range in brackets.
func told(format string, x []float64) string {
	return fmt.Sprintf(format+" ("+format+"–"+format+")", median(x), slices.Min(x), slices.Max(x))
}
