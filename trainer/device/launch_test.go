//go:build gpu && linux && amd64

package device_test

import (
	"encoding/binary"
	"errors"
	"math"
	"strconv"
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

// launch runs a kernel of probe.cu over n floats.
func (b *bench) launch(name string, out, in device.Address, n, x, threads int) error {
	b.t.Helper()
	err := b.s.Launch(device.Launch{Function: b.kernel(name, 0), X: x, Y: 1, Threads: threads, Argument: b.probe(out, in, n)})
	b.must(err) // it is only put into the stream
	return b.s.Wait()
}

func count(n int) []float32 {
	out := make([]float32, n)
	for i := range out {
		out[i] = float32(i)
	}
	return out
}

func TestLaunchAndGraph(t *testing.T) {
	b := newBench(t, devicetest.Open(t, "cuda:0"))
	for _, n := range []int{1, 63, 64, 65, 1000} {
		x, y := b.upload(count(n)...), b.upload(make([]float32, n)...)
		l := device.Launch{
			Function: b.kernel("probe_add_fp32", 0), X: (n + 63) / 64, Y: 1, Threads: 64, Argument: b.probe(y, x, n),
		}
		b.must(b.s.Launch(l))
		g, err := b.s.Capture(func() error {
			for range 3 {
				if err := b.s.Launch(l); err != nil {
					return err
				}
			}
			return b.s.Copy(x, x, 4)
		})
		b.must(err)
		if got := b.download(y, n); got[n-1] != float32(n-1) {
			t.Fatalf("the capture of %d elements ran its launches: the last is %g", n, got[n-1])
		}
		b.must(b.s.Run(g))
		b.must(b.s.Run(g))
		for i, v := range b.download(y, n) {
			if v != 7*float32(i) {
				t.Fatalf("element %d of %d is %g after 7 additions of %d", i, n, v, i)
			}
		}
		b.must(g.Close())
	}
}

// The sum of 128 numbers by a tree with barriers is exact, whichever thread runs first.
func TestBarriers(t *testing.T) {
	for _, reverse := range []string{"0", "1"} {
		t.Setenv("SWEEP_FAKE_REVERSE", reverse)
		b := newBench(t, devicetest.Open(t, "cuda:0"))
		in := b.upload(count(300)...)
		out := b.alloc(4 * 3)
		b.must(b.launch("probe_sum_fp32", out, in, 300, 3, 128))
		for i, v := range b.download(out, 3) {
			from, to := 128*i, min(128*i+128, 300)
			if want := float32((to - from) * (from + to - 1) / 2); v != want {
				t.Errorf("reverse=%s: block %d: sum %g, want %g", reverse, i, v, want)
			}
		}
	}
}

// A barrier that is not there is found: what another thread has not written yet is NaN.
func TestMissingBarrier(t *testing.T) {
	wrong := 0
	for _, reverse := range []string{"0", "1"} {
		t.Setenv("SWEEP_FAKE_REVERSE", reverse)
		b := newBench(t, devicetest.Open(t, "cuda:0"))
		in, out := b.upload(count(128)...), b.alloc(4)
		b.must(b.launch("probe_race_fp32", out, in, 128, 1, 128))
		if v := b.download(out, 1)[0]; v != 128*127/2 {
			wrong++
		}
	}
	if wrong == 0 {
		t.Error("the sum without its barrier came out right in both orders")
	}
}

// The same of the barrier of a warp.
func TestWarpBarrier(t *testing.T) {
	for kernel, right := range map[string]bool{"probe_warp_fp32": true, "probe_warp_race_fp32": false} {
		b := newBench(t, devicetest.Open(t, "cuda:0"))
		in, out := b.upload(count(64)...), b.alloc(4*64)
		b.must(b.launch(kernel, out, in, 64, 1, 64))
		wrong := 0
		for i, v := range b.download(out, 64) {
			if v != float32(i^1) {
				wrong++
			}
		}
		if right != (wrong == 0) {
			t.Errorf("%s: %d of 64 lanes did not read what their neighbours wrote", kernel, wrong)
		}
	}
}

func TestOrder(t *testing.T) {
	for _, c := range []struct {
		reverse string
		first   int
	}{{"0", 0}, {"1", 15}} {
		t.Setenv("SWEEP_FAKE_REVERSE", c.reverse)
		t.Setenv("SWEEP_FAKE_THREADS", "1")
		b := newBench(t, devicetest.Open(t, "cuda:0"))
		out := b.upload(make([]float32, 17)...)
		b.must(b.s.Launch(device.Launch{
			Function: b.kernel("probe_order_fp32", 0), X: 2, Y: 2, Threads: 4, Argument: b.probe(out, out, 17),
		}))
		got := b.download(out, 17)[1:]
		for i, v := range got {
			want := i
			if c.reverse == "1" {
				want = 15 - i
			}
			if v != float32(want) {
				t.Errorf("reverse=%s: thread %d ran as number %g, want %d", c.reverse, i, v, want)
			}
		}
	}
}

// Many blocks by several threads of the system, and one thread's fault ends the grid.
func TestManyBlocks(t *testing.T) {
	t.Setenv("SWEEP_FAKE_THREADS", "4")
	b := newBench(t, devicetest.Open(t, "cuda:0"))
	const blocks = 300
	in, out := b.upload(count(128*blocks)...), b.alloc(4*blocks)
	for range 20 {
		b.must(b.launch("probe_sum_fp32", out, in, 128*blocks, blocks, 128))
	}
	for i, v := range b.download(out, blocks) {
		if want := float32(128*128*i + 128*127/2); v != want {
			t.Fatalf("block %d: sum %g, want %g", i, v, want)
		}
	}
	if err := b.launch("probe_sum_fp32", out, 0, 128*blocks, blocks, 128); !errors.Is(err, device.ErrLost) {
		t.Errorf("reading from a null pointer: %v", err)
	}
	again := newBench(t, devicetest.Open(t, "cuda:0"))
	in, out = again.upload(count(256)...), again.alloc(8)
	again.must(again.launch("probe_sum_fp32", out, in, 256, 2, 128))
	if got := again.download(out, 2); got[0] != 128*127/2 || got[1] != 128*128+128*127/2 {
		t.Errorf("after the fault the sums are %v", got)
	}
}

// What nobody wrote is NaN: memory of the device, pinned memory, shared arrays of both kinds.
func TestUnwritten(t *testing.T) {
	b := newBench(t, devicetest.Open(t, "cuda:0"))
	for i, v := range b.download(b.alloc(400), 100) {
		if v == v {
			t.Fatalf("element %d of new memory is %g, want NaN", i, v)
		}
	}
	for i, v := range b.pinned(10) {
		if v != 0xff {
			t.Fatalf("byte %d of new pinned memory is %d, want 255", i, v)
		}
	}
	out := b.upload(make([]float32, 64)...)
	b.must(b.s.Launch(device.Launch{
		Function: b.kernel("probe_unwritten_fp32", 128), X: 1, Y: 1, Threads: 32, Shared: 128, Argument: b.probe(out, out, 0),
	}))
	for i, v := range b.download(out, 64) {
		if v == v {
			t.Errorf("thread %d read %g of shared memory that nobody wrote", i, v)
		}
	}
}

// Kernels that do what they may not lose the context, and only theirs.
func TestWrongKernels(t *testing.T) {
	for _, c := range []struct {
		kernel  string
		threads int
	}{
		{"probe_past_fp32", 32},
		{"probe_before_fp32", 32},
		{"probe_wild_fp32", 32},
		{"probe_missed_fp32", 64},
		{"probe_shared_fp32", 32},
		{"probe_warp_first_fp32", 64},
		{"probe_warp_last_fp32", 64},
		{"probe_warp_other_fp32", 64},
		{"probe_line_odd_fp32", 32},
		{"probe_line_outside_fp32", 32},
	} {
		t.Run(c.kernel, func(t *testing.T) {
			b, other := newBench(t, devicetest.Open(t, "cuda:0")), newBench(t, devicetest.Open(t, "cuda:0"))
			out := b.alloc(4 * 100)
			err := b.launch(c.kernel, out, 0, 100, 1, c.threads)
			if !errors.Is(err, device.ErrLost) {
				t.Fatalf("the kernel's error is %v, want a lost context", err)
			}
			if _, err := b.gpu.Alloc(4); !errors.Is(err, device.ErrLost) {
				t.Errorf("afterwards, taking memory: %v, want a lost context", err)
			}
			y := other.upload(1)
			other.must(other.launch("probe_add_fp32", y, y, 1, 1, 64))
			if v := other.download(y, 1)[0]; v != 2 {
				t.Errorf("in another context 1+1 is %g", v)
			}
		})
	}
}

// All results after which, as NVIDIA says, a context cannot be used any more lose it, and the context only.
func TestLosses(t *testing.T) {
	for _, result := range []int{214, 220, 226, 700, 702, 709, 710, 714, 715, 716, 717, 718, 719, 805, 806, 810, 999} {
		t.Setenv("SWEEP_FAKE_FAIL_WITH", strconv.Itoa(result))
		b := newBench(t, devicetest.Open(t, "cuda:0"))
		y := b.upload(1)
		devicetest.FailAfter(t, 1)
		if err := b.launch("probe_add_fp32", y, y, 1, 1, 64); !errors.Is(err, device.ErrLost) || errors.Is(err, device.ErrMemory) {
			t.Errorf("result %d is %v", result, err)
		}
		if _, err := b.gpu.Alloc(4); !errors.Is(err, device.ErrLost) {
			t.Errorf("after result %d, taking memory: %v", result, err)
		}
	}
}

// A context that is lost fails every method until it is closed; one that is opened after it works.
func TestLostAndOpenedAgain(t *testing.T) {
	g := devicetest.Open(t, "cuda:0")
	b := newBench(t, g)
	y := b.upload(1)
	b.must(b.s.Wait())
	devicetest.FailAfter(t, 2)
	b.must(b.launch("probe_add_fp32", y, y, 1, 1, 64))
	f, argument := b.kernel("probe_add_fp32", 0), b.probe(y, y, 1)
	b.must(b.s.Launch(device.Launch{Function: f, X: 1, Y: 1, Threads: 64, Argument: argument}))
	mark, err := b.s.Mark()
	b.must(err)
	if err := mark.Wait(); !errors.Is(err, device.ErrLost) {
		t.Fatalf("the second launch: %v, want a lost context", err)
	}
	for name, call := range map[string]func() error{
		"Memory": func() error { _, _, err := g.Memory(); return err },
		"Alloc":  func() error { _, err := g.Alloc(1); return err },
		"Free":   func() error { return g.Free(y) },
		"Pinned": func() error { _, err := g.Pinned(1); return err },
		"Module": func() error { _, err := g.Module(ptx("probe_add_fp32")); return err },
		"Stream": func() error { _, err := g.Stream(); return err },
		"Fill":   func() error { return b.s.Fill(y, 0, 4) },
		"Launch": func() error {
			return b.s.Launch(device.Launch{Function: f, X: 1, Y: 1, Threads: 64, Argument: argument})
		},
		"Capture":  func() error { _, err := b.s.Capture(func() error { return nil }); return err },
		"Wait":     b.s.Wait,
		"After":    func() error { return b.s.After(mark) },
		"Done":     func() error { _, err := mark.Done(); return err },
		"a mark's": mark.Close,
	} {
		if err := call(); !errors.Is(err, device.ErrLost) {
			t.Errorf("%s in a lost context: %v", name, err)
		}
	}
	b.must(g.Close())
	again := newBench(t, devicetest.Open(t, "cuda:0"))
	z := again.upload(1)
	again.must(again.launch("probe_add_fp32", z, z, 1, 1, 64))
	if v := again.download(z, 1)[0]; v != 2 {
		t.Errorf("in a new context 1+1 is %g", v)
	}
}
