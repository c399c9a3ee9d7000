package op

import (
	"fmt"

	"gorgonia.org/tensor"
)

// shape gives the output's shape for inputs of these shapes, or says what does not fit.
func (o *Op) shape(in []tensor.Shape) (tensor.Shape, error) {
	for i, s := range in {
		if s.Dims() != o.dims[i] {
			return nil, fmt.Errorf("%s: input %d has the shape %v, not %d axes", o, i, s, o.dims[i])
		}
	}
	fits := func(ok bool, y ...int) (tensor.Shape, error) {
		if !ok {
			return nil, fmt.Errorf("%s: shapes %v do not fit each other", o, in)
		}
		return y, nil
	}
	x := in[0]
	switch o.Kind {
	case Conv:
		w := in[1]
		return fits(o.Side%2 == 1 && w[0] == o.Side && w[1] == o.Side && w[2] == x[3], x[0], x[1], x[2], w[3])
	case ConvData:
		w := in[1]
		return fits(w[0] == o.Side && w[1] == o.Side && w[3] == x[3], x[0], x[1], x[2], w[2])
	case ConvWeights:
		dy := in[1]
		return fits(x[0] == dy[0] && x[1] == dy[1] && x[2] == dy[2], o.Side, o.Side, x[3], dy[3])
	case ConvT:
		w := in[1]
		return fits(w[0] == x[3] && (o.Side == 2 || o.Side == 3) && w[1] == o.Side && w[2] == o.Side, x[0], 2*x[1], 2*x[2], w[3])
	case ConvTData:
		w := in[1]
		return fits(x[1]%2 == 0 && x[2]%2 == 0 && w[3] == x[3], x[0], x[1]/2, x[2]/2, w[0])
	case ConvTWeights:
		dy := in[1]
		return fits(x[0] == dy[0] && 2*x[1] == dy[1] && 2*x[2] == dy[2], x[3], o.Side, o.Side, dy[3])
	case Dense:
		return fits(x[1] == in[1][0], x[0], in[1][1])
	case DenseData:
		return fits(x[1] == in[1][1], x[0], in[1][0])
	case DenseWeights:
		return fits(x[0] == in[1][0], x[1], in[1][1])
	case Bias:
		return fits(x[len(x)-1] == in[1][0], x.Clone()...)
	case BiasGrad:
		return fits(true, x[len(x)-1])
	case Norm, NormData, NormWeights, NormBy:
		y, ok := o.normShape(in)
		return fits(ok, y...)
	case Act, KLMean, KLLogVar:
		return fits(true, x.Clone()...)
	case ActGrad, Add, LossGrad, Drop:
		return fits(x.Eq(in[1]), x.Clone()...)
	case Pool:
		return fits(x[1]%2 == 0 && x[2]%2 == 0, x[0], x[1]/2, x[2]/2, x[3])
	case PoolGrad:
		dy := in[1]
		return fits(x[0] == dy[0] && x[1] == 2*dy[1] && x[2] == 2*dy[2] && x[3] == dy[3], x.Clone()...)
	case Unpool:
		p := in[1]
		return fits(x[0] == p[0] && 2*x[1] == p[1] && 2*x[2] == p[2] && x[3] == p[3], p.Clone()...)
	case UnpoolGrad:
		return fits(x.Eq(in[1]) && x[1]%2 == 0 && x[2]%2 == 0, x[0], x[1]/2, x[2]/2, x[3])
	case Attention, AttentionGrad:
		ok := true
		for _, s := range in {
			ok = ok && s.Eq(x)
		}
		return fits(ok && o.Operand < 3, x.Clone()...)
	case Reshape:
		return fits(x.TotalSize()/x[0] == tensor.Shape(o.Shape).TotalSize(), append([]int{x[0]}, o.Shape...)...)
	case Image:
		return fits(o.Height >= 1 && o.Height <= x[1] && o.Width >= 1 && o.Width <= x[2], x[0], o.Height, o.Width, x[3])
	case ImageGrad:
		return fits(x[1] == o.Height && x[2] == o.Width, x[0], o.Attr.Shape[0], o.Attr.Shape[1], x[3])
	case Loss, KL:
		_, err := fits(x.Eq(in[1]))
		return tensor.ScalarShape(), err
	case Entropy:
		_, err := fits(x[:len(x)-1].Eq(in[1]))
		return tensor.ScalarShape(), err
	case EntropyGrad:
		return fits(x[:len(x)-1].Eq(in[1]), x.Clone()...)
	case Sample, SampleGrad:
		return fits(x.Eq(in[1]) && x.Eq(in[2]), x.Clone()...)
	case Total:
		return tensor.ScalarShape(), nil
	}
	return nil, fmt.Errorf("%q is not an operation", o.Kind)
}
