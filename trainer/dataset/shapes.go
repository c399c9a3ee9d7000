package dataset

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/rand/v2"

	"sweep/study"
)

// The generated set: figures of ten classes, each under its own light, colours and texture, before a patterned ground
// and partly behind other things. It has CIFAR-10's sizes, so that a sweep file runs on either.
const (
	shapesName  = "shapes"
	shapesTrain = 50_000
	shapesTest  = 10_000
	shapesSide  = 32
	shapesDoc   = "generated: 60,000 colour pictures 32x32 of ten figures, textured and partly hidden; always there"

	// shapesSeed and the replicates key the streams of the pictures. Changing one, or any line of the drawing,
	// makes another data set: then shapesSum must be changed knowingly, and the set's name with it.
	shapesSeed      = 0x5eed_0f_5eed
	shapesOfTrain   = 0
	shapesOfTest    = 1
	shapesSampleLen = 200 // pictures of each part that shapesSum is over
	shapesTrainSum  = "b3294ec5ea716bcd7e38cfea888b19cf14009cf9c61518be0bec6f55a604a60b"
	shapesTestSum   = "966f2099459bdc981acdf8ab974dcab70b23a247914256b2f633031539ceefd1"
)

func shapesClasses() []string {
	return []string{"disc", "ring", "square", "triangle", "star", "cross", "crescent", "pill", "heart", "arrow"}
}

func newShapes() Source {
	return &source{name: shapesName, trainLen: shapesTrain, testLen: shapesTest, files: shapesFiles{}}
}

// shapesSet is the generated set among the others: always there.
type shapesSet struct{}

func (shapesSet) decl() study.DataDecl {
	return study.DataDecl{
		Name: shapesName, Train: shapesTrain, Test: shapesTest, Height: shapesSide, Width: shapesSide, Channels: 3, Masks: true, Doc: shapesDoc,
	}
}

func (shapesSet) folderIn(string) string { return "" }

func (shapesSet) open(string) (Source, error) { return newShapes(), nil }

func (shapesSet) missing(context.Context, string) ([]missingFile, error) { return nil, nil }

func (shapesSet) verify(ctx context.Context, _ string) ([]Check, error) { return verifyShapes(ctx) }

// shapesFiles makes the pictures that are asked for and no others.
type shapesFiles struct{}

func (shapesFiles) pick(index []int) (*Images, error) {
	return shapesImages(shapesOfTrain, len(index), func(i int) int { return index[i] }), nil
}

func (shapesFiles) test(n int) (*Images, error) {
	return shapesImages(shapesOfTest, n, func(i int) int { return i }), nil
}

func shapesImages(part, n int, index func(int) int) *Images {
	const size = shapesSide * shapesSide * 3
	out := &Images{
		Height: shapesSide, Width: shapesSide, Channels: 3,
		Pixels:  make([]byte, n*size),
		Labels:  make([]byte, n),
		Classes: shapesClasses(),

		Masks:       make([]byte, n*shapesSide*shapesSide),
		MaskClasses: append([]string{"background"}, shapesClasses()...),
	}
	var c canvas
	for i := range n {
		at := index(i)
		label := at % len(out.Classes) // each class equally often, in the test set's first thousand too
		out.Labels[i] = byte(label)
		drawScene(&c, study.Stream(shapesSeed, part, study.ForShapes, at), label)
		c.bytes(out.Pixels[i*size:][:size])
		c.classes(out.Masks[i*shapesSide*shapesSide:][:shapesSide*shapesSide])
	}
	return out
}

// verifyShapes makes the first pictures of both parts and compares their sums with those that the set was published with:
// a processor or compiler that drew others would be found here.
func verifyShapes(ctx context.Context) ([]Check, error) {
	parts := []struct {
		name, sum string
		part      int
	}{
		{"the first training images", shapesTrainSum, shapesOfTrain},
		{"the first test images", shapesTestSum, shapesOfTest},
	}
	var out []Check
	for _, p := range parts {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("verify data set %s: %w", shapesName, err)
		}
		check := Check{File: p.name}
		sum := sha256.Sum256(shapesImages(p.part, shapesSampleLen, func(i int) int { return i }).Pixels)
		if s := hex.EncodeToString(sum[:]); s == p.sum {
			check.SHA256 = s
		} else {
			check.Err = fmt.Errorf("data set %s: %s: expected SHA-256 %s, found %s: this build draws other pictures; please report it with the output of `sweep version`",
				shapesName, p.name, p.sum, s)
		}
		out = append(out, check)
	}
	return out, nil
}

// drawScene draws a picture of class label: ground, things behind, the figure with its shadow, things in front.
func drawScene(c *canvas, r *rand.Rand, label int) {
	g := newGround(r)
	g.paint(c)

	main := figure{
		class: label,
		scale: between(r, 8, 12.5),
		x:     between(r, 11, 21),
		y:     between(r, 11, 21),
	}
	main.turn(r)
	for range choice(r, 3) {
		small := aside(r, main)
		small.paint(c)
	}
	main.colour(r, g.mean())
	main.shadow(c)
	main.paint(c)
	for range choice(r, 3) {
		small := aside(r, main)
		small.paint(c)
	}
}

// aside makes a small thing near the rim of the figure f, so that it hides a part or is hidden in part.
func aside(r *rand.Rand, f figure) figure {
	s := figure{class: choice(r, 10), scale: between(r, 2.5, 4.5)}
	cos, sin := direction(r)
	away := mul(f.scale, between(r, 0.7, 1.3))
	s.x, s.y = f.x+mul(away, cos), f.y+mul(away, sin)
	s.turn(r)
	s.colour(r, f.near)
	return s
}

// choice draws from 0 … n-1.
func choice(r *rand.Rand, n int) int { return below(r, n) }

// between draws a number of [low, high).
func between(r *rand.Rand, low, high float32) float32 {
	unit := float32(r.Uint64()>>40) / (1 << 24) // exact
	return low + mul(high-low, unit)
}

// direction draws a unit vector. It comes from the rational circle, because sines differ between machines.
func direction(r *rand.Rand) (cos, sin float32) {
	t := between(r, -1, 1)
	square := mul(t, t)
	cos, sin = (1-square)/(1+square), (t+t)/(1+square)
	if choice(r, 2) == 1 {
		return -cos, sin
	}
	return cos, sin
}
