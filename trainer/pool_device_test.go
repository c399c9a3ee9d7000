package trainer_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sweep/study"
	"sweep/trainer"
	"sweep/trainer/dataset"
)

// frail is an engine whose device is lost as it is told to; it stays lost.
type frail struct {
	*null
	kinds  []string
	when   func(method string) bool
	lost   bool
	closed *int
}

func (e *frail) Kinds() []string  { return e.kinds }
func (e *frail) Hardware() string { return "GLASS" }

func (e *frail) Close() error {
	if e.closed != nil {
		*e.closed++
	}
	return nil
}

func (e *frail) gone(method string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.lost = e.lost || e.when != nil && e.when(method); e.lost {
		return fmt.Errorf("%s: %w: unspecified launch failure", method, trainer.ErrDevice)
	}
	return nil
}

func (e *frail) Load(slot int, c trainer.Config, st *trainer.State) error {
	if err := e.gone("load"); err != nil {
		return err
	}
	return e.null.Load(slot, c, st)
}

func (e *frail) Advance(ctx context.Context, n int) ([]trainer.Report, error) {
	if err := e.gone("advance"); err != nil {
		return nil, err
	}
	return e.null.Advance(ctx, n)
}

func (e *frail) Continue(slot int, keepBest bool) error {
	if err := e.gone("continue"); err != nil {
		return err
	}
	return e.null.Continue(slot, keepBest)
}

func (e *frail) Evaluate(ctx context.Context, slot int, w trainer.Which, s *dataset.Images, images []int, want trainer.Want) (trainer.Evaluation, error) {
	if err := e.gone("evaluate"); err != nil {
		return trainer.Evaluation{}, err
	}
	return e.null.Evaluate(ctx, slot, w, s, images, want)
}

func (e *frail) Save(slot int) (*trainer.State, error) {
	if err := e.gone("save"); err != nil {
		return nil, err
	}
	return e.null.Save(slot)
}

// A device is lost in whichever method, at whichever of its calls: its trials go on from their checkpoints on a new
// engine and come out as if nothing had been, charged with nothing.
func TestPoolGoesOnAfterALostDevice(t *testing.T) {
	calm := newGround(t, 6, nil)
	if err := calm.run(t.Context(), nil, newNull("cuda:0", 3)); err != nil {
		t.Fatal(err)
	}
	for _, method := range []string{"load", "advance", "continue", "evaluate", "save"} {
		for _, at := range []int{1, 4} {
			t.Run(fmt.Sprintf("%s %d", method, at), func(t *testing.T) {
				g := newGround(t, 6, nil)
				calls, closed, told := 0, 0, []string{}
				e := &frail{null: newNull("cuda:0", 3), closed: &closed, when: func(m string) bool {
					if m == method {
						calls++
					}
					return calls == at
				}}
				p := g.pool(t.Context(), nil, e)
				p.Reopen = func(lost trainer.Engine) (trainer.Engine, error) {
					if lost != e {
						t.Errorf("%v is to be opened again", lost)
					}
					return &frail{null: newNull("cuda:0", 3), closed: &closed}, nil
				}
				p.Tell = func(s string) { told = append(told, s) }
				if err := p.Run(t.Context()); err != nil {
					t.Fatal(err)
				}
				if d := cmp.Diff(calm.table(), g.table(), withoutTimes); d != "" {
					t.Errorf("tables differ (-undisturbed +lost):\n%s", d)
				}
				losses := 0
				for _, tr := range g.table() {
					if tr.Failures != 0 {
						t.Errorf("trial %d is charged with %d failures", tr.Number, tr.Failures)
					}
					d, err := g.db.Detail(t.Context(), g.study.ID, tr.Number)
					if err != nil {
						t.Fatal(err)
					}
					for i, a := range d.List {
						if a.Kind != "GLASS" {
							t.Errorf("an attempt ran on the kind %q", a.Kind)
						}
						if a.State != "lost" {
							continue
						}
						losses++
						if a.Reason != study.ReasonLost || !strings.Contains(a.Message, "unspecified launch failure") || i+1 == len(d.List) {
							t.Errorf("the lost attempt %d of %d is %+v", i+1, len(d.List), a)
						}
					}
				}
				if losses == 0 || closed != 2 {
					t.Errorf("%d attempts are lost, %d engines closed; want some, and 2", losses, closed)
				}
				if len(told) != 1 || !strings.Contains(told[0], "cuda:0 was lost and is open again") {
					t.Errorf("the user is told %q", told)
				}
			})
		}
	}
}

