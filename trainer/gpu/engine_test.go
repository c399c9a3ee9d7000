//go:build gpu

package gpu

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"sweep/trainer"
	"sweep/trainer/cpu"
	"sweep/trainer/dataset"
	"sweep/trainer/device/devicetest"
	"sweep/trainer/kernel"
	"sweep/trainer/model"
)

// blobs makes n images with a soft coloured blob each.
func blobs(n, h, w, c int, seed uint64) *dataset.Images {
	s := &dataset.Images{Height: h, Width: w, Channels: c}
	r := rand.New(rand.NewPCG(seed, 1))
	for range n {
		cy, cx, size := r.Float64()*float64(h), r.Float64()*float64(w), 4+8*r.Float64()
		colour := []float64{r.Float64(), r.Float64(), r.Float64()}
		for y := range h {
			for x := range w {
				d := (float64(y)-cy)*(float64(y)-cy) + (float64(x)-cx)*(float64(x)-cx)
				for i := range c {
					s.Pixels = append(s.Pixels, byte(255*colour[i]*math.Exp(-d/size)))
				}
			}
		}
	}
	return s
}

var (
	training   = blobs(37, 8, 6, 3, 1)
	validation = blobs(11, 8, 6, 3, 2)
)

// small is a configuration that trains in a moment.
func small(change func(*trainer.Config)) trainer.Config {
	c := trainer.Config{
		Config: model.Config{
			Channels: 3, Height: 8, Width: 6, Depth: 1, Filters: []int{4, 6}, Kernel: 3, Upsample: "k2", Latent: 5,
			Activation: "relu", OutputActivation: "sigmoid", Loss: "mse", SSIMWeight: 0.5,
		},
		Batch: 8, LR: 0.01, WarmupEpochs: 1, Schedule: "cosine", Optimizer: "adam", Epochs: 4, Seed: 11,
		Train: training, Validation: validation,
	}
	if change != nil {
		change(&c)
	}
	return c
}

// start makes an engine on a device that it closes.
func start(t testing.TB, slots int, precision string) *Engine {
	t.Helper()
	g := device0(t)
	e, err := New(g, Options{Slots: slots, Precision: precision, Memory: 24 << 20})
	if err != nil {
		t.Fatal(err)
	}
	e.code.ptx = kernels(g, e.options.Precision).ptx
	t.Cleanup(func() {
		if err := e.Close(); err != nil && !errors.Is(err, trainer.ErrDevice) {
			t.Error(err)
		}
	})
	return e
}

func load(t testing.TB, e trainer.Engine, slot int, c trainer.Config, st *trainer.State) {
	t.Helper()
	if err := e.Load(slot, c, st); err != nil {
		t.Fatal(err)
	}
}

func save(t testing.TB, e trainer.Engine, slot int) *trainer.State {
	t.Helper()
	st, err := e.Save(slot)
	if err != nil {
		t.Fatal(err)
	}
	return st
}

// run trains the trials in these slots for so many epochs each, keeping the best by validation loss, and gives the reports of
// each slot.
func run(t testing.TB, e trainer.Engine, slots []int, epochs int) map[int][]trainer.Report {
	t.Helper()
	out := map[int][]trainer.Report{}
	best := map[int]float64{}
	left := len(slots)
	for range 10000 {
		reports, err := e.Advance(context.Background(), 3)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range reports {
			if r.Err != nil {
				t.Fatalf("slot %d: %v", r.Slot, r.Err)
			}
			if !slices.Contains(slots, r.Slot) {
				t.Fatalf("slot %d, which nobody waits for, has halted", r.Slot)
			}
			out[r.Slot] = append(out[r.Slot], r)
			old, ok := best[r.Slot]
			better := !ok || r.Validation.Loss < old
			if better {
				best[r.Slot] = r.Validation.Loss
			}
			if len(out[r.Slot]) == epochs {
				left--
				continue
			}
			if err := e.Continue(r.Slot, better); err != nil {
				t.Fatal(err)
			}
		}
		if left == 0 {
			return out
		}
	}
	t.Fatal("the trials do not end")
	return nil
}

