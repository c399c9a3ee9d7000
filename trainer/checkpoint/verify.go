package checkpoint

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"

	"sweep/study"
	"sweep/trainer"
	"sweep/trainer/dataset"
	"sweep/trainer/model"
)

// Report is what a verification found.
type Report struct {
	Manifest Manifest
	Digest   string // SHA-256 of MANIFEST.json
	Bytes    int64  // of all files
	Check    Check  // the claim about the first test images
	MSE      float64
	// Claimed are the metrics that the bundle claims of the whole test set, and Found what they come to on Images images.
	// Found is nil, and Images that of the whole set, where the model is so large that only Check was computed again.
	Claimed, Found map[string]float64
	// Figures are what Check claims of a network on labels, and what it comes to; MSE is 0 then.
	Figures []Figure
	Images  int
}

// maxVerify is how many multiplications a verification makes for the whole test set: less than a minute on two cores.
const maxVerify = 1 << 37

// Verify checks a bundle: every file against the manifest; model.onnx and encoder.onnx by making them again from the
// weights; the images that it was trained on by drawing them again and taking their fingerprint; and the claims of
// metrics.json about the test set by running model.onnx on it again, with an interpreter and sums that share nothing with
// the engine: the claim about the first images always, those about the whole set unless the model is too large for that
// (about 13 million multiplications an image, with 10,000 of them). What else metrics.json holds was measured while the
// trial was trained and is not computed again.
//
// open finds the data set that the bundle names. The report holds what was found before the error, which says what is
// wrong, all damaged files at once.
func Verify(ctx context.Context, dir string, open func(study.Data) (dataset.Source, error)) (Report, error) {
	return verifyWithin(ctx, dir, open, maxVerify)
}

func verifyWithin(ctx context.Context, dir string, open func(study.Data) (dataset.Source, error), work int) (Report, error) {
	r, err := verify(ctx, dir, open, work)
	if err != nil {
		return r, fmt.Errorf("verify %s: %w", dir, err)
	}
	return r, nil
}

func verify(ctx context.Context, dir string, open func(study.Data) (dataset.Source, error), work int) (r Report, err error) {
	if r.Manifest, r.Digest, err = readManifest(dir); err != nil {
		return r, err
	}
	var files map[string][]byte
	if files, r.Bytes, err = r.Manifest.checkFiles(dir, modelFile, encoderFile, decoderFile, WeightsFile, metricsFile); err != nil {
		return r, err
	}
	c, err := sameNetwork(files)
	if err != nil {
		return r, err
	}
	var m metricsDocument
	if err := json.Unmarshal(files[metricsFile], &m); err != nil {
		return r, fmt.Errorf("%s is not readable: %w", metricsFile, err)
	}
	if m.Study != r.Manifest.Study || m.Trial != r.Manifest.Trial {
		return r, fmt.Errorf("%s is of trial %d of %s, but %s of trial %d of %s",
			metricsFile, m.Trial, m.Study, manifestFile, r.Manifest.Trial, r.Manifest.Study)
	}
	r.Check = m.Check
	if r.Check.Set != "test" || r.Check.First < 1 {
		return r, fmt.Errorf("%s claims something about the first %d images of the set %q: test images are understood here",
			metricsFile, r.Check.First, r.Check.Set)
	}
	if _, words := c.Repeatable(); r.Check.Input != words {
		return r, fmt.Errorf("%s says that its check is made with the input %q, but for the network of %s it is %q", metricsFile, r.Check.Input, WeightsFile, words)
	}
	r.Claimed = make(map[string]float64, len(m.Test))
	for k, v := range m.Test {
		r.Claimed[k] = float64(v)
	}
	source, err := open(r.Manifest.Data)
	if err != nil {
		return r, fmt.Errorf("its files are as the manifest says, but its claim is about the data set %s: %w", r.Manifest.Data.Name, err)
	}
	if err := r.Manifest.sameData(source); err != nil {
		return r, err
	}
	return r, r.claims(ctx, c, files[modelFile], source, work)
}

