package study

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"sync"
	"time"
)

// Runner runs one study: it asks the sampler, hands out grants, watches the curves and keeps the store. It is the
// in-process [Work]. All methods may be called from several goroutines: they wait for each other in memory only, so that
// the store can write for many trials at once.
//
// The store is written before memory changes, so that what a Runner has said is never more than what is kept.
type Runner struct {
	study    Study
	store    Store
	sampler  Sampler
	pruner   Pruner // nil prunes nothing
	now      func() time.Time
	needs    func(Params) ([]string, error) // nil: every device runs every trial
	finished func(Trial)

	// claiming is held by who claims: trials are proposed and begun one after the other. It is taken before mu.
	claiming sync.Mutex
	history  []Trial // what samplers see: trials as of the last claim
	judged   map[int][]string

	mu      sync.Mutex
	trials  []Trial      // by number
	waiting []int        // numbers of those that wait, rising
	changed map[int]bool // trials that history has otherwise
	// open holds the current lease of each running trial, by the trial's ID.
	open map[int64]lease
	wish Verdict
	// top holds the values of the best complete trials, the best first, of as many as keep their models.
	top []float64
}

type lease struct {
	Lease
	number int
	begun  time.Time
	seq    int64 // of the last points that were stored
	ending bool  // being finished: the store is written, and nobody else may write under it
}

// RunnerConfig is what a Runner is made of.
type RunnerConfig struct {
	Study   Study
	Store   Store
	Sampler Sampler
	Pruner  Pruner // nil prunes nothing
	Now     func() time.Time
	// Needs, where set, tells which kinds of step a configuration needs, for [Capacity.Takes]. An error is one that the
	// trial will meet itself: any device may take it.
	Needs func(Params) ([]string, error)
	// Finished, where set, is told each trial that has just become final. It is called from the goroutine that
	// finished it and must not call the Runner.
	Finished func(Trial)
}

// NewRunner loads the study's trials and puts those that a dead process left running back to waiting. The caller owns
// the database: nobody else runs this study.
func NewRunner(ctx context.Context, c RunnerConfig) (*Runner, error) {
	if _, err := c.Store.Reclaim(ctx, c.Study.ID, c.Now()); err != nil {
		return nil, fmt.Errorf("take back the trials of dead processes: %w", err)
	}
	trials, err := c.Store.Trials(ctx, c.Study.ID)
	if err != nil {
		return nil, fmt.Errorf("read the trials of study %s: %w", c.Study.Name, err)
	}
	r := &Runner{
		study: c.Study, store: c.Store, sampler: c.Sampler, pruner: c.Pruner, now: c.Now, needs: c.Needs, finished: c.Finished,
		trials: trials, history: slices.Clone(trials), judged: map[int][]string{}, changed: map[int]bool{},
		open: map[int64]lease{}, wish: Go,
	}
	for i, t := range trials {
		switch t.State {
		case Waiting:
			r.waiting = append(r.waiting, i)
		case Complete:
			r.rank(t.Value)
		}
	}
	return r, nil
}

// mostAhead is how many trials are proposed that wait for other workers, before who proposes them waits too: the sampler
// learns nothing while they wait.
const mostAhead = 16

// Claim implements [Work]. Trials that wait come first, by number; then the sampler is asked. A proposal that is not for
// this worker waits for another one. A worker that leaves trials to others leaves it to them to propose, too: it would ask
// for one after the other until one is for itself.
//
// Where the study has one worker, trials are begun one after the other on whichever device, and none is proposed while
// another waits or runs, so that the whole table repeats.
func (r *Runner) Claim(ctx context.Context, c Capacity) ([]Grant, error) {
	r.claiming.Lock()
	defer r.claiming.Unlock()
	r.mu.Lock()
	wish, done := r.wish, len(r.open) == 0 && !r.more()
	r.mu.Unlock()
	switch {
	case wish == Stop, done:
		return nil, ErrDone
	case wish == Pause:
		return nil, nil
	}
	var grants []Grant
	for len(grants) < c.Slots {
		number, err := r.next(ctx, c)
		if err != nil {
			return grants, err
		}
		if number < 0 {
			break
		}
		g, err := r.begin(ctx, number, c)
		if err != nil {
			return grants, err
		}
		grants = append(grants, g)
	}
	return grants, nil
}

// more reports whether a trial waits or may still be proposed. The caller has the lock.
func (r *Runner) more() bool {
	return !r.reached() && (len(r.trials) < r.study.Spec.RunCap || len(r.waiting) > 0)
}

