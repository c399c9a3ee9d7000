package cpu

import (
	"context"
	"errors"
	"fmt"
	"time"

	"sweep/trainer"
	"sweep/trainer/dataset"
	"sweep/trainer/kernel"
	"sweep/trainer/model"
	"sweep/trainer/plan"
)

// Engine trains one trial at a time on the core of the goroutine that calls it.
type Engine struct {
	// Memory is how many bytes a trial may take, data sets not counted; 0: any. New sets it to this engine's share of
	// half of the memory that is available then; on a system that does not tell, to 0. Load refuses what needs more.
	Memory int64

	device string
	k      kernel.Kernels
	now    func() time.Time // for the durations of a report only
	arena  plan.Arena
	slot   *trial
}

var (
	_ trainer.Engine   = (*Engine)(nil)
	_ trainer.Hardware = (*Engine)(nil)
)

// New makes the engine of a device, "cpu:0", on the given kernels. Engines may share the kernels, which hold no state.
func New(device string, kernels kernel.Kernels) *Engine {
	return &Engine{Memory: share(), device: device, k: kernels, now: time.Now}
}

// Device is the name that New was given.
func (e *Engine) Device() string { return e.device }

// Hardware names the kernels: the same trial gives the same bits on cores that run the same ones.
func (e *Engine) Hardware() string { return e.k.Name() }

// Slots is 1: a core trains one trial, so that a small batch never waits for a large one.
func (e *Engine) Slots() int { return 1 }

// Kinds lists the steps of a plan and the optimisers.
func (e *Engine) Kinds() []string { return append(plan.Kinds(), trainer.Optimisers()...) }

// Load builds and plans the network of c, with initial weights by its seed or those of st. The next Advance starts
// epoch st.Epoch+1. An error names what to change and leaves the slot free; it wraps [trainer.ErrMemory] for a trial that
// is too large for the engine's memory, or for a checkpoint.
func (e *Engine) Load(slot int, c trainer.Config, st *trainer.State) error {
	switch {
	case slot != 0:
		return fmt.Errorf("load slot %d: a core has slot 0 only", slot)
	case e.slot != nil:
		return errors.New("load slot 0: it holds a trial; clear it first")
	}
	if err := trainer.CheckTraining(c); err != nil {
		return fmt.Errorf("load a trial: %w", err)
	}
	if err := holdable(c.Config); err != nil {
		return fmt.Errorf("load a trial: %w", err)
	}
	net, err := model.Build(c.Config, c.Batch)
	if err != nil {
		return fmt.Errorf("load a trial: %w", err)
	}
	train, err := plan.Training(net)
	if err != nil {
		return fmt.Errorf("load a trial: %w", err)
	}
	inference, err := model.Inference(c.Config, c.Batch)
	if err != nil {
		return fmt.Errorf("load a trial: %w", err)
	}
	forward, err := plan.Forward(inference)
	if err != nil {
		return fmt.Errorf("load a trial: %w", err)
	}
	encode, err := plan.Encode(inference)
	if err != nil {
		return fmt.Errorf("load a trial: %w", err)
	}
	programs := []*plan.Program{train, forward, encode}
	var decode *plan.Program
	if c.Generates() {
		if decode, err = decoder(c); err != nil {
			return fmt.Errorf("load a trial: %w", err)
		}
		programs = append(programs, decode)
	}
	if err := needOf(programs...).within(e.Memory); err != nil {
		return fmt.Errorf("load a trial: %w", err)
	}
	for _, p := range programs {
		e.arena.Reserve(p)
	}
	s := newTrial(c, plan.NewExec(train, e.k, &e.arena), plan.NewExec(forward, e.k, &e.arena))
	s.encode = plan.NewExec(encode, e.k, &e.arena)
	if decode != nil {
		s.decode = plan.NewExec(decode, e.k, &e.arena)
	}
	if st == nil {
		s.fresh()
	} else if err := s.restore(st); err != nil {
		return fmt.Errorf("load a checkpoint: %w", err)
	}
	e.slot = s
	return nil
}

