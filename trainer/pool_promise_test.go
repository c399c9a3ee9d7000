package trainer_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sweep/study"
	"sweep/trainer"
)

// script is the loss of each epoch, the same for every trial.
func script(loss ...float64) func(x, epoch int) float64 {
	return func(_, epoch int) float64 { return loss[epoch-1] }
}

// patient gives every trial a patience.
func patient(p *trainer.Pool, epochs int) {
	plain := p.Configure
	p.Configure = func(g study.Grant) (trainer.Config, error) {
		c, err := plain(g)
		c.Patience = epochs
		return c, err
	}
}

// TestPoolKeepsTheBest trains down, up, down and flat, undisturbed and interrupted after each epoch: the value, the
// summary, the model and the pictures are of the best epoch, the first of equals.
func TestPoolKeepsTheBest(t *testing.T) {
	losses := script(0.5, 0.3, 0.4, 0.2, 0.25, 0.2, 0.3)
	want := []string{
		`model 4: [{"Name":"w","Shape":[1],"Data":[4]}]`,
		"strip 1: of epoch 1", "strip 2: of epoch 2", "strip 3: of epoch 3", "strip 4: of epoch 4", "strip 5: of epoch 5",
	}
	for interrupted := range 8 {
		g := newGround(t, 1, func(s *study.Spec) { s.Epochs = 7 })
		e, calls := newNull("cpu:0", 1), 0
		e.loss = losses
		ctx, cancel := context.WithCancel(t.Context())
		e.advance = func() {
			if calls++; calls == interrupted {
				cancel()
			}
		}
		if err := g.run(ctx, nil, e); err != nil && !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		cancel()
		e = newNull("cpu:0", 1)
		e.loss = losses
		if err := g.run(t.Context(), nil, e); err != nil {
			t.Fatal(err)
		}
		tr := g.table()[0]
		if tr.State != study.Complete || tr.Value != 0.2 || tr.Metrics["val_mse"] != 0.2 || tr.Metrics["epoch"] != 4 || len(tr.Curve) != 7 {
			t.Errorf("interrupted at %d: the trial is %+v", interrupted, tr)
		}
		if d := cmp.Diff(want, g.files(0)); d != "" {
			t.Errorf("interrupted at %d: files (-want +got):\n%s", interrupted, d)
		}
	}
}

// TestPoolCountsBadEpochs checks that a better epoch resets the count, and that an interrupt does not.
func TestPoolCountsBadEpochs(t *testing.T) {
	for interrupted := range 7 {
		g := newGround(t, 1, func(s *study.Spec) { s.Epochs = 50 })
		train := func(stopAt int) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			e, calls := newNull("cpu:0", 1), 0
			e.loss = script(5, 6, 4, 5, 6, 7, 8, 9, 10, 11)
			e.advance = func() {
				if calls++; calls == stopAt {
					cancel()
				}
			}
			p := g.pool(ctx, nil, e)
			patient(p, 3)
			if err := p.Run(ctx); err != nil && !errors.Is(err, context.Canceled) {
				t.Fatal(err)
			}
		}
		train(interrupted)
		train(-1)
		if tr := g.table()[0]; tr.State != study.Complete || len(tr.Curve) != 6 || tr.Metrics["epoch"] != 3 {
			t.Errorf("interrupted at %d: %d epochs, the best %v; want 6, the best 3", interrupted, len(tr.Curve), tr.Metrics["epoch"])
		}
	}
}

// third prunes at the third epoch.
type third struct{}

func (third) Prune(_ study.Direction, t study.Trial, _ []study.Trial) bool { return len(t.Curve) == 3 }

func TestPoolPrunedTrialsKeepTheirLastValue(t *testing.T) {
	g := newGround(t, 1, nil)
	e := newNull("cpu:0", 1)
	e.loss = script(0.5, 0.3, 0.6)
	if err := g.run(t.Context(), third{}, e); err != nil {
		t.Fatal(err)
	}
	if tr := g.table()[0]; tr.State != study.Pruned || tr.Value != 0.6 || tr.Metrics["epoch"] != 2 {
		t.Errorf("the trial is %+v", tr)
	}
	// The pictures of the first two epochs went with their checkpoints; of a trial without a model the newest stays.
	if d := cmp.Diff([]string{"strip 2: of epoch 2"}, g.files(0)); d != "" {
		t.Errorf("files (-want +got):\n%s", d)
	}
}

