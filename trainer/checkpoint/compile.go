package checkpoint

import (
	"errors"
	"fmt"
	"slices"
)

// compiler checks a graph's nodes one by one and turns them into steps.
type compiler struct {
	Model
	arrays map[string]array
	values map[string]known
}

// known is a value of the graph.
type known struct {
	at     int // its place in Model.sizes
	shape  []int
	places bool // the places of a pooling, whole numbers
	of     int  // of places: how many values they are places among
}

func compile(g graph) (*Model, error) {
	c := &compiler{arrays: map[string]array{}, values: map[string]known{}}
	for _, a := range g.arrays {
		if _, twice := c.arrays[a.name]; twice {
			return nil, fmt.Errorf("two initializers are called %q", a.name)
		}
		c.arrays[a.name] = a
	}
	c.input, c.output = g.input.shape, g.output.shape
	if err := c.add(g.input.name, known{shape: c.input}); err != nil {
		return nil, err
	}
	for _, n := range g.nodes {
		if err := c.node(n); err != nil {
			return nil, fmt.Errorf("node %q, %s: %w", n.name, n.op, err)
		}
		if c.work > maxWork {
			return nil, fmt.Errorf("it takes more than %d multiplications an image", maxWork)
		}
	}
	last, ok := c.values[g.output.name]
	if !ok || last.at != len(c.steps) || last.places {
		return nil, fmt.Errorf("the last node does not make the output %q", g.output.name)
	}
	if !slices.Equal(last.shape, c.output) {
		return nil, fmt.Errorf("the output %q is said to be %v, but becomes %v", g.output.name, c.output, last.shape)
	}
	if err := c.place(); err != nil {
		return nil, err
	}
	return &c.Model, nil
}

// add names a value, the next of the model.
func (c *compiler) add(name string, v known) error {
	_, array := c.arrays[name]
	if _, value := c.values[name]; array || value || name == "" {
		return fmt.Errorf("no value can be called %q, or two are", name)
	}
	n, ok := elements(v.shape)
	if !ok || n > maxValue {
		return fmt.Errorf("the shape %v is too large", v.shape)
	}
	v.at = len(c.sizes)
	c.values[name] = v
	c.sizes = append(c.sizes, n)
	return nil
}

// operand is what an operator has to work with.
type operand struct {
	shape  []int   // of its input, an image's
	others []known // further inputs that are values
	more   []array // those that are initializers
	attrs  map[string]attr
	work   int // set by the operator: multiplications an image
}

// operator checks its operand, and returns the shape of its output and how it is computed. It reads one value.
type operator func(o *operand) (shape []int, run func(dst, src []float32), err error)

// joint is an operator that reads several values.
type joint func(o *operand) (shape []int, run func(dst []float32, src [][]float32), err error)

func (c *compiler) node(n node) error {
	if len(n.inputs) == 0 || len(n.output) == 0 {
		return fmt.Errorf("it has %d inputs and %d outputs", len(n.inputs), len(n.output))
	}
	var o operand
	var from []int
	for i, name := range n.inputs {
		if v, ok := c.values[name]; ok {
			if len(o.more) > 0 {
				return fmt.Errorf("its input %q is a value behind an initializer", name)
			}
			if v.places && !(n.op == "MaxUnpool" && i == 1) {
				return fmt.Errorf("its input %q are the places of a pooling", name)
			}
			if from = append(from, v.at); i == 0 {
				o.shape = v.shape
			} else {
				o.others = append(o.others, v)
			}
			continue
		}
		a, ok := c.arrays[name]
		if !ok || i == 0 {
			return fmt.Errorf("its input %q is no value or initializer that stands before it", name)
		}
		o.more = append(o.more, a)
	}
	if n.op == "MaxPool" && len(n.output) == 2 {
		if err := c.step(n, "MaxPool", 0, o, from); err != nil {
			return err
		}
		return c.step(n, placesOf, 1, o, from)
	}
	if len(n.output) != 1 {
		return fmt.Errorf("it has %d outputs", len(n.output))
	}
	return c.step(n, n.op, 0, o, from)
}

// step adds what makes one output of a node.
func (c *compiler) step(n node, op string, output int, o operand, from []int) error {
	o.attrs = map[string]attr{}
	for _, a := range n.attrs {
		if _, twice := o.attrs[a.name]; twice {
			return fmt.Errorf("it has two attributes %s", a.name)
		}
		o.attrs[a.name] = a
	}
	var shape []int
	var run func(dst []float32, src [][]float32)
	var err error
	if len(from) > 1 {
		build, ok := joints()[op]
		if !ok {
			return fmt.Errorf("this operator of %d values is not understood here", len(from))
		}
		shape, run, err = build(&o)
	} else {
		build, ok := operators()[op]
		if !ok {
			return errors.New("this operator is not understood here")
		}
		var one func(dst, src []float32)
		shape, one, err = build(&o)
		run = func(dst []float32, src [][]float32) { one(dst, src[0]) }
	}
	if err != nil {
		return err
	}
	for name := range o.attrs { // those that were understood have been taken
		return fmt.Errorf("its attribute %s is not understood here", name)
	}
	if err := c.add(n.output[output], known{shape: shape, places: op == placesOf, of: c.sizes[from[0]]}); err != nil {
		return err
	}
	if o.work < 0 || o.work > maxWork {
		o.work = maxWork
	}
	c.work += o.work + c.sizes[len(c.sizes)-1]
	c.steps = append(c.steps, step{from: from, run: run})
	return nil
}

// place gives the results of the steps memory, again and again as values are read for the last time.
func (c *compiler) place() error {
	last := make([]int, len(c.sizes)) // step that reads a value last
	for i, s := range c.steps {
		for _, v := range s.from {
			last[v] = i + 1
		}
	}
	for v, s := range last[:len(c.steps)] {
		if s == 0 {
			return fmt.Errorf("nothing reads value %d of the graph", v)
		}
	}
	var free []int
	for i := range c.steps {
		s := &c.steps[i]
		if len(free) == 0 {
			free = append(free, len(c.places))
			c.places = append(c.places, 0)
		}
		s.place, free = free[len(free)-1], free[:len(free)-1]
		c.places[s.place] = max(c.places[s.place], c.sizes[i+1])
		for j, v := range s.from {
			if v > 0 && last[v] == i+1 && !slices.Contains(s.from[:j], v) {
				free = append(free, c.steps[v-1].place)
			}
		}
	}
	held := 0
	for _, n := range c.places {
		held += n
	}
	if held > maxHeld {
		return fmt.Errorf("it holds %d numbers at a time for an image, more than %d", held, maxHeld)
	}
	return nil
}
