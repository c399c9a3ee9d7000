// Package templates holds the pages of the web UI and their partials as templ components.
//
// It promises that a component is a pure function of its view struct: nothing is fetched and nothing decided here. A
// page calls the same partials that live updates send, so both have one markup. No component emits inline styles or
// scripts, which the pages' content security policy forbids.
package templates

import (
	"time"

	"sweep/study"
	"sweep/templates/chart"
)

// Shell is what every page has around its content.
type Shell struct {
	Title   string
	Head    *StudyHead // nil outside a study
	Tab     string     // "trials", "plot", "compare", "config"
	Here    string     // the last part of the breadcrumb below the study, empty on its own page
	Notice  string     // the result of what was just done
	Version string
	Live    string        // address of the page's event stream, empty for a page that does not change
	Seq     int64         // the last event that the page contains
	Refresh time.Duration // how often to ask for the page again, 0 for one at rest or with a stream
}

// StudyHead is a study's name, state and controls.
type StudyHead struct {
	Name, URL string
	State     string // a word of study.Summary
	CanPause  bool
	CanResume bool
	CanStop   bool
	Why       string // why it can be neither paused nor stopped
	Running   int
}

// Value is a number or word on a page and, where that is rounded, the whole of it for the tooltip.
type Value struct{ Text, Title string }

// Share is one part of a progress bar: X and Width of 1000.
type Share struct {
	State    study.State
	Count    int
	X, Width int
}

// StudiesPage is the list of studies.
type StudiesPage struct {
	Shell   Shell
	Studies []StudyRow
	Command string // how to make the first study
}

// StudyRow is one study of the list.
type StudyRow struct {
	Name, URL, State string
	Description      string
	Done, Cap        int
	Progress         []Share
	Best             Value
	BestURL          string
	BestNumber       int
	Metric, Goal     string
	Data             string
	Activity         Value
	Bytes            string
}

// LeaderboardPage is a study's page of trials.
type LeaderboardPage struct {
	Shell   Shell
	Summary Summary
	Devices Devices
	Chips   Chips
	Columns []Column
	Rows    []Row
	Last    []BaselineRow // below the last row
	Params  []ParamColumn
	Shown   string // "51–100 of 212 trials"
	NextURL string
	TopURL  string // the first page, on later ones
	Compare string // where the tick boxes go
	CSV     string // this list as a file
	Clear   string // without the filter
	Total   int    // of the study, filtered or not
	Reload  string // this very list, anew
	Command string // how to run the study
}

// Summary is the strip above a leaderboard.
type Summary struct {
	Metric, Goal string
	Best         Value
	BestURL      string
	BestNumber   int
	BestNote     string
	Done, Cap    int
	Progress     []Share
	ETA          string
	Rate         Value // "14.2 trials/min" as text and unit
	RateUnit     string
	RateNote     string
	Pruned       string
	PrunedNote   string
	Curve        string // path of the best so far in 1000 by 100 units
	CurveNote    string // over how many trials it runs
	Dots         string // path of all trials
	First, Last  string // best value at both ends of the curve
}

// Devices is the panel of what trains a study now.
type Devices struct {
	Rows    []DeviceRow
	Telling bool   // a GPU says what it does
	Note    string // what readers must know of the GPUs among them
	// Elsewhere is set where another process trains the study.
	Elsewhere bool
}

// DeviceRow is one device that trains.
type DeviceRow struct {
	ID, Kind string
	Slots    string // "3 of 8"
	Rate     Value

	Utilisation, Memory, Power, Temperature Value // of a GPU that tells
}

// Chips are the filters by state.
type Chips struct{ List []Chip }

// Chip is one filter; State is empty for all.
type Chip struct {
	State study.State
	Count int
	URL   string
	On    bool
}

// Column is one column head of the leaderboard.
type Column struct {
	Label, Title string
	URL          string // empty: not sortable
	Sorted       string // "ascending", "descending" or empty
	Number       bool
	Goal         string // "min" or "max" on the objective
}

