package trainer_test

import (
	"context"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sweep/study"
	"sweep/trainer"
	"sweep/trainer/dataset"
	"sweep/trainer/model"
)

// sighted is an engine whose codes are the labels: all of the training images', and after epoch n those of the first n
// validation images.
type sighted struct {
	*null
	asked int // evaluations for codes
}

func (e *sighted) Evaluate(ctx context.Context, slot int, which trainer.Which, set *dataset.Images, images []int, want trainer.Want) (trainer.Evaluation, error) {
	if !want.CodesOnly {
		return e.null.Evaluate(ctx, slot, which, set, images, want)
	}
	e.asked++
	t := e.slots[slot]
	epoch := t.state.Epoch
	if which == trainer.Best {
		epoch = int(t.best)
	}
	var out trainer.Evaluation
	for i, l := range set.Labels {
		if set == t.config.Validation && i >= epoch {
			l = 1 - l
		}
		out.Codes = append(out.Codes, float32(l))
	}
	return out, nil
}

func TestPoolProbes(t *testing.T) {
	// The loss is best at epoch 4 of 9, when no picture is due.
	g := newGround(t, 1, func(s *study.Spec) { s.Epochs = 9 })
	e := &sighted{null: newNull("cpu:0", 1)}
	e.loss = func(_, epoch int) float64 { return math.Abs(float64(epoch-4)) + 1 }
	p := g.pool(t.Context(), nil, e)
	configure := p.Configure
	p.Configure = func(gr study.Grant) (trainer.Config, error) {
		c, err := configure(gr)
		set := func(n int) *dataset.Images {
			s := &dataset.Images{Height: 2, Width: 2, Channels: 1, Pixels: make([]byte, 4*n), Classes: []string{"a", "b"}}
			for i := range n {
				s.Labels = append(s.Labels, byte(i%2))
			}
			return s
		}
		c.Train, c.Validation = set(8), set(10)
		return c, err
	}
	if err := p.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	d, err := g.db.Detail(t.Context(), g.study.ID, 0)
	if err != nil {
		t.Fatal(err)
	}
	want := []study.Sample{{Step: 5, Value: 0.5}, {Step: 8, Value: 0.8}}
	if diff := cmp.Diff(want, d.History["val_probe_acc"]); diff != "" {
		t.Errorf("by epoch:\n%s", diff)
	}
	if got := d.Metrics["val_probe_acc"]; got != 0.4 {
		t.Errorf("of the best weights it is %g, want 0.4", got)
	}
	if e.asked != 2*3 {
		t.Errorf("the engine was asked for codes %d times, want twice at two epochs and at the end", e.asked)
	}
}

// Without labels, and for what is trained on them, there is no probe.
func TestPoolDoesNotProbe(t *testing.T) {
	for name, change := range map[string]func(*trainer.Config){
		"one class":  func(c *trainer.Config) { c.Train.Classes = []string{"a"} },
		"no labels":  func(c *trainer.Config) { c.Validation.Labels = nil },
		"classifier": func(c *trainer.Config) { c.Task = model.Classify },
	} {
		g := newGround(t, 1, nil)
		e := &sighted{null: newNull("cpu:0", 1)}
		p := g.pool(t.Context(), nil, e)
		configure := p.Configure
		p.Configure = func(gr study.Grant) (trainer.Config, error) {
			c, err := configure(gr)
			set := dataset.Images{Height: 2, Width: 2, Channels: 1, Pixels: make([]byte, 8), Labels: []byte{0, 1}, Classes: []string{"a", "b"}}
			v := set
			c.Train, c.Validation = &set, &v
			change(&c)
			if name == "classifier" {
				c.Classes = 2
			}
			return c, err
		}
		p.Run(t.Context()) //nolint:errcheck // the null engine has no accuracy: only what it was asked for counts here
		if e.asked != 0 {
			t.Errorf("%s: the engine was asked for codes %d times", name, e.asked)
		}
	}
}
