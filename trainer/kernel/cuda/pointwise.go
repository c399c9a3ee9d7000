package cuda

// pointwise has a kernel for each kind, act.grad being act_grad.
func pointwise(s Step) []Launch {
	name := s.Kind
	if name == "act.grad" {
		name = "act_grad"
	}
	return perTile("pointwise", name, s, s.D)
}
