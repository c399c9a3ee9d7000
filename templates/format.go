package templates

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"sweep/study"
	"sweep/templates/chart"
)

// Missing stands for a value that there is not.
var Missing = Value{Text: "—"}

// Number prints v with four significant digits, all of them kept so that columns align, and the whole of it as title.
func Number(v float64) Value {
	full := strconv.FormatFloat(v, 'g', -1, 64)
	switch a := math.Abs(v); {
	case math.IsNaN(v):
		return Value{"NaN", "not a number"}
	case math.IsInf(v, 1):
		return Value{"∞", "infinite"}
	case math.IsInf(v, -1):
		return Value{"−∞", "minus infinite"}
	case v == 0:
		return Value{"0", "0"}
	case a < 1e-3 || a >= 1e6:
		return Value{chart.Scientific(v, 4), full}
	default:
		return Value{minus(strings.TrimSuffix(fmt.Sprintf("%#.4g", v), ".")), full}
	}
}

// Count prints a whole number with thin spaces between thousands.
func Count(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "\u202f" + s[i:]
	}
	return s
}

// Param prints a parameter's value; scientific where its range is logarithmic, so that a column reads evenly, but for
// values that need no exponent.
func Param(v any, scientific bool) Value {
	f, ok := v.(float64)
	if !ok {
		return Value{Text: study.FormatValue(v)}
	}
	full := strconv.FormatFloat(f, 'g', -1, 64)
	if a := math.Abs(f); scientific && a >= 0.1 && a < 1000 {
		return Value{minus(strings.TrimSuffix(fmt.Sprintf("%#.3g", f), ".")), full}
	} else if scientific {
		return Value{chart.Scientific(f, 3), full}
	}
	return Value{minus(study.FormatValue(f)), full}
}

// Duration prints d with its two largest units.
func Duration(d time.Duration) Value {
	var text string
	switch {
	case d <= 0:
		return Missing
	case d < 10*time.Second:
		text = fmt.Sprintf("%.1fs", d.Seconds())
	case d < time.Minute:
		text = fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		text = fmt.Sprintf("%dm %02ds", int(d.Minutes()), int(d.Seconds())%60)
	case d < 48*time.Hour:
		text = fmt.Sprintf("%dh %02dm", int(d.Hours()), int(d.Minutes())%60)
	default:
		text = fmt.Sprintf("%dd %02dh", int(d.Hours())/24, int(d.Hours())%24)
	}
	return Value{text, d.Round(time.Millisecond).String()}
}

// Ago prints how long before now t was, and t itself as title.
func Ago(t, now time.Time) Value {
	if t.IsZero() {
		return Missing
	}
	title := t.Local().Format("2006-01-02 15:04:05 MST")
	d := now.Sub(t)
	switch {
	case d < 5*time.Second:
		return Value{"just now", title}
	case d < time.Minute:
		return Value{fmt.Sprintf("%d s ago", int(d.Seconds())), title}
	case d < time.Hour:
		return Value{fmt.Sprintf("%d min ago", int(d.Minutes())), title}
	case d < 48*time.Hour:
		return Value{fmt.Sprintf("%d h ago", int(d.Hours())), title}
	case d < 60*24*time.Hour:
		return Value{fmt.Sprintf("%d days ago", int(d.Hours())/24), title}
	}
	return Value{t.Local().Format("2006-01-02"), title}
}

// Bytes prints a size in the decimal units that disks are sold in.
func Bytes(n int64) Value {
	title := Count(int(n)) + " bytes"
	switch f := float64(n); {
	case n < 1000:
		return Value{fmt.Sprintf("%d B", n), title}
	case n < 1e6:
		return Value{fmt.Sprintf("%.1f kB", f/1e3), title}
	case n < 1e9:
		return Value{fmt.Sprintf("%.1f MB", f/1e6), title}
	}
	return Value{fmt.Sprintf("%.1f GB", float64(n)/1e9), title}
}

// Goal is the direction as pages write it: "min" or "max".
func Goal(d study.Direction) string {
	if d == study.Maximize {
		return "max"
	}
	return "min"
}

// Plural writes "1 trial" and "3 trials".
func Plural(n int, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return Count(n) + " " + one + "s"
}

// Progress lays counts out as a bar: the part of each state of whichever is more, limit or their sum.
func Progress(counts map[study.State]int, limit int) []Share {
	total := 0
	for _, s := range study.States {
		total += counts[s]
	}
	total = max(total, limit, 1)
	var out []Share
	x, seen := 0, 0
	for _, s := range study.States {
		n := counts[s]
		if n == 0 {
			continue
		}
		seen += n
		end := seen * 1000 / total
		out = append(out, Share{s, n, x, max(end-x, 4)})
		x = max(end, x+4)
	}
	return out
}

func minus(s string) string { return strings.ReplaceAll(s, "-", "−") }
