package dataset

import (
	"bytes"
	"encoding/binary"
)

// orientation is how the stored rows and columns of a photograph lie to the upright image, as EXIF numbers it (CIPA
// DC-008, tag 274): 1 upright, 2 mirrored, 3 upside down, 4 both; 5 to 8 the same with rows and columns exchanged. 0
// stands for 1.
type orientation int

// sideways tells that stored rows are the upright image's columns.
func (o orientation) sideways() bool { return o >= 5 }

// orientationOf reads the tag from a JPEG's head. Anything that is not understood is upright: such data are often odd, and
// the image is there all the same.
func orientationOf(b []byte) orientation {
	if len(b) < 4 || b[0] != 0xff || b[1] != 0xd8 {
		return 0
	}
	for b = b[2:]; len(b) >= 4 && b[0] == 0xff; {
		marker, size := b[1], int(binary.BigEndian.Uint16(b[2:]))
		if marker == 0xda || size < 2 || len(b) < 2+size { // the pixels begin, or the file ends
			return 0
		}
		if body, ok := bytes.CutPrefix(b[4:2+size], []byte("Exif\x00\x00")); ok && marker == 0xe1 {
			return tiffOrientation(body)
		}
		b = b[2+size:]
	}
	return 0
}

// tiffOrientation finds the tag in the first directory of a TIFF file, which is what EXIF data are.
func tiffOrientation(b []byte) orientation {
	if len(b) < 8 {
		return 0
	}
	var order binary.ByteOrder = binary.LittleEndian
	if b[0] == 'M' {
		order = binary.BigEndian
	}
	at := int64(order.Uint32(b[4:]))
	if order.Uint16(b[2:]) != 42 || at+2 > int64(len(b)) {
		return 0
	}
	const entry, tag, short = 12, 274, 3
	entries := b[at+2:]
	for range order.Uint16(b[at:]) {
		if len(entries) < entry {
			return 0
		}
		if order.Uint16(entries) == tag && order.Uint16(entries[2:]) == short {
			if v := order.Uint16(entries[8:]); v >= 1 && v <= 8 {
				return orientation(v)
			}
			return 0
		}
		entries = entries[entry:]
	}
	return 0
}

// upright turns stored pixels (h, w, 3) into those of the upright image: (w, h, 3) when they lie sideways.
func (o orientation) upright(rgb []byte, h, w int) []byte {
	if o <= 1 {
		return rgb
	}
	height, width := h, w
	if o.sideways() {
		height, width = w, h
	}
	out := make([]byte, len(rgb))
	for y := range height {
		for x := range width {
			sy, sx := y, x
			switch o {
			case 2:
				sx = w - 1 - x
			case 3:
				sy, sx = h-1-y, w-1-x
			case 4:
				sy = h - 1 - y
			case 5:
				sy, sx = x, y
			case 6: // the stored top is the upright right
				sy, sx = h-1-x, y
			case 7:
				sy, sx = h-1-x, w-1-y
			case 8:
				sy, sx = x, w-1-y
			}
			copy(out[3*(y*width+x):][:3], rgb[3*(sy*w+sx):])
		}
	}
	return out
}