// Advance runs up to n units. A slot that has failed reports its error once and then does nothing.
func (e *Engine) Advance(ctx context.Context, n int) ([]trainer.Report, error) {
	s := e.slot
	for range n {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if s == nil || s.state != running {
			return nil, nil
		}
		begin := e.now()
		if err := s.unit(e.k, func() time.Duration { return e.now().Sub(begin) }); err != nil {
			s.state = failed
			return []trainer.Report{{Epoch: s.epoch + 1, Err: err}}, nil
		}
		if s.state == halted {
			return []trainer.Report{s.report}, nil
		}
	}
	return nil, nil
}

// Continue starts the next epoch. keepBest first copies the weights to the best set.
func (e *Engine) Continue(slot int, keepBest bool) error {
	s, err := e.at(slot)
	if err != nil {
		return fmt.Errorf("continue: %w", err)
	}
	if s.state != halted {
		return errors.New("continue: the trial does not stand at an epoch's end")
	}
	if keepBest {
		copy(s.best, s.w)
		s.hasBest = true
	}
	s.begin()
	return nil
}

// at is the trial in a slot.
func (e *Engine) at(slot int) (*trial, error) {
	if slot != 0 || e.slot == nil {
		return nil, fmt.Errorf("slot %d holds no trial", slot)
	}
	return e.slot, nil
}

// Evaluate runs images of a set through the network, a batch at a time.
func (e *Engine) Evaluate(ctx context.Context, slot int, which trainer.Which, set *dataset.Images, images []int, want trainer.Want) (trainer.Evaluation, error) {
	s, err := e.at(slot)
	if err != nil {
		return trainer.Evaluation{}, fmt.Errorf("evaluate: %w", err)
	}
	w, err := s.weights(which)
	if err != nil {
		return trainer.Evaluation{}, fmt.Errorf("evaluate: %w", err)
	}
	if err := trainer.SetFits(s.c.Config, "given", set); err != nil {
		return trainer.Evaluation{}, fmt.Errorf("evaluate: %w", err)
	}
	run := s.forward
	if want.CodesOnly {
		run, want = s.encode, trainer.Want{Codes: true}
	}
	if images == nil {
		images = make([]int, set.Len())
		for i := range images {
			images[i] = i
		}
	}
	var out trainer.Evaluation
	size := s.c.Height * s.c.Width * s.c.Channels
	labels := s.c.LabelsEach()
	switch {
	case !want.Reconstructions:
	case labels > 0:
		out.Classes = make([]byte, len(images)*labels)
	default:
		out.Reconstructions = make([]float32, len(images)*size)
	}
	for at := 0; at < len(images); at += s.c.Batch {
		if err := ctx.Err(); err != nil {
			return trainer.Evaluation{}, err
		}
		batch := images[at:min(at+s.c.Batch, len(images))]
		sums, err := run.Run(w, nil, s.batch(set, batch))
		if err != nil {
			return trainer.Evaluation{}, fmt.Errorf("evaluate: %w", err)
		}
		out.Sums.Add(trainer.SumsOf(sums))
		if want.Codes {
			out.Codes = append(out.Codes, run.Code(len(batch))...)
		}
		switch {
		case !want.Reconstructions:
		case labels > 0:
			s.forward.Classes(out.Classes[at*labels:][:len(batch)*labels], len(batch))
		default:
			kernel.Reconstruct(out.Reconstructions[at*size:][:len(batch)*size], s.forward.Output(len(batch)), s.forward.Program().Loss)
		}
	}
	return out, nil
}

// Save copies out the state of the last epoch's end. Its StopState is the caller's to fill.
func (e *Engine) Save(slot int) (*trainer.State, error) {
	s, err := e.at(slot)
	if err != nil {
		return nil, fmt.Errorf("save: %w", err)
	}
	return s.save(), nil
}

// Clear empties the slot; an empty one stays so. The memory of its runs serves the next trial.
func (e *Engine) Clear(slot int) {
	if slot == 0 {
		e.slot = nil
	}
}

// Close frees the memory.
func (e *Engine) Close() error {
	e.slot, e.arena = nil, plan.Arena{}
	return nil
}
