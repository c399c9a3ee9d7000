package study

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"slices"
)

// Work is how a trainer gets trials and gives them back. It is the seam between the loop and whatever trains: in
// process today, over HTTP later, so every argument can be serialised. Nothing trains except under a [Grant].
//
// A write under a lease whose epoch is no longer current fails with [ErrStale] and changes nothing.
type Work interface {
	// Claim waits for nothing: it returns at most c.Slots grants, fewer or none when there is no more to do now.
	// It fails with [ErrDone] when there will never be more.
	Claim(ctx context.Context, c Capacity) ([]Grant, error)
	// Renew says for each lease whether to go on.
	Renew(ctx context.Context, leases []Lease) ([]Verdict, error)
	// Append stores points of a trial. seq counts the calls of a lease from 1; a repeated seq is stored once.
	Append(ctx context.Context, l Lease, seq int64, points []Point) (Verdict, error)
	// Commit stores files that belong to step. When it returns, they and every point of this lease up to step
	// are durable. A file of kind [CheckpointFile] is where a later attempt goes on from.
	Commit(ctx context.Context, l Lease, step int, files ...File) error
	// Fetch opens a stored file by its digest.
	Fetch(ctx context.Context, l Lease, digest string) (io.ReadCloser, error)
	// Keeps says whether the model of a trial that completes with this value, its objective, would be kept. Where it is
	// not, none need be made: no trial that ends later makes it one of the best again.
	Keeps(ctx context.Context, l Lease, value float64) (bool, error)
	// Finish ends the attempt and, unless the outcome is a retry or a release, the trial.
	Finish(ctx context.Context, l Lease, o Outcome) error
}

// Errors that callers branch on.
var (
	ErrStale    = errors.New("the lease is no longer current")
	ErrDone     = errors.New("the study has no more work")
	ErrNotFound = errors.New("not found")
)

// Capacity is what a worker offers: so many free slots on a device, able to run these kinds of step.
type Capacity struct {
	Host   string `json:"host"`
	Device string `json:"device"`
	// Kind is what the device is and how it computes, "NVIDIA H100 80GB HBM3, tf32": results repeat to the bit on one kind.
	Kind  string   `json:"kind,omitempty"`
	Slots int      `json:"slots"`
	Kinds []string `json:"kinds,omitempty"` // nil: every one
	// Leave holds the kinds of other devices: what one of them can run is left to it.
	Leave [][]string `json:"leave,omitempty"`
}

// Runs reports whether a device of these kinds, nil for every one, can run what needs those.
func Runs(kinds, needs []string) bool {
	if kinds == nil {
		return true
	}
	for _, n := range needs {
		if !slices.Contains(kinds, n) {
			return false
		}
	}
	return true
}

// Takes reports whether a trial that needs these kinds is for this worker.
func (c Capacity) Takes(needs []string) bool {
	for _, other := range c.Leave {
		if Runs(other, needs) {
			return false
		}
	}
	return Runs(c.Kinds, needs)
}

// Lease is the right to run a trial. Epoch rises with every attempt, so that a write of an older attempt is refused.
type Lease struct {
	StudyID   int64 `json:"study_id"`
	TrialID   int64 `json:"trial_id"`
	AttemptID int64 `json:"attempt_id"`
	Epoch     int64 `json:"epoch"`
}

// Grant is a trial to train, with all that is needed for it.
type Grant struct {
	Lease     Lease   `json:"lease"`
	Study     string  `json:"study"` // name
	Spec      Spec    `json:"spec"`
	Data      Data    `json:"data"`
	Number    int     `json:"number"`
	Attempt   int     `json:"attempt"` // ordinal
	Params    Params  `json:"params"`
	Replicate int     `json:"replicate"`
	Resume    *Resume `json:"resume,omitempty"` // nil: from nothing
}

// Resume names the checkpoint that an attempt goes on from.
type Resume struct {
	Attempt int    `json:"attempt"` // ordinal of the attempt that made it
	Step    int    `json:"step"`
	Digest  string `json:"digest"` // of the file
}

// Verdict tells a worker what to do with a trial.
type Verdict string

// The verdicts. Prune ends the trial; Pause and Stop ask for a checkpoint and the trial back; Stale says that the trial
// is someone else's now.
const (
	Go    Verdict = "go"
	Prune Verdict = "prune"
	Pause Verdict = "pause"
	Stop  Verdict = "stop"
	Stale Verdict = "stale"
)

// FileKind says what a stored file is for.
type FileKind string

// The kinds of file kept for a trial.
const (
	CheckpointFile FileKind = "checkpoint" // state to resume from; the newest counts
	ModelFile      FileKind = "model"      // the best weights of a finished trial
	StripFile      FileKind = "strip"      // PNG: fixed validation images over their reconstructions at a step
	GeneratedFile  FileKind = "generated"  // PNG: images that a finished trial's decoder makes of random codes
)

// Artifact is a file kept in the store, named by its content.
type Artifact struct {
	Kind   FileKind `json:"kind"`
	Name   string   `json:"name"` // a file name for people
	Media  string   `json:"media"`
	Step   int      `json:"step"`
	Size   int64    `json:"size"`
	Digest string   `json:"digest"` // SHA-256, lower-case hex
}

// File is a file on its way into the store.
type File struct {
	Kind  FileKind `json:"kind"`
	Name  string   `json:"name"`
	Media string   `json:"media"`
	Step  int      `json:"step,omitempty"` // 0: that of the commit; at a finish each file names its own
	Body  []byte   `json:"body"`
}

// Outcome is how an attempt ended.
type Outcome struct {
	// State is Complete, Pruned or Failed, or Waiting for an attempt that is released: the trial goes back and
	// nothing is charged. Failed as [ReasonLost] is an attempt whose device or process is gone: the trial goes back, too,
	// until it is lost too often in a row.
	State   State
	Reason  Reason             // of Failed
	Message string             // the error, for people
	Value   float64            // the objective: best of a Complete trial, last of a Pruned one
	Metrics map[string]float64 // at the best epoch
	Files   []File             // kept with the trial, in the same transaction
	// BestStep is the best epoch, whose picture is kept of a trial without a model; 0: the newest one.
	BestStep int
}

type outcomeJSON struct {
	State   State             `json:"state"`
	Reason  Reason            `json:"reason,omitempty"`
	Message string            `json:"message,omitempty"`
	Value   Number            `json:"value"`
	Metrics map[string]Number `json:"metrics,omitzero"`
	Files   []File            `json:"files,omitzero"`
	Best    int               `json:"best_step,omitempty"`
}

// MarshalJSON writes o with its value and its metrics as [Number].
func (o Outcome) MarshalJSON() ([]byte, error) {
	return json.Marshal(outcomeJSON{o.State, o.Reason, o.Message, Number(o.Value), convert[Number](o.Metrics), o.Files, o.BestStep})
}

// UnmarshalJSON reads what MarshalJSON writes.
func (o *Outcome) UnmarshalJSON(b []byte) error {
	var j outcomeJSON
	if err := json.Unmarshal(b, &j); err != nil {
		return err
	}
	*o = Outcome{j.State, j.Reason, j.Message, float64(j.Value), convert[float64](j.Metrics), j.Files, j.Best}
	return nil
}

// convert copies a map of numbers into one of another type; nil stays nil.
func convert[To, From ~float64](m map[string]From) map[string]To {
	if m == nil {
		return nil
	}
	out := make(map[string]To, len(m))
	for k, v := range m {
		out[k] = To(v)
	}
	return out
}
