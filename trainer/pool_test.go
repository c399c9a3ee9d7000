package trainer_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"sweep/storage"
	"sweep/study"
	"sweep/trainer"
	"sweep/trainer/dataset"
)

// null is an engine without arithmetic. Its weights are the number of the epoch that made them, and so are its
// reconstructions; its losses are told to it, and so is what goes wrong.
type null struct {
	mu      sync.Mutex // slots may be used at the same time
	slots   []*nullTrial
	name    string
	loss    func(x, epoch int) float64 // nil: 1/(epoch+x), which only falls
	mishap  func(x, epoch int) error   // nil: none; a panic is one too
	save    func(x int) error          // likewise, in Save
	advance func()                     // called at each Advance
}

type nullTrial struct {
	x      int
	config trainer.Config
	state  trainer.State
	best   float32
	halted bool
}

func newNull(name string, slots int) *null {
	return &null{name: name, slots: make([]*nullTrial, slots)}
}

func (e *null) Device() string  { return e.name }
func (e *null) Slots() int      { return len(e.slots) }
func (e *null) Kinds() []string { return nil }
func (e *null) Close() error    { return nil }

func (e *null) Clear(slot int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.slots[slot] = nil
}

func (e *null) Load(slot int, c trainer.Config, st *trainer.State) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.slots[slot] != nil {
		return errors.New("the slot is taken")
	}
	t := &nullTrial{x: c.Latent, config: c}
	if st != nil {
		t.state = *st
		if len(st.Best) > 0 {
			t.best = st.Best[0].Data[0]
		}
	}
	e.slots[slot] = t
	return nil
}

func (e *null) Advance(ctx context.Context, _ int) ([]trainer.Report, error) {
	if e.advance != nil {
		e.advance()
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	var out []trainer.Report
	for i, t := range e.slots {
		if t == nil || t.halted {
			continue
		}
		epoch := t.state.Epoch + 1
		if e.mishap != nil {
			if err := e.mishap(t.x, epoch); err != nil {
				out = append(out, trainer.Report{Slot: i, Epoch: epoch, Err: err})
				t.halted = true
				continue
			}
		}
		t.state.Epoch, t.halted = epoch, true
		loss := 1 / float64(epoch+t.x)
		if e.loss != nil {
			loss = e.loss(t.x, epoch)
		}
		out = append(out, trainer.Report{
			Slot: i, Epoch: epoch, Train: trainer.Sums{Images: 1, Loss: loss},
			Validation: trainer.Sums{Images: 1, Values: 1, Loss: loss, SE: loss, AE: loss, SSIM: 0.5, Within: 1},
			TrainTime:  time.Second, Time: time.Second,
		})
	}
	return out, nil
}

func (e *null) Continue(slot int, keepBest bool) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	t := e.slots[slot]
	if keepBest {
		t.best = float32(t.state.Epoch)
	}
	t.halted = false
	return nil
}

func (e *null) Evaluate(_ context.Context, slot int, which trainer.Which, set *dataset.Images, images []int, _ trainer.Want) (trainer.Evaluation, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	t := e.slots[slot]
	out := make([]float32, len(images)*set.Height*set.Width*set.Channels)
	for i := range out {
		out[i] = float32(t.state.Epoch)
		if which == trainer.Best {
			out[i] = t.best
		}
	}
	return trainer.Evaluation{Reconstructions: out}, nil
}

// Decode gives each image one value, the epoch that its weights are of.
func (e *null) Decode(_ context.Context, slot int, which trainer.Which, codes []float32) ([]float32, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	t := e.slots[slot]
	out := make([]float32, len(codes)/t.config.Latent*t.config.Height*t.config.Width*t.config.Channels)
	for i := range out {
		out[i] = float32(t.state.Epoch)
		if which == trainer.Best {
			out[i] = t.best
		}
	}
	return out, nil
}

func (e *null) Save(slot int) (*trainer.State, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	t := e.slots[slot]
	if e.save != nil {
		if err := e.save(t.x); err != nil {
			return nil, err
		}
	}
	st := t.state
	one := func(v float32) []trainer.Tensor {
		return []trainer.Tensor{{Name: "w", Shape: []int{1}, Data: []float32{v}}}
	}
	st.Weights, st.Best = one(float32(st.Epoch)), one(t.best)
	return &st, nil
}

// ground is a study on a real store and a pool on null engines.
type ground struct {
	t     *testing.T
	db    *storage.DB
	study study.Study
	clock struct {
		sync.Mutex
		now time.Time
	}
}

