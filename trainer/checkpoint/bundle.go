package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"

	"sweep/study"
	"sweep/trainer"
	"sweep/trainer/dataset"
	"sweep/trainer/kernel"
	"sweep/trainer/model"
)

// CheckImages is how many test images the claim of a bundle is about.
const CheckImages = 1000

// mseTolerance is how far a mean squared error may be from the claimed one: onnxruntime and our own code round
// differently, by far less.
const mseTolerance = 1e-6

// PictureImages is how many images each picture of a bundle shows.
const PictureImages = 64

// Bundle is all that goes into a model bundle. Export reads nothing else.
type Bundle struct {
	Study     string
	Trial     int
	Objective study.Objective
	Params    study.Params
	Data      study.Data
	Train     int // images trained on
	Validate  int // images validated on
	Epochs    int // of the sweep file
	Seed      uint64
	// InitFrom names the weights that the trial started from, InitDigest is their file's SHA-256; empty: random ones.
	InitFrom, InitDigest string

	// Model is the trial's best weights as [EncodeModel] wrote them.
	Model []byte
	// Metrics are those of the trial at its best epoch, TestMetrics those on the whole test set.
	Metrics, TestMetrics map[string]float64
	// Baseline is what the model is held against, with test metrics; nil where there is none.
	Baseline *study.Baseline
	// Samples are images of the data set, for the picture of what it is like; the first 64 are shown.
	Samples *dataset.Images
	// Test are the first test images, [CheckImages] of them where there are so many, and Reconstructions what the
	// engine made of them with the best weights, (images, H, W, C) in [0, 1].
	Test            *dataset.Images
	Reconstructions []float32
	// Classes stands in place of Reconstructions for a network on labels: what the engine takes each pixel of Test for,
	// (images, H, W), or each image.
	Classes []byte
	// Generated are images that the decoder of a variational model makes of random codes, (images, H, W, C) in [0, 1].
	Generated []float32
	// Curves is the chart of the trial's losses, an SVG document.
	Curves []byte
	// Versions names the programs, at least "sweep".
	Versions map[string]string
}

// Export writes a model bundle to dir and returns the SHA-256 of its MANIFEST.json. The bundle appears whole or not at
// all. A bundle that stands there already is replaced in one step; an empty folder is filled, the manifest last, without
// which its files are no bundle; anything else is refused.
// The exported model is run first: Export fails when it does not reproduce the engine's error on the test images.
func Export(ctx context.Context, dir string, b Bundle) (manifest string, err error) {
	sum, err := export(ctx, dir, b)
	if err != nil {
		return "", fmt.Errorf("export to %s: %w", dir, err)
	}
	return sum, nil
}

// CheckTarget says whether Export may write to dir, so that a wrong one is told before the model is evaluated.
func CheckTarget(dir string) error {
	if _, err := prepare(dir); err != nil {
		return fmt.Errorf("export to %s: %w", dir, err)
	}
	return nil
}

func export(ctx context.Context, dir string, b Bundle) (string, error) {
	target, err := prepare(dir) // before the work, so that a wrong -o is said at once
	if err != nil {
		return "", err
	}
	files, err := b.files(ctx)
	if err != nil {
		return "", err
	}
	m := Manifest{
		Format: bundleFormat, Study: b.Study, Trial: b.Trial, Data: b.Data, Train: b.Train, Validate: b.Validate, Seed: b.Seed,
		Versions: map[string]string{
			"go": runtime.Version(), "onnx_ir": fmt.Sprint(irVersion), "onnx_opset": fmt.Sprint(opset),
		},
		Files: map[string]FileEntry{},
	}
	for k, v := range b.Versions {
		m.Versions[k] = v
	}
	for name, body := range files {
		m.Files[name] = FileEntry{Size: int64(len(body)), SHA256: digest(body)}
	}
	if files[manifestFile], err = document(m); err != nil {
		return "", err
	}
	if err := ctx.Err(); err != nil {
		return "", err
	}
	return digest(files[manifestFile]), target.write(files)
}

// files makes every file but the manifest.
func (b Bundle) files(ctx context.Context) (map[string][]byte, error) {
	c, weights, err := DecodeModel(b.Model)
	if err != nil {
		return nil, err
	}
	if err := b.check(c); err != nil {
		return nil, err
	}
	files := map[string][]byte{WeightsFile: b.Model, curvesFile: b.Curves}
	if files[modelFile], files[encoderFile], err = ONNX(c, weights); err != nil {
		return nil, err
	}
	if c.Generates() {
		if files[decoderFile], err = DecoderONNX(c, weights); err != nil {
			return nil, err
		}
		if files[generatedFile], err = pile([][]float32{b.Generated}, c.Height, c.Width, c.Channels, gridScale); err != nil {
			return nil, err
		}
	}
	check, err := b.claim(ctx, c, files[modelFile])
	if err != nil {
		return nil, err
	}
	files[metricsFile], err = document(metricsDocument{
		Study: b.Study, Trial: b.Trial, Metrics: numbers(b.Metrics), Test: numbers(b.TestMetrics), Check: check, Baseline: b.baseline(),
	})
	if err != nil {
		return nil, err
	}
	if files[samplesFile], err = Samples(b.Samples.Take(PictureImages)); err != nil {
		return nil, err
	}
	if files[reconstructionsFile], err = b.picture(c); err != nil {
		return nil, err
	}
	files[configFile] = b.config(c)
	files[cardFile] = b.card(c, check)
	return files, nil
}

