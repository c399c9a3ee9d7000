//go:build gpu && linux && amd64

package device_test

import (
	"errors"
	"strings"
	"sync"
	"testing"

	"sweep/trainer/device"
	"sweep/trainer/device/devicetest"
)

func TestMemory(t *testing.T) {
	t.Setenv("SWEEP_FAKE_MEMORY", "1000000")
	g := devicetest.Open(t, "cuda:0")
	free := func() int64 {
		t.Helper()
		free, total, err := g.Memory()
		if err != nil || total != 1000000 {
			t.Fatalf("memory: %d free of %d, %v", free, total, err)
		}
		return free
	}
	if free() != 1000000 {
		t.Errorf("a new context has %d bytes free", free())
	}
	var list []device.Address
	for _, n := range []int64{1, 255, 256, 257, 4096, 100000} {
		a, err := g.Alloc(n)
		if err != nil {
			t.Fatal(err)
		}
		if a%256 != 0 {
			t.Errorf("%d bytes begin at %#x, no multiple of 256", n, a)
		}
		list = append(list, a)
	}
	if want := int64(1000000 - 1 - 255 - 256 - 257 - 4096 - 100000); free() != want {
		t.Errorf("%d bytes free, want %d", free(), want)
	}
	for _, n := range []int64{900000, 1 << 40, 1 << 62} {
		if _, err := g.Alloc(n); !errors.Is(err, device.ErrMemory) || errors.Is(err, device.ErrLost) {
			t.Errorf("taking %d bytes: %v, want no memory", n, err)
		}
	}
	for _, n := range []int64{0, -1} {
		if _, err := g.Alloc(n); err == nil {
			t.Errorf("taking %d bytes is no error", n)
		}
		if _, err := g.Pinned(int(n)); err == nil {
			t.Errorf("pinning %d bytes is no error", n)
		}
	}
	for _, a := range list {
		if err := g.Free(a); err != nil {
			t.Error(err)
		}
	}
	if free() != 1000000 {
		t.Errorf("%d bytes free after all were given back", free())
	}
	if err := g.Free(list[0]); err == nil {
		t.Error("giving memory back twice is no error")
	}
	if err := g.Free(0); err != nil {
		t.Errorf("giving back none: %v", err)
	}
}

func TestCopies(t *testing.T) {
	b := newBench(t, devicetest.Open(t, "cuda:0"))
	host := b.pinned(1000)
	for i := range host {
		host[i] = byte(i)
	}
	x, y := b.alloc(1000), b.alloc(1000)
	b.must(b.s.Upload(x, host))
	b.must(b.s.Fill(y, 7, 1000))
	b.must(b.s.Copy(y+10, x+20, 30))
	back := b.pinned(1000)
	b.must(b.s.Download(back, y))
	if back[0] != 0xff {
		t.Error("a download was done before anybody waited for it")
	}
	b.must(b.s.Wait())
	for i, v := range back {
		want := byte(7)
		if i >= 10 && i < 40 {
			want = byte(i + 10)
		}
		if v != want {
			t.Fatalf("byte %d is %d, want %d", i, v, want)
		}
	}
	b.must(b.s.Upload(x, nil))
	b.must(b.s.Download(nil, x))
	b.must(b.s.Copy(x, y, 0))
	b.must(b.s.Fill(x, 0, 0))
	for name, err := range map[string]error{
		"upload of what is not pinned": b.s.Upload(x, make([]byte, 10)),
		"download to the same":         b.s.Download(make([]byte, 10), x),
		"upload past the end":          b.s.Upload(x+991, host[:10]),
		"download past the end":        b.s.Download(back[:10], x+991),
		"copy past the end":            b.s.Copy(x, y+991, 10),
		"fill past the end":            b.s.Fill(x, 0, 1001),
		"fill of nothing":              b.s.Fill(0, 0, 1),
	} {
		if err == nil || errors.Is(err, device.ErrLost) {
			t.Errorf("%s: %v, want an error that is no loss", name, err)
		}
	}
}

