package study

import (
	"encoding/json"
	"fmt"
	"math"
	"time"
)

// State is where a trial stands; the words are Optuna's.
type State string

// The states of a trial. Waiting and running trials are open; the other three are final.
const (
	Waiting  State = "waiting"
	Running  State = "running"
	Complete State = "complete"
	Pruned   State = "pruned"
	Failed   State = "failed"
)

// States in the order in which pages and tables show them.
var States = [...]State{Complete, Pruned, Running, Waiting, Failed}

// Final reports whether a trial in this state is over.
func (s State) Final() bool { return s == Complete || s == Pruned || s == Failed }

// Reason says why a trial failed or an attempt ended early; empty when it did not.
type Reason string

// The reasons. Error, Memory and NaN are the attempt's own; Lost, Preempted and Cancelled come from outside.
const (
	ReasonError     Reason = "error"
	ReasonMemory    Reason = "out of memory"
	ReasonNaN       Reason = "nan"
	ReasonLost      Reason = "lost"
	ReasonPreempted Reason = "preempted"
	ReasonCancelled Reason = "cancelled"
)

// Own reports whether an attempt that failed for this reason failed by itself, so that its trial is charged for it. One
// without a reason, or with one that is not known here, counts as its own: else it could be tried for ever.
func (r Reason) Own() bool { return r != ReasonLost && r != ReasonPreempted && r != ReasonCancelled }

// Direction says which of two values of the objective is better.
type Direction string

// The two directions, in the words of the sweep file.
const (
	Minimize Direction = "minimize"
	Maximize Direction = "maximize"
)

// Better reports whether a is strictly better than b. NaN is worse than every number and not better than itself.
func (d Direction) Better(a, b float64) bool {
	switch {
	case math.IsNaN(a):
		return false
	case math.IsNaN(b):
		return true
	case d == Maximize:
		return a > b
	}
	return a < b
}

// Objective is the metric that a study searches. Target, where set, ends the study once a trial reaches it.
type Objective struct {
	Name      string    `json:"name"`
	Direction Direction `json:"direction"`
	Target    *float64  `json:"target,omitempty"`
}

// Sample is one value of a series.
type Sample struct {
	Step  int
	Value float64
}

// Point is one value of a metric at a step (an epoch, counted from 1), reported by an attempt.
type Point struct {
	Key   string
	Step  int
	Value float64
	Time  time.Time
}

// Number is a float64 whose JSON keeps NaN and the infinities apart, as the strings "NaN", "Infinity", "-Infinity".
type Number float64

// MarshalJSON writes f as a number, or as a string when it is not finite.
func (f Number) MarshalJSON() ([]byte, error) {
	switch v := float64(f); {
	case math.IsNaN(v):
		return []byte(`"NaN"`), nil
	case math.IsInf(v, 1):
		return []byte(`"Infinity"`), nil
	case math.IsInf(v, -1):
		return []byte(`"-Infinity"`), nil
	default:
		return json.Marshal(v)
	}
}

// UnmarshalJSON reads what MarshalJSON writes.
func (f *Number) UnmarshalJSON(b []byte) error {
	switch string(b) {
	case `"NaN"`:
		*f = Number(math.NaN())
	case `"Infinity"`:
		*f = Number(math.Inf(1))
	case `"-Infinity"`:
		*f = Number(math.Inf(-1))
	default:
		var v float64
		if err := json.Unmarshal(b, &v); err != nil {
			return fmt.Errorf("%s is not a number: %w", b, err)
		}
		*f = Number(v)
	}
	return nil
}

type pointJSON struct {
	Key   string    `json:"key"`
	Step  int       `json:"step"`
	Value Number    `json:"value"`
	Time  time.Time `json:"time"`
}

// MarshalJSON writes p with its value as a [Number].
func (p Point) MarshalJSON() ([]byte, error) {
	return json.Marshal(pointJSON{p.Key, p.Step, Number(p.Value), p.Time})
}

// UnmarshalJSON reads what MarshalJSON writes.
func (p *Point) UnmarshalJSON(b []byte) error {
	var j pointJSON
	if err := json.Unmarshal(b, &j); err != nil {
		return err
	}
	*p = Point{j.Key, j.Step, float64(j.Value), j.Time}
	return nil
}

// Trial is one point of the space and what became of it.
type Trial struct {
	ID     int64  // the store's own
	Number int    // 0, 1, 2, … within its study
	State  State  //
	Params Params // one value for each dimension of the space, fixed ones included
	// Value is the objective of a complete trial, and the last objective of a pruned one; NaN otherwise. A complete
	// trial's value may be NaN or infinite too.
	Value   float64
	Reason  Reason // why it failed, or was pruned or cancelled from outside
	Message string // the error itself, for people
	// Curve is the objective by step: one sample a step, rising, hidden points of lost attempts left out.
	Curve []Sample
	// Metrics are the values at the best epoch of a finished trial, the latest values of one that runs.
	Metrics  map[string]float64
	Attempts int       // how many tries were begun
	Failures int       // how many of them failed by themselves
	Start    time.Time // of the first attempt; zero while waiting for it
	End      time.Time // zero while open
	// Duration is the time its attempts ran, those that were lost included.
	Duration time.Duration
}

// Attempt is one try at executing a trial. A retry or a resume is a new attempt of the same trial.
type Attempt struct {
	ID      int64
	TrialID int64
	Ordinal int    // 1, 2, … within the trial
	Epoch   int64  // the lease's epoch
	Host    string // where it ran
	Device  string // as in `sweep devices`
	Kind    string // what the device is and how it computes; empty where it was not noted
	Because string // why it ran on that device, where that was no free choice: what others lack
	Start   time.Time
	End     time.Time // zero while it runs
	State   string    // running, complete, pruned, failed, released, lost
	Reason  Reason
	Message string
	// ResumedFrom is the ordinal of the attempt whose checkpoint this one continues and ResumedStep that checkpoint's
	// step; both 0 when it started from nothing.
	ResumedFrom int
	ResumedStep int
}

// Study is a stored sweep.
type Study struct {
	ID      int64
	Name    string
	Spec    Spec
	Data    Data // the choice made when the study was created
	Created time.Time
}

// Data is the data set that a study was created with.
type Data struct {
	Name        string `json:"name"`
	Fingerprint string `json:"fingerprint"`    // SHA-256 over what is trained and validated on
	Size        int    `json:"size,omitempty"` // to which the images of a folder are cropped and resized
}
