package study

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Baseline is a figure that the trials of a study are held against: what a known method reaches on the same images. It is
// never proposed, is no trial and takes part in no search.
type Baseline struct {
	Name        string             // [MeanImage] or that of [PCAName]
	K           int                // how many numbers stand for an image, 0 for the mean image
	Metrics     map[string]float64 // in the words of the trials' metrics, those that it has
	Fingerprint string             // of the images that it was computed on, as in [Data]
	Time        time.Time          // when it was computed
}

// MeanImage is the name of the baseline whose every reconstruction is the mean of the training images.
const MeanImage = "mean image"

// PCAName is the name of the baseline with the k leading principal components of the training images.
func PCAName(k int) string { return fmt.Sprintf("pca-%d", k) }

// LatentParam is the parameter that says how many numbers stand for an image, a baseline's K.
const LatentParam = "latent"

// BaselineView is a baseline in JSON, as `sweep baselines --json` writes it.
type BaselineView struct {
	Name        string            `json:"name"`
	K           int               `json:"k"`
	Value       *Number           `json:"value"` // the study's objective, null where the baseline has no such metric
	Metrics     map[string]Number `json:"metrics"`
	Fingerprint string            `json:"fingerprint"`
}

// View gives the JSON form of b.
func (b Baseline) View(o Objective) BaselineView {
	v := BaselineView{Name: b.Name, K: b.K, Metrics: make(map[string]Number, len(b.Metrics)), Fingerprint: b.Fingerprint}
	for k, m := range b.Metrics {
		v.Metrics[k] = Number(m)
	}
	if m, ok := b.Metrics[o.Name]; ok {
		n := Number(m)
		v.Value = &n
	}
	return v
}

// BaselineFor is the baseline to hold a trial against, whose code has latent numbers: the one with as many components,
// else the one with the most below. ok is false where there is none but the mean image.
func BaselineFor(list []Baseline, latent int) (b Baseline, ok bool) {
	for _, c := range list {
		if c.K > b.K && c.K <= latent {
			b, ok = c, true
		}
	}
	return b, ok
}

// Beside says in words how a trial with the value v of the objective stands to b: "pca-375: 0.001679; this trial is 7.1
// times that", or as a difference where the objective is no error. Empty where b lacks the objective or either is no
// number.
func (b Baseline) Beside(o Objective, v float64) string {
	relation := b.Relation(o, v)
	if relation == "" {
		return ""
	}
	return b.Name + ": " + FormatValue(b.Metrics[o.Name]) + "; " + relation
}

// Relation is the second half of [Baseline.Beside]: "this trial is 7.1 times that".
func (b Baseline) Relation(o Objective, v float64) string {
	m, ok := b.Metrics[o.Name]
	if !ok || math.IsNaN(m) || math.IsNaN(v) {
		return ""
	}
	const text = "this trial is "
	switch ratio := v / m; {
	case v == m:
		return text + "as good"
	case o.Direction == Minimize && m > 0 && v > 0 && !math.IsInf(m, 0) && !math.IsInf(v, 0):
		return text + times(ratio) + " times that"
	case o.Direction.Better(v, m):
		return text + FormatValue(math.Abs(v-m)) + " better"
	}
	return text + FormatValue(math.Abs(v-m)) + " worse"
}

// times prints a ratio as far as one reads it.
func times(ratio float64) string {
	switch {
	case ratio >= 10 && ratio < 1e6:
		return strconv.FormatFloat(ratio, 'f', 0, 64)
	case ratio >= 2 && ratio < 10:
		return strconv.FormatFloat(ratio, 'f', 1, 64)
	case ratio >= 0.1 && ratio < 2:
		return strconv.FormatFloat(ratio, 'f', 2, 64)
	}
	return strconv.FormatFloat(ratio, 'g', 2, 64)
}

// BaselineOf is [BaselineFor] a trial's parameters. Where they do not name the size of the code, which is the default's
// then, it is that of the only baseline with one.
func BaselineOf(list []Baseline, p Params) (Baseline, bool) {
	if v, ok := p[LatentParam]; ok {
		latent, _ := AsFloat(v)
		return BaselineFor(list, int(latent))
	}
	var only Baseline
	n := 0
	for _, b := range list {
		if b.K > 0 {
			only = b
			n++
		}
	}
	return only, n == 1
}

// PlaceBaselines says where baselines stand between trials listed by q: those at key i come before trials[i], those at
// len(trials) after the last. first says that no trial is listed before these, next is the one listed after them, nil
// without any; so each baseline stands on one page. Orders that baselines have no part in (by number, say), and lists
// of other states than complete, get none.
func PlaceBaselines(list []Baseline, o Objective, q Query, trials []Trial, first bool, next *Trial) map[int][]Baseline {
	if len(q.States) > 0 && !slices.Contains(q.States, Complete) {
		return nil
	}
	type placed struct {
		Baseline
		at    int
		value float64
	}
	var all []placed
	for _, b := range list {
		v, ok := b.sorted(q.Sort, o)
		if !ok {
			continue
		}
		at := slices.IndexFunc(trials, func(t Trial) bool { return !ahead(t, v, q, o) })
		switch {
		case at < 0 && next != nil && ahead(*next, v, q, o), at == 0 && !first:
			continue // on another page
		case at < 0:
			at = len(trials)
		}
		all = append(all, placed{b, at, v})
	}
	down := q.Desc
	if byRank(q.Sort) && o.Direction == Maximize {
		down = !down
	}
	slices.SortStableFunc(all, func(a, b placed) int {
		if down {
			a, b = b, a
		}
		return cmp.Or(cmp.Compare(a.value, b.value), strings.Compare(a.Name, b.Name))
	})
	out := make(map[int][]Baseline)
	for _, p := range all {
		out[p.at] = append(out[p.at], p.Baseline)
	}
	return out
}

func byRank(sort string) bool { return sort == "" || sort == "rank" }

// sorted is the number by which b is listed, if it is.
func (b Baseline) sorted(sort string, o Objective) (float64, bool) {
	kind, name, _ := strings.Cut(sort, ":")
	switch {
	case byRank(sort) || kind == "value":
		name = o.Name
	case kind == "metric":
	case kind == "param" && name == LatentParam:
		return float64(b.K), true
	default:
		return 0, false
	}
	v, ok := b.Metrics[name]
	return v, ok && !math.IsNaN(v)
}

// ahead reports whether t is listed before a baseline with the value v; one that is equal is, in the
// order of ranks.
func ahead(t Trial, v float64, q Query, o Objective) bool {
	kind, name, _ := strings.Cut(q.Sort, ":")
	value, ok := t.Value, true
	switch {
	case byRank(q.Sort):
		better := t.State == Complete && !math.IsNaN(t.Value) && !o.Direction.Better(v, t.Value)
		return better != q.Desc
	case kind == "metric":
		value, ok = t.Metrics[name]
	case kind == "param":
		value, ok = AsFloat(t.Params[name])
	}
	switch {
	case !ok || math.IsNaN(value):
		return false // what lacks the value comes last either way
	case q.Desc:
		return value >= v
	}
	return value <= v
}
