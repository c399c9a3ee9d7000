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

	// epoch is the last one whose points are in the store; stop and value, the objective, are of its end, and better says
	// that its weights are the best ones but the engine was not told so yet.
	epoch  int
	stop   StopState
	value  float64
	better bool
	// unsettled is set while an epoch that has ended is being stored: the engine is one epoch ahead of the store then,
	// and what it would save is not what the store says.
	unsettled bool

	// stored is the last epoch whose state is in the store, saved when that was written and cost how long it took.
	stored int
	saved  time.Time
	cost   time.Duration
	// pending are files of epochs that are not stored yet: they go with the next checkpoint, or with the end of the
	// trial, so that a resumed attempt, which makes them again, finds none of them.
	pending []pendingFile
}

// fetch reads the checkpoint that a grant goes on from; nil without one.
func (x *slot) fetch(ctx context.Context, g study.Grant) (*State, error) {
	if g.Resume == nil {
		return nil, nil
	}
	f, err := x.pool.Work.Fetch(ctx, g.Lease, g.Resume.Digest)
	if err != nil {
		return nil, fmt.Errorf("fetch the checkpoint of epoch %d: %w", g.Resume.Step, err)
	}
	defer f.Close()
	b, err := io.ReadAll(f)
	if err != nil {
		return nil, fmt.Errorf("read the checkpoint of epoch %d: %w", g.Resume.Step, err)
	}
	state, err := x.pool.Decode(b)
	if err != nil {
		return nil, fmt.Errorf("read the checkpoint of epoch %d: %w", g.Resume.Step, err)
	}
	if state.Epoch != g.Resume.Step {
		return nil, fmt.Errorf("the checkpoint of epoch %d holds epoch %d", g.Resume.Step, state.Epoch)
	}
	return state, nil
}