type ascending struct{}

func (ascending) Sample(_ context.Context, a study.Ask) (study.Params, error) {
	return study.Params{"latent": int64(a.Number)}, nil
}

func newGround(t *testing.T, trials int, change func(*study.Spec)) *ground {
	t.Helper()
	g := &ground{t: t}
	g.clock.now = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	path := filepath.Join(t.TempDir(), "sweep.db")
	l, err := storage.Lock(path, storage.Holder{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Release() })
	if g.db, err = storage.Open(t.Context(), path, storage.Options{Write: true}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { g.db.Close() })
	spec := study.Spec{
		Name: "s", Method: "ascending", Objective: study.Objective{Name: "val_mse", Direction: study.Minimize}, RunCap: trials, Epochs: 4,
		Retries: 1, KeepCheckpoints: 100,
		Space: study.Space{{Name: "latent", Distribution: study.Distribution{Kind: study.Int, Low: 0, High: 999}}},
	}
	if change != nil {
		change(&spec)
	}
	if g.study, err = g.db.CreateStudy(t.Context(), spec, study.Data{Name: "shapes"}, g.now()); err != nil {
		t.Fatal(err)
	}
	return g
}

// now is a clock that stands still, on which saving takes no time and so is due at each epoch, until it is told to tick.
func (g *ground) now() time.Time {
	g.clock.Lock()
	defer g.clock.Unlock()
	return g.clock.now
}

func (g *ground) tick(d time.Duration) {
	g.clock.Lock()
	defer g.clock.Unlock()
	g.clock.now = g.clock.now.Add(d)
}

func (g *ground) run(ctx context.Context, p study.Pruner, engines ...trainer.Engine) error {
	g.t.Helper()
	return g.pool(ctx, p, engines...).Run(ctx)
}

// whole is a state with what its own JSON leaves to the codec.
type whole struct {
	*trainer.State
	BestValue   float64
	BestMetrics map[string]float64
}

func (g *ground) pool(ctx context.Context, p study.Pruner, engines ...trainer.Engine) *trainer.Pool {
	g.t.Helper()
	r, err := study.NewRunner(ctx, study.RunnerConfig{Study: g.study, Store: g.db, Sampler: ascending{}, Pruner: p, Now: g.now})
	if err != nil {
		g.t.Fatal(err)
	}
	set := &dataset.Images{Height: 2, Width: 2, Channels: 1, Pixels: make([]byte, 4*20)}
	return &trainer.Pool{
		Work: r, Engines: engines, Host: "here", Now: g.now,
		Configure: func(gr study.Grant) (trainer.Config, error) {
			c := trainer.Config{Epochs: gr.Spec.Epochs, Validation: set}
			x, _ := study.AsFloat(gr.Params["latent"])
			c.Latent = int(x)
			return c, nil
		},
		Encode: func(s *trainer.State, _ trainer.Config) ([]byte, error) {
			return json.Marshal(whole{s, s.Stop.Best, s.Stop.Metrics})
		},
		Decode: func(b []byte) (*trainer.State, error) {
			v := whole{State: &trainer.State{}}
			err := json.Unmarshal(b, &v)
			v.Stop.Best, v.Stop.Metrics = v.BestValue, v.BestMetrics
			return v.State, err
		},
		EncodeModel: func(_ trainer.Config, w []trainer.Tensor) ([]byte, error) { return json.Marshal(w) },
		Strip: func(rows [][]float32, _, _, _ int) ([]byte, error) {
			return fmt.Appendf(nil, "of epoch %v", rows[1][0]), nil
		},
	}
}

// hooks is a Work some of whose methods are replaced.
type hooks struct {
	study.Work
	append func(study.Lease, int64, []study.Point) (study.Verdict, error)
	commit func(study.Lease, int, ...study.File) error
	renew  func([]study.Lease) ([]study.Verdict, error)
}

func (h hooks) Append(ctx context.Context, l study.Lease, seq int64, p []study.Point) (study.Verdict, error) {
	if h.append != nil {
		if v, err := h.append(l, seq, p); err != nil || v != study.Go {
			return v, err
		}
	}
	return h.Work.Append(ctx, l, seq, p)
}

func (h hooks) Commit(ctx context.Context, l study.Lease, step int, f ...study.File) error {
	if h.commit != nil {
		if err := h.commit(l, step, f...); err != nil {
			return err
		}
	}
	return h.Work.Commit(ctx, l, step, f...)
}

