package kernel

import "math"

// The functions below use float32 additions, multiplications and divisions only, each product rounded by itself, so
// that they give the same bits on every machine: no libm, no fused multiply-add. Polynomials are those of Cephes
// (Moshier, single precision).

const (
	log2e  = 1.44269504088896341
	ln2Hi  = 0.693359375
	ln2Lo  = -2.12194440e-4
	expMax = 88.7228394 // above it exp overflows
	expMin = -103.97208 // below it exp rounds to 0
)

// Exp is e to the x, within 2 units in the last place (relative 2.4e-7); +Inf above 88.72; for results under 1.2e-38
// (denormal) the error is at most 1e-44 more.
func Exp(x float32) float32 {
	switch {
	case x != x:
		return x
	case x > expMax:
		return float32(math.Inf(1))
	case x < expMin:
		return 0
	}
	// x = n·ln 2 + r with |r| at most ln(2)/2. Adding and taking away 1.5·2²³ rounds to the nearest integer.
	const magic = 12582912
	n := float32(float32(float32(x*log2e)+magic) - magic)
	r := x - float32(n*ln2Hi)
	r -= float32(n * ln2Lo)
	p := float32(1.9875691500e-4)
	p = float32(p*r) + 1.3981999507e-3
	p = float32(p*r) + 8.3334519073e-3
	p = float32(p*r) + 4.1665795894e-2
	p = float32(p*r) + 1.6666665459e-1
	p = float32(p*r) + 5.0000001201e-1
	p = float32(float32(p*r)*r) + r
	p++
	// 2^n in two factors, so that neither overflows and a denormal result is rounded once.
	i := int32(n)
	half := i >> 1
	return float32(p*pow2(half)) * pow2(i-half)
}

func pow2(n int32) float32 { return math.Float32frombits(uint32(n+127) << 23) }

// TanhOf is the hyperbolic tangent, within 3 units in the last place.
func TanhOf(x float32) float32 {
	a := x
	if a < 0 {
		a = -a
	}
	if a < 0.625 || x != x {
		z := float32(x * x)
		p := float32(-5.70498872745e-3)
		p = float32(p*z) + 2.06390887954e-2
		p = float32(p*z) - 5.37397155531e-2
		p = float32(p*z) + 1.33314422036e-1
		p = float32(p*z) - 3.33332819422e-1
		return float32(float32(p*z)*x) + x
	}
	t := 1 - 2/(Exp(2*a)+1)
	if x < 0 {
		return -t
	}
	return t
}

// SigmoidOf is 1/(1+exp(-x)), within 4 units in the last place where the result is not denormal.
func SigmoidOf(x float32) float32 { return 1 / (1 + Exp(-x)) }

// activate is act(x).
func activate(act Activation, x float32) float32 {
	switch act {
	case ReLU:
		if 0 > x {
			return 0
		}
	case LeakyReLU:
		if 0 > x {
			return float32(LeakySlope * x)
		}
	case Tanh:
		return TanhOf(x)
	case Sigmoid:
		return SigmoidOf(x)
	}
	return x
}

// slope is the derivative of act where its output is y.
func slope(act Activation, y float32) float32 {
	switch act {
	case ReLU:
		if !(y > 0) {
			return 0
		}
	case LeakyReLU:
		if !(y > 0) {
			return LeakySlope
		}
	case Tanh:
		return 1 - float32(y*y)
	case Sigmoid:
		return float32(y * (1 - y))
	}
	return 1
}

// powInt is x to the n by squaring, the same bits everywhere.
func powInt(x float64, n int64) float64 {
	y := 1.0
	for ; n > 0; n >>= 1 {
		if n&1 == 1 {
			y = float64(y * x)
		}
		x = float64(x * x)
	}
	return y
}
