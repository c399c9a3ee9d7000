package kernel

import "math"

// Log is the natural logarithm, within 1 unit in the last place (Cephes' logf); -Inf at 0, NaN below. As the functions of
// math.go it gives the same bits on every machine.
func Log(x float32) float32 {
	switch {
	case x != x || x > math.MaxFloat32:
		return x
	case x < 0:
		return float32(math.NaN())
	case x == 0:
		return float32(math.Inf(-1))
	}
	e := int32(0)
	if x < 0x1p-126 { // denormal: the product is exact
		x, e = float32(x*0x1p23), -23
	}
	// x = 2^e·(1+f) with 1+f from √½ to √2.
	b := math.Float32bits(x)
	e += int32(b>>23) - 126
	f := math.Float32frombits(b&(1<<23-1) | 126<<23) // ½ … 1
	if f < 0.707106781186547524 {
		e--
		f = f + f - 1
	} else {
		f--
	}
	z := float32(f * f)
	p := float32(7.0376836292e-2)
	p = float32(p*f) - 1.1514610310e-1
	p = float32(p*f) + 1.1676998740e-1
	p = float32(p*f) - 1.2420140846e-1
	p = float32(p*f) + 1.4249322787e-1
	p = float32(p*f) - 1.6668057665e-1
	p = float32(p*f) + 2.0000714765e-1
	p = float32(p*f) - 2.4999993993e-1
	p = float32(p*f) + 3.3333331174e-1
	y := float32(float32(p*f) * z)
	n := float32(e)
	y += float32(n * ln2Lo)
	y -= float32(0.5 * z)
	return f + y + float32(n*ln2Hi)
}
