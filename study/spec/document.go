package spec

import (
	"bytes"
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	yamlparser "github.com/goccy/go-yaml/parser"
)

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