// exact compares floats by their bits.
var exact = cmp.Options{
	cmp.Comparer(func(a, b float32) bool { return math.Float32bits(a) == math.Float32bits(b) }),
	cmp.Comparer(func(a, b float64) bool { return math.Float64bits(a) == math.Float64bits(b) }),
	cmpopts.IgnoreFields(trainer.Report{}, "TrainTime", "Time", "Slot"),
}

// TestAgainstCPU trains three trials of one bucket with different batch, latent size and loss, and one of another, at once,
// and each on the processor.
func TestAgainstCPU(t *testing.T) {
	list := []trainer.Config{
		small(nil),
		small(func(c *trainer.Config) {
			c.Batch, c.Latent, c.Loss, c.Flip, c.ClipNorm = 37, 9, "mae", "horizontal", 0.05
		}),
		small(func(c *trainer.Config) {
			c.Batch, c.Latent, c.Loss, c.Optimizer, c.WeightDecay, c.L1 = 3, 17, "mse+ssim", "adamw", 0.01, 1e-5
		}),
		small(func(c *trainer.Config) {
			c.Norm, c.Optimizer, c.Momentum, c.DropoutConv, c.DropoutDense = "batch", "sgd", 0.9, 0.2, 0.3
		}),
	}
	// Of 16x16, where the loss is made with the output; slots with SSIM in it live among them.
	for _, loss := range []string{"mse", "mse+ssim", "mae"} {
		list = append(list, small(func(c *trainer.Config) {
			c.Height, c.Width, c.Loss, c.Train, c.Validation = 16, 16, loss, blobs(37, 16, 16, 3, 1), blobs(11, 16, 16, 3, 2)
		}))
	}
	const epochs = 3
	e := start(t, len(list), "fp32")
	var slots []int
	for i, c := range list {
		load(t, e, i, c, nil)
		slots = append(slots, i)
	}
	got := run(t, e, slots, epochs)
	for i, c := range list {
		k := cpu.New("cpu:0", kernel.Best())
		load(t, k, 0, c, nil)
		want := run(t, k, []int{0}, epochs)[0]
		// Both round every sum in another order, and a step of Adam divides by the root of the second moment, so that weights
		// part by about a thousandth of their change; figures of epochs by much less.
		const figures, weights = 2e-4, 2e-3
		for j, w := range want {
			g := got[i][j]
			if g.Epoch != w.Epoch || g.LearningRate != w.LearningRate || g.Train.Images != w.Train.Images || g.Train.Values != w.Train.Values ||
				g.Validation.Images != w.Validation.Images || g.Validation.Values != w.Validation.Values {
				t.Errorf("slot %d: the report is %+v, on the processor %+v", i, g, w)
			}
			for name, pair := range map[string][2]float64{
				"training loss": {g.Train.Loss, w.Train.Loss}, "validation loss": {g.Validation.Loss, w.Validation.Loss},
				"SE": {g.Validation.SE, w.Validation.SE}, "AE": {g.Validation.AE, w.Validation.AE},
				"SSIM": {g.Validation.SSIM, w.Validation.SSIM}, "gradient": {g.GradNorm, w.GradNorm},
				"within": {float64(g.Validation.Within) / 100, float64(w.Validation.Within) / 100},
			} {
				if d := math.Abs(pair[0] - pair[1]); !(d <= figures*math.Abs(pair[1])+0.02*float64(b2i(name == "within"))) {
					t.Errorf("slot %d, epoch %d: %s is %g, on the processor %g", i, w.Epoch, name, pair[0], pair[1])
				}
			}
			if g.TrainTime <= 0 || g.Time < g.TrainTime {
				t.Errorf("slot %d, epoch %d: took %v, of which steps %v", i, w.Epoch, g.Time, g.TrainTime)
			}
		}
		a, b := save(t, e, i), save(t, k, 0)
		if a.Epoch != b.Epoch || a.Step != b.Step {
			t.Errorf("slot %d stands at epoch %d, step %d, on the processor at %d, %d", i, a.Epoch, a.Step, b.Epoch, b.Step)
		}
		for _, pair := range [][2][]trainer.Tensor{{a.Weights, b.Weights}, {a.Best, b.Best}, {a.M, b.M}, {a.V, b.V}} {
			compareTensors(t, i, pair[0], pair[1], weights)
		}
		images := []int{3, 0, 10, 10}
		ea, err := e.Evaluate(context.Background(), i, trainer.Best, c.Validation, images, trainer.Want{Codes: true, Reconstructions: true})
		if err != nil {
			t.Fatal(err)
		}
		eb, err := k.Evaluate(context.Background(), 0, trainer.Best, c.Validation, images, trainer.Want{Codes: true, Reconstructions: true})
		if err != nil {
			t.Fatal(err)
		}
		if err := near(eb.Codes, ea.Codes, 4, weights, 0); err != nil {
			t.Errorf("slot %d, codes: %v", i, err)
		}
		if err := near(eb.Reconstructions, ea.Reconstructions, 4, weights, 0); err != nil {
			t.Errorf("slot %d, reconstructions: %v", i, err)
		}
		if d := math.Abs(ea.Sums.SE - eb.Sums.SE); d > figures*eb.Sums.SE || ea.Sums.Images != 4 {
			t.Errorf("slot %d: the evaluation gives %+v, on the processor %+v", i, ea.Sums, eb.Sums)
		}
	}
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

func compareTensors(t *testing.T, slot int, got, want []trainer.Tensor, limit float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("slot %d: %d arrays, want %d", slot, len(got), len(want))
		return
	}
	for i, w := range want {
		if got[i].Name != w.Name || !slices.Equal(got[i].Shape, w.Shape) {
			t.Errorf("slot %d: array %d is %s %v, want %s %v", slot, i, got[i].Name, got[i].Shape, w.Name, w.Shape)
		} else if err := near(w.Data, got[i].Data, 4, limit, 0); err != nil {
			t.Errorf("slot %d, %s: %v", slot, w.Name, err)
		}
	}
}

