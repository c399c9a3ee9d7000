package checkpoint_test

import (
	"testing"

	"sweep/study"
	"sweep/trainer/checkpoint"
	"sweep/trainer/model"
)

// BenchmarkInterpreter runs the reference network: 32x32x3, three convolutions with 16, 32, 64 filters, latent 128.
func BenchmarkInterpreter(b *testing.B) {
	c := model.Config{
		Channels: 3, Height: 32, Width: 32, Depth: 3, Filters: []int{16, 32, 64}, Kernel: 3, Upsample: "k2", Latent: 128,
		Activation: "relu", OutputActivation: "sigmoid", Loss: "mse",
	}
	onnx, _, err := checkpoint.ONNX(c, randomWeights(c, 1))
	if err != nil {
		b.Fatal(err)
	}
	m, err := checkpoint.ReadONNX(onnx)
	if err != nil {
		b.Fatal(err)
	}
	const n = 200
	images := randomImages(study.Stream(1, 1, study.ForWeights, 0), n*3*32*32)
	for b.Loop() {
		if _, err := m.Run(b.Context(), images); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(n*b.N)/b.Elapsed().Seconds(), "images/s")
}
