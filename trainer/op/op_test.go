package op_test

import (
	"fmt"
	"hash"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/chewxy/hm"
	"github.com/google/go-cmp/cmp"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"sweep/trainer/kernel"
	"sweep/trainer/op"
)

// probe is Σ r·y with random r in float64, so that finite differences see nothing but the operation's own rounding. As
// its derivative (grad set) it returns r.
type probe struct {
	r    []float32
	dims int
	grad bool
}

func (p *probe) Arity() int { return 1 }
func (p *probe) Type() hm.Type {
	in := G.TensorType{Dims: p.dims, Of: tensor.Float32}
	if p.grad {
		return hm.NewFnType(in, in)
	}
	return hm.NewFnType(in, tensor.Float64)
}

func (p *probe) InferShape(in ...G.DimSizer) (tensor.Shape, error) {
	if p.grad {
		return in[0].(tensor.Shape).Clone(), nil
	}
	return tensor.ScalarShape(), nil
}

func (p *probe) Do(in ...G.Value) (G.Value, error) {
	if p.grad {
		// A copy: Gorgonia adds the gradients of a value with several readers in place.
		return tensor.New(tensor.WithShape(in[0].Shape()...), tensor.WithBacking(slices.Clone(p.r))), nil
	}
	var sum float64
	for i, v := range in[0].Data().([]float32) {
		sum += float64(p.r[i]) * float64(v)
	}
	return G.NewF64(sum), nil
}
func (p *probe) ReturnsPtr() bool      { return false }
func (p *probe) CallsExtern() bool     { return false }
func (p *probe) OverwritesInput() int  { return -1 }
func (p *probe) WriteHash(h hash.Hash) { fmt.Fprintf(h, "probe %v %v", p.grad, p.dims) }
func (p *probe) String() string        { return "probe" }
func (p *probe) DiffWRT(int) []bool    { return []bool{!p.grad} }
func (p *probe) Hashcode() uint32 {
	h := fnv.New32a()
	p.WriteHash(h)
	return h.Sum32()
}

func (p *probe) SymDiff(in G.Nodes, _, _ *G.Node) (G.Nodes, error) {
	d, err := G.ApplyOp(&probe{r: p.r, dims: p.dims, grad: true}, in[0])
	return G.Nodes{d}, err
}

func must(t *testing.T, n *G.Node, err error) *G.Node {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func random(r *rand.Rand, n int, low, high float64) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(low + (high-low)*r.Float64())
	}
	return x
}

func value(shape []int, x []float32) *tensor.Dense {
	return tensor.New(tensor.WithShape(shape...), tensor.WithBacking(x))
}

// Central differences of float32 operations: an output rounds by 6e-8 of its size, so with a step of 1/64 a difference
// quotient is good to about 1e-5; the curvature of tanh, sigmoid and SSIM adds up to step²·f”' = 1e-3 of the gradient.
const (
	step      = 1.0 / 64
	tolerance = 3e-3
)

