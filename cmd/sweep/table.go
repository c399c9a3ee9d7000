package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strings"
	"time"
	"unicode/utf8"

	"sweep/study"
)

// table prints rows in columns for people. Columns named in right are flush right.
func table(w io.Writer, head []string, right map[string]bool, rows [][]string) {
	width := make([]int, len(head))
	for _, row := range append([][]string{head}, rows...) {
		for i, cell := range row {
			width[i] = max(width[i], utf8.RuneCountInString(cell))
		}
	}
	for _, row := range append([][]string{head}, rows...) {
		var b strings.Builder
		for i, cell := range row {
			pad := strings.Repeat(" ", width[i]-utf8.RuneCountInString(cell))
			if i > 0 {
				b.WriteString("  ")
			}
			if right[head[i]] {
				b.WriteString(pad + cell)
			} else {
				b.WriteString(cell + pad)
			}
		}
		fmt.Fprintln(w, strings.TrimRight(b.String(), " "))
	}
}

// printJSON prints one JSON document.
func printJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// number prints a metric with four significant digits, a dash for none.
func number(v float64) string {
	if math.IsNaN(v) {
		return "–"
	}
	return study.FormatValue(v)
}

// duration prints a length of time with two units at most.
func duration(d time.Duration) string {
	if 0 < d && d < 50*time.Millisecond {
		return "<0.1s"
	}
	switch d = d.Round(100 * time.Millisecond); {
	case d <= 0:
		return "–"
	case d < time.Minute:
		return fmt.Sprintf("%.1fs", d.Seconds())
	case d < time.Hour:
		return fmt.Sprintf("%dm %02ds", int(d.Minutes()), int(d.Seconds())%60)
	}
	return fmt.Sprintf("%dh %02dm", int(d.Hours()), int(d.Minutes())%60)
}

// size prints a number of bytes.
func size(n int64) string {
	switch f := float64(n); {
	case n < 1e3:
		return fmt.Sprintf("%d B", n)
	case n < 1e6:
		return fmt.Sprintf("%.1f kB", f/1e3)
	case n < 1e9:
		return fmt.Sprintf("%.1f MB", f/1e6)
	default:
		return fmt.Sprintf("%.1f GB", f/1e9)
	}
}

// counts prints a study's trials by state, those there are, in the order of the contract. What a process left running when
// it died is interrupted.
func counts(of study.Summary) string {
	var parts []string
	for _, s := range study.States {
		name := string(s)
		if s == study.Running && !of.Live {
			name = "interrupted"
		}
		if of.Counts[s] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", of.Counts[s], name))
		}
	}
	if len(parts) == 0 {
		return "none"
	}
	return strings.Join(parts, ", ")
}
