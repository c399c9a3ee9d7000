package study

import "time"

// Summary is a study as a list shows it.
type Summary struct {
	Study
	Counts   map[State]int
	Best     *Trial    // nil without a complete trial whose value is a number
	Activity time.Time // the newest change
	Live     bool      // a process runs it now
	Wish     Verdict   // the newest request: Go, Pause or Stop
	Bytes    int64     // disk space of its files
}

// Query selects and orders trials of a study.
type Query struct {
	States []State // any of these; nil: all
	// Sort is "rank" (the contract's order: complete by value, best first; then pruned, running, waiting, failed),
	// "number", "state", "duration", "value", "param:NAME" or "metric:NAME". Missing values come last either way.
	Sort  string
	Desc  bool
	Limit int    // at most this many; 0: all
	After string // cursor of an earlier Page: keyset, not offset
}

// Page is one page of trials.
type Page struct {
	Trials []Trial // with Metrics, without Curve unless the reader says so
	Total  int     // of all pages
	Next   string  // cursor of the next page, empty at the end
}

// Event is one line of the append-only history of a study: live pages, replay and watchers read it.
type Event struct {
	Seq    int64
	Number int    // of the trial, -1 when it concerns the study
	Kind   string // proposed, began, point, committed, finished, requeued, requested, exported
	Body   string // JSON
	Time   time.Time
}

// Detail is all that is known of one trial.
type Detail struct {
	Trial
	List      []Attempt
	Artifacts []Artifact
	History   map[string][]Sample // every metric, hidden points left out
}

// Export is a bundle that was made of a trial.
type Export struct {
	Number  int                // the trial's
	Digest  string             // SHA-256 of the bundle's MANIFEST.json
	Path    string             // where it was written
	Metrics map[string]float64 // test metrics
	Time    time.Time
}
