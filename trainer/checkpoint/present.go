package checkpoint

import (
	"cmp"
	"fmt"
	"image"
	"image/color"
	"math"
	"slices"
	"strconv"

	"sweep/trainer"
	"sweep/trainer/model"
)

// presenter says what becomes of a model's output for one image: the cells of a table whose columns it names, a picture
// (nil: none), and how wrong it is.
type presenter struct {
	task, table string
	columns     []string
	show        func(input, output []float32) (cells []string, picture image.Image, wrong float64)
}

// presenterOf tells the kinds of model apart by their task and the shape of what they make. A new kind is a case here.
//
//   - An autoencoder makes an image of an image: that is the picture; codes.csv has its squared error.
//   - A segmentation makes a number for each class and pixel: the picture has the colour of each pixel's most likely class;
//     classes.csv has the share of pixels of each class.
//   - A classifier makes a number for each class: probabilities.csv has the most likely one and the probability of each.
func presenterOf(c model.Config, m *Model) (presenter, error) {
	classes, ofPixels := c.Classes, len(m.output) == 3 && slices.Equal(m.output[1:], m.input[1:])
	switch {
	case !c.Labelled() && slices.Equal(m.input, m.output):
		return reconstruction(cmp.Or(c.Task, "reconstruct"), m.input), nil
	case c.Task == model.Segment && ofPixels && m.output[0] == classes:
		return segmentation(m.output), nil
	case c.Task == model.Classify && slices.Equal(m.output, []int{classes}):
		return classification(classes), nil
	}
	return presenter{}, fmt.Errorf("its model, for the task %q, makes %v of an image of %v, and it is not known here what that means",
		c.Task, m.output, m.input)
}

func reconstruction(task string, shape []int) presenter {
	return presenter{task, "codes.csv", []string{"mse"}, func(input, output []float32) ([]string, image.Image, float64) {
		sum := 0.0
		for i, v := range output {
			d := float64(min(max(v, 0), 1)) - float64(input[i])
			sum += d * d
		}
		mse := sum / float64(len(output))
		return []string{strconv.FormatFloat(mse, 'g', 6, 64)}, still(output, shape[0], shape[1], shape[2]), mse
	}}
}

func segmentation(shape []int) presenter {
	classes, h, w := shape[0], shape[1], shape[2]
	return presenter{model.Segment, "classes.csv", numbered("share", classes), func(_, output []float32) ([]string, image.Image, float64) {
		counts := make([]int, classes)
		img := image.NewNRGBA(image.Rect(0, 0, w, h))
		for i := range h * w {
			best := 0
			for k := range classes {
				if output[k*h*w+i] > output[best*h*w+i] {
					best = k
				}
			}
			counts[best]++
			rgb := trainer.ClassColour(best)
			img.SetNRGBA(i%w, i/w, color.NRGBA{rgb[0], rgb[1], rgb[2], 255})
		}
		cells := make([]string, classes)
		for k, n := range counts {
			cells[k] = strconv.FormatFloat(float64(n)/float64(h*w), 'g', 6, 64)
		}
		return cells, img, 0
	}}
}

func classification(classes int) presenter {
	columns := append([]string{"class"}, numbered("p", classes)...)
	return presenter{model.Classify, "probabilities.csv", columns, func(_, output []float32) ([]string, image.Image, float64) {
		// The model's numbers are logits: a softmax makes probabilities of them.
		top := slices.Max(output)
		p, sum := make([]float64, classes), 0.0
		for k, v := range output {
			p[k] = math.Exp(float64(v) - float64(top))
			sum += p[k]
		}
		cells := []string{strconv.Itoa(slices.Index(output, top))}
		for _, v := range p {
			cells = append(cells, strconv.FormatFloat(v/sum, 'g', 6, 64))
		}
		return cells, nil, 0
	}}
}

// numbered is name0, name1, …
func numbered(name string, n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = name + strconv.Itoa(i)
	}
	return out
}
