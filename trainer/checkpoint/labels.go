package checkpoint

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"sweep/study"
	"sweep/trainer"
	"sweep/trainer/dataset"
	"sweep/trainer/kernel"
	"sweep/trainer/model"
)

// logits is the shape of what a network on labels makes of an image.
func logits(c model.Config) []int {
	if c.Task == model.Segment {
		return []int{c.Classes, c.Height, c.Width}
	}
	return []int{c.Classes}
}

// measure runs images, corrupted as k says, through the model of c and compares what comes out with them, or with their
// labels.
func (m *Model) measure(ctx context.Context, c model.Config, set *dataset.Images, k kernel.Corruption, seed uint64) (comparison, error) {
	if c.Labelled() {
		return m.judge(ctx, c, set)
	}
	return m.compare(ctx, set, k, seed)
}

// judge is compare for a network on labels. The sums are the reference kernels'.
func (m *Model) judge(ctx context.Context, c model.Config, set *dataset.Images) (comparison, error) {
	if in := []int{set.Channels, set.Height, set.Width}; !slices.Equal(m.input, in) || !slices.Equal(m.output, logits(c)) {
		return nil, fmt.Errorf("the model turns %v into %v, but the images are %v in %d classes", m.input, m.output, in, c.Classes)
	}
	if err := trainer.LabelsFit(c, "test", set); err != nil {
		return nil, err
	}
	truth, err := kernel.New("ref")
	if err != nil {
		return nil, err
	}
	h, w := 1, 1
	if c.Task == model.Segment {
		h, w = c.Height, c.Width
	}
	const chunk = 256 // images in memory as floats
	size, plane := set.Height*set.Width*set.Channels, h*w
	out := make(comparison, set.Len())
	for at := 0; at < len(out); at += chunk {
		n := min(chunk, len(out)-at)
		input := make([]float32, n*size)
		for i, v := range values(set.Pixels[at*size:][:n*size]) {
			input[place(i, set)] = v
		}
		output, err := m.Run(ctx, input)
		if err != nil {
			return nil, err
		}
		onCores(n, func(turns iter.Seq[int]) {
			var ws kernel.Workspace
			z := kernel.NewMap(1, h, w, c.Classes, 0)
			for i := range turns {
				for k := range plane * c.Classes {
					z.Data[k] = output[i*plane*c.Classes+k%c.Classes*plane+k/c.Classes]
				}
				out[at+i] = truth.CrossEntropy(&ws, kernel.Map{}, z, trainer.Labels(c, set), []int{at + i}, h, w)
			}
		})
	}
	return out, nil
}

// labelTolerance is how far a share of right labels, or a mean IoU, may be from the claimed one: where two logits are
// equal but for rounding, two programs may choose differently. On few labels one of them is more than that.
func labelTolerance(labels int) float64 { return max(1e-3, 1.5/float64(labels)) }

// countLabels are the sums of predicted classes against those of a set.
func countLabels(c model.Config, set *dataset.Images, predicted []byte) (s trainer.Sums) {
	truth := trainer.Labels(c, set)
	s.Images, s.Values = set.Len(), len(truth)
	for i, want := range truth {
		got := predicted[i]
		if got == want {
			s.Right++
		}
		if c.Classes > kernel.MaxMaskClasses {
			continue
		}
		s.Union[want]++
		if got == want {
			s.Intersection[want]++
		} else {
			s.Union[got]++
		}
	}
	return s
}

// figures are a network's figures on the first test images, by the names that a check has for them.
func figures(c model.Config, s trainer.Sums) map[string]float64 {
	out := map[string]float64{}
	for k, v := range trainer.TestMetricsOf(c, s) {
		out[strings.TrimPrefix(k, "test_")] = v
	}
	return out
}

