package dataset

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func encodePNG(t testing.TB, img image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	must(t, png.Encode(&b, img))
	return b.Bytes()
}

func encodeJPEG(t testing.TB, img image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	must(t, jpeg.Encode(&b, img, &jpeg.Options{Quality: 95}))
	return b.Bytes()
}

// painted is an image whose pixel (x, y) is at(x, y).
func painted(w, h int, at func(x, y int) color.NRGBA) *image.NRGBA {
	img := image.NewNRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			img.SetNRGBA(x, y, at(x, y))
		}
	}
	return img
}

func grey(v int) color.NRGBA { return color.NRGBA{byte(v), byte(v), byte(v), 255} }

func write(t testing.TB, path string, b []byte) string {
	t.Helper()
	must(t, os.MkdirAll(filepath.Dir(path), 0o755))
	must(t, os.WriteFile(path, b, 0o644))
	return path
}

func TestResample(t *testing.T) {
	for _, c := range []struct {
		name         string
		in           []byte
		h, w, th, tw int
		want         []byte
	}{
		{"as it is", []byte{1, 2, 3, 4}, 2, 2, 2, 2, []byte{1, 2, 3, 4}},
		{"half", []byte{0, 10, 20, 30, 40, 50, 60, 70}, 2, 4, 1, 2, []byte{25, 45}},
		// Result 0 covers values 0 and half of 1, result 1 half of 1 and value 2.
		{"three to two", []byte{0, 30, 90}, 1, 3, 1, 2, []byte{10, 70}},
		{"rounded to the nearest", []byte{0, 1}, 1, 2, 1, 1, []byte{1}},
		{"all white", bytes.Repeat([]byte{255}, 35), 5, 7, 3, 2, bytes.Repeat([]byte{255}, 6)},
		// Centres at -1/4, 1/4, 3/4, 5/4 of the two values' places, cut off at the ends.
		{"twice", []byte{0, 100}, 1, 2, 1, 4, []byte{0, 25, 75, 100}},
		{"one to many", []byte{9}, 1, 1, 3, 2, bytes.Repeat([]byte{9}, 6)},
		{"down and up", []byte{0, 100, 0, 100}, 2, 2, 1, 4, []byte{0, 25, 75, 100}},
	} {
		if got := resample(c.in, c.h, c.w, c.th, c.tw, 1); !bytes.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
	// Every tap's weights add up to the total and stay inside, for hostile pairs of sizes.
	for _, in := range []int{1, 2, 3, 7, 16, 31, 64, 65, 1000, 4097} {
		for _, out := range []int{1, 2, 16, 17, 31, 63, 64} {
			list, total := taps(in, out)
			for i, tap := range list {
				sum := uint64(0)
				for _, w := range tap.weights {
					sum += w
				}
				if sum != total || tap.start < 0 || tap.start+len(tap.weights) > in || len(list) != out {
					t.Fatalf("%d to %d: tap %d is %+v, its weights add up to %d of %d", in, out, i, tap, sum, total)
				}
			}
		}
	}
}

func TestCentre(t *testing.T) {
	for _, c := range []struct {
		h, w, th, tw int
		want         image.Rectangle
	}{
		{10, 10, 5, 5, image.Rect(0, 0, 10, 10)},
		{10, 20, 5, 5, image.Rect(5, 0, 15, 10)},
		{21, 10, 5, 5, image.Rect(0, 5, 10, 15)},
		{40, 40, 28, 20, image.Rect(5, 0, 34, 40)}, // 28.57 wide, so 29
		{1, 1000, 32, 32, image.Rect(499, 0, 500, 1)},
		{1000, 1, 64, 16, image.Rect(0, 498, 1, 502)},
		{2000, 1, 16, 64, image.Rect(0, 999, 1, 1000)}, // a quarter of a row, so one
	} {
		if got := centre(c.h, c.w, c.th, c.tw); got != c.want {
			t.Errorf("%dx%d for %dx%d: %v, want %v", c.h, c.w, c.th, c.tw, got, c.want)
		}
	}
}

func TestPhotos(t *testing.T) {
	dir := t.TempDir()
	ramp := func(x, y int) color.NRGBA { return color.NRGBA{byte(8 * x), byte(8 * y), 77, 255} }
	want := func(w, h int) (out []byte) {
		for y := range h {
			for x := range w {
				c := ramp(x, y)
				out = append(out, c.R, c.G, c.B)
			}
		}
		return out
	}
	paletted := image.NewPaletted(image.Rect(0, 0, 2, 1), color.Palette{grey(3), color.NRGBA{250, 0, 9, 255}})
	paletted.Pix[1] = 1
	deep := image.NewGray16(image.Rect(0, 0, 2, 1))
	deep.SetGray16(1, 0, color.Gray16{0xabcd})
	shifted := image.NewNRGBA(image.Rect(5, 7, 7, 8)) // bounds need not begin at 0
	shifted.SetNRGBA(5, 7, grey(40))
	shifted.SetNRGBA(6, 7, color.NRGBA{0, 0, 0, 0}) // transparent: white
	for _, c := range []struct {
		name string
		body []byte
		h, w int
		want []byte
		from [2]int
		grey bool
	}{
		{"colour.png", encodePNG(t, painted(20, 17, ramp)), 0, 0, want(20, 17), [2]int{17, 20}, false},
		{"palette.png", encodePNG(t, paletted), 0, 0, []byte{3, 3, 3, 250, 0, 9}, [2]int{1, 2}, false},
		{"deep.png", encodePNG(t, deep), 0, 0, []byte{0, 0, 0, 0xab, 0xab, 0xab}, [2]int{1, 2}, true},
		{"clear.png", encodePNG(t, shifted), 0, 0, []byte{40, 40, 40, 255, 255, 255}, [2]int{1, 2}, true},
		{"named wrongly.jpg", encodePNG(t, painted(20, 17, ramp)), 0, 0, want(20, 17), [2]int{17, 20}, false},
		{"cropped.png", encodePNG(t, painted(4, 2, func(x, y int) color.NRGBA { return grey(10*x + 4*y) })), 1, 1, []byte{17, 17, 17}, [2]int{2, 4}, true},
		{"grey.jpg", encodeJPEG(t, image.NewGray(image.Rect(0, 0, 16, 16))), 0, 0, make([]byte, 16*16*3), [2]int{16, 16}, true},
	} {
		p, from, err := new(Photos).Read(write(t, filepath.Join(dir, c.name), c.body), c.h, c.w)
		if err != nil || !bytes.Equal(p.RGB, c.want) || from != c.from || p.Grey() != c.grey {
			t.Errorf("%s: %dx%d of %v, grey %v, %v\n%v\n%v", c.name, p.Height, p.Width, from, p.Grey(), err, p.RGB, c.want)
		}
	}
	whole := encodePNG(t, painted(20, 17, ramp))
	broken := bytes.Clone(whole)
	broken[len(broken)-20] ^= 1 // inside the pixels, under a checksum
	huge := bytes.Clone(whole)
	binary.BigEndian.PutUint32(huge[16:], 1<<30)
	binary.BigEndian.PutUint32(huge[29:], crc32.ChecksumIEEE(huge[12:29]))
	for name, c := range map[string]struct {
		body []byte
		want string
	}{
		"empty.png":  {nil, "no PNG or JPEG"},
		"text.jpg":   {[]byte("hello"), "no PNG or JPEG"},
		"cut.png":    {whole[:len(whole)/2], "damaged"},
		"head.png":   {whole[:20], "cut off"},
		"cut.jpg":    {encodeJPEG(t, painted(64, 64, ramp))[:500], "cut off"},
		"broken.png": {broken, "damaged"},
		"huge.png":   {huge, "17x1073741824 pixels"},
	} {
		if _, _, err := new(Photos).Read(write(t, filepath.Join(dir, name), c.body), 16, 16); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", name, err, c.want)
		}
	}
	if _, _, err := new(Photos).Read(filepath.Join(dir, "none.png"), 16, 16); err == nil || strings.Contains(err.Error(), dir) {
		t.Errorf("a missing file: %v", err)
	}
	large := write(t, filepath.Join(dir, "large.png"), nil)
	must(t, os.Truncate(large, maxFile+1)) // takes no room on the disk
	if _, _, err := new(Photos).Read(large, 16, 16); err == nil || !strings.Contains(err.Error(), "at most 512 are read here") {
		t.Errorf("a file of half a GiB: %v", err)
	}
	if _, _, err := new(Photos).Read(dir, 16, 16); err == nil || !strings.Contains(err.Error(), "no regular file") {
		t.Errorf("a folder: %v", err)
	}
}

