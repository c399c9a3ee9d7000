package cpu_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"sweep/trainer"
	"sweep/trainer/cpu"
	"sweep/trainer/dataset"
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

func config(change func(*trainer.Config)) trainer.Config {
	c := trainer.Config{
		Config: model.Config{
			Channels: 3, Height: 12, Width: 10, Depth: 2, Filters: []int{6, 8}, Kernel: 3, Upsample: "k2", Latent: 12,
			Activation: "relu", OutputActivation: "sigmoid", Loss: "mse", SSIMWeight: 0.5,
		},
		Batch: 8, LR: 0.01, WarmupEpochs: 1, Schedule: "cosine", Optimizer: "adam", Epochs: 8, Seed: 11,
		Train: blobs(37, 12, 10, 3, 1), Validation: blobs(11, 12, 10, 3, 2),
	}
	if change != nil {
		change(&c)
	}
	return c
}

func engine(t testing.TB) *cpu.Engine {
	t.Helper()
	e := cpu.New("cpu:0", kernel.Best())
	t.Cleanup(func() { e.Close() })
	return e
}

func load(t testing.TB, e *cpu.Engine, c trainer.Config, st *trainer.State) {
	t.Helper()
	if err := e.Load(0, c, st); err != nil {
		t.Fatal(err)
	}
}

// epoch advances to the epoch's end, in pieces of odd sizes.
func epoch(t testing.TB, e *cpu.Engine) trainer.Report {
	t.Helper()
	for range 10000 {
		reports, err := e.Advance(context.Background(), 3)
		if err != nil {
			t.Fatal(err)
		}
		if len(reports) == 1 {
			return reports[0]
		}
	}
	t.Fatal("the epoch does not end")
	return trainer.Report{}
}

// train runs n epochs, keeping the best by validation loss, and continues after each but the last.
func train(t testing.TB, e *cpu.Engine, n int) []trainer.Report {
	t.Helper()
	best := math.Inf(1)
	var out []trainer.Report
	for i := range n {
		r := epoch(t, e)
		if r.Err != nil {
			t.Fatal(r.Err)
		}
		out = append(out, r)
		better := r.Validation.Loss < best
		best = min(best, r.Validation.Loss)
		if i < n-1 {
			proceed(t, e, better)
		}
	}
	return out
}

func proceed(t testing.TB, e *cpu.Engine, better bool) {
	t.Helper()
	if err := e.Continue(0, better); err != nil {
		t.Fatal(err)
	}
}

func save(t testing.TB, e *cpu.Engine) *trainer.State {
	t.Helper()
	st, err := e.Save(0)
	if err != nil {
		t.Fatal(err)
	}
	return st
}

// exact compares floats by their bits.
var exact = cmp.Options{
	cmp.Comparer(func(a, b float32) bool { return math.Float32bits(a) == math.Float32bits(b) }),
	cmp.Comparer(func(a, b float64) bool { return math.Float64bits(a) == math.Float64bits(b) }),
}

var timeless = cmpopts.IgnoreFields(trainer.Report{}, "TrainTime", "Time")

func TestTrains(t *testing.T) {
	for _, loss := range []string{"mse", "mae", "mse+ssim"} {
		e := engine(t)
		c := config(func(c *trainer.Config) { c.Loss = loss })
		load(t, e, c, nil)
		reports := train(t, e, 8)
		first, last := reports[0], reports[7]
		if !(last.Train.Loss < 0.85*first.Train.Loss) || !(last.Validation.SE < first.Validation.SE) {
			t.Errorf("%s: eight epochs took the loss from %g to %g, the squared error from %g to %g", loss,
				first.Train.Loss, last.Train.Loss, first.Validation.SE, last.Validation.SE)
		}
		for i, r := range reports {
			if r.Epoch != i+1 || r.Train.Images != 37 || r.Validation.Images != 11 || r.Validation.Values != 11*12*10*3 {
				t.Errorf("%s: epoch %d reports %+v", loss, i+1, r)
			}
			if !(r.GradNorm > 0) || !(r.Validation.SSIM > -11 && r.Validation.SSIM < 11 && r.Validation.SSIM != 0) ||
				r.TrainTime <= 0 || r.Time <= r.TrainTime || r.Validation.Within <= 0 {
				t.Errorf("%s: epoch %d reports %+v", loss, i+1, r)
			}
		}
		if got := reports[0].LearningRate; got != c.LR {
			t.Errorf("the rate at the end of the warm-up is %g, want %g", got, c.LR)
		}
	}
}

