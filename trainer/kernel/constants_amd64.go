package kernel

//lint:file-ignore U1000 only the assembly reads these, the offsets through go_asm.h

import "math"

// expTable holds the constants below as the assembly reads them, at four times their number.
var expTable = [...]float32{
	expMax, expMin, log2e, 12582912, ln2Hi, ln2Lo,
	1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1,
	1, float32(math.Inf(1)), float32(math.Copysign(0, -1)),
	-5.70498872745e-3, 2.06390887954e-2, -5.37397155531e-2, 1.33314422036e-1, -3.33332819422e-1, 0.625,
	255, ssimShift, ssimC1, ssimC2,
}

// Where each of expTable lies, in bytes.
const (
	expHigh = 4 * iota
	expLow
	expLog2e
	expMagic
	expLn2Hi
	expLn2Lo
	expC0
	expC1
	expC2
	expC3
	expC4
	expC5
	expOne
	expInf
	expSign
	tanhC0
	tanhC1
	tanhC2
	tanhC3
	tanhC4
	tanhSmall
	byteMax
	halfAt
	ssimC1At
	ssimC2At
)

// leakySlope is LeakySlope as the assembly reads it.
var leakySlope float32 = LeakySlope
