package spec

import (
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"sweep/study"
)

// together checks the parameters that have a meaning only beside certain words of another one, such as weight_decay and
// optimizer, and the values that clash with some. Every combination that a search could come to must have a meaning.
func (p *parser) together(nodes map[string]ast.Node) {
	for _, d := range p.catalogue.Params {
		dim, given := p.spec.Space.Lookup(d.Name)
		if !given {
			continue // the default goes with all
		}
		values := dim.Distribution.Choices
		if dim.Distribution.Kind != study.Categorical {
			values = []any{dim.Distribution.High}
			if !dim.Distribution.Single() {
				values = append(values, dim.Distribution.Low)
			}
		}
		bad := p.wordsBeside(nodes, d.With, func(word string) bool {
			return !slices.Contains(d.WithWords, word) && slices.ContainsFunc(values, func(v any) bool { return d.Fits(v, d.With, word) != nil })
		})
		if len(bad) > 0 {
			p.fail(nodes[d.Name], "%s has no meaning where %s is %s, only with %s: leave it out, or choose another %[2]s (%[5]s)", d.Name, d.With,
				strings.Join(bad, " or "), strings.Join(d.WithWords, " or "), d.Doc)
		}
		for _, c := range d.Clashes {
			var can []string
			for _, v := range c.Values {
				if _, err := dim.Distribution.Internal(v); err == nil {
					can = append(can, study.FormatValue(v))
				}
			}
			bad := p.wordsBeside(nodes, c.With, func(word string) bool { return slices.Contains(c.Words, word) })
			if len(can) > 0 && len(bad) > 0 {
				p.fail(nodes[d.Name], "%s %s does not go with %s %s: %s", d.Name, strings.Join(can, " or "), c.With, strings.Join(bad, " or "), c.Doc)
			}
		}
	}
}

// wordsBeside are the words of a parameter that a search could come to and that are bad. Of one that is given but wrong,
// which is told already, nothing is known.
func (p *parser) wordsBeside(nodes map[string]ast.Node, name string, bad func(word string) bool) []string {
	if _, ok := p.spec.Space.Lookup(name); !ok && nodes[name] != nil {
		return nil
	}
	return slices.DeleteFunc(p.words(name), func(word string) bool { return !bad(word) })
}
