package cuda

func round(Step) []Launch { return nil }
