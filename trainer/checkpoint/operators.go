package checkpoint

import (
	"fmt"
	"math"
	"slices"
)

// operators lists what a model may be made of, each as the ONNX operator specification has it, for one image: maps are
// (C, H, W).
func operators() map[string]operator {
	return map[string]operator{
		"Conv":          convOperator,
		"ConvTranspose": convTransposeOperator,
		"Gemm":          gemmOperator,
		"MaxPool":       poolOperator,
		placesOf:        placesOperator,
		"Softmax":       softmaxOperator,
		"Transpose":     transposeOperator,
		"Relu":          each(func(v float32) float32 { return max(v, 0) }),
		"Tanh":          each(func(v float32) float32 { return float32(math.Tanh(float64(v))) }),
		"Sigmoid":       each(func(v float32) float32 { return float32(1 / (1 + math.Exp(-float64(v)))) }),
		"LeakyRelu":     leakyOperator,
		"Erf":           each(func(v float32) float32 { return float32(math.Erf(float64(v))) }),
		"Flatten":       flattenOperator,

		"BatchNormalization":    batchNormOperator,
		"InstanceNormalization": instanceNormOperator,
		"Reshape":               reshapeOperator,
		"Pad":                   padOperator,
		"Slice":                 sliceOperator,
		"Clip":                  clipOperator,
		"Add":                   scalarOperator(func(v, s float32) float32 { return v + s }),
		"Mul":                   scalarOperator(func(v, s float32) float32 { return v * s }),
	}
}

// list takes a list attribute of n whole numbers; all are standard where it is absent.
func (o *operand) list(name string, n int, standard int64) ([]int64, error) {
	a, ok := o.attrs[name]
	if !ok {
		return slices.Repeat([]int64{standard}, n), nil
	}
	delete(o.attrs, name)
	if a.kind != attrInts || len(a.ints) != n {
		return nil, fmt.Errorf("its attribute %s is no list of %d numbers", name, n)
	}
	for _, v := range a.ints {
		if v < 0 || v > 1<<14 {
			return nil, fmt.Errorf("its attribute %s holds %d", name, v)
		}
	}
	return a.ints, nil
}

// must takes attributes that may be there with one value only.
func (o *operand) must(values map[string]int64) error {
	for name, want := range values {
		a, ok := o.attrs[name]
		if !ok {
			continue
		}
		delete(o.attrs, name)
		same := a.kind == attrInt && a.i == want
		if a.kind == attrInts {
			same = !slices.ContainsFunc(a.ints, func(v int64) bool { return v != want })
		}
		if a.kind == attrFloat {
			same = a.f == float32(want)
		}
		if !same {
			return fmt.Errorf("its attribute %s is not %d", name, want)
		}
	}
	return nil
}

// rank checks the number of dimensions of an image's value and of the further inputs.
func (o *operand) rank(rank, more int) error {
	if len(o.shape) != rank || len(o.more) != more {
		return fmt.Errorf("it has an input of shape %v and %d initializers, but needs %d dimensions and %d initializers",
			o.shape, len(o.more), rank, more)
	}
	return nil
}

// numbers takes initializer i, n whole numbers, none negative.
func (o *operand) numbers(i, n int) ([]int64, error) {
	a := o.more[i]
	if a.floats != nil || len(a.shape) != 1 || len(a.ints) != n {
		return nil, fmt.Errorf("initializer %q is no list of %d whole numbers", a.name, n)
	}
	for _, v := range a.ints {
		if v < 0 || v > maxValue {
			return nil, fmt.Errorf("initializer %q holds %d", a.name, v)
		}
	}
	return a.ints, nil
}

// scalar takes initializer i, a single float.
func (o *operand) scalar(i int) (float32, error) {
	if a := o.more[i]; len(a.floats) != 1 {
		return 0, fmt.Errorf("initializer %q is no single float", a.name)
	}
	return o.more[i].floats[0], nil
}

// floatShape checks that initializer i holds floats of a shape.
func (o *operand) floatShape(i int, shape ...int) error {
	if a := o.more[i]; a.floats == nil || !slices.Equal(a.shape, shape) {
		return fmt.Errorf("initializer %q has the shape %v instead of %v", a.name, a.shape, shape)
	}
	return nil
}

func each(f func(float32) float32) operator {
	return func(o *operand) ([]int, func(dst, src []float32), error) {
		return o.shape, func(dst, src []float32) {
			for i, v := range src {
				dst[i] = f(v)
			}
		}, o.rank(len(o.shape), 0)
	}
}

