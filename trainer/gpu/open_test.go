//go:build gpu

package gpu

import (
	"errors"
	"os"
	"testing"

	"sweep/study/studytest"
	"sweep/trainer"
	"sweep/trainer/device"
	"sweep/trainer/device/devicetest"
	"sweep/trainer/kernel/cuda"
)

// device0 opens a device to test on, that of the stand-in for a driver, or a real one, for somebody who closes it. Without any
// the test is skipped.
func device0(t testing.TB) device.GPU {
	t.Helper()
	if s := device.CUDA(); s.Reason != "" {
		studytest.LeaveOut(t, "no GPU to test on: %s", s.Reason)
	}
	g, err := device.Open("cuda:0")
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// open gives a device until the test ends.
func open(t testing.TB) device.GPU {
	t.Helper()
	g := device0(t)
	t.Cleanup(func() {
		if err := g.Close(); err != nil {
			t.Error(err)
		}
	})
	return g
}

// kernels finds the functions of a precision. A stand-in that takes any code as that of its kernels gets a word where the
// program has none yet.
func kernels(gpu device.GPU, precision string) *code {
	c := newCode(gpu, precision)
	if os.Getenv("SWEEP_FAKE_ANY_PTX") == "1" {
		c.ptx = func(module, precision string) ([]byte, error) {
			if text, err := cuda.PTX(module, precision); err == nil {
				return text, nil
			}
			return []byte("// " + module + "." + precision + "\n"), nil
		}
	}
	return c
}

// memory is a device's, taken for a test and seen from the host through one buffer.
type memory struct {
	t      testing.TB
	gpu    device.GPU
	stream device.Stream
	buffer []byte
}

func newMemory(t testing.TB, gpu device.GPU) *memory {
	t.Helper()
	s, err := gpu.Stream()
	if err != nil {
		t.Fatal(err)
	}
	return &memory{t: t, gpu: gpu, stream: s}
}

func (m *memory) check(err error) {
	m.t.Helper()
	if err != nil {
		m.t.Fatal(err)
	}
}

// take takes memory full of 0xff, which is NaN.
func (m *memory) take(bytes int64) device.Address {
	m.t.Helper()
	at, err := m.gpu.Alloc(bytes)
	m.check(err)
	m.check(m.stream.Fill(at, 0xff, bytes))
	m.t.Cleanup(func() {
		if err := m.gpu.Free(at); err != nil {
			m.t.Error(err)
		}
	})
	return at
}

// pinned is a buffer of at least so many bytes.
func (m *memory) pinned(bytes int) []byte {
	m.t.Helper()
	if len(m.buffer) < bytes {
		b, err := m.gpu.Pinned(2 * bytes)
		m.check(err)
		m.buffer = b
	}
	return m.buffer[:bytes]
}

func (m *memory) put(at device.Address, b []byte) {
	m.t.Helper()
	if len(b) == 0 {
		return
	}
	from := m.pinned(len(b))
	copy(from, b)
	m.check(m.stream.Upload(at, from))
	m.check(m.stream.Wait())
}

func (m *memory) get(at device.Address, bytes int) []byte {
	m.t.Helper()
	to := m.pinned(bytes)
	m.check(m.stream.Download(to, at))
	m.check(m.stream.Wait())
	return append([]byte(nil), to...)
}

// What is free is not always to be had in one piece: an engine takes as much as it gets, and what it is told to take or nothing.
func TestSeize(t *testing.T) {
	devicetest.Require(t)
	t.Setenv("SWEEP_FAKE_MEMORY", "100000000")
	for _, c := range []struct {
		largest      string
		memory, want int64
	}{
		{"100000000", 0, 95000000},
		{"71000000", 0, 70000000},
		{"49000000", 0, 0},
		{"71000000", 72000000, 0},
		{"71000000", 70500000, 70500000},
	} {
		t.Setenv("SWEEP_FAKE_LARGEST", c.largest)
		g := device0(t)
		e, err := New(g, Options{Slots: 1, Memory: c.memory})
		switch {
		case err != nil && (c.want != 0 || !errors.Is(err, trainer.ErrMemory)):
			t.Errorf("%d bytes, in pieces of %s at most: %v", c.memory, c.largest, err)
		case err == nil && e.heap.bytes != c.want&^255:
			t.Errorf("%d bytes, in pieces of %s at most: took %d, want %d", c.memory, c.largest, e.heap.bytes, c.want)
		}
		if err := g.Close(); err != nil {
			t.Error(err)
		}
	}
}