// repeatable is one configuration for each thing that training on a GPU can be told to do.
var repeatable = []struct {
	name   string
	change func(*trainer.Config)
}{
	{"adam", func(*trainer.Config) {}},
	{"batch 37, latent 33", func(c *trainer.Config) { c.Batch, c.Latent = 37, 33 }},
	{"adamw", func(c *trainer.Config) { c.Optimizer, c.WeightDecay = "adamw", 0.1 }},
	{"sgd", func(c *trainer.Config) { c.Optimizer, c.Momentum, c.LR = "sgd", 0.9, 0.5 }},
	{"penalties, mae", func(c *trainer.Config) { c.L1, c.L2, c.Loss = 1e-4, 1e-3, "mae" }},
	{"clipping", func(c *trainer.Config) { c.ClipNorm = 0.01 }},
	{"mse+ssim, flips", func(c *trainer.Config) { c.Loss, c.Flip = "mse+ssim", "horizontal" }},
	{"step schedule, no warm-up", func(c *trainer.Config) { c.Schedule, c.WarmupEpochs, c.Latent = "step", 0, 1 }},
	{"other rate and weight of ssim", func(c *trainer.Config) { c.Loss, c.SSIMWeight, c.LR = "mse+ssim", 0.1, 0.003 }},
	{"dropout", func(c *trainer.Config) { c.DropoutConv, c.DropoutDense = 0.2, 0.4 }},
	{"less dropout", func(c *trainer.Config) { c.DropoutConv, c.DropoutDense, c.Latent = 0.1, 0.3, 7 }},
	{"batch norm, gelu, k3", func(c *trainer.Config) { c.Norm, c.Activation, c.Upsample = "batch", "gelu", "k3" }},
	{"layer norm, tanh", func(c *trainer.Config) { c.Norm, c.Activation, c.OutputActivation = "layer", "tanh", "tanh" }},
	{"skip", func(c *trainer.Config) { c.Variant, c.Depth = model.Skip, 2 }},
	{"residual, batch norm", func(c *trainer.Config) { c.Variant, c.Norm = model.Residual, "batch" }},
	{"segnet", func(c *trainer.Config) { c.Variant, c.OutputActivation = model.SegNet, "none" }},
}