func leakyOperator(o *operand) ([]int, func(dst, src []float32), error) {
	alpha := attr{kind: attrFloat, f: 0.01} // the specification's default
	if a, ok := o.attrs["alpha"]; ok {
		alpha = a
		delete(o.attrs, "alpha")
	}
	if alpha.kind != attrFloat {
		return nil, nil, fmt.Errorf("its attribute alpha is no float")
	}
	return each(func(v float32) float32 {
		if v < 0 {
			return alpha.f * v
		}
		return v
	})(o)
}

func scalarOperator(f func(v, s float32) float32) operator {
	return func(o *operand) ([]int, func(dst, src []float32), error) {
		if err := o.rank(len(o.shape), 1); err != nil {
			return nil, nil, err
		}
		if len(o.more[0].shape) > 0 {
			return o.byChannel(f)
		}
		s, err := o.scalar(0)
		return o.shape, func(dst, src []float32) {
			for i, v := range src {
				dst[i] = f(v, s)
			}
		}, err
	}
}

func clipOperator(o *operand) ([]int, func(dst, src []float32), error) {
	if err := o.rank(len(o.shape), 2); err != nil {
		return nil, nil, err
	}
	low, err := o.scalar(0)
	if err != nil {
		return nil, nil, err
	}
	high, err := o.scalar(1)
	return o.shape, func(dst, src []float32) {
		for i, v := range src {
			dst[i] = min(max(v, low), high)
		}
	}, err
}

func flattenOperator(o *operand) ([]int, func(dst, src []float32), error) {
	if err := o.must(map[string]int64{"axis": 1}); err != nil {
		return nil, nil, err
	}
	n, _ := elements(o.shape)
	return []int{n}, copyValue, o.rank(len(o.shape), 0)
}

func copyValue(dst, src []float32) { copy(dst, src) }

func reshapeOperator(o *operand) ([]int, func(dst, src []float32), error) {
	if err := o.must(map[string]int64{"allowzero": 0}); err != nil {
		return nil, nil, err
	}
	if err := o.rank(len(o.shape), 1); err != nil {
		return nil, nil, err
	}
	to, err := o.numbers(0, len(o.more[0].ints))
	if err != nil {
		return nil, nil, err
	}
	if len(to) < 2 || to[0] != 0 {
		return nil, nil, fmt.Errorf("the new shape %v does not begin with 0, the number of images as it is", to)
	}
	var shape []int
	for _, d := range to[1:] {
		shape = append(shape, int(d))
	}
	is, _ := elements(o.shape)
	if n, ok := elements(shape); !ok || n != is {
		return nil, nil, fmt.Errorf("%v cannot become %v", o.shape, shape)
	}
	return shape, copyValue, nil
}

func padOperator(o *operand) ([]int, func(dst, src []float32), error) {
	if err := o.rank(3, 1); err != nil {
		return nil, nil, err
	}
	p, err := o.numbers(0, 8)
	if err != nil {
		return nil, nil, err
	}
	if p[0] != 0 || p[1] != 0 || p[4] != 0 || p[5] != 0 {
		return nil, nil, fmt.Errorf("it pads by %v, but only height and width are padded here", p)
	}
	c, h, w := o.shape[0], o.shape[1], o.shape[2]
	top, left := int(p[2]), int(p[3])
	oh, ow := top+h+int(p[6]), left+w+int(p[7])
	return []int{c, oh, ow}, func(dst, src []float32) {
		clear(dst)
		for r := range c * h {
			copy(dst[(r/h*oh+top+r%h)*ow+left:], src[r*w:][:w])
		}
	}, nil
}

func sliceOperator(o *operand) ([]int, func(dst, src []float32), error) {
	if err := o.rank(3, 3); err != nil {
		return nil, nil, err
	}
	n := len(o.more[0].ints)
	var list [3][]int64 // starts, ends, axes
	for i := range list {
		var err error
		if list[i], err = o.numbers(i, n); err != nil {
			return nil, nil, err
		}
	}
	from, to := [3]int{}, [3]int(o.shape)
	seen := [4]bool{true, false, false, false} // the images' own axis stays whole
	for i := range n {
		axis, start, end := list[2][i], list[0][i], list[1][i]
		if axis > 3 || seen[axis] || start >= end || end > int64(o.shape[axis-1]) {
			return nil, nil, fmt.Errorf("it takes %d to %d of axis %d, of a shape %v", start, end, axis, o.shape)
		}
		seen[axis] = true
		from[axis-1], to[axis-1] = int(start), int(end)
	}
	h, w := o.shape[1], o.shape[2]
	oc, oh, ow := to[0]-from[0], to[1]-from[1], to[2]-from[2]
	return []int{oc, oh, ow}, func(dst, src []float32) {
		for r := range oc * oh {
			at := ((from[0]+r/oh)*h+from[1]+r%oh)*w + from[2]
			copy(dst[r*ow:][:ow], src[at:])
		}
	}, nil
}

