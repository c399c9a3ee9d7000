package cuda

// round has the kernels that every round has: begin first, whose argument is Rounds and which does all in one block, then,
// behind the steps of a plan, reduce, settle and optimise, or settle alone.
func round(s Step) []Launch {
	l := Launch{Kernel: s.Kind, Module: "round", Threads: pointThreads, Over: Slots, X: 1}
	switch s.Kind {
	case "reduce":
		l.X = blocks(s.MaxTrained, Span)
	case "optimise":
		l.X = blocks(s.MaxTrained, 4*pointThreads)
	}
	return []Launch{l}
}
