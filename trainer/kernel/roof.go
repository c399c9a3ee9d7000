package kernel

// Roof keeps the core busy with rounds of multiply-adds in registers and nothing else, and returns how many floating-point
// operations that were, multiplication and addition counted as two: what benchmarks hold the speed of all else against.
// Where the processor has no vector code of ours it does nothing and returns 0.
func Roof(rounds int) int {
	if rounds < 1 || !hasVector() {
		return 0
	}
	peakAVX2(rounds)
	return rounds * 8 * 8 * 2 // eight registers of eight lanes
}