// epoch takes a report: metrics, early stopping, verdict, files. Its error is the trial's own, the device's or a
// storeError.
//
// An interrupt does not reach it: an epoch that has ended is stored whole.
func (x *slot) epoch(ctx context.Context, rep Report) error {
	ctx = context.WithoutCancel(ctx)
	if rep.Err != nil {
		return rep.Err
	}
	r := x.run
	r.unsettled = true
	metrics := epochMetrics(r.config.Config, rep)
	if probeDue(rep.Epoch) && probed(r.config) {
		acc, err := x.probe(ctx, Current)
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
	verdict, err := x.pool.Work.Append(ctx, r.grant.Lease, r.seq, points(metrics, rep.Epoch, x.pool.Now()))
	if errors.Is(err, study.ErrStale) {
		x.clear()
		return nil
	}
	if err != nil {
		return ofStore(err)
	}
	r.epoch, r.stop, r.value, r.better, r.unsettled = rep.Epoch, stop, value, better, false
	switch {
	case r.epoch >= r.config.Epochs || r.config.Patience > 0 && stop.Bad >= r.config.Patience:
		return x.complete(ctx, better)
	case verdict == study.Prune:
		x.heed(ctx, verdict)
		return nil
	}
	if stripDue(r.epoch) {
		if err := x.strip(ctx, Current); err != nil {
			return err
		}
	}
	if verdict == study.Go {
		verdict = x.wished()
	}
	if verdict != study.Go {
		x.heed(ctx, verdict)
		return nil
	}
	if err := x.save(ctx); err != nil {
		return err
	}
	r.better = false
	return x.engine.Continue(x.index, better)
}

// wished is the verdict that came while the slot was busy.
func (x *slot) wished() study.Verdict {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.wish == "" {
		return study.Go
	}
	return x.wish
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

// complete ends a trial with its best weights, which are the current ones when the last epoch was the best. They are kept
// where the trial is among the best of its study.
func (x *slot) complete(ctx context.Context, better bool) error {
	r := x.run
	which := Best
	if better {
		which = Current
	}
	if better || !stripDue(r.stop.BestEpoch) {
		if err := x.strip(ctx, which); err != nil {
			return err
		}
	}
	if r.config.Generates() {
		if err := x.generate(ctx, which); err != nil {
			return err
		}
	}
	metrics := r.summary()
	if _, done := metrics[probeKey]; !done && probed(r.config) {
		var err error
		if metrics[probeKey], err = x.probe(ctx, which); err != nil {
			return err
		}
	}
	kept, err := x.pool.Work.Keeps(ctx, r.grant.Lease, r.stop.Best)
	if err != nil && !errors.Is(err, study.ErrStale) {
		return ofStore(err)
	}
	pending := r.pending
	if !kept { // one picture stays, and what the decoder makes of random codes
		pending = r.of(r.stop.BestEpoch)
	}
	files, err := x.drawn(pending)
	if err != nil {
		return err
	}
	if kept {
		model, err := x.model(better)
		if err != nil {
			return err
		}
		files = append(files, model)
	}
	x.finish(ctx, study.Outcome{
		State: study.Complete, Value: r.stop.Best, Metrics: metrics, Files: files, BestStep: r.stop.BestEpoch,
	})
	return nil
}

// model is the file of the best weights, the current ones if these are better.
func (x *slot) model(better bool) (study.File, error) {
	r := x.run
	state, err := x.engine.Save(x.index)
	if err != nil {
		return study.File{}, err
	}
	weights := state.Best
	if better {
		weights = state.Weights
	}
	var body []byte
	err = x.compute(func() error {
		body, err = x.pool.EncodeModel(r.config, weights)
		return err
	})
	return study.File{
		Kind: study.ModelFile, Name: "model.safetensors", Media: "application/octet-stream", Step: r.stop.BestEpoch, Body: body,
	}, err
}

// compute runs what keeps a core of the host busy. An engine of one slot is such a core, and waits for it anyway.
func (x *slot) compute(f func() error) error {
	if len(x.slots) > 1 {
		x.crew.hands <- struct{}{}
		defer func() { <-x.crew.hands }()
	}
	return f()
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

// strip has the first validation images drawn over what the network makes of them, for the epoch that its weights are of.
// See [Config.rows].
func (x *slot) strip(ctx context.Context, which Which) error {
	r := x.run
	step := r.epoch
	if which == Best {
		step = r.stop.BestEpoch
	}
	set := r.config.Validation
	images := make([]int, min(stripImages, set.Len()))
	for i := range images {
		images[i] = i
	}
	e, err := x.engine.Evaluate(ctx, x.index, which, set, images, Want{Reconstructions: true})
	if err != nil {
		return fmt.Errorf("reconstruct %d images: %w", len(images), err)
	}
	return x.picture(study.File{Kind: study.StripFile, Name: fmt.Sprintf("epoch-%04d.png", step), Media: "image/png", Step: step},
		4*len(e.Reconstructions), func() ([]byte, error) {
			rows, channels := r.config.rows(set, images, e)
			png, err := x.pool.Strip(rows, set.Height, set.Width, channels)
			if err != nil {
				return nil, fmt.Errorf("draw the strip: %w", err)
			}
			return png, nil
		})
}

// mostHeld is how many bytes a picture may hold in memory until it is drawn.
const mostHeld = 1 << 20

// pendingFile is a file of an epoch that is not stored yet. It is drawn when it is stored: most pictures of a trial that
// ends among the many are not kept.
type pendingFile struct {
	study.File
	draw func() ([]byte, error) // nil: it is
}

// picture adds a file to those that go with the next checkpoint or with the trial's end; draw holds so many bytes.
func (x *slot) picture(f study.File, held int, draw func() ([]byte, error)) error {
	p := pendingFile{File: f, draw: draw}
	if held > mostHeld {
		if err := x.drawOne(&p); err != nil {
			return err
		}
	}
	x.run.pending = append(x.run.pending, p)
	return nil
}

func (x *slot) drawOne(p *pendingFile) error {
	if p.draw == nil {
		return nil
	}
	return x.compute(func() (err error) {
		p.Body, err = p.draw()
		if err == nil {
			p.draw = nil
		}
		return err
	})
}

// drawn are files ready to be stored.
func (x *slot) drawn(pending []pendingFile) ([]study.File, error) {
	out := make([]study.File, len(pending))
	for i := range pending {
		if err := x.drawOne(&pending[i]); err != nil {
			return nil, err
		}
		out[i] = pending[i].File
	}
	return out, nil
}

// of are the pending files of a step.
func (r *run) of(step int) []pendingFile {
	var out []pendingFile
	for _, p := range r.pending {
		if p.Step == step {
			out = append(out, p)
		}
	}
	return out
}

// newest is the last pending file, the only one that is kept of a trial that is pruned.
func (r *run) newest() []pendingFile { return r.pending[max(0, len(r.pending)-1):] }

// save writes a checkpoint when one is due.
func (x *slot) save(ctx context.Context) error {
	r := x.run
	x.mu.Lock()
	trials := x.occupied()
	x.mu.Unlock()
	if !x.saving.due(x.pool.Now().Sub(r.saved), r.cost, trials) {
		return nil
	}
	begin, before := x.pool.Now(), r.stored
	defer func() { // after a panic too: the others wait for what the first one costs
		r.cost = x.pool.Now().Sub(begin)
		x.saving.took(r.cost, r.stored != before)
	}()
	return x.checkpoint(ctx)
}

// checkpoint writes the state of the last epoch's end, and the pending files with it, unless it is in the store already.
func (x *slot) checkpoint(ctx context.Context) error {
	r := x.run
	if r.epoch == r.stored || r.unsettled {
		return nil
	}
	state, err := x.engine.Save(x.index)
	if err != nil {
		return fmt.Errorf("save epoch %d: %w", r.epoch, err)
	}
	state.Stop = r.stop
	if r.better { // the engine has not been told yet
		state.Best = state.Weights
	}
	var body []byte
	err = x.compute(func() error {
		body, err = x.pool.Encode(state, r.config)
		return err
	})
	if err != nil {
		return fmt.Errorf("save epoch %d: %w", r.epoch, err)
	}
	files, err := x.drawn(r.pending)
	if err != nil {
		return err
	}
	err = x.pool.Work.Commit(ctx, r.grant.Lease, r.epoch, append(files, study.File{
		Kind: study.CheckpointFile, Name: fmt.Sprintf("epoch-%04d.safetensors", r.epoch), Media: "application/octet-stream",
		Step: r.epoch, Body: body,
	})...)
	if errors.Is(err, study.ErrStale) {
		return nil // noticed again, and acted on, at the next Renew
	}
	if err != nil {
		return ofStore(err)
	}
	r.pending, r.stored, r.saved = nil, r.epoch, x.pool.Now()
	return nil
}
