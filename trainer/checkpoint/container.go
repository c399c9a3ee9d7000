package checkpoint

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"

	"sweep/trainer"
	"sweep/trainer/model"
)

// The container is the safetensors format (github.com/huggingface/safetensors, "Format"): eight bytes of header length,
// little-endian, a JSON header, the tensors' bytes. Ours is one of several ways to write a file of that format: the
// metadata come first and in them "sha256", which is over the whole file with its own 64 digits as zeros; tensors lie in
// the order of the header without gaps; the header is padded with spaces to a multiple of eight.
const (
	sumAt     = `{"__metadata__":{"sha256":"`
	sumDigits = 2 * sha256.Size
	maxHeader = 16 << 20
)

type entry struct {
	DType   string   `json:"dtype"`
	Shape   []int    `json:"shape"`
	Offsets [2]int64 `json:"data_offsets"`
}

// pack writes metadata and tensors. Names are unique, no tensor is empty, and "sha256" is no key of meta.
func pack(meta map[string]string, tensors []trainer.Tensor) ([]byte, error) {
	size := 0
	seen := make(map[string]bool, len(tensors))
	for _, t := range tensors {
		n, ok := elements(t.Shape)
		if !ok || n != len(t.Data) {
			return nil, fmt.Errorf("tensor %s has %d values for the shape %v", t.Name, len(t.Data), t.Shape)
		}
		if seen[t.Name] || t.Name == "__metadata__" {
			return nil, fmt.Errorf("two tensors are called %s", t.Name)
		}
		seen[t.Name] = true
		size += 4 * n
	}
	head, err := header(meta, tensors)
	if err != nil {
		return nil, err
	}
	b := make([]byte, 8, 8+len(head)+size)
	binary.LittleEndian.PutUint64(b, uint64(len(head)))
	b = append(b, head...)
	for _, t := range tensors {
		for _, v := range t.Data {
			b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
		}
	}
	sum := checksum(b)
	copy(b[8+len(sumAt):], sum[:])
	return b, nil
}

// header makes the JSON with zeros for the checksum.
func header(meta map[string]string, tensors []trainer.Tensor) ([]byte, error) {
	var b bytes.Buffer
	b.WriteString(sumAt)
	for range sumDigits {
		b.WriteByte('0')
	}
	b.WriteByte('"')
	put := func(v any) error {
		j, err := json.Marshal(v)
		b.Write(j)
		return err
	}
	for _, k := range slices.Sorted(maps.Keys(meta)) {
		b.WriteByte(',')
		if err := errors.Join(put(k), b.WriteByte(':'), put(meta[k])); err != nil {
			return nil, err
		}
	}
	b.WriteByte('}')
	at := int64(0)
	for _, t := range tensors {
		b.WriteByte(',')
		end := at + 4*int64(len(t.Data))
		if err := errors.Join(put(t.Name), b.WriteByte(':'), put(entry{"F32", t.Shape, [2]int64{at, end}})); err != nil {
			return nil, err
		}
		at = end
	}
	b.WriteByte('}')
	for b.Len()%8 != 0 {
		b.WriteByte(' ')
	}
	if b.Len() > maxHeader {
		return nil, fmt.Errorf("the header would take %d bytes", b.Len())
	}
	return b.Bytes(), nil
}

// checksum is the hexadecimal SHA-256 over b with zeros where the checksum stands.
func checksum(b []byte) (digits [sumDigits]byte) {
	at := 8 + len(sumAt)
	h := sha256.New()
	h.Write(b[:at])
	h.Write(bytes.Repeat([]byte("0"), sumDigits))
	h.Write(b[at+sumDigits:])
	hex.Encode(digits[:], h.Sum(nil))
	return digits
}

// Errors of a container that is not what pack wrote.
var (
	errForeign = errors.New("this is no file of sweep's")
	errDamaged = errors.New("the file is damaged: its checksum does not fit its bytes")
)

// unpack reads exactly what pack writes; every other byte sequence is an error.
func unpack(b []byte) (map[string]string, []trainer.Tensor, error) {
	if len(b) < 8+len(sumAt)+sumDigits || string(b[8:8+len(sumAt)]) != sumAt {
		return nil, nil, errForeign
	}
	if want := checksum(b); string(want[:]) != string(b[8+len(sumAt):][:sumDigits]) {
		return nil, nil, errDamaged
	}
	length := binary.LittleEndian.Uint64(b)
	if length > maxHeader || length > uint64(len(b)-8) {
		return nil, nil, fmt.Errorf("the header of %d bytes is longer than the file of %d", length, len(b))
	}
	head, data := b[8:8+length], b[8+length:]
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(head, &raw); err != nil {
		return nil, nil, fmt.Errorf("read the header: %w", err)
	}
	var meta map[string]string
	if err := json.Unmarshal(raw["__metadata__"], &meta); err != nil {
		return nil, nil, fmt.Errorf("read the metadata: %w", err)
	}
	delete(meta, "sha256")
	delete(raw, "__metadata__")
	tensors, err := unpackTensors(raw, data)
	if err != nil {
		return nil, nil, err
	}
	// The header is canonical, or a later reader could understand the same bytes differently.
	again, err := header(meta, tensors)
	if err != nil {
		return nil, nil, err
	}
	copy(again[len(sumAt):], head[len(sumAt):][:sumDigits])
	if !bytes.Equal(again, head) {
		return nil, nil, errors.New("the header is not written as sweep writes it")
	}
	return meta, tensors, nil
}

func unpackTensors(raw map[string]json.RawMessage, data []byte) ([]trainer.Tensor, error) {
	type named struct {
		name string
		entry
	}
	var list []named
	for name, j := range raw {
		e := named{name: name}
		if err := json.Unmarshal(j, &e.entry); err != nil {
			return nil, fmt.Errorf("read the entry of tensor %s: %w", name, err)
		}
		list = append(list, e)
	}
	slices.SortFunc(list, func(a, b named) int { return int(min(max(a.Offsets[0]-b.Offsets[0], -1), 1)) })
	tensors := make([]trainer.Tensor, 0, len(list))
	at := int64(0)
	for _, e := range list {
		n, ok := elements(e.Shape)
		if e.DType != "F32" || !ok || e.Offsets[0] != at || e.Offsets[1] < at ||
			e.Offsets[1] > int64(len(data)) || e.Offsets[1]-at != 4*int64(n) {
			return nil, fmt.Errorf("tensor %s: %s of shape %v at %v does not fit the file", e.name, e.DType, e.Shape, e.Offsets)
		}
		t := trainer.Tensor{Name: e.name, Shape: e.Shape, Data: make([]float32, n)}
		for i := range t.Data {
			t.Data[i] = math.Float32frombits(binary.LittleEndian.Uint32(data[at+4*int64(i):]))
		}
		tensors = append(tensors, t)
		at = e.Offsets[1]
	}
	if at != int64(len(data)) {
		return nil, fmt.Errorf("the tensors take %d of %d bytes", at, len(data))
	}
	return tensors, nil
}

// elements is the number of values of a shape whose sides are all at least 1, if that is a number to work with.
func elements(shape []int) (n int, ok bool) {
	n = 1
	for _, s := range shape {
		if s < 1 || s > maxElements/n {
			return 0, false
		}
		n *= s
	}
	return n, true
}

// maxElements bounds a tensor. Engines refuse networks with larger ones.
const maxElements = model.MaxValues
