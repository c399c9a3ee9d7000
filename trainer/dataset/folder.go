package dataset

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"sweep/study"
)

// A folder of the user's own images is a data set too: its name is folderPrefix and the path, absolute or inside the
// data folder.
const (
	folderPrefix = "folder:"
	minSide      = 16
	maxSide      = 64
	maxClasses   = 256
	maxDeep      = 16      // folders inside folders; more is a link that leads back
	maxBytes     = 4 << 30 // of all images together, which lie in memory
	listed       = 10      // problems that are told one by one
)

func folderDecl() study.DataDecl {
	return study.DataDecl{
		Name: folderPrefix + "PATH", Prefix: folderPrefix, MinSide: minSide, MaxSide: maxSide,
		Doc: "your own PNG and JPEG images, in or under a folder",
	}
}

// IsFolder reports whether a data set's name is that of a folder of images.
func IsFolder(name string) bool { return strings.HasPrefix(name, folderPrefix) }

// FolderError says all that is wrong with a folder of images, on one line.
type FolderError struct {
	Set      string // the data set's name
	Problems []string
	Advice   string
	Err      error // fs.ErrNotExist for a folder that is not there
}

func (e *FolderError) Error() string {
	shown := e.Problems[:min(len(e.Problems), listed)]
	more := ""
	if n := len(e.Problems) - len(shown); n > 0 {
		more = fmt.Sprintf("; and %d more", n)
	}
	return fmt.Sprintf("data set %s: %s%s: %s", e.Set, strings.Join(shown, "; "), more, e.Advice)
}

func (e *FolderError) Unwrap() error { return e.Err }

// folder is a set of images in files. Nothing but their names is read before an image is asked for; then all are read,
// once, because what an image is, grey or coloured and of which size, is a property of all.
type folder struct {
	name, root string
	size       int // side that images are cropped and resized to; 0: all have one size of their own
	classes    []string
	forTrain   []photoFile // by path
	forTest    []photoFile // by the hash of the path, so that the first ones are of every class
	aside      int         // images that are in neither train nor test

	once   sync.Once
	images *Images // those of train, then those of test
	err    error
}

// photoFile is one file of a folder.
type photoFile struct {
	path  string // below the root, with slashes
	class byte
}

// openFolder lists the images of a folder. Below it train and test are its two parts, when both are there; otherwise
// about a tenth of the images is the test set, chosen by the hash of their paths, so that an image stays in its part as
// others come and go. A folder directly below is a class, unless an image lies beside them.
func openFolder(name, dir string, size int) (*folder, error) {
	f := &folder{name: name, root: strings.TrimPrefix(name, folderPrefix), size: size}
	if f.root == "" {
		return nil, fmt.Errorf("data set %s names no folder: write its path after the colon, such as folder:photos", name)
	}
	if !filepath.IsAbs(f.root) {
		f.root = filepath.Join(dir, f.root)
	}
	if size != 0 && (size < minSide || size > maxSide) {
		return nil, fmt.Errorf("data set %s: the size %d is not from %d to %d", name, size, minSide, maxSide)
	}
	var images []string
	others := map[string]int{} // files that are no images, by extension
	if err := walk(f.root, "", 0, map[string]bool{}, &images, others); err != nil {
		return nil, f.unlisted(err)
	}
	slices.Sort(images)
	train, test, parted := split(images)
	f.aside = len(images) - len(train) - len(test)
	if parted && len(train) < 2 {
		return nil, f.wrong(fmt.Sprintf("its folder %s has %d image", filepath.Join(f.root, "train"), len(train)),
			"at least 2 are needed there, to train and to validate", nil)
	}
	if len(train) < 2 || len(test) < 1 {
		return nil, f.wrong(fmt.Sprintf("%s has %d images%s, which is too few", f.root, len(images), kinds(others)),
			"a data set needs at least 3, PNG or JPEG, to train, to validate and to test", nil)
	}
	f.classify(train, test, parted)
	if err := f.room(size, size); err != nil {
		return nil, err
	}
	return f, nil
}

