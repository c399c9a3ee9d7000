package spec

import (
	"math"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"sweep/study"
)

// The keys and words that are built: what is read, and what the schema offers, is one list.
var (
	topKeys    = []string{"name", "description", "method", "metric", "parameters", "run_cap", "sweep"}
	metricKeys = []string{"name", "goal", "target"}
	dataKeys   = []string{"name", "train", "validation", "size"}
	prunerKeys = []string{"name", "min_epochs", "reduction"}
	methods    = []string{"tpe", "random", "grid"}
	pruners    = []string{"none", "asha"}
)

var sweepKeys = []string{"trainer", "data", "epochs", "seed", "pruner", "workers", "devices", "precision", "retries", "keep_checkpoints", "init_from"}

// sweep reads the one key that is not W&B's.
func (p *parser) sweep(e entry) {
	root, ok := p.mapping(e.value, "sweep", "sweep: {epochs: 10, data: {name: shapes}}")
	if !ok {
		return
	}
	later := map[string]string{}
	for _, k := range []string{"replicate", "try", "require", "confirm"} {
		later[k] = k + " is not built yet: leave it out"
	}
	m := p.known(root, "sweep", sweepKeys, later)
	if t, ok := m["trainer"]; ok {
		var known []string
		for _, c := range p.catalogues {
			known = append(known, c.Trainer)
		}
		p.word(t.value, "trainer", known, map[string]string{
			"program": "the trainer program is not built yet: use " + strings.Join(known, " or "),
		})
	}
	p.count(m, "epochs", "the most a trial trains", 1, &p.spec.Epochs)
	if s, ok := m["seed"]; ok {
		p.seed(s)
	}
	p.count(m, "workers", "the trials at once (0: one a core, and as many as fit on a GPU)", 0, &p.spec.Workers)
	if d, ok := m["devices"]; ok {
		p.devices(d)
	}
	if r, ok := m["precision"]; ok {
		p.precision(r)
	}
	p.count(m, "retries", "the further attempts after a failure", 0, &p.spec.Retries)
	p.count(m, "keep_checkpoints", "the best trials whose weights are kept", 0, &p.spec.KeepCheckpoints)
	if f, ok := m["init_from"]; ok {
		from, ok := p.text(f, "init_from", 4096)
		if ok && strings.TrimSpace(from) == "" {
			p.fail(f.value, "init_from is empty: name a trial as STUDY/NUMBER, an exported folder or its model.safetensors")
		}
		p.spec.InitFrom = from
	}
	if q, ok := m["pruner"]; ok {
		p.pruner(q)
	}
	if d, ok := m["data"]; ok {
		p.data(&d)
	} else {
		p.data(nil)
	}
}

// seed reads a whole number from 0 to 2^64-1, in any spelling that is exact: 1e3 is 1000.
func (p *parser) seed(e entry) {
	before := len(p.mistakes)
	switch v := p.scalar(e.value).(type) {
	case uint64:
		p.spec.Seed = v
		return
	case int64:
		if v >= 0 {
			p.spec.Seed = uint64(v)
			return
		}
	case float64:
		if v >= 0 && v == math.Trunc(v) && v <= 1<<53 {
			p.spec.Seed = uint64(v)
			return
		}
	}
	if len(p.mistakes) == before {
		p.fail(e.value, "seed is a whole number from 0 to 18446744073709551615, not %s", p.show(e.value))
	}
}

// pruner reads which trials are stopped early.
func (p *parser) pruner(e entry) {
	if s, ok := p.scalar(e.value).(string); ok {
		p.fail(e.value, "pruner holds keys: write pruner: {name: %s}", quoted(s))
		return
	}
	root, ok := p.mapping(e.value, "pruner", "pruner: {name: asha, min_epochs: 1, reduction: 3}")
	if !ok {
		return
	}
	m := p.known(root, "pruner", prunerKeys, nil)
	n, ok := m["name"]
	if !ok {
		p.fail(e.value, "pruner has no name: write name: asha, or name: none")
		return
	}
	later := map[string]string{}
	for _, k := range []string{"median", "percentile", "hyperband", "patient", "threshold"} {
		later[k] = "the pruner " + k + " is not built yet: use asha or none"
	}
	name, ok := p.word(n.value, "pruner", pruners, later)
	if !ok {
		return
	}
	if name == "none" {
		for _, k := range []string{"min_epochs", "reduction"} {
			if s, ok := m[k]; ok {
				p.fail(s.name, "%s belongs to the pruner asha: leave it out", k)
			}
		}
		return
	}
	s := study.PrunerSpec{Name: name, MinEpochs: DefaultMinEpochs, Reduction: DefaultReduction}
	p.count(m, "min_epochs", "the first epoch at which asha stops trials", 1, &s.MinEpochs)
	p.count(m, "reduction", "of which one in so many goes on", 2, &s.Reduction)
	p.spec.Pruner = s
}

