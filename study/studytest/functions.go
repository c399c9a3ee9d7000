package studytest

import (
	"math"

	"sweep/study"
)

// Function is an objective with a known minimum, cheap enough to run a whole search in a test.
type Function struct {
	Name    string
	Space   study.Space
	Minimum float64 // the least value that Eval can give
	At      study.Params
	Eval    func(study.Params) float64
}

// Functions returns the test functions: Branin in two, Hartmann in six dimensions, and one whose space is that of a
// real sweep, with logarithmic, whole and categorical parameters.
func Functions() []Function { return []Function{Branin(), Hartmann6(), Mixed()} }

func between(name string, low, high float64) study.Dimension {
	return study.Dimension{Name: name, Distribution: study.Distribution{Kind: study.Float, Low: low, High: high}}
}

func float(p study.Params, name string) float64 {
	f, ok := study.AsFloat(p[name])
	if !ok {
		return math.NaN()
	}
	return f
}

// Branin is the function of Dixon and Szegő, "The global optimization problem: an introduction" (1978): three equal
// minima.
func Branin() Function {
	return Function{
		Name:    "branin",
		Space:   study.Space{between("x", -5, 10), between("y", 0, 15)},
		Minimum: 5 / (4 * math.Pi),
		At:      study.Params{"x": math.Pi, "y": 2.275},
		Eval: func(p study.Params) float64 {
			x, y := float(p, "x"), float(p, "y")
			a := y - 5.1/(4*math.Pi*math.Pi)*x*x + 5/math.Pi*x - 6
			return a*a + 10*(1-1/(8*math.Pi))*math.Cos(x) + 10
		},
	}
}

// Hartmann6 is the six-dimensional function of the same collection: one global minimum among six.
func Hartmann6() Function {
	alpha := [4]float64{1, 1.2, 3, 3.2}
	a := [4][6]float64{
		{10, 3, 17, 3.5, 1.7, 8}, {0.05, 10, 17, 0.1, 8, 14}, {3, 3.5, 1.7, 10, 17, 8}, {17, 8, 0.05, 10, 0.1, 14},
	}
	p := [4][6]float64{
		{0.1312, 0.1696, 0.5569, 0.0124, 0.8283, 0.5886},
		{0.2329, 0.4135, 0.8307, 0.3736, 0.1004, 0.9991},
		{0.2348, 0.1451, 0.3522, 0.2883, 0.3047, 0.6650},
		{0.4047, 0.8828, 0.8732, 0.5743, 0.1091, 0.0381},
	}
	names := [6]string{"a", "b", "c", "d", "e", "f"}
	var space study.Space
	for _, n := range names {
		space = append(space, between(n, 0, 1))
	}
	return Function{
		Name: "hartmann6", Space: space, Minimum: -3.32237,
		At: study.Params{"a": 0.20169, "b": 0.150011, "c": 0.476874, "d": 0.275332, "e": 0.311652, "f": 0.6573},
		Eval: func(v study.Params) float64 {
			sum := 0.0
			for i := range alpha {
				e := 0.0
				for j, n := range names {
					d := float(v, n) - p[i][j]
					e += a[i][j] * d * d
				}
				sum -= alpha[i] * math.Exp(-e)
			}
			return sum
		},
	}
}

// Mixed has the space of a real sweep: a logarithmic rate, a batch size and a loss to choose, a whole number. Each
// wrong choice costs more than a rate or a width that is a little off.
func Mixed() Function {
	batches := []any{int64(16), int64(32), int64(64), int64(128), int64(256)}
	losses := []any{"mse", "mae", "mse+ssim"}
	return Function{
		Name: "mixed",
		Space: study.Space{
			{Name: "lr", Distribution: study.Distribution{Kind: study.Float, Low: 1e-5, High: 1e-1, Log: true}},
			{Name: "batch", Distribution: study.Distribution{Kind: study.Categorical, Choices: batches}},
			{Name: "latent", Distribution: study.Distribution{Kind: study.Int, Low: 16, High: 512}},
			{Name: "loss", Distribution: study.Distribution{Kind: study.Categorical, Choices: losses}},
		},
		Minimum: 0,
		At:      study.Params{"lr": 1e-3, "batch": int64(64), "latent": int64(200), "loss": "mae"},
		Eval: func(p study.Params) float64 {
			rate := math.Log10(float(p, "lr")) + 3
			width := (float(p, "latent") - 200) / 150
			batch := math.Abs(math.Log2(float(p, "batch")) - 6)
			v := 0.5*rate*rate + 0.3*width*width + 0.08*batch
			if p["loss"] != "mae" {
				v += 0.15
			}
			return v
		},
	}
}
