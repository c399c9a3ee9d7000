// Package spec turns a sweep file into a checked [study.Spec], or into all of its mistakes at once.
//
// It promises that what it returns is right in every respect that can be known before training: keys, types, ranges,
// names, and how they fit together. Each mistake names file, line and column, shows the source line, and says what
// would be right. The keys are W&B's where W&B has a word for it; all else stands under the one key "sweep".
package spec

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"sweep/study"
)

// Source is the text of a sweep file and the name under which mistakes cite it.
type Source struct {
	Name string
	Text []byte
}

// What holds when a file does not say otherwise. The objective is the trainer's, its goal the metric's own direction, there
// is no pruner, and the study is named after the file.
const (
	DefaultMethod          = "tpe"
	DefaultMetric          = "val_mse"
	DefaultRunCap          = 100
	DefaultEpochs          = 10
	DefaultSeed            = 1
	DefaultTrain           = 10_000
	DefaultValidation      = 2_000
	DefaultRetries         = 2
	DefaultKeepCheckpoints = 10
	DefaultMinEpochs       = 1 // of asha
	DefaultReduction       = 3 // of asha
)

// MaxRunCap is the most trials that a study may have.
const MaxRunCap = maxCount

// DefaultData are the data sets of a file that names none: the first that can be had.
func DefaultData() []string { return []string{"cifar10", "shapes"} }

const (
	maxSize  = 1 << 20 // bytes of a file
	maxLines = 5000    // of a file: the YAML parser takes time with the square of the keys
	maxCount = 1 << 20 // of trials, epochs, images and the like
)

// Parse reads a sweep file for one of the trainers that the catalogues describe: the one that it names, else the first. Its
// error is always an [*Errors].
func Parse(src Source, first study.Catalogue, more ...study.Catalogue) (study.Spec, error) {
	p := &parser{src: src, catalogue: first, catalogues: append([]study.Catalogue{first}, more...), spec: study.Spec{
		Method: DefaultMethod, RunCap: DefaultRunCap, Epochs: DefaultEpochs, Seed: DefaultSeed,
		Data:    study.DataSpec{Names: DefaultData(), Train: DefaultTrain, Validation: DefaultValidation},
		Retries: DefaultRetries, KeepCheckpoints: DefaultKeepCheckpoints,
	}}
	if root := p.document(); root != nil {
		p.file(root)
	}
	if len(p.mistakes) > 0 {
		slices.SortStableFunc(p.mistakes, Mistake.compare)
		return study.Spec{}, &Errors{List: p.mistakes}
	}
	return p.spec, nil
}

// file reads the top of the file.
func (p *parser) file(root *mapping) {
	later := map[string]string{
		"early_terminate": "early_terminate is not built yet: write pruner: {name: asha} under sweep",
		"command":         p.onlyTrainer("command"),
		"program":         p.onlyTrainer("program"),
		"metrics":         "metrics is not built yet: name one objective as metric: {name: …, goal: …}",
		"entity":          "entity is not built yet: leave it out",
		"project":         "project is not built yet: leave it out",
		"controller":      "controller is not built yet: leave it out",
		"job":             "job is not built yet: leave it out",
		"image_uri":       "image_uri is not built yet: leave it out",
		"scheduler":       "scheduler is not built yet: leave it out",
	}
	for _, k := range sweepKeys {
		later[k] = k + " stands under sweep: write sweep: {" + k + ": …}"
	}
	m := p.known(root, "a sweep file", topKeys, later)
	p.trainer(m)
	p.name(m)
	if e, ok := m["description"]; ok {
		p.spec.Description, _ = p.text(e, "description", 10_000)
	}
	if e, ok := m["method"]; ok {
		p.method(e)
	}
	p.metric(m)
	p.count(m, "run_cap", "the number of trials", 1, &p.spec.RunCap)
	// Sections first, since parameters are checked against them.
	if e, ok := m["sweep"]; ok {
		p.sweep(e)
	} else {
		p.data(nil)
	}
	e, ok := m["parameters"]
	if !ok {
		p.failAt(1, 1, "there is no key parameters: say what is searched, as in parameters: {lr: {min: 0.0005, max: 0.001}}")
		return
	}
	p.parameters(e)
	p.masks(m)
	p.reported(m)
	if p.spec.Method == "grid" {
		p.grid(m)
	}
}

// grid checks that every configuration can be tried, which is what run_cap is when the file does not say.
func (p *parser) grid(m map[string]entry) {
	n := p.spec.Space.Cardinality()
	for _, d := range p.spec.Space {
		if d.Distribution.Cardinality() > maxCount {
			p.fail(m["method"].value, "grid tries every value, and %s is a range: list some, as in %[1]s: {values: […]}, or use tpe or random", d.Name)
			return
		}
	}
	if n > maxCount {
		p.fail(m["method"].value, "the grid has %s: list fewer values, or use tpe or random", configurations(n))
		return
	}
	if _, ok := m["run_cap"]; !ok {
		p.spec.RunCap = int(n)
	}
}

func (p *parser) onlyTrainer(key string) string {
	return fmt.Sprintf("%s is not built yet: sweeps run the built-in trainer %s, whose parameters stand under parameters", key, p.catalogue.Trainer)
}

// name settles the study's name: the file's own, or its base name.
func (p *parser) name(m map[string]entry) {
	e, ok := m["name"]
	if !ok {
		base := filepath.Base(p.src.Name)
		p.spec.Name = strings.TrimSuffix(base, filepath.Ext(base))
		if err := CheckName(p.spec.Name); err != nil {
			p.failAt(1, 1, "the study cannot be named after the file (%v): add a line such as name: lr", err)
		}
		return
	}
	name, ok := p.text(e, "name", 1000)
	if !ok {
		return
	}
	if err := CheckName(name); err != nil {
		p.fail(e.value, "name: %v", err)
		return
	}
	p.spec.Name = name
}

