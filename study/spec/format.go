package spec

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"sweep/study"
)

// Format prints s as a sweep file with nothing left to defaults. [Parse] reads it back equal.
func Format(s study.Spec) []byte {
	var b bytes.Buffer
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("name: %s", text(s.Name))
	if s.Description != "" {
		line("description: %s", text(s.Description))
	}
	line("method: %s", s.Method)
	metric := fmt.Sprintf("name: %s, goal: %s", text(s.Objective.Name), s.Objective.Direction)
	if s.Objective.Target != nil {
		metric += ", target: " + exact(*s.Objective.Target)
	}
	line("metric: {%s}", metric)
	line("run_cap: %d", s.RunCap)
	if len(s.Space) == 0 {
		line("parameters: {}")
	} else {
		line("parameters:")
	}
	for _, d := range s.Space {
		line("  %s: {%s}", text(d.Name), keysOf(d.Distribution))
	}
	names := make([]string, len(s.Data.Names))
	for i, n := range s.Data.Names {
		names[i] = text(n)
	}
	line("sweep:")
	line("  trainer: %s", text(s.Trainer))
	size := ""
	if s.Data.Size > 0 {
		size = fmt.Sprintf(", size: %d", s.Data.Size)
	}
	line("  data: {name: [%s], train: %d, validation: %d%s}", strings.Join(names, ", "), s.Data.Train, s.Data.Validation, size)
	line("  epochs: %d", s.Epochs)
	line("  seed: %d", s.Seed)
	if s.Pruner.Name != "" {
		line("  pruner: {name: %s, min_epochs: %d, reduction: %d}", s.Pruner.Name, s.Pruner.MinEpochs, s.Pruner.Reduction)
	}
	line("  workers: %d", s.Workers)
	if len(s.Devices) > 0 {
		line("  devices: %s", text(strings.Join(s.Devices, ",")))
	}
	if s.Precision != "" {
		line("  precision: %s", s.Precision)
	}
	line("  retries: %d", s.Retries)
	line("  keep_checkpoints: %d", s.KeepCheckpoints)
	if s.InitFrom != "" {
		line("  init_from: %s", text(s.InitFrom))
	}
	return b.Bytes()
}

// keysOf gives a distribution in W&B's keys.
func keysOf(d study.Distribution) string {
	name := uniform
	switch {
	case d.Kind == study.Categorical && len(d.Choices) == 1:
		return "value: " + exact(d.Choices[0])
	case d.Kind == study.Categorical:
		return "values: " + exact(d.Choices)
	case d.Log:
		name = logUniform
	case d.Step > 0:
		name = qUniform
	case d.Kind == study.Int:
		name = intUniform
	}
	s := fmt.Sprintf("distribution: %s, min: %s, max: %s", name, exact(d.Low), exact(d.High))
	if name == qUniform {
		s += ", q: " + exact(d.Step)
	}
	return s
}

// Describe says in words where a value comes from: "0.0005 to 0.001, logarithmic", "one of mse, mae", "64".
func Describe(d study.Distribution) string {
	switch {
	case d.Kind == study.Categorical && len(d.Choices) == 1:
		return study.FormatValue(d.Choices[0])
	case d.Kind == study.Categorical:
		words := make([]string, len(d.Choices))
		for i, c := range d.Choices {
			words[i] = study.FormatValue(c)
		}
		return "one of " + strings.Join(words, ", ")
	case d.Low == d.High:
		return exact(d.Low)
	}
	s := exact(d.Low) + " to " + exact(d.High)
	if d.Kind == study.Int {
		s += ", whole numbers"
	}
	if d.Log {
		s += ", logarithmic"
	}
	if d.Step > 0 && (d.Kind != study.Int || d.Step > 1) {
		s += ", in steps of " + exact(d.Step)
	}
	return s
}

// plain is a text that YAML reads as itself without quotes, and no word that has a meaning of its own.
var plain = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_+.-]*$`)

func text(s string) string {
	special := []string{"true", "false", "null", "yes", "no", "on", "off", "y", "n", "nan", "inf"}
	if plain.MatchString(s) && !slices.Contains(special, strings.ToLower(s)) {
		return s
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(s); err != nil {
		return strconv.Quote(s)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// exact prints a value so that reading it gives the same bits.
func exact(v any) string {
	switch t := v.(type) {
	case nil:
		return "null"
	case string:
		return text(t)
	case []any:
		parts := make([]string, len(t))
		for i := range t {
			parts[i] = exact(t[i])
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case float64:
		switch {
		case math.IsInf(t, 1):
			return ".inf"
		case math.IsInf(t, -1):
			return "-.inf"
		case math.IsNaN(t):
			return ".nan"
		case math.Abs(t) < 1e15 && math.Abs(t) >= 1e-4 || t == 0:
			return strconv.FormatFloat(t, 'f', -1, 64)
		}
		return strconv.FormatFloat(t, 'g', -1, 64)
	}
	return fmt.Sprint(v)
}
