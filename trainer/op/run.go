package op

import (
	"gorgonia.org/tensor"

	"sweep/trainer/kernel"
)

// run computes the operation into dst, which has the given shape, from inputs whose shapes fit.
func (o *Op) run(dst []float32, shape tensor.Shape, in [][]float32, shapes []tensor.Shape) {
	r, ws := o.ref, &o.ws
	// padded is a copy of an input with the border that a convolution looks at, onto a map of its own.
	padded := func(i, pad int) kernel.Map {
		s := shapes[i]
		m := kernel.NewMap(s[0], s[1], s[2], s[3], pad)
		m.SetPixels(in[i])
		return m
	}
	plain := func(i int) kernel.Map { return padded(i, 0) }
	result := func() kernel.Map { return kernel.NewMap(shape[0], shape[1], shape[2], shape[3], 0) }
	half := o.Side / 2

	switch o.Kind {
	case Conv:
		y := result()
		r.Conv(ws, y, padded(0, half), in[1], make([]float32, y.C), o.Side, kernel.Identity)
		y.Pixels(dst)
	case ConvData:
		dx := result()
		r.ConvBackwardData(ws, dx, padded(0, half), in[1], o.Side)
		dx.Pixels(dst)
	case ConvWeights:
		x, dy := padded(0, half), plain(1)
		r.ConvBackwardWeights(ws, dst, make([]float32, dy.C), x, dy, o.Side)
	case ConvT:
		y := result()
		f := r.ConvT
		if o.Side == 3 {
			f = r.ConvT3
		}
		f(ws, y, plain(0), in[1], make([]float32, y.C), kernel.Identity)
		y.Pixels(dst)
	case ConvTData:
		dx := result()
		f := r.ConvTBackwardData
		if o.Side == 3 {
			f = r.ConvT3BackwardData
		}
		f(ws, dx, plain(0), in[1])
		dx.Pixels(dst)
	case ConvTWeights:
		x, dy := plain(0), plain(1)
		f := r.ConvTBackwardWeights
		if o.Side == 3 {
			f = r.ConvT3BackwardWeights
		}
		f(ws, dst, make([]float32, dy.C), x, dy)
	case Dense:
		n, i, out := shapes[0][0], shapes[1][0], shapes[1][1]
		r.Dense(ws, dst, in[0], in[1], make([]float32, out), n, i, out, kernel.Identity)
	case DenseData:
		r.DenseBackwardData(ws, dst, in[0], in[1], shapes[0][0], shapes[1][0], shapes[1][1])
	case DenseWeights:
		out := shapes[1][1]
		r.DenseBackwardWeights(ws, dst, make([]float32, out), in[0], in[1], shapes[0][0], shapes[0][1], out)
	case Bias:
		c := len(in[1])
		for i, v := range in[0] {
			dst[i] = v + in[1][i%c]
		}
	case BiasGrad:
		sums := make([]float64, len(dst))
		for i, v := range in[0] {
			sums[i%len(dst)] += float64(v)
		}
		for i, v := range sums {
			dst[i] = float32(v)
		}
	case Norm, NormData, NormWeights, NormBy:
		o.normalize(dst, in, plain(0))
	case Act:
		copy(dst, in[0])
		r.Activate(o.Act, kernel.Vector(dst, 1, len(dst)))
	case ActGrad:
		copy(dst, in[1])
		r.ActivationBackward(o.Act, kernel.Vector(dst, 1, len(dst)), kernel.Vector(in[0], 1, len(dst)))
	case Pool:
		y := result()
		r.MaxPool(y, make([]byte, y.Values()), plain(0))
		y.Pixels(dst)
	case PoolGrad:
		dy := plain(1)
		arg := make([]byte, dy.Values())
		r.MaxPool(kernel.NewMap(dy.N, dy.H, dy.W, dy.C, 0), arg, plain(0))
		dx := result()
		r.MaxPoolBackward(dx, dy, arg)
		dx.Pixels(dst)
	case Unpool:
		y := result()
		o.places(plain(1), func(arg []byte) { r.MaxPoolBackward(y, plain(0), arg) })
		y.Pixels(dst)
	case UnpoolGrad:
		dx := result()
		o.places(plain(1), func(arg []byte) { r.UnpoolBackward(dx, plain(0), arg) })
		dx.Pixels(dst)
	case Add:
		for i, v := range in[0] {
			dst[i] = v + in[1][i]
		}
	case Attention:
		y := result()
		r.Attention(ws, y, plain(0), plain(1), plain(2))
		y.Pixels(dst)
	case AttentionGrad:
		d := []kernel.Map{plain(0), plain(1), plain(2)}
		r.AttentionBackward(ws, d[0], d[1], d[2], plain(3))
		d[o.Operand].Pixels(dst)
	case Reshape:
		copy(dst, in[0])
	case Image:
		o.image(dst, shape, in[0], shapes[0])
	case ImageGrad:
		o.imageGrad(dst, shape, in[0], shapes[0])
	case Loss:
		p := plain(0)
		dst[0] = float32(r.Loss(ws, result4(shapes[0]), p, plain(1), o.loss(p)).Loss)
	case Entropy:
		dst[0] = float32(o.entropy(kernel.Map{}, in[0], shapes[0], in[1]))
	case EntropyGrad:
		n := len(in[1])
		o.entropy(kernel.Vector(dst, n, len(dst)/n), in[0], shapes[0], in[1])
		scale(dst, in[2][0])
	case LossGrad:
		p, dp := plain(0), result()
		r.Loss(ws, dp, p, plain(1), o.loss(p))
		dp.Pixels(dst)
		scale(dst, in[2][0])
	case Drop:
		each := kernel.DropScale(o.Threshold)
		for i, m := range in[1] {
			dst[i] = float32(in[0][i]*each) * m
		}
	case Sample:
		kernel.Sample(dst, in[0], in[1], in[2])
	case SampleGrad:
		kernel.SampleBackward(dst, in[2], in[0], in[1])
	case KL:
		dst[0] = float32(o.KLWeight * kernel.KL(in[0], in[1]) / float64(shapes[0][0]))
	case KLMean, KLLogVar:
		f := kernel.KLMean
		if o.Kind == KLLogVar {
			f = kernel.KLLogVar
		}
		f(dst, in[0], float32(o.KLWeight/float64(shapes[0][0])*float64(in[1][0])))
	case Total:
		dst[0] = in[0][0] + in[1][0]
	}
}

