package kernel_test

import (
	"fmt"
	"testing"

	"sweep/trainer/kernel"
)

// network is the reference autoencoder, written straight onto the kernels: 32x32x3, three convolutions with ReLU and
// pooling (16, 32, 64 filters), latent 128, three transposed convolutions, sigmoid, MSE, Adam.
type network struct {
	k      kernel.Kernels
	ws     kernel.Workspace
	pixels []byte
	index  []int

	enc, denc [4]kernel.Map // enc[0] the images, enc[i] the i-th pool; their gradients
	dconv     [3]kernel.Map
	arg       [3][]byte
	z, dz     []float32
	dec, ddec [4]kernel.Map // dec[0] the dense layer's output, dec[3] the prediction

	w, g, m, v []float32 // all weights in one run, and their gradients and moments
	layers     []int     // where each begins
	step       int64
}

const latent = 128

var filters = [4]int{3, 16, 32, 64}

func newNetwork(k kernel.Kernels, batch int) *network {
	n := &network{k: k}
	r := random(1)
	n.pixels = make([]byte, 256*32*32*3)
	for i := range n.pixels {
		n.pixels[i] = byte(128 + 60*r.NormFloat64()/3)
	}
	for i := range batch {
		n.index = append(n.index, i*7%256)
	}
	for i := range 4 {
		side := 32 >> i
		pad := 1
		if i == 3 {
			pad = 0
		}
		n.enc[i], n.denc[i] = kernel.NewMap(batch, side, side, filters[i], pad), kernel.NewMap(batch, side, side, filters[i], 0)
		n.dec[3-i], n.ddec[3-i] = kernel.NewMap(batch, side, side, filters[i], 0), kernel.NewMap(batch, side, side, filters[i], 0)
		if i < 3 {
			n.dconv[i] = kernel.NewMap(batch, side, side, filters[i+1], 1)
			n.arg[i] = make([]byte, batch*side*side/4*filters[i+1])
		}
	}
	n.z, n.dz = make([]float32, batch*latent), make([]float32, batch*latent)
	add := func(weights, bias, in int) {
		n.layers = append(n.layers, len(n.w), len(n.w)+weights)
		n.w = append(n.w, floats(r, weights, 1/float64(in))...)
		n.w = append(n.w, make([]float32, bias)...)
	}
	for i := range 3 {
		add(9*filters[i]*filters[i+1], filters[i+1], 3*filters[i])
	}
	add(1024*latent, latent, 32)
	add(latent*1024, 1024, 11)
	for i := 3; i > 0; i-- {
		add(4*filters[i]*filters[i-1], filters[i-1], filters[i])
	}
	n.layers = append(n.layers, len(n.w))
	n.g, n.m, n.v = make([]float32, len(n.w)), make([]float32, len(n.w)), make([]float32, len(n.w))
	return n
}

// at is a layer's weights and bias out of a run like n.w.
func (n *network) at(all []float32, layer int) (w, b []float32) {
	l := n.layers[2*layer:]
	return all[l[0]:l[1]:l[1]], all[l[1]:l[2]:l[2]]
}

