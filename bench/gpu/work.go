package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"sync"

	"sweep/study"
)

// work hands out the trials of a task and keeps how they end, in memory: what is measured is the pool and its engine, not a
// database. Every write is taken and none is kept but the outcome.
type work struct {
	task task

	mu       sync.Mutex
	next     int
	outcomes map[int64]study.Outcome // by the trial's ID
}

func newWork(t task) *work { return &work{task: t, outcomes: map[int64]study.Outcome{}} }

// Claim gives the next trials.
func (w *work) Claim(_ context.Context, c study.Capacity) ([]study.Grant, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.next == len(w.task.Trials) {
		return nil, study.ErrDone
	}
	var list []study.Grant
	for ; len(list) < c.Slots && w.next < len(w.task.Trials); w.next++ {
		t := w.task.Trials[w.next]
		list = append(list, study.Grant{
			Lease: study.Lease{StudyID: 1, TrialID: int64(t.ID), AttemptID: int64(t.ID), Epoch: 1}, Study: "task " + w.task.Name,
			Spec: study.Spec{
				Name: w.task.Name, Epochs: w.task.Epochs, Seed: t.Seed, RunCap: len(w.task.Trials),
				Objective: study.Objective{Name: "val_mse", Direction: study.Minimize},
			},
			Number: t.ID, Attempt: 1, Params: t.params(), Replicate: 1,
		})
	}
	return list, nil
}

// Renew lets every trial go on.
func (w *work) Renew(_ context.Context, leases []study.Lease) ([]study.Verdict, error) {
	return slices.Repeat([]study.Verdict{study.Go}, len(leases)), nil
}

// Append takes points and keeps none.
func (w *work) Append(context.Context, study.Lease, int64, []study.Point) (study.Verdict, error) {
	return study.Go, nil
}

// Commit takes files and keeps none.
func (w *work) Commit(context.Context, study.Lease, int, ...study.File) error { return nil }

// Fetch finds nothing: no trial goes on from a checkpoint.
func (w *work) Fetch(context.Context, study.Lease, string) (io.ReadCloser, error) {
	return nil, study.ErrNotFound
}

// Keeps wants the models of the best ten, as sweeps do unless their file says otherwise.
func (w *work) Keeps(_ context.Context, _ study.Lease, value float64) (bool, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	better := 0
	for _, o := range w.outcomes {
		if o.State == study.Complete && o.Value <= value {
			better++
		}
	}
	return better < 10, nil
}

// Finish keeps the outcome.
func (w *work) Finish(_ context.Context, l study.Lease, o study.Outcome) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	o.Files = nil
	w.outcomes[l.TrialID] = o
	return nil
}

// scores are the least validation errors of all trials, in order; the error names the first trial that has none.
func (w *work) scores() ([]score, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var list []score
	for _, t := range w.task.Trials {
		o, ok := w.outcomes[int64(t.ID)]
		if !ok || o.State != study.Complete {
			return nil, fmt.Errorf("trial %d of task %s ended as %q: %s", t.ID, w.task.Name, o.State, o.Message)
		}
		list = append(list, score{ID: t.ID, ValMSE: o.Value})
	}
	return list, nil
}
