package main

// layers of the reference network, per image: products of its forward pass, and values in and out. A latent of 0 stands for
// the trial's own.
var layers = []struct{ products, perLatent, in, out int }{
	{9 * 3 * 16 * 1024, 0, 3072, 4096}, // convolutions, what comes out of their pooling
	{9 * 16 * 32 * 256, 0, 4096, 2048},
	{9 * 32 * 64 * 64, 0, 2048, 1024},
	{0, 1024, 1024, 0},
	{0, 1024, 0, 1024},
	{4 * 64 * 32 * 16, 0, 1024, 2048}, // transposed convolutions
	{4 * 32 * 16 * 64, 0, 2048, 4096},
	{4 * 16 * 3 * 256, 0, 4096, 3072},
}

// weights of the reference network without those that grow with the latent size, and those for each of its numbers.
const (
	fixedWeights  = 9*3*16 + 16 + 9*16*32 + 32 + 9*32*64 + 64 + 1024 + 4*64*32 + 32 + 4*32*16 + 16 + 4*16*3 + 3
	latentWeights = 2*1024 + 1
)

// effort is what a result's trials take by the book: floating-point operations of the products of matrices, as they are defined;
// and bytes moved where every layer reads its inputs and writes its outputs once in each pass, and Adam reads and writes its
// arrays. Both count training and validation. What is really done or moved may be less (what stays in a cache, layers that
// are one kernel) or more.
func effort(t task, r result) (flop, bytes float64) {
	of := map[int]trial{}
	for _, x := range t.Trials {
		of[x.ID] = x
	}
	width := 4.0
	if r.Precision == "bf16" {
		width = 2
	}
	for _, s := range r.Trials {
		x, ok := of[s.ID]
		if !ok {
			continue
		}
		var forward, step, seen, moved float64
		for i, l := range layers {
			products := float64(l.products) + float64(l.perLatent)*float64(x.Latent)
			values := float64(max(l.in, 1) + max(l.out, 1))
			if l.in == 0 || l.out == 0 {
				values = 1024 + float64(x.Latent)
			}
			passes := 3.0
			if i == 0 { // nobody wants the gradient of the images
				passes = 2
			}
			forward += 2 * products
			step += 2 * products * passes
			seen += values
			moved += values * passes
		}
		epochs, train, validation := float64(r.Epochs), float64(r.Train), float64(r.Validation)
		steps := float64((r.Train + int(x.Batch) - 1) / int(x.Batch))
		params := float64(fixedWeights) + latentWeights*float64(x.Latent)
		flop += epochs * (train*step + validation*forward)
		bytes += epochs * (width*(train*moved+validation*seen) + steps*28*params)
	}
	return flop, bytes
}
