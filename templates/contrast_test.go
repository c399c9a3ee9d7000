package templates_test

import (
	"math"
	"regexp"
	"strconv"
	"testing"

	"sweep/templates/static"
)

// tokens reads the colours of the style sheet: name to light and dark.
func tokens(t *testing.T) map[string][2]string {
	t.Helper()
	f, ok := static.Open(static.URL("app.css"))
	if !ok {
		t.Fatal("no style sheet")
	}
	out := make(map[string][2]string)
	for _, m := range regexp.MustCompile(`--([a-z0-9-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\);`).FindAllSubmatch(f.Body, -1) {
		out[string(m[1])] = [2]string{string(m[2]), string(m[3])}
	}
	return out
}

// contrast is the ratio of WCAG 2.2 between two colours, 1 to 21.
func contrast(t *testing.T, a, b string) float64 {
	luminance := func(hex string) float64 {
		var sum float64
		for i, weight := range []float64{0.2126, 0.7152, 0.0722} {
			n, err := strconv.ParseUint(hex[1+2*i:3+2*i], 16, 8)
			if err != nil {
				t.Fatal(err)
			}
			c := float64(n) / 255
			if c <= 0.04045 {
				c /= 12.92
			} else {
				c = math.Pow((c+0.055)/1.055, 2.4)
			}
			sum += weight * c
		}
		return sum
	}
	x, y := luminance(a), luminance(b)
	return (math.Max(x, y) + 0.05) / (math.Min(x, y) + 0.05)
}

// Text reaches level AA on every ground that it stands on, in both themes; lines and marks reach 3.
func TestContrast(t *testing.T) {
	const text, graphic = 4.5, 3
	colours := tokens(t)
	grounds := []string{"page", "surface", "raised", "sunken", "hover", "picked"}
	need := make(map[string]float64)
	for _, fore := range []string{"text", "muted", "accent", "good", "busy", "warn", "bad", "rest"} {
		need[fore] = text
	}
	need["edge"] = graphic
	check := func(fore, ground string, least float64) {
		t.Helper()
		f, ok := colours[fore]
		g, ok2 := colours[ground]
		if !ok || !ok2 {
			t.Fatalf("no colour %s or %s", fore, ground)
		}
		for i, theme := range []string{"light", "dark"} {
			if got := contrast(t, f[i], g[i]); got < least {
				t.Errorf("%s: %s on %s has %.2f, needs %.1f", theme, fore, ground, got, least)
			}
		}
	}
	for fore, least := range need {
		for _, ground := range grounds {
			check(fore, ground, least)
		}
	}
	check("on-accent", "accent", text)
	check("text", "changed", text)
	for _, s := range []string{"s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7"} {
		check(s, "surface", graphic)
		check(s, "raised", graphic)
	}
}
