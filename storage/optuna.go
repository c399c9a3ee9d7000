package storage

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"sweep/study"
)

// Optuna's words for the states of a trial.
const (
	optunaRunning  = "RUNNING"
	optunaComplete = "COMPLETE"
	optunaPruned   = "PRUNED"
	optunaFailed   = "FAIL"
	optunaWaiting  = "WAITING"
)

func optunaState(s study.State) string {
	switch s {
	case study.Running:
		return optunaRunning
	case study.Complete:
		return optunaComplete
	case study.Pruned:
		return optunaPruned
	case study.Failed:
		return optunaFailed
	}
	return optunaWaiting
}

// class is the column by which lists are ordered: the index of a state in study.States.
func class(s study.State) int {
	for i, o := range study.States {
		if o == s {
			return i
		}
	}
	return len(study.States)
}

// optunaTime is how Optuna writes a time: no zone; UTC since its version 5.
func optunaTime(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05.000000") }

// micros and fromMicros keep a time in our own tables; 0 is no time.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

func fromMicros(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}

// optunaValue is a float as Optuna keeps it: a number or NULL, and what it is.
func optunaValue(v float64) (sql.NullFloat64, string) {
	switch {
	case math.IsNaN(v):
		return sql.NullFloat64{}, "NAN"
	case math.IsInf(v, 1):
		return sql.NullFloat64{}, "INF_POS"
	case math.IsInf(v, -1):
		return sql.NullFloat64{}, "INF_NEG"
	}
	return sql.NullFloat64{Float64: v, Valid: true}, "FINITE"
}

func fromOptunaValue(v sql.NullFloat64, kind string) float64 {
	switch {
	case kind == "INF_POS":
		return math.Inf(1)
	case kind == "INF_NEG":
		return math.Inf(-1)
	case kind == "FINITE" && v.Valid:
		return v.Float64
	}
	return math.NaN()
}

// nullable is a float in our own tables: SQLite keeps infinities and turns NaN into NULL; this says so.
func nullable(v float64) sql.NullFloat64 { return sql.NullFloat64{Float64: v, Valid: !math.IsNaN(v)} }

func fromNullable(v sql.NullFloat64) float64 {
	if !v.Valid {
		return math.NaN()
	}
	return v.Float64
}

// encodeDistribution writes d as Optuna does. Its high is the last value: Optuna warns of a range whose steps do not lead
// to its end, counting in decimals, and changes it. A choice that is a list, which Optuna does not know, becomes its JSON text.
func encodeDistribution(d study.Distribution) (string, error) {
	float := func(v float64) string {
		s := strconv.FormatFloat(v, 'g', -1, 64)
		if !strings.ContainsAny(s, ".e") {
			s += ".0"
		}
		return s
	}
	switch d.Kind {
	case study.Float:
		step := "null"
		if d.Step > 0 {
			step = float(d.Step)
		}
		return fmt.Sprintf(`{"name": "FloatDistribution", "attributes": {"step": %s, "low": %s, "high": %s, "log": %t}}`,
			step, float(d.Low), float(d.Last()), d.Log), nil
	case study.Int:
		return fmt.Sprintf(`{"name": "IntDistribution", "attributes": {"log": %t, "step": %d, "low": %d, "high": %d}}`,
			d.Log, int64(math.Max(d.Step, 1)), int64(d.Low), int64(d.Last())), nil
	}
	choices := make([]string, len(d.Choices))
	for i, c := range d.Choices {
		b, err := json.Marshal(c)
		if err != nil {
			return "", fmt.Errorf("write choice %s: %w", study.FormatValue(c), err)
		}
		if _, isList := c.([]any); isList {
			if b, err = json.Marshal(string(b)); err != nil {
				return "", err
			}
		}
		choices[i] = string(b)
	}
	return `{"name": "CategoricalDistribution", "attributes": {"choices": [` + strings.Join(choices, ", ") + `]}}`, nil
}

// decodeDistribution reads what Optuna writes, the six deprecated names of older versions included.
func decodeDistribution(s string) (study.Distribution, error) {
	var j struct {
		Name       string `json:"name"`
		Attributes struct {
			Low     float64  `json:"low"`
			High    float64  `json:"high"`
			Log     bool     `json:"log"`
			Step    *float64 `json:"step"`
			Q       float64  `json:"q"`
			Choices []any    `json:"choices"`
		} `json:"attributes"`
	}
	if err := json.Unmarshal([]byte(s), &j); err != nil {
		return study.Distribution{}, fmt.Errorf("read distribution %s: %w", s, err)
	}
	a := j.Attributes
	d := study.Distribution{Low: a.Low, High: a.High, Log: a.Log, Step: a.Q}
	if a.Step != nil {
		d.Step = *a.Step
	}
	switch j.Name {
	case "FloatDistribution", "UniformDistribution", "LogUniformDistribution", "DiscreteUniformDistribution":
		d.Kind = study.Float
		d.Log = d.Log || j.Name == "LogUniformDistribution"
	case "IntDistribution", "IntUniformDistribution", "IntLogUniformDistribution":
		d.Kind = study.Int
		d.Log = d.Log || j.Name == "IntLogUniformDistribution"
	case "CategoricalDistribution":
		d = study.Distribution{Kind: study.Categorical, Choices: a.Choices}
		// Through its own JSON, so that whole choices become int64 like everywhere else.
		b, err := json.Marshal(d)
		if err != nil {
			return d, err
		}
		if err := json.Unmarshal(b, &d); err != nil {
			return d, err
		}
	default:
		return d, fmt.Errorf("read distribution: %q is not known", j.Name)
	}
	if d.Kind == study.Categorical && len(d.Choices) == 0 {
		return d, fmt.Errorf("read distribution %s: no choices", s)
	}
	return d, nil
}

// codec turns the internal values of a study's trials back into parameters.
type codec struct {
	known map[string]study.Distribution // by name + "\x00" + Optuna's text
}

// newCodec prefers the study's own space over Optuna's text, which cannot hold lists.
func newCodec(s study.Space) (*codec, error) {
	c := &codec{known: map[string]study.Distribution{}}
	for _, d := range s {
		text, err := encodeDistribution(d.Distribution)
		if err != nil {
			return nil, fmt.Errorf("parameter %s: %w", d.Name, err)
		}
		c.known[d.Name+"\x00"+text] = d.Distribution
	}
	return c, nil
}

// value is the parameter that Optuna's text and number stand for. A distribution of another program that cannot be read
// (Python writes NaN into its JSON, for one) does not hide its trial: the number stands for itself.
func (c *codec) value(name, text string, internal float64) any {
	key := name + "\x00" + text
	d, ok := c.known[key]
	if !ok {
		var err error
		if d, err = decodeDistribution(text); err != nil {
			d = study.Distribution{}
		}
		c.known[key] = d
	}
	if d.Kind == "" {
		return internal
	}
	return d.External(internal)
}
