package main

import (
	"io"
	"math"
	"testing"

	"sweep/trainer/kernel"
)

func TestRounding(t *testing.T) {
	inf := float32(math.Inf(1))
	for _, tt := range []struct {
		name     string
		round    func(float32) float32
		in, want float32
	}{
		{"tf32 keeps 11 bits", tf32, 1 + 1.0/1024, 1 + 1.0/1024},
		{"tf32, a tie goes away from zero", tf32, 1 + 1.0/2048, 1 + 1.0/1024},
		{"tf32, a negative tie too", tf32, -1 - 1.0/2048, -1 - 1.0/1024},
		{"tf32, below a tie", tf32, 1 + 1.0/4096, 1},
		{"tf32 of infinity", tf32, inf, inf},
		{"bf16 keeps 8 bits", bf16, 1 + 1.0/128, 1 + 1.0/128},
		{"bf16, a tie to the even one below", bf16, 1 + 1.0/256, 1},
		{"bf16, a tie to the even one above", bf16, 1 + 3.0/256, 1 + 2.0/128},
		{"bf16 of infinity", bf16, -inf, -inf},
	} {
		if got := tt.round(tt.in); got != tt.want {
			t.Errorf("%s: %v became %v, want %v", tt.name, tt.in, got, tt.want)
		}
	}
	nan := float32(math.NaN())
	if tf32(nan) == tf32(nan) || bf16(nan) == bf16(nan) {
		t.Error("NaN became a number")
	}
}

// The factors of a product are rounded, the arrays that they come from are not; in bf16 the result is.
func TestRoundedDense(t *testing.T) {
	const fine = 1 + 1.0/65536
	for _, tt := range []struct {
		precision string
		want      float32
	}{
		{"fp32", fine*fine + fine},
		{"tf32", 1 + fine}, // the bias is no factor
		{"bf16", 2},
	} {
		x, w, b, dst := []float32{fine}, []float32{fine}, []float32{fine}, make([]float32, 1)
		if tt.precision == "bf16" {
			x[0] = 1 // a value: rounded when it was written
		}
		k := newRounded(kernel.Best(), tt.precision)
		k.Dense(&kernel.Workspace{}, dst, x, w, b, 1, 1, 1, kernel.Identity)
		if math.Abs(float64(dst[0]-tt.want)) > 2e-7 {
			t.Errorf("%s: %v, want %v", tt.precision, dst[0], tt.want)
		}
		if w[0] != fine {
			t.Errorf("%s: the weight itself became %v", tt.precision, w[0])
		}
	}
}

func TestRun(t *testing.T) {
	if err := run([]string{"-images", "4", "-validation", "2", "-epochs", "1", "-seeds", "1", "-batch", "2"}, io.Discard); err != nil {
		t.Error(err)
	}
}
