package sampler

import (
	"math"
	"slices"
	"testing"

	"sweep/study"
)

var axes = map[string]study.Distribution{
	"float":      {Kind: study.Float, Low: -2, High: 3},
	"log":        {Kind: study.Float, Low: 1e-4, High: 1e-1, Log: true},
	"float step": {Kind: study.Float, Low: 0.1, High: 0.75, Step: 0.2},
	"int":        {Kind: study.Int, Low: 1, High: 40},
	"few ints":   {Kind: study.Int, Low: 0, High: 3},
	"int step":   {Kind: study.Int, Low: 2, High: 11, Step: 3},
	"int log":    {Kind: study.Int, Low: 1, High: 64, Log: true},
	"log steps":  {Kind: study.Int, Low: 1, High: 64, Log: true, Step: 4},
	"words":      {Kind: study.Categorical, Choices: []any{"a", "b", "c", "d"}},
}

// somewhere returns n rows on one axis, some of them equal, at the ends and next to each other.
func somewhere(d study.Distribution, n int) []row {
	r := study.Stream(1, 0, "rows", 0)
	rows := []row{{x: []float64{uniformEnd(d, false)}}, {x: []float64{uniformEnd(d, true)}}}
	for len(rows) < n {
		rows = append(rows, row{x: []float64{newSnap(d, uniform(r, d))}})
		rows = append(rows, rows[len(rows)-1])
	}
	return rows[:n]
}

func uniformEnd(d study.Distribution, high bool) float64 {
	if d.Kind == study.Categorical {
		if high {
			return float64(len(d.Choices) - 1)
		}
		return 0
	}
	if high {
		return newAxis(d).last
	}
	return d.Low
}

func newSnap(d study.Distribution, x float64) float64 {
	if d.Kind == study.Categorical {
		return x
	}
	return newAxis(d).value(newAxis(d).line(x))
}

// cells lists the values of a grid.
func cells(d study.Distribution) []float64 {
	var out []float64
	for i := range int(d.Cardinality()) {
		if d.Kind == study.Categorical {
			out = append(out, float64(i))
			continue
		}
		out = append(out, d.Low+float64(i)*2*newAxis(d).half)
	}
	return out
}

// Goptuna's estimator multiplied its kernels instead of adding them, took the distance over sigma without its square
// and normalised with a term that could be negative. A density that sums to 1 has none of that.
func TestDensitySumsToOne(t *testing.T) {
	for name, d := range axes {
		for _, n := range []int{1, 2, 7, 30} {
			t.Run(name, func(t *testing.T) {
				rows := somewhere(d, n)
				f := newDensity([]axis{newAxis(d)}, rows, ramp(len(rows)))
				sum := 0.0
				if math.IsInf(d.Cardinality(), 1) {
					a := newAxis(d)
					const steps = 200_000 // the narrowest kernel is a thirtieth of the range wide
					for i := range steps {
						z := a.low + (a.high-a.low)*(float64(i)+0.5)/steps
						x := z
						if d.Log {
							x = math.Exp(z)
						}
						sum += math.Exp(f.log([]float64{x})) * (a.high - a.low) / steps
					}
				} else {
					for _, x := range cells(d) {
						sum += math.Exp(f.log([]float64{x}))
					}
				}
				// 0.02 covers the midpoint rule on grids; a continuous axis has only the quadrature's error.
				bound := 0.02
				if math.IsInf(d.Cardinality(), 1) {
					bound = 1e-6
				}
				if math.Abs(sum-1) > bound {
					t.Errorf("%d rows: the density sums to %.8f", n, sum)
				}
			})
		}
	}
}

// Goptuna took the likeliest choice instead of drawing one, and drew from another density than it judged by.
func TestSamplesFollowTheDensity(t *testing.T) {
	const draws = 20_000
	for name, d := range axes {
		if math.IsInf(d.Cardinality(), 1) {
			continue
		}
		t.Run(name, func(t *testing.T) {
			rows := somewhere(d, 9)
			f := newDensity([]axis{newAxis(d)}, rows, flat(len(rows)))
			r := study.Stream(3, 0, "draws", 0)
			count := map[float64]int{}
			for range draws {
				count[f.sample(r)[0]]++
			}
			for _, x := range cells(d) {
				p := math.Exp(f.log([]float64{x}))
				// Five standard deviations of a binomial share, and the midpoint rule.
				if got, bound := float64(count[x])/draws, 5*math.Sqrt(p/draws)+0.015*p; math.Abs(got-p) > bound {
					t.Errorf("%v was drawn with share %.4f, its density is %.4f ± %.4f", x, got, p, bound)
				}
				delete(count, x)
			}
			if len(count) != 0 {
				t.Errorf("values off the grid were drawn: %v", count)
			}
		})
	}
}

