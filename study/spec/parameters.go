package spec

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"sweep/study"
)

// Distributions are W&B's words for where a value comes from, those that are built.
const (
	constant    = "constant"
	categorical = "categorical"
	intUniform  = "int_uniform"
	uniform     = "uniform"
	qUniform    = "q_uniform"
	logUniform  = "log_uniform_values"
)

var (
	distributions      = []string{constant, categorical, intUniform, uniform, qUniform, logUniform}
	laterDistributions = []string{
		"categorical_w_probabilities", "q_log_uniform", "q_log_uniform_values", "inv_log_uniform", "inv_log_uniform_values",
		"normal", "q_normal", "log_normal", "q_log_normal", "beta", "q_beta",
	}
)

const maxChoices = 1000

// parameters reads the space.
func (p *parser) parameters(e entry) {
	root, ok := p.mapping(e.value, "parameters", "parameters: {lr: {min: 0.0005, max: 0.001}}")
	if !ok {
		return
	}
	var known []string
	for _, d := range p.catalogue.Params {
		known = append(known, d.Name)
	}
	nodes := map[string]ast.Node{}
	for _, e := range root.entries {
		decl, ok := p.catalogue.Param(e.key)
		switch {
		case !ok && slices.Contains(sweepKeys, e.key):
			p.fail(e.name, "%s is not a parameter: it stands under sweep", e.key)
			continue
		case !ok:
			p.fail(e.name, "%s", unknown(quoted(e.key)+" is not a parameter of "+p.catalogue.Trainer, e.key, known, "parameters"))
			continue
		}
		nodes[e.key] = e.name
		if d, ok := p.distribution(e, decl); ok {
			p.spec.Space = append(p.spec.Space, study.Dimension{Name: e.key, Distribution: d})
		}
	}
	p.fits(nodes)
	p.together(nodes)
}

// distribution reads one parameter.
func (p *parser) distribution(e entry, decl study.Declaration) (study.Distribution, bool) {
	none := study.Distribution{}
	example := fmt.Sprintf("%s: {value: %s}", e.key, study.FormatValue(decl.Default))
	before := len(p.mistakes)
	switch v := p.scalar(e.value).(type) {
	case noScalar:
		if _, ok := p.sequence(e.value); ok && !decl.List {
			p.fail(e.value, "a list of values stands after the word values: write %s: {values: […]}", e.key)
			return none, false
		}
	case nil:
		p.fail(e.name, "%s has no value: write %s", e.key, example)
		return none, false
	default:
		if len(p.mistakes) == before {
			p.fail(e.value, "a fixed value stands after the word value: write %s: {value: %s}", e.key, exact(v))
		}
		return none, false
	}
	root, ok := p.mapping(e.value, e.key, example)
	if !ok {
		return none, false
	}
	m := p.known(root, "a parameter", []string{"value", "values", "min", "max", "distribution", "q"}, map[string]string{
		"probabilities": "probabilities is not built yet: leave it out, and all values are equally likely",
		"parameters":    "nested parameters are not built yet: write them side by side",
		"mu":            "mu is not built yet: give min and max",
		"sigma":         "sigma is not built yet: give min and max",
		"a":             "a is not built yet: give min and max",
		"b":             "b is not built yet: give min and max",
	})
	kind, ok := p.kindOf(e, m, decl, len(p.mistakes) == before)
	if !ok {
		return none, false
	}
	switch kind {
	case constant:
		v, ok := p.choice(m["value"].value, decl)
		return study.Fixed(v), ok
	case categorical:
		return p.choices(m["values"].value, decl)
	}
	return p.interval(kind, m, e, decl)
}