// A store that fails once at an epoch's end ends the sweep; the next run makes that epoch again, whichever it was.
func TestPoolSurvivesAStoreError(t *testing.T) {
	losses := script(0.5, 0.3, 0.4, 0.2)
	calm := newGround(t, 2, nil)
	e := newNull("cpu:0", 1)
	e.loss = losses
	if err := calm.run(t.Context(), nil, e); err != nil {
		t.Fatal(err)
	}
	for failing := 1; failing <= 8; failing++ {
		g := newGround(t, 2, nil)
		e := newNull("cpu:0", 1)
		e.loss = losses
		p, calls := g.pool(t.Context(), nil, e), 0
		p.Work = hooks{Work: p.Work, append: func(study.Lease, int64, []study.Point) (study.Verdict, error) {
			if calls++; calls == failing {
				return study.Go, errors.New("the disk is full")
			}
			return study.Go, nil
		}}
		if err := p.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "the disk is full") {
			t.Fatalf("append %d failing: the pool ends with %v", failing, err)
		}
		for _, tr := range g.table() {
			if tr.State == study.Running {
				t.Errorf("append %d failing: trial %d is left running", failing, tr.Number)
			}
		}
		e = newNull("cpu:0", 1)
		e.loss = losses
		if err := g.run(t.Context(), nil, e); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(calm.table(), g.table(), withoutTimes); d != "" {
			t.Errorf("append %d failing (-undisturbed +failing):\n%s", failing, d)
		}
		if d := cmp.Diff(calm.files(0), g.files(0)); d != "" {
			t.Errorf("append %d failing: files (-undisturbed +failing):\n%s", failing, d)
		}
	}
}

// Where no checkpoint can be written, on a full disk, trials are handed back: they do not count as lost, run after run.
func TestPoolHandsBackWhatItCannotSave(t *testing.T) {
	g := newGround(t, 1, nil)
	for range 7 {
		p := g.pool(t.Context(), nil, newNull("cpu:0", 1))
		p.Work = hooks{Work: p.Work, commit: func(study.Lease, int, ...study.File) error { return errors.New("the disk is full") }}
		if err := p.Run(t.Context()); err == nil {
			t.Fatal("a checkpoint that cannot be written went unsaid")
		}
		if tr := g.table()[0]; tr.State != study.Waiting || tr.Failures != 0 {
			t.Fatalf("the trial is %+v, want it waiting and uncharged", tr)
		}
	}
	if err := g.run(t.Context(), nil, newNull("cpu:0", 1)); err != nil {
		t.Fatal(err)
	}
	if tr := g.table()[0]; tr.State != study.Complete {
		t.Errorf("with room again the trial is %+v", tr)
	}
}

