package baseline_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"

	"gonum.org/v1/gonum/mat"

	"sweep/trainer"
	"sweep/trainer/baseline"
	"sweep/trainer/dataset"
	"sweep/trainer/kernel"
)

// crops cuts side x side pixels out of the middle of generated images, so that an exact decomposition is quick.
func crops(t testing.TB, train, validation, side int) (a, b *dataset.Images) {
	t.Helper()
	source, err := dataset.Open("shapes", "")
	if err != nil {
		t.Fatal(err)
	}
	a, b, err = source.Split(3, train, validation)
	if err != nil {
		t.Fatal(err)
	}
	crop := func(s *dataset.Images) *dataset.Images {
		out := *s
		out.Height, out.Width, out.Pixels = side, side, nil
		margin := (s.Height - side) / 2
		for n := range s.Len() {
			for y := range side {
				at := ((n*s.Height+y+margin)*s.Width + margin) * s.Channels
				out.Pixels = append(out.Pixels, s.Pixels[at:at+side*s.Channels]...)
			}
		}
		return &out
	}
	return crop(a), crop(b)
}

// exact is the analysis by gonum's singular value decomposition in float64.
type exact struct {
	mean  []float64
	basis *mat.Dense // (size, all)
	value []float64  // variances
}

func decompose(t testing.TB, s *dataset.Images) exact {
	t.Helper()
	n, size := s.Len(), s.Height*s.Width*s.Channels
	e := exact{mean: make([]float64, size), basis: new(mat.Dense)}
	for i, p := range s.Pixels {
		e.mean[i%size] += float64(p) / 255 / float64(n)
	}
	var svd mat.SVD
	if !svd.Factorize(e.centred(s), mat.SVDThin) {
		t.Fatal("the exact decomposition failed")
	}
	svd.VTo(e.basis)
	for _, v := range svd.Values(nil) {
		e.value = append(e.value, v*v/float64(n))
	}
	return e
}

func (e exact) centred(s *dataset.Images) *mat.Dense {
	size := len(e.mean)
	x := mat.NewDense(s.Len(), size, nil)
	for i, p := range s.Pixels {
		x.Set(i/size, i%size, float64(p)/255-e.mean[i%size])
	}
	return x
}

// errors gives the mean squared and absolute error of s from k components, limited to [0, 1] and not.
func (e exact) errors(s *dataset.Images, k int) (limited, absolute, free float64) {
	x := e.centred(s)
	n, size := x.Dims()
	var code, y mat.Dense
	y.ReuseAs(n, size)
	if k > 0 {
		b := e.basis.Slice(0, size, 0, k)
		code.Mul(x, b)
		y.Mul(&code, b.T())
	}
	for i := range n {
		for j := range size {
			truth, pred := x.At(i, j)+e.mean[j], y.At(i, j)+e.mean[j]
			free += (truth - pred) * (truth - pred)
			pred = min(max(pred, 0), 1)
			limited += (truth - pred) * (truth - pred)
			absolute += math.Abs(truth - pred)
		}
	}
	all := float64(n * size)
	return limited / all, absolute / all, free / all
}

// near is how far, relatively, a mean may be from the exact decomposition's: where the variances fall slowly the last
// directions have not quite converged, which moves the errors by some 1e-5 (with two products fewer by more than this).
// tiny is what float32 leaves of an error that is 0.
const (
	near = 1e-4
	tiny = 2e-7
)

func close(a, b float64) bool { return math.Abs(a-b) <= near*math.Abs(b)+tiny }

// The randomised analysis is the exact one, by the matrix and by the stream, with more images than values and with fewer,
// on every implementation of the kernels.
func TestFitIsExact(t *testing.T) {
	cases := []struct {
		name              string
		train, side, most int
		components        []int
	}{
		{"more images than values", 900, 10, 200, []int{0, 1, 8, 64, 200}},
		{"few components, by the stream", 500, 12, 8, []int{1, 5, 8}},
		{"fewer images than values", 120, 12, 64, []int{1, 64}},
		{"all that the images have", 60, 12, 500, []int{59, 60, 500}},
		{"all values", 400, 6, 108, []int{107, 108}},
	}
	for _, c := range cases {
		train, validation := crops(t, c.train, 150, c.side)
		e := decompose(t, train)
		for _, name := range kernel.Names() {
			if name == "ref" && c.side > 6 {
				continue // the plain loops are slow, and tested against the others in their own package
			}
			t.Run(c.name+"/"+name, func(t *testing.T) {
				k, err := kernel.New(name)
				if err != nil {
					t.Fatal(err)
				}
				p, err := baseline.Fit(t.Context(), k, train, c.most, nil)
				if err != nil {
					t.Fatal(err)
				}
				there := min(c.most, c.train-1, len(e.mean))
				if p.Components() != there {
					t.Fatalf("%d components, want %d", p.Components(), there)
				}
				for i, v := range p.Variance() {
					if math.Abs(v-e.value[i]) > 1e-3*e.value[i]+1e-6*e.value[0] {
						t.Errorf("variance %d is %g, exactly %g", i, v, e.value[i])
						break
					}
				}
				sums, err := p.Evaluate(t.Context(), validation, c.components, nil)
				if err != nil {
					t.Fatal(err)
				}
				for i, n := range c.components {
					limited, absolute, free := e.errors(validation, min(n, there))
					m := trainer.ValidationMetrics(sums[i])
					if loss := sums[i].Loss / float64(sums[i].Images); !close(m["val_mse"], limited) || !close(m["val_mae"], absolute) || !close(loss, free) {
						t.Errorf("k %d: mse %.9f, mae %.9f, unlimited %.9f; exactly %.9f, %.9f, %.9f", n, m["val_mse"], m["val_mae"], loss, limited, absolute, free)
					}
				}
			})
		}
	}
}

