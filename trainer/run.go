package trainer

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"sweep/study"
)

// run is a trial in a slot.
type run struct {
	grant  study.Grant
	config Config
	stop   StopState
	epoch  int   // the last one that ended
	seq    int64 // of the last Append
	// stored is the last epoch whose state is in the store, saved when that was written.
	stored int
	saved  time.Time
	rates  []float64 // training images a second, by epoch
	// pending are files of epochs that are not stored yet: they go with the next checkpoint, or with the end of the
	// trial, so that a resumed attempt, which makes them again, finds none of them.
	pending []study.File
}

// epoch takes a report: metrics, early stopping, verdict, files.
//
// An interrupt does not reach it: an epoch that has ended is stored whole, or the checkpoint that a drain writes next
// would be ahead of its points.
func (w *worker) epoch(ctx context.Context, rep Report) error {
	ctx = context.WithoutCancel(ctx)
	r := w.runs[rep.Slot]
	if rep.Err != nil {
		return w.finish(ctx, rep.Slot, failure(rep.Err))
	}
	metrics := epochMetrics(rep)
	objective := r.grant.Spec.Objective
	value, ok := metrics[objective.Name]
	if !ok {
		return w.finish(ctx, rep.Slot, failure(fmt.Errorf("the trainer reports no metric %s", objective.Name)))
	}
	if math.IsNaN(value) || math.IsInf(value, 0) {
		return w.finish(ctx, rep.Slot, failure(fmt.Errorf("%s is %v after epoch %d: %w", objective.Name, value, rep.Epoch, ErrNaN)))
	}
	r.epoch = rep.Epoch
	if rate, ok := metrics["images_per_s"]; ok {
		r.rates = append(r.rates, rate)
	}
	better := r.stop.note(objective.Direction, value, rep.Epoch, metrics)

	r.seq++
	verdict, err := w.pool.Work.Append(ctx, r.grant.Lease, r.seq, points(metrics, rep.Epoch, w.pool.Now()))
	switch {
	case errors.Is(err, study.ErrStale):
		w.clear(rep.Slot)
		return nil
	case err != nil:
		return err
	}
	done := rep.Epoch >= r.config.Epochs || r.config.Patience > 0 && r.stop.Bad >= r.config.Patience
	switch {
	case done:
		return w.complete(ctx, rep.Slot, better)
	case verdict == study.Prune:
		return w.finish(ctx, rep.Slot, study.Outcome{State: study.Pruned, Value: value, Metrics: w.summary(r), Files: r.pending})
	}
	if stripDue(rep.Epoch, r.config.Epochs) {
		if err := w.strip(ctx, rep.Slot, Current); err != nil {
			return w.finish(ctx, rep.Slot, failure(err))
		}
	}
	if err := w.engine.Continue(rep.Slot, better); err != nil {
		return w.finish(ctx, rep.Slot, failure(err))
	}
	switch {
	case verdict == study.Pause || verdict == study.Stop:
		return w.release(ctx, rep.Slot)
	case w.pool.Now().Sub(r.saved) >= savingShare*w.cost:
		return w.checkpoint(ctx, rep.Slot)
	}
	return nil
}

// note counts an epoch's objective and reports whether it is the best so far.
func (s *StopState) note(d study.Direction, value float64, epoch int, metrics map[string]float64) bool {
	if s.BestEpoch > 0 && !d.Better(value, s.Best) {
		s.Bad++
		return false
	}
	s.BestEpoch, s.Best, s.Bad, s.Metrics = epoch, value, 0, metrics
	return true
}