// claimLabels is claim for a network on labels.
func (b Bundle) claimLabels(ctx context.Context, c model.Config, m *Model) (Check, error) {
	first := min(CheckImages, b.Test.Len())
	set := b.Test.Take(first)
	if err := trainer.LabelsFit(c, "test", set); err != nil {
		return Check{}, err
	}
	claimed := figures(c, countLabels(c, set, b.Classes[:first*c.LabelsEach()]))
	sums, err := m.judge(ctx, c, set)
	if err != nil {
		return Check{}, err
	}
	found := figures(c, sums.sums())
	for _, k := range slices.Sorted(maps.Keys(claimed)) {
		if d := math.Abs(found[k] - claimed[k]); !(d <= labelTolerance(len(trainer.Labels(c, set)))) {
			return Check{}, fmt.Errorf("the exported model has a %s of %.6f on the first %d test images, the trained one %.6f: "+
				"they should agree; please report this with the study's sweep file", k, found[k], first, claimed[k])
		}
	}
	return Check{
		Set: "test", First: first,
		MIoU: study.Number(claimed["miou"]), PixelAcc: study.Number(claimed["pixel_acc"]), Acc: study.Number(claimed["acc"]),
	}, nil
}

// Figure is a number that a bundle claims, and what its model comes to.
type Figure struct {
	Name           string
	Claimed, Found float64
}

// checkLabels compares a check with what the model of c comes to on its images.
func (r *Report) checkLabels(c model.Config, sums trainer.Sums) error {
	found := figures(c, sums)
	claimed := map[string]float64{"miou": float64(r.Check.MIoU), "pixel_acc": float64(r.Check.PixelAcc), "acc": float64(r.Check.Acc)}
	for _, k := range slices.Sorted(maps.Keys(found)) {
		r.Figures = append(r.Figures, Figure{k, claimed[k], found[k]})
		if d := math.Abs(found[k] - claimed[k]); !(d <= labelTolerance(sums.Values)) {
			return fmt.Errorf("%s claims a %s of %.6f on the first %d test images of %s, but %s has %.6f: they differ by more than rounding",
				metricsFile, k, claimed[k], r.Check.First, r.Manifest.Data.Name, modelFile, found[k])
		}
	}
	return nil
}

// what the model card says of a network: what it is, what its picture shows, its figure, and what it gives.
type words struct{ is, shows, figure, gives string }

func (b Bundle) words(c model.Config, check Check) words {
	shape := strings.Trim(strings.ReplaceAll(fmt.Sprint(logits(c)), " ", ", "), "[]")
	switch c.Task {
	case model.Segment:
		return words{
			is: fmt.Sprintf("A segmentation: %s go in, and the class of each pixel comes out. The classes are %s; on the way the picture is a code of %d numbers.",
				imagesOf(c), strings.Join(b.Test.MaskClasses, ", "), c.Latent),
			shows:  "Test images, each over what its pixels are and what the model takes them for, a colour for each class.",
			figure: fmt.Sprintf("mean intersection over union on the first %d test images is %.6f, the share of right pixels %.6f", check.First, float64(check.MIoU), float64(check.PixelAcc)),
			gives:  fmt.Sprintf("(8, %s) logits; the class is y.argmax(1)", shape),
		}
	case model.Classify:
		return words{
			is: fmt.Sprintf("A classifier: %s go in, and what they show comes out, by way of a code of %d numbers. The classes are %s.",
				imagesOf(c), c.Latent, strings.Join(b.Test.Classes, ", ")),
			shows:  "Test images, each over green where the model names its class and red where it does not.",
			figure: fmt.Sprintf("share of right answers on the first %d test images is %.6f", check.First, float64(check.Acc)),
			gives:  fmt.Sprintf("(8, %s) logits; the class is y.argmax(1)", shape),
		}
	}
	size := c.Height * c.Width * c.Channels
	return words{
		is: fmt.Sprintf("A convolutional autoencoder: %s go in, a code of %d numbers stands for them, and the images come out again.\n"+
			"That is %.1f values of a picture to a number of the code.", imagesOf(c), c.Latent, float64(size)/float64(c.Latent)),
		shows:  shows(c),
		figure: fmt.Sprintf("mean squared error on the first %d test images is %s", check.First, strconv.FormatFloat(float64(check.MSE), 'g', 8, 64)),
		gives:  fmt.Sprintf("(8, %d, %d, %d) in [0, 1]", c.Channels, c.Height, c.Width),
	}
}
