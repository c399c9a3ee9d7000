package server

import (
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"

	"sweep/study"
)

// specYAML writes a spec as the sweep file that gives it.
func specYAML(name string, s study.Spec) string {
	var b strings.Builder
	put := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	put("name: %s", scalar(name))
	if s.Description != "" {
		put("description: %s", scalar(s.Description))
	}
	put("method: %s", scalar(s.Method))
	target := ""
	if s.Objective.Target != nil {
		target = ", target: " + scalar(*s.Objective.Target)
	}
	put("metric: {name: %s, goal: %s%s}", scalar(s.Objective.Name), s.Objective.Direction, target)
	put("run_cap: %d", s.RunCap)
	put("parameters:")
	for _, d := range s.Space {
		put("  %s: {%s}", scalar(d.Name), distributionYAML(d.Distribution))
	}
	put("sweep:")
	put("  trainer: %s", scalar(s.Trainer))
	names := make([]any, len(s.Data.Names))
	for i, n := range s.Data.Names {
		names[i] = n
	}
	var data any = names
	if len(names) == 1 {
		data = names[0]
	}
	put("  data: {name: %s, train: %d, validation: %d}", scalar(data), s.Data.Train, s.Data.Validation)
	put("  epochs: %d", s.Epochs)
	put("  seed: %d", s.Seed)
	if s.Workers > 0 {
		put("  workers: %d", s.Workers)
	}
	put("  retries: %d", s.Retries)
	put("  keep_checkpoints: %d", s.KeepCheckpoints)
	if p := s.Pruner; p.Name != "" {
		parts := []string{"name: " + scalar(p.Name)}
		if p.MinEpochs > 0 {
			parts = append(parts, fmt.Sprintf("min_epochs: %d", p.MinEpochs))
		}
		if p.Reduction > 0 {
			parts = append(parts, fmt.Sprintf("reduction: %d", p.Reduction))
		}
		put("  pruner: {%s}", strings.Join(parts, ", "))
	}
	return b.String()
}

// distributionYAML uses W&B's words.
func distributionYAML(d study.Distribution) string {
	if d.Kind == study.Categorical {
		if len(d.Choices) == 1 {
			return "value: " + scalar(d.Choices[0])
		}
		return "values: " + scalar(d.Choices)
	}
	bounds := "min: " + scalar(d.Low) + ", max: " + scalar(d.High)
	stepped := d.Step > 0 && !(d.Kind == study.Int && d.Step == 1)
	switch {
	case d.Kind == study.Int && d.Log:
		return "distribution: q_log_uniform_values, " + bounds + ", q: " + scalar(math.Max(d.Step, 1))
	case d.Log:
		return "distribution: log_uniform_values, " + bounds
	case stepped:
		return "distribution: q_uniform, " + bounds + ", q: " + scalar(d.Step)
	case d.Kind == study.Int:
		return "distribution: int_uniform, " + bounds
	}
	return "distribution: uniform, " + bounds
}

var (
	plainScalar = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_+./-]*$`)
	// wordsOfYAML mean something else than themselves, in one version of YAML or another.
	wordsOfYAML = regexp.MustCompile(`(?i)^(true|false|yes|no|on|off|y|n|null)$`)
)

// scalar writes a value in flow style; strings that could be read as anything else are quoted.
func scalar(v any) string {
	switch t := v.(type) {
	case nil:
		return "null"
	case string:
		if plainScalar.MatchString(t) && !wordsOfYAML.MatchString(t) {
			return t
		}
		b, _ := json.Marshal(t) // a string; JSON's strings are YAML's
		return string(b)
	case []any:
		parts := make([]string, len(t))
		for i := range t {
			parts[i] = scalar(t[i])
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case float64:
		if a := math.Abs(t); a != 0 && (a < 1e-9 || a >= 1e15) {
			s := strconv.FormatFloat(t, 'e', -1, 64)
			if mantissa, exponent, _ := strings.Cut(s, "e"); !strings.Contains(mantissa, ".") {
				s = mantissa + ".0e" + exponent // without a point, YAML 1.1 reads a word
			}
			return s
		}
		return strconv.FormatFloat(t, 'f', -1, 64)
	}
	return fmt.Sprint(v)
}
