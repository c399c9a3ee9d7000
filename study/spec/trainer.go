package spec

import (
	"maps"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"sweep/study"
)

// trainer settles by whose catalogue the file is read. What is wrong with the key is told where its section is read.
func (p *parser) trainer(m map[string]entry) {
	if n := p.under(m, "sweep", "trainer"); n != nil {
		p.aside(func() {
			name, _ := p.scalar(n).(string)
			for _, c := range p.catalogues {
				if c.Trainer == name {
					p.catalogue = c
				}
			}
		})
	}
	p.spec.Trainer = p.catalogue.Trainer
}

// under is the value of a key of a top key's mapping, nil where there is none.
func (p *parser) under(m map[string]entry, top, key string) (n ast.Node) {
	e, ok := m[top]
	if !ok {
		return nil
	}
	p.aside(func() {
		root, ok := p.mapping(e.value, top, "")
		if !ok {
			return
		}
		for _, e := range root.entries {
			if e.key == key {
				n = e.value
			}
		}
	})
	return n
}

// aside reads what is read again elsewhere: its mistakes are told there.
func (p *parser) aside(read func()) {
	mistakes, made := p.mistakes, p.made
	p.made = maps.Clone(made)
	read()
	p.mistakes, p.made = mistakes, made
}

// defaultMetric is what is searched when the file does not say.
func (p *parser) defaultMetric() string {
	if o := p.catalogue.Objective; o != "" {
		return o
	}
	return DefaultMetric
}

// words are those that a parameter can be in this sweep.
func (p *parser) words(name string) []string {
	decl, ok := p.catalogue.Param(name)
	if !ok {
		return nil
	}
	list := []any{decl.Default}
	if d, ok := p.spec.Space.Lookup(name); ok {
		list = d.Distribution.Choices
	}
	var out []string
	for _, v := range list {
		if w, ok := v.(string); ok {
			out = append(out, w)
		}
	}
	return out
}

// masks checks that every data set that the trials may come to has the masks that they are trained on.
func (p *parser) masks(m map[string]entry) {
	for _, d := range p.catalogue.Params {
		words := slices.DeleteFunc(p.words(d.Name), func(w string) bool { return !slices.Contains(d.OfMasks, w) })
		if len(words) == 0 {
			continue
		}
		have, without := "there is none that has", []string{}
		for _, set := range p.catalogue.Data {
			if set.Masks {
				have = "write data: {name: " + set.Name + "}"
				continue
			}
			for _, name := range p.spec.Data.Names {
				if set.Is(name) {
					without = append(without, quoted(name))
				}
			}
		}
		if len(without) > 0 {
			p.fail(p.under(m, "parameters", d.Name), "%s %s needs the class of each pixel, and the data set %s has no masks: %s",
				d.Name, words[0], strings.Join(without, " or "), have)
		}
	}
}

// reported checks that every trial of the sweep reports the objective, and that a parameter which the trainer's usual
// objective hangs on is one word: no objective compares trials that do not measure the same.
func (p *parser) reported(m map[string]entry) {
	mixed := map[string]bool{}
	usual, _ := p.catalogue.Metric(p.defaultMetric())
	for _, decl := range p.catalogue.Metrics {
		if decl.With != usual.With {
			continue
		}
		words := p.words(decl.With)
		i := slices.IndexFunc(words, decl.Reports)
		j := slices.IndexFunc(words, func(w string) bool { return !decl.Reports(w) })
		if i < 0 || j < 0 || mixed[decl.With] {
			continue
		}
		mixed[decl.With] = true
		p.fail(p.under(m, "parameters", decl.With), "%s %s and %s report different metrics, so that nothing compares their trials: give each a sweep of its own",
			decl.With, words[min(i, j)], words[max(i, j)])
	}
	decl, ok := p.catalogue.Metric(p.spec.Objective.Name)
	if !ok || mixed[decl.With] {
		return
	}
	for _, w := range p.words(decl.With) {
		if decl.Reports(w) {
			continue
		}
		const format = "%s is not reported by trials with %s %s: write metric: {name: %s, goal: %s}"
		use := p.instead(decl.With, w)
		args := []any{decl.Key, decl.With, w, use.Key, use.Direction}
		if n := p.under(m, "metric", "name"); n != nil {
			p.fail(n, format, args...)
		} else {
			p.failAt(1, 1, format, args...)
		}
	}
}

// instead is the metric that trials with this word can be searched by: one of their own, if there is one.
func (p *parser) instead(param, word string) study.MetricDecl {
	var use study.MetricDecl
	for _, m := range p.catalogue.Metrics {
		can := m.Direction != "" && !m.Unbuilt && !m.Timing && !m.Sparse
		switch {
		case !can:
		case m.With == param && m.Reports(word):
			return m
		case m.With == "" && use.Key == "" && m.Key != "train_loss":
			use = m
		}
	}
	return use
}
