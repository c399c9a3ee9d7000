package checkpoint

import (
	"fmt"
	"math"
	"slices"
)

// joints lists the operators of several values, as the ONNX operator specification has them, for one image.
func joints() map[string]joint {
	return map[string]joint{
		"Add":       pairOperator(func(a, b float32) float32 { return a + b }),
		"Mul":       pairOperator(func(a, b float32) float32 { return a * b }),
		"MatMul":    matMulOperator,
		"MaxUnpool": unpoolOperator,
	}
}

// values checks the number of values and that there are no initializers.
func (o *operand) values(n int) error {
	if len(o.others)+1 != n || len(o.more) != 0 {
		return fmt.Errorf("it has %d values and %d initializers, but needs %d and none", len(o.others)+1, len(o.more), n)
	}
	return nil
}

// pairOperator joins two values of one shape, number by number.
func pairOperator(f func(a, b float32) float32) joint {
	return func(o *operand) ([]int, func(dst []float32, src [][]float32), error) {
		if err := o.values(2); err != nil {
			return nil, nil, err
		}
		if !slices.Equal(o.shape, o.others[0].shape) {
			return nil, nil, fmt.Errorf("its inputs have the shapes %v and %v", o.shape, o.others[0].shape)
		}
		return o.shape, func(dst []float32, src [][]float32) {
			for i, v := range src[0] {
				dst[i] = f(v, src[1][i])
			}
		}, nil
	}
}

// matMulOperator is the product of two matrices of each image.
func matMulOperator(o *operand) ([]int, func(dst []float32, src [][]float32), error) {
	if err := o.values(2); err != nil {
		return nil, nil, err
	}
	a, b := o.shape, o.others[0].shape
	if len(a) != 2 || len(b) != 2 || a[1] != b[0] {
		return nil, nil, fmt.Errorf("its inputs have the shapes %v and %v", a, b)
	}
	n, k, cols := a[0], a[1], b[1]
	var err error
	if o.work, err = product(n, k, cols); err != nil {
		return nil, nil, err
	}
	return []int{n, cols}, func(dst []float32, src [][]float32) {
		clear(dst)
		for i := range n {
			for j, v := range src[0][i*k:][:k] {
				addScaled(dst[i*cols:][:cols], src[1][j*cols:][:cols], v)
			}
		}
	}, nil
}

// placesOf is the second output of MaxPool: where in its image each value was taken from. A float32 holds every index
// below maxValue.
const placesOf = "MaxPool, Indices"

func placesOperator(o *operand) ([]int, func(dst, src []float32), error) {
	shape, _, err := poolOperator(o)
	if err != nil {
		return nil, nil, err
	}
	h, w := o.shape[1], o.shape[2]
	oh, ow := shape[1], shape[2]
	kh, kw := h/oh, w/ow
	if kh*oh != h || kw*ow != w {
		return nil, nil, fmt.Errorf("the places of windows that do not cover %dx%d are not understood here", h, w)
	}
	return shape, func(dst, src []float32) {
		for i := range dst {
			first := (i/ow*kh)*w + i%ow*kw // rows of all channels follow each other
			best := first
			for t := range kh * kw {
				if at := first + t/kw*w + t%kw; src[at] > src[best] {
					best = at
				}
			}
			dst[i] = float32(best)
		}
	}, nil
}

func unpoolOperator(o *operand) ([]int, func(dst []float32, src [][]float32), error) {
	if err := o.must(map[string]int64{"pads": 0}); err != nil {
		return nil, nil, err
	}
	if err := o.values(2); err != nil {
		return nil, nil, err
	}
	places := o.others[0]
	if len(o.shape) != 3 || !places.places || !slices.Equal(places.shape, o.shape) {
		return nil, nil, fmt.Errorf("it takes a map of shape %v to places of shape %v", o.shape, places.shape)
	}
	k, err := o.list("kernel_shape", 2, 0)
	if err != nil {
		return nil, nil, err
	}
	strides, err := o.list("strides", 2, 1)
	if err != nil {
		return nil, nil, err
	}
	kh, kw := int(k[0]), int(k[1])
	shape := []int{o.shape[0], o.shape[1] * kh, o.shape[2] * kw}
	if n, ok := elements(shape); kh < 1 || kw < 1 || !slices.Equal(k, strides) || !ok || n > maxValue || n != places.of {
		return nil, nil, fmt.Errorf("windows of %v every %v on a map of %v are not those that its places are of", k, strides, o.shape)
	}
	return shape, func(dst []float32, src [][]float32) {
		clear(dst)
		for i, v := range src[0] {
			dst[int(src[1][i])] = v
		}
	}, nil
}

func transposeOperator(o *operand) ([]int, func(dst, src []float32), error) {
	perm, ok := o.attrs["perm"]
	delete(o.attrs, "perm")
	if !ok || perm.kind != attrInts || !slices.Equal(perm.ints, []int64{0, 2, 1}) {
		return nil, nil, fmt.Errorf("its attribute perm is %v: only the transpose of each image's matrix is understood here", perm.ints)
	}
	if err := o.rank(2, 0); err != nil {
		return nil, nil, err
	}
	rows, cols := o.shape[0], o.shape[1]
	return []int{cols, rows}, func(dst, src []float32) {
		for i, v := range src {
			dst[i%cols*rows+i/cols] = v
		}
	}, nil
}

// softmaxOperator makes weights of each column of an image's matrix.
func softmaxOperator(o *operand) ([]int, func(dst, src []float32), error) {
	axis, ok := o.attrs["axis"]
	delete(o.attrs, "axis")
	if !ok || axis.kind != attrInt || axis.i != 1 {
		return nil, nil, fmt.Errorf("its axis is %d: only the first of each image is understood here", axis.i)
	}
	if err := o.rank(2, 0); err != nil {
		return nil, nil, err
	}
	rows, cols := o.shape[0], o.shape[1]
	return o.shape, func(dst, src []float32) {
		for j := range cols {
			most := math.Inf(-1)
			for i := range rows {
				most = math.Max(most, float64(src[i*cols+j]))
			}
			sum := 0.0
			for i := range rows {
				sum += math.Exp(float64(src[i*cols+j]) - most)
			}
			for i := range rows {
				dst[i*cols+j] = float32(math.Exp(float64(src[i*cols+j])-most) / sum)
			}
		}
	}, nil
}