// More components never reconstruct worse, and all metrics agree on that.
func TestMetricsRise(t *testing.T) {
	train, validation := crops(t, 700, 200, 16)
	p, err := baseline.Fit(t.Context(), kernel.Best(), train, 128, nil)
	if err != nil {
		t.Fatal(err)
	}
	sums, err := p.Evaluate(t.Context(), validation, []int{0, 4, 32, 128}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 1; i < len(sums); i++ {
		a, b := trainer.ValidationMetrics(sums[i-1]), trainer.ValidationMetrics(sums[i])
		if b["val_mse"] >= a["val_mse"] || b["val_mae"] >= a["val_mae"] || b["val_psnr"] <= a["val_psnr"] || b["val_ssim"] <= a["val_ssim"] ||
			b["val_pixel_acc"] <= a["val_pixel_acc"] {
			t.Errorf("step %d: from %v to %v", i, a, b)
		}
		if sums[i].Images != validation.Len() || sums[i].Values != len(validation.Pixels) {
			t.Errorf("evaluated %d images and %d values", sums[i].Images, sums[i].Values)
		}
	}
}

// Equal images give equal bits, also beside another caller of the same analysis.
func TestSameBits(t *testing.T) {
	train, validation := crops(t, 300, 300, 12)
	var all [][]trainer.Sums
	for range 2 {
		p, err := baseline.Fit(t.Context(), kernel.Best(), train, 40, nil)
		if err != nil {
			t.Fatal(err)
		}
		results := make(chan []trainer.Sums)
		for range 2 {
			go func() {
				s, err := p.Evaluate(context.Background(), validation, []int{0, 10, 40}, nil)
				if err != nil {
					t.Error(err)
				}
				results <- s
			}()
		}
		all = append(all, <-results, <-results)
	}
	for i, s := range all {
		if !slices.Equal(s, all[0]) {
			t.Errorf("run %d differs: %v, %v", i, s, all[0])
		}
	}
}

// Pictures that are all the same have no directions, and grey ones with constant pixels fewer than values.
func TestFlatImages(t *testing.T) {
	same := &dataset.Images{Height: 4, Width: 4, Channels: 1, Pixels: make([]byte, 40*16)}
	for i := range same.Pixels {
		same.Pixels[i] = byte(i % 16 * 9)
	}
	p, err := baseline.Fit(t.Context(), kernel.Best(), same, 8, nil)
	if err != nil {
		t.Fatal(err)
	}
	sums, err := p.Evaluate(t.Context(), same, []int{0, 8}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, s := range sums {
		if mse := s.SE / float64(s.Values); math.IsNaN(mse) || mse > 1e-12 {
			t.Errorf("result %d: mse %g of images that are their mean", i, mse)
		}
	}

	one := &dataset.Images{Height: 2, Width: 2, Channels: 3, Pixels: []byte("a single one")}
	if p, err = baseline.Fit(t.Context(), kernel.Best(), one, 3, nil); err != nil || p.Components() != 0 {
		t.Errorf("one image: %d components, %v", p.Components(), err)
	}
	if sums, err := p.Evaluate(t.Context(), one, []int{3}, nil); err != nil || sums[0].SE > 1e-12 {
		t.Errorf("one image: %v, %v", sums, err)
	}
}

func TestRefuses(t *testing.T) {
	train, _ := crops(t, 20, 5, 8)
	for _, most := range []int{0, -1, baseline.Most + 1} {
		if _, err := baseline.Fit(t.Context(), kernel.Best(), train, most, nil); err == nil {
			t.Errorf("%d components were found", most)
		}
	}
	if _, err := baseline.Fit(t.Context(), kernel.Best(), train.Take(0), 2, nil); err == nil {
		t.Error("no images have components")
	}
	p, err := baseline.Fit(t.Context(), kernel.Best(), train, 2, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Evaluate(t.Context(), train, []int{-1}, nil); err == nil {
		t.Error("-1 components were evaluated")
	}
	other, _ := crops(t, 20, 5, 10)
	if _, err := p.Evaluate(t.Context(), other, []int{1}, nil); err == nil {
		t.Error("images of another size were evaluated")
	}
}

// The work ends at its next piece when it is told to, in all its parts.
func TestPaceEndsIt(t *testing.T) {
	train, validation := crops(t, 600, 50, 12)
	enough := errors.New("enough")
	pieces := 0
	count := func(context.Context) error { pieces++; return nil }
	p, err := baseline.Fit(t.Context(), kernel.Best(), train, 50, count)
	if err != nil {
		t.Fatal(err)
	}
	all := pieces
	for stop := 0; stop < all; stop += max(1, all/12) {
		pieces = 0
		_, err := baseline.Fit(t.Context(), kernel.Best(), train, 50, func(context.Context) error {
			if pieces++; pieces > stop {
				return enough
			}
			return nil
		})
		if !errors.Is(err, enough) || pieces != stop+1 {
			t.Errorf("stopped after %d of %d pieces: %d done, %v", stop, all, pieces, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := baseline.Fit(ctx, kernel.Best(), train, 50, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled fit: %v", err)
	}
	if _, err := p.Evaluate(ctx, validation, []int{5}, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled evaluation: %v", err)
	}
}

func BenchmarkFit(b *testing.B) {
	for _, c := range []struct{ train, most int }{{4000, 64}, {4000, 512}} {
		b.Run(fmt.Sprintf("%d images, %d components", c.train, c.most), func(b *testing.B) {
			train, _ := crops(b, c.train, 10, 32)
			for b.Loop() {
				if _, err := baseline.Fit(b.Context(), kernel.Best(), train, c.most, nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
