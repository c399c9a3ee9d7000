package dataset

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// The IDX format (LeCun, "The MNIST database"): two zero bytes, the type of a value, the number of dimensions, each
// dimension as a big-endian 32-bit number, then the values row by row.
const (
	idxBytes   = 0x08 // the type: unsigned bytes
	idxMaxDims = 4
)

// idxSize is the size in bytes of a file of these dimensions.
func idxSize(dims ...int) int64 {
	n := int64(1)
	for _, d := range dims {
		n *= int64(d)
	}
	return int64(4+4*len(dims)) + n
}

// readIDX reads a file of unsigned bytes to its end. It refuses another type, more than most values, and a file that ends
// before its last value or goes on after it.
func readIDX(r io.Reader, most int) (dims []int, values []byte, err error) {
	var head [4]byte
	if err := readFull(r, head[:], "its head"); err != nil {
		return nil, nil, err
	}
	switch {
	case head[0] != 0 || head[1] != 0:
		return nil, nil, fmt.Errorf("it begins with %#x, but an IDX file with two zero bytes", head[:])
	case head[2] != idxBytes:
		return nil, nil, fmt.Errorf("its values are of type %#02x, but %#02x, unsigned bytes, is understood here", head[2], idxBytes)
	case head[3] < 1 || head[3] > idxMaxDims:
		return nil, nil, fmt.Errorf("it has %d dimensions: 1 to %d are understood here", head[3], idxMaxDims)
	}
	sides := make([]byte, 4*head[3])
	if err := readFull(r, sides, "its dimensions"); err != nil {
		return nil, nil, err
	}
	n := 1
	for i := range int(head[3]) {
		d := int(binary.BigEndian.Uint32(sides[4*i:]))
		if d < 1 || d > most/n {
			return nil, nil, fmt.Errorf("its dimensions %v… have no values, or more than %d", append(dims, d), most)
		}
		n *= d
		dims = append(dims, d)
	}
	// The values come in pieces, so that a short file that promises much takes little memory.
	for len(values) < n {
		from := len(values)
		values = append(values, make([]byte, min(1<<20, n-from))...)
		if err := readFull(r, values[from:], fmt.Sprintf("its %d values", n)); err != nil {
			return nil, nil, err
		}
	}
	switch _, err := io.ReadFull(r, head[:1]); {
	case err == nil:
		return nil, nil, fmt.Errorf("there are bytes after its %d values", n)
	case !errors.Is(err, io.EOF):
		return nil, nil, err
	}
	return dims, values, nil
}

func readFull(r io.Reader, b []byte, what string) error {
	_, err := io.ReadFull(r, b)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("it ends before the end of %s: %w", what, io.ErrUnexpectedEOF)
	}
	return err
}