// room refuses a folder whose images of these sides are more than memory should hold.
func (f *folder) room(h, w int) error {
	n := f.count() * h * w * 3
	if n <= maxBytes {
		return nil
	}
	return f.wrong(fmt.Sprintf("its %d images of %dx%d take %d MiB of memory", f.count(), h, w, n>>20),
		fmt.Sprintf("at most %d MiB are allowed: use a smaller size or fewer images", maxBytes>>20), nil)
}

func (f *folder) count() int { return len(f.forTrain) + len(f.forTest) }

func (f *folder) wrong(problem, advice string, err error) error {
	return &FolderError{Set: f.name, Problems: []string{problem}, Advice: advice, Err: err}
}

// unlisted explains why the folder could not be listed.
func (f *folder) unlisted(err error) error {
	advice := "give the path of a folder of images, from the root or inside --data"
	info, e := os.Stat(f.root)
	switch {
	case errors.Is(e, fs.ErrNotExist):
		return f.wrong("there is no folder "+f.root, advice, e)
	case e == nil && !info.IsDir():
		return f.wrong(f.root+" is no folder", advice, nil)
	}
	return f.wrong(err.Error(), advice, nil)
}

// walk lists the images below a folder, by their paths from root, and counts other files. Links are followed, hidden
// files and folders are left out. led are the folders that links have led to: a second link to one is refused, since links
// that lead to links could list the same images without end.
func walk(root, below string, depth int, led map[string]bool, images *[]string, others map[string]int) error {
	entries, err := os.ReadDir(filepath.Join(root, filepath.FromSlash(below)))
	if err != nil {
		return err
	}
	for _, e := range entries {
		name := path.Join(below, e.Name())
		if strings.HasPrefix(e.Name(), ".") {
			continue
		}
		isDir := e.IsDir()
		if e.Type()&fs.ModeSymlink != 0 {
			info, err := os.Stat(filepath.Join(root, filepath.FromSlash(name)))
			isDir = err == nil && info.IsDir() // a link to nothing is told when it is read
		}
		if isDir && e.Type()&fs.ModeSymlink != 0 {
			to, err := filepath.EvalSymlinks(filepath.Join(root, filepath.FromSlash(name)))
			if err != nil {
				return err
			}
			if led[to] {
				return fmt.Errorf("the link %s leads to %s, as another one does: does a link lead back? Remove one of them", name, to)
			}
			led[to] = true
		}
		switch {
		case isDir && depth == maxDeep:
			return fmt.Errorf("%s is %d folders deep: does a link lead back?", name, maxDeep+1)
		case isDir:
			if err := walk(root, name, depth+1, led, images, others); err != nil {
				return err
			}
		case IsPhoto(name):
			*images = append(*images, name)
		default:
			others[strings.ToLower(path.Ext(name))]++
		}
	}
	return nil
}

// kinds says which other files there are.
func kinds(others map[string]int) string {
	var names []string
	for k := range others {
		names = append(names, cmp.Or(k, "none"))
	}
	if len(names) == 0 {
		return ""
	}
	slices.Sort(names)
	return " (and files with the extensions " + strings.Join(names[:min(len(names), listed)], ", ") + ", which are not read)"
}

// hashOf places a path in the order of the test set, and below a tenth of its range in it.
func hashOf(path string) uint64 {
	sum := sha256.Sum256([]byte(path))
	return binary.BigEndian.Uint64(sum[:])
}

// split parts images, paths in their order, into training and test images, by their folders when parted, else by the hash
// of their paths.
func split(images []string) (train, test []string, parted bool) {
	in := func(part string) (out []string) {
		for _, p := range images {
			if strings.HasPrefix(p, part+"/") {
				out = append(out, p)
			}
		}
		return out
	}
	train, test = in("train"), in("test")
	parted = len(train) > 0 && len(test) > 0
	if !parted && len(images) > 0 {
		train, test = nil, nil
		least := images[0]
		for _, p := range images {
			if hashOf(p) < hashOf(least) {
				least = p
			}
		}
		for _, p := range images {
			if p == least || hashOf(p) < math.MaxUint64/10 {
				test = append(test, p)
			} else {
				train = append(train, p)
			}
		}
	}
	slices.SortFunc(test, func(a, b string) int { return cmp.Or(cmp.Compare(hashOf(a), hashOf(b)), cmp.Compare(a, b)) })
	return train, test, parted
}