// scale multiplies a gradient by that of what follows.
func scale(dst []float32, g float32) {
	for i := range dst {
		dst[i] *= g
	}
}

func result4(s tensor.Shape) kernel.Map { return kernel.NewMap(s[0], s[1], s[2], s[3], 0) }

func (o *Op) loss(p kernel.Map) kernel.Loss {
	return kernel.Loss{Kind: o.Attr.Loss, SSIMWeight: o.SSIMWeight, H: p.H, W: p.W}
}

func (o *Op) image(dst []float32, to tensor.Shape, y []float32, from tensor.Shape) {
	i := 0
	for n := range to[0] {
		for h := range to[1] {
			row := y[(n*from[1]+h)*from[2]*from[3]:]
			for _, v := range row[:to[2]*to[3]] {
				if o.Signed {
					v = (v + 1) / 2
				}
				dst[i] = v
				i++
			}
		}
	}
}

func (o *Op) imageGrad(dst []float32, to tensor.Shape, dx []float32, from tensor.Shape) {
	clear(dst)
	i := 0
	for n := range from[0] {
		for h := range from[1] {
			row := dst[(n*to[1]+h)*to[2]*to[3]:]
			for j := range from[2] * from[3] {
				v := dx[i]
				if o.Signed {
					v /= 2
				}
				row[j] = v
				i++
			}
		}
	}
}
