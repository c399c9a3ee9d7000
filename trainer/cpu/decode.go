package cpu

import (
	"context"
	"errors"
	"fmt"

	"sweep/trainer"
	"sweep/trainer/kernel"
	"sweep/trainer/model"
	"sweep/trainer/plan"
)

// decoder is the part of a network behind the code.
func decoder(c trainer.Config) (*plan.Program, error) {
	net, err := model.Decoder(c.Config, c.Batch)
	if err != nil {
		return nil, err
	}
	return plan.Decode(net)
}

// Decode makes images of codes, a batch at a time.
func (e *Engine) Decode(ctx context.Context, slot int, which trainer.Which, codes []float32) ([]float32, error) {
	s, err := e.at(slot)
	if err != nil {
		return nil, fmt.Errorf("decode: %w", err)
	}
	w, err := s.weights(which)
	if err != nil {
		return nil, fmt.Errorf("decode: %w", err)
	}
	switch {
	case s.decode == nil:
		return nil, errors.New("decode: only the variant variational makes images of codes")
	case len(codes)%s.c.Latent != 0:
		return nil, fmt.Errorf("decode: %d numbers are no codes of %d", len(codes), s.c.Latent)
	}
	n := len(codes) / s.c.Latent
	size := s.c.Height * s.c.Width * s.c.Channels
	out := make([]float32, n*size)
	for at := 0; at < n; at += s.c.Batch {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		m := min(s.c.Batch, n-at)
		if err := s.decode.Decode(w, codes[at*s.c.Latent:][:m*s.c.Latent], m); err != nil {
			return nil, fmt.Errorf("decode: %w", err)
		}
		kernel.Reconstruct(out[at*size:][:m*size], s.decode.Output(m), s.decode.Program().Loss)
	}
	return out, nil
}

// weights are the ones asked for, where they lie.
func (t *trial) weights(which trainer.Which) ([]float32, error) {
	switch {
	case which == trainer.Current:
		return t.w, nil
	case !t.hasBest:
		return nil, errors.New("there is no best epoch yet")
	}
	return t.best, nil
}
