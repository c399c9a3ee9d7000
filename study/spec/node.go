package spec

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	yamlparser "github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"

	"sweep/study"
)

// parser reads one file and collects its mistakes.
type parser struct {
	src       Source
	catalogue study.Catalogue
	lines     []string
	anchors   []*ast.AnchorNode
	mistakes  []Mistake
	made      map[Mistake]bool // the same, to find them
	spec      study.Spec
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

// document checks what concerns the whole text and gives its top mapping, or nil after a mistake.
func (p *parser) document() *mapping {
	text := bytes.TrimPrefix(p.src.Text, []byte("\xef\xbb\xbf"))
	if len(text) > maxSize {
		p.failAt(1, 1, "the file has %d bytes and a sweep file at most %d: is it the right one?", len(text), maxSize)
		return nil
	}
	p.lines = strings.Split(strings.ReplaceAll(strings.ReplaceAll(string(text), "\r\n", "\n"), "\r", "\n"), "\n")
	if len(p.lines) > maxLines {
		p.failAt(maxLines+1, 1, "the file has %d lines and a sweep file at most %d: is it the right one?", len(p.lines), maxLines)
		return nil
	}
	for i, line := range p.lines {
		if !utf8.ValidString(line) {
			column := 1
			for len(line) > 0 {
				r, size := utf8.DecodeRuneInString(line)
				if r == utf8.RuneError && size == 1 {
					break
				}
				line, column = line[size:], column+1
			}
			p.failAt(i+1, column, "the file is not UTF-8 text: save it as UTF-8")
			return nil
		}
		for j, r := range []rune(line) {
			if unicode.IsControl(r) && r != '\t' {
				p.failAt(i+1, j+1, "the control character %U cannot stand in a sweep file: delete it", r)
				return nil
			}
		}
	}
	if line, column, deep := tooDeep(p.lines); deep {
		p.failAt(line, column, "more than %d brackets or list dashes are open here: a sweep file nests five deep", maxDepth)
		return nil
	}
	file, err := parse([]byte(strings.Join(p.lines, "\n")))
	if err != nil {
		p.syntax(err)
		return nil
	}
	var docs []ast.Node
	for _, d := range file.Docs {
		if d.Body != nil && d.Body.Type() != ast.CommentType && d.Body.Type() != ast.CommentGroupType {
			docs = append(docs, d.Body)
		}
	}
	switch {
	case len(docs) == 0:
		p.failAt(1, 1, "the file is empty: a sweep file has at least the key parameters")
		return nil
	case len(docs) > 1:
		p.fail(docs[1], "a second document starts here: keep one sweep in a file")
		return nil
	}
	ast.Walk(anchorFinder{p}, docs[0])
	m, ok := p.mapping(docs[0], "a sweep file", "parameters: {lr: {min: 0.0005, max: 0.001}}")
	if !ok {
		return nil
	}
	return m
}

type anchorFinder struct{ p *parser }

func (f anchorFinder) Visit(n ast.Node) ast.Visitor {
	if a, ok := n.(*ast.AnchorNode); ok {
		f.p.anchors = append(f.p.anchors, a)
	}
	return f
}

const maxDepth = 64

// tooDeep finds where more than maxDepth flow brackets, or dashes, question marks, anchors and tags that follow one
// another, are open. The YAML parser recurses for each, and a stack that overflows cannot be caught. Brackets inside of
// texts count too, which no real file notices.
func tooDeep(lines []string) (line, column int, deep bool) {
	open := 0
	for i, l := range lines {
		markers, starts := 0, true // of words
		for j, r := range []rune(l) {
			switch r {
			case '[', '{':
				open++
			case ']', '}':
				open = max(0, open-1)
			}
			switch {
			case r == ' ' || r == '\t':
				starts = true
				continue
			case !starts:
			case strings.ContainsRune("-?&*!", r):
				markers++
			default:
				markers = 0
			}
			starts = false
			if open > maxDepth || markers > maxDepth {
				return i + 1, j + 1, true
			}
		}
	}
	return 0, 0, false
}

// errUnreadable stands for a panic of the YAML parser.
var errUnreadable = errors.New("this cannot be read as YAML")

func parse(text []byte) (f *ast.File, err error) {
	defer func() {
		if recover() != nil {
			f, err = nil, errUnreadable
		}
	}()
	return yamlparser.ParseBytes(text, 0, yamlparser.AllowDuplicateMapKey())
}

// syntax reports an error of the YAML parser in our words where we know better ones.
func (p *parser) syntax(err error) {
	line, column, message := 1, 1, err.Error()
	var s *yaml.SyntaxError
	if errors.As(err, &s) {
		message = s.GetMessage()
		if tk := s.GetToken(); tk != nil && tk.Position != nil {
			line, column = tk.Position.Line, tk.Position.Column
		}
	}
	// The parser may point elsewhere than at the tab that disturbs it.
	for i := max(0, line-2); i < min(len(p.lines), line+1); i++ {
		indent := p.lines[i][:len(p.lines[i])-len(strings.TrimLeft(p.lines[i], " \t"))]
		if tab := strings.IndexByte(indent, '\t'); tab >= 0 {
			p.failAt(i+1, tab+1, "this line is indented with a tab: YAML wants spaces")
			return
		}
	}
	for _, r := range []struct{ has, say string }{
		{"mapping value is not allowed", "a second colon in one value: put the text in quotes, or the inner keys in braces"},
		{"value is not allowed in this context", "this line is indented unlike the ones beside it: keys of one level start in one column"},
		{"end character of double-quoted", "this quote is never closed: add the closing \""},
		{"end character of single-quoted", "this quote is never closed: add the closing '"},
		{"',' or ']' must be specified", "the list before this place is not closed: add the missing , or ]"},
		{"',' or '}' must be specified", "the braces before this place are not closed: add the missing , or }"},
		{"reserved character", "a value cannot start with this character: put it in quotes"},
		{"unexpected directive", "a value cannot start with %: put it in quotes"},
		{"non-map value is specified", "a key and a colon are missing here, as in key: value"},
	} {
		if strings.Contains(message, r.has) {
			message = r.say
			break
		}
	}
	if message == err.Error() && !errors.Is(err, errUnreadable) || s != nil && message == s.GetMessage() {
		message = "this is not YAML: " + message
	}
	p.failAt(line, column, "%s", message)
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