// sameNetwork makes the models again from the weights.
func sameNetwork(files map[string][]byte) (model.Config, error) {
	c, weights, err := DecodeModel(files[WeightsFile])
	if err != nil {
		return c, fmt.Errorf("%s: %w", WeightsFile, err)
	}
	autoencoder, encoder, err := ONNX(c, weights)
	if err != nil {
		return c, fmt.Errorf("%s: %w", WeightsFile, err)
	}
	var decoder []byte
	if c.Generates() {
		if decoder, err = DecoderONNX(c, weights); err != nil {
			return c, fmt.Errorf("%s: %w", WeightsFile, err)
		}
	}
	for _, f := range []struct {
		name string
		want []byte
	}{{modelFile, autoencoder}, {encoderFile, encoder}, {decoderFile, decoder}} {
		if !bytes.Equal(files[f.name], f.want) {
			return c, fmt.Errorf("%s is not the network of %s as this sweep writes it", f.name, WeightsFile)
		}
	}
	return c, nil
}

// sameData draws the images that the trial was trained on again.
func (m Manifest) sameData(source dataset.Source) error {
	print, err := source.Fingerprint(m.Seed, m.Train, m.Validate)
	if err != nil {
		return fmt.Errorf("draw the images that it was trained on: %w", err)
	}
	if print != m.Data.Fingerprint {
		return fmt.Errorf("it was trained on other images than seed %d draws from the set %s here: their fingerprint is %.12s, it says %.12s",
			m.Seed, m.Data.Name, print, m.Data.Fingerprint)
	}
	return nil
}

// claims runs the model on the test images again.
func (r *Report) claims(ctx context.Context, c model.Config, onnx []byte, source dataset.Source, work int) error {
	m, err := ReadONNX(onnx)
	if err != nil {
		return fmt.Errorf("%s: %w", modelFile, err)
	}
	first, err := source.Test(r.Check.First)
	if err != nil {
		return fmt.Errorf("its claim is about the data set %s: %w", r.Manifest.Data.Name, err)
	}
	images, err := source.Test(0)
	if err != nil {
		return fmt.Errorf("its claim is about the data set %s: %w", r.Manifest.Data.Name, err)
	}
	r.Images = images.Len()
	own := c.Corruption()
	repeatable, _ := c.Repeatable()
	whole := len(r.Claimed) > 0 && m.work <= work/max(1, r.Images)
	var found comparison
	if whole {
		if found, err = m.measure(ctx, c, images, own, r.Manifest.Seed); err != nil {
			return fmt.Errorf("%s: %w", modelFile, err)
		}
	}
	checked := found
	if !whole || repeatable != own {
		if checked, err = m.measure(ctx, c, first, repeatable, r.Manifest.Seed); err != nil {
			return fmt.Errorf("%s: %w", modelFile, err)
		}
	}
	if c.Labelled() {
		if err := r.checkLabels(c, checked[:r.Check.First].sums()); err != nil {
			return err
		}
	} else if err := r.checkMSE(checked); err != nil {
		return err
	}
	if !whole {
		return nil
	}
	sums := found.sums()
	r.Found = trainer.TestMetricsOf(c, sums)
	return agree(r.Claimed, r.Found, sums.Values)
}

// checkMSE compares a check with what a model of pictures comes to.
func (r *Report) checkMSE(found comparison) error {
	r.MSE = found.mse(r.Check.First)
	if claimed := float64(r.Check.MSE); !near(r.MSE, claimed) {
		return fmt.Errorf("%s claims a mean squared error of %.9f on the first %d test images of %s, but %s has %.9f: they differ by more than %g",
			metricsFile, claimed, r.Check.First, r.Manifest.Data.Name, modelFile, r.MSE, mseTolerance)
	}
	return nil
}
