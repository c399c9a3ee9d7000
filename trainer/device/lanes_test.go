//go:build gpu && linux && amd64

package device_test

import (
	"math"
	"testing"

	"sweep/trainer/device/devicetest"
)

// bits are words as floats, which upload leaves as they are: none is NaN.
func bits(values []uint32) []float32 {
	out := make([]float32, len(values))
	for i, v := range values {
		out[i] = math.Float32frombits(v)
	}
	return out
}

// The stand-in's ldmatrix gives each lane what the PTX ISA says, in "Warp-level matrix load instruction: ldmatrix": thread
// 8·i + r has the address of row r of matrix i; a group of four threads gets a row, two elements each, of matrix i in register
// i; with .trans the matrix is read as column-major.
func TestLdmatrix(t *testing.T) {
	for kernel, trans := range map[string]bool{"probe_ldmatrix_fp32": false, "probe_ldmatrix_trans_fp32": true} {
		b := newBench(t, devicetest.Open(t, "cuda:0"))
		element := func(matrix, row, column int) uint32 { return uint32(64*matrix + 8*row + column + 1) }
		rows := make([]uint32, 32*4)
		for i := range 32 * 8 {
			rows[i/2] |= element(i/64, i/8%8, i%8) << (i % 2 * 16)
		}
		out := b.alloc(4 * 128)
		b.must(b.launch(kernel, out, b.upload(bits(rows)...), 128, 1, 32))
		for at, v := range b.download(out, 128) {
			lane, matrix := at/4, at%4
			row, column := lane/4, lane%4*2
			want := element(matrix, row, column) | element(matrix, row, column+1)<<16
			if trans {
				want = element(matrix, column, row) | element(matrix, column+1, row)<<16
			}
			if got := math.Float32bits(v); got != want {
				t.Fatalf("%s: register %d of lane %d is %#x, want %#x", kernel, matrix, lane, got, want)
			}
		}
	}
}

// The stand-in's mma multiplies matrices whose elements lie where the PTX ISA says, in "Matrix Fragments for mma.m16n8k8" of
// .tf32 and in "Matrix Fragments for mma.m16n8k16 with floating point type" of .bf16.
func TestMMA(t *testing.T) {
	type place struct{ row, column int }
	for _, c := range []struct {
		kernel  string
		k, each int                              // each: elements of a register, low to high
		a, b    func(i, group, thread int) place // of element i
	}{
		{"probe_mma_tf32", 8, 1, func(i, group, thread int) place {
			p := place{group, thread}
			if i == 1 || i == 3 {
				p.row = group + 8
			}
			if i >= 2 {
				p.column = thread + 4
			}
			return p
		}, func(i, group, thread int) place {
			return place{[]int{thread, thread + 4}[i], group}
		}},
		{"probe_mma_bf16", 16, 2, func(i, group, thread int) place {
			p := place{group + 8, thread*2 + i&1}
			if i < 2 || 4 <= i && i < 6 {
				p.row = group
			}
			if i >= 4 {
				p.column += 8
			}
			return p
		}, func(i, group, thread int) place {
			p := place{thread*2 + i&1, group}
			if i >= 2 {
				p.row += 8
			}
			return p
		}},
	} {
		b := newBench(t, devicetest.Open(t, "cuda:0"))
		// Small integers, all products of which add up exactly, and none of whose rows or columns are alike.
		number := func(p place) float32 { return float32((p.row*7+p.column*3+p.row*p.column)%23 - 11) }
		registers := make([]uint32, 32*6)
		for lane := range 32 {
			put := func(register, i int, v float32) {
				w := math.Float32bits(v)
				if c.each == 2 {
					w = w >> 16 << (i % 2 * 16)
				}
				registers[6*lane+register+i/c.each] |= w
			}
			for i := range 4 * c.each {
				put(0, i, number(c.a(i, lane/4, lane%4)))
			}
			for i := range 2 * c.each {
				put(4, i, number(c.b(i, lane/4, lane%4)))
			}
		}
		out := b.alloc(4 * 128)
		b.must(b.launch(c.kernel, out, b.upload(bits(registers)...), 128, 1, 32))
		for at, got := range b.download(out, 128) {
			lane, i := at/4, at%4
			row, column := lane/4, lane%4*2+i&1
			if i >= 2 {
				row += 8
			}
			want := float32(1) // what was there before
			for k := range c.k {
				want += number(place{row, k}) * number(place{k, column})
			}
			if got != want {
				t.Fatalf("%s: element %d of lane %d, C(%d, %d), is %g, want %g", c.kernel, i, lane, row, column, got, want)
			}
		}
	}
}
