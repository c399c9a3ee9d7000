package cuda

func pointwise(Step) []Launch { return nil }
