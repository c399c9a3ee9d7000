//go:build gpu && linux && amd64

package device

import (
	"errors"
	"fmt"
	"unsafe"

	"gorgonia.org/cu"
)

// stream is a queue of a context.
type stream struct {
	gpu *gpu
	s   cu.Stream
}

func (s *stream) Upload(to Address, from []byte) error {
	if len(from) == 0 {
		return nil
	}
	if !s.gpu.isPinned(from) {
		return errors.New("upload: the host's memory is not pinned")
	}
	return s.gpu.do(func() error {
		return cu.MemcpyHtoDAsync(cu.DevicePtr(to), unsafe.Pointer(&from[0]), int64(len(from)), s.s)
	}, "upload %d bytes", len(from))
}

func (s *stream) Download(to []byte, from Address) error {
	if len(to) == 0 {
		return nil
	}
	if !s.gpu.isPinned(to) {
		return errors.New("download: the host's memory is not pinned")
	}
	return s.gpu.do(func() error {
		return cu.MemcpyDtoHAsync(unsafe.Pointer(&to[0]), cu.DevicePtr(from), int64(len(to)), s.s)
	}, "download %d bytes", len(to))
}

func (s *stream) Copy(to, from Address, bytes int64) error {
	if bytes == 0 {
		return nil
	}
	return s.gpu.do(func() error {
		return cu.MemcpyDtoDAsync(cu.DevicePtr(to), cu.DevicePtr(from), bytes, s.s)
	}, "copy %d bytes on the device", bytes)
}

func (s *stream) Fill(to Address, value byte, bytes int64) error {
	if bytes == 0 {
		return nil
	}
	return s.gpu.do(func() error {
		return cu.MemsetD8Async(cu.DevicePtr(to), value, bytes, s.s)
	}, "fill %d bytes", bytes)
}

func (s *stream) Launch(l Launch) error {
	f, ok := l.Function.(*function)
	if !ok || f.gpu != s.gpu {
		return errors.New("launch: the kernel is another device's")
	}
	if l.X <= 0 || l.Y <= 0 {
		return fmt.Errorf("launch %s: a grid of %d by %d blocks is empty", f.name, l.X, l.Y)
	}
	return s.gpu.do(func() error {
		return f.f.Launch(l.X, l.Y, 1, l.Threads, 1, 1, l.Shared, s.s, []unsafe.Pointer{unsafe.Pointer(&l.Argument)})
	}, "launch %s on %d by %d blocks of %d threads", f.name, l.X, l.Y, l.Threads)
}

func (s *stream) Capture(f func() error) (Graph, error) {
	if err := s.gpu.do(func() error { return beginCapture(s.s) }, "begin to capture"); err != nil {
		return nil, err
	}
	g := &graph{stream: s}
	failed := errors.New("what was to be captured has panicked")
	var err error
	func() {
		// In any case: a stream that goes on capturing is of no more use.
		defer func() {
			err = s.gpu.do(func() (err error) {
				g.exec, err = endCapture(s.s, failed == nil)
				return err
			}, "capture a graph")
		}()
		failed = f()
	}()
	if failed != nil {
		return nil, fmt.Errorf("capture a graph: %w", failed)
	}
	if err != nil {
		return nil, err
	}
	return g, nil
}

func (s *stream) Run(g Graph) error {
	r, ok := g.(*graph)
	if !ok || r.stream != s {
		return errors.New("run a graph: it is another stream's")
	}
	if r.closed {
		return errors.New("run a graph: it is closed")
	}
	return s.gpu.do(func() error { return r.exec.launch(s.s) }, "run a graph")
}

func (s *stream) Mark() (Mark, error) {
	m := &mark{gpu: s.gpu}
	err := s.gpu.do(func() (err error) {
		if m.e, err = cu.MakeEvent(cu.DisableTiming | cu.BlockingSyncEvent); err != nil {
			return err
		}
		if err = m.e.Record(s.s); err != nil {
			cu.DestroyEvent(&m.e) // the first error is the one to tell
		}
		return err
	}, "mark a stream")
	if err != nil {
		return nil, err
	}
	return m, nil
}

func (s *stream) After(m Mark) error {
	e, ok := m.(*mark)
	if !ok || e.gpu != s.gpu {
		return errors.New("wait for a mark: it is another device's")
	}
	return s.gpu.do(func() error { return s.s.Wait(e.e, 0) }, "wait for a mark")
}

func (s *stream) Wait() error {
	return s.gpu.do(func() error { return s.s.Synchronize() }, "wait for a stream")
}

func (s *stream) Close() error {
	return s.gpu.do(func() error { return s.s.Destroy() }, "close a stream")
}

// graph is a captured sequence, ready to run.
type graph struct {
	stream *stream
	exec   graphExec
	closed bool
}

func (g *graph) Close() error {
	if g.closed {
		return nil
	}
	g.closed = true
	return g.stream.gpu.do(func() error { return g.exec.destroy() }, "close a graph")
}

// mark is an event that was recorded once.
type mark struct {
	gpu *gpu
	e   cu.Event
}

func (m *mark) Wait() error {
	return m.gpu.do(func() error { return m.e.Synchronize() }, "wait for a mark")
}

func (m *mark) Done() (done bool, err error) {
	err = m.gpu.do(func() error {
		err := m.e.Query()
		if code(err) == notReady {
			return nil
		}
		done = err == nil
		return err
	}, "ask for a mark")
	return done, err
}

func (m *mark) Close() error {
	return m.gpu.do(func() error { return cu.DestroyEvent(&m.e) }, "close a mark")
}
