package trainer

import (
	"context"
	"fmt"

	"sweep/study"
	"sweep/trainer/dataset"
	"sweep/trainer/kernel"
	"sweep/trainer/model"
)

// generatedImages is how many images the picture of a finished variational trial shows.
const generatedImages = 32

// rows are those of a picture of images, their channels and what the network made of them: the images over their
// reconstructions; where the input is made from the image, the input, what became of it, and the image; of a network on
// labels see [LabelRows].
func (c Config) rows(set *dataset.Images, images []int, e Evaluation) (rows [][]float32, channels int) {
	target := func() []float32 { return pictureOf(set, images) }
	switch {
	case c.Labelled():
		return LabelRows(c.Config, set, images, e.Classes), 3
	case c.Corruption().Kind != kernel.Untouched:
		input := model.Inputs(c.Corruption(), set.Channels, set.Pixels, images, c.Seed)
		return [][]float32{input, e.Reconstructions, target()}, set.Channels
	}
	return [][]float32{target(), e.Reconstructions}, set.Channels
}

// generate draws images that the decoder makes of random codes.
func (w *worker) generate(ctx context.Context, slot int, which Which) error {
	r := w.runs[slot]
	c := r.config
	images, err := w.engine.Decode(ctx, slot, which, c.GeneratedCodes(c.Seed, generatedImages))
	if err != nil {
		return fmt.Errorf("generate %d images: %w", generatedImages, err)
	}
	png, err := w.pool.Strip([][]float32{images}, c.Height, c.Width, c.Channels)
	if err != nil {
		return fmt.Errorf("draw the generated images: %w", err)
	}
	r.pending = append(r.pending, study.File{
		Kind: study.GeneratedFile, Name: "generated.png", Media: "image/png", Step: r.stop.BestEpoch, Body: png,
	})
	return nil
}