func (n *network) train() kernel.Sums {
	k, batch := n.k, len(n.index)
	k.Gather(n.enc[0], n.pixels, 32, 32, n.index)
	for i := range 3 {
		w, b := n.at(n.w, i)
		k.ConvPool(&n.ws, n.enc[i+1], n.arg[i], n.enc[i], w, b, 3, kernel.ReLU)
	}
	w, b := n.at(n.w, 3)
	k.Dense(&n.ws, n.z, n.enc[3].Data, w, b, batch, 1024, latent, kernel.Identity)
	w, b = n.at(n.w, 4)
	k.Dense(&n.ws, n.dec[0].Data, n.z, w, b, batch, latent, 1024, kernel.ReLU)
	for i := range 3 {
		act := kernel.ReLU
		if i == 2 {
			act = kernel.Sigmoid
		}
		w, b = n.at(n.w, 5+i)
		k.ConvT(&n.ws, n.dec[i+1], n.dec[i], w, b, act)
	}
	sums := k.Loss(&n.ws, n.ddec[3], n.dec[3], n.enc[0], kernel.Loss{Kind: kernel.MSE, Output: kernel.Sigmoid, H: 32, W: 32})
	for i := 2; i >= 0; i-- {
		act := kernel.ReLU
		if i == 2 {
			act = kernel.Sigmoid
		}
		w, _ := n.at(n.w, 5+i)
		dw, db := n.at(n.g, 5+i)
		k.ActivationBackward(act, n.ddec[i+1], n.dec[i+1])
		k.ConvTBackwardWeights(&n.ws, dw, db, n.dec[i], n.ddec[i+1])
		k.ConvTBackwardData(&n.ws, n.ddec[i], n.ddec[i+1], w)
	}
	k.ActivationBackward(kernel.ReLU, n.ddec[0], n.dec[0])
	w, _ = n.at(n.w, 4)
	dw, db := n.at(n.g, 4)
	k.DenseBackwardWeights(&n.ws, dw, db, n.z, n.ddec[0].Data, batch, latent, 1024)
	k.DenseBackwardData(&n.ws, n.dz, n.ddec[0].Data, w, batch, latent, 1024)
	w, _ = n.at(n.w, 3)
	dw, db = n.at(n.g, 3)
	k.DenseBackwardWeights(&n.ws, dw, db, n.enc[3].Data, n.dz, batch, 1024, latent)
	k.DenseBackwardData(&n.ws, n.denc[3].Data, n.dz, w, batch, 1024, latent)
	for i := 2; i >= 0; i-- {
		w, _ := n.at(n.w, i)
		dw, db := n.at(n.g, i)
		k.ActivationBackward(kernel.ReLU, n.denc[i+1], n.enc[i+1])
		k.MaxPoolBackward(n.dconv[i], n.denc[i+1], n.arg[i])
		k.ConvBackwardWeights(&n.ws, dw, db, n.enc[i], n.dconv[i], 3)
		if i > 0 {
			k.ConvBackwardData(&n.ws, n.denc[i], n.dconv[i], w, 3)
		}
	}
	k.SumSquares(n.g)
	n.step++
	k.Adam(n.w, n.g, n.m, n.v, kernel.DefaultAdam(1e-3, n.step))
	return sums
}

// TestTraining trains the reference network a few steps: the loss falls, the bits repeat, nothing is allocated, and the
// implementations stay together.
func TestTraining(t *testing.T) {
	first := map[string]float64{}
	each(t, func(t *testing.T, k kernel.Kernels) {
		batch, steps := 8, 6
		if k.Name() == "ref" {
			steps = 3 // slow
		}
		a, b := newNetwork(k, batch), newNetwork(k, batch)
		var losses []float64
		for range steps {
			la, lb := a.train().Loss, b.train().Loss
			if la != lb {
				t.Fatalf("two equal runs have losses %v and %v", la, lb)
			}
			losses = append(losses, la)
		}
		if !(losses[steps-1] < losses[0]) {
			t.Errorf("the loss does not fall: %v", losses)
		}
		first[k.Name()] = losses[2]
		if d := losses[2] - first["ref"]; d*d > 1e-12 {
			t.Errorf("loss of step 3 is %.9f, the reference's %.9f", losses[2], first["ref"])
		}
		if k.Name() == "ref" {
			return
		}
		if allocs := testing.AllocsPerRun(2, func() { a.train() }); allocs != 0 {
			t.Errorf("a step allocates %v times", allocs)
		}
		same(t, "weights", a.w[:len(b.w)], a.w, 0, 0)
	})
}

// BenchmarkTrain is the whole step at batch 64.
func BenchmarkTrain(b *testing.B) {
	for _, name := range kernel.Names()[1:] {
		b.Run(name, func(b *testing.B) {
			k, _ := kernel.New(name)
			n := newNetwork(k, 64)
			n.train()
			for b.Loop() {
				n.train()
			}
			b.ReportMetric(64*float64(b.N)/b.Elapsed().Seconds(), "images/s")
		})
	}
}