// kindOf settles the distribution, from its name or, as W&B does, from the keys that there are, and checks that it has
// the keys that belong to it and no others. clean says that every key so far was right.
func (p *parser) kindOf(e entry, m map[string]entry, decl study.Declaration, clean bool) (string, bool) {
	has := func(k string) bool { _, ok := m[k]; return ok }
	kind := ""
	if d, ok := m["distribution"]; ok {
		later := map[string]string{
			"log_uniform": "log_uniform, whose min and max are exponents, is not built yet: use log_uniform_values with the values themselves",
		}
		for _, k := range laterDistributions {
			later[k] = k + " is not built yet: use one of " + strings.Join(distributions, ", ")
		}
		if kind, ok = p.word(d.value, "distribution", distributions, later); !ok {
			return "", false
		}
	} else {
		switch {
		case has("value"):
			kind = constant
		case has("values"):
			kind = categorical
		case has("min") && has("max"):
			kind = uniform
			_, low := p.scalar(m["min"].value).(int64)
			_, high := p.scalar(m["max"].value).(int64)
			if low && high {
				kind = intUniform
				if decl.Kind == study.Float && !decl.Unbuilt {
					p.fail(m["min"].value, "whole bounds mean whole numbers, but %s takes others too: write %s.0, or distribution: int_uniform",
						e.key, p.show(m["min"].value))
					return "", false
				}
			}
		case has("min"):
			p.fail(m["min"].name, "%s has a min but no max: add it", e.key)
			return "", false
		case has("max"):
			p.fail(m["max"].name, "%s has a max but no min: add it", e.key)
			return "", false
		case clean:
			p.fail(e.name, "%s has nothing to choose from: give value, values, or min and max", e.key)
			return "", false
		default:
			return "", false
		}
	}
	keys := map[string][]string{
		constant: {"value"}, categorical: {"values"}, intUniform: {"min", "max"}, uniform: {"min", "max"},
		qUniform: {"min", "max", "q"}, logUniform: {"min", "max"},
	}[kind]
	ok := true
	for _, k := range []string{"value", "values", "min", "max", "q"} {
		switch wanted := slices.Contains(keys, k); {
		case wanted && !has(k):
			p.fail(e.name, "%s is %s and has no %s: add it", e.key, kind, k)
			ok = false
		case !wanted && has(k):
			p.fail(m[k].name, "%s does not go with %s: keep %s", k, kind, strings.Join(keys, " and "))
			ok = false
		}
	}
	return kind, ok
}

// choice reads one value and checks it against the declaration.
func (p *parser) choice(n ast.Node, decl study.Declaration) (any, bool) {
	before := len(p.mistakes)
	var v any
	if items, ok := p.sequence(n); ok {
		list := make([]any, 0, len(items))
		for _, item := range items {
			s := p.scalar(item)
			if _, ok := s.(noScalar); ok {
				p.fail(item, "%s holds numbers, not %s", decl.Name, p.show(item))
				return nil, false
			}
			list = append(list, normal(s))
		}
		if len(list) > maxChoices {
			p.fail(n, "this list has %d numbers: at most %d can be had", len(list), maxChoices)
			return nil, false
		}
		v = list
	} else {
		v = p.scalar(n)
		if _, ok := v.(noScalar); ok && len(p.mistakes) == before {
			p.fail(n, "%s takes %s, not %s", decl.Name, decl.Range(), p.show(n))
			return nil, false
		}
		v = normal(v)
	}
	if len(p.mistakes) > before {
		return nil, false
	}
	s, isText := v.(string)
	if err := decl.Check(v); err != nil {
		all := append(slices.Clone(decl.Words), decl.Later...)
		if near, ok := nearest(s, all); isText && ok && near != s {
			p.fail(n, "%s %s is unknown; did you mean %s?", decl.Name, quoted(s), near)
		} else if decl.Unbuilt {
			p.fail(n, "%s is %v", decl.Name, err)
		} else {
			p.fail(n, "%s: %s", decl.Name, reason(err, v))
		}
		return nil, false
	}
	return v, true
}

// reason keeps a message short when the value that it repeats is long.
func reason(err error, v any) string {
	s := err.Error()
	if long := study.FormatValue(v); len(long) > 60 {
		s = strings.Replace(s, long, quoted(long), 1)
	}
	return s
}