// ParamColumn is a searched parameter shown as a column.
type ParamColumn struct {
	Name       string
	Number     bool // aligned right
	Scientific bool
}

// Row is one trial of the leaderboard.
type Row struct {
	Number    int
	URL       string
	State     study.State
	Why       string // reason, for the tooltip of the state
	Reason    string // in a word, beside the state of a failed trial
	Objective Value
	Final     bool // the objective is that of a complete trial
	Extra     *Value
	Spark     string // path in 92 by 22 units
	Epoch     Value
	Params    []Cell
	Duration  Value
	Before    []BaselineRow // that stand between the row above and this one
}

// BaselineRow is a baseline between the trials of the leaderboard: it has no number and cannot be compared.
type BaselineRow struct {
	Name      string
	URL       string // its line on the plot, empty where there is none
	Title     string
	Objective Value
	Extra     *Value
	Params    []Cell
}

// Cell is a parameter of a row.
type Cell struct {
	Value
	Number bool
}

// TrialPage is one trial.
type TrialPage struct {
	Shell    Shell
	Number   int
	State    study.State
	Facts    []Fact
	Previous string // address of the trial before, empty at the first
	Next     string
	Why      *Why
	Searched []Pair
	Fixed    []Pair
	Metrics  []Pair
	Charts   []Chart
	Log      Toggle
	Pictures []Picture
	// PicturesTitle names what Pictures show.
	PicturesTitle string
	Generated     *Picture // what a decoder makes of random codes; nil without
	Attempts      []Attempt
	Artifacts     []File
	Export        string // the command
	CanExport     bool
	ExportWhy     string
	Bundles       []Bundle
	Compare       string // address: beside the best
}

// Fact is one figure of a strip.
type Fact struct {
	Label string
	Value Value
	Note  string
	Goal  string
}

// Why says why a trial failed or was pruned.
type Why struct {
	State   study.State
	Title   string
	Message string
	Advice  string
}

// Pair is a name and its value.
type Pair struct {
	Name  string
	Value Value
	Note  string
}

// Toggle is a choice of two that the address holds.
type Toggle struct {
	On            bool
	OnURL, OffURL string
}

// Chart is a line chart and its words.
type Chart struct {
	Title, Note string
	Unit        string
	XLabel      string
	Legend      bool // names its lines itself
	Plot        chart.Plot
	Data        ChartData
}

// ChartData are the numbers behind a chart, for the crosshair.
type ChartData struct {
	X0    float64     `json:"x0"`
	X1    float64     `json:"x1"`
	Steps []int       `json:"steps"`
	Lines []ChartLine `json:"lines"`
}

// ChartLine is one line of [ChartData]: its value at every step, null where it has none.
type ChartLine struct {
	Name   string    `json:"name"`
	Color  int       `json:"color"`
	Values []*string `json:"values"`
}

// PlotPage shows the objective of a study's complete trials against a parameter.
type PlotPage struct {
	Shell   Shell
	Title   string // "val_mse against latent"
	Goal    string
	Action  string
	X       []Option // parameters for x
	Color   []Option // parameters to colour by
	Keep    []Pair   // the other choices of the address, for the form
	LogX    Toggle
	LogY    Toggle
	Chart   *Scatter // nil without a point
	Problem string   // why there is none
	Table   *PlotTable
}

// Option is a choice of a list.
type Option struct {
	Value, Text string
	On          bool
}

// Scatter is a chart of dots, each a trial.
type Scatter struct {
	Plot   chart.Scatter
	XLabel string
	YLabel string
	Label  string // the whole in words
	Notes  []string
	Groups []ScatterGroup
	Lines  []ScatterLine
	Marks  []ScatterDot // of the baseline, without addresses
	Legend []ScatterKey
}