func gemmOperator(o *operand) ([]int, func(dst, src []float32), error) {
	if err := o.must(map[string]int64{"alpha": 1, "beta": 1, "transA": 0, "transB": 0}); err != nil {
		return nil, nil, err
	}
	if err := o.rank(1, 2); err != nil {
		return nil, nil, err
	}
	w, bias := o.more[0], o.more[1]
	if len(w.shape) != 2 {
		return nil, nil, fmt.Errorf("initializer %q has the shape %v", w.name, w.shape)
	}
	in, out := w.shape[0], w.shape[1]
	if err := o.floatShape(0, o.shape[0], out); err != nil {
		return nil, nil, err
	}
	if err := o.floatShape(1, out); err != nil {
		return nil, nil, err
	}
	o.work = in * out
	return []int{out}, func(dst, src []float32) {
		copy(dst, bias.floats)
		for i, v := range src {
			addScaled(dst, w.floats[i*out:][:out], v)
		}
	}, nil
}

// addScaled adds v·src to dst.
func addScaled(dst, src []float32, v float32) {
	src = src[:len(dst)]
	i := 0
	for ; i+4 <= len(dst); i += 4 {
		d, s := dst[i:i+4:i+4], src[i:i+4:i+4]
		d[0] += v * s[0]
		d[1] += v * s[1]
		d[2] += v * s[2]
		d[3] += v * s[3]
	}
	for ; i < len(dst); i++ {
		dst[i] += v * src[i]
	}
}

func convOperator(o *operand) ([]int, func(dst, src []float32), error) {
	if err := o.must(map[string]int64{"group": 1, "dilations": 1, "strides": 1}); err != nil {
		return nil, nil, err
	}
	if err := o.biased(); err != nil {
		return nil, nil, err
	}
	weight := o.more[0]
	if len(weight.shape) != 4 {
		return nil, nil, fmt.Errorf("initializer %q has the shape %v", weight.name, weight.shape)
	}
	c, h, w := o.shape[0], o.shape[1], o.shape[2]
	out, kh, kw := weight.shape[0], weight.shape[2], weight.shape[3]
	if err := o.kernel(kh, kw); err != nil {
		return nil, nil, err
	}
	pads, err := o.list("pads", 4, 0)
	if err != nil {
		return nil, nil, err
	}
	if err := o.floatShape(0, out, c, kh, kw); err != nil {
		return nil, nil, err
	}
	bias, err := o.bias(out)
	if err != nil {
		return nil, nil, err
	}
	top, left := int(pads[0]), int(pads[1])
	oh, ow := top+h+int(pads[2])-kh+1, left+w+int(pads[3])-kw+1
	if oh < 1 || ow < 1 {
		return nil, nil, fmt.Errorf("a kernel of %dx%d on %dx%d leaves nothing", kh, kw, h, w)
	}
	if o.work, err = product(out, c, kh*kw, oh, ow); err != nil {
		return nil, nil, err
	}
	if n, ok := elements([]int{c, oh + kh - 1, ow + kw}); !ok || n > maxValue {
		return nil, nil, fmt.Errorf("its input of %v is too large with its pads %v", o.shape, pads)
	}
	l := convolution{c: c, h: h, w: w, out: out, oh: oh, ow: ow, kh: kh, kw: kw, top: top, left: left}
	l.pack(weight.floats, bias)
	return []int{out, oh, ow}, l.run, nil
}

// biased checks that there are a map, a weight and perhaps a bias.
func (o *operand) biased() error {
	if len(o.more) == 1 {
		return o.rank(3, 1)
	}
	return o.rank(3, 2)
}

// bias takes initializer 1, one number for each channel, if there is one.
func (o *operand) bias(out int) ([]float32, error) {
	if len(o.more) < 2 {
		return nil, nil
	}
	return o.more[1].floats, o.floatShape(1, out)
}

// kernel takes the attribute kernel_shape, which repeats the weight's.
func (o *operand) kernel(kh, kw int) error {
	k, err := o.list("kernel_shape", 2, 0)
	if err == nil && (k[0] != 0 || k[1] != 0) && (k[0] != int64(kh) || k[1] != int64(kw)) {
		err = fmt.Errorf("its kernel_shape is %v, its weight's %dx%d", k, kh, kw)
	}
	return err
}

