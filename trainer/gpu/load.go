package gpu

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"sweep/trainer"
	"sweep/trainer/dataset"
	"sweep/trainer/device"
	"sweep/trainer/kernel/cuda"
)

// Load plans the network of c and lays it out on the device, with initial weights by its seed or those of st. The next
// Advance starts epoch st.Epoch+1. An error names what to change and leaves the slot free; it wraps [trainer.ErrMemory] for a
// trial that there is no memory for, and [trainer.ErrFull] too where there would be if the device held fewer others.
func (e *Engine) Load(slot int, c trainer.Config, st *trainer.State) error {
	if err := e.load(slot, c, st); err != nil {
		return fmt.Errorf("load a trial: %w", e.told(err))
	}
	return nil
}

func (e *Engine) load(slot int, c trainer.Config, st *trainer.State) error {
	e.mu.Lock()
	failure, taken := e.failure, slot >= 0 && slot < len(e.slots) && e.slots[slot] != nil
	e.mu.Unlock()
	switch {
	case failure != nil:
		return failure
	case slot < 0 || slot >= e.options.Slots:
		return fmt.Errorf("slot %d: there are slots 0 to %d", slot, e.options.Slots-1)
	case taken:
		return fmt.Errorf("slot %d holds a trial; clear it first", slot)
	}
	if err := trainer.CheckTraining(c); err != nil {
		return err
	}
	if n := (c.Batch + cuda.Tile - 1) / cuda.Tile; n > maxTiles {
		return fmt.Errorf("batch %d is more than a GPU takes at once; use at most %d", c.Batch, maxTiles*cuda.Tile)
	}
	b, err := e.bucketOf(c)
	if err != nil {
		return err
	}
	t := &trial{c: c, slot: slot, bucket: b}
	if t.train, t.forward, err = plans(c.Config, c.Batch); err == nil {
		err = t.settle(st)
	}
	if err != nil {
		e.leave(t)
		return err
	}
	b.joining.Add(-1)
	return nil
}

// settle takes memory for the trial, puts all that it begins with there, and gives the trial its slot.
func (t *trial) settle(st *trainer.State) error {
	e, b := t.bucket.engine, t.bucket
	t.room = newRoom(t.c, t.train, t.forward, b.train.split, valueBytes(e.options.Precision))
	blocks, err := t.initial(st)
	if err != nil {
		return fmt.Errorf("read a checkpoint: %w", err)
	}
	if t.at, err = e.take(t.room.bytes); err != nil {
		return err
	}
	for i, set := range []*dataset.Images{t.c.Train, t.c.Validation} {
		if t.sets[i], err = e.hold(set); err != nil {
			return err
		}
	}
	if err := e.carrier.fill(t.at, t.room.cleared, 0); err != nil {
		return err
	}
	patches := t.orders()
	patches = append(patches, patch{t.at + device.Address(t.room.segments), cuda.Bytes(t.room.segment)})
	for offset, block := range blocks {
		patches = append(patches, patch{t.at + device.Address(offset), numbersOf(block)})
	}
	if err := e.carrier.put(patches, func(device.Mark) error { return nil }); err != nil {
		return err
	}
	t.begin()

	// The lines of the bucket's tables, which rounds of a trial that was in this slot before may still read: behind them.
	b.mu.Lock()
	defer b.mu.Unlock()
	tiles := (t.c.Batch + cuda.Tile - 1) / cuda.Tile
	for _, o := range b.trials {
		if o != nil {
			tiles += (o.c.Batch + cuda.Tile - 1) / cuda.Tile
		}
	}
	if tiles > e.capacity {
		return fmt.Errorf("batch %d beside the other trials is more than the GPU takes at once: lower batch: %w: %w",
			t.c.Batch, trainer.ErrFull, trainer.ErrMemory)
	}
	m, err := b.stream.Mark()
	if err != nil {
		return err
	}
	if err := e.carrier.after(m); err != nil {
		return err
	}
	lines := b.trainTable.row(t.slot, t.train, t.room.train, t.room.splits, t.at)
	lines = append(lines, b.valueTable.row(t.slot, t.forward, t.room.forward, t.room.splits, t.at)...)
	table := t.room.slot(t.c, t.train.Layout, t.train.Loss, t.at)
	lines = append(lines, patch{b.slots + device.Address(int64(t.slot)*cuda.SizeOf[cuda.Slot]()), cuda.Bytes([]cuda.Slot{table})})
	if err := e.carrier.put(lines, b.stream.After); err != nil {
		return err
	}
	if t.kept, err = b.stream.Mark(); err != nil {
		return err
	}
	// With the lock still held, so that whoever loads beside it counts its tiles; it can be found before it can report.
	e.mu.Lock()
	e.slots[t.slot] = t
	e.mu.Unlock()
	b.trials[t.slot] = t
	return nil
}

