package checkpoint

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"

	"sweep/trainer/dataset"
)

// The look of picture grids: small images need magnifying, and a gap keeps neighbours apart on any background.
const (
	gridColumns = 16
	gridScale   = 2 // of a bundle's pictures, nearest neighbour: the pixels are what is to be seen
	gridGap     = 2 // between images, in pixels of the picture
	pairGap     = 8 // between one row of pairs and the next
)

// Strip draws rows of images as a PNG with a transparent ground, 16 columns wide: what lies at one place of each row stands
// below each other, such as an image above what became of it. Each row is (n, h, w, c) with values in [0, 1] (what is outside
// is cut off) and c is 1, grey, or 3, RGB. A pixel is a pixel: a study keeps many strips, and a page magnifies them. Equal
// input gives equal bytes.
func Strip(rows [][]float32, h, w, c int) ([]byte, error) { return pile(rows, h, w, c, 1) }

func pile(rows [][]float32, h, w, c, scale int) ([]byte, error) {
	if len(rows) == 0 {
		return nil, errors.New("draw a strip: there are no images")
	}
	n, err := countImages(len(rows[0]), h, w, c)
	if err != nil {
		return nil, fmt.Errorf("draw a strip: %w", err)
	}
	for _, r := range rows {
		if len(r) != len(rows[0]) {
			return nil, fmt.Errorf("draw a strip: %d values of images, but %d of what became of them", len(rows[0]), len(r))
		}
	}
	g := newGrid(n, h, w, c, len(rows), scale)
	size := h * w * c
	for i := range n {
		for place, r := range rows {
			g.put(i, place, func(k int) byte { return level(r[i*size+k]) })
		}
	}
	return g.png()
}

// Samples draws images of a data set as a PNG grid of 16 columns.
func Samples(s *dataset.Images) ([]byte, error) {
	n, err := countImages(len(s.Pixels), s.Height, s.Width, s.Channels)
	if err != nil {
		return nil, fmt.Errorf("draw samples: %w", err)
	}
	g := newGrid(n, s.Height, s.Width, s.Channels, 1, gridScale)
	size := s.Height * s.Width * s.Channels
	for i := range n {
		g.put(i, 0, func(k int) byte { return s.Pixels[i*size+k] })
	}
	return g.png()
}

func countImages(values, h, w, c int) (int, error) {
	const side = 1 << 12
	if h < 1 || w < 1 || h > side || w > side || c != 1 && c != 3 {
		return 0, fmt.Errorf("images of %dx%d with %d channels cannot be drawn", h, w, c)
	}
	if values == 0 || values%(h*w*c) != 0 {
		return 0, fmt.Errorf("%d values are no number of images of %dx%dx%d", values, h, w, c)
	}
	return values / (h * w * c), nil
}

// level turns [0, 1] into 0 … 255. NaN is 0.
func level(v float32) byte {
	if !(v > 0) {
		return 0
	}
	return byte(min(v, 1)*255 + 0.5)
}

// grid is a picture of rows of cells, each cell a pile of images.
type grid struct {
	h, w, c, pile, scale int
	pixels               *image.NRGBA
}

func newGrid(n, h, w, c, pile, scale int) *grid {
	columns := min(n, gridColumns)
	rows := (n + gridColumns - 1) / gridColumns
	g := &grid{h: h, w: w, c: c, pile: pile, scale: scale}
	width := columns*(w*scale+gridGap) - gridGap
	height := rows*(g.cell()+g.gap()) - g.gap()
	g.pixels = image.NewNRGBA(image.Rect(0, 0, width, height))
	return g
}

func (g *grid) cell() int { return g.pile*(g.h*g.scale+gridGap) - gridGap }

func (g *grid) gap() int {
	if g.pile > 1 {
		return pairGap
	}
	return gridGap
}

// put draws an image into place of cell i's pile; at gives its value k, in the order (y, x, channel).
func (g *grid) put(i, place int, at func(k int) byte) {
	left := i % gridColumns * (g.w*g.scale + gridGap)
	top := i/gridColumns*(g.cell()+g.gap()) + place*(g.h*g.scale+gridGap)
	for y := range g.h {
		for x := range g.w {
			k := (y*g.w + x) * g.c
			p := color.NRGBA{at(k), at(k + g.c/3), at(k + g.c/3*2), 255} // channels 0, 1, 2 of three, 0 of one
			for dy := range g.scale {
				for dx := range g.scale {
					g.pixels.SetNRGBA(left+x*g.scale+dx, top+y*g.scale+dy, p)
				}
			}
		}
	}
}

func (g *grid) png() ([]byte, error) {
	var b bytes.Buffer
	// The default compression: the best one is ten times as slow and saves one byte in a hundred.
	if err := png.Encode(&b, g.pixels); err != nil {
		return nil, fmt.Errorf("write a PNG: %w", err)
	}
	return b.Bytes(), nil
}
