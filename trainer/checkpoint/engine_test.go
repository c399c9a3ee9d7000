package checkpoint_test

import (
	"testing"

	"sweep/trainer"
	"sweep/trainer/checkpoint"
	"sweep/trainer/cpu"
	"sweep/trainer/dataset"
	"sweep/trainer/kernel"
)

// TestEngine holds the exported models against the engine that trains: codes and reconstructions of the same images.
func TestEngine(t *testing.T) {
	for name, c := range variants() {
		t.Run(name, func(t *testing.T) {
			weights := randomWeights(c, 3)
			e := export(t, c, 3)
			size := c.Height * c.Width * c.Channels
			set := &dataset.Images{Height: c.Height, Width: c.Width, Channels: c.Channels, Classes: []string{"all"}, Labels: make([]byte, testImages)}
			for i := range testImages {
				for k := range size { // back from (C, H, W)
					v := e.input[i*size+k%c.Channels*(size/c.Channels)+k/c.Channels]
					set.Pixels = append(set.Pixels, byte(v*255+0.5))
				}
			}
			engine := cpu.New("cpu:0", kernel.Best())
			defer engine.Close()
			config := trainer.Config{
				Config: c, Batch: 4, LR: 0.001, Schedule: "constant", Optimizer: "adam", Epochs: 1, Train: set, Validation: set,
			}
			if err := engine.Load(0, config, trainer.Finished(weights)); err != nil {
				t.Fatal(err)
			}
			got, err := engine.Evaluate(t.Context(), 0, trainer.Current, set, nil, trainer.Want{Codes: true, Reconstructions: true})
			if err != nil {
				t.Fatal(err)
			}
			compare(t, "code", e.latent, got.Codes, 2e-5)
			for i := range testImages {
				compare(t, "reconstruction", e.output[i*size:][:size], planes(got.Reconstructions[i*size:][:size], c.Channels), 2e-5)
			}
			// What the engine saves is what a checkpoint holds.
			state, err := engine.Save(0)
			if err != nil {
				t.Fatal(err)
			}
			b, err := checkpoint.Encode(state, config)
			if err != nil {
				t.Fatal(err)
			}
			back, err := checkpoint.Decode(b)
			if err != nil {
				t.Fatal(err)
			}
			engine.Clear(0)
			if err := engine.Load(0, config, back); err != nil {
				t.Errorf("the engine refuses its own state: %v", err)
			}
		})
	}
}
