package cuda

func norm(Step) []Launch { return nil }