// BenchmarkLayer gives each operation of the reference network's layers in GFLOP/s, multiplication and addition counted
// as two. BenchmarkPeak is the roof.
func BenchmarkLayer(b *testing.B) {
	const batch = 64
	for _, name := range kernel.Names()[1:] {
		k, _ := kernel.New(name)
		var ws kernel.Workspace
		r := random(1)
		run := func(what string, flop int, f func()) {
			b.Run(name+"/"+what, func(b *testing.B) {
				f()
				for b.Loop() {
					f()
				}
				b.ReportMetric(float64(flop)*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
			})
		}
		for i := range 3 {
			ci, co, side := filters[i], filters[i+1], 32>>i
			x, y := randomMap(r, batch, side, side, ci, 1, 1), randomMap(r, batch, side, side, co, 1, 1)
			pooled, arg := kernel.NewMap(batch, side/2, side/2, co, 1), make([]byte, batch*side*side/4*co)
			w, bias := floats(r, 9*ci*co, 1), floats(r, co, 1)
			dw, db := make([]float32, len(w)), make([]float32, co)
			flop := 2 * batch * side * side * 9 * ci * co
			what := fmt.Sprintf("conv %d-%d@%d", ci, co, side)
			run(what, flop, func() { k.Conv(&ws, y, x, w, bias, 3, kernel.ReLU) })
			run(what+" pool", flop, func() { k.ConvPool(&ws, pooled, arg, x, w, bias, 3, kernel.ReLU) })
			run(what+" data", flop, func() { k.ConvBackwardData(&ws, x, y, w, 3) })
			run(what+" weights", flop, func() { k.ConvBackwardWeights(&ws, dw, db, x, y, 3) })
		}
		for i := 3; i > 0; i-- {
			ci, co, side := filters[i], filters[i-1], 32>>i
			x, y := randomMap(r, batch, side, side, ci, 0, 1), randomMap(r, batch, 2*side, 2*side, co, 0, 1)
			w, bias := floats(r, 4*ci*co, 1), floats(r, co, 1)
			dw, db := make([]float32, len(w)), make([]float32, co)
			flop := 2 * batch * side * side * 4 * ci * co
			what := fmt.Sprintf("convt %d-%d@%d", ci, co, side)
			run(what, flop, func() { k.ConvT(&ws, y, x, w, bias, kernel.ReLU) })
			run(what+" data", flop, func() { k.ConvTBackwardData(&ws, x, y, w) })
			run(what+" weights", flop, func() { k.ConvTBackwardWeights(&ws, dw, db, x, y) })
		}
		for _, c := range [][2]int{{1024, 128}, {128, 1024}} {
			in, out := c[0], c[1]
			x, y, w, bias := floats(r, batch*in, 1), floats(r, batch*out, 1), floats(r, in*out, 1), floats(r, out, 1)
			dw := make([]float32, len(w))
			flop := 2 * batch * in * out
			what := fmt.Sprintf("dense %d-%d", in, out)
			run(what, flop, func() { k.Dense(&ws, y, x, w, bias, batch, in, out, kernel.ReLU) })
			run(what+" data", flop, func() { k.DenseBackwardData(&ws, x, y, w, batch, in, out) })
			run(what+" weights", flop, func() { k.DenseBackwardWeights(&ws, dw, bias, x, y, batch, in, out) })
		}
	}
}

// BenchmarkElementwise gives the speed of what is not a product, in values a second of the first operand.
func BenchmarkElementwise(b *testing.B) {
	const batch = 64
	for _, name := range kernel.Names()[1:] {
		k, _ := kernel.New(name)
		var ws kernel.Workspace
		r := random(1)
		run := func(what string, values int, f func()) {
			b.Run(name+"/"+what, func(b *testing.B) {
				b.SetBytes(int64(4 * values))
				f()
				for b.Loop() {
					f()
				}
				b.ReportMetric(b.Elapsed().Seconds()*1e9/float64(b.N)/float64(values), "ns/value")
			})
		}
		x, y := randomMap(r, batch, 32, 32, 16, 1, 1), randomMap(r, batch, 16, 16, 16, 0, 1)
		arg := make([]byte, y.Values())
		run("pool", x.Values(), func() { k.MaxPool(y, arg, x) })
		run("unpool", x.Values(), func() { k.MaxPoolBackward(x, y, arg) })
		for _, act := range activations[1:] {
			z := randomMap(r, batch, 32, 32, 3, 0, 1)
			dz := randomMap(r, batch, 32, 32, 3, 0, 1)
			run(act.String(), z.Values(), func() { k.Activate(act, z) })
			run(act.String()+" backward", z.Values(), func() { k.ActivationBackward(act, dz, z) })
		}
		pred, target := lossInput(r, batch, 32, 32, 3, 0, 1, kernel.Identity)
		d := kernel.NewMap(batch, 32, 32, 3, 0)
		for _, l := range losses(32, 32)[:3] {
			run("loss "+l.Kind.String(), pred.Values(), func() { k.Loss(&ws, d, pred, target, l) })
		}
		run("evaluate", pred.Values(), func() { k.Evaluate(&ws, pred, target, losses(32, 32)[0]) })
		pixels, index := make([]byte, batch*32*32*3), make([]int, batch)
		run("gather", target.Values(), func() { k.Gather(target, pixels, 32, 32, index) })
		const n = 300_000
		w, g, m, v := floats(r, n, 1), floats(r, n, 1), make([]float32, n), make([]float32, n)
		run("adam", n, func() { k.Adam(w, g, m, v, kernel.DefaultAdam(1e-3, 5)) })
		run("sgd", n, func() { k.SGD(w, g, m, kernel.SGDStep{LR: 1e-3, Momentum: 0.9, Pull: kernel.Pull{L1: 1e-6, L2: 1e-5}}) })
		bits := make([]byte, x.N*kernel.DropBytes(x.H, x.W, x.C))
		run("drop mask", x.Values(), func() { k.DropMask(&ws, bits, kernel.Stream{}, 0, 6554) })
		run("drop", x.Values(), func() { k.Drop(x, x, bits, 6554) })
		marked := make([]bool, batch)
		for i := range marked {
			marked[i] = i%2 == 0
		}
		run("mirror", target.Values(), func() { k.Mirror(target, 32, marked) })
		run("sum of squares", n, func() { k.SumSquares(w) })
		run("finite", n, func() { k.Finite(w) })
	}
}

// BenchmarkNorm gives what a normalisation costs on the maps of the reference network, in values a second of x.
func BenchmarkNorm(b *testing.B) {
	const batch = 64
	for _, name := range kernel.Names()[1:] {
		k, _ := kernel.New(name)
		var ws kernel.Workspace
		r := random(1)
		for _, c := range []struct {
			side, channels int
			pooled         bool
		}{{32, 16, true}, {16, 32, true}, {8, 64, true}, {8, 32, false}, {16, 16, false}} {
			x, y := randomMap(r, batch, c.side, c.side, c.channels, 1, 1), kernel.NewMap(batch, c.side, c.side, c.channels, 0)
			var picked kernel.Map
			var arg []byte
			if c.pooled {
				y = kernel.NewMap(batch, c.side/2, c.side/2, c.channels, 1)
				picked, arg = kernel.NewMap(batch, c.side/2, c.side/2, c.channels, 0), make([]byte, y.Values())
			}
			stats, n := kernel.NewMap(batch, 1, 1, 2*c.channels, 0), kernel.Norm{Kind: kernel.BatchNorm}
			n.Scale, n.Shift = scaleShift(c.channels)
			dscale, dshift := make([]float32, c.channels), make([]float32, c.channels)
			for what, f := range map[string]func(){
				"moments":   func() { k.Moments(&ws, stats, x) },
				"normalize": func() { k.Normalize(&ws, y, picked, arg, x, stats, n, kernel.ReLU) },
				"backward":  func() { k.NormalizeBackward(&ws, x, dscale, dshift, y, picked, arg, x, stats, n) },
			} {
				b.Run(fmt.Sprintf("%s/%s/%dx%d", name, what, c.side, c.channels), func(b *testing.B) {
					for b.Loop() {
						f()
					}
					b.ReportMetric(b.Elapsed().Seconds()*1e9/float64(b.N)/float64(x.Values()), "ns/value")
				})
			}
		}
	}
}
