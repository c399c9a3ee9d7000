package trainer

import (
	"sweep/trainer/dataset"
	"sweep/trainer/model"
)

// classColours are red, green and blue of the classes of a mask, the ground first: far from each other, and none so light
// or dark that it is lost on a page.
var classColours = [...][3]byte{
	{52, 58, 64},
	{230, 75, 53},
	{77, 166, 255},
	{64, 176, 82},
	{255, 196, 37},
	{154, 96, 206},
	{0, 190, 184},
	{255, 133, 27},
	{240, 110, 190},
	{150, 200, 40},
	{160, 110, 70},
	{120, 140, 255},
	{190, 40, 110},
	{0, 120, 110},
	{200, 190, 150},
	{130, 150, 170},
}

// ClassColour is red, green and blue of a class in pictures.
func ClassColour(class int) [3]byte { return classColours[class%len(classColours)] }

// pictureOf gives images by their index as values in 0 … 1, (images, H, W, C).
func pictureOf(s *dataset.Images, images []int) []float32 {
	size := s.Height * s.Width * s.Channels
	out := make([]float32, 0, len(images)*size)
	for _, i := range images {
		for _, p := range s.Pixels[i*size:][:size] {
			out = append(out, float32(p)/255)
		}
	}
	return out
}

// coloured gives each pixel of masks the colour of its class, (…, 3).
func coloured(masks []byte) []float32 {
	out := make([]float32, 0, 3*len(masks))
	for _, m := range masks {
		for _, v := range classColours[int(m)%len(classColours)] {
			out = append(out, float32(v)/255)
		}
	}
	return out
}

// inColour gives values of c channels, 1 or 3, three.
func inColour(values []float32, c int) []float32 {
	if c == 3 {
		return values
	}
	out := make([]float32, 0, 3*len(values))
	for _, v := range values {
		out = append(out, v, v, v)
	}
	return out
}

// LabelRows are the rows of a picture of what a network on labels makes of images, (images, H, W, 3) each. Of a
// segmentation: the images, what their pixels are, and what they are taken for; of a classifier: the images, and green for
// each that is taken for its class, red for each that is not. predicted are an evaluation's Classes of these images.
func LabelRows(c model.Config, s *dataset.Images, images []int, predicted []byte) [][]float32 {
	plane := s.Height * s.Width
	rows := [][]float32{inColour(pictureOf(s, images), s.Channels)}
	if c.Task == model.Segment {
		truth := make([]byte, 0, len(images)*plane)
		for _, i := range images {
			truth = append(truth, s.Masks[i*plane:][:plane]...)
		}
		return append(rows, coloured(truth), coloured(predicted))
	}
	const red, green = 1, 3 // among classColours
	marks := make([]byte, len(images)*plane)
	for k, i := range images {
		mark := byte(red)
		if predicted[k] == s.Labels[i] {
			mark = green
		}
		for p := range plane {
			marks[k*plane+p] = mark
		}
	}
	return append(rows, coloured(marks))
}
