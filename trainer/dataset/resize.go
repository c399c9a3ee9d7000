package dataset

import "image"

// Fit says in words what [Photos.Read] does to an image that has not the wanted sides.
const Fit = "cropped around its centre to the wanted shape, then resized: each pixel the average of the area that it covers, or between its neighbours where the image is smaller"

// centre is the largest rectangle of height:width in the middle of an image of h x w.
func centre(h, w, height, width int) image.Rectangle {
	ch, cw := h, w
	if w*height > h*width {
		cw = max(1, (h*width+height/2)/height)
	} else {
		ch = max(1, (w*height+width/2)/width)
	}
	y, x := (h-ch)/2, (w-cw)/2
	return image.Rect(x, y, x+cw, y+ch)
}

// tap is what makes one value along an axis: weights of the values from start on.
type tap struct {
	start   int
	weights []uint64
}

// taps turns a line of in values into one of out. The weights of a tap are whole numbers that add up to total, so that
// the result is the same on every machine: on the way down the overlap of the areas, on the way up the distance to the
// two neighbours' centres.
func taps(in, out int) (list []tap, total uint64) {
	list = make([]tap, out)
	if in >= out {
		// In units of 1/out of a value: value p covers [p·out, (p+1)·out), result i covers [i·in, (i+1)·in).
		for i := range list {
			first, end := i*in/out, ((i+1)*in+out-1)/out
			t := tap{start: first}
			for p := first; p < end; p++ {
				t.weights = append(t.weights, uint64(min((p+1)*out, (i+1)*in)-max(p*out, i*in)))
			}
			list[i] = t
		}
		return list, uint64(in)
	}
	// In units of 1/(2·out): result i lies at (2i+1)·in - out from the centre of value 0.
	for i := range list {
		at := min(max((2*i+1)*in-out, 0), (in-1)*2*out)
		p, rest := at/(2*out), at%(2*out)
		t := tap{start: p, weights: []uint64{uint64(2*out - rest)}}
		if rest > 0 {
			t.weights = append(t.weights, uint64(rest))
		}
		list[i] = t
	}
	return list, uint64(2 * out)
}

// resample turns pixels (h, w, c) into (height, width, c), rounding once.
func resample(pixels []byte, h, w, height, width, c int) []byte {
	if h == height && w == width {
		return pixels
	}
	across, tx := taps(w, width)
	down, ty := taps(h, height)
	lines := make([]uint64, h*width*c)
	for y := range h {
		row := pixels[y*w*c:][:w*c]
		for x, t := range across {
			dst := lines[(y*width+x)*c:][:c]
			for k, weight := range t.weights {
				for i, v := range row[(t.start+k)*c:][:c] {
					dst[i] += weight * uint64(v)
				}
			}
		}
	}
	out := make([]byte, height*width*c)
	sums, total := make([]uint64, width*c), tx*ty
	for y, t := range down {
		clear(sums)
		for k, weight := range t.weights {
			for i, v := range lines[(t.start+k)*width*c:][:width*c] {
				sums[i] += weight * v
			}
		}
		for i, s := range sums {
			out[y*width*c+i] = byte((s + total/2) / total)
		}
	}
	return out
}

// Resized gives s with images of another size and number of channels, by the rule of [Fit]; one channel becomes three
// equal ones, three become grey. What is known of single pixels is lost.
func (s *Images) Resized(height, width, channels int) *Images {
	n := s.Len()
	out := &Images{
		Height: height, Width: width, Channels: channels, Labels: s.Labels, Classes: s.Classes,
		Pixels: make([]byte, n*height*width*channels),
	}
	size, to := s.Height*s.Width*s.Channels, height*width*channels
	for i := range n {
		crop := centre(s.Height, s.Width, height, width)
		rgb := make([]byte, 0, 3*crop.Dx()*crop.Dy())
		for y := crop.Min.Y; y < crop.Max.Y; y++ {
			for x := crop.Min.X; x < crop.Max.X; x++ {
				p := s.Pixels[i*size+(y*s.Width+x)*s.Channels:][:s.Channels]
				rgb = append(rgb, p[0], p[s.Channels/3], p[s.Channels/3*2])
			}
		}
		Photo{height, width, resample(rgb, crop.Dy(), crop.Dx(), height, width, 3)}.Pixels(out.Pixels[i*to:][:to], channels)
	}
	return out
}
