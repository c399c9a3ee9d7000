package dataset

import (
	"context"
	"fmt"
	"path/filepath"
)

// Status is what `sweep data list` says of a data set.
type Status struct {
	Name     string `json:"name"`
	Doc      string `json:"doc"`
	Where    string `json:"where"`             // its folder; empty when it is made in memory
	Present  bool   `json:"present"`           // all files are there with their sizes; their sums are not checked
	Problem  string `json:"problem,omitempty"` // why it is not Present, when something of it is there
	Train    int    `json:"train"`             // images in the training files
	Test     int    `json:"test"`              // images in the test file
	Height   int    `json:"height"`
	Width    int    `json:"width"`
	Channels int    `json:"channels"`
}

// List describes every data set as it stands in dir.
func List(dir string) []Status {
	var out []Status
	for _, s := range sets() {
		out = append(out, statusOf(s, dir))
	}
	return out
}

func statusOf(s set, dir string) Status {
	d := s.decl()
	out := Status{
		Name: d.Name, Doc: d.Doc, Where: s.folderIn(dir), Train: d.Train, Test: d.Test,
		Height: d.Height, Width: d.Width, Channels: d.Channels,
	}
	_, err := s.open(dir)
	out.Present = err == nil
	if err != nil && !isAbsent(err) {
		out.Problem = err.Error()
	}
	return out
}

// Check is the verdict on one file of a data set, or on one part of a generated one.
type Check struct {
	File   string // its path, or the name of the part
	SHA256 string // the sum that was found and is right; empty when Err is set
	Err    error  // what is wrong
}

// Verify reads a data set whole and checks every file, or generates a sample of a generated one and compares it with
// the sum it was published with. The error is of a name that does not exist, or ctx's; what is wrong with a file stands
// in its check. Of a folder of images it reads every image, with the size of [OpenSized].
func Verify(ctx context.Context, name, dir string, size int) ([]Check, error) {
	if IsFolder(name) {
		f, err := openFolder(name, dir, size)
		if err != nil {
			return nil, err
		}
		return f.verify(ctx)
	}
	s, err := find(name)
	if err != nil {
		return nil, err
	}
	return s.verify(ctx, dir)
}

func verifyCIFAR(ctx context.Context, set cifarSet, dir string) ([]Check, error) {
	c := cifarFiles{set: set, dir: filepath.Join(dir, set.folder)}
	var out []Check
	for _, f := range set.all() {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("verify data set %s: %w", set.name, err)
		}
		check := Check{File: filepath.Join(c.dir, f.name)}
		check.Err = c.read(f, func(_ int, record []byte) error {
			if int(record[0]) >= len(set.classes) {
				return fmt.Errorf("the label is %d, but there are %d classes", record[0], len(set.classes))
			}
			return nil
		})
		if check.Err == nil {
			check.SHA256 = f.sum
		}
		out = append(out, check)
	}
	return out, nil
}
