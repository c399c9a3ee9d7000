package dataset

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"sweep/study"
)

// idxFile is one file of a set: its name without .gz, the SHA-256 of its content and of the .gz as it is published, and
// the size of that.
type idxFile struct {
	name         string
	dims         []int
	sum, zipSum  string
	zipSize      int64
	largestValue byte
}

// idxSet describes a set of four IDX files, each plain or as .gz.
type idxSet struct {
	name, folder            string
	mirrors                 []string // folders of the .gz files, with the last slash
	trainImages, testImages idxFile
	trainLabels, testLabels idxFile
	classes                 []string
	doc                     string
}

// mnist is the data set of that name (LeCun, Cortes and Burges, 1998), from the two places where it is kept today; its
// first home no longer answers. The sums are those that other readers of these files check.
func mnist() idxSet {
	return idxSet{
		name: "mnist", folder: "mnist",
		mirrors: []string{"https://ossci-datasets.s3.amazonaws.com/mnist/", "https://storage.googleapis.com/cvdf-datasets/mnist/"},
		trainImages: idxFile{
			"train-images-idx3-ubyte",
			[]int{60_000, 28, 28},
			"ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
			"440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609", 9_912_422, 255,
		},
		trainLabels: idxFile{
			"train-labels-idx1-ubyte",
			[]int{60_000},
			"65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
			"3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c", 28_881, 9,
		},
		testImages: idxFile{
			"t10k-images-idx3-ubyte",
			[]int{10_000, 28, 28},
			"0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
			"8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6", 1_648_877, 255,
		},
		testLabels: idxFile{
			"t10k-labels-idx1-ubyte",
			[]int{10_000},
			"ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
			"f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6", 4_542, 9,
		},
		classes: strings.Split("0123456789", ""),
		doc:     "MNIST: 70,000 grey handwritten digits 28x28",
	}
}

func (s idxSet) all() []idxFile {
	return []idxFile{s.trainImages, s.trainLabels, s.testImages, s.testLabels}
}

func (s idxSet) decl() study.DataDecl {
	d := s.trainImages.dims
	return study.DataDecl{Name: s.name, Train: d[0], Test: s.testImages.dims[0], Height: d[1], Width: d[2], Channels: 1, Doc: s.doc}
}

func (s idxSet) folderIn(dir string) string { return filepath.Join(dir, s.folder) }

func (s idxSet) open(dir string) (Source, error) {
	files := idxFiles{set: s, dir: s.folderIn(dir)}
	there, errs := 0, []error(nil)
	for _, f := range s.all() {
		err := files.stat(f)
		if err == nil || !errors.Is(err, fs.ErrNotExist) {
			there++
		}
		errs = append(errs, err)
	}
	if there == 0 {
		return nil, &FileError{Set: s.name, Path: files.dir, Expected: "the folder of its files", Found: "none", Err: fs.ErrNotExist}
	}
	if i := slices.IndexFunc(errs, func(e error) bool { return e != nil }); i >= 0 {
		if e, ok := errors.AsType[*FileError](errs[i]); ok && errs[0] != nil && errs[1] != nil && errs[2] == nil && errs[3] == nil {
			e.Found += ", only the test files are there"
		}
		return nil, errs[i]
	}
	return &source{name: s.name, trainLen: s.trainImages.dims[0], testLen: s.testImages.dims[0], files: files}, nil
}

func (s idxSet) missing(ctx context.Context, dir string) ([]missingFile, error) {
	files := idxFiles{set: s, dir: s.folderIn(dir)}
	var out []missingFile
	for _, f := range s.all() {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if _, err := files.read(f); err == nil {
			continue
		}
		var urls []string
		for _, m := range s.mirrors {
			urls = append(urls, m+f.name+".gz")
		}
		out = append(out, missingFile{
			remote: remote{urls: urls, size: f.zipSize, sum: f.zipSum}, name: s.name + "-" + f.name + ".gz",
			place: func(part string) error { return files.place(f, part) },
		})
	}
	return out, nil
}

func (s idxSet) verify(ctx context.Context, dir string) ([]Check, error) {
	files := idxFiles{set: s, dir: s.folderIn(dir)}
	var out []Check
	for _, f := range s.all() {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("verify data set %s: %w", s.name, err)
		}
		path, _ := files.find(f)
		check := Check{File: path}
		if _, check.Err = files.read(f); check.Err == nil {
			check.SHA256 = f.sum
		}
		out = append(out, check)
	}
	return out, nil
}

// idxFiles reads a set from dir, the folder that holds its files.
type idxFiles struct {
	set idxSet
	dir string
}