// ScatterGroup are the dots of one colour: single ones that lead to their trials, or, where there are very many, a cloud.
type ScatterGroup struct {
	Color int
	Dots  []ScatterDot
	Cloud string
}

// ScatterDot is one trial; X and Y are shares of the chart from the left and the top.
type ScatterDot struct {
	X, Y       float64
	URL, Title string
}

// ScatterLine is a line among the dots: the best of a group at each x, or a baseline.
type ScatterLine struct {
	D        string
	Color    int
	Baseline bool
}

// ScatterKey is one entry of the legend.
type ScatterKey struct {
	Name     string
	Color    int
	Baseline bool
}

// PlotTable is the chart in numbers: the best trial of each group at each x.
type PlotTable struct {
	X      string
	Groups []string
	Rows   []PlotTableRow
}

// PlotTableRow is one x of a [PlotTable]; URLs are those of the trials, empty for a baseline or none.
type PlotTableRow struct {
	X      string
	Values []Value
	URLs   []string
	Best   int // which of Values is the best of the trials, -1 for none
}

// Picture is a strip of originals over reconstructions.
type Picture struct {
	Step   int
	URL    string
	Digest string
	Title  string // in front of the epoch: the trial on the compare page
	Color  int    // with Title: the trial's colour
	Best   bool   // of the epoch whose weights are kept
	// Width and Height are the picture's own, in pixels; 0 where they are not known.
	Width, Height int
	// Rows says what stands in each row of the picture, from the top; Truth and Made are the rows of what should come out
	// and of what the network makes.
	Rows        []string
	Truth, Made int
}

// Attempt is one try at a trial.
type Attempt struct {
	Ordinal   int
	State     string
	Host      string
	Device    string
	Kind      string // what the device is and how it computes; empty where it was not noted
	Because   string // why it ran there, where others lack what it needs
	Note      string // what readers must know of the device
	Start     Value
	Duration  Value
	Resumed   string
	Reason    string
	Message   string
	Continues bool
}

// File is a stored file.
type File struct {
	Name, Kind, URL string
	Step            int
	Size            Value
	Digest          string
}

// Bundle is an export that was made.
type Bundle struct {
	Path    string
	When    Value
	Digest  string
	Metrics []Pair
	Files   []File
	Gone    string // why its files cannot be offered
}

// ComparePage sets trials side by side.
type ComparePage struct {
	Shell    Shell
	Trials   []Compared
	Params   []CompareRow
	Metrics  []CompareRow
	Same     int // rows left out because they do not differ
	All      Toggle
	Log      Toggle
	Charts   []Chart
	Pictures []Picture
	// PicturesTitle names what Pictures show.
	PicturesTitle string
	Numbers       string // "1,5,9"
	Export        bool   // one of them has a model to export
	Action        string
	Problem       string // what was wrong with the trials asked for
}

// Compared is one trial of a comparison.
type Compared struct {
	Number    int
	URL       string
	State     study.State
	Color     int
	ExportURL string // empty without a model
}

// CompareRow is one parameter or metric across the trials.
type CompareRow struct {
	Name, Goal string
	Unit       string
	Values     []Value
	Best       []bool
	Same       bool
}

// ConfigPage shows what a study searches and on what.
type ConfigPage struct {
	Shell    Shell
	About    []Pair
	Search   []Dimension
	Fixed    []Pair
	Data     []Pair
	YAML     string
	YAMLURL  string
	Continue string // the command
	Note     string
	Keep     []Pair
}

// Dimension is one searched parameter in words.
type Dimension struct{ Name, Kind, Range, Size string }

// StopPage asks whether to stop, for browsers without scripts.
type StopPage struct{ Shell Shell }

// ProblemPage says what went wrong and what to do.
type ProblemPage struct {
	Shell  Shell
	Status int
	Title  string
	Text   string
	Names  []Link // what exists
	Back   Link
}

// Link is an address and its words.
type Link struct{ Text, URL string }