func TestSavedAndLoadedGoesOnBitForBit(t *testing.T) {
	for _, loss := range []string{"mse", "mse+ssim"} {
		c := config(func(c *trainer.Config) { c.Loss = loss })
		whole := engine(t)
		load(t, whole, c, nil)
		straight := train(t, whole, 4)

		first := engine(t)
		load(t, first, c, nil)
		reports := train(t, first, 2)
		proceed(t, first, reports[1].Validation.Loss < reports[0].Validation.Loss)
		if _, err := first.Advance(context.Background(), 2); err != nil { // the partial epoch is given up
			t.Fatal(err)
		}
		st := save(t, first)
		if st.Epoch != 2 || st.Step != 10 {
			t.Errorf("the state is of epoch %d, step %d", st.Epoch, st.Step)
		}
		second := engine(t)
		load(t, second, c, st)
		again := train(t, second, 2)

		if diff := cmp.Diff(straight[2:], again, exact, timeless); diff != "" {
			t.Errorf("%s: reports differ: %s", loss, diff)
		}
		if diff := cmp.Diff(save(t, whole), save(t, second), exact); diff != "" {
			t.Errorf("%s: states differ: %s", loss, diff)
		}
	}
}

// A saved state is a copy: neither training on nor the caller's hands reach the other.
func TestStatesAreCopies(t *testing.T) {
	e := engine(t)
	load(t, e, config(nil), nil)
	train(t, e, 1)
	proceed(t, e, true)
	st, twin := save(t, e), save(t, e)
	train(t, e, 1)
	if diff := cmp.Diff(st, twin, exact); diff != "" {
		t.Errorf("training changed a saved state: %s", diff)
	}
	other := engine(t)
	load(t, other, config(nil), st)
	train(t, other, 1)
	if diff := cmp.Diff(st, twin, exact); diff != "" {
		t.Errorf("training changed the state that it was loaded from: %s", diff)
	}
	st.Weights[0].Data[0]++
	st.Weights[0].Shape[0]++
	if diff := cmp.Diff(save(t, e), save(t, other), exact); diff != "" {
		t.Errorf("the caller reached into a slot: %s", diff)
	}
}

func TestSameBitsWhateverRanBefore(t *testing.T) {
	c := config(func(c *trainer.Config) { c.Loss = "mse+ssim" })
	clean := engine(t)
	load(t, clean, c, nil)
	want := train(t, clean, 2)

	used := engine(t)
	for _, before := range []trainer.Config{
		config(func(c *trainer.Config) { c.Filters, c.Latent, c.Batch = []int{20, 30}, 50, 16 }),
		config(func(c *trainer.Config) {
			c.Depth, c.Kernel, c.Filters, c.OutputActivation, c.Activation = 3, 5, []int{3, 5, 7}, "tanh", "tanh"
		}),
	} {
		load(t, used, before, nil)
		train(t, used, 1)
		used.Clear(0)
	}
	load(t, used, c, nil)
	if diff := cmp.Diff(want, train(t, used, 2), exact, timeless); diff != "" {
		t.Errorf("reports differ: %s", diff)
	}
	if diff := cmp.Diff(save(t, clean), save(t, used), exact); diff != "" {
		t.Errorf("states differ: %s", diff)
	}

	other := engine(t)
	load(t, other, config(func(c *trainer.Config) { c.Loss, c.Replicate = "mse+ssim", 1 }), nil)
	train(t, other, 2)
	if cmp.Equal(save(t, clean), save(t, other), exact) {
		t.Error("another replicate gives the same weights")
	}
}