// find gives the file as it lies there: plain before .gz, and with a dot before "idx" as some copies have it. Where there is
// none it gives the name that is looked for first.
func (s idxFiles) find(f idxFile) (path string, zipped bool) {
	dotted := strings.Replace(f.name, "-idx", ".idx", 1)
	for _, name := range []string{f.name, f.name + ".gz", dotted, dotted + ".gz"} {
		path := filepath.Join(s.dir, name)
		if _, err := os.Lstat(path); err == nil {
			return path, strings.HasSuffix(name, ".gz")
		}
	}
	return filepath.Join(s.dir, f.name+".gz"), true
}

func (s idxFiles) bad(path, expected, found string, err error) error {
	return &FileError{Set: s.set.name, Path: path, Expected: expected, Found: found, Err: err}
}

// stat checks that a file is there and, when it is plain, its size. Of a .gz only the content has a known one.
func (s idxFiles) stat(f idxFile) error {
	path, zipped := s.find(f)
	want := fmt.Sprintf("%d bytes", idxSize(f.dims...))
	if zipped {
		want += " in gzip"
	}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return s.bad(path, want, "no such file", err)
	case err != nil:
		return fmt.Errorf("data set %s: %w", s.set.name, err)
	case !info.Mode().IsRegular():
		return s.bad(path, want, "no regular file", nil)
	case !zipped && info.Size() != idxSize(f.dims...):
		return s.bad(path, want, fmt.Sprintf("%d bytes", info.Size()), nil)
	}
	return nil
}

// read returns the values of a file whose content has the right SHA-256.
func (s idxFiles) read(f idxFile) ([]byte, error) {
	if err := s.stat(f); err != nil {
		return nil, err
	}
	path, zipped := s.find(f)
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read data set %s: %w", s.set.name, err)
	}
	defer file.Close()
	r, size := io.Reader(file), idxSize(f.dims...)
	want := fmt.Sprintf("%d bytes", size)
	if zipped {
		want += " in gzip"
		z, err := gzip.NewReader(file)
		if err != nil {
			return nil, s.bad(path, want, err.Error(), nil)
		}
		r = z
	}
	content, err := io.ReadAll(io.LimitReader(r, size+1))
	switch {
	case err != nil && zipped:
		return nil, s.bad(path, want, fmt.Sprintf("%d bytes and %v", len(content), err), nil)
	case err != nil:
		return nil, fmt.Errorf("read data set %s: %w", s.set.name, err)
	case int64(len(content)) > size:
		return nil, s.bad(path, want, "more", nil)
	case int64(len(content)) < size:
		return nil, s.bad(path, want, fmt.Sprintf("%d bytes", len(content)), nil)
	}
	if sum := sha256.Sum256(content); hex.EncodeToString(sum[:]) != f.sum {
		return nil, s.bad(path, "SHA-256 "+f.sum, hex.EncodeToString(sum[:]), nil)
	}
	dims, values, err := readIDX(bytes.NewReader(content), int(size))
	if err != nil {
		return nil, fmt.Errorf("read data set %s: %s: %w", s.set.name, path, err)
	}
	if !slices.Equal(dims, f.dims) {
		return nil, fmt.Errorf("read data set %s: %s: its dimensions are %v instead of %v", s.set.name, path, dims, f.dims)
	}
	if top := slices.Max(values); top > f.largestValue {
		return nil, fmt.Errorf("read data set %s: %s: it holds the label %d, but there are %d classes", s.set.name, path, top, int(f.largestValue)+1)
	}
	return values, nil
}

func (s idxFiles) pick(index []int) (*Images, error) {
	return s.images(s.set.trainImages, s.set.trainLabels, index)
}

func (s idxFiles) test(n int) (*Images, error) {
	// The whole file is read, also for a few of its images: the set is what its name says or is refused.
	return s.images(s.set.testImages, s.set.testLabels, upTo(n))
}

func (s idxFiles) images(of, labelsOf idxFile, index []int) (*Images, error) {
	pixels, err := s.read(of)
	if err != nil {
		return nil, err
	}
	labels, err := s.read(labelsOf)
	if err != nil {
		return nil, err
	}
	h, w := of.dims[1], of.dims[2]
	out := &Images{
		Height: h, Width: w, Channels: 1, Classes: s.set.classes,
		Pixels: make([]byte, len(index)*h*w), Labels: make([]byte, len(index)),
	}
	for i, n := range index {
		copy(out.Pixels[i*h*w:][:h*w], pixels[n*h*w:])
		out.Labels[i] = labels[n]
	}
	return out, nil
}

// place moves a checked .gz to its place. What would be found before it is wrong and goes.
func (s idxFiles) place(f idxFile, part string) error {
	if err := os.MkdirAll(s.dir, 0o755); err != nil {
		return err
	}
	if path, _ := s.find(f); filepath.Base(path) != f.name+".gz" {
		if err := os.Remove(path); err != nil {
			return err
		}
		return s.place(f, part)
	}
	return os.Rename(part, filepath.Join(s.dir, f.name+".gz"))
}
