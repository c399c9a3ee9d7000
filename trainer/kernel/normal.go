package kernel

import "math"

// Normal turns 32 random bits into a number of the standard normal law, within ±6.34: the inverse of its distribution
// function at (u+½)/2³², by algorithm AS 241 in its single precision form PPND7 (Wichura, "The percentage points of the
// normal distribution", Applied Statistics 37(3), 1988), within 1.5e-6 of it. The two halves of the bits' range give the
// same numbers with opposite signs. As the functions of math.go it gives the same bits on every machine.
func Normal(u uint32) float32 {
	// v counts from the middle of the range outwards; the sign is u's upper half.
	v := u
	if u >= 1<<31 {
		v -= 1 << 31
	} else {
		v = 1<<31 - 1 - u
	}
	const unit = 1.0 / (1 << 32)
	var x float32
	if v <= central {
		q := (float32(v) + 0.5) * unit
		r := 0.180625 - float32(q*q)
		p := float32(59.109374720) // A3
		p = float32(p*r) + 159.29113202
		p = float32(p*r) + 50.434271938
		p = float32(p*r) + 3.3871327179
		d := float32(67.187563600) // B3
		d = float32(d*r) + 78.757757664
		d = float32(d*r) + 17.895169469
		d = float32(d*r) + 1
		x = float32(q*p) / d
	} else {
		// The distance from the end of the range is counted by itself, so that it keeps all its digits.
		r := float32(math.Sqrt(float64(-Log((float32(1<<31-1-v)+0.5)*unit)))) - 1.6
		p := float32(0.17023821103) // C3
		p = float32(p*r) + 1.3067284816
		p = float32(p*r) + 2.7568153900
		p = float32(p*r) + 1.4234372777
		d := float32(0.12021132975) // D2
		d = float32(d*r) + 0.73700164250
		d = float32(d*r) + 1
		x = p / d
	}
	if u < 1<<31 {
		return -x
	}
	return x
}

// central is how far from the middle, in units of 2⁻³², the central approximation serves: a probability of 0.425.
const central = 1825361100
