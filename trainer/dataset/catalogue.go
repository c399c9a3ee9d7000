package dataset

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"sweep/study"
)

// Catalogue declares the data sets that a sweep file can name, in the order of the documentation.
func Catalogue() []study.DataDecl {
	var out []study.DataDecl
	for _, s := range sets() {
		out = append(out, s.decl())
	}
	return append(out, folderDecl())
}

// Open returns a set that is there: in dir, or made in memory. One that is not is a [FileError] or a [FolderError]. It looks
// at names and sizes; sums are checked, and a folder's images decoded, when the images are read.
func Open(name, dir string) (Source, error) { return OpenSized(name, dir, 0) }

// OpenSized is Open for a folder of images, whose images are cropped and resized to squares of side size; 0 leaves them as
// they are. Other sets have a size of their own and pass it over.
func OpenSized(name, dir string, size int) (Source, error) {
	if IsFolder(name) {
		f, err := openFolder(name, dir, size)
		if err != nil {
			return nil, err
		}
		return &source{name: name, trainLen: len(f.forTrain), testLen: len(f.forTest), files: f}, nil
	}
	s, err := find(name)
	if err != nil {
		return nil, err
	}
	return s.open(dir)
}

// Shape is what an image of a set is, without reading the set: of a folder of images, which is read to know, a guess from
// its first file, and 32x32 in colour for what is unknown.
func Shape(name, dir string, size int) (height, width, channels int) {
	if IsFolder(name) {
		if f, err := openFolder(name, dir, size); err == nil {
			return f.shape()
		}
		if size > 0 {
			return size, size, 3
		}
	}
	for _, d := range Catalogue() {
		if d.Name == name && d.Prefix == "" {
			return d.Height, d.Width, d.Channels
		}
	}
	return 32, 32, 3
}

func openCIFAR(set cifarSet, dir string) (Source, error) {
	c := cifarFiles{set: set, dir: filepath.Join(dir, set.folder)}
	if n := c.present(); n == 0 {
		return nil, &FileError{Set: set.name, Path: c.dir, Expected: "the folder of its files", Found: "none", Err: fs.ErrNotExist}
	}
	for _, f := range set.all() {
		if err := c.stat(f); err != nil {
			return nil, err
		}
	}
	return &source{name: set.name, trainLen: set.trainLen(), testLen: set.test.records, files: c}, nil
}

// present counts the set's files that exist, whatever is in them.
func (c cifarFiles) present() int {
	n := 0
	for _, f := range c.set.all() {
		if _, err := os.Lstat(filepath.Join(c.dir, f.name)); err == nil {
			n++
		}
	}
	return n
}

// stat checks that a file is there with its size.
func (c cifarFiles) stat(f setFile) error {
	path := filepath.Join(c.dir, f.name)
	want := fmt.Sprintf("%d bytes", f.size())
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return &FileError{Set: c.set.name, Path: path, Expected: want, Found: "no such file", Err: err}
	case err != nil:
		return fmt.Errorf("data set %s: %w", c.set.name, err)
	case !info.Mode().IsRegular():
		return &FileError{Set: c.set.name, Path: path, Expected: want, Found: "no regular file"}
	case info.Size() != f.size():
		return &FileError{Set: c.set.name, Path: path, Expected: want, Found: fmt.Sprintf("%d bytes", info.Size())}
	}
	return nil
}

// Wanted says which data set is to be chosen.
type Wanted struct {
	Names   []string // the first that can be had
	Dir     string   // the data folder
	Size    int      // of [OpenSized]
	Offline bool     // nothing is fetched
}

// Choose takes the first set of w.Names that is in w.Dir or can be fetched into it, and says in a sentence what was chosen
// and why no earlier one. A set of which only a part is there, or whose files have the wrong size, is an error and never
// passed over: the user meant it. fetch downloads a set ([Fetch] when nil).
func Choose(ctx context.Context, w Wanted, fetch func(ctx context.Context, name, dir string) error) (s Source, note string, err error) {
	if fetch == nil {
		fetch = func(ctx context.Context, name, dir string) error { return Fetch(ctx, name, dir, nil) }
	}
	return choose(ctx, w, fetch, func(name, dir string) (Source, error) { return OpenSized(name, dir, w.Size) })
}

func choose(ctx context.Context, w Wanted, fetch func(ctx context.Context, name, dir string) error,
	open func(name, dir string) (Source, error),
) (Source, string, error) {
	if len(w.Names) == 0 {
		return nil, "", errors.New("choose a data set: none is named")
	}
	var why []string
	dir, fetchable := w.Dir, false
	for _, name := range w.Names {
		s, err := open(name, dir)
		how := ""
		if isAbsent(err) {
			if e, ok := errors.AsType[*FolderError](err); ok {
				why = append(why, strings.Join(e.Problems, "; "))
				continue
			}
			fetchable = true
			if w.Offline {
				why = append(why, fmt.Sprintf("%s is not in %s and --offline forbids to fetch it", name, dir))
				continue
			}
			if err := fetch(ctx, name, dir); err != nil {
				if ctx.Err() != nil {
					return nil, "", fmt.Errorf("choose a data set: %w", context.Cause(ctx))
				}
				why = append(why, fmt.Sprintf("%s is not in %s and could not be fetched (%s)", name, dir, cause(err, name)))
				continue
			}
			how = ", fetched into " + dir
			s, err = open(name, dir)
		}
		if err != nil {
			return nil, "", err
		}
		return s, note(s, dir, how, why), nil
	}
	advice := "put its files there, or name the folder that holds them with --data"
	if w.Offline && fetchable {
		advice += ", or leave out --offline"
	}
	return nil, "", fmt.Errorf("no data: %s; %s, or use the data set %s, which is always there",
		strings.Join(why, "; "), advice, shapesName)
}

// isAbsent reports whether err says that nothing of a set is there, as opposed to a part.
func isAbsent(err error) bool {
	if e, ok := errors.AsType[*FolderError](err); ok {
		return errors.Is(e, fs.ErrNotExist)
	}
	e, ok := errors.AsType[*FileError](err)
	return ok && e.Found == "none" && errors.Is(e, fs.ErrNotExist)
}

// cause is the reason of a fetch's error: the note says the rest already.
func cause(err error, name string) string {
	if e, ok := errors.AsType[*FetchError](err); ok {
		err = e.Err
	}
	return strings.TrimPrefix(err.Error(), "fetch data set "+name+": ")
}

// note says what was chosen and why no earlier one.
func note(s Source, dir, how string, why []string) string {
	said := fmt.Sprintf("data: %s from %s%s", s.Name(), dir, how)
	if how != "" {
		said = fmt.Sprintf("data: %s%s", s.Name(), how)
	}
	if s.Name() == shapesName {
		said = fmt.Sprintf("data: %s, generated images", s.Name())
	}
	if of, ok := s.(*source); ok {
		if f, ok := of.files.(*folder); ok {
			said = fmt.Sprintf("data: %s, %s", s.Name(), f.note())
		}
	}
	if len(why) > 0 {
		said += ", because " + strings.Join(why, " and ")
	}
	return said
}
