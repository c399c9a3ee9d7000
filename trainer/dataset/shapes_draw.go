package dataset

import (
	"math"
	"math/rand/v2"
)

// Everything here is float32 addition, multiplication, division and square root, each rounded by itself as IEEE 754 has
// it, so that every machine draws the same bytes. A compiler may fuse x*y + z and round once; the explicit conversion in
// mul forbids it, and a test sees to it that no product stands outside of one.

// mul is x times y, rounded.
func mul(x, y float32) float32 { return float32(x * y) }

func root(x float32) float32 { return float32(math.Sqrt(float64(x))) }

func unit(x float32) float32 { return min(max(x, 0), 1) }

func abs(x float32) float32 { return max(x, -x) }

func floor(x float32) float32 {
	f := float32(int32(x))
	if f > x {
		f--
	}
	return f
}

// mix goes from a to b as t goes from 0 to 1.
func mix(a, b, t float32) float32 { return a + mul(b-a, t) }

// colour is red, green and blue in [0, 1].
type colour [3]float32

func (a colour) mix(b colour, t float32) colour {
	return colour{mix(a[0], b[0], t), mix(a[1], b[1], t), mix(a[2], b[2], t)}
}

// grey is about how light a looks.
func (a colour) grey() float32 { return mul(a[0], 0.3) + mul(a[1], 0.59) + mul(a[2], 0.11) }

// hsv gives the colour of hue (in sixths of the circle, 0 … 6), saturation and value.
func hsv(hue, saturation, value float32) colour {
	level := func(at float32) float32 { // of a channel whose own hue is at
		d := abs(hue - at)
		d = min(d, 6-d)
		return mul(value, 1-mul(saturation, unit(d-1)))
	}
	return colour{level(0), level(2), level(4)}
}

// canvas is a picture being drawn, (y, x), and what each of its pixels belongs to.
type canvas struct {
	at   [shapesSide][shapesSide]colour
	mask [shapesSide][shapesSide]byte // 0 the ground, else 1 plus the class of the foremost figure
}

func (c *canvas) bytes(dst []byte) {
	i := 0
	for y := range c.at {
		for x := range c.at[y] {
			for _, v := range c.at[y][x] {
				dst[i] = byte(mul(unit(v), 255) + 0.5)
				i++
			}
		}
	}
}

func (c *canvas) classes(dst []byte) {
	for y := range c.mask {
		dst = dst[copy(dst, c.mask[y][:]):]
	}
}

// pattern covers a plane with two tones.
type pattern struct {
	kind     int     // 0 plain, 1 stripes, 2 checks, 3 dots
	period   float32 // in pixels
	cos, sin float32 // its direction
	shift    float32
}

func newPattern(r *rand.Rand) pattern {
	p := pattern{kind: choice(r, 4), period: between(r, 4, 9), shift: between(r, 0, 9)}
	p.cos, p.sin = direction(r)
	return p
}

// at is the share of the second tone at a point, its edges smoothed over a pixel.
func (p *pattern) at(x, y float32) float32 {
	if p.kind == 0 {
		return 0
	}
	u := mul(p.cos, x) + mul(p.sin, y) + p.shift
	if p.kind == 1 {
		return p.stripe(u)
	}
	v := mul(p.cos, y) - mul(p.sin, x)
	if p.kind == 2 {
		a, b := p.stripe(u), p.stripe(v)
		return a + b - mul(2, mul(a, b))
	}
	du, dv := p.fold(u), p.fold(v)
	return unit(0.5 + mul(p.period, 0.3) - root(mul(du, du)+mul(dv, dv)))
}

// fold is the distance, in pixels, to the nearest middle of a period.
func (p *pattern) fold(w float32) float32 {
	t := w / p.period
	return mul(abs(t-floor(t)-0.5), p.period)
}

func (p *pattern) stripe(w float32) float32 {
	return unit(0.5 + mul(p.period, 0.25) - p.fold(w))
}

