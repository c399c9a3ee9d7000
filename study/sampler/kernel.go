package sampler

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"

	"sweep/study"
)

// axis is one parameter as an estimator sees it: a range of a line, in the logarithm where the distribution is
// logarithmic, or a set of choices. A grid's range reaches half a cell beyond its ends, so that all cells are alike.
type axis struct {
	d         study.Distribution
	grid      bool
	last      float64 // the greatest internal value
	half      float64 // half a cell
	low, high float64 // on the line
}

func newAxis(d study.Distribution) axis {
	a := axis{d: d, last: d.High}
	if d.Kind == study.Categorical {
		return a
	}
	step := d.Step
	if d.Kind == study.Int {
		step = math.Max(step, 1)
	}
	a.grid, a.half = step > 0, step/2
	if a.grid {
		a.last = d.Low + (d.Cardinality()-1)*step
	}
	a.low, _ = a.cell(d.Low)
	_, a.high = a.cell(a.last)
	return a
}

// line maps an internal value to the line.
func (a axis) line(x float64) float64 {
	if a.d.Log {
		return math.Log(x)
	}
	return x
}

// cell is where on the line the values lie that stand for x. The first cell of a logarithmic grid starts half a whole
// number below it, which keeps it above 0 whatever the step is.
func (a axis) cell(x float64) (from, to float64) {
	below := a.half
	if a.d.Log && x == a.d.Low {
		below = math.Min(a.half, 0.5)
	}
	return a.line(x - below), a.line(x + a.half)
}

// value maps a point of the line to the internal value that it stands for.
func (a axis) value(z float64) float64 {
	if a.d.Log {
		z = math.Exp(z)
	}
	if a.grid {
		z = a.d.Low + 2*a.half*math.Round((z-a.d.Low)/(2*a.half))
	}
	return min(max(z, a.d.Low), a.last)
}

// factor is the part of a density's kernels that belongs to one axis.
type factor interface {
	// sample draws an internal value from kernel k.
	sample(k int, r *rand.Rand) float64
	// add adds to acc[k] the logarithm of kernel k at x.
	add(acc []float64, x float64)
}

// factor builds the kernels of the rows on axis i and, last, the prior.
func (a axis) factor(rows []row, i int) factor {
	if a.d.Kind == study.Categorical {
		return newChoices(len(a.d.Choices), rows, i)
	}
	n := len(rows) + 1
	mu, sigma := make([]float64, n), make([]float64, n)
	for j, r := range rows {
		mu[j] = a.line(r.x[i])
	}
	width := a.high - a.low
	mu[n-1] = a.low + width/2
	neighbours(sigma, mu, a.low, a.high)
	least := width / math.Min(100, float64(n+1))
	for j := range n {
		sigma[j] = min(max(sigma[j], least), width)
	}
	sigma[n-1] = width
	g := &gaussians{axis: a, mu: mu, sigma: sigma}
	if a.grid {
		g.merge()
	}
	g.log = make([]float64, len(g.mu))
	g.inside = make([]float64, len(g.mu))
	for k, m := range g.mu {
		g.inside[k] = math.Log(phi((a.high-m)/g.sigma[k]) - phi((a.low-m)/g.sigma[k]))
		g.log[k] = g.inside[k] + math.Log(g.sigma[k]*math.Sqrt(2*math.Pi))
	}
	return g
}

// neighbours sets each sigma to the distance from its mu to the farther one of the two next to it. The outermost ones
// have one neighbour; a mu that is alone looks at the ends of the range.
func neighbours(sigma, mu []float64, low, high float64) {
	type point struct {
		mu float64
		i  int
	}
	p := make([]point, len(mu))
	for i, m := range mu {
		p[i] = point{m, i}
	}
	slices.SortFunc(p, func(a, b point) int { return cmp.Compare(a.mu, b.mu) })
	for i := range p {
		var left, right float64
		if i > 0 {
			left = p[i].mu - p[i-1].mu
		}
		if i < len(p)-1 {
			right = p[i+1].mu - p[i].mu
		}
		if len(p) == 1 {
			left, right = p[i].mu-low, high-p[i].mu
		}
		sigma[p[i].i] = max(left, right)
	}
}

