package kernel

//lint:file-ignore U1000 only the assembly reads these, the offsets through go_asm.h

import "math"

// geluTable holds the constants of Exp and of normalTail as the assembly reads them: each eight times, so that it is an
// operand as it lies there.
var geluTable = eightfold(
	log2e, 12582912, ln2Hi, ln2Lo,
	1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1,
	1, expMin, math.Float32frombits(1<<31-1), tailScale, -0.5, invSqrt2Pi,
	tailTerms[8], tailTerms[7], tailTerms[6], tailTerms[5], tailTerms[4], tailTerms[3], tailTerms[2], tailTerms[1], tailTerms[0],
)

func eightfold(x ...float32) (t [8 * 25]float32) {
	for i := range t {
		t[i] = x[i/8]
	}
	return t
}

// Where each of geluTable lies, in bytes.
const (
	geluLog2e = 32 * iota
	geluMagic
	geluLn2Hi
	geluLn2Lo
	geluExp0
	geluExp1
	geluExp2
	geluExp3
	geluExp4
	geluExp5
	geluOne
	geluLow
	geluAbs
	geluScale
	geluHalf
	geluInvSqrt2Pi
	gelu8
	gelu7
	gelu6
	gelu5
	gelu4
	gelu3
	gelu2
	gelu1
	gelu0
)