const repeatEpochs = 2

// result is what training gives.
type result struct {
	reports []trainer.Report
	state   *trainer.State
}

func (r result) differs(o result) string {
	if diff := cmp.Diff(r.reports, o.reports, exact); diff != "" {
		return diff
	}
	same := sameBits(r.state.Weights, o.state.Weights) && sameBits(r.state.Best, o.state.Best) && sameBits(r.state.M, o.state.M) &&
		sameBits(r.state.V, o.state.V) && r.state.Epoch == o.state.Epoch && r.state.Step == o.state.Step
	if !same {
		return "the states differ"
	}
	return ""
}

func sameBits(a, b []trainer.Tensor) bool {
	return slices.EqualFunc(a, b, func(x, y trainer.Tensor) bool {
		return x.Name == y.Name && slices.Equal(x.Shape, y.Shape) && slices.EqualFunc(x.Data, y.Data, func(v, w float32) bool {
			return math.Float32bits(v) == math.Float32bits(w)
		})
	})
}

// TestBitwise trains each configuration alone, and then all of them at once, in other slots, which have been used before: the
// reports and all bits of the weights are the same. So they are of one that was saved in the middle of an epoch, in which it
// was given up, and goes on in another slot of another engine.
func TestBitwise(t *testing.T) {
	alone := make([]result, len(repeatable))
	one := start(t, 2, "fp32")
	for i, tt := range repeatable {
		load(t, one, i%2, small(tt.change), nil)
		alone[i] = result{run(t, one, []int{i % 2}, repeatEpochs)[i%2], save(t, one, i%2)}
		one.Clear(i % 2)
		for j := range i {
			if sameBits(alone[i].state.Weights, alone[j].state.Weights) {
				t.Errorf("%s gives the same weights as %s: it did nothing", tt.name, repeatable[j].name)
			}
		}
	}

	n := len(repeatable)
	all := start(t, n, "fp32")
	all.options.Now = func() time.Time { return time.Time{} }
	// A trial of another configuration has been in each slot, some of them given up in the middle.
	for i := range n {
		load(t, all, i, small(repeatable[(i+3)%n].change), nil)
	}
	for range 3 {
		if _, err := all.Advance(context.Background(), 2); err != nil {
			t.Fatal(err)
		}
	}
	slots := make([]int, n)
	for i := range n {
		all.Clear(n - 1 - i)
		load(t, all, n-1-i, small(repeatable[i].change), nil)
		slots[i] = n - 1 - i
	}
	reports := run(t, all, slots, repeatEpochs)
	for i, tt := range repeatable {
		got := result{reports[n-1-i], save(t, all, n-1-i)}
		if d := alone[i].differs(got); d != "" {
			t.Errorf("%s, among %d others in used slots: %s", tt.name, n-1, d)
		}
	}

	for i := range n {
		all.Clear(i)
		load(t, all, i, small(repeatable[i].change), nil)
	}
	for i := range n {
		slots[i] = i
	}
	first := run(t, all, slots, 1)
	for i := range n {
		if err := all.Continue(i, true); err != nil {
			t.Fatal(err)
		}
	}
	// One unit, of which the shortest epoch has two.
	if _, err := all.Advance(context.Background(), 1); err != nil {
		t.Fatal(err)
	}
	for i, tt := range repeatable {
		st := save(t, all, i)
		load(t, one, 1, small(tt.change), st)
		got := result{append(first[i], run(t, one, []int{1}, repeatEpochs-1)[1]...), save(t, one, 1)}
		got.state.Best = alone[i].state.Best // of two attempts it is the pool's to remember
		if d := alone[i].differs(got); d != "" {
			t.Errorf("%s, saved and resumed: %s", tt.name, d)
		}
		one.Clear(1)
	}
}

