//go:build gpu

package cuda_test

import (
	"testing"
	"unsafe"

	"sweep/study/studytest"
	"sweep/trainer/device"
	"sweep/trainer/kernel/cuda"
)

// machine runs kernels on the first device that there is: a GPU, or the stand-in for one.
type machine struct {
	testing.TB
	gpu       device.GPU
	stream    device.Stream
	precision string
	functions map[string]device.Function
}

func open(t testing.TB) *machine {
	t.Helper()
	if len(device.GPUs()) == 0 {
		studytest.LeaveOut(t, "there is no GPU: make cuda-test runs these tests on a stand-in")
	}
	gpu, err := device.Open("cuda:0")
	if err != nil {
		t.Fatal(err)
	}
	m := &machine{TB: t, gpu: gpu, precision: "fp32", functions: map[string]device.Function{}}
	t.Cleanup(func() { m.must(gpu.Close()) })
	m.stream, err = gpu.Stream()
	m.must(err)
	return m
}

func (m *machine) must(err error) {
	m.Helper()
	if err != nil {
		m.Fatal(err)
	}
}

// raw is a slice as bytes, and back.
func raw[T any](x []T) []byte {
	if len(x) == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(&x[0])), len(x)*int(unsafe.Sizeof(x[0])))
}

// guard is how many bytes of nothing but ones lie behind what put takes.
const guard = 256

// put takes memory on the device for x.
func put[T any](m *machine, x []T) cuda.Address {
	m.Helper()
	b := raw(x)
	at, err := m.gpu.Alloc(int64(len(b)) + guard)
	m.must(err)
	host, err := m.gpu.Pinned(len(b) + 1) // an empty one has no address
	m.must(err)
	m.must(m.stream.Fill(at, 0xff, int64(len(b))+guard))
	if copy(host, b); len(b) > 0 {
		m.must(m.stream.Upload(at, host[:len(b)]))
	}
	m.must(m.stream.Wait())
	return cuda.Address(at)
}

// get is n values from the device.
func get[T any](m *machine, at cuda.Address, n int) []T {
	m.Helper()
	out := make([]T, n)
	b := raw(out)
	if len(b) == 0 {
		return out
	}
	host, err := m.gpu.Pinned(len(b))
	m.must(err)
	m.must(m.stream.Download(host, device.Address(at)))
	m.must(m.stream.Wait())
	copy(b, host)
	return out
}

// whole is n values from the device, all of what put took: behind them nothing may have been written.
func whole[T any](m *machine, at cuda.Address, n int) []T {
	m.Helper()
	out := get[T](m, at, n)
	for i, b := range get[byte](m, at+cuda.Address(len(raw(out))), guard) {
		if b != 0xff {
			m.Errorf("byte %d behind the end was written", i)
			break
		}
	}
	return out
}

// function is a kernel in the precision.
func (m *machine) function(l cuda.Launch) device.Function {
	m.Helper()
	name := l.Kernel + "_" + m.precision
	if f, ok := m.functions[name]; ok {
		return f
	}
	ptx, err := cuda.PTX(l.Module, m.precision)
	m.must(err)
	module, err := m.gpu.Module(ptx)
	m.must(err)
	f, err := module.Function(name, l.Shared)
	m.must(err)
	m.functions[name] = f
	return f
}

// launch runs the kernels of a step for so many pieces of work.
func (m *machine) launch(s cuda.Step, argument cuda.Address, pieces int) {
	m.Helper()
	list, ok := cuda.Launches(s)
	if !ok {
		m.Fatalf("no kernels for %s", s.Kind)
	}
	for _, l := range list {
		m.must(m.stream.Launch(device.Launch{
			Function: m.function(l), X: l.X, Y: pieces, Threads: l.Threads, Shared: l.Shared, Argument: device.Address(argument),
		}))
	}
	m.must(m.stream.Wait())
}

// lists are those of slots 0 … n-1 with their tiles.
func lists(m *machine, images []int) cuda.Address {
	var tiles, slots []cuda.Work
	for i, n := range images {
		slots = append(slots, cuda.Work{Slot: int32(i)})
		for t := range (n + cuda.Tile - 1) / cuda.Tile {
			tiles = append(tiles, cuda.Work{Slot: int32(i), Tile: int32(t)})
		}
	}
	return put(m, []cuda.Lists{{Tiles: int32(len(tiles)), Slots: int32(len(slots)), Tile: put(m, tiles), Slot: put(m, slots)}})
}
