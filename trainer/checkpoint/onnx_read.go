package checkpoint

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"google.golang.org/protobuf/encoding/protowire"
)

// readONNX reads a ModelProto of the kind that writeONNX writes, by whichever program it was written: fields that only
// describe are passed over, and anything else that is not known here is an error, because leaving it out would change
// what the model computes.
func readONNX(b []byte) (graph, error) {
	var g graph
	var body []byte
	sets := 0
	err := fields(b, func(f field) error {
		switch f.number {
		case modelIR:
			if v, err := f.int(); err != nil || v < 3 || v > 1000 {
				return fmt.Errorf("IR version %d", v)
			}
		case 2, 3, 4, 5, 6, 14: // producer, its version, domain, model's version, doc, metadata
		case modelGraph:
			if body != nil {
				return errors.New("there are two graphs")
			}
			body = f.bytes
			return f.isBytes()
		case modelOpset:
			sets++
			return readOpset(f)
		default:
			return f.unknown("model")
		}
		return nil
	})
	if err != nil {
		return g, err
	}
	if body == nil || sets != 1 {
		return g, fmt.Errorf("it has %d operator sets and a graph of %d bytes: this is no ONNX model that is understood here", sets, len(body))
	}
	inputs, outputs := 0, 0
	err = fields(body, func(f field) error {
		if err := f.isBytes(); err != nil {
			return err
		}
		switch f.number {
		case graphNode:
			n, err := readNode(f.bytes)
			g.nodes = append(g.nodes, n)
			return err
		case graphName:
			g.name = string(f.bytes)
		case graphInitializer:
			a, err := readArray(f.bytes)
			g.arrays = append(g.arrays, a)
			return err
		case graphInput:
			inputs++
			return readValue(f.bytes, &g.input)
		case graphOutput:
			outputs++
			return readValue(f.bytes, &g.output)
		case 10, 13, 16: // doc, shapes of inner values, metadata
		default:
			return f.unknown("graph")
		}
		return nil
	})
	if err != nil {
		return g, err
	}
	if inputs != 1 || outputs != 1 {
		return g, fmt.Errorf("the graph has %d inputs and %d outputs, but one of each is understood here", inputs, outputs)
	}
	return g, nil
}

func readOpset(f field) error {
	if err := f.isBytes(); err != nil {
		return err
	}
	version := int64(0)
	err := fields(f.bytes, func(f field) (err error) {
		switch {
		case f.number == opsetVersion:
			version, err = f.int()
			return err
		case f.number == opsetDomain && len(f.bytes) == 0:
			return nil
		case f.number == opsetDomain:
			return fmt.Errorf("the operator set %q is not ONNX's own", f.bytes)
		}
		return f.unknown("operator set")
	})
	if err == nil && version != opset {
		err = fmt.Errorf("the operators are of version %d, but version %d is understood here", version, opset)
	}
	return err
}

func readNode(b []byte) (n node, err error) {
	err = fields(b, func(f field) error {
		if err := f.isBytes(); err != nil {
			return err
		}
		switch f.number {
		case nodeInput:
			n.inputs = append(n.inputs, string(f.bytes))
		case nodeOutput:
			n.output = append(n.output, string(f.bytes))
		case nodeName:
			n.name = string(f.bytes)
		case nodeOp:
			n.op = string(f.bytes)
		case nodeAttr:
			a, err := readAttr(f.bytes)
			n.attrs = append(n.attrs, a)
			return err
		case nodeDomain:
			if len(f.bytes) > 0 {
				return fmt.Errorf("operator of another domain, %q", f.bytes)
			}
		case 6, 9: // doc, metadata
		default:
			return f.unknown("node")
		}
		return nil
	})
	if err != nil {
		return n, fmt.Errorf("node %q: %w", n.name, err)
	}
	return n, nil
}

func readAttr(b []byte) (a attr, err error) {
	err = fields(b, func(f field) (err error) {
		switch f.number {
		case attributeName:
			a.name = string(f.bytes)
			return f.isBytes()
		case attributeFloat:
			if f.kind != protowire.Fixed32Type {
				return f.unknown("attribute")
			}
			a.f = math.Float32frombits(uint32(f.value))
		case attributeInt:
			a.i, err = f.int()
		case attributeInts:
			a.ints, err = f.ints(a.ints)
		case attributeType:
			var k int64
			k, err = f.int()
			a.kind = attrKind(k)
		case 13: // doc
		default:
			return f.unknown("attribute")
		}
		return err
	})
	if err == nil && a.kind != attrFloat && a.kind != attrInt && a.kind != attrInts {
		err = fmt.Errorf("its type %d is not understood here", a.kind)
	}
	if err != nil {
		return a, fmt.Errorf("attribute %q: %w", a.name, err)
	}
	return a, nil
}

