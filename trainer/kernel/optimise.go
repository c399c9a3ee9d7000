package kernel

import "math"

// AdamStep holds the numbers of one step of Adam (Kingma and Ba 2015, algorithm 1), or of AdamW (Loshchilov and Hutter
// 2019, algorithm 2) when WeightDecay is not 0.
type AdamStep struct {
	LR           float64
	Beta1, Beta2 float64 // 0.9 and 0.999 in the paper
	Epsilon      float64 // 1e-8 in the paper
	WeightDecay  float64 // decoupled: w loses LR·WeightDecay·w
	Step         int64   // from 1
	Pull         Pull
}

// DefaultAdam is Adam with the paper's constants.
func DefaultAdam(lr float64, step int64) AdamStep {
	return AdamStep{LR: lr, Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8, Step: step}
}

// SGDStep holds the numbers of one step of gradient descent with momentum, as PyTorch states it: m = Momentum·m + g, then
// w loses LR·m (and, decoupled as in algorithm 1 of Loshchilov and Hutter 2019, LR·WeightDecay·w).
type SGDStep struct {
	LR          float64
	Momentum    float64
	WeightDecay float64
	Pull        Pull
}

// Pull is what a step makes of the gradient of the loss before it uses it: g·Scale + L2·w + L1·sign(w), the last two being
// the gradient of L1·Σ|w| + L2/2·Σw². The zero value leaves the gradient alone.
type Pull struct {
	Scale  float64 // 0 counts as 1
	L1, L2 float64
}

// pullConstants are those of a Pull as the loops use them.
type pullConstants struct {
	scale, l1, l2 float32
	penalties     uint32 // 0: l1 and l2 are 0
}

func (p Pull) constants() pullConstants {
	c := pullConstants{scale: float32(p.Scale), l1: float32(p.L1), l2: float32(p.L2)}
	if p.Scale == 0 {
		c.scale = 1
	}
	if c.l1 != 0 || c.l2 != 0 {
		c.penalties = 1
	}
	return c
}

// on is the gradient d of the loss by w as the step uses it.
func (c *pullConstants) on(d, w float32) float32 {
	d = float32(c.scale * d)
	if c.penalties == 0 {
		return d
	}
	sign := float32(0)
	if w != 0 && w == w {
		sign = math.Float32frombits(math.Float32bits(c.l1) | math.Float32bits(w)&(1<<31)) // weights' signs are no branch to predict
	}
	return d + float32(c.l2*w) + sign
}

// adamConstants are the numbers of a step as the loops use them:
// w = keep·w - rate·m / (root·√v + epsilon), the bias corrections being in rate and root.
type adamConstants struct {
	beta1, rest1, beta2, rest2, rate, root, epsilon, keep float32

	pull pullConstants
}

func (s AdamStep) constants(w, g, m, v []float32) adamConstants {
	if len(g) != len(w) || len(m) != len(w) || len(v) != len(w) {
		panic("kernel: length mismatch")
	}
	if s.Step < 1 {
		panic("kernel: Adam's steps count from 1")
	}
	return adamConstants{
		beta1: float32(s.Beta1), rest1: float32(1 - s.Beta1),
		beta2: float32(s.Beta2), rest2: float32(1 - s.Beta2),
		rate:    float32(s.LR / (1 - powInt(s.Beta1, s.Step))),
		root:    float32(1 / math.Sqrt(1-powInt(s.Beta2, s.Step))),
		epsilon: float32(s.Epsilon),
		keep:    float32(1 - float64(s.LR*s.WeightDecay)),
		pull:    s.Pull.constants(),
	}
}

// Numbers are those of a step that change from one to the next: w = keep·w - rate·m / (root·√v + Epsilon), the corrections
// of the moments' bias being in rate and root.
func (s AdamStep) Numbers() (rate, root, keep float32) {
	c := s.constants(nil, nil, nil, nil)
	return c.rate, c.root, c.keep
}

// Numbers are those of a step that change from one to the next: w = keep·w - rate·m.
func (s SGDStep) Numbers() (rate, keep float32) {
	c := s.constants(nil, nil, nil)
	return c.rate, c.keep
}

// sgdConstants are the numbers of a step as the loops use them: m = momentum·m + g, w = keep·w - rate·m.
type sgdConstants struct {
	momentum, rate, keep float32

	pull pullConstants
}

func (s SGDStep) constants(w, g, m []float32) sgdConstants {
	if len(g) != len(w) || len(m) != len(w) {
		panic("kernel: length mismatch")
	}
	return sgdConstants{
		momentum: float32(s.Momentum), rate: float32(s.LR), keep: float32(1 - float64(s.LR*s.WeightDecay)),
		pull: s.Pull.constants(),
	}
}

// normal is x, or 0 where x is too small for a normal number. A moment that decays by a factor near 1 does not reach 0 by
// itself: it stays at some denormal for ever (0.9 of four units rounds to four), and arithmetic with those is many times
// slower on some processors, for the weights of every unit that died.
func normal(x float32) float32 {
	if math.Float32bits(x)&0x7f800000 == 0 {
		return 0
	}
	return x
}

func (reference) Adam(w, g, m, v []float32, s AdamStep) {
	c := s.constants(w, g, m, v)
	for i, d := range g {
		d = c.pull.on(d, w[i])
		m[i] = normal(float32(c.beta1*m[i]) + float32(c.rest1*d))
		v[i] = normal(float32(c.beta2*v[i]) + float32(float32(c.rest2*d)*d))
		root := float32(math.Sqrt(float64(v[i])))
		w[i] = float32(c.keep*w[i]) - float32(c.rate*m[i])/(float32(root*c.root)+c.epsilon)
	}
}

func (reference) SGD(w, g, m []float32, s SGDStep) {
	c := s.constants(w, g, m)
	for i, d := range g {
		m[i] = normal(float32(c.momentum*m[i]) + c.pull.on(d, w[i]))
		w[i] = float32(c.keep*w[i]) - float32(c.rate*m[i])
	}
}

func (f fast) Adam(w, g, m, v []float32, s AdamStep) {
	c := s.constants(w, g, m, v)
	if n := len(g) &^ 7; f.vector && n > 0 {
		adamAVX2(&w[0], &g[0], &m[0], &v[0], n, &c)
		w, g, m, v = w[n:], g[n:], m[n:], v[n:]
	}
	w, m, v = w[:len(g)], m[:len(g)], v[:len(g)]
	for i, d := range g {
		d = c.pull.on(d, w[i])
		mi := normal(float32(c.beta1*m[i]) + float32(c.rest1*d))
		vi := normal(float32(c.beta2*v[i]) + float32(float32(c.rest2*d)*d))
		m[i], v[i] = mi, vi
		root := float32(math.Sqrt(float64(vi)))
		w[i] = float32(c.keep*w[i]) - float32(c.rate*mi)/(float32(root*c.root)+c.epsilon)
	}
}

func (f fast) SGD(w, g, m []float32, s SGDStep) {
	c := s.constants(w, g, m)
	if n := len(g) &^ 7; f.vector && n > 0 {
		sgdAVX2(&w[0], &g[0], &m[0], n, &c)
		w, g, m = w[n:], g[n:], m[n:]
	}
	w, m = w[:len(g)], m[:len(g)]
	for i, d := range g {
		mi := normal(float32(c.momentum*m[i]) + c.pull.on(d, w[i]))
		m[i] = mi
		w[i] = float32(c.keep*w[i]) - float32(c.rate*mi)
	}
}