// complete ends a trial with its best weights.
func (w *worker) complete(ctx context.Context, slot int, better bool) error {
	r := w.runs[slot]
	which := Best
	if better {
		which = Current
	}
	if better || !stripDue(r.stop.BestEpoch, r.config.Epochs) {
		if err := w.strip(ctx, slot, which); err != nil {
			return w.finish(ctx, slot, failure(err))
		}
	}
	state, err := w.engine.Save(slot)
	if err != nil {
		return w.finish(ctx, slot, failure(err))
	}
	weights := state.Best
	if better {
		weights = state.Weights
	}
	body, err := w.pool.EncodeModel(r.config, weights)
	if err != nil {
		return w.finish(ctx, slot, failure(err))
	}
	return w.finish(ctx, slot, study.Outcome{
		State: study.Complete, Value: r.stop.Best, Metrics: w.summary(r),
		Files: append(r.pending, study.File{
			Kind: study.ModelFile, Name: "model.safetensors", Media: "application/octet-stream", Step: r.stop.BestEpoch, Body: body,
		}),
	})
}

// summary is a trial's metrics at its best epoch, with the median rate of the epochs that this attempt ran.
func (w *worker) summary(r *run) map[string]float64 {
	out := make(map[string]float64, len(r.stop.Metrics)+1)
	for k, v := range r.stop.Metrics {
		out[k] = v
	}
	out["epoch"] = float64(r.stop.BestEpoch)
	if len(r.rates) > 0 {
		out["images_per_s"] = median(r.rates)
	}
	return out
}

// stripDue spreads about a dozen strips over a trial: the first epoch, then every tenth part of it.
func stripDue(epoch, epochs int) bool { return epoch == 1 || epoch%max(1, (epochs+9)/10) == 0 }

// strip draws the first validation images over what the network makes of them, for the epoch that its weights are of.
func (w *worker) strip(ctx context.Context, slot int, which Which) error {
	r := w.runs[slot]
	step := r.epoch
	if which == Best {
		step = r.stop.BestEpoch
	}
	set := r.config.Validation
	images := make([]int, min(stripImages, set.Len()))
	for i := range images {
		images[i] = i
	}
	e, err := w.engine.Evaluate(ctx, slot, which, set, images, Want{Reconstructions: true})
	if err != nil {
		return fmt.Errorf("reconstruct %d images: %w", len(images), err)
	}
	size := set.Height * set.Width * set.Channels
	originals := make([]float32, len(images)*size)
	for i := range originals {
		originals[i] = float32(set.Pixels[i]) / 255
	}
	png, err := w.pool.Strip(originals, e.Reconstructions, set.Height, set.Width, set.Channels)
	if err != nil {
		return fmt.Errorf("draw the strip: %w", err)
	}
	r.pending = append(r.pending, study.File{
		Kind: study.StripFile, Name: fmt.Sprintf("epoch-%04d.png", step), Media: "image/png", Step: step, Body: png,
	})
	return nil
}

// checkpoint writes the state of the last epoch's end, and the pending files with it, unless it is in the store already.
func (w *worker) checkpoint(ctx context.Context, slot int) error {
	r := w.runs[slot]
	if r.epoch == 0 || r.epoch == r.stored {
		return nil
	}
	begin := w.pool.Now()
	state, err := w.engine.Save(slot)
	if err != nil {
		return fmt.Errorf("save trial %d: %w", r.grant.Number, err)
	}
	state.Stop = r.stop
	body, err := w.pool.Encode(state, r.config)
	if err != nil {
		return fmt.Errorf("save trial %d: %w", r.grant.Number, err)
	}
	err = w.pool.Work.Commit(ctx, r.grant.Lease, r.epoch, append(r.pending, study.File{
		Kind: study.CheckpointFile, Name: fmt.Sprintf("epoch-%04d.safetensors", r.epoch), Media: "application/octet-stream", Body: body,
	})...)
	if errors.Is(err, study.ErrStale) {
		return nil // noticed again, and acted on, at the next Renew
	}
	if err != nil {
		return err
	}
	r.pending, r.stored, r.saved = nil, r.epoch, w.pool.Now()
	w.cost = r.saved.Sub(begin)
	return nil
}