// check says what of a bundle does not fit together.
func (b Bundle) check(c model.Config) error {
	for what, s := range map[string]*dataset.Images{"samples": b.Samples, "test images": b.Test} {
		if s.Len() == 0 {
			return fmt.Errorf("there are no %s", what)
		}
		if s.Height != c.Height || s.Width != c.Width || s.Channels != c.Channels {
			return fmt.Errorf("the %s are %dx%d with %d channels, the model's images %dx%d with %d",
				what, s.Height, s.Width, s.Channels, c.Height, c.Width, c.Channels)
		}
	}
	switch {
	case c.Labelled() && len(b.Classes) != b.Test.Len()*c.LabelsEach():
		return fmt.Errorf("there are %d predicted classes for %d test images of %d labels", len(b.Classes), b.Test.Len(), c.LabelsEach())
	case c.Labelled():
		if err := trainer.LabelsFit(c, "test", b.Test); err != nil {
			return fmt.Errorf("the test images: %w", err)
		}
	case len(b.Reconstructions) != len(b.Test.Pixels):
		return fmt.Errorf("there are %d values of reconstructions for %d of test images", len(b.Reconstructions), len(b.Test.Pixels))
	case c.Generates() && (len(b.Generated) == 0 || len(b.Generated)%(c.Height*c.Width*c.Channels) != 0):
		return fmt.Errorf("there are %d values of generated images", len(b.Generated))
	}
	switch {
	case len(b.Curves) == 0:
		return errors.New("there is no chart of the curves")
	case b.Study == "" || b.Data.Name == "":
		return errors.New("the study or its data set has no name")
	}
	return nil
}

// picture draws the first test images over what the model makes of them; where its input is made from the image, the input,
// what becomes of it, and the image. For a network on labels see [trainer.LabelRows].
func (b Bundle) picture(c model.Config) ([]byte, error) {
	shown := b.Test.Take(PictureImages)
	if c.Labelled() {
		all := make([]int, shown.Len())
		for i := range all {
			all[i] = i
		}
		rows := trainer.LabelRows(c, shown, all, b.Classes[:len(all)*c.LabelsEach()])
		return pile(rows, c.Height, c.Width, 3, gridScale)
	}
	originals := values(shown.Pixels)
	rows := [][]float32{originals, b.Reconstructions[:len(originals)]}
	if k := c.Corruption(); k.Kind != kernel.Untouched {
		rows = [][]float32{inputsOf(k, shown, b.Seed), rows[1], originals}
	}
	return pile(rows, c.Height, c.Width, c.Channels, gridScale)
}

// inputsOf are what a network with this corruption sees of all images of a set, (images, H, W, C).
func inputsOf(k kernel.Corruption, set *dataset.Images, seed uint64) []float32 {
	images := make([]int, set.Len())
	for i := range images {
		images[i] = i
	}
	return model.Inputs(k, set.Channels, set.Pixels, images, seed)
}

// claim makes sure that the exported model comes to the engine's error on the first test images, fed as the trial was, and
// computes the figure that anyone can repeat.
func (b Bundle) claim(ctx context.Context, c model.Config, onnx []byte) (Check, error) {
	m, err := ReadONNX(onnx)
	if err != nil {
		return Check{}, err
	}
	if c.Labelled() {
		return b.claimLabels(ctx, c, m)
	}
	first := min(CheckImages, b.Test.Len())
	set := b.Test.Take(first)
	trained := meanSquares(set, func(i int) float32 { return min(max(b.Reconstructions[i], 0), 1) })
	own := c.Corruption()
	sums, err := m.compare(ctx, set, own, b.Seed)
	if err != nil {
		return Check{}, err
	}
	found := sums.mse(first)
	if !near(found, trained) {
		return Check{}, fmt.Errorf("the exported model has a mean squared error of %.9f on the first %d test images, the trained one %.9f: "+
			"they should agree to %g; please report this with the study's sweep file", found, first, trained, mseTolerance)
	}
	check := Check{Set: "test", First: first, MSE: study.Number(trained)}
	repeatable, words := c.Repeatable()
	if check.Input = words; repeatable != own {
		if sums, err = m.compare(ctx, set, repeatable, b.Seed); err != nil {
			return Check{}, err
		}
		check.MSE = study.Number(sums.mse(first))
	}
	return check, nil
}

// near holds for two NaN too: a model that was exported although it diverged is at least the same one.
func near(a, b float64) bool {
	return math.Abs(a-b) <= mseTolerance || math.IsNaN(a) && math.IsNaN(b)
}

// meanSquares is the mean squared error of a reconstruction, whose value i in the order of set is at(i).
func meanSquares(set *dataset.Images, at func(i int) float32) float64 {
	sum := 0.0
	for i, v := range values(set.Pixels) {
		d := float64(at(i)) - float64(v)
		sum += d * d
	}
	return sum / float64(len(set.Pixels))
}

// values gives pixels as the model sees them: divided by 255.
func values(pixels []byte) []float32 {
	out := make([]float32, len(pixels))
	for i, p := range pixels {
		out[i] = float32(p) / 255
	}
	return out
}
