package spec

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// Precisions are the words of precision, the default first: float32 throughout; products on tensor cores with inputs of 11
// bits; values between layers in 16 bits, too.
var Precisions = []string{"fp32", "tf32", "bf16"}

const devicesUse = "write cpu, cuda, or single ones by comma, such as cuda:0,1 or cpu:0"

// Devices reads a list of devices, by comma, into their names: "cpu" for all cores, "cpu:N", "cuda" for all GPUs, "cuda:N",
// and "cuda:MIG-…" or "cuda:GPU-…" for an NVIDIA device by its name, which may stand without "cuda:". A bare number belongs
// to the family before it: cuda:0,1. Whether there are such devices is another matter.
func Devices(list string) ([]string, error) {
	var out []string
	family := ""
	for word := range strings.SplitSeq(list, ",") {
		word = strings.TrimSpace(word)
		name := word
		if _, err := strconv.ParseUint(word, 10, 32); err == nil && family != "" {
			name = family + ":" + word
		}
		if strings.HasPrefix(name, "MIG-") || strings.HasPrefix(name, "GPU-") {
			name = "cuda:" + name
		}
		kind, which, single := strings.Cut(name, ":")
		family = kind
		if err := checkDevice(word, kind, which, single); err != nil {
			return nil, err
		}
		if n, err := strconv.ParseUint(which, 10, 32); err == nil {
			name = fmt.Sprintf("%s:%d", kind, n)
		}
		if slices.Contains(out, name) {
			return nil, fmt.Errorf("%s is named twice: leave one out", quoted(name))
		}
		out = append(out, name)
	}
	for _, all := range []string{"cpu", "cuda"} {
		for _, one := range out {
			if slices.Contains(out, all) && strings.HasPrefix(one, all+":") {
				return nil, fmt.Errorf("%s is one of %s, which is all of them: leave one of the two out", quoted(one), all)
			}
		}
	}
	return out, nil
}

func checkDevice(word, kind, which string, single bool) error {
	_, err := strconv.ParseUint(which, 10, 32)
	uuid := kind == "cuda" && len(which) > 4 && (strings.HasPrefix(which, "MIG-") || strings.HasPrefix(which, "GPU-"))
	switch {
	case word == "":
		return fmt.Errorf("a device is missing: %s", devicesUse)
	case kind != "cpu" && kind != "cuda":
		switch near, ok := nearest(kind, []string{"cpu", "cuda"}); {
		case strings.HasPrefix(strings.ToLower(kind), "gpu"): // one edit from cpu, and the opposite
			return fmt.Errorf("%s is no device: all GPUs are cuda, one of them is cuda:0", quoted(word))
		case ok:
			return fmt.Errorf("%s is no device; did you mean %s?", quoted(word), near)
		}
		return fmt.Errorf("%s is no device: %s", quoted(word), devicesUse)
	case single && err != nil && !uuid:
		return fmt.Errorf("%s is no device: %s", quoted(word), devicesUse)
	}
	return nil
}

// devices reads where trials are trained: a text as on the command line, or a list of such.
func (p *parser) devices(e entry) {
	nodes := []ast.Node{e.value}
	if s, ok := e.value.(*ast.SequenceNode); ok {
		nodes = s.Values
		if len(nodes) == 0 {
			p.fail(e.value, "devices is empty: %s, or leave it out", devicesUse)
			return
		}
	}
	var words []string
	for _, n := range nodes {
		var s string
		switch v := p.scalar(n).(type) {
		case string:
			if _, err := Devices(v); err != nil {
				p.fail(n, "%v", err)
				return
			}
			s = v
		case int64, uint64: // the second of [cuda:0,1]
			s = fmt.Sprint(v)
		default:
			p.fail(n, "devices is a text or a list of them, not %s: %s", p.show(n), devicesUse)
			return
		}
		words = append(words, s)
	}
	list, err := Devices(strings.Join(words, ","))
	if err != nil {
		p.fail(e.value, "%v", err)
		return
	}
	p.spec.Devices = list
}

// precision reads how a GPU computes.
func (p *parser) precision(e entry) {
	s, ok := p.word(e.value, "precision", Precisions, map[string]string{
		"fp16":   "fp16 is not built: use bf16, which has the range of fp32",
		"mixed":  "write which one: tf32 or bf16",
		"double": "trials are trained in fp32, tf32 or bf16",
	})
	if ok && s != Precisions[0] {
		p.spec.Precision = s
	}
}

// At is an error about a parameter of a file, at its place there, or at the top when it has none there. Of a value in a
// list the place is that of the value.
func At(src Source, parameter string, value any, format string, args ...any) error {
	p := &parser{src: src}
	message := fmt.Sprintf(format, args...)
	if root := p.document(); root != nil {
		if node := p.find(root, parameter, value); node != nil {
			p.fail(node, "%s", message)
			return &Errors{List: p.mistakes}
		}
	}
	p.mistakes = nil
	p.failAt(1, 1, "%s", message)
	return &Errors{List: p.mistakes}
}

// find is where a parameter stands, or the value of its list; nil when it has no place.
func (p *parser) find(root *mapping, parameter string, value any) ast.Node {
	section := "parameters"
	if parameter == "trainer" {
		section = "sweep"
	}
	for _, top := range root.entries {
		if top.key != section {
			continue
		}
		inner, ok := p.mapping(top.value, section, "")
		if !ok {
			return nil
		}
		for _, e := range inner.entries {
			if e.key == parameter {
				return p.valueOf(p.resolve(e.value), value)
			}
		}
	}
	return nil
}

// valueOf finds a value below a node; the node itself when it is not there.
func (p *parser) valueOf(n ast.Node, value any) ast.Node {
	m, ok := n.(*ast.MappingNode)
	if !ok {
		return n
	}
	for _, v := range m.Values {
		list, ok := p.resolve(v.Value).(*ast.SequenceNode)
		if !ok {
			continue
		}
		for _, item := range list.Values {
			if fmt.Sprint(p.scalar(item)) == fmt.Sprint(value) {
				return item
			}
		}
	}
	return n
}