// leave gives back what a trial has, once the device has done with it.
func (e *Engine) leave(t *trial) {
	b := t.bucket
	b.mu.Lock()
	var err error
	if b.trials[t.slot] == t {
		b.trials[t.slot] = nil
	} else {
		b.joining.Add(-1)
		// What was put there may still be on its way, and the stream knows nothing of it.
		err = e.carrier.put(nil, b.stream.After)
	}
	var m device.Mark
	if err == nil {
		m, err = b.stream.Mark()
	}
	if t.kept != nil {
		t.kept.Close() //nolint:errcheck // nobody waits for it any more
	}
	b.mu.Unlock()
	if err != nil {
		e.stopped(err) //nolint:errcheck // the next call tells it
		return
	}
	e.mu.Lock()
	if e.slots[t.slot] == t {
		e.slots[t.slot] = nil
	}
	if t.at != 0 {
		e.going = append(e.going, leaving{t.at, t.room.bytes, m})
	} else {
		m.Close() //nolint:errcheck // nothing waits for it
	}
	e.mu.Unlock()
	for _, d := range t.sets {
		e.letGo(d)
	}
}

// Clear empties a slot; an empty one stays so. Rounds of the trial that are under way come to nothing.
func (e *Engine) Clear(slot int) {
	if t, err := e.at(slot); err == nil {
		e.leave(t)
	}
}

// bucketOf is the bucket for networks like c, which counts the trial as one that is joining it.
func (e *Engine) bucketOf(c trainer.Config) (*bucket, error) {
	stack := stackOf(c.Config)
	join := func() *bucket {
		for _, b := range e.stacks() {
			if reflect.DeepEqual(b.stack, stack) {
				b.joining.Add(1)
				return b
			}
		}
		return nil
	}
	e.making.Lock()
	defer e.making.Unlock()
	if b := join(); b != nil {
		return b, nil
	}
	train, forward, err := programs(c.Config)
	if err != nil {
		return nil, err
	}
	if kinds := lacks(train, forward); len(kinds) > 0 {
		return nil, fmt.Errorf("a GPU has no kernels for its steps %s: train it on a core", strings.Join(kinds, ", "))
	}
	if _, err := e.dismiss(idleBuckets - 1); err != nil {
		return nil, err
	}
	b, err := e.newBucket(c.Config, train, forward)
	if err != nil {
		return nil, err
	}
	e.mu.Lock()
	e.buckets = append(e.buckets, b)
	e.mu.Unlock()
	return join(), nil
}

// dismiss closes the oldest of the idle buckets where they are more than are kept, and tells whether it did. making is held.
func (e *Engine) dismiss(kept int) (bool, error) {
	var idle []*bucket
	for _, b := range e.stacks() {
		b.mu.Lock()
		if b.joining.Load() == 0 && len(b.flights) == 0 && !slices.ContainsFunc(b.trials, func(t *trial) bool { return t != nil }) {
			idle = append(idle, b)
		}
		b.mu.Unlock()
	}
	if len(idle) <= kept {
		return false, nil
	}
	e.mu.Lock()
	e.buckets = slices.DeleteFunc(e.buckets, func(b *bucket) bool { return b == idle[0] })
	e.mu.Unlock()
	for _, s := range []device.Stream{idle[0].stream, idle[0].evaluator.stream} {
		if err := s.Wait(); err != nil {
			return true, err
		}
	}
	return true, idle[0].close()
}

// Save copies out the state of the last epoch's end. Its StopState is the caller's to fill.
func (e *Engine) Save(slot int) (*trainer.State, error) {
	t, err := e.at(slot)
	if err != nil {
		return nil, fmt.Errorf("save: %w", err)
	}
	st, err := t.save()
	if err != nil {
		return nil, fmt.Errorf("save: %w", e.told(err))
	}
	return st, nil
}

func (t *trial) save() (*trainer.State, error) {
	b, r := t.bucket, t.room
	b.mu.Lock()
	halted, after := t.state == halted, t.kept
	st := &trainer.State{Epoch: t.epoch, Step: t.keptStep}
	b.mu.Unlock()
	from := r.kept
	if halted { // what lies there is that of the epoch's end already
		from, st.Step = [3]int64{r.w, r.m, r.v}, t.step
	}
	l := t.train.Layout
	block := l.NewBlock()
	get := func(offset int64) ([]trainer.Tensor, error) {
		if err := b.engine.viewing.get(numbersOf(block), t.at+device.Address(offset), after); err != nil {
			return nil, err
		}
		return trainer.TensorsOf(l.Weights, func(i int) []float32 { return l.Of(block, i) }), nil
	}
	var errs [4]error
	st.Weights, errs[0] = get(from[0])
	st.M, errs[1] = get(from[1])
	if r.v != 0 {
		st.V, errs[2] = get(from[2])
	}
	if t.hasBest {
		st.Best, errs[3] = get(r.best)
	}
	return st, errors.Join(errs[:]...)
}
