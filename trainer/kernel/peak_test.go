package kernel

import "testing"

// BenchmarkPeak is the roof of the other benchmarks: multiply-adds in registers alone, and then the tile on data that
// never leaves the first-level cache.
func BenchmarkPeak(b *testing.B) {
	if !hasVector() {
		b.Skip("no vector code on this processor")
	}
	b.Run("fma", func(b *testing.B) {
		flop := 0
		for b.Loop() {
			flop = Roof(1 << 16)
		}
		b.ReportMetric(float64(flop)*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
	})
	b.Run("tile", func(b *testing.B) {
		const k, tiles = 288, 16
		p := &panel{
			a: make([]float32, k+4*tiles*32), b: make([]float32, 16*k), c: make([]float32, tiles*64), cols: 16,
			tiles: tiles, nextA: 128, nextC: 64, outer: 1, inner: k, innerA: 1, innerB: 16, outerB: 16 * k,
		}
		p.rows(4, 32, 16)
		for b.Loop() {
			p.check()
			tileAVX2(p)
		}
		b.ReportMetric(tiles*k*64*2*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
	})
}