// After three losses a device is set aside and its trials end elsewhere; with no device left the sweep ends, its trials waiting.
func TestPoolSetsADeviceAside(t *testing.T) {
	breaks := func(m string) bool { return m == "advance" }
	for _, other := range []bool{true, false} {
		for _, again := range []bool{true, false} {
			g := newGround(t, 5, nil)
			engines := []trainer.Engine{&frail{null: newNull("cuda:0", 2), when: breaks}}
			if other {
				engines = append(engines, newNull("cuda:1", 2))
			}
			p, opened, told := g.pool(t.Context(), nil, engines...), 0, []string{}
			p.Reopen = func(trainer.Engine) (trainer.Engine, error) {
				if opened++; !again {
					return nil, errors.New("the driver says no")
				}
				return &frail{null: newNull("cuda:0", 2), when: breaks}, nil
			}
			p.Tell = func(s string) { told = append(told, s) }
			err := p.Run(t.Context())
			want, state := 2, study.Waiting // times that it is opened again
			if !again {
				want = 1
			}
			if other {
				state = study.Complete
			}
			if opened > want || !other && opened != want {
				t.Errorf("it is opened again %d times, want %d", opened, want)
			}
			if other && err != nil || !other && (!errors.Is(err, trainer.ErrDevice) || !strings.Contains(err.Error(), "no device is left")) {
				t.Errorf("other device %v: the pool ends with %v", other, err)
			}
			if !other && !strings.Contains(strings.Join(told, "\n"), "cuda:0 is") {
				t.Errorf("the user is told %q", told)
			}
			for _, tr := range g.table() {
				if tr.State != state || tr.Failures != 0 {
					t.Errorf("other device %v: trial %d is %s with %d failures", other, tr.Number, tr.State, tr.Failures)
				}
			}
		}
	}
}

// kinds judges trials with an odd number to need attention.
func kinds(p study.Params) ([]string, error) {
	if x, _ := study.AsFloat(p["latent"]); int(x)%2 == 1 {
		return []string{"conv", "attention"}, nil
	}
	return []string{"conv"}, nil
}

// devices are those of each attempt, with the reason for them, by trial.
func (g *ground) devices() [][]string {
	g.t.Helper()
	var out [][]string
	for n := range g.table() {
		d, err := g.db.Detail(g.t.Context(), g.study.ID, n)
		if err != nil {
			g.t.Fatal(err)
		}
		var list []string
		for _, a := range d.List {
			list = append(list, strings.TrimSpace(a.Device+" "+a.Because))
		}
		out = append(out, list)
	}
	return out
}

// A trial with a step that the GPU lacks goes to a core; one that the GPU can train goes there while it is there, also
// where a core has nothing else to do, and to the core when it is not.
func TestPoolGivesCoresWhatGPUsLack(t *testing.T) {
	const because = "cpu:0 the GPUs have no kernel for attention"
	for name, breaks := range map[string]bool{"whole": false, "lost": true} {
		t.Run(name, func(t *testing.T) {
			g := newGround(t, 8, nil)
			gpu := &frail{null: newNull("cuda:0", 2), kinds: []string{"conv"}, when: func(string) bool { return breaks }}
			p := g.pool(t.Context(), nil, gpu)
			p.Reserved = []trainer.Engine{newNull("cpu:0", 1)}
			p.Work = g.judging(kinds)
			if err := p.Run(t.Context()); err != nil {
				t.Fatal(err)
			}
			for n, list := range g.devices() {
				if tr := g.table()[n]; tr.State != study.Complete {
					t.Errorf("trial %d is %s", n, tr.State)
				}
				last := list[len(list)-1]
				switch {
				case !breaks && n%2 == 0 && last != "cuda:0", !breaks && n%2 == 1 && last != because:
					t.Errorf("trial %d ran on %q", n, list)
				case breaks && !strings.HasPrefix(last, "cpu:0"):
					t.Errorf("without a GPU trial %d ran on %q", n, list)
				}
			}
		})
	}
}

// judging is a runner that knows what trials need.
func (g *ground) judging(needs func(study.Params) ([]string, error)) study.Work {
	g.t.Helper()
	r, err := study.NewRunner(g.t.Context(), study.RunnerConfig{
		Study: g.study, Store: g.db, Sampler: ascending{}, Now: g.now, Needs: needs,
	})
	if err != nil {
		g.t.Fatal(err)
	}
	return r
}

