//go:build gpu && linux && amd64

package device

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"unsafe"

	"gorgonia.org/cu"
)

// gpu is a GPU with a context of its own. A context is current on a thread, so each method holds one while it calls the driver.
type gpu struct {
	info Info
	lost atomic.Bool

	open   sync.RWMutex // held to read by every call of the driver, to write by Close
	ctx    cu.CUContext
	closed bool

	pinning sync.Mutex
	pinned  []region
}

// region is a piece of pinned memory.
type region struct{ from, to uintptr }

// do calls the driver with the context current. What f returns is the driver's error.
func (g *gpu) do(f func() error, format string, args ...any) error {
	g.open.RLock()
	defer g.open.RUnlock()
	if g.closed {
		return fmt.Errorf("%s: %s is closed", fmt.Sprintf(format, args...), g.info.ID)
	}
	if g.lost.Load() {
		return fmt.Errorf("%s: %w", fmt.Sprintf(format, args...), ErrLost)
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := cu.SetCurrentContext(g.ctx)
	if err == nil {
		err = f()
	}
	if err == nil {
		return nil
	}
	if lost[code(err)] {
		g.lost.Store(true)
	}
	return wrap(err, format, args...)
}

func (g *gpu) Info() Info { return g.info }

func (g *gpu) Memory() (free, total int64, err error) {
	err = g.do(func() (err error) {
		free, total, err = cu.MemInfo()
		return err
	}, "ask %s for its memory", g.info.ID)
	return free, total, err
}

func (g *gpu) Alloc(bytes int64) (Address, error) {
	if bytes <= 0 {
		return 0, fmt.Errorf("take %d bytes of %s: it must be more than 0", bytes, g.info.ID)
	}
	var at cu.DevicePtr
	err := g.do(func() (err error) {
		at, err = cu.MemAlloc(bytes)
		return err
	}, "take %d bytes of %s", bytes, g.info.ID)
	return Address(at), err
}

func (g *gpu) Free(a Address) error {
	if a == 0 {
		return nil
	}
	return g.do(func() error { return cu.MemFree(cu.DevicePtr(a)) }, "give back memory of %s", g.info.ID)
}

func (g *gpu) Pinned(bytes int) ([]byte, error) {
	if bytes <= 0 {
		return nil, fmt.Errorf("pin %d bytes: it must be more than 0", bytes)
	}
	var p unsafe.Pointer
	err := g.do(func() (err error) {
		p, err = allocHost(bytes)
		return err
	}, "pin %d bytes of the host", bytes)
	if err != nil {
		return nil, err
	}
	g.pinning.Lock()
	defer g.pinning.Unlock()
	g.pinned = append(g.pinned, region{uintptr(p), uintptr(p) + uintptr(bytes)})
	return unsafe.Slice((*byte)(p), bytes), nil
}

// isPinned says whether memory lies in what Pinned returned: the driver would copy other memory, too, but it might be moved
// or freed before it does.
func (g *gpu) isPinned(b []byte) bool {
	at := uintptr(unsafe.Pointer(unsafe.SliceData(b)))
	g.pinning.Lock()
	defer g.pinning.Unlock()
	for _, r := range g.pinned {
		if r.from <= at && at+uintptr(len(b)) <= r.to {
			return true
		}
	}
	return false
}

func (g *gpu) Module(ptx []byte) (Module, error) {
	m := &module{gpu: g}
	var log string
	err := g.do(func() (err error) {
		m.m, log, err = loadModule(ptx)
		return err
	}, "load a module on %s", g.info.ID)
	if err != nil && log != "" {
		err = fmt.Errorf("%w: %s", err, log)
	}
	if err != nil {
		return nil, err
	}
	return m, nil
}

func (g *gpu) Stream() (Stream, error) {
	s := &stream{gpu: g}
	err := g.do(func() (err error) {
		// Not coupled to the driver's default stream, which would spoil a capture.
		s.s, err = cu.MakeStream(cu.NonBlocking)
		return err
	}, "make a stream on %s", g.info.ID)
	if err != nil {
		return nil, err
	}
	return s, nil
}

// Close destroys the context and with it modules, streams, marks and memory. A lost one is destroyed, too, so that another can
// take its place; what the driver says about it then is of no interest.
func (g *gpu) Close() error {
	g.open.Lock()
	defer g.open.Unlock()
	if g.closed {
		return nil
	}
	g.closed = true
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := cu.SetCurrentContext(g.ctx)
	if err == nil {
		err = cu.Synchronize()
	}
	g.pinning.Lock()
	defer g.pinning.Unlock()
	for _, r := range g.pinned {
		if e := freeHost(r.from); err == nil {
			err = e
		}
	}
	g.pinned = nil
	if e := g.ctx.Destroy(); err == nil {
		err = e
	}
	if err != nil && !g.lost.Load() {
		return wrap(err, "close %s", g.info.ID)
	}
	return nil
}

// module is code of a context.
type module struct {
	gpu *gpu
	m   cu.Module
}

// staticShared is the shared memory that a kernel has without being asked for, in bytes: what it declares, and dynamic memory.
const staticShared = 48 << 10

func (m *module) Function(name string, shared int) (Function, error) {
	f := &function{name: name, gpu: m.gpu}
	err := m.gpu.do(func() (err error) {
		if f.f, err = m.m.Function(name); err == nil && shared > staticShared {
			err = allowShared(f.f, shared)
		}
		return err
	}, "find kernel %s with %d bytes of shared memory", name, shared)
	if err != nil {
		return nil, err
	}
	return f, nil
}

type function struct {
	name string
	gpu  *gpu
	f    cu.Function
}

func (f *function) Name() string { return f.name }
