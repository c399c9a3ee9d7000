package trainer_test

import (
	"fmt"
	"slices"
	"testing"

	"sweep/study"
	"sweep/trainer"
	"sweep/trainer/dataset"
	"sweep/trainer/model"
)

// drawn runs one trial of three epochs, the second the best, on images whose values are 51, 102, 153, 204 of 255, and
// returns what was drawn, by the name of the file, and its metrics.
func drawn(t *testing.T, change func(*trainer.Config)) (pictures map[string]string, metrics map[string]float64) {
	t.Helper()
	g := newGround(t, 1, func(s *study.Spec) { s.Epochs = 3 })
	e := newNull("cpu:0", 1)
	e.loss = func(_, epoch int) float64 { return []float64{0, 3, 1, 2}[epoch] }
	p := g.pool(t.Context(), nil, e)
	configure := p.Configure
	p.Configure = func(gr study.Grant) (trainer.Config, error) {
		c, err := configure(gr)
		c.Config = model.Config{Height: 2, Width: 2, Channels: 1, Latent: 5}
		c.Validation = &dataset.Images{Height: 2, Width: 2, Channels: 1, Pixels: []byte{51, 102, 153, 204}}
		change(&c)
		return c, err
	}
	p.Strip = func(rows [][]float32, _, _, _ int) ([]byte, error) {
		for _, r := range rows {
			if len(r) != len(rows[0]) {
				t.Errorf("rows of %d and %d values", len(rows[0]), len(r))
			}
		}
		return fmt.Append(nil, rows), nil
	}
	if err := p.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	d, err := g.db.Detail(t.Context(), g.study.ID, 0)
	if err != nil {
		t.Fatal(err)
	}
	pictures = map[string]string{}
	for _, a := range d.Artifacts {
		if a.Kind == study.StripFile || a.Kind == study.GeneratedFile {
			pictures[a.Name] = string(g.read(a.Digest))
		}
	}
	return pictures, d.Metrics
}

func (g *ground) read(digest string) []byte {
	g.t.Helper()
	f, _, err := g.db.OpenArtifact(g.t.Context(), digest)
	if err != nil {
		g.t.Fatal(err)
	}
	defer f.Close()
	b := make([]byte, 1<<20)
	n, err := f.Read(b)
	if err != nil {
		g.t.Fatal(err)
	}
	return b[:n]
}

// Where the input is made from the image, it stands above what became of it, and the image below.
func TestPoolDrawsInputs(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*trainer.Config)
		want   string
	}{
		"plain":        {func(*trainer.Config) {}, "[[0.2 0.4 0.6 0.8] [2 2 2 2]]"},
		"superresolve": {func(c *trainer.Config) { c.Task = "superresolve" }, "[[0.5 0.5 0.5 0.5] [2 2 2 2] [0.2 0.4 0.6 0.8]]"},
		"mask of all":  {func(c *trainer.Config) { c.Variant, c.Noise, c.NoiseLevel = "denoising", "mask", 1 }, "[[0 0 0 0] [2 2 2 2] [0.2 0.4 0.6 0.8]]"},
	} {
		pictures, metrics := drawn(t, tt.change)
		if got := pictures["epoch-0002.png"]; got != tt.want {
			t.Errorf("%s: drawn %s, want %s", name, got, tt.want)
		}
		if _, ok := pictures["generated.png"]; ok {
			t.Errorf("%s: images were generated", name)
		}
		if _, ok := metrics["val_kl"]; ok {
			t.Errorf("%s: there is a divergence", name)
		}
	}
}

// A variational trial ends with images that its best weights make of random codes.
func TestPoolGenerates(t *testing.T) {
	pictures, metrics := drawn(t, func(c *trainer.Config) { c.Variant = "variational" })
	want := fmt.Sprint([][]float32{slices.Repeat([]float32{2}, 32*4)})
	if got := pictures["generated.png"]; got != want {
		t.Errorf("drawn %s, want %s", got, want)
	}
	if kl, ok := metrics["val_kl"]; !ok || kl != 0 {
		t.Errorf("the divergence is %v, %v", kl, ok)
	}
}
