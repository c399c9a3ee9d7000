package checkpoint_test

import (
	"fmt"
	"math"
	"slices"

	"sweep/trainer"
	"sweep/trainer/model"
)

// truth computes a network as model.Config describes it, in float64 and NHWC, straight from the definitions and the names
// of the weights: what the exported graph is held against. x is the map at work, (h, w, ch), a vector being (1, 1, ch).
type truth struct {
	c        model.Config
	weights  map[string][]float32
	x        []float64
	h, w, ch int
}

// forward returns the latent code and the reconstruction of one image (H, W, C).
func forward(c model.Config, weights []trainer.Tensor, image []float32) (latent, out []float64) {
	t := &truth{c: c, weights: map[string][]float32{}, ch: c.Channels}
	for _, w := range weights {
		t.weights[w.Name] = w.Data
	}
	t.h, t.w = c.Padded()
	t.x = make([]float64, t.h*t.w*t.ch)
	for y := range c.Height {
		for i := range c.Width * t.ch {
			t.x[y*t.w*t.ch+i] = float64(image[y*c.Width*t.ch+i])
		}
	}
	before := make([][]float64, c.Depth) // each pooling
	stages := make([][]float64, c.Depth)
	for l := range c.Depth {
		t.conv(fmt.Sprintf("enc.conv%d", l), c.Kernel)
		t.normalise(fmt.Sprintf("enc.norm%d", l))
		if c.Variant != "segnet" {
			t.activate(c.Activation)
		}
		before[l] = slices.Clone(t.x)
		t.pool()
		if c.Variant == "segnet" {
			t.activate(c.Activation)
		}
		switch {
		case c.Variant == "residual":
			t.residual(fmt.Sprintf("enc.res%d", l))
		case c.Variant == "attention" && l == c.Depth-1:
			t.attention("enc.attn")
		}
		stages[l] = slices.Clone(t.x)
	}
	h, w, ch := t.h, t.w, t.ch
	t.dense("enc.dense")
	latent = slices.Clone(t.x)
	t.dense("dec.dense")
	t.activate(c.Activation)
	t.h, t.w, t.ch = h, w, ch
	for l := c.Depth - 1; l >= 0; l-- {
		if c.Variant == "residual" {
			t.residual(fmt.Sprintf("dec.res%d", l))
		}
		if c.Variant == "segnet" {
			t.unpool(before[l])
			t.conv(fmt.Sprintf("dec.conv%d", l), c.Kernel)
		} else {
			t.convT(fmt.Sprintf("dec.convt%d", l))
		}
		if l > 0 {
			t.normalise(fmt.Sprintf("dec.norm%d", l))
		}
		if c.Variant == "skip" && l > 0 {
			t.add(stages[l-1])
		}
		if l > 0 {
			t.activate(c.Activation)
		}
	}
	t.activate(c.OutputActivation)
	for y := range c.Height {
		for i := range c.Width * t.ch {
			v := t.x[y*t.w*t.ch+i]
			if c.OutputActivation == "tanh" {
				v = (v + 1) / 2
			}
			out = append(out, min(max(v, 0), 1))
		}
	}
	return latent, out
}

func (t *truth) activate(name string) {
	for i, v := range t.x {
		switch name {
		case "relu":
			t.x[i] = math.Max(v, 0)
		case "leaky_relu":
			t.x[i] = math.Max(v, 0.01*v)
		case "tanh":
			t.x[i] = math.Tanh(v)
		case "sigmoid":
			t.x[i] = 1 / (1 + math.Exp(-v))
		case "gelu":
			t.x[i] = v / 2 * (1 + math.Erf(v/math.Sqrt2))
		}
	}
}

// normalise does nothing where the network has no such normalisation.
func (t *truth) normalise(name string) {
	scale, shift := t.weights[name+".scale"], t.weights[name+".shift"]
	if scale == nil {
		return
	}
	mean, variance := t.weights[name+".mean"], t.weights[name+".var"]
	var m, v float64
	for _, x := range t.x {
		m += x / float64(len(t.x))
	}
	for _, x := range t.x {
		v += (x - m) * (x - m) / float64(len(t.x))
	}
	for i, x := range t.x {
		c := i % t.ch
		if mean != nil {
			m, v = float64(mean[c]), float64(variance[c])
		}
		t.x[i] = (x-m)/math.Sqrt(v+1e-5)*float64(scale[c]) + float64(shift[c])
	}
}

// bias is that of a linear map, zeros where it has none.
func (t *truth) bias(name string, n int) []float32 {
	if b := t.weights[name+".bias"]; b != nil {
		return b
	}
	return make([]float32, n)
}