func TestMarks(t *testing.T) {
	g := devicetest.Open(t, "cuda:0")
	a, b := newBench(t, g), newBench(t, g)
	y := a.upload(1, 2, 3)
	a.must(a.launch("probe_add_fp32", y, y, 3, 1, 64))
	a.must(a.s.Fill(y, 0, 4))
	mark, err := a.s.Mark()
	a.must(err)
	a.must(a.s.Fill(y, 0, 12))
	b.must(b.s.After(mark))
	got := b.download(y, 3) // of b: a's work up to the mark is done, not what is behind it
	if got[0] != 0 || got[1] != 4 || got[2] != 6 {
		t.Errorf("behind the mark of the other stream lie %v, want [0 4 6]", got)
	}
	if done, err := mark.Done(); !done || err != nil {
		t.Errorf("a mark that was waited for: done %v, %v", done, err)
	}
	a.must(mark.Close())
	late, err := a.s.Mark()
	a.must(err)
	asked := 0
	for {
		done, err := late.Done()
		a.must(err)
		if asked++; done || asked > 100 {
			break
		}
	}
	if asked < 2 || asked > 100 {
		t.Errorf("a mark behind work was done when it was asked for the %dth time", asked)
	}
	a.must(late.Wait())
	a.must(late.Close())
	a.must(a.s.Close())
}

func TestCaptureErrors(t *testing.T) {
	b := newBench(t, devicetest.Open(t, "cuda:0"))
	x := b.upload(5)
	boom := errors.New("boom")
	if _, err := b.s.Capture(func() error { return boom }); !errors.Is(err, boom) {
		t.Errorf("the capture of a function that fails: %v", err)
	}
	_, err := b.s.Capture(func() error {
		if err := b.s.Fill(x, 0, 4); err != nil {
			return err
		}
		if b.s.Wait() == nil {
			t.Error("waiting for a stream that is captured is no error")
		}
		return nil
	})
	if err == nil {
		t.Error("the capture in which somebody waited is whole")
	}
	if v := b.download(x, 1)[0]; v != 5 {
		t.Errorf("a capture that failed left %g", v)
	}
	g, err := b.s.Capture(func() error { return b.s.Fill(x, 0, 4) })
	b.must(err)
	func() {
		defer func() {
			if r := recover(); r != boom {
				t.Errorf("the capture of a function that panics gives %v", r)
			}
		}()
		b.s.Capture(func() error { panic(boom) }) //nolint:errcheck // it does not return
	}()
	if v := b.download(x, 1)[0]; v != 5 {
		t.Errorf("after a capture that panicked the stream gives %g", v)
	}
	other := newBench(t, b.gpu)
	if err := other.s.Run(g); err == nil {
		t.Error("a graph ran in another stream")
	}
	b.must(b.s.Run(g))
	if v := b.download(x, 1)[0]; v != 0 {
		t.Errorf("after the graph there is %g", v)
	}
	b.must(g.Close())
	b.must(g.Close())
	if err := b.s.Run(g); err == nil {
		t.Error("a graph ran after it was closed")
	}
}

// While a stream is captured the driver may be asked for anything else, in the capture and beside it: memory, modules, marks,
// other streams.
func TestBesideCapture(t *testing.T) {
	b := newBench(t, devicetest.Open(t, "cuda:0"))
	other := newBench(t, b.gpu)
	x := b.upload(5)
	mark, err := other.s.Mark()
	b.must(err)
	g, err := b.s.Capture(func() error {
		for range 2 {
			done := make(chan error)
			ask := func() error {
				if err := b.s.Fill(x, 0, 4); err != nil {
					return err
				}
				a, err := b.gpu.Alloc(100)
				if err != nil {
					return err
				}
				_, err = b.gpu.Pinned(100)
				_, moduleErr := b.gpu.Module(ptx("probe_add_fp32"))
				_, markErr := mark.Done()
				return errors.Join(err, b.gpu.Free(a), moduleErr, markErr, mark.Wait(), other.s.Wait())
			}
			go func() { done <- ask() }()
			if err := errors.Join(ask(), <-done); err != nil {
				return err
			}
		}
		return nil
	})
	b.must(err)
	b.must(b.s.Run(g))
	if v := b.download(x, 1)[0]; v != 0 {
		t.Errorf("after the graph there is %g", v)
	}
	b.must(mark.Close())
	b.must(g.Close())
}

