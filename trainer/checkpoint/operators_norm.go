package checkpoint

import (
	"fmt"
	"math"
)

// epsilon takes the attribute of a normalisation.
func (o *operand) epsilon() (float64, error) {
	a, ok := o.attrs["epsilon"]
	if !ok {
		return 1e-5, nil // the specification's default
	}
	delete(o.attrs, "epsilon")
	if a.kind != attrFloat || !(a.f >= 0) {
		return 0, fmt.Errorf("its attribute epsilon is not a float of at least 0")
	}
	return float64(a.f), nil
}

// vectors takes the first n initializers, floats with one number for each channel.
func (o *operand) vectors(n int) error {
	for i := range n {
		if err := o.floatShape(i, o.shape[0]); err != nil {
			return err
		}
	}
	return nil
}

// batchNormOperator is BatchNormalization in use: by the mean and the variance that it is given.
func batchNormOperator(o *operand) ([]int, func(dst, src []float32), error) {
	if err := o.must(map[string]int64{"training_mode": 0}); err != nil {
		return nil, nil, err
	}
	delete(o.attrs, "momentum") // of training alone
	if err := o.rank(3, 4); err != nil {
		return nil, nil, err
	}
	epsilon, err := o.epsilon()
	if err != nil {
		return nil, nil, err
	}
	if err := o.vectors(4); err != nil {
		return nil, nil, err
	}
	scale, shift, mean, variance := o.more[0].floats, o.more[1].floats, o.more[2].floats, o.more[3].floats
	factor := make([]float64, len(scale))
	for i := range factor {
		factor[i] = float64(scale[i]) / math.Sqrt(float64(variance[i])+epsilon)
	}
	plane := o.shape[1] * o.shape[2]
	return o.shape, func(dst, src []float32) {
		for i, v := range src {
			c := i / plane
			dst[i] = float32((float64(v)-float64(mean[c]))*factor[c] + float64(shift[c]))
		}
	}, nil
}

// instanceNormOperator is InstanceNormalization: each channel of an image by its own statistics.
func instanceNormOperator(o *operand) ([]int, func(dst, src []float32), error) {
	if err := o.rank(len(o.shape), 2); err != nil {
		return nil, nil, err
	}
	if len(o.shape) < 2 {
		return nil, nil, fmt.Errorf("its input of shape %v has channels and nothing in them", o.shape)
	}
	epsilon, err := o.epsilon()
	if err != nil {
		return nil, nil, err
	}
	if err := o.vectors(2); err != nil {
		return nil, nil, err
	}
	scale, shift := o.more[0].floats, o.more[1].floats
	n, _ := elements(o.shape[1:])
	return o.shape, func(dst, src []float32) {
		for c := range scale {
			from, to := src[c*n:][:n], dst[c*n:][:n]
			var mean, variance float64
			for _, v := range from {
				mean += float64(v)
			}
			mean /= float64(n)
			for _, v := range from {
				d := float64(v) - mean
				variance += d * d
			}
			factor := float64(scale[c]) / math.Sqrt(variance/float64(n)+epsilon)
			for i, v := range from {
				to[i] = float32((float64(v)-mean)*factor + float64(shift[c]))
			}
		}
	}, nil
}

// byChannel is an Add or a Mul with one number for each channel of a map: initializer 0 has the shape (C, 1, 1).
func (o *operand) byChannel(f func(v, s float32) float32) ([]int, func(dst, src []float32), error) {
	if err := o.rank(3, 1); err != nil {
		return nil, nil, err
	}
	if err := o.floatShape(0, o.shape[0], 1, 1); err != nil {
		return nil, nil, err
	}
	numbers, plane := o.more[0].floats, o.shape[1]*o.shape[2]
	return o.shape, func(dst, src []float32) {
		for i, v := range src {
			dst[i] = f(v, numbers[i/plane])
		}
	}, nil
}

// spread is a transposed convolution whose kernels overlap or leave gaps: each value goes to the places that the taps of the
// kernel lead to, a channel of the input after the other.
type spread struct {
	c, h, w, out, oh, ow, kh, kw int
	strides, pads                []int64
	weights, bias                []float32 // (c, out, kh, kw), (out) or nil
}

func (s *spread) run(dst, src []float32) {
	clear(dst)
	for k, b := range s.bias {
		for i := range s.oh * s.ow {
			dst[k*s.oh*s.ow+i] = b
		}
	}
	taps := s.kh * s.kw
	for t := range s.c * s.out * taps {
		i, k, ky, kx := t/(s.out*taps), t/taps%s.out, t/s.kw%s.kh, t%s.kw
		weight := s.weights[t]
		for y := range s.h {
			ty := y*int(s.strides[0]) + ky - int(s.pads[0])
			if ty < 0 || ty >= s.oh {
				continue
			}
			to, from := dst[(k*s.oh+ty)*s.ow:][:s.ow], src[(i*s.h+y)*s.w:][:s.w]
			for x, v := range from {
				if tx := x*int(s.strides[1]) + kx - int(s.pads[1]); tx >= 0 && tx < s.ow {
					to[tx] += v * weight
				}
			}
		}
	}
}