// withOrientation puts EXIF data into a JPEG, in one byte order or the other.
func withOrientation(b []byte, o orientation, order binary.AppendByteOrder) []byte {
	tiff := []byte("II")
	if order == binary.BigEndian {
		tiff = []byte("MM")
	}
	tiff = order.AppendUint16(tiff, 42)
	tiff = order.AppendUint32(tiff, 8)
	tiff = order.AppendUint16(tiff, 2)
	for _, entry := range [][4]uint16{{271, 2, 0, 0}, {274, 3, uint16(o), 0}} {
		tiff = order.AppendUint16(tiff, entry[0])
		tiff = order.AppendUint16(tiff, entry[1])
		tiff = order.AppendUint32(tiff, 1)
		tiff = order.AppendUint16(tiff, entry[2])
		tiff = order.AppendUint16(tiff, entry[3])
	}
	body := append([]byte("Exif\x00\x00"), tiff...)
	out := append([]byte{0xff, 0xd8, 0xff, 0xe0, 0, 4, 'x', 'x', 0xff, 0xe1}, byte((len(body)+2)>>8), byte(len(body)+2))
	return slices.Concat(out, body, b[2:])
}

// TestOrientation stores one picture in the eight ways of EXIF and reads it upright each time. The expected place of each
// corner is written out from the standard's words: which upright edge the stored first row and first column are.
func TestOrientation(t *testing.T) {
	dir := t.TempDir()
	// Upright: 32 high, 16 wide, its corners dark to bright: top left, top right, bottom left, bottom right.
	upright := [2][2]int{{0, 80}, {160, 240}}
	rowIs := map[orientation][2]string{
		1: {"top", "left"}, 2: {"top", "right"}, 3: {"bottom", "right"}, 4: {"bottom", "left"},
		5: {"left", "top"}, 6: {"right", "top"}, 7: {"right", "bottom"}, 8: {"left", "bottom"},
	}
	for o, edges := range rowIs {
		w, h := 16, 32
		if o.sideways() {
			w, h = 32, 16
		}
		stored := painted(w, h, func(x, y int) color.NRGBA {
			// Which half of the upright image is the stored pixel's?
			half := map[string]int{"top": 0, "left": 0, "bottom": 0, "right": 0}
			set := func(edge string, far bool) {
				opposite := map[string]string{"top": "bottom", "bottom": "top", "left": "right", "right": "left"}
				if far {
					half[opposite[edge]] = 1
				} else {
					half[edge] = 1
				}
			}
			set(edges[0], y >= h/2)
			set(edges[1], x >= w/2)
			return grey(upright[half["bottom"]][half["right"]])
		})
		var order binary.AppendByteOrder = binary.LittleEndian
		if o%2 == 0 {
			order = binary.BigEndian
		}
		path := write(t, filepath.Join(dir, "x.jpg"), withOrientation(encodeJPEG(t, stored), o, order))
		for _, size := range [][2]int{{0, 0}, {16, 8}} {
			p, from, err := new(Photos).Read(path, size[0], size[1])
			must(t, err)
			if from != [2]int{32, 16} || p.Height != max(size[0], 32*(1-min(size[0], 1))) {
				t.Fatalf("orientation %d: %dx%d of %v", o, p.Height, p.Width, from)
			}
			for y := range 2 {
				for x := range 2 {
					got := int(p.RGB[3*((y*p.Height/2+p.Height/4)*p.Width+x*p.Width/2+p.Width/4)])
					if d := got - upright[y][x]; d < -4 || d > 4 {
						t.Errorf("orientation %d, size %v: the part at %d, %d is %d, want %d", o, size, y, x, got, upright[y][x])
					}
				}
			}
		}
	}
}

