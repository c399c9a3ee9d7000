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

// The share of the normal distribution beyond x ≥ 0 is exp(-x²/2)·t·P(t) with t = 1/(1 + 0.35·x): a weighted least squares
// fit over 0 … 14.5 (relative error 3.2e-8), in the form of Hastings (Abramowitz and Stegun 7.1.26), of degree 8.
const (
	tailScale  = 0.35
	invSqrt2Pi = 0.398942280401433
)

var tailTerms = [9]float32{
	1.3962130640e-01, 1.3986352435e-01, 1.1982121387e-01, 1.0555283203e-01, -2.3213223208e-02,
	1.5932108648e-01, -2.5584032683e-01, 1.4403160610e-01, -2.9158035151e-02,
}

// normalTail is the share of the normal distribution beyond |x|, within 6e-7 of itself for |x| up to 4 (6e-6 where it is
// not denormal), and exp(-x²/2).
func normalTail(x float32) (tail, e float32) {
	if x < 0 {
		x = -x
	}
	e = Exp(float32(float32(x*x) * -0.5))
	t := 1 / (1 + float32(tailScale*x))
	p := tailTerms[8]
	p = float32(p*t) + tailTerms[7]
	p = float32(p*t) + tailTerms[6]
	p = float32(p*t) + tailTerms[5]
	p = float32(p*t) + tailTerms[4]
	p = float32(p*t) + tailTerms[3]
	p = float32(p*t) + tailTerms[2]
	p = float32(p*t) + tailTerms[1]
	p = float32(p*t) + tailTerms[0]
	return float32(float32(p*t) * e), e
}

// GELUOf is x·Φ(x), within 2.5e-7 of the larger of 1 and its size. Of -Inf it is NaN, as a product of 0 and infinity.
func GELUOf(x float32) float32 {
	tail, _ := normalTail(x)
	if !(x < 0) {
		tail = 1 - tail
	}
	return float32(x * tail)
}

// geluSlope is the derivative of GELUOf at x, Φ(x) + x·φ(x).
func geluSlope(x float32) float32 {
	tail, e := normalTail(x)
	if !(x < 0) {
		tail = 1 - tail
	}
	return tail + float32(float32(x*e)*invSqrt2Pi)
}

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
	case GELU:
		return GELUOf(x)
	}
	return x
}

// slope is the derivative of act where its output is y, or where its input is, if it KeepsInput.
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
	case GELU:
		return geluSlope(y)
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