// classify finds the classes: the folders that the images lie in, at the top or below train and test.
func (f *folder) classify(train, test []string, parted bool) {
	classOf := func(p string) string {
		if parted {
			_, p, _ = strings.Cut(p, "/")
		}
		class, _, in := strings.Cut(p, "/")
		if !in {
			return ""
		}
		return class
	}
	known := map[string]bool{}
	for _, p := range slices.Concat(train, test) {
		known[classOf(p)] = true
	}
	if !known[""] && len(known) <= maxClasses {
		for c := range known {
			f.classes = append(f.classes, c)
		}
		slices.Sort(f.classes)
	}
	number := func(paths []string) []photoFile {
		out := make([]photoFile, len(paths))
		for i, p := range paths {
			at, _ := slices.BinarySearch(f.classes, classOf(p))
			if len(f.classes) == 0 {
				at = 0
			}
			out[i] = photoFile{p, byte(at)}
		}
		return out
	}
	f.forTrain, f.forTest = number(train), number(test)
}

// shape guesses what an image will be from the settings and the first file.
func (f *folder) shape() (height, width, channels int) {
	height, width, channels = f.size, f.size, 3
	p, _, err := new(Photos).Read(filepath.Join(f.root, filepath.FromSlash(f.forTrain[0].path)), f.size, f.size)
	if err == nil {
		height, width = p.Height, p.Width
		if p.Grey() {
			channels = 1
		}
	}
	return min(max(height, minSide), maxSide), min(max(width, minSide), maxSide), channels
}

// note says what was found.
func (f *folder) note() string {
	classes := "without classes"
	if len(f.classes) > 0 {
		classes = fmt.Sprintf("of %d classes", len(f.classes))
	}
	s := fmt.Sprintf("%d training and %d test images %s in %s", len(f.forTrain), len(f.forTest), classes, f.root)
	if f.size > 0 {
		s += fmt.Sprintf(", cropped and resized to %dx%d where they have another size", f.size, f.size)
	}
	if f.aside > 0 {
		s += fmt.Sprintf("; %d images beside its folders train and test are left out", f.aside)
	}
	return s
}

func (f *folder) pick(index []int) (*Images, error) { return f.some(index, 0) }

func (f *folder) test(n int) (*Images, error) { return f.some(upTo(n), len(f.forTrain)) }

// some returns images of train, or of what lies at a distance from them.
func (f *folder) some(index []int, from int) (*Images, error) {
	f.once.Do(func() { f.images, f.err = f.read() })
	if f.err != nil {
		return nil, f.err
	}
	all := f.images
	size := all.Height * all.Width * all.Channels
	out := &Images{
		Height: all.Height, Width: all.Width, Channels: all.Channels, Classes: all.Classes,
		Pixels: make([]byte, len(index)*size), Labels: make([]byte, len(index)),
	}
	for i, n := range index {
		copy(out.Pixels[i*size:][:size], all.Pixels[(from+n)*size:])
		out.Labels[i] = all.Labels[from+n]
	}
	return out, nil
}