func (h hooks) Renew(ctx context.Context, l []study.Lease) ([]study.Verdict, error) {
	if h.renew != nil {
		return h.renew(l)
	}
	return h.Work.Renew(ctx, l)
}

// files reads what is kept of a trial, as "kind step: body".
func (g *ground) files(number int) []string {
	g.t.Helper()
	d, err := g.db.Detail(g.t.Context(), g.study.ID, number)
	if err != nil {
		g.t.Fatal(err)
	}
	var out []string
	for _, a := range d.Artifacts {
		f, _, err := g.db.OpenArtifact(g.t.Context(), a.Digest)
		if err != nil {
			g.t.Fatal(err)
		}
		body, err := io.ReadAll(f)
		f.Close()
		if err != nil {
			g.t.Fatal(err)
		}
		out = append(out, fmt.Sprintf("%s %d: %s", a.Kind, a.Step, body))
	}
	slices.Sort(out)
	return out
}

// table is what is stored, times aside.
func (g *ground) table() []study.Trial {
	g.t.Helper()
	trials, err := g.db.Trials(g.t.Context(), g.study.ID)
	if err != nil {
		g.t.Fatal(err)
	}
	return trials
}

var withoutTimes = cmp.Options{
	cmpopts.IgnoreFields(study.Trial{}, "Start", "End", "Duration", "Attempts", "Failures"), cmpopts.EquateNaNs(),
	cmpopts.IgnoreMapEntries(func(k string, _ float64) bool { return k == "epoch_s" || k == "images_per_s" }),
}

func TestPoolTrainsAll(t *testing.T) {
	for _, slots := range []int{1, 3} {
		g := newGround(t, 7, nil)
		if err := g.run(t.Context(), nil, newNull("cpu:0", slots), newNull("cpu:1", slots)); err != nil {
			t.Fatal(err)
		}
		for _, tr := range g.table() {
			if want := 1 / float64(4+tr.Number); tr.State != study.Complete || tr.Value != want || len(tr.Curve) != 4 || tr.Attempts != 1 || tr.Metrics["epoch"] != 4 {
				t.Errorf("with %d slots trial %d is %+v, want complete with %v after 4 epochs", slots, tr.Number, tr, want)
			}
			want := []string{
				`model 4: [{"Name":"w","Shape":[1],"Data":[4]}]`,
				"strip 1: of epoch 1", "strip 2: of epoch 2", "strip 3: of epoch 3", "strip 4: of epoch 4",
			}
			if d := cmp.Diff(want, g.files(tr.Number)); d != "" {
				t.Errorf("trial %d keeps (-want +got):\n%s", tr.Number, d)
			}
		}
	}
}

func TestPoolTrialsFailAlone(t *testing.T) {
	g := newGround(t, 4, nil)
	e := newNull("cpu:0", 1)
	e.mishap = func(x, epoch int) error {
		switch {
		case x == 1 && epoch == 2:
			panic("index out of range")
		case x == 2 && epoch == 3:
			return fmt.Errorf("epoch 3: %w", trainer.ErrNaN)
		}
		return nil
	}
	if err := g.run(t.Context(), nil, e); err != nil {
		t.Fatal(err)
	}
	trials := g.table()
	for n, want := range []study.State{study.Complete, study.Failed, study.Failed, study.Complete} {
		if trials[n].State != want {
			t.Errorf("trial %d is %s, want %s", n, trials[n].State, want)
		}
	}
	if tr := trials[1]; tr.Reason != study.ReasonError || !strings.Contains(tr.Message, "index out of range") || tr.Attempts != 2 {
		t.Errorf("the panic left %+v", tr)
	}
	if tr := trials[2]; tr.Reason != study.ReasonNaN || tr.Attempts != 1 || len(tr.Curve) != 2 {
		t.Errorf("the NaN left %+v", tr)
	}
}

// A mishap that does not come again is survived from the last checkpoint.
func TestPoolRetriesFromTheCheckpoint(t *testing.T) {
	g := newGround(t, 1, nil)
	e, hits := newNull("cpu:0", 1), 0
	e.mishap = func(_, epoch int) error {
		if epoch == 3 && hits == 0 {
			hits++
			return errors.New("a cosmic ray")
		}
		return nil
	}
	if err := g.run(t.Context(), nil, e); err != nil {
		t.Fatal(err)
	}
	d, err := g.db.Detail(t.Context(), g.study.ID, 0)
	if err != nil {
		t.Fatal(err)
	}
	if d.State != study.Complete || len(d.List) != 2 || d.List[1].ResumedStep != 2 || d.List[1].ResumedFrom != 1 {
		t.Errorf("attempts are %+v", d.List)
	}
}