// gaussians are normal distributions cut off at the ends of a line.
type gaussians struct {
	axis
	mu, sigma []float64
	inside    []float64 // log(share inside the range)
	log       []float64 // log(sigma·√2π·share inside the range)
	// On a grid many trials have the same kernel; each distinct one is kept once and of[k] is that of kernel k.
	of      []int32
	scratch []float64
}

// merge keeps each distinct kernel once.
func (g *gaussians) merge() {
	type shape struct{ mu, sigma float64 }
	index := map[shape]int32{}
	g.of = make([]int32, len(g.mu))
	var mu, sigma []float64
	for k, m := range g.mu {
		s := shape{m, g.sigma[k]}
		j, ok := index[s]
		if !ok {
			j = int32(len(mu))
			index[s] = j
			mu, sigma = append(mu, s.mu), append(sigma, s.sigma)
		}
		g.of[k] = j
	}
	g.mu, g.sigma, g.scratch = mu, sigma, make([]float64, len(mu))
}

func (g *gaussians) sample(k int, r *rand.Rand) float64 {
	if g.of != nil {
		k = int(g.of[k])
	}
	mu, sigma := g.mu[k], g.sigma[k]
	from, to := phi((g.low-mu)/sigma), phi((g.high-mu)/sigma)
	p := from + r.Float64()*(to-from)
	z := mu + sigma*math.Sqrt2*math.Erfinv(2*p-1) // ±Inf at p 0 and 1, which the next line brings back
	return g.value(min(max(z, g.low), g.high))
}

func (g *gaussians) add(acc []float64, x float64) {
	if !g.grid {
		z := g.line(x)
		for k, mu := range g.mu {
			t := (z - mu) / g.sigma[k]
			acc[k] -= 0.5*t*t + g.log[k]
		}
		return
	}
	from, to := g.cell(x)
	middle, width := from+(to-from)/2, to-from
	logWidth := math.Log(width)
	for j, mu := range g.mu {
		sigma := g.sigma[j]
		if sigma >= 2*width { // the midpoint rule is off by less than 1.1 % within three sigma
			t := (middle - mu) / sigma
			g.scratch[j] = logWidth - 0.5*t*t - g.log[j]
			continue
		}
		// Both ends on the same side of 0 keeps the difference exact in the tails.
		a, b := (from-mu)/sigma, (to-mu)/sigma
		if a > 0 {
			a, b = -b, -a
		}
		g.scratch[j] = math.Log(max(phi(b)-phi(a), 1e-300)) - g.inside[j]
	}
	for k, j := range g.of {
		acc[k] += g.scratch[j]
	}
}

// phi is the standard normal distribution function.
func phi(z float64) float64 { return 0.5 * math.Erfc(-z/math.Sqrt2) }

// choices are distributions over the choices of a categorical parameter: a trial's kernel favours its own choice, and
// the more kernels there are the more.
type choices struct {
	picked []int // by kernel; -1 for the prior
	n      int
	own    float64 // probability of the kernel's own choice
	other  float64 // and of each other one
	logs   [3]float64
}

func newChoices(n int, rows []row, i int) *choices {
	c := &choices{picked: make([]int, len(rows)+1), n: n}
	for j, r := range rows {
		c.picked[j] = int(r.x[i])
	}
	c.picked[len(rows)] = -1
	// One observation and a prior that is worth 1/kernels of one on each choice.
	prior := 1 / float64(len(rows)+1)
	total := 1 + prior*float64(n)
	c.own, c.other = (1+prior)/total, prior/total
	c.logs = [3]float64{math.Log(c.own), math.Log(c.other), -math.Log(float64(n))}
	return c
}

func (c *choices) sample(k int, r *rand.Rand) float64 {
	p := c.picked[k]
	if p < 0 {
		return float64(r.IntN(c.n))
	}
	u := r.Float64() - (c.own - c.other)
	if u < 0 {
		return float64(p)
	}
	return float64(min(int(u/c.other), c.n-1)) // what is left is even over all choices
}

func (c *choices) add(acc []float64, x float64) {
	own := int(x)
	for k, p := range c.picked {
		switch p {
		case own:
			acc[k] += c.logs[0]
		case -1:
			acc[k] += c.logs[2]
		default:
			acc[k] += c.logs[1]
		}
	}
}
