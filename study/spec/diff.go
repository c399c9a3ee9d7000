package spec

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"sweep/study"
)

// Diff says in words what differs between the spec of a study, a, and the one of a file, b; nothing when one continues
// the other. run_cap is left out, because it may be raised, and so are workers and devices, which are no properties of the
// study. The order of the parameters does not matter.
func Diff(a, b study.Spec) []string {
	var out []string
	differ := func(key, was, is string) {
		if was != is {
			out = append(out, fmt.Sprintf("%s: %s in the study, %s in the file", key, was, is))
		}
	}
	differ("name", text(a.Name), text(b.Name))
	if a.Description != b.Description {
		out = append(out, "description: another text")
	}
	differ("method", a.Method, b.Method)
	differ("metric.name", a.Objective.Name, b.Objective.Name)
	differ("metric.goal", string(a.Objective.Direction), string(b.Objective.Direction))
	target := func(o study.Objective) string {
		if o.Target == nil {
			return "none"
		}
		return exact(*o.Target)
	}
	differ("metric.target", target(a.Objective), target(b.Objective))
	for _, d := range a.Space {
		is := "absent"
		if o, ok := b.Space.Lookup(d.Name); ok {
			is = describeExactly(o.Distribution)
		}
		differ("parameters."+d.Name, describeExactly(d.Distribution), is)
	}
	for _, d := range b.Space {
		if _, ok := a.Space.Lookup(d.Name); !ok {
			differ("parameters."+d.Name, "absent", describeExactly(d.Distribution))
		}
	}
	differ("sweep.trainer", a.Trainer, b.Trainer)
	differ("sweep.data.name", strings.Join(a.Data.Names, ", "), strings.Join(b.Data.Names, ", "))
	differ("sweep.data.train", fmt.Sprint(a.Data.Train), fmt.Sprint(b.Data.Train))
	differ("sweep.data.validation", fmt.Sprint(a.Data.Validation), fmt.Sprint(b.Data.Validation))
	differ("sweep.data.size", fmt.Sprint(a.Data.Size), fmt.Sprint(b.Data.Size))
	differ("sweep.epochs", fmt.Sprint(a.Epochs), fmt.Sprint(b.Epochs))
	differ("sweep.seed", fmt.Sprint(a.Seed), fmt.Sprint(b.Seed))
	pruner := func(p study.PrunerSpec) string {
		if p.Name == "" {
			return "none"
		}
		return fmt.Sprintf("%s (min_epochs %d, reduction %d)", p.Name, p.MinEpochs, p.Reduction)
	}
	differ("sweep.pruner", pruner(a.Pruner), pruner(b.Pruner))
	precision := func(s string) string {
		if s == "" {
			return Precisions[0]
		}
		return s
	}
	differ("sweep.precision", precision(a.Precision), precision(b.Precision))
	differ("sweep.retries", fmt.Sprint(a.Retries), fmt.Sprint(b.Retries))
	differ("sweep.keep_checkpoints", fmt.Sprint(a.KeepCheckpoints), fmt.Sprint(b.KeepCheckpoints))
	from := func(s string) string {
		if s == "" {
			return "none"
		}
		return text(s)
	}
	differ("sweep.init_from", from(a.InitFrom), from(b.InitFrom))
	return out
}

// describeExactly is Describe with every digit and the text's own quotes.
func describeExactly(d study.Distribution) string {
	if d.Kind != study.Categorical {
		return Describe(d)
	}
	n := make([]any, len(d.Choices))
	for i, c := range d.Choices {
		n[i] = normalList(c)
	}
	if len(n) == 1 {
		return exact(n[0])
	}
	return "one of " + strings.Trim(exact(n), "[]")
}

func normalList(v any) any {
	list, ok := v.([]any)
	if !ok {
		return normal(v)
	}
	out := make([]any, len(list))
	for i := range list {
		out[i] = normal(list[i])
	}
	return out
}

// Warnings says what of a right spec is probably not meant, a sentence each.
func Warnings(s study.Spec) []string {
	var out []string
	warn := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	if n := s.Space.Cardinality(); float64(s.RunCap) > n {
		warn("run_cap is %d but the space has only %s: some will be trained again, with the same result", s.RunCap, configurations(n))
	}
	if low, high, ok := bounds(s.Space, "warmup_epochs"); ok && high >= float64(s.Epochs) {
		which := "up to "
		if low == high {
			which = ""
		}
		warn("warmup_epochs is %s%s of %d epochs: such trials never reach their learning rate", which, exact(high), s.Epochs)
	}
	if _, high, ok := bounds(s.Space, "batch"); ok && high > float64(s.Data.Train) {
		warn("batch goes up to %s but there are only %d training images: such an epoch is one step", exact(high), s.Data.Train)
	}
	if s.Pruner.Name != "" && s.Pruner.MinEpochs >= s.Epochs {
		warn("the pruner starts at epoch %d of %d: it will stop nothing", s.Pruner.MinEpochs, s.Epochs)
	}
	loss, ok := s.Space.Lookup("loss")
	searched := ok && !loss.Distribution.Single()
	if o := s.Objective.Name; (o == "val_loss" || o == "train_loss") && searched {
		warn("the objective %s is not comparable between trials whose loss differs: use val_mse", o)
	}
	if o := s.Objective.Name; o == "train_loss" {
		warn("the objective train_loss rewards overfitting: use a val_ metric")
	}
	if f, ok := s.Space.Lookup("freeze"); ok && s.InitFrom == "" && slices.Contains(f.Distribution.Choices, any("encoder")) {
		warn("freeze encoder trains one layer on an encoder of random weights: name one that was trained with init_from under sweep")
	}
	if w, ok := s.Space.Lookup("ssim_weight"); ok && !w.Distribution.Single() &&
		!slices.Contains(loss.Distribution.Choices, any("mse+ssim")) {
		warn("ssim_weight is searched but no trial has the loss mse+ssim: it will change nothing")
	}
	return out
}

func configurations(n float64) string {
	if n == 1 {
		return "one configuration"
	}
	return exact(n) + " configurations"
}

// bounds gives the least and the greatest number that a parameter of the space can be.
func bounds(s study.Space, name string) (low, high float64, ok bool) {
	d, ok := s.Lookup(name)
	if !ok {
		return 0, 0, false
	}
	if d.Distribution.Kind != study.Categorical {
		return d.Distribution.Low, d.Distribution.High, true
	}
	low, high = math.Inf(1), math.Inf(-1)
	for _, c := range d.Distribution.Choices {
		f, ok := study.AsFloat(c)
		if !ok {
			return 0, 0, false
		}
		low, high = math.Min(low, f), math.Max(high, f)
	}
	return low, high, true
}