// ground is what stands behind the figures: a gradient between two colours, clouds over it, and a faint pattern.
type ground struct {
	from, to  colour
	cos, sin  float32
	clouds    [2][81]float32 // lattices of 5x5 and 9x9 values
	cloudy    float32
	pattern   pattern
	contrast  float32
	horizon   float32 // row below which the ground is darker, beyond 32 for none
	slope     float32
	darkening float32
}

func newGround(r *rand.Rand) ground {
	hue := between(r, 0, 6)
	other := hue + between(r, -1.5, 1.5)
	if other < 0 {
		other += 6
	} else if other >= 6 {
		other -= 6
	}
	g := ground{
		from:     hsv(hue, between(r, 0.1, 0.7), between(r, 0.25, 0.95)),
		to:       hsv(other, between(r, 0.1, 0.7), between(r, 0.25, 0.95)),
		cloudy:   between(r, 0.05, 0.3),
		contrast: between(r, 0.04, 0.3),
	}
	g.cos, g.sin = direction(r)
	for o := range g.clouds {
		side := 4<<o + 1
		for i := range side * side {
			g.clouds[o][i] = between(r, -1, 1)
		}
	}
	g.pattern = newPattern(r)
	g.horizon, g.slope, g.darkening = between(r, 14, 46), between(r, -0.35, 0.35), between(r, 0.15, 0.45)
	return g
}

// mean is the colour in the middle of the gradient.
func (g *ground) mean() colour { return g.from.mix(g.to, 0.5) }

func (g *ground) paint(c *canvas) {
	c.mask = [shapesSide][shapesSide]byte{}
	for y := range c.at {
		for x := range c.at[y] {
			px, py := float32(x)-15.5, float32(y)-15.5
			t := unit(0.5 + mul(mul(g.cos, px)+mul(g.sin, py), 1.0/36))
			light := mul(g.cloudy, g.cloud(0, x, y, 3)+mul(0.5, g.cloud(1, x, y, 2)))
			light += mul(g.contrast, g.pattern.at(px, py)-0.5)
			below := unit(py + 16 - g.horizon - mul(g.slope, px))
			light -= mul(g.darkening, below)
			at := g.from.mix(g.to, t)
			for k := range at {
				at[k] += light
			}
			c.at[y][x] = at
		}
	}
}

// cloud is value noise: a lattice of 2^bits pixels a cell, joined by the cubic 3t² - 2t³.
func (g *ground) cloud(octave, x, y, bits int) float32 {
	cell := float32(int32(1) << bits)
	side := 32>>bits + 1
	ease := func(at int) float32 {
		t := (float32(at&(1<<bits-1)) + 0.5) / cell
		return mul(mul(t, t), 3-mul(2, t))
	}
	l := g.clouds[octave][(y>>bits)*side+x>>bits:]
	tx := ease(x)
	return mix(mix(l[0], l[1], tx), mix(l[side], l[side+1], tx), ease(y))
}

// figure is one thing in the picture.
type figure struct {
	class     int
	x, y      float32 // its middle, in pixels
	scale     float32 // pixels to its unit length
	cos, sin  float32
	near, far colour // a gradient across it
	ink       colour // of its pattern
	pattern   pattern
}

func (f *figure) turn(r *rand.Rand) { f.cos, f.sin = direction(r) }

// colour paints the figure so that it stands out from what is behind it.
func (f *figure) colour(r *rand.Rand, behind colour) {
	hue := between(r, 0, 6)
	value := between(r, 0.7, 1)
	if behind.grey() > 0.5 && choice(r, 4) > 0 {
		value = between(r, 0.2, 0.55)
	}
	saturation := between(r, 0.3, 1)
	f.near = hsv(hue, saturation, value)
	f.far = hsv(hue, mul(saturation, 0.8), mul(value, between(r, 0.45, 0.95)))
	f.pattern = newPattern(r)
	f.ink = hsv(between(r, 0, 6), between(r, 0, 0.9), between(r, 0.1, 1))
}