func TestEvaluate(t *testing.T) {
	ctx := context.Background()
	for _, output := range []string{"sigmoid", "tanh", "none"} {
		c := config(func(c *trainer.Config) { c.OutputActivation, c.Height, c.Width = output, 11, 9 })
		c.Train, c.Validation = blobs(20, 11, 9, 3, 3), blobs(13, 11, 9, 3, 4)
		e := engine(t)
		load(t, e, c, nil)
		if _, err := e.Evaluate(ctx, 0, trainer.Best, c.Validation, nil, trainer.Want{}); err == nil {
			t.Error("there was a best epoch before the first")
		}
		r := train(t, e, 2)[1]
		got, err := e.Evaluate(ctx, 0, trainer.Current, c.Validation, nil, trainer.Want{Codes: true, Reconstructions: true})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(r.Validation, got.Sums, exact); diff != "" {
			t.Errorf("%s: not the validation's sums: %s", output, diff)
		}
		if len(got.Codes) != 13*12 || len(got.Reconstructions) != 13*11*9*3 {
			t.Fatalf("%s: %d codes, %d pixels", output, len(got.Codes), len(got.Reconstructions))
		}
		var se float64
		for i, v := range got.Reconstructions {
			if !(v >= 0 && v <= 1) {
				t.Fatalf("%s: pixel %d is %g", output, i, v)
			}
			d := float64(v) - float64(float32(c.Validation.Pixels[i])/255)
			se += d * d
		}
		// The sums are of what a picture shows, also where an output without activation leaves [0, 1].
		if se > got.Sums.SE*(1+1e-5) || se < got.Sums.SE*(1-1e-5) {
			t.Errorf("%s: the reconstructions are off by %g, the sums say %g", output, se, got.Sums.SE)
		}
		// One image by itself, out of order, gives its own code.
		one, err := e.Evaluate(ctx, 0, trainer.Current, c.Validation, []int{9}, trainer.Want{Codes: true})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(got.Codes[9*12:10*12], one.Codes, cmpopts.EquateApprox(1e-4, 1e-5)); diff != "" || one.Reconstructions != nil {
			t.Errorf("%s: code of image 9: %s", output, diff)
		}
		// The best set keeps its weights while training goes on, also in the middle of an epoch.
		proceed(t, e, true)
		epoch(t, e)
		proceed(t, e, false)
		if _, err := e.Advance(ctx, 1); err != nil {
			t.Fatal(err)
		}
		best, err := e.Evaluate(ctx, 0, trainer.Best, c.Validation, nil, trainer.Want{})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(r.Validation, best.Sums, exact); diff != "" {
			t.Errorf("%s: the best weights give other sums: %s", output, diff)
		}
	}
}