func TestContinuousSamplesFollowTheDensity(t *testing.T) {
	const draws = 20_000
	for _, name := range []string{"float", "log"} {
		a := newAxis(axes[name])
		rows := somewhere(a.d, 9)
		f := newDensity([]axis{a}, rows, flat(len(rows)))
		r := study.Stream(5, 0, "draws", 0)
		z := make([]float64, draws)
		for i := range z {
			z[i] = a.line(f.sample(r)[0])
		}
		slices.Sort(z)
		sum, worst, at := 0.0, 0.0, 0
		const steps = 50_000
		for i := range steps {
			x := a.low + (a.high-a.low)*(float64(i)+0.5)/steps
			v := x
			if a.d.Log {
				v = math.Exp(x)
			}
			sum += math.Exp(f.log([]float64{v})) * (a.high - a.low) / steps
			for at < draws && z[at] <= x {
				at++
			}
			worst = max(worst, math.Abs(sum-float64(at)/draws))
		}
		// Kolmogorov and Smirnov: a right sampler is above 2.3/√n with probability under 6e-5.
		if bound := 2.3 / math.Sqrt(draws); worst > bound {
			t.Errorf("%s: the distribution functions differ by %.4f, more than %.4f", name, worst, bound)
		}
	}
}

// A product of kernels keeps which values went together; two independent estimators would not.
func TestDensityIsJoint(t *testing.T) {
	d := study.Distribution{Kind: study.Float, Low: 0, High: 1}
	var rows []row
	for i := range 10 {
		rows = append(rows, row{x: []float64{0.1 + 0.01*float64(i), 0.1}}, row{x: []float64{0.9 - 0.01*float64(i), 0.9}})
	}
	f := newDensity([]axis{newAxis(d), newAxis(d)}, rows, flat(len(rows)))
	if together, apart := f.log([]float64{0.15, 0.1}), f.log([]float64{0.15, 0.9}); together < apart+2 {
		t.Errorf("log density %.2f where rows lie, %.2f where they do not", together, apart)
	}
}

// Goptuna sorted the centres in place and then permuted them again, so that widths belonged to other centres.
func TestNeighboursKeepTheOrder(t *testing.T) {
	mu := []float64{0.9, 0.1, 0.5, 0.3, 0.5}
	sigma := make([]float64, len(mu))
	neighbours(sigma, mu, 0, 1)
	want := []float64{0.4, 0.2, 0.2, 0.2, 0.4}
	for i := range want {
		// The two at 0.5 are equal: one has 0.3, the other 0.9 for its farther neighbour, whichever comes first.
		if i == 2 || i == 4 {
			continue
		}
		if math.Abs(sigma[i]-want[i]) > 1e-12 {
			t.Errorf("sigma of %v is %v, want %v", mu[i], sigma[i], want[i])
		}
	}
	if a, b := min(sigma[2], sigma[4]), max(sigma[2], sigma[4]); math.Abs(a-0.2) > 1e-12 || math.Abs(b-0.4) > 1e-12 {
		t.Errorf("sigmas at 0.5 are %v and %v, want 0.2 and 0.4", a, b)
	}
	if !slices.Equal(mu, []float64{0.9, 0.1, 0.5, 0.3, 0.5}) {
		t.Errorf("the centres were changed: %v", mu)
	}
}

// Goptuna gave a pruned trial whose only report is at step 0 the value 0, and sorted NaN anywhere.
func TestSplitOrder(t *testing.T) {
	nan := math.NaN()
	var rows []row
	add := func(s study.State, step int, value float64) {
		rows = append(rows, row{[]float64{float64(len(rows))}, classify(s, value), step, value})
	}
	add(study.Complete, 0, nan)
	add(study.Pruned, 0, 0.01) // came nowhere: worse than any complete one
	add(study.Pruned, 9, 5)
	add(study.Failed, 0, nan)
	add(study.Running, 0, nan)
	for i := range 18 {
		add(study.Complete, 0, 2+float64(i))
	}
	good, bad, ok := split(rows)
	if !ok || len(good) != 2 || good[0].value != 2 || good[1].value != 3 {
		t.Fatalf("good are %v", good)
	}
	if len(bad) != len(rows)-2 {
		t.Errorf("%d others, want %d", len(bad), len(rows)-2)
	}

	// With more good ones asked for than are complete, the pruned one that came further goes first.
	rows = rows[:5]
	for range 10 {
		add(study.Pruned, 3, 1)
	}
	good, _, _ = split(rows)
	if len(good) != 2 || good[0].step != 9 {
		t.Errorf("good are %v", good)
	}
	// NaN and failed trials alone never start the estimator.
	rows = nil
	for range 30 {
		add(study.Failed, 0, nan)
		add(study.Complete, 0, nan)
	}
	if _, _, ok := split(rows); ok {
		t.Error("trials without a value were ranked")
	}
}

func TestRamp(t *testing.T) {
	if got := ramp(3); !slices.Equal(got, []float64{1, 1, 1}) {
		t.Errorf("ramp(3) = %v", got)
	}
	w := ramp(45)
	if w[0] != 1.0/45 || w[19] >= 1 || w[20] != 1 || w[44] != 1 || !slices.IsSorted(w) {
		t.Errorf("ramp(45) = %v", w)
	}
}
