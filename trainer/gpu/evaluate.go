package gpu

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"unsafe"

	"sweep/trainer"
	"sweep/trainer/dataset"
	"sweep/trainer/device"
	"sweep/trainer/kernel"
	"sweep/trainer/kernel/cuda"
)

// evaluator runs the networks of one bucket beside its rounds, one trial at a time, on tables of one slot.
type evaluator struct {
	mu     sync.Mutex
	stream device.Stream
	table  *tables
	slot   device.Address
}

// Evaluate runs images of a set through the network of a trial, a batch of the trial's at a time, beside the rounds of others.
// A trial in the middle of an epoch has its turn between two rounds.
func (e *Engine) Evaluate(ctx context.Context, slot int, which trainer.Which, set *dataset.Images, images []int, want trainer.Want) (trainer.Evaluation, error) {
	t, err := e.at(slot)
	if err != nil {
		return trainer.Evaluation{}, fmt.Errorf("evaluate: %w", err)
	}
	out, err := t.evaluate(ctx, which, set, images, want)
	if err != nil {
		return trainer.Evaluation{}, fmt.Errorf("evaluate: %w", e.told(err))
	}
	return out, nil
}

func (t *trial) evaluate(ctx context.Context, which trainer.Which, set *dataset.Images, images []int, want trainer.Want) (trainer.Evaluation, error) {
	if err := trainer.SetFits(t.c.Config, "given", set); err != nil {
		return trainer.Evaluation{}, err
	}
	if which == trainer.Best && !t.hasBest {
		return trainer.Evaluation{}, errors.New("there is no best epoch yet")
	}
	if images == nil {
		images = make([]int, set.Len())
		for i := range images {
			images[i] = i
		}
	}
	for _, i := range images {
		if i < 0 || i >= set.Len() {
			return trainer.Evaluation{}, fmt.Errorf("run image %d: the set has %d", i, set.Len())
		}
	}
	b, e := t.bucket, t.bucket.engine
	b.mu.Lock()
	if t.state == running {
		// Its memory is that of rounds which may be under way, so no more may be sent meanwhile.
		defer b.mu.Unlock()
		if err := b.stream.Wait(); err != nil {
			return trainer.Evaluation{}, err
		}
	} else {
		b.mu.Unlock()
	}
	b.evaluator.mu.Lock()
	defer b.evaluator.mu.Unlock()
	v, err := t.viewer(which, set)
	if err != nil {
		return trainer.Evaluation{}, err
	}
	defer e.letGo(v.resident)
	var out trainer.Evaluation
	for at := 0; at < len(images); at += t.c.Batch {
		if err := ctx.Err(); err != nil {
			return trainer.Evaluation{}, err
		}
		if err := v.batch(images[at:min(at+t.c.Batch, len(images))], want, &out); err != nil {
			return trainer.Evaluation{}, err
		}
	}
	return out, nil
}

// viewer runs batches of one set through the network of one trial.
type viewer struct {
	*trial
	set      *dataset.Images
	resident *resident // nil: the pixels of a batch are copied to the trial's room
	w        int64
	pixels   []byte
}

func (t *trial) viewer(which trainer.Which, set *dataset.Images) (*viewer, error) {
	e := t.bucket.engine
	v := &viewer{trial: t, set: set, w: t.room.w}
	if which == trainer.Best {
		v.w = t.room.best
	}
	ev := &t.bucket.evaluator
	lines := ev.table.row(0, t.forward, t.room.forward, t.room.splits, t.at)
	if err := e.viewing.put(lines, ev.stream.After); err != nil {
		return nil, err
	}
	v.resident = e.find(set)
	return v, nil
}

