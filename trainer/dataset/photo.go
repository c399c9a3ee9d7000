package dataset

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"
	imagedraw "image/draw"
	_ "image/jpeg" // the formats that Decode knows
	_ "image/png"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// What a file may hold: a few bytes can promise any number of pixels, and a folder any number of bytes.
const (
	maxPhoto = 1 << 27 // pixels
	maxFile  = 1 << 29 // bytes
	// largePhoto is from how many pixels on images are decoded one at a time: each takes some 14 bytes a pixel meanwhile.
	largePhoto = 1 << 24
)

// IsPhoto reports whether a file's name is one of an image that can be read here: PNG or JPEG.
func IsPhoto(name string) bool {
	switch strings.ToLower(filepath.Ext(name)) {
	case ".png", ".jpg", ".jpeg":
		return true
	}
	return false
}

// Photo is an image from a file, its pixels in RGB of 8 bits, upright.
type Photo struct {
	Height, Width int
	RGB           []byte // pixel (y, x) at 3·(y·Width + x)
}

// Grey reports whether no pixel has a colour.
func (p Photo) Grey() bool {
	for i := 0; i+2 < len(p.RGB); i += 3 {
		if p.RGB[i] != p.RGB[i+1] || p.RGB[i] != p.RGB[i+2] {
			return false
		}
	}
	return true
}

// Pixels writes p into dst with 3 channels, or with 1, grey by the weights of ITU-R BT.601, which leave grey as it is.
func (p Photo) Pixels(dst []byte, channels int) {
	if channels == 3 {
		copy(dst, p.RGB)
		return
	}
	for i := range p.Height * p.Width {
		c := p.RGB[3*i:][:3]
		dst[i] = color.GrayModel.Convert(color.NRGBA{c[0], c[1], c[2], 255}).(color.Gray).Y
	}
}

// openPhoto reads a file whose head says what it is; the sides are those of the upright image.
func openPhoto(path string) (content []byte, height, width int, turn orientation, err error) {
	info, err := os.Stat(path)
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("it is no regular file")
	}
	if err == nil && info.Size() > maxFile {
		err = fmt.Errorf("it has %d MiB: at most %d are read here, so save it smaller", info.Size()>>20, maxFile>>20)
	}
	if err != nil {
		return nil, 0, 0, 0, unwrapPath(err)
	}
	content, err = os.ReadFile(path)
	if err != nil {
		return nil, 0, 0, 0, unwrapPath(err)
	}
	head, _, err := image.DecodeConfig(bytes.NewReader(content))
	if err != nil {
		return nil, 0, 0, 0, unreadable(err)
	}
	if head.Width < 1 || head.Height < 1 || head.Width > maxPhoto/head.Height {
		return nil, 0, 0, 0, fmt.Errorf("it has %dx%d pixels: from 1 to %d are read here", head.Height, head.Width, maxPhoto)
	}
	turn = orientationOf(content)
	if turn.sideways() {
		return content, head.Width, head.Height, turn, nil
	}
	return content, head.Height, head.Width, turn, nil
}

// Photos reads photographs, from several goroutines too: large ones one at a time, so that memory holds them. The zero value
// is ready.
type Photos struct{ large sync.Mutex }

// Read reads a PNG or JPEG file, turned upright as its EXIF data say; what is transparent lies on white. With sides given it
// is cropped and resized to them as [Fit] says. Otherwise, with 0 and 0, it keeps its own. from is the size that the file
// has.
func (ps *Photos) Read(path string, height, width int) (p Photo, from [2]int, err error) {
	content, h, w, turn, err := openPhoto(path)
	if err != nil {
		return p, from, err
	}
	if h*w >= largePhoto {
		ps.large.Lock()
		defer ps.large.Unlock()
	}
	if height == 0 {
		height, width = h, w
	}
	img, _, err := image.Decode(bytes.NewReader(content))
	if err != nil {
		return p, from, unreadable(err)
	}
	toH, toW := height, width
	if turn.sideways() {
		toH, toW = width, height
	}
	b := img.Bounds()
	if turn.sideways() && (b.Dx() != h || b.Dy() != w) || !turn.sideways() && (b.Dx() != w || b.Dy() != h) {
		return p, from, errors.New("it is damaged: its head and its pixels have different sizes")
	}
	crop := centre(b.Dy(), b.Dx(), toH, toW)
	flat := image.NewRGBA(image.Rect(0, 0, crop.Dx(), crop.Dy()))
	imagedraw.Draw(flat, flat.Rect, image.White, image.Point{}, imagedraw.Src)
	imagedraw.Draw(flat, flat.Rect, img, b.Min.Add(crop.Min), imagedraw.Over)
	rgb := make([]byte, 3*crop.Dx()*crop.Dy())
	for i := range crop.Dx() * crop.Dy() {
		copy(rgb[3*i:3*i+3], flat.Pix[4*i:])
	}
	rgb = resample(rgb, crop.Dy(), crop.Dx(), toH, toW, 3)
	return Photo{height, width, turn.upright(rgb, toH, toW)}, [2]int{h, w}, nil
}

// unreadable says in plain words why an image cannot be decoded.
func unreadable(err error) error {
	switch {
	case errors.Is(err, image.ErrFormat):
		return errors.New("it is no PNG or JPEG")
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("it is cut off")
	}
	return fmt.Errorf("it is damaged: %w", err)
}

// unwrapPath drops the path, which whoever reports the error names.
func unwrapPath(err error) error {
	if e, ok := errors.AsType[*os.PathError](err); ok {
		return e.Err
	}
	return err
}
