package checkpoint_test

import (
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"sweep/study"
	"sweep/study/studytest"
	"sweep/trainer"
	"sweep/trainer/checkpoint"
	"sweep/trainer/kernel"
	"sweep/trainer/model"
	"sweep/trainer/plan"
)

// torchCases are networks that are rebuilt in PyTorch from their model.safetensors. A new kind of layer is a row here and
// a method in tools/torch_model.py. A network whose training is random is compared as it is used.
func torchCases() map[string]model.Config {
	reference := model.Config{
		Channels: 3, Height: 32, Width: 32, Depth: 3, Filters: []int{16, 32, 64}, Kernel: 3, Upsample: "k2", Latent: 128,
		Activation: "relu", OutputActivation: "sigmoid", Loss: "mse", SSIMWeight: 0.5,
	}
	with := func(change func(*model.Config)) model.Config {
		c := reference
		change(&c)
		return c
	}
	return map[string]model.Config{
		"reference": reference,
		"mae":       with(func(c *model.Config) { c.Loss = "mae" }),
		"mse+ssim":  with(func(c *model.Config) { c.Loss = "mse+ssim" }),
		"ssim under its window": with(func(c *model.Config) {
			c.Loss, c.SSIMWeight, c.Height, c.Width, c.Depth, c.OutputActivation = "mse+ssim", 0.8, 9, 7, 2, "none"
		}),
		"leaky, padded, tanh": with(func(c *model.Config) {
			c.Channels, c.Height, c.Width, c.Activation, c.OutputActivation = 1, 28, 30, "leaky_relu", "tanh"
		}),
		"tanh, depth 5, kernel 5": with(func(c *model.Config) {
			c.Depth, c.Kernel, c.Activation, c.Filters = 5, 5, "tanh", []int{5, 6, 7, 8, 9}
		}),
		"gelu, transposed 3x3, odd sides": with(func(c *model.Config) {
			c.Activation, c.Upsample, c.Height, c.Width, c.Depth, c.Latent = "gelu", "k3", 21, 30, 2, 11
		}),
		"batch norm":                 with(func(c *model.Config) { c.Norm = "batch" }),
		"batch norm, transposed 3x3": with(func(c *model.Config) { c.Norm, c.Upsample, c.Activation, c.Depth = "batch", "k3", "tanh", 2 }),
		"layer norm":                 with(func(c *model.Config) { c.Norm, c.Activation, c.Loss = "layer", "leaky_relu", "mae" }),
		"layer norm, padded":         with(func(c *model.Config) { c.Norm, c.Height, c.Width, c.Channels = "layer", 20, 27, 1 }),
		"variational":                with(func(c *model.Config) { c.Variant, c.Beta = "variational", 1 }),
		"batch norm, k3, gelu, padded": with(func(c *model.Config) {
			c.Norm, c.Upsample, c.Activation, c.Height, c.Width, c.Filters = "batch", "k3", "gelu", 28, 30, []int{5, 8, 24}
		}),
		"residual, batch norm":   with(func(c *model.Config) { c.Variant, c.Norm, c.Depth = "residual", "batch", 2 }),
		"skip, layer norm, gelu": with(func(c *model.Config) { c.Variant, c.Norm, c.Activation = "skip", "layer", "gelu" }),
		"layer norm, k3, tanh, padded": with(func(c *model.Config) {
			c.Norm, c.Upsample, c.Activation, c.Channels, c.Height, c.Width = "layer", "k3", "tanh", 1, 28, 30
		}),
		"skip, batch norm":              with(func(c *model.Config) { c.Variant, c.Norm = "skip", "batch" }),
		"skip, leaky, padded":           with(func(c *model.Config) { c.Variant, c.Activation, c.Height, c.Depth = "skip", "leaky_relu", 19, 2 }),
		"residual":                      with(func(c *model.Config) { c.Variant, c.Depth = "residual", 2 }),
		"residual, layer norm, tanh":    with(func(c *model.Config) { c.Variant, c.Norm, c.Activation, c.Depth = "residual", "layer", "tanh", 2 }),
		"segnet, gelu":                  with(func(c *model.Config) { c.Variant, c.Activation = "segnet", "gelu" }),
		"segnet, batch norm, odd sides": with(func(c *model.Config) { c.Variant, c.Norm, c.Height, c.Width, c.Depth = "segnet", "batch", 21, 30, 2 }),
		"attention":                     with(func(c *model.Config) { c.Variant, c.Latent = "attention", 5 }),
		"attention among 240, tanh": with(func(c *model.Config) {
			c.Variant, c.Depth, c.Activation, c.Height, c.Width = "attention", 1, "tanh", 23, 40
		}),
		"sigmoid, no output activation": with(func(c *model.Config) { c.Activation, c.OutputActivation, c.Latent = "sigmoid", "none", 17 }),
	}
}

const (
	torchImages = 6
	// Both are relative to the largest value of an array. Outputs: float32 sums of up to a thousand terms, in another
	// order, through a dozen layers. Gradients are, besides, sums over the batch's pixels of either sign.
	torchOutputs   = 1e-5
	torchGradients = 1e-4
)

// torch returns the interpreter with PyTorch.
func torch(t *testing.T) string {
	t.Helper()
	return studytest.Interpreter(t, "SWEEP_TORCH", "PyTorch and numpy", "models are not loaded into it")
}