// batch runs one batch and adds what is wanted of it to out.
func (v *viewer) batch(images []int, want trainer.Want, out *trainer.Evaluation) error {
	e, ev, n := v.bucket.engine, &v.bucket.evaluator, len(images)
	order := make([]int32, n)
	for i, image := range images {
		order[i] = int32(image)
	}
	on := func(offset int64) device.Address { return v.at + device.Address(offset) }
	patches := []patch{}
	u := cuda.Unit{Order: cuda.Address(on(v.room.viewed)), W: cuda.Address(on(v.w)), N: int32(n), Train: cuda.Measure}
	if v.resident != nil {
		u.Pixels = cuda.Address(v.resident.at)
	} else {
		size := v.c.Height * v.c.Width * v.c.Channels
		v.pixels = v.pixels[:0]
		for i, image := range images {
			v.pixels = append(v.pixels, v.set.Pixels[image*size:][:size]...)
			order[i] = int32(i)
		}
		u.Pixels = cuda.Address(on(v.room.staged))
		patches = append(patches, patch{on(v.room.staged), v.pixels})
	}
	slot := v.room.slot(v.c, v.forward.Layout, v.forward.Loss, v.at)
	slot.Unit = u
	table := ev.table
	tiles := make([]cuda.Work, (n+cuda.Tile-1)/cuda.Tile)
	for i := range tiles {
		tiles[i].Tile = int32(i)
	}
	patches = append(patches, patch{on(v.room.viewed), cuda.Bytes(order)}, patch{ev.slot, cuda.Bytes([]cuda.Slot{slot})},
		patch{table.at + device.Address(table.tileList), cuda.Bytes(tiles)},
		patch{table.at + device.Address(table.slotList), cuda.Bytes([]cuda.Work{{}})},
		patch{table.at + device.Address(table.lists), cuda.Bytes([]cuda.Lists{{
			Tiles: int32(len(tiles)), Slots: 1, Tile: table.on(table.tileList), Slot: table.on(table.slotList),
		}})})
	if err := e.viewing.put(patches, ev.stream.After); err != nil {
		return err
	}
	k := class{tiles: len(tiles), slots: 1, latent: v.c.Latent, batch: v.c.Batch, trained: v.train.Layout.Trained}
	for i := range table.program.steps {
		s := &table.program.steps[i]
		if want.CodesOnly && i > table.program.encoded {
			break
		}
		if err := e.code.launches(ev.stream, s, table.task(i), k); err != nil {
			return err
		}
	}
	m, err := ev.stream.Mark()
	if err != nil {
		return err
	}
	defer m.Close() //nolint:errcheck // it was reached
	return v.collect(n, m, want, out)
}

// collect brings back what is wanted of n images, after a mark.
func (v *viewer) collect(n int, m device.Mark, want trainer.Want, out *trainer.Evaluation) error {
	e, ev := v.bucket.engine, &v.bucket.evaluator
	if want.CodesOnly {
		want = trainer.Want{Codes: true}
	} else {
		table := make([]cuda.Slot, 1)
		if err := e.viewing.get(cuda.Bytes(table), ev.slot, m); err != nil {
			return err
		}
		out.Sums.Add(sums(table[0].Validation))
	}
	if want.Codes {
		codes, err := v.value(v.forward.Code, n, m)
		if err != nil {
			return err
		}
		out.Codes = append(out.Codes, codes...)
	}
	if want.Reconstructions {
		values, err := v.value(v.forward.Output, n, m)
		if err != nil {
			return err
		}
		o := v.forward.Values[v.forward.Output]
		pred := kernel.Map{Data: values, N: n, H: o.H, W: o.W, C: o.C}
		out.Reconstructions = append(out.Reconstructions, kernel.Reconstruct(nil, pred, v.forward.Loss)...)
	}
	return m.Wait()
}

// value brings back the numbers of n images in a value.
func (v *viewer) value(value, n int, m device.Mark) ([]float32, error) {
	e, size := v.bucket.engine, v.forward.Values[value]
	count := n * size.H * size.W * size.C
	from := v.at + device.Address(v.room.forward[value])
	out := make([]float32, count)
	if valueBytes(e.options.Precision) == 4 {
		return out, e.viewing.get(numbersOf(out), from, m)
	}
	half := make([]byte, 2*count)
	if err := e.viewing.get(half, from, m); err != nil {
		return nil, err
	}
	for i := range out {
		out[i] = math.Float32frombits(uint32(half[2*i])<<16 | uint32(half[2*i+1])<<24)
	}
	return out, nil
}

// Decode is refused: no stack that a GPU runs makes images of codes.
func (e *Engine) Decode(_ context.Context, slot int, _ trainer.Which, _ []float32) ([]float32, error) {
	if _, err := e.at(slot); err != nil {
		return nil, fmt.Errorf("decode: %w", err)
	}
	return nil, errors.New("decode: only the variant variational makes images of codes, and no GPU trains it")
}

// numbersOf are floats as they lie in memory, which is as the device has them.
func numbersOf(x []float32) []byte {
	if len(x) == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(&x[0])), 4*len(x))
}
