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

// generate has images drawn that the decoder makes of random codes.
func (x *slot) generate(ctx context.Context, which Which) error {
	c := x.run.config
	images, err := x.engine.Decode(ctx, x.index, which, c.GeneratedCodes(c.Seed, generatedImages))
	if err != nil {
		return fmt.Errorf("generate %d images: %w", generatedImages, err)
	}
	return x.picture(study.File{Kind: study.GeneratedFile, Name: "generated.png", Media: "image/png", Step: x.run.stop.BestEpoch},
		4*len(images), func() ([]byte, error) {
			png, err := x.pool.Strip([][]float32{images}, c.Height, c.Width, c.Channels)
			if err != nil {
				return nil, fmt.Errorf("draw the generated images: %w", err)
			}
			return png, nil
		})
}