func readArray(b []byte) (a array, err error) {
	var raw []byte
	var dims []int64
	typ := int64(0)
	err = fields(b, func(f field) (err error) {
		switch f.number {
		case tensorDims:
			dims, err = f.ints(dims)
		case tensorType:
			typ, err = f.int()
		case tensorName:
			a.name = string(f.bytes)
			err = f.isBytes()
		case tensorRaw:
			raw = f.bytes
			err = f.isBytes()
		case 12, 16: // doc, metadata
		default:
			return f.unknown("tensor")
		}
		return err
	})
	if err != nil {
		return a, fmt.Errorf("initializer %q: %w", a.name, err)
	}
	for _, d := range dims {
		if d < 1 || d > maxElements {
			return a, fmt.Errorf("initializer %q has the shape %v", a.name, dims)
		}
		a.shape = append(a.shape, int(d))
	}
	n, ok := elements(a.shape)
	switch {
	case ok && typ == elemFloat && len(raw) == 4*n:
		a.floats = make([]float32, n)
		for i := range a.floats {
			a.floats[i] = math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:]))
		}
	case ok && typ == elemInt64 && len(raw) == 8*n:
		a.ints = make([]int64, n)
		for i := range a.ints {
			a.ints[i] = int64(binary.LittleEndian.Uint64(raw[8*i:]))
		}
	default:
		return a, fmt.Errorf("initializer %q of type %d and shape %v has %d bytes, which do not fit", a.name, typ, dims, len(raw))
	}
	return a, nil
}

// readValue reads an input or output: float32 of a shape whose first side is free and whose others are known.
func readValue(b []byte, v *value) error {
	elem := int64(0)
	free, rank := false, 0
	inside := func(what string, b []byte, number protowire.Number, use func(f field) error) error {
		return fields(b, func(f field) error {
			if f.number != number {
				return f.unknown(what)
			}
			if err := f.isBytes(); err != nil {
				return err
			}
			return use(f)
		})
	}
	dim := func(f field) error {
		size, named := int64(0), false
		err := fields(f.bytes, func(f field) (err error) {
			switch f.number {
			case dimValue:
				size, err = f.int()
			case dimParam:
				named = true
			default:
				return f.unknown("dimension")
			}
			return err
		})
		if err != nil {
			return err
		}
		rank++
		switch {
		case rank == 1:
			free = named
		case named || size < 1 || size > maxElements:
			return fmt.Errorf("dimension %d is not a known size", rank)
		default:
			v.shape = append(v.shape, int(size))
		}
		return nil
	}
	err := fields(b, func(f field) error {
		switch f.number {
		case valueName:
			v.name = string(f.bytes)
			return f.isBytes()
		case valueType:
			if err := f.isBytes(); err != nil {
				return err
			}
			return inside("type", f.bytes, typeTensor, func(f field) error {
				return fields(f.bytes, func(f field) (err error) {
					switch f.number {
					case tensorElem:
						elem, err = f.int()
					case tensorShape:
						if err = f.isBytes(); err == nil {
							err = inside("shape", f.bytes, shapeDim, dim)
						}
					default:
						return f.unknown("tensor type")
					}
					return err
				})
			})
		case 3, 4: // doc, metadata
			return nil
		}
		return f.unknown("value")
	})
	if err == nil && (elem != elemFloat || !free) {
		err = fmt.Errorf("type %d with a free first dimension: %t; float32 with one is understood here", elem, free)
	}
	if err != nil {
		return fmt.Errorf("value %q: %w", v.name, err)
	}
	return nil
}

// field is one field of a message.
type field struct {
	number protowire.Number
	kind   protowire.Type
	bytes  []byte // of BytesType
	value  uint64 // of the others
}

// fields walks a message.
func fields(b []byte, use func(f field) error) error {
	for len(b) > 0 {
		number, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			return fmt.Errorf("this is no protobuf message: %w", protowire.ParseError(n))
		}
		b = b[n:]
		f := field{number: number, kind: kind}
		switch kind {
		case protowire.BytesType:
			f.bytes, n = protowire.ConsumeBytes(b)
		case protowire.VarintType:
			f.value, n = protowire.ConsumeVarint(b)
		case protowire.Fixed32Type:
			var v uint32
			v, n = protowire.ConsumeFixed32(b)
			f.value = uint64(v)
		case protowire.Fixed64Type:
			f.value, n = protowire.ConsumeFixed64(b)
		default:
			return fmt.Errorf("this is no protobuf message: wire type %d", kind)
		}
		if n < 0 {
			return fmt.Errorf("this is no protobuf message: %w", protowire.ParseError(n))
		}
		b = b[n:]
		if err := use(f); err != nil {
			return err
		}
	}
	return nil
}

func (f field) unknown(what string) error {
	return fmt.Errorf("field %d of a %s is not understood here", f.number, what)
}

func (f field) isBytes() error {
	if f.kind != protowire.BytesType {
		return fmt.Errorf("field %d has wire type %d", f.number, f.kind)
	}
	return nil
}

func (f field) int() (int64, error) {
	if f.kind != protowire.VarintType {
		return 0, fmt.Errorf("field %d has wire type %d", f.number, f.kind)
	}
	return int64(f.value), nil
}

// ints appends a repeated whole number, which may be packed or not.
func (f field) ints(to []int64) ([]int64, error) {
	if f.kind == protowire.VarintType {
		return append(to, int64(f.value)), nil
	}
	if err := f.isBytes(); err != nil {
		return to, err
	}
	for b := f.bytes; len(b) > 0; {
		v, n := protowire.ConsumeVarint(b)
		if n < 0 {
			return to, protowire.ParseError(n)
		}
		to, b = append(to, int64(v)), b[n:]
	}
	return to, nil
}