// busy is an engine that notices when one slot is used by two at a time, or by one beside Advance while it trains.
type busy struct {
	*null
	t     *testing.T
	state sync.Mutex
	used  []string // by slot: who uses it
	peak  int
}

func (e *busy) use(slot int, who string) func() {
	e.state.Lock()
	defer e.state.Unlock()
	if e.used[slot] != "" {
		e.t.Errorf("slot %d is used by %s and %s at the same time", slot, e.used[slot], who)
	}
	e.used[slot] = who
	n := 0
	for _, u := range e.used {
		if u != "" && u != "Advance" {
			n++
		}
	}
	e.peak = max(e.peak, n)
	return func() {
		e.state.Lock()
		defer e.state.Unlock()
		e.used[slot] = ""
	}
}

func (e *busy) Load(slot int, c trainer.Config, st *trainer.State) error {
	defer e.use(slot, "Load")()
	time.Sleep(time.Millisecond)
	return e.null.Load(slot, c, st)
}

func (e *busy) Advance(ctx context.Context, n int) ([]trainer.Report, error) {
	for i := range e.slots {
		e.mu.Lock()
		trains := e.slots[i] != nil && !e.slots[i].halted
		e.mu.Unlock()
		if trains {
			defer e.use(i, "Advance")()
		}
	}
	return e.null.Advance(ctx, n)
}

func (e *busy) Continue(slot int, keepBest bool) error {
	free := e.use(slot, "Continue")
	time.Sleep(100 * time.Microsecond)
	free()
	return e.null.Continue(slot, keepBest)
}

func (e *busy) Evaluate(ctx context.Context, slot int, w trainer.Which, s *dataset.Images, images []int, want trainer.Want) (trainer.Evaluation, error) {
	defer e.use(slot, "Evaluate")()
	time.Sleep(time.Millisecond)
	return e.null.Evaluate(ctx, slot, w, s, images, want)
}

func (e *busy) Save(slot int) (*trainer.State, error) {
	defer e.use(slot, "Save")()
	return e.null.Save(slot)
}

// Of 16 slots none is used by two at a time, also when the sweep is interrupted, and many are beside each other; each
// trial comes out as it does alone.
func TestPoolOfManySlots(t *testing.T) {
	const trials = 60
	alone := newGround(t, trials, nil)
	if err := alone.run(t.Context(), nil, newNull("cpu:0", 1)); err != nil {
		t.Fatal(err)
	}
	g := newGround(t, trials, nil)
	peak := 0
	for interrupted := range 3 {
		ctx, cancel := context.WithCancel(t.Context())
		e, calls := &busy{null: newNull("cuda:0", 16), t: t, used: make([]string, 16)}, 0
		e.advance = func() {
			if calls++; calls == 40 && interrupted < 2 {
				cancel()
			}
		}
		if err := g.run(ctx, nil, e); err != nil && !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		cancel()
		peak = max(peak, e.peak)
		for _, tr := range g.table() {
			if tr.State == study.Running {
				t.Fatalf("trial %d still runs", tr.Number)
			}
		}
	}
	if d := cmp.Diff(alone.table(), g.table(), withoutTimes); d != "" {
		t.Errorf("tables differ (-one slot +16):\n%s", d)
	}
	if peak < 4 {
		t.Errorf("at most %d slots were worked on at the same time", peak)
	}
}

