package dataset_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"go/ast"
	"go/parser"
	"go/token"
	"testing"

	"gonum.org/v1/gonum/mat"

	"sweep/trainer/dataset"
)

func shapes(t testing.TB) dataset.Source {
	t.Helper()
	s, err := dataset.Open("shapes", "")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func equal(a, b *dataset.Images) bool {
	return bytes.Equal(a.Pixels, b.Pixels) && bytes.Equal(a.Labels, b.Labels)
}

// TestShapesPinned pins pictures by their sum: a change of these numbers is another data set.
func TestShapesPinned(t *testing.T) {
	test, err := shapes(t).Test(50)
	if err != nil {
		t.Fatal(err)
	}
	const size = 32 * 32 * 3
	for i, want := range map[int]string{
		0:  "fc09c276e1397503f0d66f5bab8d2826a376ccfe15ab4fe7b1854b96b5d2d200",
		7:  "6ff8b2bd56adbc8af664d8a2cf51466e9daa64900173a097eab35d68512ab93d",
		49: "934a8c66077436ba46409fe3772521140956f2400f0ef64baef0ef4760af5158",
	} {
		sum := sha256.Sum256(test.Pixels[i*size:][:size])
		if got := hex.EncodeToString(sum[:]); got != want {
			t.Errorf("test picture %d: SHA-256 %s, want %s", i, got, want)
		}
		if got, want := int(test.Labels[i]), i%10; got != want {
			t.Errorf("label of test picture %d is %d, want %d", i, got, want)
		}
	}
	checks, err := dataset.Verify(t.Context(), "shapes", "", 0)
	if err != nil {
		t.Fatal(err)
	}
	if len(checks) != 2 {
		t.Fatalf("%d checks, want those of training and test pictures", len(checks))
	}
	for _, c := range checks {
		if c.Err != nil {
			t.Error(c.Err)
		}
	}
}

func TestShapesSplit(t *testing.T) {
	s := shapes(t)
	train, validation, err := s.Split(3, 120, 40)
	if err != nil {
		t.Fatal(err)
	}
	if train.Len() != 120 || validation.Len() != 40 || len(train.Classes) != 10 {
		t.Fatalf("split of %d, %d images in %d classes", train.Len(), validation.Len(), len(train.Classes))
	}
	const size = 32 * 32 * 3
	seen := map[string]bool{}
	for _, set := range []*dataset.Images{train, validation} {
		for i := range set.Len() {
			seen[string(set.Pixels[i*size:][:size])] = true
		}
	}
	if len(seen) != 160 {
		t.Errorf("%d different pictures among 160", len(seen))
	}
	test, err := s.Test(200)
	if err != nil {
		t.Fatal(err)
	}
	for i := range test.Len() {
		if seen[string(test.Pixels[i*size:][:size])] {
			t.Errorf("test picture %d is also trained or validated on", i)
		}
	}

	more, same, err := shapes(t).Split(3, 200, 40)
	if err != nil {
		t.Fatal(err)
	}
	if !equal(validation, same) {
		t.Error("the validation set changed with the number of training pictures")
	}
	if !equal(train, more.Take(120)) {
		t.Error("the first training pictures changed with their number")
	}
	other, _, err := shapes(t).Split(4, 120, 40)
	if err != nil {
		t.Fatal(err)
	}
	if equal(train, other) {
		t.Error("another seed drew the same split")
	}

	print1, err := s.Fingerprint(3, 120, 40)
	if err != nil {
		t.Fatal(err)
	}
	if want := dataset.Fingerprint("shapes", train, validation); print1 != want {
		t.Errorf("fingerprint %s, want that of the split, %s", print1, want)
	}
	for name, other := range map[string]string{
		"name":       dataset.Fingerprint("shades", train, validation),
		"size":       dataset.Fingerprint("shapes", train.Take(119), validation),
		"validation": dataset.Fingerprint("shapes", train, validation.Take(39)),
		"roles":      dataset.Fingerprint("shapes", validation, train),
	} {
		if other == print1 {
			t.Errorf("another %s has the same fingerprint", name)
		}
	}
}

// TestShapesHard asks of the pictures what CIFAR-10 has: a code of 64 numbers is clearly worse than one of 256, which is
// not perfect either. The best linear code is PCA, whose error is the sum of the eigenvalues left out; here of 1,500
// pictures halved in size, so that it is quick.
func TestShapesHard(t *testing.T) {
	if testing.Short() {
		t.Skip("an eigenvalue problem of 768 rows: left out with -short")
	}
	const n, side, d = 1500, 16, 16 * 16 * 3
	set, _, err := shapes(t).Split(1, n, 1)
	if err != nil {
		t.Fatal(err)
	}
	x := mat.NewDense(n, d, nil)
	for i := range n {
		row := x.RawRowView(i)
		for j, p := range set.Pixels[i*4*d:][:4*d] {
			y, xx, c := j/3/32/2, j/3%32/2, j%3
			row[(y*side+xx)*3+c] += float64(p) / 255 / 4
		}
	}
	for j := range d {
		mean := mat.Sum(x.ColView(j)) / n
		for i := range n {
			x.Set(i, j, x.At(i, j)-mean)
		}
	}
	var covariance mat.SymDense
	covariance.SymOuterK(1.0/n, x.T())
	var eigen mat.EigenSym
	if !eigen.Factorize(&covariance, false) {
		t.Fatal("no eigenvalues")
	}
	values := eigen.Values(nil) // rising
	mse := func(k int) float64 {
		sum := 0.0
		for _, v := range values[:d-k] {
			sum += v
		}
		return sum / d
	}
	t.Logf("MSE of PCA: 16 %.5f, 64 %.5f, 128 %.5f, 256 %.5f", mse(16), mse(64), mse(128), mse(256))
	if mse(64) < 0.002 || mse(64) < 2*mse(256) || mse(256) < 0.0001 {
		t.Errorf("PCA-64 %.6f, PCA-256 %.6f: the size of the latent code hardly matters", mse(64), mse(256))
	}
}

// TestShapesExact reads the drawing's source: a product outside of an explicit conversion may be fused with an addition
// on some processors, and then the pictures differ there.
func TestShapesExact(t *testing.T) {
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, "shapes_draw.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ok := map[ast.Node]bool{}
	products := 0
	ast.Inspect(file, func(n ast.Node) bool {
		if call, is := n.(*ast.CallExpr); is && len(call.Args) == 1 {
			if f, is := call.Fun.(*ast.Ident); is && f.Name == "float32" {
				ok[call.Args[0]] = true
			}
		}
		b, is := n.(*ast.BinaryExpr)
		if !is || b.Op != token.MUL {
			return true
		}
		products++
		left, isName := b.X.(*ast.Ident)
		if !ok[b] && !(isName && left.Name == "side") && !isParen(b.X) { // side and (y>>bits) are whole numbers
			t.Errorf("%s: a product outside of float32(…): write mul(a, b)", files.Position(b.Pos()))
		}
		return true
	})
	if products == 0 {
		t.Error("no product found: the test reads the wrong file")
	}
}

func isParen(e ast.Expr) bool {
	p, is := e.(*ast.ParenExpr)
	if !is {
		return false
	}
	shift, is := p.X.(*ast.BinaryExpr)
	return is && shift.Op == token.SHR
}

func BenchmarkShapes(b *testing.B) {
	s := shapes(b)
	for b.Loop() {
		if _, err := s.Test(100); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)*100/b.Elapsed().Seconds(), "images/s")
}
