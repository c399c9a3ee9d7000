package spec

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Errors are all mistakes of a file, in the order of their places.
type Errors struct {
	List []Mistake
}

// Error gives each mistake as three lines: file:line:column and what would be right, the source line, a caret.
func (e *Errors) Error() string {
	const most = 50
	var b strings.Builder
	for i, m := range e.List {
		if i == most {
			fmt.Fprintf(&b, "\nand %d more mistakes", len(e.List)-most)
			break
		}
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(m.String())
	}
	return b.String()
}

// Mistake is one thing that is wrong with a file. Lines and columns count from 1; columns count letters, not bytes.
type Mistake struct {
	File         string
	Line, Column int
	Message      string
	Source       string // the source line
}

func (m Mistake) compare(o Mistake) int {
	return cmp.Or(cmp.Compare(m.Line, o.Line), cmp.Compare(m.Column, o.Column))
}

// String gives the three lines of a mistake.
func (m Mistake) String() string {
	const width, before = 110, 60
	line := []rune(m.Source)
	column := min(max(m.Column, 1), len(line)+1)
	// A long line is shown around the column.
	from := 0
	if len(line) > width && column > before {
		from = min(column-before, len(line)-width)
		from = max(from, 0)
	}
	shown := line[from:min(from+width, len(line))]
	caret := make([]rune, 0, column)
	for i, r := range shown {
		if !unicode.IsPrint(r) && r != '\t' {
			shown[i] = '\uFFFD'
		}
		if from+i+1 < column {
			if r != '\t' {
				r = ' '
			}
			caret = append(caret, r)
		}
	}
	return fmt.Sprintf("%s:%d:%d: %s\n  %s\n  %s^", m.File, m.Line, m.Column, m.Message, string(shown), string(caret))
}

// quoted prints a word of the file inside a message: as it is when it is plain and short, else in quotes.
func quoted(s string) string {
	if utf8.RuneCountInString(s) > 60 {
		s = string([]rune(s)[:59]) + "…"
	}
	for _, r := range s {
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("_-+.:/", r) {
			return strconv.Quote(s)
		}
	}
	if s == "" {
		return `""`
	}
	return s
}

// unknown is the message about a name that does not exist: with the nearest one, else all of them.
func unknown(problem, name string, known []string, plural string) string {
	if near, ok := nearest(name, known); ok {
		return problem + "; did you mean " + near + "?"
	}
	return problem + "; the " + plural + " are " + strings.Join(known, ", ")
}

// nearest finds the known name with the fewest edits from name, when a third of the letters or one edit turn one into
// the other, one starts with the other, or one is the other's initials.
func nearest(name string, known []string) (string, bool) {
	name = strings.ToLower(strings.ReplaceAll(name, "-", "_"))
	if len(name) > 100 {
		return "", false
	}
	best, fewest := "", 1<<30
	for _, k := range known {
		d := edits([]rune(name), []rune(k))
		limit := max(1, max(len(name), len(k))/3)
		if len(name) >= 3 && (strings.HasPrefix(k, name) || strings.HasPrefix(name, k) && len(k) >= 3) {
			limit, d = 1, min(d, 1)
		}
		if initials(name) == k {
			limit, d = 1, 1
		}
		if d <= limit && d < fewest && d < len(k) {
			best, fewest = k, d
		}
	}
	return best, best != ""
}

// initials of a name in parts: lr of learning_rate.
func initials(name string) string {
	var b strings.Builder
	for part := range strings.SplitSeq(name, "_") {
		if part != "" && strings.Contains(name, "_") {
			b.WriteByte(part[0])
		}
	}
	return b.String()
}

// edits counts insertions, deletions, substitutions and swaps of neighbours (Damerau's distance, each letter edited at
// most once).
func edits(a, b []rune) int {
	two, one := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range one {
		one[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row := make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(one[j]+1, row[j-1]+1, one[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], two[j-2]+1)
			}
		}
		two, one = one, slices.Clone(row)
	}
	return one[len(b)]
}
