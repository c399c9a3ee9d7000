//go:build gpu && linux && amd64

package device_test

import (
	"encoding/binary"
	"math"
	"strings"
	"testing"
	"unsafe"

	"sweep/trainer/device"
	"sweep/trainer/device/devicetest"
)

// ptx names kernels, as a module does; the stand-in driver reads no more of it.
func ptx(names ...string) []byte {
	var b strings.Builder
	b.WriteString(".version 7.0\n.target sm_80\n.address_size 64\n")
	for _, n := range names {
		b.WriteString(".visible .entry " + n + "(.param .u64 t) { ret; }\n")
	}
	return []byte(b.String())
}

// bench is a device with a stream, and arrays of floats that the kernels of probe.cu work on.
type bench struct {
	t   *testing.T
	gpu device.GPU
	s   device.Stream
}

func newBench(t *testing.T, g device.GPU) *bench {
	t.Helper()
	s, err := g.Stream()
	if err != nil {
		t.Fatal(err)
	}
	return &bench{t: t, gpu: g, s: s}
}

func (b *bench) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) pinned(n int) []byte {
	b.t.Helper()
	p, err := b.gpu.Pinned(n)
	b.must(err)
	return p
}

func (b *bench) alloc(bytes int64) device.Address {
	b.t.Helper()
	a, err := b.gpu.Alloc(bytes)
	b.must(err)
	return a
}

func (b *bench) upload(values ...float32) device.Address {
	b.t.Helper()
	host := b.pinned(4 * len(values))
	for i, v := range values {
		binary.LittleEndian.PutUint32(host[4*i:], math.Float32bits(v))
	}
	a := b.alloc(int64(len(host)))
	b.must(b.s.Upload(a, host))
	return a
}

func (b *bench) download(a device.Address, n int) []float32 {
	b.t.Helper()
	host := b.pinned(4 * n)
	b.must(b.s.Download(host, a))
	b.must(b.s.Wait())
	return unsafe.Slice((*float32)(unsafe.Pointer(&host[0])), n)
}

// probe puts a Probe of probe.cu on the device.
func (b *bench) probe(out, in device.Address, n int) device.Address {
	b.t.Helper()
	host := b.pinned(24)
	binary.LittleEndian.PutUint64(host, uint64(out))
	binary.LittleEndian.PutUint64(host[8:], uint64(in))
	binary.LittleEndian.PutUint64(host[16:], uint64(n))
	a := b.alloc(24)
	b.must(b.s.Upload(a, host))
	return a
}

func (b *bench) kernel(name string, shared int) device.Function {
	b.t.Helper()
	m, err := b.gpu.Module(ptx(name))
	b.must(err)
	f, err := m.Function(name, shared)
	b.must(err)
	return f
}

func TestCUDALaunch(t *testing.T) {
	b := newBench(t, devicetest.Open(t, "cuda:0"))
	const n = 1000
	in := make([]float32, n)
	for i := range in {
		in[i] = float32(i)
	}
	x, y := b.upload(in...), b.upload(make([]float32, n)...)
	l := device.Launch{Function: b.kernel("probe_add_fp32", 0), X: 16, Y: 1, Threads: 64, Argument: b.probe(y, x, n)}
	b.must(b.s.Launch(l))
	g, err := b.s.Capture(func() error {
		for range 3 {
			if err := b.s.Launch(l); err != nil {
				return err
			}
		}
		return nil
	})
	b.must(err)
	b.must(b.s.Run(g))
	b.must(b.s.Run(g))
	for i, v := range b.download(y, n) {
		if v != 7*float32(i) {
			t.Fatalf("element %d is %g after 7 additions of %d", i, v, i)
		}
	}
	b.must(g.Close())
}
