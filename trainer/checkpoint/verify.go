package checkpoint

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"sweep/trainer/dataset"
)

// Report is what a verification found.
type Report struct {
	Manifest Manifest
	Digest   string // SHA-256 of MANIFEST.json
	Bytes    int64  // of all files
	Check    Check  // the claim
	MSE      float64
}

// Verify checks a bundle: every file against the manifest, both models and the weights by reading them, and the claim of
// metrics.json by running model.onnx on the test images again. open finds the data set that the bundle names. The report
// holds what was found before the error, which says what is wrong, all damaged files at once.
func Verify(ctx context.Context, dir string, open func(name string) (dataset.Source, error)) (Report, error) {
	r, err := verify(ctx, dir, open)
	if err != nil {
		return r, fmt.Errorf("verify %s: %w", dir, err)
	}
	return r, nil
}

func verify(ctx context.Context, dir string, open func(name string) (dataset.Source, error)) (r Report, err error) {
	if r.Manifest, err = readManifest(dir); err != nil {
		return r, err
	}
	if _, r.Digest, err = sumFile(filepath.Join(dir, manifestFile)); err != nil {
		return r, err
	}
	if r.Bytes, err = r.Manifest.checkFiles(dir); err != nil {
		return r, err
	}
	read := map[string][]byte{}
	for _, name := range []string{modelFile, encoderFile, weightsFile, metricsFile} {
		if read[name], err = os.ReadFile(filepath.Join(dir, name)); err != nil {
			return r, err
		}
	}
	if _, err := ReadONNX(read[encoderFile]); err != nil {
		return r, fmt.Errorf("%s: %w", encoderFile, err)
	}
	if _, _, err := DecodeModel(read[weightsFile]); err != nil {
		return r, fmt.Errorf("%s: %w", weightsFile, err)
	}
	var m metricsDocument
	if err := json.Unmarshal(read[metricsFile], &m); err != nil {
		return r, fmt.Errorf("%s is not readable: %w", metricsFile, err)
	}
	r.Check = m.Check
	if r.Check.Set != "test" || r.Check.First < 1 {
		return r, fmt.Errorf("%s claims something about the first %d images of the set %q: test images are understood here",
			metricsFile, r.Check.First, r.Check.Set)
	}
	name := r.Manifest.Data.Name
	source, err := open(name)
	if err != nil {
		return r, fmt.Errorf("its files are as the manifest says, but its claim is about the data set %s: %w", name, err)
	}
	images, err := source.Test(r.Check.First)
	if err != nil {
		return r, fmt.Errorf("its claim is about the data set %s: %w", name, err)
	}
	if r.MSE, err = evaluate(ctx, read[modelFile], images); err != nil {
		return r, fmt.Errorf("%s: %w", modelFile, err)
	}
	if claimed := float64(r.Check.MSE); !near(r.MSE, claimed) {
		return r, fmt.Errorf("%s claims a mean squared error of %.9f on the first %d test images of %s, but %s has %.9f: they differ by more than %g",
			metricsFile, claimed, r.Check.First, name, modelFile, r.MSE, mseTolerance)
	}
	return r, nil
}
