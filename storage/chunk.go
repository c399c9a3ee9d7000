package storage

import (
	"encoding/binary"
	"errors"
	"math"
)

// chunkPoints is how many points of one key a full chunk holds.
const chunkPoints = 1000

// sample is a point of one key as an attempt reported it; time is in microseconds.
type sample struct {
	step  int64
	value float64
	time  int64
}

// A chunk's body: a version byte 1, the number of points, then three columns: steps and times as the zigzag varint of
// the change of the change (regular ones take a byte), values as their eight bytes, little end first, so that every NaN
// and infinity comes back as it was.
const chunkVersion = 1

var errChunk = errors.New("a chunk of metric points is damaged")

func encodeChunk(s []sample) []byte {
	b := make([]byte, 0, 16+12*len(s))
	b = append(b, chunkVersion)
	b = binary.AppendUvarint(b, uint64(len(s)))
	b = appendColumn(b, s, func(p sample) int64 { return p.step })
	b = appendColumn(b, s, func(p sample) int64 { return p.time })
	for _, p := range s {
		b = binary.LittleEndian.AppendUint64(b, math.Float64bits(p.value))
	}
	return b
}

func appendColumn(b []byte, s []sample, of func(sample) int64) []byte {
	var last, change int64
	for _, p := range s {
		v := of(p)
		b = binary.AppendVarint(b, v-last-change) // wraps round, and so does the way back
		last, change = v, v-last
	}
	return b
}

func decodeChunk(b []byte) ([]sample, error) {
	if len(b) == 0 || b[0] != chunkVersion {
		return nil, errChunk
	}
	n, used := binary.Uvarint(b[1:])
	if used <= 0 || n > uint64(len(b)) { // a point takes at least ten bytes
		return nil, errChunk
	}
	b = b[1+used:]
	out := make([]sample, n)
	for _, set := range []func(*sample, int64){
		func(p *sample, v int64) { p.step = v },
		func(p *sample, v int64) { p.time = v },
	} {
		var last, change int64
		for i := range out {
			d, used := binary.Varint(b)
			if used <= 0 {
				return nil, errChunk
			}
			b = b[used:]
			change += d
			last += change
			set(&out[i], last)
		}
	}
	if len(b) != 8*len(out) {
		return nil, errChunk
	}
	for i := range out {
		out[i].value = math.Float64frombits(binary.LittleEndian.Uint64(b[8*i:]))
	}
	return out, nil
}

// extremes are the least and greatest number among s, NaN without any.
func extremes(s []sample) (low, high float64) {
	low, high = math.NaN(), math.NaN()
	for _, p := range s {
		if math.IsNaN(p.value) {
			continue
		}
		if math.IsNaN(low) || p.value < low {
			low = p.value
		}
		if math.IsNaN(high) || p.value > high {
			high = p.value
		}
	}
	return low, high
}
