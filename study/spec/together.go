package spec

import (
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"sweep/study"
)

// together checks the parameters that have a meaning only beside certain words of another one, such as weight_decay and
// optimizer. Every combination that a search could come to must have one.
func (p *parser) together(nodes map[string]ast.Node) {
	for _, d := range p.catalogue.Params {
		dim, given := p.spec.Space.Lookup(d.Name)
		other, ok := p.catalogue.Param(d.With)
		if !given || !ok {
			continue
		}
		words := []any{other.Default}
		if o, ok := p.spec.Space.Lookup(other.Name); ok {
			words = o.Distribution.Choices
		} else if nodes[other.Name] != nil {
			continue // it is wrong, and that is told already
		}
		values := dim.Distribution.Choices
		if dim.Distribution.Kind != study.Categorical {
			values = []any{dim.Distribution.High}
			if !dim.Distribution.Single() {
				values = append(values, dim.Distribution.Low)
			}
		}
		var bad []string
		for _, w := range words {
			word, ok := w.(string)
			if ok && slices.ContainsFunc(values, func(v any) bool { return d.Fits(v, word) != nil }) {
				bad = append(bad, word)
			}
		}
		if len(bad) > 0 {
			p.fail(nodes[d.Name], "%s has no meaning where %s is %s, only with %s: leave it out, or choose another %[2]s (%[5]s)", d.Name, other.Name,
				strings.Join(bad, " or "), strings.Join(d.WithWords, " or "), d.Doc)
		}
	}
}
