package cuda

func pooling(Step) []Launch { return nil }