func (t *truth) add(y []float64) {
	for i, v := range y {
		t.x[i] += v
	}
}

func (t *truth) dense(name string) {
	w, b := t.weights[name+".weight"], t.weights[name+".bias"]
	y := make([]float64, len(b))
	for j := range y {
		y[j] = float64(b[j])
		for i, v := range t.x {
			y[j] += v * float64(w[i*len(b)+j])
		}
	}
	t.x, t.h, t.w, t.ch = y, 1, 1, len(y)
}

func (t *truth) conv(name string, side int) {
	k := t.weights[name+".weight"]
	n, half := len(k)/(side*side*t.ch), side/2
	b := t.bias(name, n)
	y := make([]float64, t.h*t.w*n)
	for py := range t.h {
		for px := range t.w {
			for o := range n {
				s := float64(b[o])
				for ky := range side {
					for kx := range side {
						sy, sx := py+ky-half, px+kx-half
						if sy < 0 || sx < 0 || sy >= t.h || sx >= t.w {
							continue
						}
						for i := range t.ch {
							s += t.x[(sy*t.w+sx)*t.ch+i] * float64(k[((ky*side+kx)*t.ch+i)*n+o])
						}
					}
				}
				y[(py*t.w+px)*n+o] = s
			}
		}
	}
	t.x, t.ch = y, n
}

func (t *truth) convT(name string) {
	side := 2
	if t.c.Upsample == "k3" {
		side = 3
	}
	k := t.weights[name+".weight"]
	n := len(k) / (side * side * t.ch)
	b := t.bias(name, n)
	h, w := 2*t.h, 2*t.w
	y := make([]float64, h*w*n)
	for i := range y {
		y[i] = float64(b[i%n])
	}
	for i, v := range t.x {
		c, px, py := i%t.ch, i/t.ch%t.w, i/t.ch/t.w
		for tap := range side * side {
			ty, tx := 2*py+tap/side-side/3, 2*px+tap%side-side/3
			if ty < 0 || tx < 0 || ty >= h || tx >= w {
				continue
			}
			for o := range n {
				y[(ty*w+tx)*n+o] += v * float64(k[(c*side*side+tap)*n+o])
			}
		}
	}
	t.x, t.h, t.w, t.ch = y, h, w, n
}

// window gives the four places of a pooled value in the map that was pooled.
func window(i, h, w, ch int) (out [4]int) {
	c, x, y := i%ch, i/ch%w, i/ch/w
	for j := range out {
		out[j] = ((2*y+j/2)*2*w+2*x+j%2)*ch + c
	}
	return out
}

func (t *truth) pool() {
	t.h, t.w = t.h/2, t.w/2
	y := make([]float64, t.h*t.w*t.ch)
	for i := range y {
		at := window(i, t.h, t.w, t.ch)
		y[i] = max(t.x[at[0]], t.x[at[1]], t.x[at[2]], t.x[at[3]])
	}
	t.x = y
}

func (t *truth) unpool(pooled []float64) {
	y := make([]float64, len(pooled))
	for i, v := range t.x {
		at := window(i, t.h, t.w, t.ch)
		best := at[0]
		for _, j := range at {
			if pooled[j] > pooled[best] {
				best = j
			}
		}
		y[best] = v
	}
	t.x, t.h, t.w = y, 2*t.h, 2*t.w
}

func (t *truth) residual(name string) {
	x := slices.Clone(t.x)
	t.conv(name+"a", t.c.Kernel)
	t.normalise(name + "a.norm")
	t.activate(t.c.Activation)
	t.conv(name+"b", t.c.Kernel)
	t.normalise(name + "b.norm")
	t.add(x)
	t.activate(t.c.Activation)
}

func (t *truth) attention(name string) {
	x, n := slices.Clone(t.x), t.ch
	part := func(p string) []float64 {
		t.x = slices.Clone(x)
		t.conv(name+"."+p, 1)
		return t.x
	}
	q, k, v := part("q"), part("k"), part("v")
	y := make([]float64, len(x))
	for i := 0; i < len(x); i += n {
		var sum float64
		for j := 0; j < len(x); j += n {
			score := 0.0
			for c := range n {
				score += q[i+c] * k[j+c]
			}
			weight := math.Exp(score / math.Sqrt(float64(n)))
			sum += weight
			for c := range n {
				y[i+c] += weight * v[j+c]
			}
		}
		for c := range n {
			y[i+c] /= sum
		}
	}
	t.x = y
	t.conv(name+".o", 1)
	t.add(x)
}