// read decodes every image and settles what they are.
func (f *folder) read() (*Images, error) {
	files := slices.Concat(f.forTrain, f.forTest)
	photos := make([]Photo, len(files))
	errs := make([]error, len(files))
	var reader Photos
	inParallel(len(files), func(i int) {
		at := filepath.Join(f.root, filepath.FromSlash(files[i].path))
		if f.size > 0 {
			photos[i], _, errs[i] = reader.Read(at, f.size, f.size)
			return
		}
		// The head alone tells whether it can be an image of the set: no use in decoding photographs for nothing.
		_, h, w, _, err := openPhoto(at)
		if err == nil && fits(h, w) {
			photos[i], _, err = reader.Read(at, 0, 0)
		} else {
			photos[i] = Photo{Height: h, Width: w}
		}
		errs[i] = err
	})
	var bad []string
	for i, err := range errs {
		if err != nil {
			bad = append(bad, fmt.Sprintf("%s: %v", files[i].path, err))
		}
	}
	if len(bad) > 0 {
		return nil, &FolderError{Set: f.name, Problems: bad, Advice: fmt.Sprintf("mend those files or move them out of %s", f.root)}
	}
	if err := f.oneSize(files, photos); err != nil {
		return nil, err
	}
	if err := f.room(photos[0].Height, photos[0].Width); err != nil {
		return nil, err
	}
	out := &Images{Height: photos[0].Height, Width: photos[0].Width, Channels: 1, Classes: f.classes, Labels: make([]byte, len(files))}
	if slices.ContainsFunc(photos, func(p Photo) bool { return !p.Grey() }) {
		out.Channels = 3
	}
	size := out.Height * out.Width * out.Channels
	out.Pixels = make([]byte, len(files)*size)
	for i, p := range photos {
		p.Pixels(out.Pixels[i*size:][:size], out.Channels)
		out.Labels[i] = files[i].class
		photos[i] = Photo{} // so that no image lies in memory twice for long
	}
	return out, nil
}

func fits(h, w int) bool { return min(h, w) >= minSide && max(h, w) <= maxSide }

// oneSize refuses images of several sizes, or of one that no network here takes.
func (f *folder) oneSize(files []photoFile, photos []Photo) error {
	counts := map[[2]int]int{}
	usual := [2]int{photos[0].Height, photos[0].Width}
	for _, p := range photos {
		at := [2]int{p.Height, p.Width}
		if counts[at]++; counts[at] > counts[usual] {
			usual = at
		}
	}
	advice := "write a size under data, such as {name: " + f.name + ", size: 32}, and all are cropped and resized to it"
	if len(counts) == 1 {
		if fits(usual[0], usual[1]) {
			return nil
		}
		return f.wrong(fmt.Sprintf("its images are %dx%d, but a side has %d to %d pixels", usual[0], usual[1], minSide, maxSide), advice, nil)
	}
	e := &FolderError{Set: f.name, Advice: advice}
	for i, p := range photos {
		if at := [2]int{p.Height, p.Width}; at != usual {
			e.Problems = append(e.Problems, fmt.Sprintf("%s is %dx%d", files[i].path, at[0], at[1]))
		}
	}
	e.Problems[0] = fmt.Sprintf("its images have several sizes: %d are %dx%d, but %s", counts[usual], usual[0], usual[1], e.Problems[0])
	return e
}

// inParallel calls do for 0 … n-1 on all cores.
func inParallel(n int, do func(i int)) {
	var next atomic.Int64
	var group sync.WaitGroup
	for range min(n, runtime.GOMAXPROCS(0)) {
		group.Go(func() {
			for i := int(next.Add(1) - 1); i < n; i = int(next.Add(1) - 1) {
				do(i)
			}
		})
	}
	group.Wait()
}

// verify reads the whole folder and gives the sum of each part.
func (f *folder) verify(ctx context.Context) ([]Check, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("verify data set %s: %w", f.name, err)
	}
	train, err := f.pick(upTo(len(f.forTrain)))
	if err != nil {
		return []Check{{File: f.root, Err: err}}, nil
	}
	test, err := f.some(upTo(len(f.forTest)), len(f.forTrain))
	if err != nil {
		return []Check{{File: f.root, Err: err}}, nil
	}
	kind := "colour"
	if train.Channels == 1 {
		kind = "grey"
	}
	var out []Check
	for i, s := range []*Images{train, test} {
		out = append(out, Check{
			File: fmt.Sprintf("%s: %d %s images, %s, %dx%d, %d classes", f.root, s.Len(), [...]string{"training", "test"}[i], kind,
				s.Height, s.Width, len(s.Classes)),
			SHA256: Fingerprint(f.name, s, &Images{}),
		})
	}
	return out, nil
}
