package model_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"sweep/trainer/kernel"
	"sweep/trainer/model"
)

func small() model.Config {
	return model.Config{
		Channels: 1, Height: 8, Width: 6, Depth: 1, Filters: []int{4}, Kernel: 3, Upsample: "k2", Latent: 6,
		Activation: "relu", OutputActivation: "sigmoid", Loss: "mse", SSIMWeight: 0.5,
	}
}

// Gorgonia's TapeMachine over the plain kernels trains the network: this is the oracle that plans are compared with.
func TestTapeMachineTrains(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*model.Config)
	}{
		{"reference", func(*model.Config) {}},
		{"deep, odd sides, tanh, ssim", func(c *model.Config) {
			c.Depth, c.Filters, c.Height, c.Width = 2, []int{4, 6}, 9, 13
			c.Activation, c.OutputActivation, c.Loss = "leaky_relu", "tanh", "mse+ssim"
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := small()
			tt.change(&c)
			const batch = 6
			net, err := model.Build(c, batch)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tensor.Shape{batch, c.Latent}, net.Code.Shape()); diff != "" {
				t.Errorf("code: %s", diff)
			}
			if diff := cmp.Diff(tensor.Shape{batch, c.Height, c.Width, 1}, net.Output.Shape()); diff != "" {
				t.Errorf("output: %s", diff)
			}
			hp, wp := c.Padded()
			in, target := kernel.NewMap(batch, hp, wp, 1, 0), kernel.NewMap(batch, c.Height, c.Width, 1, 0)
			r := rand.New(rand.NewPCG(3, 4))
			for n := range batch {
				cy, cx := r.IntN(c.Height), r.IntN(c.Width)
				for y := range c.Height {
					for x := range c.Width {
						v := float32(math.Exp(-float64((y-cy)*(y-cy)+(x-cx)*(x-cx)) / 8))
						in.Data[in.At(n, y, x, 0)], target.Data[target.At(n, y, x, 0)] = v, v
					}
				}
			}
			let := func(n *G.Node, x []float32) {
				if err := G.Let(n, tensor.New(tensor.WithShape(n.Shape()...), tensor.WithBacking(x))); err != nil {
					t.Fatal(err)
				}
			}
			let(net.Input, in.Pixels(nil))
			let(net.Target, target.Pixels(nil))
			weights := model.Init(c, 1, 0)
			var m, v [][]float32
			for i, w := range weights {
				let(net.Weights[i], w)
				m, v = append(m, make([]float32, len(w))), append(v, make([]float32, len(w)))
			}
			ref, err := kernel.New("ref")
			if err != nil {
				t.Fatal(err)
			}
			tape := G.NewTapeMachine(net.Graph.SubgraphRoots(append(G.Nodes{net.Loss}, net.Grads...)...))
			defer tape.Close()
			var first, last float64
			for step := range 60 {
				tape.Reset()
				if err := tape.RunAll(); err != nil {
					t.Fatal(err)
				}
				last = float64(*net.Loss.Value().(*G.F32))
				if step == 0 {
					first = last
				}
				for i, w := range weights {
					ref.Adam(w, net.Grads[i].Value().Data().([]float32), m[i], v[i], kernel.DefaultAdam(0.02, int64(step+1)))
				}
			}
			if !(last < first/3) {
				t.Errorf("60 steps took the loss from %g to %g only", first, last)
			}
		})
	}
}

func TestBuildRefuses(t *testing.T) {
	c := small()
	c.Depth = 4
	if _, err := model.Build(c, 8); err == nil {
		t.Error("a network that is too deep was built")
	}
	if _, err := model.Build(small(), 0); err == nil {
		t.Error("a network for no images was built")
	}
}

// Run with -race: building is serialised inside, so that pools may build in parallel.
func TestBuildInParallel(t *testing.T) {
	var wg sync.WaitGroup
	errs := make([]error, 4)
	for i := range errs {
		wg.Go(func() {
			net, err := model.Build(small(), i+1)
			if err == nil && len(net.Grads) != len(net.Config.Weights()) {
				err = fmt.Errorf("%d gradients", len(net.Grads))
			}
			errs[i] = err
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			t.Error(err)
		}
	}
}
