package gpu

import (
	"fmt"
	"unsafe"

	"sweep/trainer/dataset"
	"sweep/trainer/device"
)

// resident is a data set that lies on the device.
type resident struct {
	set   *dataset.Images // held, so that its address stays its own
	at    device.Address
	bytes int64
	users int           // trials
	ready chan struct{} // closed when it has been copied
	err   error
}

// setKey tells one set of images from another: by where its pixels lie.
type setKey struct {
	first *byte
	bytes int
}

func keyOf(set *dataset.Images) setKey { return setKey{unsafe.SliceData(set.Pixels), len(set.Pixels)} }

// hold gives the place of a data set on the device, which it copies there unless it is there. Every hold has its letGo.
func (e *Engine) hold(set *dataset.Images) (*resident, error) {
	key := keyOf(set)
	for {
		e.mu.Lock()
		d, ok := e.data[key]
		if ok {
			d.users++
			e.mu.Unlock()
			<-d.ready
			if d.err != nil {
				return nil, d.err
			}
			return d, nil
		}
		e.mu.Unlock()
		bytes := int64(len(set.Pixels))
		at, err := e.take(bytes)
		if err != nil {
			return nil, fmt.Errorf("hold %d images: %w", set.Len(), err)
		}
		e.mu.Lock()
		if _, ok := e.data[key]; ok { // somebody else was faster
			e.heap.give(at, bytes)
			e.mu.Unlock()
			continue
		}
		d = &resident{set: set, at: at, bytes: bytes, users: 1, ready: make(chan struct{})}
		e.data[key] = d
		e.mu.Unlock()
		d.err = e.carrier.put([]patch{{at, set.Pixels}}, func(m device.Mark) error { return m.Wait() })
		close(d.ready)
		if d.err != nil {
			return nil, d.err
		}
		return d, nil
	}
}

// letGo ends a trial's use of a data set. It stays on the device while nothing else needs its memory.
func (e *Engine) letGo(d *resident) {
	if d == nil {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	d.users--
}

// find gives a data set that is on the device already, else nil.
func (e *Engine) find(set *dataset.Images) *resident {
	e.mu.Lock()
	d, ok := e.data[keyOf(set)]
	if !ok {
		e.mu.Unlock()
		return nil
	}
	d.users++
	e.mu.Unlock()
	<-d.ready
	if d.err != nil {
		e.letGo(d)
		return nil
	}
	return d
}