func TestPoolDrainsAndGoesOn(t *testing.T) {
	calm := newGround(t, 5, nil)
	if err := calm.run(t.Context(), nil, newNull("cpu:0", 2)); err != nil {
		t.Fatal(err)
	}
	g := newGround(t, 5, nil)
	for interrupt := 1; ; interrupt++ {
		ctx, cancel := context.WithCancel(t.Context())
		e, calls := newNull("cpu:0", 2), 0
		e.advance = func() {
			if calls++; calls > 2 {
				cancel()
			}
		}
		err := g.run(ctx, nil, e)
		cancel()
		for _, tr := range g.table() {
			if tr.State == study.Running {
				t.Fatalf("trial %d still runs after a drain", tr.Number)
			}
		}
		if err == nil {
			break
		}
		if !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		if interrupt > 40 {
			t.Fatal("the sweep makes no progress between interrupts")
		}
	}
	if d := cmp.Diff(calm.table(), g.table(), withoutTimes); d != "" {
		t.Errorf("undisturbed and interrupted tables differ (-undisturbed +interrupted):\n%s", d)
	}
}

func TestPoolStopsEarly(t *testing.T) {
	g := newGround(t, 1, func(s *study.Spec) {
		s.Objective = study.Objective{Name: "val_ssim", Direction: study.Maximize}
		s.Epochs = 50
	})
	// val_ssim stays at 0.5, so the first epoch is the best one; patience is what ends it.
	pool := g.pool(t.Context(), nil, newNull("cpu:0", 1))
	plain := pool.Configure
	pool.Configure = func(gr study.Grant) (trainer.Config, error) {
		c, err := plain(gr)
		c.Patience = 3
		return c, err
	}
	if err := pool.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if tr := g.table()[0]; tr.State != study.Complete || len(tr.Curve) != 4 || tr.Metrics["epoch"] != 1 {
		t.Errorf("the trial is %+v, want 4 epochs, the best the first", tr)
	}
}

// ruthless prunes every trial but the first at its second epoch.
type ruthless struct{}

func (ruthless) Prune(_ study.Direction, t study.Trial, _ []study.Trial) bool {
	return t.Number > 0 && len(t.Curve) == 2
}

func TestPoolPrunes(t *testing.T) {
	g := newGround(t, 3, nil)
	if err := g.run(t.Context(), ruthless{}, newNull("cpu:0", 1)); err != nil {
		t.Fatal(err)
	}
	for _, tr := range g.table() {
		state, epochs := study.Pruned, 2
		if tr.Number == 0 {
			state, epochs = study.Complete, 4
		}
		if tr.State != state || len(tr.Curve) != epochs {
			t.Errorf("trial %d: %s after %d epochs, want %s after %d", tr.Number, tr.State, len(tr.Curve), state, epochs)
		}
	}
}

func TestPoolStops(t *testing.T) {
	g := newGround(t, 3, nil)
	e, calls := newNull("cpu:0", 1), 0
	e.advance = func() {
		g.tick(time.Second)
		if calls++; calls == 3 {
			if err := g.db.Request(t.Context(), g.study.ID, study.Stop, g.now()); err != nil {
				t.Error(err)
			}
		}
	}
	if err := g.run(t.Context(), nil, e); err != nil {
		t.Fatal(err)
	}
	trials := g.table()
	if len(trials) != 1 || trials[0].State != study.Waiting {
		t.Fatalf("after a stop: %+v, want one waiting trial", trials)
	}
}

// Saving takes a second here and an epoch five: a checkpoint is due when twenty have passed since the last, which keeps
// its cost to a twentieth of the time.
func TestPoolSavesSeldomWhenSavingIsSlow(t *testing.T) {
	g := newGround(t, 1, func(s *study.Spec) { s.Epochs = 14 })
	e := newNull("cpu:0", 1)
	e.advance = func() { g.tick(5 * time.Second) }
	pool := g.pool(t.Context(), nil, e)
	plain := pool.Encode
	var saved []int
	pool.Encode = func(s *trainer.State, c trainer.Config) ([]byte, error) {
		saved = append(saved, s.Epoch)
		g.tick(time.Second)
		return plain(s, c)
	}
	if err := pool.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]int{1, 5, 9, 13}, saved); d != "" {
		t.Errorf("epochs saved (-want +got):\n%s", d)
	}
}
