package trainer

import (
	"context"
	"fmt"
	"math"

	"gonum.org/v1/gonum/mat"

	"sweep/trainer/dataset"
	"sweep/trainer/model"
)

// ProbeImages is the most training images whose codes the probe is fitted to, the first of the training split.
const ProbeImages = 2000

// probeRidge is the ridge of the probe, in parts of the mean variance of a code's numbers: enough that codes which
// depend on each other are no trouble, little enough to change no answer otherwise.
const probeRidge = 1e-3

// probeKey is the metric of the probe.
const probeKey = "val_probe_acc"

// probed reports whether trials of c have a probe: what is trained on the labels themselves needs none.
func probed(c Config) bool {
	return c.Task != model.Classify && labelled(c.Train) && labelled(c.Validation)
}

// probeDue picks the epochs with a probe: those with pictures from the fifth on, and the best epoch at the end. In a trial
// of ten epochs as in one of a hundred that costs no more than a twentieth of its time, and trials that are pruned early
// pay nothing.
func probeDue(epoch int) bool { return epoch >= 5 && stripDue(epoch) }

// labelled reports whether a set's images belong to classes that can be told apart.
func labelled(s *dataset.Images) bool {
	return s.Len() > 0 && len(s.Classes) > 1 && len(s.Labels) == s.Len()
}

// probe is val_probe_acc of the slot's network: what a linear classifier on its codes, fitted to those of the first
// [ProbeImages] training images, gets right on the validation images. It costs the encoder's pass over those images and,
// for [Probe], some 10 ms: with 10,000 training images a sixth of an epoch's time, so it is not made every epoch, see probeDue.
func (x *slot) probe(ctx context.Context, w Which) (acc float64, err error) {
	c := x.run.config
	train := c.Train.Take(ProbeImages)
	fit, err := x.engine.Evaluate(ctx, x.index, w, train, nil, Want{CodesOnly: true})
	if err != nil {
		return 0, fmt.Errorf("encode %d training images: %w", train.Len(), err)
	}
	judge, err := x.engine.Evaluate(ctx, x.index, w, c.Validation, nil, Want{CodesOnly: true})
	if err != nil {
		return 0, fmt.Errorf("encode %d validation images: %w", c.Validation.Len(), err)
	}
	err = x.compute(func() error {
		acc, err = Probe(fit.Codes, train.Labels, judge.Codes, c.Validation.Labels, len(train.Classes))
		return err
	})
	return acc, err
}

// Probe fits a linear classifier to codes (images, latent) and their labels below classes, and returns the share of the
// codes of judge, at least one, that it assigns to their label: a number from 0 to 1, NaN when a code is not finite.
//
// It is ridge regression of the one-hot labels on the centred codes, solved in closed form by Cholesky's decomposition in
// float64 (Hastie, Tibshirani and Friedman, "The elements of statistical learning", 2009, sections 3.4.1 and 4.2), the
// ridge being 1/1000 of the mean variance; a code is assigned to the class of the largest of its regressions. The numbers
// of a code that is constant are given no weight.
func Probe(fit []float32, fitLabels []byte, judge []float32, judgeLabels []byte, classes int) (float64, error) {
	n := len(fitLabels)
	if n == 0 || len(judgeLabels) == 0 || len(fit) == 0 || len(fit)%n != 0 || len(judge) != len(fit)/n*len(judgeLabels) {
		return 0, fmt.Errorf("fit a linear classifier: %d numbers of %d codes and %d of %d do not fit each other",
			len(fit), n, len(judge), len(judgeLabels))
	}
	for _, list := range [][]byte{fitLabels, judgeLabels} {
		for _, l := range list {
			if int(l) >= classes {
				return 0, fmt.Errorf("fit a linear classifier: label %d is none of %d classes", l, classes)
			}
		}
	}
	latent := len(fit) / n
	w, means, bias, ok := regress(fit, fitLabels, latent, classes)
	if !ok {
		return math.NaN(), nil
	}
	// The scores are x·w + (bias - means·w).
	var offset mat.Dense
	offset.Mul(mat.NewDense(1, latent, means), w)
	for c := range bias {
		bias[c] -= offset.At(0, c)
	}
	right := 0
	const block = 1024 // codes in memory as float64
	for at := 0; at < len(judgeLabels); at += block {
		labels := judgeLabels[at:min(at+block, len(judgeLabels))]
		x := mat.NewDense(len(labels), latent, nil)
		for i, v := range judge[at*latent:][:len(labels)*latent] {
			if v-v != 0 {
				return math.NaN(), nil
			}
			x.RawMatrix().Data[i] = float64(v)
		}
		var scores mat.Dense
		scores.Mul(x, w)
		for i, l := range labels {
			best, most := 0, math.Inf(-1)
			for c := range classes {
				if s := scores.At(i, c) + bias[c]; s > most {
					best, most = c, s
				}
			}
			if best == int(l) {
				right++
			}
		}
	}
	return float64(right) / float64(len(judgeLabels)), nil
}

// regress gives the weights (latent, classes), the codes' means and the share of each class; false when a code is not
// finite.
func regress(codes []float32, labels []byte, latent, classes int) (w *mat.Dense, means, shares []float64, ok bool) {
	n := len(labels)
	means, shares = make([]float64, latent), make([]float64, classes)
	for i, v := range codes {
		if v-v != 0 {
			return nil, nil, nil, false
		}
		means[i%latent] += float64(v)
	}
	for j := range means {
		means[j] /= float64(n)
	}
	for _, l := range labels {
		shares[l] += 1 / float64(n)
	}
	// Of the centred codes, by rows: their numbers' products with each other and with the labels.
	x := mat.NewDense(latent, n, nil)
	products := mat.NewDense(latent, classes, nil)
	for i, l := range labels {
		for j, v := range codes[i*latent:][:latent] {
			d := float64(v) - means[j]
			x.Set(j, i, d)
			products.Set(j, int(l), products.At(j, int(l))+d) // the labels' own means fall out: the codes are centred
		}
	}
	var gram mat.SymDense
	gram.SymOuterK(1, x)
	ridge := probeRidge * mat.Trace(&gram) / float64(latent)
	w = mat.NewDense(latent, classes, nil)
	if ridge == 0 {
		return w, means, shares, true // every code is the same
	}
	for j := range latent {
		gram.SetSym(j, j, gram.At(j, j)+ridge)
	}
	var c mat.Cholesky
	if !c.Factorize(&gram) {
		return nil, nil, nil, false // the products are beyond float64
	}
	// A condition number that is large for the error is no trouble here: the ridge bounds it by a thousand times latent.
	if err := c.SolveTo(w, products); err != nil {
		return nil, nil, nil, false
	}
	return w, means, shares, true
}
