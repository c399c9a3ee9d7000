package trainer

import (
	"fmt"
	"slices"

	"sweep/trainer/model"
)

// Fit pairs the arrays of c's network with trained ones from elsewhere: from holds, by array of [model.Config.Weights], the
// tensor that it can start as, which has its name and shape, or nil. missing says in words which have none.
func Fit(c model.Config, start []Tensor) (from []*Tensor, missing []string) {
	byName := make(map[string]*Tensor, len(start))
	for i := range start {
		byName[start[i].Name] = &start[i]
	}
	for _, w := range c.Weights() {
		t := byName[w.Name]
		switch {
		case t == nil:
			missing = append(missing, w.Name+" is not there")
		case !slices.Equal(t.Shape, w.Shape) || len(t.Data) != w.Size():
			missing = append(missing, fmt.Sprintf("%s is %v there, %v here", w.Name, t.Shape, w.Shape))
			t = nil
		}
		from = append(from, t)
	}
	return from, missing
}

// Fits reports a network of which no array can start as one of start.
func Fits(c model.Config, start []Tensor) error {
	from, missing := Fit(c, start)
	for _, t := range from {
		if t != nil {
			return nil
		}
	}
	return fmt.Errorf("none of the weights of init_from fits this network (%s): give it the depth, filters, kernel and latent of the network that they are of",
		Some(missing))
}

// Some lists the first few of many.
func Some(list []string) string {
	const most = 4
	s := ""
	for i, x := range list {
		switch {
		case i == most:
			return fmt.Sprintf("%s and %d more", s, len(list)-most)
		case i > 0:
			s += ", "
		}
		s += x
	}
	return s
}
