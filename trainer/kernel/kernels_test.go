package kernel_test

import (
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sweep/trainer/kernel"
)

func TestNew(t *testing.T) {
	names := kernel.Names()
	if len(names) < 2 || names[0] != "ref" || names[1] != "portable" {
		t.Fatalf("implementations are %v", names)
	}
	if got := kernel.Best().Name(); got != names[len(names)-1] {
		t.Errorf("the best is %q, of %v", got, names)
	}
	for _, name := range names {
		k, err := kernel.New(name)
		if err != nil || k.Name() != name {
			t.Errorf("New(%q) gives %v, %v", name, k, err)
		}
	}
	if _, err := kernel.New("abacus"); err == nil || !strings.Contains(err.Error(), "ref") {
		t.Errorf("an unknown name gives the error %v", err)
	}
}

func TestParse(t *testing.T) {
	for want, name := range []string{"none", "relu", "leaky_relu", "tanh", "sigmoid", "gelu"} {
		got, err := kernel.ParseActivation(name)
		if err != nil || int(got) != want || got.String() != name {
			t.Errorf("activation %q is %v, %v", name, got, err)
		}
	}
	for want, name := range []string{"mse", "mae", "mse+ssim"} {
		got, err := kernel.ParseLoss(name)
		if err != nil || int(got) != want || got.String() != name {
			t.Errorf("loss %q is %v, %v", name, got, err)
		}
	}
	if _, err := kernel.ParseActivation("swish"); err == nil {
		t.Error("swish is an activation")
	}
	if _, err := kernel.ParseLoss(""); err == nil {
		t.Error("nothing is a loss")
	}
	if a, l := kernel.Activation(99).String(), kernel.LossKind(99).String(); a != "Activation(99)" || l != "LossKind(99)" {
		t.Errorf("unknown kinds print as %q and %q", a, l)
	}
}

func TestMap(t *testing.T) {
	m := kernel.NewMap(2, 2, 3, 2, 1)
	if len(m.Data) != kernel.Floats(2, 2, 3, 2, 1) || len(m.Data) != 2*4*5*2+kernel.Slack {
		t.Errorf("a map has %d floats", len(m.Data))
	}
	if m.Row() != 10 || m.Image() != 40 || m.Values() != 24 || m.At(1, -1, -1, 0) != 40 || m.At(1, 1, 2, 1) != 40+2*10+3*2+1 {
		t.Errorf("strides of %+v are wrong", m)
	}
	px := make([]float32, 24)
	for i := range px {
		px[i] = float32(i + 1)
	}
	dirty := poisonedMap(2, 2, 3, 2, 1)
	dirty.SetPixels(px)
	cleanBorder(t, "set", dirty)
	if diff := cmp.Diff(px, dirty.Pixels(nil)); diff != "" {
		t.Error(diff)
	}
	if f := dirty.First(1); f.N != 1 || !cmp.Equal(f.Pixels(nil), px[:12]) {
		t.Errorf("the first image is %v", f)
	}
}

