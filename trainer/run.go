package trainer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	"sweep/study"
)

// run is a trial in a slot.
type run struct {
	grant  study.Grant
	config Config
	seq    int64 // of the last Append

	// epoch is the last one whose points are in the store and after which the engine was told to go on; stop and
	// value, the objective, are of its end.
	epoch int
	stop  StopState
	value float64
	// unsettled is set while an epoch that has ended is being stored: the engine is one epoch ahead of the store then,
	// and what it would save is not what the store says.
	unsettled bool

	// stored is the last epoch whose state is in the store, saved when that was written.
	stored int
	saved  time.Time
	// pending are files of epochs that are not stored yet: they go with the next checkpoint, or with the end of the
	// trial, so that a resumed attempt, which makes them again, finds none of them.
	pending []study.File
}

// fetch reads the checkpoint that a grant goes on from; nil without one.
func (w *worker) fetch(ctx context.Context, g study.Grant) (*State, error) {
	if g.Resume == nil {
		return nil, nil
	}
	f, err := w.pool.Work.Fetch(ctx, g.Lease, g.Resume.Digest)
	if err != nil {
		return nil, fmt.Errorf("fetch the checkpoint of epoch %d: %w", g.Resume.Step, err)
	}
	defer f.Close()
	b, err := io.ReadAll(f)
	if err != nil {
		return nil, fmt.Errorf("read the checkpoint of epoch %d: %w", g.Resume.Step, err)
	}
	state, err := w.pool.Decode(b)
	if err != nil {
		return nil, fmt.Errorf("read the checkpoint of epoch %d: %w", g.Resume.Step, err)
	}
	if state.Epoch != g.Resume.Step {
		return nil, fmt.Errorf("the checkpoint of epoch %d holds epoch %d", g.Resume.Step, state.Epoch)
	}
	return state, nil
}

// epoch takes a report: metrics, early stopping, verdict, files. Its error is the trial's own, or a storeError.
//
// An interrupt does not reach it: an epoch that has ended is stored whole.
func (w *worker) epoch(ctx context.Context, rep Report) error {
	ctx = context.WithoutCancel(ctx)
	if rep.Err != nil {
		return rep.Err
	}
	r := w.runs[rep.Slot]
	r.unsettled = true
	metrics := epochMetrics(r.config.Config, rep)
	if probeDue(rep.Epoch) && probed(r.config) {
		acc, err := probe(ctx, w.engine, rep.Slot, Current, r.config)
		if err != nil {
			return err
		}
		metrics[probeKey] = acc
	}
	objective := r.grant.Spec.Objective
	value, ok := metrics[objective.Name]
	switch {
	case !ok:
		return fmt.Errorf("the trainer reports no metric %s", objective.Name)
	case math.IsNaN(value) || math.IsInf(value, 0) && objective.Direction.Better(0, value):
		return fmt.Errorf("%s is %v after epoch %d: %w", objective.Name, value, rep.Epoch, ErrNaN)
	}
	stop := r.stop
	better := stop.note(objective.Direction, value, rep.Epoch, metrics)

	r.seq++
	verdict, err := w.pool.Work.Append(ctx, r.grant.Lease, r.seq, points(metrics, rep.Epoch, w.pool.Now()))
	if errors.Is(err, study.ErrStale) {
		w.clear(rep.Slot)
		return nil
	}
	if err != nil {
		return ofStore(err)
	}
	r.epoch, r.stop, r.value = rep.Epoch, stop, value
	switch {
	case r.epoch >= r.config.Epochs || r.config.Patience > 0 && stop.Bad >= r.config.Patience:
		return w.complete(ctx, rep.Slot, better)
	case verdict == study.Prune:
		return w.heed(ctx, rep.Slot, verdict)
	}
	if stripDue(r.epoch) {
		if err := w.strip(ctx, rep.Slot, Current); err != nil {
			return err
		}
	}
	if err := w.engine.Continue(rep.Slot, better); err != nil {
		return err
	}
	r.unsettled = false
	if verdict != study.Go {
		return w.heed(ctx, rep.Slot, verdict)
	}
	if w.pool.Now().Sub(r.saved) >= savingShare*w.cost {
		return w.checkpoint(ctx, rep.Slot)
	}
	return nil
}

