package spec

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"

	"sweep/study"
)

// parser reads one file and collects its mistakes.
type parser struct {
	src       Source
	catalogue study.Catalogue // of the trainer whose sweep it is
	// catalogues are those of all trainers.
	catalogues []study.Catalogue
	lines      []string
	anchors    []*ast.AnchorNode
	mistakes   []Mistake
	made       map[Mistake]bool // the same, to find them
	spec       study.Spec
}

// entry is one key of a mapping and its value.
type entry struct {
	key        string
	name       ast.Node // the key itself
	value      ast.Node
	fromMerged bool // of a mapping that was merged in by <<
}

// mapping is a mapping of the file, its keys in order.
type mapping struct {
	node    ast.Node
	entries []entry
}

func (p *parser) failAt(line, column int, format string, args ...any) {
	m := Mistake{File: p.src.Name, Line: max(line, 1), Column: max(column, 1), Message: fmt.Sprintf(format, args...)}
	if m.Line <= len(p.lines) {
		m.Source = p.lines[m.Line-1]
	}
	// A message is one line, whatever the file's own words hold.
	m.Message = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, m.Message)
	// Two uses of one anchored part make the same mistakes.
	if p.made == nil {
		p.made = map[Mistake]bool{}
	}
	if !p.made[m] {
		p.made[m] = true
		p.mistakes = append(p.mistakes, m)
	}
}

func (p *parser) fail(n ast.Node, format string, args ...any) {
	line, column := place(n)
	p.failAt(line, column, format, args...)
}

// place is where a node starts: the parser's token of a block mapping is its first colon.
func place(n ast.Node) (line, column int) {
	switch t := n.(type) {
	case *ast.MappingNode:
		if len(t.Values) > 0 && t.Start.Type == token.MappingValueType {
			return place(t.Values[0].Key)
		}
	case *ast.MappingValueNode:
		return place(t.Key)
	}
	tk := n.GetToken()
	if tk == nil || tk.Position == nil {
		return 1, 1
	}
	return tk.Position.Line, tk.Position.Column
}

// resolve follows anchors and aliases to the value itself; nil after a mistake.
func (p *parser) resolve(n ast.Node) ast.Node {
	for range 32 {
		switch t := n.(type) {
		case *ast.AnchorNode:
			n = t.Value
		case *ast.AliasNode:
			name, at := t.Value.GetToken().Value, t.Start.Position.Offset
			n = nil
			for _, a := range p.anchors {
				if a.Name.GetToken().Value == name && a.Start.Position.Offset < at {
					n = a
				}
			}
			if n == nil {
				p.fail(t, "*%s has no anchor above it: write &%s before the value that it repeats", name, name)
				return nil
			}
		case *ast.TagNode:
			p.fail(t, "the tag %s is not needed here: write the value alone", quoted(t.Start.Value))
			return nil
		default:
			return n
		}
	}
	p.fail(n, "this repeats itself without end: an alias stands inside its own anchor")
	return nil
}

// mapping reads n as a mapping, a mistake otherwise. Duplicate keys are mistakes; merged ones (<<) give way to own ones.
func (p *parser) mapping(n ast.Node, what, example string) (*mapping, bool) {
	m, before := &mapping{node: n}, len(p.mistakes)
	if p.resolve(n) == nil && len(p.mistakes) > before {
		return nil, false
	}
	if !p.collect(m, n, false, 0) {
		p.fail(n, "%s holds keys with values, as in %s", what, example)
		return nil, false
	}
	return m, true
}

// collect adds the keys of n to m; false when n is no mapping.
func (p *parser) collect(m *mapping, n ast.Node, merged bool, depth int) bool {
	if depth > 16 {
		p.fail(n, "this repeats itself without end: a mapping is merged into itself")
		return true
	}
	n = p.resolve(n)
	if n == nil {
		return true // reported
	}
	var values []*ast.MappingValueNode
	switch t := n.(type) {
	case *ast.MappingNode:
		values = t.Values
	case *ast.MappingValueNode:
		values = []*ast.MappingValueNode{t}
	case *ast.NullNode:
		return depth == 0 && !merged && t.GetToken().Type == token.ImplicitNullType // a key with nothing after it
	default:
		return false
	}
	seen := map[string]bool{}
	for _, e := range m.entries {
		seen[e.key] = true
	}
	here := map[string]bool{}
	var merges []ast.Node
	for _, v := range values {
		if _, ok := v.Key.(*ast.MergeKeyNode); ok {
			merges = append(merges, v.Value)
			continue
		}
		name := v.Key.GetToken()
		var node ast.Node = v.Key
		if k, ok := v.Key.(*ast.MappingKeyNode); ok {
			name, node = k.Value.GetToken(), k.Value
		}
		key := name.Value
		if here[key] {
			p.fail(node, "%s stands here twice: keep one of them", quoted(key))
			continue
		}
		here[key] = true
		if !seen[key] {
			m.entries = append(m.entries, entry{key, node, v.Value, merged})
		}
	}
	for _, n := range merges {
		list := []ast.Node{n}
		if s, ok := p.resolve(n).(*ast.SequenceNode); ok {
			list = s.Values
		}
		for _, one := range list {
			if !p.collect(m, one, true, depth+1) {
				p.fail(one, "<< merges a mapping: give it the alias of one")
			}
		}
	}
	return true
}