// Whatever of ours goes wrong for one trial, error or panic, fails that trial and no other.
func TestPoolOwnErrorsStayWithTheirTrial(t *testing.T) {
	for _, kind := range []string{"error", "panic"} {
		wrong := func(x int) error {
			if x != 1 {
				return nil
			}
			if kind == "panic" {
				panic("as asked")
			}
			return errors.New("as asked")
		}
		for name, spoil := range map[string]func(*trainer.Pool, *null){
			"advance": func(_ *trainer.Pool, e *null) { e.mishap = func(x, _ int) error { return wrong(x) } },
			"save":    func(_ *trainer.Pool, e *null) { e.save = wrong },
			"encode": func(p *trainer.Pool, _ *null) {
				p.Encode = func(_ *trainer.State, c trainer.Config) ([]byte, error) { return []byte("s"), wrong(c.Latent) }
			},
			"model": func(p *trainer.Pool, _ *null) {
				p.EncodeModel = func(c trainer.Config, _ []trainer.Tensor) ([]byte, error) { return []byte("m"), wrong(c.Latent) }
			},
			"configure": func(p *trainer.Pool, _ *null) {
				plain := p.Configure
				p.Configure = func(g study.Grant) (trainer.Config, error) {
					c, err := plain(g)
					if err == nil {
						err = wrong(c.Latent)
					}
					return c, err
				}
			},
		} {
			t.Run(kind+" in "+name, func(t *testing.T) {
				g := newGround(t, 3, nil)
				e := newNull("cpu:0", 1)
				p := g.pool(t.Context(), nil, e)
				spoil(p, e)
				if err := p.Run(t.Context()); err != nil {
					t.Fatalf("the pool ends with %v", err)
				}
				for n, tr := range g.table() {
					want := study.Complete
					if n == 1 {
						want = study.Failed
					}
					if tr.State != want {
						t.Errorf("trial %d is %s (%s), want %s", n, tr.State, tr.Message, want)
					}
					if n == 1 && !strings.Contains(tr.Message, "as asked") {
						t.Errorf("trial 1 says %q", tr.Message)
					}
				}
			})
		}
	}
}

// A panic of an engine that trains several trials is found out without charging the neighbours.
func TestPoolFindsTheGuiltySlot(t *testing.T) {
	g := newGround(t, 5, nil)
	e := newNull("gpu:0", 3)
	e.mishap = func(x, epoch int) error {
		if x == 1 && epoch == 2 {
			panic("as asked")
		}
		return nil
	}
	if err := g.run(t.Context(), nil, e); err != nil {
		t.Fatal(err)
	}
	for n, tr := range g.table() {
		want, failures := study.Complete, 0
		if n == 1 {
			want, failures = study.Failed, 2
		}
		if tr.State != want || tr.Failures != failures {
			t.Errorf("trial %d: %s with %d failures, want %s with %d", n, tr.State, tr.Failures, want, failures)
		}
	}
}

func TestPoolHeedsRenew(t *testing.T) {
	for verdict, want := range map[study.Verdict]study.State{
		study.Go: study.Complete, study.Prune: study.Pruned, study.Stop: study.Waiting, study.Pause: study.Waiting,
	} {
		g := newGround(t, 1, func(s *study.Spec) { s.Epochs = 6 })
		ctx, cancel := context.WithCancel(t.Context())
		e, calls := newNull("cpu:0", 1), 0
		e.advance = func() { g.tick(time.Second) }
		p := g.pool(ctx, nil, e)
		p.Work = hooks{Work: p.Work, renew: func(l []study.Lease) ([]study.Verdict, error) {
			out := make([]study.Verdict, len(l))
			for i := range out {
				out[i] = study.Go
				if calls++; calls == 3 {
					out[i] = verdict
					if want == study.Waiting {
						cancel() // or it would be claimed again
					}
				}
			}
			return out, nil
		}}
		if err := p.Run(ctx); err != nil && !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		cancel()
		if tr := g.table()[0]; tr.State != want {
			t.Errorf("%s leaves the trial %s, want %s", verdict, tr.State, want)
		}
	}
}

// A trial that is somebody else's now is dropped without a word; the other goes on.
func TestPoolDropsStaleTrials(t *testing.T) {
	g := newGround(t, 2, nil)
	e, calls := newNull("cpu:0", 2), 0
	e.advance = func() { g.tick(time.Second) }
	p := g.pool(t.Context(), nil, e)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	p.Work = hooks{Work: p.Work, renew: func(l []study.Lease) ([]study.Verdict, error) {
		out := make([]study.Verdict, len(l))
		for i := range out {
			out[i] = study.Go
			if l[i].TrialID == 1 {
				out[i] = study.Stale
			}
		}
		if calls++; len(l) == 0 {
			cancel() // the runner believes that the stale one still runs elsewhere, so there is no end
		}
		return out, nil
	}}
	if err := p.Run(ctx); err != nil && !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if tr := g.table(); tr[1].State != study.Complete || tr[0].State != study.Running {
		t.Errorf("the stale trial is %s, the other %s", tr[0].State, tr[1].State)
	}
}