// next finds or proposes a waiting trial for a worker; -1 when there is none to be had. The caller claims.
func (r *Runner) next(ctx context.Context, c Capacity) (int, error) {
	for {
		r.mu.Lock()
		most, turn := mostAhead, true
		if r.study.Spec.Workers == 1 {
			most, turn = 1, len(r.open) == 0
		}
		if !r.more() || !turn {
			r.mu.Unlock()
			return -1, nil
		}
		for _, i := range r.waiting {
			if c.Takes(r.kinds(i, r.trials[i].Params)) {
				r.mu.Unlock()
				return i, nil
			}
		}
		n, ahead := len(r.trials), len(r.waiting)
		for i := range r.changed {
			r.history[i] = r.trials[i]
		}
		clear(r.changed)
		r.mu.Unlock()
		if n >= r.study.Spec.RunCap || len(c.Leave) > 0 || ahead >= most {
			return -1, nil // all that wait are for other workers
		}
		if err := r.propose(ctx, n); err != nil {
			return -1, err
		}
	}
}

// kinds are those of step that a trial needs. The caller claims.
func (r *Runner) kinds(number int, p Params) []string {
	if r.needs == nil {
		return nil
	}
	k, ok := r.judged[number]
	if !ok {
		k, _ = r.needs(p) // an error is one that the trial meets itself, wherever it is trained
		r.judged[number] = k
	}
	return k
}

