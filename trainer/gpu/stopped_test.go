//go:build gpu

package gpu

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"sweep/trainer"
	"sweep/trainer/device"
)

// starved is a device that has no memory left for graphs.
type starved struct{ device.GPU }

func (s starved) Stream() (device.Stream, error) {
	q, err := s.GPU.Stream()
	return starvedStream{q}, err
}

type starvedStream struct{ device.Stream }

func (starvedStream) Capture(func() error) (device.Graph, error) {
	return nil, fmt.Errorf("instantiate a graph: %w", device.ErrMemory)
}

// What cannot be sent is no error of one trial, and the driver's words for it are not always those of a lost context: the pool
// has to hear that the device is lost, or it would end the sweep.
func TestWhatCannotBeSentLosesTheDevice(t *testing.T) {
	gpu := starved{device0(t)}
	e, err := New(gpu, Options{Slots: 2, Memory: 64 << 20})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := e.Load(0, small(nil), nil); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := e.Advance(context.Background(), 4); !errors.Is(err, trainer.ErrDevice) || !errors.Is(err, device.ErrMemory) {
			t.Fatalf("without memory for its graphs an engine says %v", err)
		}
	}
	if err := e.Load(1, small(nil), nil); !errors.Is(err, trainer.ErrDevice) {
		t.Errorf("loading into the same engine gives %v", err)
	}
}

// unmarked is a device whose streams, once told, make no more marks.
type unmarked struct {
	device.GPU
	told *bool
}

func (u unmarked) Stream() (device.Stream, error) {
	q, err := u.GPU.Stream()
	return unmarkedStream{q, u.told}, err
}

type unmarkedStream struct {
	device.Stream
	told *bool
}

func (u unmarkedStream) Mark() (device.Mark, error) {
	if *u.told {
		return nil, fmt.Errorf("make an event: %w", device.ErrMemory)
	}
	return u.Stream.Mark()
}

// Without a mark nobody learns when the memory of a trial that was cleared is free: it would stay taken, and the slot with it.
func TestWhatCannotBeGivenBackLosesTheDevice(t *testing.T) {
	told := false
	e, err := New(unmarked{device0(t), &told}, Options{Slots: 2, Memory: 64 << 20})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	load(t, e, 0, small(nil), nil)
	told = true
	e.Clear(0)
	told = false
	if err := e.Load(0, small(nil), nil); !errors.Is(err, trainer.ErrDevice) || !errors.Is(err, device.ErrMemory) {
		t.Errorf("loading after a trial that could not be cleared gives %v", err)
	}
}
