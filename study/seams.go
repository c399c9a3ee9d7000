package study

import (
	"context"
	"io"
	"time"
)

// Sampler proposes configurations.
type Sampler interface {
	// Sample proposes the parameters of trial a.Number. It must be a pure function of a: same ask, same answer.
	Sample(ctx context.Context, a Ask) (Params, error)
}

// Ask is all that a proposal may depend on.
type Ask struct {
	Number    int
	Seed      uint64
	Space     Space
	Objective Objective
	// Trials are all trials of the study with a smaller number, in order. Finished ones teach; open ones are pending,
	// and a sampler spreads away from them. The slice is shared: it must not be changed.
	Trials []Trial
}

// Pruner decides whether a trial is stopped early. It is a pure function of the stored curves.
type Pruner interface {
	// Prune reports whether t, whose curve has just grown by its last sample, should stop. trials are all trials of
	// the study, t among them; they must not be changed.
	Prune(d Direction, t Trial, trials []Trial) bool
}

// Store is what the loop needs of the database. Each method is one transaction.
type Store interface {
	// Trials reads all trials of a study in the order of their numbers, with their curves.
	Trials(ctx context.Context, studyID int64) ([]Trial, error)
	// Propose stores a new waiting trial.
	Propose(ctx context.Context, studyID int64, p Proposal) (Trial, error)
	// Begin turns a waiting trial into a running one: a new attempt under the next epoch, continuing the trial's
	// newest checkpoint where there is one. Points of earlier attempts after that checkpoint's step become hidden.
	Begin(ctx context.Context, trialID int64, place Place, now time.Time) (Attempt, *Resume, error)
	// Append stores points; those whose key is objective also go into Optuna's intermediate values.
	Append(ctx context.Context, l Lease, seq int64, points []Point, objective string) error
	// Commit stores files, synced to disk first; a checkpoint replaces the trial's older one, any file (here and at a
	// finish) the one of the same trial, kind, step and name that an earlier attempt left.
	Commit(ctx context.Context, l Lease, step int, files []File, now time.Time) error
	// Fetch opens a stored file.
	Fetch(ctx context.Context, digest string) (io.ReadCloser, error)
	// Finish ends an attempt and puts its trial into next: a final state, or Waiting for another attempt. It keeps
	// the models of the keep best trials and removes the others.
	Finish(ctx context.Context, l Lease, o Outcome, next State, keep int, now time.Time) error
	// Lose ends an attempt as lost, its device or process being gone, and puts its trial back to waiting; one lost five
	// times in a row without a newer checkpoint fails as lost. It returns the trial's state.
	Lose(ctx context.Context, l Lease, message string, now time.Time) (State, error)
	// Reclaim ends the open attempts of a study as lost (nothing of ours runs them any more) and puts their trials
	// back to waiting, or to failed, as Lose does.
	Reclaim(ctx context.Context, studyID int64, now time.Time) (requeued int, err error)
	// Wish returns the newest request that asks the study to pause or stop, or Go.
	Wish(ctx context.Context, studyID int64) (Verdict, error)
}

// Place is where an attempt runs.
type Place struct {
	Host, Device string
	Kind         string // of the device, see [Capacity]
	// Because says why it runs on a device that is kept for such trials; empty for others.
	Because string
}

// Proposal is a new trial and what its sampler saw.
type Proposal struct {
	Params  Params
	Space   Space
	Sampler string // the sampler's name
	Seen    int64  // the last event that the history contained; filled in by the store when 0
	Now     time.Time
}
