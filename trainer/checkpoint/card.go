package checkpoint

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"sweep/study"
	"sweep/trainer/model"
)

// config writes config.yaml: a sweep file of the one trial, so that `sweep run config.yaml` trains the model again.
func (b Bundle) config(c model.Config) []byte {
	var s strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&s, format+"\n", args...) }
	line("# One trial of a sweep: `sweep run %s` trains it again.", configFile)
	line("name: %s", quoted(fmt.Sprintf("%s-trial-%d", b.Study, b.Trial)))
	line("method: random")
	line("metric: {name: %s, goal: %s}", quoted(b.Objective.Name), b.Objective.Direction)
	line("run_cap: 1")
	line("parameters:")
	for _, k := range slices.Sorted(maps.Keys(b.Params)) {
		line("  %s: {value: %s}", k, scalar(b.Params[k]))
	}
	line("sweep:")
	trainer := "cae"
	if c.Task == model.Classify {
		trainer = "classifier"
	}
	line("  trainer: %s", trainer)
	resized := ""
	if b.Data.Size > 0 {
		resized = fmt.Sprintf(", size: %d", b.Data.Size)
	}
	line("  data: {name: %s, train: %d, validation: %d%s}", quoted(b.Data.Name), b.Train, b.Validate, resized)
	line("  epochs: %d", b.Epochs)
	line("  seed: %d", b.Seed)
	if b.InitFrom != "" {
		line("  init_from: %s # SHA-256 %s", quoted(b.InitFrom), b.InitDigest)
	}
	return []byte(s.String())
}

// quoted writes a string that YAML reads back: JSON's strings are YAML's.
func quoted(v string) string {
	j, err := json.Marshal(v)
	if err != nil { // a string always has JSON
		return `""`
	}
	return string(j)
}

// scalar writes a parameter's value. A float keeps every digit and a point, so that it is read as the same float.
func scalar(v any) string {
	switch v := v.(type) {
	case string:
		return quoted(v)
	case float64:
		if math.IsNaN(v) {
			return ".nan"
		}
		if math.IsInf(v, 0) {
			return strings.Replace(strconv.FormatFloat(v, 'f', -1, 64), "Inf", ".inf", 1)
		}
		s := strconv.FormatFloat(v, 'f', -1, 64)
		if !strings.Contains(s, ".") {
			s += ".0"
		}
		return s
	case []any:
		items := make([]string, len(v))
		for i, e := range v {
			items[i] = scalar(e)
		}
		return "[" + strings.Join(items, ", ") + "]"
	case nil:
		return "null"
	default:
		return study.FormatValue(v)
	}
}

// card writes README.md, the model card.
func (b Bundle) card(c model.Config, check Check) []byte {
	var s strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&s, format+"\n", args...) }
	w := b.words(c, check)
	line("# %s, trial %d", b.Study, b.Trial)
	line("")
	line("%s", w.is)
	for _, sentence := range purpose(c) {
		line("%s", sentence)
	}
	line("It is the trial with number %d of the sweep %s, trained and exported by sweep.", b.Trial, b.Study)
	line("")
	line("![%s](%s)", title(c), reconstructionsFile)
	line("")
	if c.Generates() {
		line("![Generated images](%s)", generatedFile)
		line("")
	}
	line("%s More pictures: [the data set](%s), [the curves](%s).", w.shows, samplesFile, curvesFile)
	line("")
	line("## Numbers")
	line("")
	line("| metric | value |")
	line("| --- | --- |")
	for _, m := range []map[string]float64{b.TestMetrics, b.Metrics} {
		for _, k := range slices.Sorted(maps.Keys(m)) {
			line("| %s | %s |", k, strconv.FormatFloat(m[k], 'g', 6, 64))
		}
	}
	line("")
	line("`test_…` are on the test set, which no trial was chosen by; the others are of the trial's best epoch. "+
		"The %s: `sweep verify` comes to the same, and so does any ONNX runtime.", w.figure)
	if check.Input != "" {
		line("What it is fed with there: %s. Compared is with the images themselves. `test_…` are with inputs as in training.", check.Input)
	}
	if v := b.verdict(); v != "" {
		line("")
		line("%s", v)
	}
	line("")
	line("## Data and training")
	line("")
	line("- Data set %s: %d images trained on and %d validated on, drawn from its training files by seed %d. Fingerprint `%s`.",
		b.Data.Name, b.Train, b.Validate, b.Seed, b.Data.Fingerprint)
	best := "lowest"
	if b.Objective.Direction == study.Maximize {
		best = "highest"
	}
	line("- At most %d epochs; the weights are those of the epoch with the %s %s.", b.Epochs, best, b.Objective.Name)
	if b.InitFrom != "" {
		line("- Training began with the weights %s (SHA-256 `%s`), as far as they fitted.", b.InitFrom, b.InitDigest)
	}
	line("- Parameters: %s.", b.parameters())
	line("- `sweep run %s` trains it again.", configFile)
	line("")
	line("It knows images like those of its data set and no others, and it is no judge of what is in them.")
	line("")
	line("## Use")
	line("")
	line("```python")
	line("import numpy, onnxruntime  # pip install onnxruntime")
	line(`model = onnxruntime.InferenceSession("%s")`, modelFile)
	line(`encoder = onnxruntime.InferenceSession("%s")`, encoderFile)
	line("x = numpy.random.randint(0, 256, (8, %d, %d, %d)).astype(numpy.float32) / 255  # your images: N, C, H, W", c.Channels, c.Height, c.Width)
	line(`code = encoder.run(None, {"input": x})[0]  # (8, %d)`, c.Latent)
	line(`y = model.run(None, {"input": x})[0]  # %s`, w.gives)
	if c.Generates() {
		line(`decoder = onnxruntime.InferenceSession("%s")`, decoderFile)
		line("z = numpy.random.standard_normal((8, %d)).astype(numpy.float32)", c.Latent)
		line(`new = decoder.run(None, {"latent": z})[0]  # (8, %d, %d, %d) in [0, 1]`, c.Channels, c.Height, c.Width)
	}
	line("```")
	line("")
	line("`%s` holds the same weights for any reader of the format: convolutions as (y, x, in, out), transposed ones as (in, y, x, out), "+
		"dense layers as (in, out), a map flattened as (y, x, channel).", WeightsFile)
	return []byte(s.String())
}

func (b Bundle) parameters() string {
	var out []string
	for _, k := range slices.Sorted(maps.Keys(b.Params)) {
		out = append(out, fmt.Sprintf("%s %s", k, study.FormatValue(b.Params[k])))
	}
	return strings.Join(out, ", ")
}

func imagesOf(c model.Config) string {
	kind := fmt.Sprintf("images of %d channels", c.Channels)
	switch c.Channels {
	case 1:
		kind = "grey images"
	case 3:
		kind = "colour images"
	}
	return fmt.Sprintf("%s of %dx%d", kind, c.Height, c.Width)
}
