package main

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"sweep/trainer"
	"sweep/trainer/dataset"
)

// engine is a device whose epochs take no time. What it gives is of the size of the real thing.
type engine struct {
	mu    sync.Mutex
	slots []*trial
	saves atomic.Int64
}

type trial struct {
	config trainer.Config
	epoch  int
	loss   float64
	halted bool
	noise  *rand.Rand
}

var _ trainer.Engine = (*engine)(nil)

func (e *engine) Device() string  { return "null:0" }
func (e *engine) Slots() int      { return len(e.slots) }
func (e *engine) Kinds() []string { return nil }
func (e *engine) Close() error    { return nil }

func (e *engine) Load(slot int, c trainer.Config, st *trainer.State) error {
	t := &trial{config: c, noise: rand.New(rand.NewPCG(uint64(slot), 1))}
	t.loss = 0.02 + 0.05*t.noise.Float64()
	if st != nil {
		t.epoch = st.Epoch
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.slots[slot] = t
	return nil
}

func (e *engine) Advance(ctx context.Context, _ int) ([]trainer.Report, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	var out []trainer.Report
	for i, t := range e.slots {
		if t == nil || t.halted {
			continue
		}
		t.epoch++
		t.halted = true
		loss := t.loss * (1 + 1/float64(t.epoch))
		out = append(out, trainer.Report{
			Slot: i, Epoch: t.epoch, Train: trainer.Sums{Images: 1, Loss: loss},
			Validation: trainer.Sums{Images: 1, Values: 1, Loss: loss, SE: loss, AE: loss, SSIM: 0.5, Within: 1},
			TrainTime:  time.Second, Time: time.Second,
		})
	}
	return out, ctx.Err()
}

func (e *engine) Continue(slot int, _ bool) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.slots[slot].halted = false
	return nil
}

func (e *engine) at(slot int) *trial {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.slots[slot]
}

func (e *engine) Evaluate(
	_ context.Context, slot int, _ trainer.Which, set *dataset.Images, images []int, want trainer.Want,
) (trainer.Evaluation, error) {
	t := e.at(slot)
	n := len(images)
	if images == nil {
		n = set.Len()
	}
	var out trainer.Evaluation
	if want.Codes || want.CodesOnly {
		out.Codes = t.numbers(n * t.config.Latent)
	}
	if want.Reconstructions {
		out.Reconstructions = t.numbers(n * set.Height * set.Width * set.Channels)
	}
	return out, nil
}

// numbers are in [0, 1).
func (t *trial) numbers(n int) []float32 {
	out := make([]float32, n)
	for i := 0; i < n; i += 4 { // a draw is dearer than the copy of a result
		x := t.noise.Uint64()
		for j := i; j < min(i+4, n); j++ {
			out[j] = float32(x&0xFFFF) / 0x10000
			x >>= 16
		}
	}
	return out
}

func (e *engine) Decode(_ context.Context, slot int, _ trainer.Which, codes []float32) ([]float32, error) {
	c := e.at(slot).config
	return e.at(slot).numbers(len(codes) / c.Latent * c.Height * c.Width * c.Channels), nil
}

func (e *engine) Save(slot int) (*trainer.State, error) {
	e.saves.Add(1)
	t := e.at(slot)
	var tensors []trainer.Tensor
	for _, w := range t.config.Weights() {
		tensors = append(tensors, trainer.Tensor{Name: w.Name, Shape: w.Shape, Data: t.numbers(w.Size())})
	}
	return &trainer.State{Epoch: t.epoch, Step: int64(100 * t.epoch), Weights: tensors, Best: tensors, M: tensors, V: tensors}, nil
}

func (e *engine) Clear(slot int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.slots[slot] = nil
}