// TestReverse trains with blocks and threads that run last to first, as far as barriers let them: the bits stay.
func TestReverse(t *testing.T) {
	for _, precision := range precisions {
		var got [2][]result
		for i, order := range []string{"0", "1"} {
			t.Setenv("SWEEP_FAKE_REVERSE", order)
			e := start(t, 3, precision)
			slots := []int{0, 1, 2}
			for _, slot := range slots {
				load(t, e, slot, small(repeatable[[]int{6, 9, 11}[slot]].change), nil)
			}
			reports := run(t, e, slots, 1)
			for _, slot := range slots {
				got[i] = append(got[i], result{reports[slot], save(t, e, slot)})
			}
		}
		for slot := range got[0] {
			if d := got[0][slot].differs(got[1][slot]); d != "" {
				t.Errorf("%s, slot %d: last to first it differs: %s", precision, slot, d)
			}
		}
	}
}

// TestPrecisions trains one trial in each precision: the losses are near those of float, but not those.
func TestPrecisions(t *testing.T) {
	const epochs = 3
	var want []trainer.Report
	for _, precision := range precisions {
		e := start(t, 1, precision)
		load(t, e, 0, small(func(c *trainer.Config) { c.Batch, c.Latent = 16, 24 }), nil)
		got := run(t, e, []int{0}, epochs)[0]
		if precision == "fp32" {
			want = got
			continue
		}
		// Factors are rounded by 2⁻¹¹ or 2⁻⁹, which mostly cancels in a loss.
		limit := map[string]float64{"tf32": 2e-3, "bf16": 2e-2}[precision]
		for i, r := range got {
			d := math.Abs(r.Validation.Loss-want[i].Validation.Loss) / want[i].Validation.Loss
			if !(d < limit) {
				t.Errorf("%s, epoch %d: the loss is %g, in fp32 %g", precision, i+1, r.Validation.Loss, want[i].Validation.Loss)
			}
			if d == 0 {
				t.Errorf("%s, epoch %d: the loss is that of fp32 to the bit", precision, i+1)
			}
		}
		v, err := e.Evaluate(context.Background(), 0, trainer.Best, blobs(5, 8, 6, 3, 9), nil, trainer.Want{Codes: true, Reconstructions: true})
		if err != nil {
			t.Fatal(err)
		}
		if len(v.Codes) != 5*24 || len(v.Reconstructions) != 5*8*6*3 || slices.Max(v.Reconstructions) > 1 || !(slices.Min(v.Reconstructions) >= 0) {
			t.Errorf("%s: an evaluation gives %d numbers of codes and %d of pictures, %g to %g", precision, len(v.Codes), len(v.Reconstructions),
				slices.Min(v.Reconstructions), slices.Max(v.Reconstructions))
		}
	}
}

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

func TestMemory(t *testing.T) {
	e := start(t, 8, "fp32")
	whole := e.heap.bytes
	big := small(func(c *trainer.Config) { c.Latent, c.Filters = 20000, []int{64} })
	need, err := Need(big, "fp32")
	if err != nil {
		t.Fatal(err)
	}
	if need < whole {
		t.Fatalf("the large trial takes %d bytes of %d: it is not large", need, whole)
	}
	if err := e.Load(0, big, nil); !errors.Is(err, trainer.ErrMemory) || errors.Is(err, trainer.ErrFull) {
		t.Errorf("a trial that is too large gives %v", err)
	}
	middle := small(func(c *trainer.Config) { c.Latent, c.Filters = 200, []int{32} })
	if need, err = Need(middle, "fp32"); err != nil {
		t.Fatal(err)
	}
	fit := 0
	for slot := range 8 {
		err := e.Load(slot, middle, nil)
		if err == nil {
			fit++
			continue
		}
		if !errors.Is(err, trainer.ErrFull) || !errors.Is(err, trainer.ErrMemory) {
			t.Fatalf("one trial too many gives %v", err)
		}
		break
	}
	if most := int(whole / need); fit > most || fit < most-1 {
		t.Errorf("%d trials of %d bytes fit into %d", fit, need, whole)
	}
	// One goes, and another finds its place; all go, and everything is free but the stack's tables and the data.
	e.Clear(0)
	load(t, e, 0, middle, nil)
	for slot := 2; slot < fit; slot++ {
		e.Clear(slot)
	}
	run(t, e, []int{0, 1}, 1)
	for slot := range 2 {
		e.Clear(slot)
	}
	e.mu.Lock()
	err = e.reap(true)
	left := e.heap.left()
	e.mu.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	used := int64(0)
	for _, b := range e.buckets {
		used += roundUp(b.bytes)
	}
	for _, d := range e.data {
		used += roundUp(d.bytes)
		if d.users != 0 {
			t.Errorf("a data set has %d users without any trial", d.users)
		}
	}
	if left+used != whole {
		t.Errorf("%d bytes are free and %d in use, of %d", left, used, whole)
	}
}