// choices reads the list after values.
func (p *parser) choices(n ast.Node, decl study.Declaration) (study.Distribution, bool) {
	none := study.Distribution{}
	items, ok := p.sequence(n)
	switch {
	case !ok:
		p.fail(n, "values of %s is a list, as in values: [%s], not %s", decl.Name, study.FormatValue(decl.Default), p.show(n))
		return none, false
	case len(items) == 0:
		p.fail(n, "values of %s is empty: give at least one", decl.Name)
		return none, false
	case len(items) > maxChoices:
		p.fail(n, "values of %s has %d entries: at most %d can be told apart", decl.Name, len(items), maxChoices)
		return none, false
	}
	d := study.Distribution{Kind: study.Categorical}
	for _, item := range items {
		v, one := p.choice(item, decl)
		switch {
		case !one:
			ok = false
		case slices.ContainsFunc(d.Choices, func(c any) bool { return reflect.DeepEqual(c, v) }):
			p.fail(item, "%s is listed twice: keep one of them", study.FormatValue(v))
			ok = false
		default:
			d.Choices = append(d.Choices, v)
		}
	}
	return d, ok
}

// interval reads a range of numbers.
func (p *parser) interval(kind string, m map[string]entry, e entry, decl study.Declaration) (study.Distribution, bool) {
	d := study.Distribution{Kind: study.Float, Log: kind == logUniform}
	switch {
	case decl.Unbuilt:
		p.fail(e.name, "%s is not built yet: leave it out, or give its default as value: %s", e.key, study.FormatValue(decl.Default))
		return d, false
	case decl.Kind == study.Categorical || decl.List:
		p.fail(e.name, "%s has no min and max: list what it may be, as in values: [%s]", e.key, study.FormatValue(decl.Default))
		return d, false
	case decl.Kind == study.Int && kind == uniform:
		at := e.name
		if named, ok := m["distribution"]; ok {
			at = named.value
		}
		p.fail(at, "%s takes whole numbers: write whole min and max, with distribution: int_uniform", e.key)
		return d, false
	}
	if kind == intUniform || decl.Kind == study.Int {
		d.Kind = study.Int
	}
	ok := true
	read := func(key string, dst *float64) {
		n := m[key].value
		v, good := p.number(n, key+" of "+e.key)
		if good && d.Kind == study.Int && v != math.Trunc(v) {
			p.fail(n, "%s of %s is a whole number, not %s", key, e.key, exact(v))
			good = false
		}
		if good && key != "q" {
			if err := decl.Check(v); err != nil {
				p.fail(n, "%s of %s: %v", key, e.key, err)
				good = false
			}
		}
		*dst, ok = v, ok && good
	}
	read("min", &d.Low)
	read("max", &d.High)
	if kind == qUniform {
		read("q", &d.Step)
	}
	if !ok {
		return d, false
	}
	if decl.Kind == study.Int && decl.Step > 1 && d.Low < d.High && math.Mod(math.Max(d.Step, 1), decl.Step) != 0 {
		p.fail(e.name, "%s takes %s: write distribution: q_uniform with q: %s, or list values", e.key, decl.Range(), exact(decl.Step))
		return d, false
	}
	switch {
	case d.Low > d.High:
		p.fail(m["max"].value, "max %s of %s is below min %s: swap them", exact(d.High), e.key, exact(d.Low))
		return d, false
	case d.Log && d.Low <= 0:
		p.fail(m["min"].value, "min of %s must be above 0 in a logarithmic range: raise it, or use uniform", e.key)
		return d, false
	case kind == qUniform && d.Step <= 0:
		p.fail(m["q"].value, "q of %s is the step between values and above 0, not %s", e.key, exact(d.Step))
		return d, false
	case kind == qUniform && d.Step > d.High-d.Low:
		p.fail(m["q"].value, "q %s of %s is wider than its range: make it smaller", exact(d.Step), e.key)
		return d, false
	case kind == qUniform && (d.High-d.Low)/d.Step > 1e9:
		p.fail(m["q"].value, "q %s of %s makes more than a thousand million values: use uniform", exact(d.Step), e.key)
		return d, false
	}
	if err := d.Check(); err != nil {
		p.fail(e.name, "%s: %v", e.key, err)
		return d, false
	}
	return d, true
}

// normal gives every number that is whole and exact as int64, as reading a stored spec does.
func normal(v any) any {
	if f, ok := study.AsFloat(v); ok {
		if f == math.Trunc(f) && math.Abs(f) <= 1<<53 {
			return int64(f)
		}
		return f
	}
	return v
}