// TestMisuse: wrong sizes are found before anything is read or written.
func TestMisuse(t *testing.T) {
	m := func(n, h, w, c, pad int) kernel.Map { return kernel.NewMap(n, h, w, c, pad) }
	f := func(n int) []float32 { return make([]float32, n) }
	each(t, func(t *testing.T, k kernel.Kernels) {
		var ws kernel.Workspace
		for name, call := range map[string]func(){
			"conv without a border":   func() { k.Conv(&ws, m(1, 4, 4, 2, 0), m(1, 4, 4, 3, 0), f(54), f(2), 3, kernel.ReLU) },
			"conv with an even side":  func() { k.Conv(&ws, m(1, 4, 4, 2, 0), m(1, 4, 4, 3, 1), f(24), f(2), 2, kernel.ReLU) },
			"conv of other sides":     func() { k.Conv(&ws, m(1, 4, 5, 2, 0), m(1, 4, 4, 3, 1), f(54), f(2), 3, kernel.ReLU) },
			"conv of other weights":   func() { k.Conv(&ws, m(1, 4, 4, 2, 0), m(1, 4, 4, 3, 1), f(53), f(2), 3, kernel.ReLU) },
			"conv of another bias":    func() { k.Conv(&ws, m(1, 4, 4, 2, 0), m(1, 4, 4, 3, 1), f(54), f(3), 3, kernel.ReLU) },
			"conv-pool to other size": func() { k.ConvPool(&ws, m(1, 4, 4, 2, 0), make([]byte, 32), m(1, 4, 4, 3, 1), f(54), f(2), 3, 0) },
			"conv-pool without arg":   func() { k.ConvPool(&ws, m(1, 2, 2, 2, 0), nil, m(1, 4, 4, 3, 1), f(54), f(2), 3, 0) },
			"gradient of other size":  func() { k.ConvBackwardData(&ws, m(1, 4, 4, 3, 0), m(2, 4, 4, 2, 1), f(54), 3) },
			"gradient of few weights": func() { k.ConvBackwardWeights(&ws, f(53), f(2), m(1, 4, 4, 3, 1), m(1, 4, 4, 2, 1), 3) },
			"convt of other size":     func() { k.ConvT(&ws, m(1, 8, 9, 2, 0), m(1, 4, 4, 3, 0), f(24), f(2), 0) },
			"convt3 of k2's weights":  func() { k.ConvT3(&ws, m(1, 8, 8, 2, 0), m(1, 4, 4, 3, 0), f(24), f(2), 0) },
			"convt3 of other size":    func() { k.ConvT3BackwardData(&ws, m(1, 4, 4, 3, 0), m(1, 8, 9, 2, 0), f(54)) },
			"convt3 of another bias":  func() { k.ConvT3BackwardWeights(&ws, f(54), f(3), m(1, 4, 4, 3, 0), m(1, 8, 8, 2, 0)) },
			"gelu after its pool": func() {
				k.ConvPool(&ws, m(1, 2, 2, 2, 0), make([]byte, 8), m(1, 4, 4, 3, 1), f(54), f(2), 3, kernel.GELU)
			},
			"activation to a part": func() { k.ActivateTo(0, m(1, 2, 1, 1, 0), m(1, 2, 2, 1, 0)) },
			"moments of other map": func() { k.Moments(&ws, m(1, 1, 1, 3, 0), m(1, 2, 2, 2, 0)) },
			"norm of no kind": func() {
				k.Normalize(&ws, m(1, 2, 2, 1, 0), kernel.Map{}, nil, m(1, 2, 2, 1, 0), m(1, 1, 1, 2, 0), kernel.Norm{Scale: f(1), Shift: f(1)}, 0)
			},
			"norm without a shift": func() {
				k.Normalize(&ws, m(1, 2, 2, 1, 0), kernel.Map{}, nil, m(1, 2, 2, 1, 0), m(1, 1, 1, 2, 0), kernel.Norm{Kind: kernel.BatchNorm, Scale: f(1)}, 0)
			},
			"norm to another size": func() {
				k.NormalizeBackward(&ws, m(1, 2, 2, 1, 0), f(1), f(1), m(1, 1, 1, 1, 0), kernel.Map{}, nil, m(1, 2, 2, 1, 0), m(1, 1, 1, 2, 0), kernel.Norm{Kind: kernel.LayerNorm, Scale: f(1), Shift: f(1)})
			},
			"pool of odd side":        func() { k.MaxPool(m(1, 2, 2, 1, 0), make([]byte, 4), m(1, 5, 4, 1, 0)) },
			"unpool without arg":      func() { k.MaxPoolBackward(m(1, 4, 4, 1, 0), m(1, 2, 2, 1, 0), make([]byte, 3)) },
			"unpool of other size":    func() { k.UnpoolBackward(m(1, 2, 2, 1, 0), m(1, 4, 5, 1, 0), make([]byte, 4)) },
			"sum of other maps":       func() { k.Add(0, m(1, 2, 2, 1, 0), m(1, 2, 2, 1, 0), m(1, 2, 1, 2, 0)) },
			"copy of another map":     func() { k.Copy(m(1, 2, 2, 1, 0), m(1, 1, 4, 1, 0)) },
			"attention of other keys": func() { k.Attention(&ws, m(1, 2, 2, 1, 0), m(1, 2, 2, 1, 0), m(1, 2, 2, 2, 0), m(1, 2, 2, 1, 0)) },
			"dense of few inputs":     func() { k.Dense(&ws, f(4), f(5), f(6), f(2), 2, 3, 2, 0) },
			"dense of few weights":    func() { k.DenseBackwardWeights(&ws, f(5), f(2), f(6), f(4), 2, 3, 2) },
			"activation of other map": func() { k.ActivationBackward(kernel.ReLU, m(1, 2, 2, 1, 0), m(1, 2, 1, 2, 0)) },
			"crop over the side":      func() { k.Evaluate(&ws, m(1, 4, 4, 1, 0), m(1, 4, 4, 1, 0), kernel.Loss{H: 5, W: 4}) },
			"loss of other target":    func() { k.Loss(&ws, m(1, 4, 4, 1, 0), m(1, 4, 4, 1, 0), m(1, 4, 4, 2, 0), kernel.Loss{H: 4, W: 4}) },
			"entropy of other crop":   func() { k.CrossEntropy(&ws, kernel.Map{}, m(1, 4, 4, 3, 0), make([]byte, 20), []int{0}, 5, 4) },
			"entropy of few labels":   func() { k.CrossEntropy(&ws, kernel.Map{}, m(1, 4, 4, 3, 0), make([]byte, 31), []int{1}, 4, 4) },
			"entropy of other images": func() { k.CrossEntropy(&ws, kernel.Map{}, m(2, 4, 4, 3, 0), make([]byte, 32), []int{1}, 4, 4) },
			"entropy of no class":     func() { k.CrossEntropy(&ws, kernel.Map{}, m(1, 1, 1, 3, 0), []byte{3}, []int{0}, 1, 1) },
			"entropy into other map":  func() { k.CrossEntropy(&ws, m(1, 1, 1, 2, 0), m(1, 1, 1, 3, 0), []byte{2}, []int{0}, 1, 1) },
			"gather of no such image": func() { k.Gather(m(1, 4, 4, 1, 0), make([]byte, 32), 4, 4, []int{2}) },
			"gather into few images":  func() { k.Gather(m(1, 4, 4, 1, 0), make([]byte, 32), 4, 4, []int{0, 1}) },
			"drop of few bits":        func() { k.Drop(m(1, 2, 2, 3, 0), m(1, 2, 2, 3, 0), make([]byte, 1), 1) },
			"drop of other size":      func() { k.Drop(m(1, 2, 2, 3, 0), m(1, 2, 2, 4, 0), make([]byte, 2), 1) },
			"part of a random block":  func() { k.Random(make([]uint32, 3), kernel.Stream{}, 0) },
			"mirror over the side":    func() { k.Mirror(m(1, 2, 2, 3, 0), 3, []bool{true}) },
			"mirror of no image":      func() { k.Mirror(m(1, 2, 2, 3, 0), 2, []bool{true, true}) },
			"sgd without momentum":    func() { k.SGD(f(9), f(9), f(8), kernel.SGDStep{LR: 1}) },
			"adam without moments":    func() { k.Adam(f(9), f(9), f(9), f(8), kernel.DefaultAdam(1, 1)) },
			"adam at step 0":          func() { k.Adam(f(9), f(9), f(9), f(9), kernel.DefaultAdam(1, 0)) },
		} {
			t.Run(name, func(t *testing.T) {
				defer func() {
					if msg, ok := recover().(string); !ok || !strings.HasPrefix(msg, "kernel: ") {
						t.Errorf("panics with %v, want a message of this package", msg)
					}
				}()
				call()
			})
		}
	})
}

// TestShared: one value serves goroutines that bring a workspace each, and gives each the same bits.
func TestShared(t *testing.T) {
	each(t, func(t *testing.T, k kernel.Kernels) {
		r := random(1)
		x := randomMap(r, 3, 12, 12, 3, 1, 1)
		w, b := floats(r, 27*20, 1), floats(r, 20, 1)
		var wg sync.WaitGroup
		var got [4]kernel.Map
		for i := range got {
			wg.Go(func() {
				var ws kernel.Workspace
				got[i] = kernel.NewMap(3, 12, 12, 20, 1)
				for range 3 {
					k.Conv(&ws, got[i], x, w, b, 3, kernel.Tanh)
				}
			})
		}
		wg.Wait()
		for _, m := range got[1:] {
			same(t, "output", m.Data, got[0].Data, 0, 0)
		}
	})
}