func TestResized(t *testing.T) {
	s := &Images{Height: 2, Width: 4, Channels: 3, Labels: []byte{3, 4}, Classes: []string{"a"}}
	for i := range 2 * 2 * 4 * 3 {
		s.Pixels = append(s.Pixels, byte(i*5))
	}
	one := s.Resized(1, 1, 1)
	// Image 0: the four pixels in the middle, whose red values are 15, 30, 75, 90, and green and blue 5 and 10 more.
	if one.Len() != 2 || one.Pixels[0] != 57 || one.Labels[1] != 4 { // 0.299·53 + 0.587·58 + 0.114·63, rounded means
		t.Errorf("%+v", one)
	}
	three := one.Resized(2, 3, 3)
	if three.Len() != 2 || !bytes.Equal(three.Pixels[:18], bytes.Repeat([]byte{one.Pixels[0]}, 18)) {
		t.Errorf("%+v", three)
	}
}

func FuzzOrientation(f *testing.F) {
	b := []byte{0xff, 0xd8, 0xff, 0xda}
	f.Add(withOrientation(b, 6, binary.BigEndian))
	f.Add(withOrientation(b, 3, binary.LittleEndian)[:40])
	f.Add([]byte{0xff, 0xd8, 0xff, 0xe1, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		if o := orientationOf(b); o < 0 || o > 8 {
			t.Fatalf("orientation %d", o)
		}
	})
}
