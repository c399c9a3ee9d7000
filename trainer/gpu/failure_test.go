//go:build gpu

package gpu

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sweep/trainer"
	"sweep/trainer/device/devicetest"
)

// TestNaN lets one slot of three leave the finite numbers: it alone fails, and the others' bits are those that they have
// without it.
func TestNaN(t *testing.T) {
	good := []trainer.Config{small(nil), small(func(c *trainer.Config) { c.Batch, c.Loss = 16, "mae" })}
	want := make([]result, 2)
	for i, c := range good {
		e := start(t, 1, "fp32")
		load(t, e, 0, c, nil)
		want[i] = result{run(t, e, []int{0}, 2)[0], save(t, e, 0)}
	}
	for _, tt := range []struct {
		name   string
		change func(*trainer.Config)
		error  string
	}{
		{"a step", func(c *trainer.Config) { c.Optimizer, c.LR, c.OutputActivation = "sgd", 1e30, "none" }, "epoch 1, step 2: "},
	} {
		e := start(t, 3, "fp32")
		bad := small(tt.change)
		load(t, e, 0, good[0], nil)
		load(t, e, 1, bad, nil)
		load(t, e, 2, good[1], nil)
		var failed error
		got := map[int][]trainer.Report{}
		for len(got[0])+len(got[2]) < 4 {
			reports, err := e.Advance(context.Background(), 4)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range reports {
				if r.Slot == 1 {
					if failed != nil {
						t.Errorf("%s: it fails twice: %v", tt.name, r.Err)
					}
					failed = r.Err
					continue
				}
				if r.Err != nil {
					t.Fatal(r.Err)
				}
				if got[r.Slot] = append(got[r.Slot], r); len(got[r.Slot]) < 2 {
					better := len(got[r.Slot]) == 1
					if err := e.Continue(r.Slot, better); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
		if !errors.Is(failed, trainer.ErrNaN) || failed.Error() != tt.error+trainer.ErrNaN.Error() {
			t.Errorf("%s: the error is %v, want %s…", tt.name, failed, tt.error)
		}
		for i, slot := range []int{0, 2} {
			if d := want[i].differs(result{got[slot], save(t, e, slot)}); d != "" {
				t.Errorf("%s: slot %d differs beside it: %s", tt.name, slot, d)
			}
		}
		if err := e.Continue(1, false); err == nil {
			t.Errorf("%s: a trial that has failed goes on", tt.name)
		}
		e.Clear(1)
		load(t, e, 1, good[0], nil)
		got = run(t, e, []int{1}, 1)
		if diff := cmp.Diff(want[0].reports[:1], got[1], exact); diff != "" {
			t.Errorf("%s: in its slot another trial differs: %s", tt.name, diff)
		}
	}
}

func TestLostContext(t *testing.T) {
	e := start(t, 2, "fp32")
	load(t, e, 0, small(nil), nil)
	load(t, e, 1, small(func(c *trainer.Config) { c.Norm = "layer" }), nil)
	run(t, e, []int{0, 1}, 1)
	devicetest.FailAfter(t, 20)
	defer devicetest.FailAfter(t, 0)
	if err := e.Continue(0, true); err != nil {
		t.Fatal(err)
	}
	var err error
	for range 50 {
		if _, err = e.Advance(context.Background(), 4); err != nil {
			break
		}
	}
	if !errors.Is(err, trainer.ErrDevice) {
		t.Fatalf("a lost context gives %v", err)
	}
	calls := map[string]func() error{
		"Advance":  func() error { _, err := e.Advance(context.Background(), 1); return err },
		"Continue": func() error { return e.Continue(1, false) },
		"Save":     func() error { _, err := e.Save(0); return err },
		"Load":     func() error { e.Clear(1); return e.Load(1, small(nil), nil) },
		"Evaluate": func() error {
			_, err := e.Evaluate(context.Background(), 0, trainer.Current, validation, []int{0}, trainer.Want{})
			return err
		},
	}
	for name, f := range calls {
		if err := f(); !errors.Is(err, trainer.ErrDevice) {
			t.Errorf("%s on a lost device gives %v", name, err)
		}
	}
}