// data reads the data sets and how much of them is used; e is nil when the file does not say.
func (p *parser) data(e *entry) {
	d := &p.spec.Data
	var names, train, validation ast.Node
	if e != nil {
		if s, ok := p.scalar(e.value).(string); ok {
			p.fail(e.value, "data holds keys: write data: {name: %s}", quoted(s))
			return
		}
		root, ok := p.mapping(e.value, "data", "data: {name: shapes, train: 10000, validation: 2000}")
		if !ok {
			return
		}
		m := p.known(root, "data", dataKeys, nil)
		if n, ok := m["name"]; ok {
			names = n.value
			d.Names = p.dataNames(n)
		}
		if s, ok := m["size"]; ok {
			p.dataSize(s)
		}
		right := p.count(m, "train", "the number of training images", 1, &d.Train)
		if !p.count(m, "validation", "the number of validation images", 1, &d.Validation) || !right {
			return // how many there would be together is not known
		}
		if t, ok := m["train"]; ok {
			train = t.value
		}
		if v, ok := m["validation"]; ok {
			validation = v.value
		}
	}
	at := train
	for _, n := range []ast.Node{validation, names} {
		if at == nil {
			at = n
		}
	}
	for _, name := range d.Names {
		for _, set := range p.catalogue.Data {
			if !set.Is(name) || set.Train == 0 || d.Train+d.Validation <= set.Train {
				continue
			}
			const format = "train %d and validation %d are %d images, but %s has %d to share: ask for fewer"
			args := []any{d.Train, d.Validation, d.Train + d.Validation, name, set.Train}
			if at == nil {
				p.failAt(1, 1, format, args...)
			} else {
				p.fail(at, format, args...)
			}
		}
	}
}

// dataNames reads one name or a list of them.
func (p *parser) dataNames(e entry) []string {
	var known []string
	for _, d := range p.catalogue.Data {
		known = append(known, d.Name)
	}
	items, ok := p.sequence(e.value)
	if !ok {
		items = []ast.Node{e.value}
	} else if len(items) == 0 {
		p.fail(e.value, "the list of data sets is empty: name one of %s", strings.Join(known, ", "))
	}
	var out []string
	for _, item := range items {
		s, isText := p.scalar(item).(string)
		if joined, ok := pair(p.resolve(item)); ok {
			s, isText = joined, true
		}
		kind := slices.IndexFunc(p.catalogue.Data, func(d study.DataDecl) bool { return isText && d.Prefix != "" && strings.HasPrefix(s, d.Prefix) })
		name, ok := s, true
		switch {
		case kind < 0:
			name, ok = p.word(item, "data set", known, nil)
		case !p.catalogue.Data[kind].Is(s):
			p.fail(item, "%s names no folder: write its path after the colon, such as %sphotos", quoted(s), s)
			ok = false
		}
		switch {
		case !ok:
		case slices.Contains(out, name):
			p.fail(item, "%s is listed twice: keep one of them", name)
		default:
			out = append(out, name)
		}
	}
	return out
}

// pair gives back a:b where the YAML parser took it for a mapping, as it does in a list in brackets although no space
// follows the colon.
func pair(n ast.Node) (string, bool) {
	if m, ok := n.(*ast.MappingNode); ok && len(m.Values) == 1 {
		n = m.Values[0]
	}
	v, ok := n.(*ast.MappingValueNode)
	if !ok {
		return "", false
	}
	if _, ok := v.Value.(ast.ScalarNode); !ok {
		return "", false
	}
	return v.Key.GetToken().Value + ":" + v.Value.GetToken().Value, true
}

// dataSize reads the side to which the images of a folder are resized.
func (p *parser) dataSize(e entry) {
	for _, d := range p.catalogue.Data {
		if d.Prefix == "" {
			continue
		}
		n, ok := p.integer(e.value, "size, the side to which the images of "+d.Name+" are cropped and resized,", int64(d.MinSide), int64(d.MaxSide))
		switch {
		case !ok:
		case !slices.ContainsFunc(p.spec.Data.Names, d.Is):
			p.fail(e.name, "size is of a folder of images, name: %s: images of %s have a size of their own, leave it out",
				d.Name, strings.Join(p.spec.Data.Names, ", "))
		default:
			p.spec.Data.Size = int(n)
		}
		return
	}
	p.fail(e.name, "size is not a key of data here: leave it out")
}

// fits checks the lists whose length another parameter asks for, such as filters and depth. Of one that is given but
// wrong, which is told already, nothing is known.
func (p *parser) fits(nodes map[string]ast.Node) {
	known := func(d study.Declaration) bool {
		_, ok := p.spec.Space.Lookup(d.Name)
		return ok || nodes[d.Name] == nil
	}
	values := func(d study.Declaration) study.Distribution {
		if dim, ok := p.spec.Space.Lookup(d.Name); ok {
			return dim.Distribution
		}
		return study.Fixed(d.Default)
	}
	for _, d := range p.catalogue.Params {
		other, ok := p.catalogue.Param(d.AtLeast)
		if d.AtLeast == "" || !ok || !known(d) || !known(other) {
			continue
		}
		need := 0.0
		switch o := values(other); o.Kind {
		case study.Categorical:
			for _, c := range o.Choices {
				f, _ := study.AsFloat(c)
				need = math.Max(need, f)
			}
		default:
			need = o.High
		}
		for _, c := range values(d).Choices {
			list, ok := c.([]any)
			if !ok || float64(len(list)) >= need {
				continue
			}
			n := nodes[d.Name]
			if n == nil {
				n = nodes[other.Name]
			}
			if n == nil {
				continue // both are defaults
			}
			numbers := "numbers"
			if len(list) == 1 {
				numbers = "number"
			}
			p.fail(n, "%s %s has %d %s, but %s goes up to %s: give at least as many", d.Name, study.FormatValue(c),
				len(list), numbers, other.Name, study.FormatValue(need))
		}
	}
}