// Looking at a slot in the middle of an epoch changes nothing of its training.
func TestEvaluateDisturbsNothing(t *testing.T) {
	c := config(nil)
	plain, watched := engine(t), engine(t)
	load(t, plain, c, nil)
	load(t, watched, c, nil)
	want := epoch(t, plain)
	var got trainer.Report
	for got.Epoch == 0 {
		reports, err := watched.Advance(context.Background(), 1)
		if err != nil {
			t.Fatal(err)
		}
		if len(reports) > 0 {
			got = reports[0]
		}
		if _, err := watched.Evaluate(context.Background(), 0, trainer.Current, c.Train, []int{3, 1}, trainer.Want{Codes: true}); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(want, got, exact, timeless); diff != "" {
		t.Error(diff)
	}
}

func TestDivergedTrial(t *testing.T) {
	e := engine(t)
	load(t, e, config(func(c *trainer.Config) { c.LR, c.OutputActivation, c.WarmupEpochs = 1e18, "none", 0 }), nil)
	var r trainer.Report
	for r.Err == nil && r.Epoch < 8 {
		if r = epoch(t, e); r.Err == nil {
			proceed(t, e, false)
		}
	}
	if !errors.Is(r.Err, trainer.ErrNaN) {
		t.Fatalf("got %v", r.Err)
	}
	if reports, err := e.Advance(context.Background(), 5); len(reports) != 0 || err != nil {
		t.Errorf("a failed slot reports %v, %v", reports, err)
	}
	if e.Continue(0, false) == nil {
		t.Error("a failed slot continues")
	}
	e.Clear(0)
	load(t, e, config(nil), nil)
	train(t, e, 1)
}

func TestAdvanceStopsWithItsContext(t *testing.T) {
	e := engine(t)
	load(t, e, config(nil), nil)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := e.Advance(ctx, 100); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if _, err := e.Evaluate(ctx, 0, trainer.Current, blobs(3, 12, 10, 3, 1), nil, trainer.Want{}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if st := save(t, e); st.Epoch != 0 || st.Step != 0 || len(st.Best) != 0 {
		t.Errorf("the state is of epoch %d, step %d", st.Epoch, st.Step)
	}
	if r := epoch(t, e); r.Err != nil || r.Epoch != 1 {
		t.Errorf("afterwards: %+v", r)
	}
}

func TestWrongUse(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*trainer.Config)
		want   string
	}{
		{"depth", func(c *trainer.Config) { c.Depth = 4 }, "use a depth of at most 3"},
		{"batch", func(c *trainer.Config) { c.Batch = 0 }, "batch 0"},
		{"lr", func(c *trainer.Config) { c.LR = math.NaN() }, "lr NaN"},
		{"epochs", func(c *trainer.Config) { c.Epochs = 0 }, "epochs 0"},
		{"warm-up", func(c *trainer.Config) { c.WarmupEpochs = -1 }, "warmup_epochs -1"},
		{"schedule", func(c *trainer.Config) { c.Schedule = "linear" }, `schedule "linear"`},
		{"optimizer", func(c *trainer.Config) { c.Optimizer = "lion" }, `optimizer "lion" is not known; use one of adam, adamw, sgd`},
		{"flip", func(c *trainer.Config) { c.Flip = "vertical" }, `flip "vertical" is not one of none, horizontal`},
		{"dropout", func(c *trainer.Config) { c.DropoutConv = 1 }, "dropout_conv 1 is not a share"},
		{"dropout below", func(c *trainer.Config) { c.DropoutDense = math.NaN() }, "dropout_dense NaN is not a share"},
		{"momentum", func(c *trainer.Config) { c.Momentum = 1 }, "momentum 1"},
		{"l1", func(c *trainer.Config) { c.L1 = -1 }, "l1 -1"},
		{"l2", func(c *trainer.Config) { c.L2 = math.Inf(1) }, "l2 +Inf"},
		{"clip_norm", func(c *trainer.Config) { c.ClipNorm = math.NaN() }, "clip_norm NaN"},
		{"decay of adam", func(c *trainer.Config) { c.WeightDecay = 0.1 }, "use adamw, or l2"},
		{"no training images", func(c *trainer.Config) { c.Train = nil }, "no train images"},
		{"no validation images", func(c *trainer.Config) { c.Validation = &dataset.Images{} }, "no validation images"},
		{"other images", func(c *trainer.Config) { c.Train = blobs(2, 8, 8, 3, 1) }, "train images are 8x8x3"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e := engine(t)
			err := e.Load(0, config(tt.change), nil)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q in it", err, tt.want)
			}
			load(t, e, config(nil), nil) // the slot stayed free
		})
	}
	e := engine(t)
	if e.Load(1, config(nil), nil) == nil {
		t.Error("a core has a second slot")
	}
	if _, err := e.Save(0); err == nil {
		t.Error("an empty slot was saved")
	}
	load(t, e, config(nil), nil)
	if e.Load(0, config(nil), nil) == nil {
		t.Error("a slot holds two trials")
	}
	for name, set := range map[string]*dataset.Images{"no set": nil, "an empty set": {}, "other images": blobs(2, 8, 8, 3, 1)} {
		if _, err := e.Evaluate(context.Background(), 0, trainer.Current, set, nil, trainer.Want{}); err == nil {
			t.Errorf("%s: evaluated", name)
		}
	}
	if _, err := e.Evaluate(context.Background(), 0, trainer.Current, blobs(2, 12, 10, 3, 1), []int{2}, trainer.Want{}); err == nil {
		t.Error("an image beyond the set was evaluated")
	}
	if e.Continue(0, true) == nil {
		t.Error("a trial in the middle of an epoch continues")
	}
	st := save(t, e)
	e.Clear(0)
	for name, spoil := range map[string]func(*trainer.State){
		"a name":          func(s *trainer.State) { s.M[1].Name = "x" },
		"a shape":         func(s *trainer.State) { s.Weights[0].Shape = []int{1} },
		"a short array":   func(s *trainer.State) { s.V[0].Data = s.V[0].Data[1:] },
		"missing moments": func(s *trainer.State) { s.M = nil },
		"half a best":     func(s *trainer.State) { s.Best = s.Weights[:1] },
		"an epoch":        func(s *trainer.State) { s.Epoch = -1 },
	} {
		bad := *st
		bad.Weights, bad.M, bad.V = clone(st.Weights), clone(st.M), clone(st.V)
		spoil(&bad)
		if e.Load(0, config(nil), &bad) == nil {
			t.Errorf("%s: a spoilt state was loaded", name)
			e.Clear(0)
		}
	}
	load(t, e, config(nil), st)
}