func TestGradients(t *testing.T) {
	unary := func(f func(x *G.Node) (*G.Node, error)) func(in []*G.Node) (*G.Node, error) {
		return func(in []*G.Node) (*G.Node, error) { return f(in[0]) }
	}
	binary := func(f func(x, w *G.Node) (*G.Node, error)) func(in []*G.Node) (*G.Node, error) {
		return func(in []*G.Node) (*G.Node, error) { return f(in[0], in[1]) }
	}
	act := func(a kernel.Activation) func(in []*G.Node) (*G.Node, error) {
		return unary(func(x *G.Node) (*G.Node, error) { return op.Activate(x, a) })
	}
	loss := func(k kernel.LossKind, w float64) func(in []*G.Node) (*G.Node, error) {
		return binary(func(p, t *G.Node) (*G.Node, error) { return op.LossOf(p, t, k, w) })
	}
	norm := func(k kernel.NormKind) func(in []*G.Node) (*G.Node, error) {
		return binary(func(x, scale *G.Node) (*G.Node, error) { return op.Normalize(x, scale, k) })
	}
	image := func(signed bool) func(in []*G.Node) (*G.Node, error) {
		return unary(func(x *G.Node) (*G.Node, error) { return op.ToImage(x, 3, 2, signed) })
	}
	attention := func(in []*G.Node) (*G.Node, error) { return op.Attend(in[0], in[1], in[2]) }
	ternary := func(f func(a, b, c *G.Node) (*G.Node, error)) func(in []*G.Node) (*G.Node, error) {
		return func(in []*G.Node) (*G.Node, error) { return f(in[0], in[1], in[2]) }
	}
	kl := func(w float64) func(in []*G.Node) (*G.Node, error) {
		return binary(func(m, v *G.Node) (*G.Node, error) { return op.Divergence(m, v, w) })
	}
	drop := binary(func(x, mask *G.Node) (*G.Node, error) { return op.Dropout(x, mask, 0.25) })
	// A loss of two terms that read the same nodes, as that of a variational network.
	both := binary(func(m, v *G.Node) (*G.Node, error) {
		a, err := op.Divergence(m, v, 2)
		if err != nil {
			return nil, err
		}
		b, err := op.Divergence(v, m, 0.5)
		if err != nil {
			return nil, err
		}
		return op.SumLosses(a, b)
	})
	for _, tt := range []struct {
		name   string
		shapes [][]int
		build  func(in []*G.Node) (*G.Node, error)
		fixed  int // inputs from here on have no derivative
		apart  bool
	}{
		{"conv 1", [][]int{{2, 3, 4, 2}, {1, 1, 2, 3}}, binary(op.Conv2D), 2, false},
		{"conv 3", [][]int{{2, 4, 5, 2}, {3, 3, 2, 3}}, binary(op.Conv2D), 2, false},
		{"conv 5 wider than the image", [][]int{{1, 2, 3, 1}, {5, 5, 1, 2}}, binary(op.Conv2D), 2, false},
		{"conv transpose", [][]int{{2, 3, 2, 3}, {3, 2, 2, 2}}, binary(op.ConvTranspose2D), 2, false},
		{"conv transpose 3", [][]int{{2, 3, 2, 3}, {3, 3, 3, 2}}, binary(op.ConvTranspose2D), 2, false},
		{"batch norm", [][]int{{3, 2, 4, 2}, {2}}, norm(kernel.BatchNorm), 2, false},
		{"layer norm", [][]int{{3, 2, 4, 2}, {2}}, norm(kernel.LayerNorm), 2, false},
		{"dense", [][]int{{3, 5}, {5, 4}}, binary(op.MatMul), 2, false},
		{"bias of maps", [][]int{{2, 3, 2, 3}, {3}}, binary(op.AddBias), 2, false},
		{"bias of rows", [][]int{{4, 3}, {3}}, binary(op.AddBias), 2, false},
		{"relu", [][]int{{2, 3, 3, 2}}, act(kernel.ReLU), 1, true},
		{"leaky relu", [][]int{{2, 7}}, act(kernel.LeakyReLU), 1, true},
		{"tanh", [][]int{{2, 7}}, act(kernel.Tanh), 1, false},
		{"sigmoid", [][]int{{2, 3, 3, 2}}, act(kernel.Sigmoid), 1, false},
		{"gelu", [][]int{{2, 3, 3, 2}}, act(kernel.GELU), 1, false},
		{"pool", [][]int{{2, 4, 6, 2}}, unary(op.MaxPool), 1, true},
		{"unpool", [][]int{{2, 2, 3, 2}, {2, 4, 6, 2}}, binary(op.MaxUnpool), 1, true},
		{"unpool by what pools", [][]int{{2, 4, 6, 2}}, unary(func(x *G.Node) (*G.Node, error) {
			y, err := op.MaxPool(x)
			if err != nil {
				return nil, err
			}
			return op.MaxUnpool(y, x)
		}), 1, true},
		{"sum of maps", [][]int{{2, 3, 2, 2}, {2, 3, 2, 2}}, binary(op.Sum), 2, false},
		{"sum of rows", [][]int{{3, 4}, {3, 4}}, binary(op.Sum), 2, false},
		{"sum with itself through tanh", [][]int{{3, 4}}, unary(func(x *G.Node) (*G.Node, error) {
			y, err := op.Activate(x, kernel.Tanh)
			if err != nil {
				return nil, err
			}
			return op.Sum(x, y)
		}), 1, false},
		{"attention", [][]int{{2, 2, 3, 4}, {2, 2, 3, 4}, {2, 2, 3, 4}}, attention, 3, false},
		{"attention of a pixel to itself", [][]int{{2, 1, 2, 3}}, func(in []*G.Node) (*G.Node, error) {
			return op.Attend(in[0], in[0], in[0])
		}, 1, false},
		{"fold", [][]int{{2, 2, 3, 2}}, unary(func(x *G.Node) (*G.Node, error) { return op.Fold(x, 12) }), 1, false},
		{"crop", [][]int{{2, 4, 4, 2}}, image(false), 1, false},
		{"crop signed", [][]int{{2, 4, 4, 2}}, image(true), 1, false},
		{"mse", [][]int{{2, 3, 4, 2}, {2, 3, 4, 2}}, loss(kernel.MSE, 0), 1, true},
		{"mae", [][]int{{2, 3, 4, 2}, {2, 3, 4, 2}}, loss(kernel.MAE, 0), 1, true},
		{"mse+ssim", [][]int{{2, 12, 11, 2}, {2, 12, 11, 2}}, loss(kernel.MSESSIM, 0.5), 1, true},
		{"cross-entropy of maps", [][]int{{2, 3, 2, 4}, {2, 3, 2}}, binary(op.CrossEntropy), 1, false},
		{"cross-entropy of rows", [][]int{{5, 3}, {5}}, binary(op.CrossEntropy), 1, false},
		{"mse+ssim of small images", [][]int{{2, 4, 7, 1}, {2, 4, 7, 1}}, loss(kernel.MSESSIM, 0.9), 1, true},
		{"dropout of maps", [][]int{{2, 3, 2, 2}, {2, 3, 2, 2}}, drop, 1, false},
		{"dropout of rows", [][]int{{3, 4}, {3, 4}}, drop, 1, false},
		{"sample", [][]int{{3, 5}, {3, 5}, {3, 5}}, ternary(op.DrawCode), 2, false},
		{"kl", [][]int{{3, 5}, {3, 5}}, kl(1), 2, false},
		{"kl weighted", [][]int{{2, 3}, {2, 3}}, kl(0.01), 2, false},
		{"sum of losses", [][]int{{2, 3}, {2, 3}}, both, 2, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(1, 2))
			g := G.NewGraph()
			var nodes []*G.Node
			var data [][]float32
			for i, s := range tt.shapes {
				n := G.NewTensor(g, tensor.Float32, len(s), G.WithShape(s...), G.WithName(fmt.Sprint("in", i)))
				x := random(r, tensor.Shape(s).TotalSize(), -1, 1)
				if tt.apart {
					// Values and their differences stay away from the kinks: distinct multiples of 1/12, shifted.
					for j, p := range r.Perm(len(x)) {
						x[j] = float32(p-len(x)/2)/12 + 1.0/24 + float32(i)/40
					}
				}
				if strings.HasPrefix(tt.name, "mse+ssim") {
					x = random(r, len(x), 0, 1) // images
				}
				if strings.HasPrefix(tt.name, "cross-entropy") && i == 1 {
					for j := range x {
						x[j] = float32(j % 3) // classes
					}
				}
				nodes, data = append(nodes, n), append(data, x)
				if err := G.Let(n, value(s, x)); err != nil {
					t.Fatal(err)
				}
			}
			y := must2(t)(tt.build(nodes))
			cost := y
			if !y.IsScalar() {
				cost = must2(t)(G.ApplyOp(&probe{r: random(r, y.Shape().TotalSize(), -1, 1), dims: y.Dims()}, y))
			}
			grads, err := G.Grad(cost, nodes[:tt.fixed]...)
			if err != nil {
				t.Fatal(err)
			}
			m := G.NewTapeMachine(g.SubgraphRoots(append(G.Nodes{cost}, grads...)...))
			defer m.Close()
			run := func() float64 {
				m.Reset()
				if err := m.RunAll(); err != nil {
					t.Fatal(err)
				}
				switch v := cost.Value().(type) {
				case *G.F64:
					return float64(*v)
				case *G.F32:
					return float64(*v)
				}
				t.Fatalf("the cost is a %T", cost.Value())
				return 0
			}
			run()
			var want [][]float32
			for _, d := range grads {
				want = append(want, append([]float32(nil), d.Value().Data().([]float32)...))
			}
			for i := range nodes[:tt.fixed] {
				var largest float64
				for _, v := range want[i] {
					largest = max(largest, math.Abs(float64(v)))
				}
				if !(largest > 0) || math.IsInf(largest, 0) {
					t.Fatalf("the gradient by input %d is %g at most", i, largest)
				}
				for j := range data[i] {
					x := data[i][j]
					data[i][j] = x + step
					up := run()
					data[i][j] = x - step
					down := run()
					data[i][j] = x
					got := (up - down) / (2 * step)
					if diff := math.Abs(got - float64(want[i][j])); !(diff <= tolerance*largest) {
						t.Errorf("input %d value %d: gradient %g, by differences %g", i, j, want[i][j], got)
					}
				}
			}
		})
	}
}

