package gpu

import (
	"fmt"
	"sync"

	"sweep/trainer/device"
)

// chunk is how much is copied at a time.
const chunk = 2 << 20

// carrier copies between the host's memory, of any kind, and the device's, through pinned memory and a stream of its own. It
// is safe for concurrent use, by one copy at a time.
type carrier struct {
	mu     sync.Mutex
	stream device.Stream
	half   [2][]byte      // pinned
	done   [2]device.Mark // when each may be written again; nil: now
	turn   int
	at     int // of half[turn] that is in use
}

func newCarrier(gpu device.GPU) (*carrier, error) {
	c := &carrier{}
	var err error
	if c.stream, err = gpu.Stream(); err != nil {
		return nil, err
	}
	for i := range c.half {
		if c.half[i], err = gpu.Pinned(chunk); err != nil {
			c.stream.Close() //nolint:errcheck // the first error counts
			return nil, err
		}
	}
	return c, nil
}

// put copies patches to the device; what f does then with the mark behind them comes before anything else of c.
func (c *carrier) put(patches []patch, f func(device.Mark) error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range patches {
		if err := c.upload(p); err != nil {
			return fmt.Errorf("copy to the GPU: %w", err)
		}
	}
	m, err := c.stream.Mark()
	if err != nil {
		return fmt.Errorf("copy to the GPU: %w", err)
	}
	if err := f(m); err != nil {
		m.Close() //nolint:errcheck // the first error counts
		return err
	}
	return m.Close()
}

func (c *carrier) upload(p patch) error {
	for at := 0; at < len(p.bytes); {
		if c.at == chunk {
			if err := c.next(); err != nil {
				return err
			}
		}
		to := c.half[c.turn][c.at:]
		n := copy(to, p.bytes[at:])
		if err := c.stream.Upload(p.at+device.Address(at), to[:n]); err != nil {
			return err
		}
		at += n
		c.at = min(chunk, (c.at+n+63)&^63)
	}
	return nil
}

// next goes on in the other half, once what was copied out of it has arrived.
func (c *carrier) next() error {
	m, err := c.stream.Mark()
	if err != nil {
		return err
	}
	c.done[c.turn] = m
	c.turn, c.at = 1-c.turn, 0
	if m = c.done[c.turn]; m == nil {
		return nil
	}
	c.done[c.turn] = nil
	if err := m.Wait(); err != nil {
		return err
	}
	return m.Close()
}

// get copies from the device, after a mark of another stream if there is one.
func (c *carrier) get(to []byte, from device.Address, after device.Mark) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if after != nil {
		if err := c.stream.After(after); err != nil {
			return fmt.Errorf("copy from the GPU: %w", err)
		}
	}
	for at := 0; at < len(to); at += chunk {
		n := min(chunk, len(to)-at)
		// Half 0 is free once all before has been done.
		if err := c.stream.Wait(); err != nil {
			return fmt.Errorf("copy from the GPU: %w", err)
		}
		if err := c.stream.Download(c.half[0][:n], from+device.Address(at)); err != nil {
			return fmt.Errorf("copy from the GPU: %w", err)
		}
		if err := c.stream.Wait(); err != nil {
			return fmt.Errorf("copy from the GPU: %w", err)
		}
		copy(to[at:], c.half[0][:n])
	}
	return nil
}

// after lets what is put from now on wait for a mark of another stream, which it closes.
func (c *carrier) after(m device.Mark) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.stream.After(m); err != nil {
		return err
	}
	return m.Close()
}

// fill sets memory to a value, before anything that is put from now on.
func (c *carrier) fill(at device.Address, bytes int64, value byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.stream.Fill(at, value, bytes); err != nil {
		return fmt.Errorf("clear memory of the GPU: %w", err)
	}
	return nil
}
