package study

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// Declaration declares one parameter of a trainer, so that checks, nearest names, help and labels of pages come from
// one place.
type Declaration struct {
	Name    string
	Kind    Kind     // Categorical for a choice of words
	List    bool     // the value is a list of numbers of this kind (filters)
	Low     float64  // least value, included unless OpenLow
	High    float64  // greatest value, included
	OpenLow bool     // Low itself is not allowed
	Step    float64  // of an Int: only Low, Low+Step, … are allowed; 0 means 1
	AtLeast string   // of a List: the parameter that says how many numbers it has at least
	Words   []string // of a Categorical, those that are built
	Later   []string // words of the contract that are not built yet
	// With is another parameter, a choice of words: where that is none of WithWords this one must keep its default.
	With      string
	WithWords []string
	Clashes   []Clash
	OfMasks   []string // words that need data sets with masks
	Default   any
	Unbuilt   bool // the whole parameter is of the contract but not built yet: only its default is accepted
	Doc       string
}

// Clash says which values of a parameter make nothing beside which words of another one.
type Clash struct {
	Values []any    // of the parameter that declares it, never its default
	With   string   // the other parameter, a choice of words
	Words  []string // of that
	Doc    string   // why, and what to choose instead
}

// Catalogue is what a trainer declares about itself.
type Catalogue struct {
	Trainer string        // its name in a sweep file: "cae"
	Params  []Declaration // in the order of the documentation
	Metrics []MetricDecl  // what it reports
	Data    []DataDecl    // the data sets that it can name
	// Objective is the metric that is searched where a sweep file names none.
	Objective string
}

// MetricDecl declares a metric that a trainer reports.
type MetricDecl struct {
	Key       string
	Direction Direction // which way is better; empty when neither is
	Unbuilt   bool      // of the contract but not reported yet
	Timing    bool      // measured by the clock, so no objective: it differs from run to run
	Sparse    bool      // reported after some epochs only, so no objective: early stopping looks at every epoch
	// With is a parameter, a choice of words: trials where it is none of WithWords do not report the metric.
	With      string
	WithWords []string
	Doc       string
}

// DataDecl declares a data set: how many images its training and its test files hold, and what an image is.
type DataDecl struct {
	Name                    string
	Train, Test             int
	Height, Width, Channels int
	Masks                   bool // the class of each pixel is known
	Doc                     string

	// Prefix makes it a kind of data sets, of which nothing but the following is known: every name that begins with Prefix
	// and goes on is one, and its images may be resized to squares of a side from MinSide to MaxSide.
	Prefix           string
	MinSide, MaxSide int
}

// Is reports whether name is the set, or one of the kind, that d declares.
func (d DataDecl) Is(name string) bool {
	if d.Prefix != "" {
		return strings.HasPrefix(name, d.Prefix) && len(name) > len(d.Prefix)
	}
	return name == d.Name
}

// Param finds the declaration of the parameter called name.
func (c Catalogue) Param(name string) (Declaration, bool) {
	for _, d := range c.Params {
		if d.Name == name {
			return d, true
		}
	}
	return Declaration{}, false
}

// Reports tells whether a trial whose parameter m.With is word reports m.
func (m MetricDecl) Reports(word string) bool {
	return m.With == "" || slices.Contains(m.WithWords, word)
}

// Metric finds the declaration of the metric called key.
func (c Catalogue) Metric(key string) (MetricDecl, bool) {
	for _, d := range c.Metrics {
		if d.Key == key {
			return d, true
		}
	}
	return MetricDecl{}, false
}

// Range says in words which values d takes: "whole numbers from 1 to 1024", "one of mse, mae".
func (d Declaration) Range() string {
	switch {
	case d.Unbuilt:
		return "only " + FormatValue(d.Default) + " until it is built"
	case d.Kind == Categorical:
		return "one of " + strings.Join(d.Words, ", ")
	}
	numbers := "numbers"
	if d.Kind == Int {
		numbers = "whole numbers"
	}
	if d.Step == 2 && math.Mod(d.Low, 2) == 1 {
		numbers = "odd numbers"
	} else if d.Step > 1 {
		numbers += " in steps of " + FormatValue(d.Step)
	}
	from, to := " from ", " to "
	if d.OpenLow {
		from, to = " above ", " and up to "
	}
	if d.List {
		numbers = "a list of " + numbers
	}
	return numbers + from + FormatValue(d.Low) + to + FormatValue(d.High)
}

// Check reports, in words for the person who wrote v, why v is no value of d.
func (d Declaration) Check(v any) error {
	if d.Unbuilt {
		if got, want := normal(v), normal(d.Default); FormatValue(got) != FormatValue(want) {
			return fmt.Errorf("not built yet: leave it out, or give its default %s", FormatValue(d.Default))
		}
		return nil
	}
	if d.List {
		items, ok := v.([]any)
		switch {
		case ok && len(items) == 0:
			return fmt.Errorf("the list is empty: give %s", d.Range())
		case !ok:
			return fmt.Errorf("%s is not a list of numbers: give %s", FormatValue(v), d.Range())
		}
		one := d
		one.List = false
		for _, item := range items {
			if err := one.Check(item); err != nil {
				return err
			}
		}
		return nil
	}
	if d.Kind == Categorical {
		switch s, ok := v.(string); {
		case ok && slices.Contains(d.Words, s):
			return nil
		case ok && slices.Contains(d.Later, s):
			return fmt.Errorf("%s is not built yet: choose %s", s, d.Range())
		}
		return fmt.Errorf("%s is not %s", FormatValue(v), d.Range())
	}
	f, ok := number(v)
	switch {
	case !ok || math.IsNaN(f) || math.IsInf(f, 0):
		return fmt.Errorf("%s is not a number: give %s", FormatValue(v), d.Range())
	case d.Kind == Int && f != math.Trunc(f),
		d.Step > 1 && math.Mod(f-d.Low, d.Step) != 0 && f >= d.Low && f <= d.High,
		f < d.Low, f > d.High, d.OpenLow && f == d.Low:
		return fmt.Errorf("%s is out of range: give %s", FormatValue(v), d.Range())
	}
	return nil
}

// Fits reports, in words for the person who wrote the file, that d has the value v, which Check has passed, where the
// parameter with is word and gives it no meaning.
func (d Declaration) Fits(v any, with, word string) error {
	same := func(other any) bool { return FormatValue(normal(v)) == FormatValue(normal(other)) }
	if d.With == with && !slices.Contains(d.WithWords, word) && !same(d.Default) {
		return fmt.Errorf("it has no meaning where %s is %s, only with %s: leave it out, or choose another %[1]s (%s)",
			with, word, strings.Join(d.WithWords, " or "), d.Doc)
	}
	for _, c := range d.Clashes {
		if c.With == with && slices.Contains(c.Words, word) && slices.ContainsFunc(c.Values, same) {
			return fmt.Errorf("%s does not go with %s %s: %s", FormatValue(v), with, word, c.Doc)
		}
	}
	return nil
}