// note counts an epoch's objective and reports whether it is the best so far.
func (s *StopState) note(d study.Direction, value float64, epoch int, metrics map[string]float64) bool {
	if rate, ok := metrics["images_per_s"]; ok {
		s.Rates = append(s.Rates[:len(s.Rates):len(s.Rates)], rate)
	}
	if s.BestEpoch > 0 && !d.Better(value, s.Best) {
		s.Bad++
		return false
	}
	s.BestEpoch, s.Best, s.Bad, s.Metrics = epoch, value, 0, metrics
	return true
}

// complete ends a trial with its best weights, which are the current ones when the last epoch was the best.
func (w *worker) complete(ctx context.Context, slot int, better bool) error {
	r := w.runs[slot]
	which := Best
	if better {
		which = Current
	}
	if better || !stripDue(r.stop.BestEpoch) {
		if err := w.strip(ctx, slot, which); err != nil {
			return err
		}
	}
	if r.config.Generates() {
		if err := w.generate(ctx, slot, which); err != nil {
			return err
		}
	}
	state, err := w.engine.Save(slot)
	if err != nil {
		return err
	}
	weights := state.Best
	if better {
		weights = state.Weights
	}
	body, err := w.pool.EncodeModel(r.config, weights)
	if err != nil {
		return err
	}
	metrics := r.summary()
	if _, done := metrics[probeKey]; !done && probed(r.config) {
		if metrics[probeKey], err = probe(ctx, w.engine, slot, which, r.config); err != nil {
			return err
		}
	}
	return w.finish(ctx, slot, study.Outcome{
		State: study.Complete, Value: r.stop.Best, Metrics: metrics,
		Files: append(r.pending, study.File{
			Kind: study.ModelFile, Name: "model.safetensors", Media: "application/octet-stream", Step: r.stop.BestEpoch, Body: body,
		}),
	})
}

// summary is a trial's metrics at its best epoch, with the median rate of all its epochs.
func (r *run) summary() map[string]float64 {
	out := make(map[string]float64, len(r.stop.Metrics)+1)
	for k, v := range r.stop.Metrics {
		out[k] = v
	}
	if len(r.stop.Rates) > 0 {
		out["images_per_s"] = median(r.stop.Rates)
	}
	return out
}

// stripDue picks the epochs whose pictures are kept: 1, 2, 3, 5, 8, 13, … (Fibonacci's numbers), close together while a
// network changes fast, and a dozen in a long trial.
func stripDue(epoch int) bool {
	a, b := 1, 2
	for a < epoch {
		a, b = b, a+b
	}
	return a == epoch
}

// strip draws the first validation images over what the network makes of them, for the epoch that its weights are of.
// See [Config.rows].
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
	rows, channels := r.config.rows(set, images, e)
	png, err := w.pool.Strip(rows, set.Height, set.Width, channels)
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
	if r.epoch == r.stored || r.unsettled {
		return nil
	}
	begin := w.pool.Now()
	state, err := w.engine.Save(slot)
	if err != nil {
		return fmt.Errorf("save epoch %d: %w", r.epoch, err)
	}
	state.Stop = r.stop
	body, err := w.pool.Encode(state, r.config)
	if err != nil {
		return fmt.Errorf("save epoch %d: %w", r.epoch, err)
	}
	err = w.pool.Work.Commit(ctx, r.grant.Lease, r.epoch, append(r.pending, study.File{
		Kind: study.CheckpointFile, Name: fmt.Sprintf("epoch-%04d.safetensors", r.epoch), Media: "application/octet-stream",
		Step: r.epoch, Body: body,
	})...)
	if errors.Is(err, study.ErrStale) {
		return nil // noticed again, and acted on, at the next Renew
	}
	if err != nil {
		return ofStore(err)
	}
	r.pending, r.stored, r.saved = nil, r.epoch, w.pool.Now()
	w.cost = r.saved.Sub(begin)
	return nil
}
