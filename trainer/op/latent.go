package op

import G "gorgonia.org/gorgonia"

// The operations of a variational code.
const (
	Sample     Kind = "sample"      // mu, logvar, eps (N,L) -> z (N,L), a draw of the code: see [kernel.Sample]
	SampleGrad Kind = "sample.grad" // logvar, eps, dz -> dlogvar
	KL         Kind = "kl"          // mu, logvar (N,L) -> scalar, KLWeight times the mean over images of [kernel.KL]
	KLMean     Kind = "kl.mean"     // mu, scalar g -> g·dKL/dmu
	KLLogVar   Kind = "kl.logvar"   // logvar, scalar g -> g·dKL/dlogvar
	Total      Kind = "total"       // scalars a, b -> a + b
)

// DrawCode draws the code of each image, mu + exp(s/2)·eps of mu, logvar and standard normal numbers eps (N,L); s is
// logvar, limited as [kernel.LogVarLimit] says.
func DrawCode(mu, logvar, eps *G.Node) (*G.Node, error) {
	return apply(Sample, Attr{}, 2, mu, logvar, eps)
}

// Divergence is weight times the divergence of the codes' laws from the standard normal one, summed over the numbers of a
// code and averaged over images: see [kernel.KL].
func Divergence(mu, logvar *G.Node, weight float64) (*G.Node, error) {
	return apply(KL, Attr{KLWeight: weight}, 0, mu, logvar)
}

// SumLosses adds two losses.
func SumLosses(a, b *G.Node) (*G.Node, error) { return apply(Total, Attr{}, 0, a, b) }
