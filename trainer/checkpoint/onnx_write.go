package checkpoint

import (
	"encoding/binary"
	"math"

	"google.golang.org/protobuf/encoding/protowire"
)

// Field numbers of onnx.proto (github.com/onnx/onnx), as far as they are written or read here.
const (
	modelIR, modelProducer, modelVersion, modelGraph, modelOpset = 1, 2, 3, 7, 8

	opsetDomain, opsetVersion = 1, 2

	graphNode, graphName, graphInitializer, graphInput, graphOutput = 1, 2, 5, 11, 12

	nodeInput, nodeOutput, nodeName, nodeOp, nodeAttr, nodeDomain = 1, 2, 3, 4, 5, 7

	attributeName, attributeFloat, attributeInt, attributeInts, attributeType = 1, 2, 3, 8, 20

	tensorDims, tensorType, tensorName, tensorRaw = 1, 2, 8, 9

	valueName, valueType = 1, 2
	typeTensor           = 1
	tensorElem           = 1
	tensorShape          = 2
	shapeDim             = 1
	dimValue, dimParam   = 1, 2

	elemFloat, elemInt64 = 1, 7
)

// freeDimension is the name of the number of images.
const freeDimension = "N"

// message is a protobuf message being written.
type message []byte

func (m *message) bytes(field protowire.Number, v []byte) {
	*m = protowire.AppendTag(*m, field, protowire.BytesType)
	*m = protowire.AppendBytes(*m, v)
}

func (m *message) text(field protowire.Number, v string) { m.bytes(field, []byte(v)) }

func (m *message) number(field protowire.Number, v int64) {
	*m = protowire.AppendTag(*m, field, protowire.VarintType)
	*m = protowire.AppendVarint(*m, uint64(v))
}

// writeONNX writes a graph as a ModelProto.
func writeONNX(g graph) []byte {
	var body message
	for _, n := range g.nodes {
		body.bytes(graphNode, writeNode(n))
	}
	body.text(graphName, g.name)
	for _, a := range g.arrays {
		body.bytes(graphInitializer, writeArray(a))
	}
	body.bytes(graphInput, writeValue(g.input))
	body.bytes(graphOutput, writeValue(g.output))

	var set, m message
	set.text(opsetDomain, "")
	set.number(opsetVersion, opset)
	m.number(modelIR, irVersion)
	m.text(modelProducer, "sweep")
	m.bytes(modelGraph, body)
	m.bytes(modelOpset, set)
	return m
}

func writeNode(n node) []byte {
	var m message
	for _, s := range n.inputs {
		m.text(nodeInput, s)
	}
	for _, s := range n.output {
		m.text(nodeOutput, s)
	}
	m.text(nodeName, n.name)
	m.text(nodeOp, n.op)
	for _, a := range n.attrs {
		var b message
		b.text(attributeName, a.name)
		switch a.kind {
		case attrFloat:
			b = protowire.AppendTag(b, attributeFloat, protowire.Fixed32Type)
			b = protowire.AppendFixed32(b, math.Float32bits(a.f))
		case attrInt:
			b.number(attributeInt, a.i)
		case attrInts:
			for _, i := range a.ints {
				b.number(attributeInts, i)
			}
		}
		b.number(attributeType, int64(a.kind))
		m.bytes(nodeAttr, b)
	}
	return m
}

func writeArray(a array) []byte {
	var m message
	for _, d := range a.shape {
		m.number(tensorDims, int64(d))
	}
	var raw []byte
	if a.floats != nil {
		m.number(tensorType, elemFloat)
		raw = make([]byte, 0, 4*len(a.floats))
		for _, v := range a.floats {
			raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(v))
		}
	} else {
		m.number(tensorType, elemInt64)
		for _, v := range a.ints {
			raw = binary.LittleEndian.AppendUint64(raw, uint64(v))
		}
	}
	m.text(tensorName, a.name)
	m.bytes(tensorRaw, raw)
	return m
}

func writeValue(v value) []byte {
	var n, shape, tensor, typ, m message
	n.text(dimParam, freeDimension)
	shape.bytes(shapeDim, n)
	for _, d := range v.shape {
		var dim message
		dim.number(dimValue, int64(d))
		shape.bytes(shapeDim, dim)
	}
	tensor.number(tensorElem, elemFloat)
	tensor.bytes(tensorShape, shape)
	typ.bytes(typeTensor, tensor)
	m.text(valueName, v.name)
	m.bytes(valueType, typ)
	return m
}