// paint draws the figure. A pixel belongs to it when it covers half of the pixel or more: its middle lies in the outline.
func (f *figure) paint(c *canvas) {
	f.cover(f.x, f.y, 1, func(x, y int, u, v, share float32) {
		if share >= 0.5 {
			c.mask[y][x] = byte(1 + f.class)
		}
		at := &c.at[y][x]
		body := f.near.mix(f.far, unit(0.5+mul(0.5, u)))
		body = body.mix(f.ink, mul(0.75, f.pattern.at(mul(u, f.scale), mul(v, f.scale))))
		*at = at.mix(body, share)
	})
}

// shadow darkens what is behind the figure, two pixels to the right and below, with a soft edge.
func (f *figure) shadow(c *canvas) {
	f.cover(f.x+2, f.y+2, 0.25, func(x, y int, _, _, share float32) {
		at := &c.at[y][x]
		*at = at.mix(colour{}, mul(0.4, share))
	})
}

// cover calls put for each pixel that the figure, moved to (x, y), covers in part: (u, v) is the point in the figure's
// own frame, share how much of the pixel is covered. hard is 1 for an edge of one pixel, 1/4 for one of four.
func (f *figure) cover(x, y, hard float32, put func(x, y int, u, v, share float32)) {
	reach := mul(1.05, f.scale) + 2/hard
	top, bottom := edge(y-reach), edge(y+reach+1)
	left, right := edge(x-reach), edge(x+reach+1)
	for py := top; py < bottom; py++ {
		for px := left; px < right; px++ {
			dx, dy := float32(px)-x, float32(py)-y
			u := (mul(f.cos, dx) + mul(f.sin, dy)) / f.scale
			v := (mul(f.cos, dy) - mul(f.sin, dx)) / f.scale
			share := unit(0.5 - mul(mul(outline(f.class, u, v), f.scale), hard))
			if share > 0 {
				put(px, py, u, v, share)
			}
		}
	}
}

// edge cuts a coordinate to the picture.
func edge(v float32) int { return int(min(max(v, 0), shapesSide)) }

// outline is the signed distance from (u, v) to the edge of a class's figure, negative inside; near the edge it is exact
// except round corners. Figures have a radius of about 1; v grows downwards.
func outline(class int, u, v float32) float32 {
	length := func(a, b float32) float32 { return root(mul(a, a) + mul(b, b)) }
	a, b := abs(u), abs(v)
	switch class {
	case 0: // disc
		return length(u, v) - 0.85
	case 1: // ring
		return abs(length(u, v)-0.68) - 0.22
	case 2: // square
		return max(a, b) - 0.72
	case 3: // triangle, of circumradius 1
		return max(v, mul(0.8660254, a)-mul(0.5, v)) - 0.5
	case 4: // star: the nearest of five tips, then the line from that tip to the notch beside it
		along := max(-v, mul(0.95105652, a)-mul(0.30901699, v), mul(0.58778525, a)+mul(0.80901699, v))
		across := root(max(mul(a, a)+mul(b, b)-mul(along, along), 0))
		return mul(0.93663, across) + mul(0.3503, along-1)
	case 5: // cross
		return min(max(a-0.9, b-0.3), max(a-0.3, b-0.9))
	case 6: // crescent: a disc without another
		return max(length(u, v)-0.9, 0.75-length(u-0.45, v))
	case 7: // pill
		return length(max(a-0.6, 0), v) - 0.36
	case 8: // heart: a square on its corner, a disc on each of its two upper sides
		p, q := mul(0.70710678, u+v), mul(0.70710678, v-u)
		return min(max(abs(p), abs(q))-0.5, length(p+0.5, q)-0.5, length(p, q+0.5)-0.5)
	default: // arrow: a head and a shaft
		head := max(v+0.1, mul(0.78935, a)-mul(0.61394, v+1))
		return min(head, max(a-0.24, abs(v-0.35)-0.5))
	}
}
