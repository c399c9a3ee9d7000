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
	g := &gaussians{axis: a, mu: make([]float64, n), sigma: make([]float64, n), norm: make([]float64, n)}
	for j, r := range rows {
		g.mu[j] = a.line(r.x[i])
	}
	width := a.high - a.low
	g.mu[n-1] = a.low + width/2
	neighbours(g.sigma, g.mu, a.low, a.high)
	least := width / math.Min(100, float64(n+1))
	for j := range n {
		g.sigma[j] = min(max(g.sigma[j], least), width)
	}
	g.sigma[n-1] = width
	for j := range n {
		from, to := phi((a.low-g.mu[j])/g.sigma[j]), phi((a.high-g.mu[j])/g.sigma[j])
		g.norm[j] = math.Log(g.sigma[j] * math.Sqrt(2*math.Pi) * (to - from))
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
	norm      []float64 // log(sigma·√2π·share inside the range)
}

func (g *gaussians) sample(k int, r *rand.Rand) float64 {
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
			acc[k] -= 0.5*t*t + g.norm[k]
		}
		return
	}
	from, to := g.cell(x)
	middle, width := from+(to-from)/2, to-from
	logWidth := math.Log(width)
	for k, mu := range g.mu {
		sigma := g.sigma[k]
		if sigma >= 2*width { // the midpoint rule is off by less than 1.1 % within three sigma
			t := (middle - mu) / sigma
			acc[k] += logWidth - 0.5*t*t - g.norm[k]
			continue
		}
		// Both ends on the same side of 0 keeps the difference exact in the tails.
		a, b := (from-mu)/sigma, (to-mu)/sigma
		if a > 0 {
			a, b = -b, -a
		}
		mass := phi(b) - phi(a)
		acc[k] += math.Log(max(mass, 1e-300)) + math.Log(sigma*math.Sqrt(2*math.Pi)) - g.norm[k]
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