func TestLaunchErrors(t *testing.T) {
	g := devicetest.Open(t, "cuda:0")
	b := newBench(t, g)
	x := b.upload(1)
	f, argument := b.kernel("probe_add_fp32", 0), b.probe(x, x, 1)
	good := device.Launch{Function: f, X: 1, Y: 1, Threads: 64, Argument: argument}
	for name, change := range map[string]func(*device.Launch){
		"no blocks":             func(l *device.Launch) { l.X = 0 },
		"fewer than no blocks":  func(l *device.Launch) { l.Y = -1 },
		"more rows than may be": func(l *device.Launch) { l.Y = 65536 },
		"other threads":         func(l *device.Launch) { l.Threads = 128 },
		"too many threads":      func(l *device.Launch) { l.Threads = 2048 },
		"shared memory unasked": func(l *device.Launch) { l.Shared = 48<<10 + 1 },
		"shared memory beside what it declares": func(l *device.Launch) {
			m, err := g.Module([]byte(".version 7.0\n.target sm_80\n.visible .entry probe_add_fp32(.param .u64 t)\n{\n" +
				"\t.shared .align 16 .b8 own[2000];\n\tmov.u64 %rd1, own;\n}\n"))
			b.must(err)
			l.Function, err = m.Function("probe_add_fp32", 0)
			b.must(err)
			l.Shared = 48<<10 - 1999
		},
		"no kernel": func(l *device.Launch) { l.Function = nil },
		"another context's kernel": func(l *device.Launch) {
			l.Function = newBench(t, devicetest.Open(t, "cuda:0")).kernel("probe_add_fp32", 0)
		},
	} {
		l := good
		change(&l)
		if err := b.s.Launch(l); err == nil || errors.Is(err, device.ErrLost) {
			t.Errorf("%s: %v, want an error that is no loss", name, err)
		}
	}
	b.must(b.s.Launch(good))
	b.must(b.s.Wait())

	if _, err := g.Module([]byte("hello")); err == nil || !strings.Contains(err.Error(), "no PTX") {
		t.Errorf("a module that is no PTX: %v", err)
	}
	m, err := g.Module(ptx("probe_add_fp32", "probe_nowhere_fp32"))
	b.must(err)
	if _, err := m.Function("probe_sum_fp32", 0); err == nil {
		t.Error("a kernel that the PTX lacks was found")
	}
	if _, err := m.Function("probe_add", 0); err == nil {
		t.Error("a kernel was found by the beginning of its name")
	}
	if _, err := m.Function("probe_nowhere_fp32", 0); err == nil {
		t.Error("a kernel without source was found")
	}
	if _, err := m.Function("probe_add_fp32", 227<<10+1); err == nil {
		t.Error("a kernel was given more shared memory than there is")
	}
	big, err := m.Function("probe_add_fp32", 227<<10)
	b.must(err)
	good.Function, good.Shared = big, 227<<10
	b.must(b.s.Launch(good))
	b.must(b.s.Wait())
}

func TestClosed(t *testing.T) {
	g := devicetest.Open(t, "cuda:0")
	b := newBench(t, g)
	x := b.upload(1)
	b.must(g.Close())
	b.must(g.Close())
	if _, err := g.Alloc(4); err == nil {
		t.Error("memory was taken of a device that is closed")
	}
	if err := b.s.Fill(x, 0, 4); err == nil {
		t.Error("a stream of a device that is closed took work")
	}
}

// Several goroutines, each with a stream of its own, on two contexts: threads of the system change hands all the time.
func TestGoroutines(t *testing.T) {
	devices := []device.GPU{devicetest.Open(t, "cuda:0"), devicetest.Open(t, "cuda:0")}
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			b := newBench(t, devices[i%2])
			y := b.upload(1)
			f, argument := b.kernel("probe_add_fp32", 0), b.probe(y, y, 1)
			for range 20 {
				if err := b.s.Launch(device.Launch{Function: f, X: 1, Y: 1, Threads: 64, Argument: argument}); err != nil {
					t.Error(err)
				}
				if err := b.s.Wait(); err != nil {
					t.Error(err)
				}
			}
			if v := b.download(y, 1)[0]; v != 1<<20 {
				t.Errorf("1 doubled 20 times is %g", v)
			}
		})
	}
	wg.Wait()
}