// product multiplies counts, up to maxWork.
func product(counts ...int) (int, error) {
	n := 1
	for _, c := range counts {
		if c > maxWork/n {
			return 0, fmt.Errorf("it takes more than %d multiplications an image", maxWork)
		}
		n *= c
	}
	return n, nil
}

func convTransposeOperator(o *operand) ([]int, func(dst, src []float32), error) {
	if err := o.must(map[string]int64{"group": 1, "dilations": 1}); err != nil {
		return nil, nil, err
	}
	if err := o.biased(); err != nil {
		return nil, nil, err
	}
	weight := o.more[0]
	if len(weight.shape) != 4 {
		return nil, nil, fmt.Errorf("initializer %q has the shape %v", weight.name, weight.shape)
	}
	c, h, w := o.shape[0], o.shape[1], o.shape[2]
	out, kh, kw := weight.shape[1], weight.shape[2], weight.shape[3]
	if err := o.kernel(kh, kw); err != nil {
		return nil, nil, err
	}
	strides, err := o.list("strides", 2, 1)
	if err != nil {
		return nil, nil, err
	}
	pads, err := o.list("pads", 4, 0)
	if err != nil {
		return nil, nil, err
	}
	more, err := o.list("output_padding", 2, 0)
	if err != nil {
		return nil, nil, err
	}
	if strides[0] < 1 || strides[1] < 1 || more[0] >= strides[0] || more[1] >= strides[1] {
		return nil, nil, fmt.Errorf("strides of %v and an output_padding of %v do not go together", strides, more)
	}
	if err := o.floatShape(0, c, out, kh, kw); err != nil {
		return nil, nil, err
	}
	bias, err := o.bias(out)
	if err != nil {
		return nil, nil, err
	}
	if o.work, err = product(out, c, kh*kw, h, w); err != nil {
		return nil, nil, err
	}
	s := spread{
		c: c, h: h, w: w, out: out, kh: kh, kw: kw, strides: strides, pads: pads, weights: weight.floats, bias: bias,
		oh: (h-1)*int(strides[0]) + kh - int(pads[0]+pads[2]) + int(more[0]), ow: (w-1)*int(strides[1]) + kw - int(pads[1]+pads[3]) + int(more[1]),
	}
	if s.oh < 1 || s.ow < 1 {
		return nil, nil, fmt.Errorf("a kernel of %dx%d with pads %v on %dx%d leaves nothing", kh, kw, pads, h, w)
	}
	shape := []int{out, s.oh, s.ow}
	if s.oh != h*kh || s.ow != w*kw || strides[0] != int64(kh) || strides[1] != int64(kw) || slices.Max(pads) > 0 {
		return shape, s.run, nil
	}
	if bias == nil {
		bias = make([]float32, out)
	}
	taps := out * kh * kw
	return shape, func(dst, src []float32) {
		sum := make([]float32, h*w) // of one tap: kernels that do not overlap fill every place once
		for t := range taps {
			k, ky, kx := t/(kh*kw), t/kw%kh, t%kw
			for i := range sum {
				sum[i] = bias[k]
			}
			for i := range c {
				addScaled(sum, src[i*h*w:][:h*w], weight.floats[i*taps+t])
			}
			for y := range h {
				row := dst[(k*s.oh+y*kh+ky)*s.ow+kx:]
				for x, v := range sum[y*w:][:w] {
					row[x*kw] = v
				}
			}
		}
	}, nil
}

func poolOperator(o *operand) ([]int, func(dst, src []float32), error) {
	if err := o.must(map[string]int64{"ceil_mode": 0, "storage_order": 0, "dilations": 1, "pads": 0}); err != nil {
		return nil, nil, err
	}
	if err := o.rank(3, 0); err != nil {
		return nil, nil, err
	}
	k, err := o.list("kernel_shape", 2, 0)
	if err != nil {
		return nil, nil, err
	}
	strides, err := o.list("strides", 2, 1)
	if err != nil {
		return nil, nil, err
	}
	c, h, w := o.shape[0], o.shape[1], o.shape[2]
	kh, kw := int(k[0]), int(k[1])
	if kh < 1 || kw < 1 || kh > h || kw > w || !slices.Equal(k, strides) {
		return nil, nil, fmt.Errorf("a window of %v every %v on %dx%d is not understood here", k, strides, h, w)
	}
	oh, ow := h/kh, w/kw
	return []int{c, oh, ow}, func(dst, src []float32) {
		for r := range c * oh {
			for x := range ow {
				at := (r/oh*h+r%oh*kh)*w + x*kw
				best := src[at]
				for t := range kh * kw {
					best = max(best, src[at+t/kw*w+t%kw])
				}
				dst[r*ow+x] = best
			}
		}
	}, nil
}