func TestRefusals(t *testing.T) {
	e := start(t, 2, "fp32")
	load(t, e, 0, small(nil), nil)
	ctx := context.Background()
	for _, tt := range []struct {
		name string
		do   func() error
		want string
	}{
		{"a slot that holds a trial", func() error { return e.Load(0, small(nil), nil) }, "load a trial: slot 0 holds a trial; clear it first"},
		{"a slot beyond", func() error { return e.Load(2, small(nil), nil) }, "load a trial: slot 2: there are slots 0 to 1"},
		{"no kernel", func() error {
			return e.Load(1, small(func(c *trainer.Config) { c.Variant = model.Attention }), nil)
		}, "load a trial: a GPU has no kernels for its steps attention, attention.grad: train it on a core"},
		{"batch", func() error {
			return e.Load(1, small(func(c *trainer.Config) { c.Batch = 9000 }), nil)
		}, "load a trial: batch 9000 is more than a GPU takes at once; use at most 8192"},
		{"lr", func() error { return e.Load(1, small(func(c *trainer.Config) { c.LR = 0 }), nil) }, "load a trial: lr 0 is not a number above 0"},
		{"an empty slot", func() error { _, err := e.Save(1); return err }, "save: slot 1 holds no trial"},
		{"continue in the middle", func() error { return e.Continue(0, false) }, "continue: the trial does not stand at an epoch's end"},
		{"best before there is one", func() error {
			_, err := e.Evaluate(ctx, 0, trainer.Best, validation, nil, trainer.Want{})
			return err
		}, "evaluate: there is no best epoch yet"},
		{"an image beyond", func() error {
			_, err := e.Evaluate(ctx, 0, trainer.Current, validation, []int{11}, trainer.Want{})
			return err
		}, "evaluate: run image 11: the set has 11"},
		{
			"decode", func() error { _, err := e.Decode(ctx, 0, trainer.Current, nil); return err },
			"decode: only the variant variational makes images of codes, and no GPU trains it",
		},
		{"a checkpoint of another network", func() error {
			st := save(t, e, 0)
			return e.Load(1, small(func(c *trainer.Config) { c.Latent = 6 }), st)
		}, "load a trial: read a checkpoint: array 2 of weights is enc.dense.weight [48 5] of 240 values, the network has enc.dense.weight [48 6]"},
	} {
		if err := tt.do(); err == nil || err.Error() != tt.want {
			t.Errorf("%s: the error is %v, want %s", tt.name, err, tt.want)
		}
	}
	if _, err := New(e.gpu, Options{}); err == nil {
		t.Error("an engine without slots is made")
	}
	if _, err := New(e.gpu, Options{Slots: 1, Precision: "fp8"}); err == nil {
		t.Error("an engine of an unknown precision is made")
	}
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := e.Advance(cancelled, 1); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled context gives %v", err)
	}
	if got := fmt.Sprint(e.Device(), e.Slots(), e.Hardware()); got == "" {
		t.Error("the device has no name")
	}
}