// CheckName reports why name cannot name a study: names stand in commands, addresses of pages and folders.
func CheckName(name string) error {
	switch {
	case name == "":
		return fmt.Errorf("it is empty, and a study needs one")
	case utf8.RuneCountInString(name) > 100:
		return fmt.Errorf("it is longer than 100 letters: shorten it")
	case strings.TrimSpace(name) != name:
		return fmt.Errorf("it starts or ends with a space: remove that")
	case name[0] == '-' || name[0] == '.':
		return fmt.Errorf("it starts with %q: start it with a letter or a digit", name[0])
	}
	for _, r := range name {
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune(" -_.+=@,", r) {
			return fmt.Errorf("%q cannot stand in it: use letters, digits, spaces and - _ . + = @ ,", r)
		}
	}
	return nil
}

// method reads the name of the sampler.
func (p *parser) method(e entry) {
	const use = "use tpe, random or grid"
	later := map[string]string{
		"gp": "gp is not built yet: " + use, "cmaes": "cmaes is not built yet: " + use, "sobol": "sobol is not built yet: " + use,
		"auto":      "auto is not built yet: " + use,
		"bayes":     "bayes (a Gaussian process) is not built yet: " + use,
		"hyperband": "hyperband is not built yet: " + use + ", with pruner: {name: asha} under sweep",
	}
	if s, ok := p.scalar(e.value).(string); ok && strings.HasPrefix(s, "goptuna:") {
		p.fail(e.value, "%s is not built yet: %s", quoted(s), use)
		return
	}
	if s, ok := p.word(e.value, "method", methods, later); ok {
		p.spec.Method = s
	}
}

// metric reads the objective.
func (p *parser) metric(m map[string]entry) {
	decl, found := p.catalogue.Metric(p.defaultMetric())
	o := &p.spec.Objective
	o.Name, o.Direction = p.defaultMetric(), decl.Direction
	e, ok := m["metric"]
	if !ok {
		if !found {
			p.failAt(1, 1, "there is no key metric: name the objective, as in metric: {name: …, goal: minimize}")
		}
		return
	}
	if s, ok := p.scalar(e.value).(string); ok {
		p.fail(e.value, "metric holds keys: write metric: {name: %s}", quoted(s))
		return
	}
	root, ok := p.mapping(e.value, "metric", "metric: {name: val_mse, goal: minimize}")
	if !ok {
		return
	}
	k := p.known(root, "metric", metricKeys, map[string]string{
		"impute":               "impute is not built yet: leave it out",
		"impute_while_running": "impute_while_running is not built yet: leave it out",
	})
	if n, ok := k["name"]; ok {
		decl, found = p.objective(n)
		o.Name, o.Direction = decl.Key, decl.Direction
	} else if !found {
		p.fail(e.value, "metric has no name: say which metric is searched")
	}
	if g, ok := k["goal"]; ok {
		s, ok := p.word(g.value, "goal", []string{string(study.Minimize), string(study.Maximize)}, nil)
		if ok && found && study.Direction(s) != decl.Direction {
			p.fail(g.value, "goal %s looks for the worst %s: write %s", s, decl.Key, decl.Direction)
		}
	}
	if t, ok := k["target"]; ok {
		if v, ok := p.number(t.value, "target"); ok {
			o.Target = &v
		}
	}
}

// objective reads the name of a metric that can be searched.
func (p *parser) objective(e entry) (study.MetricDecl, bool) {
	name, ok := p.text(e, "metric name", 1000)
	if !ok {
		return study.MetricDecl{}, false
	}
	var can []string
	for _, m := range p.catalogue.Metrics {
		if m.Direction != "" && !m.Unbuilt && !m.Timing && !m.Sparse {
			can = append(can, m.Key)
		}
	}
	decl, ok := p.catalogue.Metric(name)
	switch {
	case strings.HasPrefix(name, "test_"):
		p.fail(e.value, "%s is never searched: the test set is looked at once, at the end; use %s", quoted(name), p.defaultMetric())
	case !ok:
		p.fail(e.value, "%s", unknown(quoted(name)+" is not a metric of "+p.catalogue.Trainer, name, can, "metrics"))
	case decl.Unbuilt:
		p.fail(e.value, "%s is not built yet: use one of %s", name, strings.Join(can, ", "))
		ok = false
	case decl.Timing:
		p.fail(e.value, "%s cannot be searched, early stopping would follow the clock and no run would come out twice: use one of %s",
			name, strings.Join(can, ", "))
		ok = false
	case decl.Sparse:
		p.fail(e.value, "%s cannot be searched, it is measured after some epochs only and a trial is judged after each: use one of %s",
			name, strings.Join(can, ", "))
		ok = false
	case decl.Direction == "":
		p.fail(e.value, "%s cannot be searched, neither more nor less of it is better: use one of %s", name, strings.Join(can, ", "))
		ok = false
	}
	return decl, ok
}

// count reads a whole number from least to a million into dst, where the file has it; false after a mistake.
func (p *parser) count(m map[string]entry, key, what string, least int64, dst *int) bool {
	e, ok := m[key]
	if !ok {
		return true
	}
	n, ok := p.integer(e.value, key+", "+what+",", least, maxCount)
	if ok {
		*dst = int(n)
	}
	return ok
}
