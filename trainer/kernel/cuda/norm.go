package cuda

// StatsBytes is what the stats of one image take, of a normalisation of c channels: STATS_BYTES of sweep.cuh. A value of
// stats has so many for each image of its slot's batch, at a multiple of 8: what plan.Value says (2·c floats an image, for all
// images of the unit), and behind that the scratch of norm.grad.
func StatsBytes(c int) int { return 32 * c }

func norm(Step) []Launch { return nil }