// Of trials that are not among the best neither a model nor a picture is made but the one of their best epoch.
func TestPoolMakesOnlyWhatIsKept(t *testing.T) {
	g := newGround(t, 9, func(s *study.Spec) { s.KeepCheckpoints = 2 })
	e := newNull("cpu:0", 1)
	e.loss = func(x, epoch int) float64 { return float64((x*7)%9) + 1/float64(epoch) } // best: 0 (0), 4 (1), 8 (2)
	p := g.pool(t.Context(), nil, e)
	models, strips := 0, 0
	plainModel, plainStrip := p.EncodeModel, p.Strip
	p.EncodeModel = func(c trainer.Config, w []trainer.Tensor) ([]byte, error) { models++; return plainModel(c, w) }
	p.Strip = func(rows [][]float32, h, w, c int) ([]byte, error) { strips++; return plainStrip(rows, h, w, c) }
	p.Encode = func(*trainer.State, trainer.Config) ([]byte, error) { // so slow that none but the first is due
		g.tick(time.Hour)
		return []byte("{}"), nil
	}
	if err := p.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	var kept []int
	for n := range g.table() {
		files := g.files(n)
		if slices.ContainsFunc(files, func(s string) bool { return strings.HasPrefix(s, "model") }) {
			kept = append(kept, n)
		} else if d := cmp.Diff([]string{"strip 4: of epoch 4"}, files); d != "" {
			t.Errorf("trial %d keeps (-want +got):\n%s", n, d)
		}
	}
	if d := cmp.Diff([]int{0, 4}, kept); d != "" {
		t.Errorf("models kept (-want +got):\n%s", d)
	}
	// 0, 1 (7), 2 (5), 3 (3) and 4 (1) are each among the best two of their time; 5 (8) to 8 (2) are not.
	if models != 5 {
		t.Errorf("%d models were made, want 5", models)
	}
	if want := 5*4 + 4; strips > want {
		t.Errorf("%d pictures were drawn, want at most %d", strips, want)
	}
}

// narrow is an engine with memory for fewer trials than it has slots.
type narrow struct {
	*null
	room int
	full int // loads that found no room
}

func (e *narrow) Load(slot int, c trainer.Config, st *trainer.State) error {
	e.mu.Lock()
	held := 0
	for _, t := range e.slots {
		if t != nil {
			held++
		}
	}
	if held >= e.room {
		e.full++
		e.mu.Unlock()
		return fmt.Errorf("no room: %w: %w", trainer.ErrFull, trainer.ErrMemory)
	}
	e.mu.Unlock()
	return e.null.Load(slot, c, st)
}

// A trial that finds no room beside the others waits for it and is not charged; one that has the device for itself fails.
func TestPoolWaitsForRoom(t *testing.T) {
	g := newGround(t, 12, nil)
	e := &narrow{null: newNull("cuda:0", 4), room: 2}
	if err := g.run(t.Context(), nil, e); err != nil {
		t.Fatal(err)
	}
	for _, tr := range g.table() {
		if tr.State != study.Complete || tr.Attempts != 1 {
			t.Errorf("trial %d is %s after %d attempts", tr.Number, tr.State, tr.Attempts)
		}
	}
	if e.full == 0 {
		t.Error("there was room for all")
	}
	for _, slots := range []int{1, 3} { // with others that wait, too, a trial does not wait for ever
		g = newGround(t, 3, func(s *study.Spec) { s.Retries = 0 })
		if err := g.run(t.Context(), nil, &narrow{null: newNull("cuda:0", slots), room: 0}); err != nil {
			t.Fatal(err)
		}
		for _, tr := range g.table() {
			if tr.State != study.Failed || tr.Reason != study.ReasonMemory {
				t.Errorf("without any room in %d slots trial %d is %s (%s)", slots, tr.Number, tr.State, tr.Reason)
			}
		}
	}
}

// sinking is an engine whose device is lost while a drain saves.
type sinking struct {
	*null
	t     *testing.T
	drain func()
	saves int
}

func (e *sinking) Save(int) (*trainer.State, error) {
	if e.saves++; e.saves > 3 {
		e.t.Error("a lost device is asked again and again")
		panic("enough")
	}
	e.drain()
	time.Sleep(20 * time.Millisecond) // the session ends meanwhile, by the drain and not by the loss
	return nil, fmt.Errorf("save: %w", trainer.ErrDevice)
}

// A device that is lost while its trials are saved for an interrupt gives them back uncharged.
func TestPoolLosesADeviceInADrain(t *testing.T) {
	g := newGround(t, 1, nil)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	if err := g.run(ctx, nil, &sinking{null: newNull("cuda:0", 1), t: t, drain: cancel}); !errors.Is(err, context.Canceled) {
		t.Errorf("the pool ends with %v", err)
	}
	if tr := g.table()[0]; tr.State != study.Waiting || tr.Failures != 0 {
		t.Errorf("the trial is %s with %d failures", tr.State, tr.Failures)
	}
	d, err := g.db.Detail(t.Context(), g.study.ID, 0)
	if err != nil {
		t.Fatal(err)
	}
	if d.List[0].State != "lost" {
		t.Errorf("the attempt is %s", d.List[0].State)
	}
}