// known sorts out the keys of m: those that are allowed are returned, later ones are refused with their message, and
// any other with its nearest neighbour.
func (p *parser) known(m *mapping, what string, keys []string, later map[string]string) map[string]entry {
	out := map[string]entry{}
	for _, e := range m.entries {
		switch message, isLater := later[e.key]; {
		case slices.Contains(keys, e.key):
			out[e.key] = e
		case isLater:
			p.fail(e.name, "%s", message)
		default:
			p.fail(e.name, "%s", unknown(quoted(e.key)+" is not a key of "+what, e.key, keys, "keys"))
		}
	}
	return out
}

// sequence gives the items of a list; ok is false when n is none.
func (p *parser) sequence(n ast.Node) (items []ast.Node, ok bool) {
	n = p.resolve(n)
	s, ok := n.(*ast.SequenceNode)
	if !ok {
		return nil, false
	}
	return s.Values, true
}

// noScalar is what scalar gives for lists and mappings.
type noScalar struct{}

// exponent is a number that YAML 1.2 reads as one and the parser, after YAML 1.1, does not for want of a point.
var exponent = regexp.MustCompile(`^[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+$`)

// scalar gives the value of a node: nil, bool, int64, uint64 (beyond int64), float64 or string, or noScalar.
func (p *parser) scalar(n ast.Node) any {
	switch t := p.resolve(n).(type) {
	case *ast.NullNode:
		return nil
	case *ast.BoolNode:
		return t.Value
	case *ast.IntegerNode:
		switch v := t.Value.(type) {
		case int64:
			return v
		case uint64:
			if v <= math.MaxInt64 {
				return int64(v)
			}
			return v
		}
	case *ast.FloatNode:
		return t.Value
	case *ast.InfinityNode:
		return t.Value
	case *ast.NanNode:
		return math.NaN()
	case *ast.LiteralNode:
		return t.Value.Value
	case *ast.StringNode:
		if t.GetToken().Type == token.StringType && exponent.MatchString(t.Value) {
			if f, err := strconv.ParseFloat(t.Value, 64); err == nil {
				return f
			}
		}
		return t.Value
	}
	return noScalar{}
}

// show names a value inside a message.
func (p *parser) show(n ast.Node) string {
	switch v := p.scalar(n).(type) {
	case noScalar:
		if _, ok := p.sequence(n); ok {
			return "a list"
		}
		return "a mapping"
	case nil:
		return "nothing"
	case string:
		if _, err := strconv.ParseFloat(v, 64); err == nil {
			return "the text " + strconv.Quote(v) + ": remove the quotes"
		}
		return quoted(v)
	default:
		return exact(v)
	}
}

// number reads a finite number.
func (p *parser) number(n ast.Node, what string) (float64, bool) {
	before := len(p.mistakes)
	f, ok := study.AsFloat(p.scalar(n))
	if len(p.mistakes) > before {
		return 0, false
	}
	if !ok || math.IsNaN(f) || math.IsInf(f, 0) {
		p.fail(n, "%s is a number, not %s", what, p.show(n))
		return 0, false
	}
	return f, true
}

// integer reads a whole number from low to high.
func (p *parser) integer(n ast.Node, what string, low, high int64) (int64, bool) {
	f, ok := p.number(n, what)
	if !ok {
		return 0, false
	}
	if f != math.Trunc(f) || f < float64(low) || f > float64(high) {
		p.fail(n, "%s is a whole number from %d to %d, not %s", what, low, high, p.show(n))
		return 0, false
	}
	return int64(f), true
}

// text reads a text of at most most letters; a number or a word such as true that stands for a text is taken as written.
func (p *parser) text(e entry, what string, most int) (string, bool) {
	before := len(p.mistakes)
	n := p.resolve(e.value)
	if len(p.mistakes) > before {
		return "", false
	}
	var s string
	switch v := p.scalar(n).(type) {
	case noScalar, nil:
		p.fail(e.value, "%s is a text, not %s", what, p.show(n))
		return "", false
	case string:
		s = v
	default:
		s = n.GetToken().Value
	}
	if utf8.RuneCountInString(s) > most {
		p.fail(e.value, "%s is longer than %d letters: shorten it", what, most)
		return "", false
	}
	for _, r := range s {
		if unicode.IsControl(r) && r != '\n' && r != '\t' || r == '\uFEFF' || r == '\u2028' || r == '\u2029' {
			p.fail(e.value, "%s holds the control character %U: delete it", what, r)
			return "", false
		}
	}
	return s, true
}

// word reads one of the words; those of later are refused with their message.
func (p *parser) word(n ast.Node, what string, words []string, later map[string]string) (string, bool) {
	before := len(p.mistakes)
	s, ok := p.scalar(n).(string)
	message, isLater := later[s]
	switch {
	case len(p.mistakes) > before:
	case ok && slices.Contains(words, s):
		return s, true
	case ok && isLater:
		p.fail(n, "%s", message)
	default:
		all := slices.Clone(words)
		for k := range later {
			all = append(all, k)
		}
		slices.Sort(all[len(words):])
		if near, found := nearest(s, all); ok && found {
			p.fail(n, "%s %s is unknown; did you mean %s?", what, p.show(n), near)
		} else {
			p.fail(n, "%s is one of %s, not %s", what, strings.Join(words, ", "), p.show(n))
		}
	}
	return "", false
}
