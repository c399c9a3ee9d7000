package cuda

func loss(Step) []Launch { return nil }