func must2(t *testing.T) func(*G.Node, error) *G.Node {
	return func(n *G.Node, err error) *G.Node { t.Helper(); return must(t, n, err) }
}

func TestWrongShapes(t *testing.T) {
	g := G.NewGraph()
	in := func(name string, s ...int) *G.Node {
		return G.NewTensor(g, tensor.Float32, len(s), G.WithShape(s...), G.WithName(name))
	}
	x := in("x", 2, 4, 4, 3)
	for name, f := range map[string]func() (*G.Node, error){
		"conv of other channels": func() (*G.Node, error) { return op.Conv2D(x, in("w1", 3, 3, 2, 4)) },
		"conv of an even side":   func() (*G.Node, error) { return op.Conv2D(x, in("w2", 2, 2, 3, 4)) },
		"transpose of side 4":    func() (*G.Node, error) { return op.ConvTranspose2D(x, in("w4", 3, 4, 4, 3)) },
		"norm of other channels": func() (*G.Node, error) { return op.Normalize(x, in("s1", 4), kernel.BatchNorm) },
		"norm by another mean": func() (*G.Node, error) {
			return op.NormalizeBy(x, in("s2", 3), in("m2", 4), in("v2", 3))
		},
		"transpose of other":      func() (*G.Node, error) { return op.ConvTranspose2D(x, in("w3", 4, 2, 2, 3)) },
		"bias of other length":    func() (*G.Node, error) { return op.AddBias(x, in("b", 4)) },
		"fold to another size":    func() (*G.Node, error) { return op.Fold(x, 47) },
		"pool of odd sides":       func() (*G.Node, error) { return op.MaxPool(in("o", 2, 3, 4, 1)) },
		"unpool to other sides":   func() (*G.Node, error) { return op.MaxUnpool(x, in("p", 2, 8, 9, 3)) },
		"sum of different sizes":  func() (*G.Node, error) { return op.Sum(x, in("s", 2, 4, 4, 1)) },
		"attention of two sizes":  func() (*G.Node, error) { return op.Attend(x, x, in("v", 2, 2, 4, 3)) },
		"crop beyond the image":   func() (*G.Node, error) { return op.ToImage(x, 5, 4, false) },
		"loss of different sizes": func() (*G.Node, error) { return op.LossOf(x, in("t", 2, 4, 4, 1), kernel.MSE, 0) },
		"classes of other pixels": func() (*G.Node, error) { return op.CrossEntropy(x, in("c", 2, 4, 3)) },
		"classes of a volume":     func() (*G.Node, error) { return op.CrossEntropy(in("v", 2, 3, 4), in("d", 2, 3)) },
		"dropout by other mask":   func() (*G.Node, error) { return op.Dropout(in("x4", 2, 3), in("k4", 3, 2), 0.5) },
		"code of other widths":    func() (*G.Node, error) { return op.DrawCode(in("m1", 2, 3), in("v1", 2, 3), in("e1", 2, 4)) },
		"divergence of other":     func() (*G.Node, error) { return op.Divergence(in("m2", 2, 3), in("v2", 3, 2), 1) },
		"product of other widths": func() (*G.Node, error) { return op.MatMul(in("r", 2, 3), in("m", 4, 2)) },
	} {
		if _, err := f(); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// Two operations that differ in one attribute only must stay two nodes.
func TestAttributesKeepNodesApart(t *testing.T) {
	g := G.NewGraph()
	x := G.NewTensor(g, tensor.Float32, 4, G.WithShape(1, 4, 4, 1), G.WithName("x"))
	y := G.NewTensor(g, tensor.Float32, 4, G.WithShape(1, 4, 4, 1), G.WithName("y"))
	var nodes []*G.Node
	add := func(n *G.Node, err error) { nodes = append(nodes, must(t, n, err)) }
	for _, a := range []kernel.Activation{kernel.ReLU, kernel.LeakyReLU, kernel.Tanh, kernel.Sigmoid, kernel.GELU} {
		add(op.Activate(x, a))
	}
	scale := G.NewTensor(g, tensor.Float32, 1, G.WithShape(1), G.WithName("scale"))
	add(op.Normalize(x, scale, kernel.BatchNorm))
	add(op.Normalize(x, scale, kernel.LayerNorm))
	add(op.ToImage(x, 4, 4, false))
	add(op.ToImage(x, 4, 4, true))
	for _, k := range []kernel.LossKind{kernel.MSE, kernel.MAE, kernel.MSESSIM} {
		add(op.LossOf(x, y, k, 0.25))
		add(op.LossOf(x, y, k, 0.75))
	}
	m := G.NewTensor(g, tensor.Float32, 2, G.WithShape(2, 3), G.WithName("m"))
	v := G.NewTensor(g, tensor.Float32, 2, G.WithShape(2, 3), G.WithName("v"))
	add(op.Dropout(m, v, 0.25))
	add(op.Dropout(m, v, 0.5))
	add(op.Divergence(m, v, 0.25))
	add(op.Divergence(m, v, 0.75))
	ids := map[int64]bool{}
	for _, n := range nodes {
		ids[n.ID()] = true
	}
	if diff := cmp.Diff(len(nodes), len(ids)); diff != "" {
		t.Errorf("nodes were merged: %s", diff)
	}
}

// The same graph runs a smaller batch: nothing in an operation depends on the batch that it was built for.
func TestBatchIsNotBakedIn(t *testing.T) {
	g := G.NewGraph()
	p := G.NewTensor(g, tensor.Float32, 4, G.WithShape(4, 3, 3, 1), G.WithName("p"))
	tr := G.NewTensor(g, tensor.Float32, 4, G.WithShape(4, 3, 3, 1), G.WithName("t"))
	n := must2(t)(op.LossOf(p, tr, kernel.MSE, 0))
	one := make([]float32, 2*9)
	for i := range one {
		one[i] = 3
	}
	v, err := n.Op().Do(value([]int{2, 3, 3, 1}, one), value([]int{2, 3, 3, 1}, make([]float32, 18)))
	if err != nil {
		t.Fatal(err)
	}
	if got := float32(*v.(*G.F32)); got != 9 {
		t.Errorf("the loss of two images is %g, want 9", got)
	}
}

// By given statistics a channel is moved and stretched, whatever else is in the batch.
func TestNormalizeBy(t *testing.T) {
	g := G.NewGraph()
	in := func(name string, s ...int) *G.Node {
		return G.NewTensor(g, tensor.Float32, len(s), G.WithShape(s...), G.WithName(name))
	}
	n := must2(t)(op.NormalizeBy(in("x", 4, 1, 1, 2), in("s", 2), in("m", 2), in("v", 2)))
	v, err := n.Op().Do(value([]int{2, 1, 1, 2}, []float32{1, 2, 3, 4}), value([]int{2}, []float32{2, -1}),
		value([]int{2}, []float32{1, 3}), value([]int{2}, []float32{4, 0.25}))
	if err != nil {
		t.Fatal(err)
	}
	want := []float64{0, 1 / math.Sqrt(0.25+1e-5), 4 / math.Sqrt(4+1e-5), -1 / math.Sqrt(0.25+1e-5)}
	for i, got := range v.Data().([]float32) {
		if math.Abs(float64(got)-want[i]) > 1e-6 {
			t.Errorf("value %d is %g, want %g", i, got, want[i])
		}
	}
}