// The same architecture and weights give the same outputs and gradients in PyTorch.
func TestTorch(t *testing.T) {
	p := torch(t)
	dir := t.TempDir()
	args := []string{filepath.Join("testdata", "torch_check.py"), filepath.Join("..", "..", "tools")}
	cases := torchCases()
	pixels := map[string][]byte{}
	for name, c := range cases {
		folder := filepath.Join(dir, name)
		if err := os.Mkdir(folder, 0o755); err != nil {
			t.Fatal(err)
		}
		b, err := checkpoint.EncodeModel(trainer.Config{Config: c}, torchWeights(c))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		r := study.Stream(7, 1, study.ForWeights, 0)
		images := make([]byte, torchImages*c.Height*c.Width*c.Channels)
		for i := range images {
			images[i] = byte(r.IntN(256))
		}
		pixels[name] = images
		for file, b := range map[string][]byte{"model.safetensors": b, "images.bin": images} {
			if err := os.WriteFile(filepath.Join(folder, file), b, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		args = append(args, folder)
	}
	said, err := exec.CommandContext(t.Context(), p, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %v: %v\n%s", p, args, err, said)
	}
	t.Logf("%s", said)
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			theirs := floats(t, filepath.Join(dir, name, "torch.bin"))
			for _, kernels := range kernel.Names()[1:] {
				t.Run(kernels, func(t *testing.T) { compareTorch(t, c, kernels, pixels[name], theirs) })
			}
		})
	}
}

// torchWeights are random ones. Gains are about 1 and variances about 4, or the running statistics, which are not those of
// the images, would blow the values up until their last bits are worth more than any tolerance.
func torchWeights(c model.Config) []trainer.Tensor {
	weights := randomWeights(c, 4)
	declared := c.Weights()
	for i := range weights {
		if declared[i].Start != 1 {
			continue
		}
		middle := 1.0
		if declared[i].Buffer {
			middle = 4
		}
		for j, v := range weights[i].Data {
			weights[i].Data[j] = float32(middle * (1 + 0.5*math.Tanh(float64(v))))
		}
	}
	return weights
}

// compareTorch runs c on our kernels and compares with the numbers of torch_check.py.
func compareTorch(t *testing.T, c model.Config, kernels string, pixels []byte, theirs []float32) {
	k, err := kernel.New(kernels)
	if err != nil {
		t.Fatal(err)
	}
	take := func(n int) []float32 {
		if n > len(theirs) {
			t.Fatalf("PyTorch made %d numbers too few", n-len(theirs))
		}
		head := theirs[:n]
		theirs = theirs[n:]
		return head
	}
	training, inference := networks(t, c)
	layout := training.Layout
	w, g := layout.NewBlock(), layout.NewBlock()
	for i, tensor := range torchWeights(c) {
		copy(layout.Of(w, i), tensor.Data)
	}
	batch := plan.Batch{Pixels: pixels}
	for i := range torchImages {
		batch.Images = append(batch.Images, i)
	}
	var arena plan.Arena
	use := plan.NewExec(inference, k, &arena)
	if _, err := use.Run(w, nil, batch); err != nil {
		t.Fatal(err)
	}
	output := cropped(use.Output(torchImages), c)
	near(t, "output", output, take(len(output)), torchOutputs)
	near(t, "code", use.Code(torchImages), take(torchImages*c.Latent), torchOutputs)

	if c.Variant == "variational" {
		return
	}
	batch.Epoch, batch.Step = 1, 1
	sums, err := plan.NewExec(training, k, &arena).Run(w, g, batch)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "loss", []float32{float32(sums.Loss)}, take(1), torchOutputs)
	for i, d := range layout.Weights {
		if d.Name == "enc.attn.k.bias" {
			take(layout.Sizes[i]) // a softmax does not see what all scores of a row have in common: rounding is left
			continue
		}
		if !d.Buffer {
			near(t, "gradient of "+d.Name, layout.Of(g, i), take(layout.Sizes[i]), torchGradients)
		}
	}
	for i, d := range layout.Weights {
		if d.Buffer {
			near(t, d.Name, layout.Of(w, i), take(layout.Sizes[i]), torchOutputs)
		}
	}
	if len(theirs) != 0 {
		t.Errorf("PyTorch made %d numbers too many", len(theirs))
	}
}

func networks(t *testing.T, c model.Config) (training, inference *plan.Program) {
	t.Helper()
	trained, err := model.Build(c, torchImages)
	if err != nil {
		t.Fatal(err)
	}
	used, err := model.Inference(c, torchImages)
	if err != nil {
		t.Fatal(err)
	}
	if training, err = plan.Training(trained); err != nil {
		t.Fatal(err)
	}
	if inference, err = plan.Forward(used); err != nil {
		t.Fatal(err)
	}
	return training, inference
}

// cropped is a network's output on the images' own sides and in their range.
func cropped(m kernel.Map, c model.Config) []float32 {
	var out []float32
	for n := range m.N {
		for y := range c.Height {
			for _, v := range m.Data[m.At(n, y, 0, 0):][:c.Width*c.Channels] {
				if c.OutputActivation == "tanh" {
					v = (v + 1) / 2
				}
				out = append(out, v)
			}
		}
	}
	return out
}

// near compares relative to the largest of want.
func near(t *testing.T, what string, got, want []float32, tolerance float64) {
	t.Helper()
	largest := 0.0
	for _, v := range want {
		largest = max(largest, math.Abs(float64(v)))
	}
	if largest == 0 {
		t.Errorf("%s: all zeros, which tests nothing", what)
	}
	compare(t, what, got, want, tolerance*largest)
}