// propose asks the sampler for trial n, the next one, and stores it. The caller claims.
func (r *Runner) propose(ctx context.Context, n int) error {
	params, err := r.sampler.Sample(ctx, Ask{
		Number: n, Seed: r.study.Spec.Seed, Space: r.study.Spec.Space, Objective: r.study.Spec.Objective, Trials: r.history[:n:n],
	})
	if err != nil {
		return fmt.Errorf("propose trial %d: %w", n, err)
	}
	if err := r.study.Spec.Space.Check(params); err != nil {
		return fmt.Errorf("propose trial %d by %s: %w", n, r.study.Spec.Method, err)
	}
	t, err := r.store.Propose(ctx, r.study.ID, Proposal{
		Params: params, Space: r.study.Spec.Space, Sampler: r.study.Spec.Method, Now: r.now(),
	})
	if err != nil {
		return fmt.Errorf("store trial %d: %w", n, err)
	}
	if t.Number != n {
		return fmt.Errorf("store trial %d: the database gave it number %d; another program adds trials to study %s: stop it and run again",
			n, t.Number, r.study.Name)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.trials = append(r.trials, t)
	r.history = append(r.history, t)
	r.waiting = append(r.waiting, n)
	return nil
}

// reached reports whether a complete trial is at least as good as the study's target.
func (r *Runner) reached() bool {
	target := r.study.Spec.Objective.Target
	if target == nil {
		return false
	}
	best, ok := r.best()
	return ok && !r.study.Spec.Objective.Direction.Better(*target, best.Value)
}

func (r *Runner) begin(ctx context.Context, number int, c Capacity) (Grant, error) {
	r.mu.Lock()
	id, params := r.trials[number].ID, r.trials[number].Params
	r.mu.Unlock()
	now := r.now()
	a, resume, err := r.store.Begin(ctx, id, Place{
		Host: c.Host, Device: c.Device, Kind: c.Kind, Because: c.because(r.kinds(number, params)),
	}, now)
	if err != nil {
		return Grant{}, fmt.Errorf("begin trial %d: %w", number, err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	t := &r.trials[number]
	t.State, t.Attempts, t.Reason, t.Message = Running, a.Ordinal, "", ""
	if t.Start.IsZero() {
		t.Start = now
	}
	kept := 0
	if resume != nil {
		kept = resume.Step
	}
	// A new slice, since samplers may still hold the old one.
	t.Curve = slices.Clone(t.Curve[:curveUntil(t.Curve, kept)])
	r.changed[number] = true
	r.waiting = slices.DeleteFunc(r.waiting, func(n int) bool { return n == number })
	l := Lease{StudyID: r.study.ID, TrialID: t.ID, AttemptID: a.ID, Epoch: a.Epoch}
	r.open[t.ID] = lease{Lease: l, number: number, begun: now}
	return Grant{
		Lease: l, Study: r.study.Name, Spec: r.study.Spec, Data: r.study.Data, Number: number, Attempt: a.Ordinal,
		Params: t.Params, Resume: resume,
	}, nil
}

// because says why a trial with these needs is for this worker and no other.
func (c Capacity) because(needs []string) string {
	var lacking []string
	for _, n := range needs {
		for _, other := range c.Leave {
			if other != nil && !slices.Contains(other, n) && !slices.Contains(lacking, n) {
				lacking = append(lacking, n)
			}
		}
	}
	if len(lacking) == 0 {
		return ""
	}
	return "the GPUs have no kernel for " + strings.Join(lacking, ", ")
}

// curveUntil counts the samples of a rising curve at steps up to step.
func curveUntil(c []Sample, step int) int {
	n := len(c)
	for n > 0 && c[n-1].Step > step {
		n--
	}
	return n
}

// current returns the trial of a lease that still holds. The caller has the lock.
func (r *Runner) current(l Lease) (*Trial, error) {
	held, ok := r.open[l.TrialID]
	if !ok || held.Lease != l || held.ending {
		return nil, ErrStale
	}
	return &r.trials[held.number], nil
}

// stale gives up a lease that the store no longer knows: somebody else took the trial or deleted the study.
func (r *Runner) stale(l Lease, err error) error {
	if errors.Is(err, ErrStale) {
		delete(r.open, l.TrialID)
	}
	return err
}

// Renew implements [Work] and reads what the store's users have asked for.
func (r *Runner) Renew(ctx context.Context, leases []Lease) ([]Verdict, error) {
	wish, err := r.store.Wish(ctx, r.study.ID)
	if err != nil {
		return nil, fmt.Errorf("read the requests for study %s: %w", r.study.Name, err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.wish = wish
	out := make([]Verdict, len(leases))
	for i, l := range leases {
		out[i] = wish
		if _, err := r.current(l); err != nil {
			out[i] = Stale
		}
	}
	return out, nil
}

// Append implements [Work]. The verdict is Prune when the points hold the curve's newest step and the pruner says so; a
// repeated seq changes nothing and has its verdict again.
func (r *Runner) Append(ctx context.Context, l Lease, seq int64, points []Point) (Verdict, error) {
	r.mu.Lock()
	_, err := r.current(l)
	r.mu.Unlock()
	if err != nil {
		return Stale, err
	}
	objective := r.study.Spec.Objective
	err = r.store.Append(ctx, l, seq, points, objective.Name)
	r.mu.Lock()
	defer r.mu.Unlock()
	if errors.Is(err, ErrStale) {
		return Stale, r.stale(l, err)
	}
	number := r.open[l.TrialID].number
	if err != nil {
		return Go, fmt.Errorf("store points of trial %d: %w", number, err)
	}
	t, err := r.current(l)
	if err != nil {
		return Stale, err // it has ended meanwhile
	}
	if held := r.open[l.TrialID]; seq > held.seq {
		held.seq = seq
		r.open[l.TrialID] = held
		t.add(points, objective.Name)
		r.changed[number] = true
	}
	newest := slices.ContainsFunc(points, func(p Point) bool {
		return p.Key == objective.Name && len(t.Curve) > 0 && p.Step == t.Curve[len(t.Curve)-1].Step
	})
	if newest && r.pruner != nil && r.pruner.Prune(objective.Direction, *t, r.trials) {
		return Prune, nil
	}
	return r.wish, nil
}

// add puts points into a running trial's curve and latest values.
func (t *Trial) add(points []Point, objective string) {
	latest := make(map[string]float64, len(t.Metrics)+len(points))
	for k, v := range t.Metrics {
		latest[k] = v
	}
	for _, p := range points {
		latest[p.Key] = p.Value
		if p.Key == objective {
			t.Curve = set(t.Curve, Sample{p.Step, p.Value})
		}
	}
	t.Metrics = latest
}

// set puts a sample into a rising curve, in the place of one of the same step. It never changes the samples of c, which
// samplers and displays may still hold.
func set(c []Sample, s Sample) []Sample {
	i, found := slices.BinarySearchFunc(c, s.Step, func(e Sample, step int) int { return e.Step - step })
	switch {
	case i == len(c):
		return append(c, s)
	case found:
		c = slices.Clone(c)
		c[i] = s
		return c
	}
	return slices.Insert(slices.Clone(c), i, s)
}

// Commit implements [Work]. It does not hold up other trials while files are written.
func (r *Runner) Commit(ctx context.Context, l Lease, step int, files ...File) error {
	r.mu.Lock()
	_, err := r.current(l)
	number := r.open[l.TrialID].number
	r.mu.Unlock()
	if err != nil {
		return err
	}
	if err := r.store.Commit(ctx, l, step, files, r.now()); err != nil {
		r.mu.Lock()
		defer r.mu.Unlock()
		return r.stale(l, fmt.Errorf("store files of trial %d: %w", number, err))
	}
	return nil
}

// Keeps implements [Work].
func (r *Runner) Keeps(_ context.Context, l Lease, value float64) (bool, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, err := r.current(l); err != nil {
		return false, err
	}
	keep := r.study.Spec.KeepCheckpoints
	return keep > 0 && (len(r.top) < keep || !r.study.Spec.Objective.Direction.Better(r.top[keep-1], value)), nil
}

// rank puts the value of a complete trial among the best ones. The caller has the lock.
func (r *Runner) rank(value float64) {
	i := len(r.top)
	for i > 0 && r.study.Spec.Objective.Direction.Better(value, r.top[i-1]) {
		i--
	}
	r.top = slices.Insert(r.top, i, value)
	r.top = r.top[:min(len(r.top), max(r.study.Spec.KeepCheckpoints, 0))]
}

// Fetch implements [Work].
func (r *Runner) Fetch(ctx context.Context, l Lease, digest string) (io.ReadCloser, error) {
	r.mu.Lock()
	_, err := r.current(l)
	r.mu.Unlock()
	if err != nil {
		return nil, err
	}
	return r.store.Fetch(ctx, digest)
}

// Finish implements [Work]. An attempt that failed by itself is tried again until the study's retries are used up; a
// NaN is not, since the same configuration gives the same bits.
func (r *Runner) Finish(ctx context.Context, l Lease, o Outcome) error {
	trial, err := r.finish(ctx, l, o)
	if err == nil && trial.State.Final() && r.finished != nil {
		r.finished(trial)
	}
	return err
}

func (r *Runner) finish(ctx context.Context, l Lease, o Outcome) (Trial, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	t, err := r.current(l)
	if err != nil {
		return Trial{}, err
	}
	number, failures := t.Number, t.Failures
	if o.State == Failed && o.Reason.Own() {
		failures++
	}
	next := o.State
	if o.State == Failed && o.Reason != ReasonNaN && failures <= r.study.Spec.Retries {
		next = Waiting
	}
	held := r.open[l.TrialID]
	held.ending = true
	r.open[l.TrialID] = held
	now := r.now()

	r.mu.Unlock() // files may be large: the other trials go on meanwhile
	if o.State == Failed && o.Reason == ReasonLost {
		next, err = r.store.Lose(ctx, l, o.Message, now)
	} else {
		err = r.store.Finish(ctx, l, o, next, r.study.Spec.KeepCheckpoints, now)
	}
	r.mu.Lock()

	if err != nil {
		held.ending = false
		r.open[l.TrialID] = held
		return Trial{}, r.stale(l, fmt.Errorf("finish trial %d: %w", number, err))
	}
	delete(r.open, l.TrialID)
	t = &r.trials[number] // the slice may have grown
	t.State, t.Failures = next, failures
	t.Duration += now.Sub(held.begun)
	r.changed[number] = true
	switch next {
	case Waiting:
		i, _ := slices.BinarySearch(r.waiting, number)
		r.waiting = slices.Insert(r.waiting, i, number)
	case Complete:
		r.rank(o.Value)
	}
	if next.Final() {
		t.End, t.Value, t.Reason, t.Message = now, math.NaN(), o.Reason, o.Message
		if o.State != Failed {
			t.Value, t.Metrics = o.Value, o.Metrics
		}
	}
	return *t, nil
}

func (r *Runner) best() (Trial, bool) {
	var best Trial
	found := false
	for _, t := range r.trials {
		if t.State == Complete && !math.IsNaN(t.Value) && (!found || r.study.Spec.Objective.Direction.Better(t.Value, best.Value)) {
			best, found = t, true
		}
	}
	return best, found
}

// Progress is a study at one moment, for displays.
type Progress struct {
	Counts  map[State]int
	Running []Trial // by number; Metrics are the latest
	Best    *Trial  // nil before the first complete trial
	Wish    Verdict
}

// Progress copies what a display shows.
func (r *Runner) Progress() Progress {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := Progress{Counts: map[State]int{}, Wish: r.wish}
	for _, t := range r.trials {
		p.Counts[t.State]++
		if t.State == Running {
			p.Running = append(p.Running, t)
		}
	}
	if b, ok := r.best(); ok {
		p.Best = &b
	}
	return p
}
