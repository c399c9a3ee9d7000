package baseline

import (
	"slices"

	"sweep/study"
	"sweep/trainer"
)

// Best is how many of a study's best trials get a baseline of just their code's size.
const Best = 10

// Apply reports whether the trials of a study can be held against baselines: networks that reconstruct the very images
// that they are given. Where the input is made worse first, or the output is no image, a linear code of clean images
// says nothing.
func Apply(s study.Spec) bool {
	return s.Trainer == trainer.Catalogue(nil).Trainer &&
		only(s.Space, "task", "reconstruct") && only(s.Space, "variant", "plain", "variational", "skip", "residual", "segnet", "attention")
}

// only reports whether a parameter can take no other values than these. One that the file does not name has its default,
// which is one of them.
func only(space study.Space, name string, values ...any) bool {
	d, ok := space.Lookup(name)
	return !ok || !slices.ContainsFunc(d.Distribution.Choices, func(c any) bool { return !slices.Contains(values, c) })
}

// Sizes are the numbers of components that a study's baselines have from the start, rising, 0 for the mean image among
// them: every value of a latent size that is fixed or chosen from a list; of a range both ends and the powers of two
// between. Sizes above [Most] are left out.
func Sizes(space study.Space) []int {
	sizes := []int{0}
	add := func(v any) {
		if f, ok := study.AsFloat(v); ok && f >= 1 && f <= Most {
			sizes = append(sizes, int(f))
		}
	}
	dim, ok := space.Lookup(study.LatentParam)
	switch d := dim.Distribution; {
	case !ok:
		decl, _ := trainer.Catalogue(nil).Param(study.LatentParam)
		add(decl.Default)
	case d.Kind == study.Categorical:
		for _, c := range d.Choices {
			add(c)
		}
	default:
		add(d.Low)
		for k := 1.0; k < d.Last(); k *= 2 {
			if k > d.Low {
				add(k)
			}
		}
		add(d.Last())
	}
	slices.Sort(sizes)
	return slices.Compact(sizes)
}

// LatentSizes are the latent sizes of trials, rising, without those above [Most].
func LatentSizes(trials []study.Trial) []int {
	var sizes []int
	for _, t := range trials {
		if f, ok := study.AsFloat(t.Params[study.LatentParam]); ok && f >= 1 && f <= Most {
			sizes = append(sizes, int(f))
		}
	}
	slices.Sort(sizes)
	return slices.Compact(sizes)
}

// Without leaves out the sizes that there are baselines of already.
func Without(sizes []int, there []study.Baseline) []int {
	var out []int
	for _, k := range sizes {
		if !slices.ContainsFunc(there, func(b study.Baseline) bool { return b.K == k }) {
			out = append(out, k)
		}
	}
	return out
}

// Name is the name of the baseline with k components.
func Name(k int) string {
	if k == 0 {
		return study.MeanImage
	}
	return study.PCAName(k)
}
