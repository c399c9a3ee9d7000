package checkpoint

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"sweep/study"
)

// The files of a bundle. The manifest lists all others.
const (
	manifestFile        = "MANIFEST.json"
	modelFile           = "model.onnx"
	encoderFile         = "encoder.onnx"
	configFile          = "config.yaml"
	metricsFile         = "metrics.json"
	samplesFile         = "samples.png"
	reconstructionsFile = "reconstructions.png"
	curvesFile          = "curves.svg"
	cardFile            = "README.md"

	// Of a variational model only.
	decoderFile   = "decoder.onnx"
	generatedFile = "generated.png"
)

func bundleFiles() []string {
	return []string{
		modelFile, encoderFile, WeightsFile, configFile, metricsFile, samplesFile, reconstructionsFile, curvesFile, cardFile,
	}
}

// WeightsFile is the file of a bundle that holds the network's weights: see [DecodeModel].
const WeightsFile = "model.safetensors"

const bundleFormat = "sweep bundle 1"

// Manifest is MANIFEST.json of a bundle: what it is of, and the size and SHA-256 of each other file.
type Manifest struct {
	Format string     `json:"format"`
	Study  string     `json:"study"`
	Trial  int        `json:"trial"`
	Data   study.Data `json:"data"`
	// Train and Validate are how many images the seed drew from the training files: with them anyone can draw the same.
	Train    int                  `json:"train"`
	Validate int                  `json:"validation"`
	Seed     uint64               `json:"seed"`
	Versions map[string]string    `json:"versions"`
	Files    map[string]FileEntry `json:"files"`
}

// FileEntry is a file in a manifest.
type FileEntry struct {
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"` // lower-case hex
}

// Check is the claim of a bundle that anyone can repeat about model.onnx on the first images of a set: its mean squared
// error over all values of pixels/255; of a segmentation the mean intersection over union and the share of right pixels;
// of a classifier the share of right answers. What it is not about is 0 and left out. Input says in words what the model
// is fed with, where that is not the images alone: what comes out is compared with the images themselves all the same.
type Check struct {
	Set   string       `json:"set"` // "test"
	First int          `json:"first"`
	MSE   study.Number `json:"mse,omitzero"`

	MIoU     study.Number `json:"miou,omitzero"`
	PixelAcc study.Number `json:"pixel_acc,omitzero"`
	Acc      study.Number `json:"acc,omitzero"`
	Input    string       `json:"input,omitempty"`
}

// metricsDocument is metrics.json.
type metricsDocument struct {
	Study   string                  `json:"study"`
	Trial   int                     `json:"trial"`
	Metrics map[string]study.Number `json:"metrics"`
	Test    map[string]study.Number `json:"test_metrics"`
	Check   Check                   `json:"check"`
	// Baseline is left out where the model has none to be held against.
	Baseline *baselineDocument `json:"baseline,omitempty"`
}

func numbers(m map[string]float64) map[string]study.Number {
	out := make(map[string]study.Number, len(m))
	for k, v := range m {
		out[k] = study.Number(v)
	}
	return out
}

func document(v any) ([]byte, error) {
	b, err := json.MarshalIndent(v, "", "  ")
	return append(b, '\n'), err
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// errNoBundle says that a folder is no bundle of ours, whatever else it is.
var errNoBundle = errors.New("this is no bundle: a folder written by `sweep export` has a " + manifestFile)

// ReadManifest reads the manifest of the bundle in dir, without looking at the other files.
func ReadManifest(dir string) (Manifest, error) {
	m, _, err := readManifest(dir)
	if err != nil {
		return m, fmt.Errorf("read the bundle %s: %w", dir, err)
	}
	return m, nil
}

// readManifest also returns the SHA-256 of the manifest itself.
func readManifest(dir string) (m Manifest, sum string, err error) {
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return m, sum, errors.New("there is no such folder; `sweep export STUDY -o DIR` makes one")
	case err != nil:
		return m, sum, err
	case !info.IsDir():
		return m, sum, errNoBundle
	}
	b, err := readSmall(dir, manifestFile)
	if errors.Is(err, fs.ErrNotExist) {
		return m, sum, errNoBundle
	}
	if err != nil {
		return m, sum, err
	}
	if err := json.Unmarshal(b, &m); err != nil {
		return m, sum, fmt.Errorf("%s is not readable: %w", manifestFile, err)
	}
	if m.Format != bundleFormat {
		return m, sum, fmt.Errorf("%s has the format %q, but this sweep reads %q", manifestFile, m.Format, bundleFormat)
	}
	for name := range m.Files {
		if name == "." || name == manifestFile || !filepath.IsLocal(name) || strings.ContainsAny(name, `/\`) {
			return m, sum, fmt.Errorf("%s lists %q, which is no name of a file of a bundle", manifestFile, name)
		}
	}
	for _, name := range bundleFiles() {
		if _, ok := m.Files[name]; !ok {
			return m, sum, fmt.Errorf("%s does not list %s", manifestFile, name)
		}
	}
	return m, digest(b), nil
}

// openRegular opens a file of a bundle. What stands there may come from anywhere: a link could lead out of the folder, and
// reading a pipe or a device need not end.
func openRegular(dir, name string) (*os.File, int64, error) {
	path := filepath.Join(dir, name)
	info, err := os.Lstat(path)
	if err != nil {
		return nil, 0, err
	}
	if !info.Mode().IsRegular() {
		return nil, 0, fmt.Errorf("%s is no regular file", name)
	}
	f, err := os.Open(path)
	return f, info.Size(), err
}

// readSmall reads a document of a bundle, which is never large.
func readSmall(dir, name string) ([]byte, error) {
	const most = 16 << 20
	f, size, err := openRegular(dir, name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if size > most {
		return nil, fmt.Errorf("%s is larger than %d bytes", name, most)
	}
	return io.ReadAll(io.LimitReader(f, most))
}

// checkFiles compares every file with its entry, says in one line all that is wrong, and returns the bytes of those in
// keep.
func (m Manifest) checkFiles(dir string, keep ...string) (kept map[string][]byte, total int64, err error) {
	var wrong []string
	kept = map[string][]byte{}
	for _, name := range slices.Sorted(maps.Keys(m.Files)) {
		body, err := m.Files[name].read(dir, name, slices.Contains(keep, name))
		if errors.Is(err, fs.ErrNotExist) {
			err = fmt.Errorf("%s is missing", name)
		}
		if err != nil {
			wrong = append(wrong, err.Error())
		}
		kept[name] = body
		total += m.Files[name].Size
	}
	if len(wrong) > 0 {
		return nil, total, errors.New(strings.Join(wrong, "; "))
	}
	return kept, total, nil
}

// read compares a file with its entry, the size first, and returns its bytes if they are wanted.
func (e FileEntry) read(dir, name string, keep bool) ([]byte, error) {
	f, size, err := openRegular(dir, name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if size != e.Size {
		return nil, fmt.Errorf("%s has %d bytes, but %s says %d", name, size, manifestFile, e.Size)
	}
	h := sha256.New()
	var body bytes.Buffer
	to := io.Writer(h)
	if keep {
		to = io.MultiWriter(h, &body)
	}
	if _, err := io.Copy(to, io.LimitReader(f, size)); err != nil {
		return nil, err
	}
	if sum := hex.EncodeToString(h.Sum(nil)); sum != e.SHA256 {
		return nil, fmt.Errorf("%s has the SHA-256 %s, but %s says %s", name, sum, manifestFile, e.SHA256)
	}
	return body.Bytes(), nil
}
