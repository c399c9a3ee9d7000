package model

// normalize puts the configuration's normalisation behind the linear map x, which then needs no bias: the mean takes it away
// and the shift brings one back.
func (d *describer) normalize(x int, name string) int {
	if d.c.Norm == "" || d.c.Norm == "none" {
		return x
	}
	d.list[x].Weights = d.list[x].Weights[:1]
	l := d.on(x, NormLayer, name)
	l.Norm = d.c.Norm
	shape := []int{l.C}
	l.Weights = []Weight{{Name: name + ".scale", Shape: shape, Start: 1}, {Name: name + ".shift", Shape: shape}}
	if l.Norm == "batch" {
		l.Weights = append(l.Weights,
			Weight{Name: name + ".mean", Shape: shape, Buffer: true}, Weight{Name: name + ".var", Shape: shape, Buffer: true, Start: 1})
	}
	return d.add(l)
}