func clone(in []trainer.Tensor) []trainer.Tensor { return append([]trainer.Tensor(nil), in...) }

// BenchmarkTrain trains the reference network: 32x32x3, three convolutions with 16, 32, 64 filters, latent 128, batch 64,
// MSE, sigmoid.
func BenchmarkTrain(b *testing.B) {
	for _, name := range kernel.Names() {
		if name == "ref" {
			continue // the truth is not meant to be fast
		}
		for _, loss := range []string{"mse", "mse+ssim"} {
			b.Run(fmt.Sprintf("%s/%s", name, loss), func(b *testing.B) {
				k, err := kernel.New(name)
				if err != nil {
					b.Fatal(err)
				}
				c := trainer.Config{
					Config: model.Config{
						Channels: 3, Height: 32, Width: 32, Depth: 3, Filters: []int{16, 32, 64}, Kernel: 3, Upsample: "k2",
						Latent: 128, Activation: "relu", OutputActivation: "sigmoid", Loss: loss, SSIMWeight: 0.5,
					},
					Batch: 64, LR: 0.001, Optimizer: "adam", Epochs: 1 << 20,
					Train: blobs(64*64, 32, 32, 3, 1), Validation: blobs(1, 32, 32, 3, 2),
				}
				e := cpu.New("cpu:0", k)
				defer e.Close()
				load(b, e, c, nil)
				ctx := context.Background()
				if _, err := e.Advance(ctx, 2); err != nil {
					b.Fatal(err)
				}
				b.ResetTimer()
				b.ReportAllocs()
				for b.Loop() {
					reports, err := e.Advance(ctx, 1)
					if err != nil {
						b.Fatal(err)
					}
					if len(reports) > 0 {
						proceed(b, e, false)
					}
				}
				b.ReportMetric(64*float64(b.N)/b.Elapsed().Seconds(), "images/s")
			})
		}
	}
}

// Engines in goroutines of their own share kernels and nothing else. Run with -race.
func TestEnginesInParallel(t *testing.T) {
	k := kernel.Best()
	states := make([]*trainer.State, 3)
	errs := make([]error, len(states))
	var wg sync.WaitGroup
	for i := range states {
		wg.Go(func() {
			errs[i] = func() error {
				e := cpu.New(fmt.Sprint("cpu:", i), k)
				defer e.Close()
				if err := e.Load(0, config(nil), nil); err != nil {
					return err
				}
				for {
					reports, err := e.Advance(context.Background(), 5)
					if err != nil {
						return err
					}
					if len(reports) > 0 {
						break
					}
				}
				var err error
				states[i], err = e.Save(0)
				return err
			}()
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	for _, s := range states[1:] {
		if diff := cmp.Diff(states[0], s, exact); diff != "" {
			t.Errorf("engines side by side differ: %s", diff)
		}
	}
}

func TestStepsDoNotAllocate(t *testing.T) {
	e := engine(t)
	load(t, e, config(func(c *trainer.Config) { c.Train = blobs(400, 12, 10, 3, 1) }), nil)
	ctx := context.Background()
	if n := testing.AllocsPerRun(20, func() {
		if _, err := e.Advance(ctx, 1); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("an optimiser step allocates %g times", n)
	}
}
