package dataset

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func idx(dims []int, values []byte) []byte {
	b := []byte{0, 0, idxBytes, byte(len(dims))}
	for _, d := range dims {
		b = binary.BigEndian.AppendUint32(b, uint32(d))
	}
	return append(b, values...)
}

func zipped(t testing.TB, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	_, err := z.Write(b)
	must(t, err)
	must(t, z.Close())
	return out.Bytes()
}

// tinyDigits describes a set of generated IDX files: 12 training and 5 test images of 4x3. Its contents are by name.
func tinyDigits(t testing.TB) (idxSet, map[string][]byte) {
	t.Helper()
	set := mnist()
	set.name, set.folder = "digits", "digits"
	contents := map[string][]byte{}
	add := func(f *idxFile, dims ...int) {
		f.dims = dims
		values := make([]byte, int(idxSize(dims...))-4-4*len(dims))
		for i := range values {
			values[i] = byte(i*13+len(f.name)) % 250
			if len(dims) == 1 {
				values[i] %= 10
			}
		}
		b := idx(dims, values)
		contents[f.name] = b
		f.sum = hexSum(b)
		z := zipped(t, b)
		f.zipSum, f.zipSize = hexSum(z), int64(len(z))
	}
	add(&set.trainImages, 12, 4, 3)
	add(&set.trainLabels, 12)
	add(&set.testImages, 5, 4, 3)
	add(&set.testLabels, 5)
	return set, contents
}

func TestDigitsRead(t *testing.T) {
	set, contents := tinyDigits(t)
	plainName := func(name string) string { return name }
	for _, c := range []struct {
		name string
		file func(name string) string
		body func(b []byte) []byte
	}{
		{"plain", plainName, func(b []byte) []byte { return b }},
		{"gzip", func(n string) string { return n + ".gz" }, func(b []byte) []byte { return zipped(t, b) }},
		{"dotted", func(n string) string { return strings.Replace(n, "-idx", ".idx", 1) }, func(b []byte) []byte { return b }},
		{"dotted gzip", func(n string) string { return strings.Replace(n, "-idx", ".idx", 1) + ".gz" }, func(b []byte) []byte { return zipped(t, b) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			must(t, os.Mkdir(filepath.Join(dir, set.folder), 0o755))
			for name, b := range contents {
				must(t, os.WriteFile(filepath.Join(dir, set.folder, c.file(name)), c.body(b), 0o644))
			}
			s, err := set.open(dir)
			must(t, err)
			train, validation, err := s.Split(1, 8, 4)
			must(t, err)
			if train.Height != 4 || train.Width != 3 || train.Channels != 1 || train.Len() != 8 || validation.Len() != 4 {
				t.Fatalf("train is %dx%dx%d, %d images", train.Height, train.Width, train.Channels, train.Len())
			}
			images, labels := contents[set.trainImages.name][16:], contents[set.trainLabels.name][8:]
			seen := map[int]bool{}
			for _, part := range []*Images{train, validation} {
				for i := range part.Len() {
					at := 0
					for at < 12 && !bytes.Equal(images[at*12:][:12], part.Pixels[i*12:][:12]) {
						at++
					}
					if at == 12 || seen[at] || part.Labels[i] != labels[at] {
						t.Errorf("image %d is no training image, or drawn twice, or has another's label", i)
					}
					seen[at] = true
				}
			}
			test, err := s.Test(3)
			must(t, err)
			if !bytes.Equal(test.Pixels, contents[set.testImages.name][16:][:36]) || !bytes.Equal(test.Labels, contents[set.testLabels.name][8:][:3]) {
				t.Error("the first test images are others")
			}
			checks, err := set.verify(t.Context(), dir)
			must(t, err)
			for _, check := range checks {
				if check.Err != nil || check.SHA256 == "" {
					t.Errorf("%s: %v", check.File, check.Err)
				}
			}
		})
	}
}

func TestDigitsDamage(t *testing.T) {
	for _, c := range []struct {
		name   string
		damage func(t *testing.T, path string, b []byte) // path is plain
		want   string
		listed bool
	}{
		{"missing", func(t *testing.T, path string, _ []byte) {}, "expected 160 bytes in gzip, found no such file", true},
		{"truncated", func(t *testing.T, path string, b []byte) { must(t, os.WriteFile(path, b[:100], 0o644)) }, "found 100 bytes", true},
		{"longer", func(t *testing.T, path string, b []byte) {
			must(t, os.WriteFile(path, append(bytes.Clone(b), 1), 0o644))
		}, "found 161 bytes", true},
		{"a folder", func(t *testing.T, path string, _ []byte) { must(t, os.Mkdir(path, 0o755)) }, "no regular file", true},
		{"a bit", func(t *testing.T, path string, b []byte) {
			b = bytes.Clone(b)
			b[50] ^= 1
			must(t, os.WriteFile(path, b, 0o644))
		}, "expected SHA-256 ", false},
		{"no gzip", func(t *testing.T, path string, b []byte) { must(t, os.WriteFile(path+".gz", b, 0o644)) }, "invalid header", false},
		{"gzip cut off", func(t *testing.T, path string, b []byte) {
			z := zipped(t, b)
			must(t, os.WriteFile(path+".gz", z[:len(z)/2], 0o644))
		}, "unexpected EOF", false},
		{"gzip of more", func(t *testing.T, path string, b []byte) {
			must(t, os.WriteFile(path+".gz", zipped(t, append(bytes.Clone(b), 1)), 0o644))
		}, "expected 160 bytes in gzip, found more", false},
		{"gzip of less", func(t *testing.T, path string, b []byte) {
			must(t, os.WriteFile(path+".gz", zipped(t, b[:77]), 0o644))
		}, "found 77 bytes", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			set, contents := tinyDigits(t)
			dir := t.TempDir()
			folder := filepath.Join(dir, set.folder)
			must(t, os.Mkdir(folder, 0o755))
			for name, b := range contents {
				if name != set.trainImages.name {
					must(t, os.WriteFile(filepath.Join(folder, name), b, 0o644))
				}
			}
			c.damage(t, filepath.Join(folder, set.trainImages.name), contents[set.trainImages.name])
			s, err := set.open(dir)
			if (err != nil) != c.listed {
				t.Errorf("opening: %v", err)
			}
			if err == nil {
				_, _, err = s.Split(1, 2, 2)
			}
			if e, ok := errors.AsType[*FileError](err); !ok || strings.Contains(err.Error(), "\n") ||
				!strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "sweep data fetch digits") || !strings.Contains(e.Path, set.trainImages.name) {
				t.Errorf("error %v, want a FileError with %q", err, c.want)
			}
			if isAbsent(err) {
				t.Error("a set of which a part is there counts as absent, and would be passed over")
			}
			checks, err := set.verify(t.Context(), dir)
			must(t, err)
			for _, check := range checks {
				if bad := strings.Contains(check.File, set.trainImages.name); bad != (check.Err != nil) {
					t.Errorf("check of %s: %v", check.File, check.Err)
				}
			}
		})
	}
	set, contents := tinyDigits(t)
	dir := t.TempDir()
	if _, err := set.open(dir); !isAbsent(err) {
		t.Errorf("an empty folder: %v", err)
	}
	must(t, os.Mkdir(filepath.Join(dir, set.folder), 0o755))
	for _, f := range []idxFile{set.testImages, set.testLabels} {
		must(t, os.WriteFile(filepath.Join(dir, set.folder, f.name), contents[f.name], 0o644))
	}
	if _, err := set.open(dir); err == nil || !strings.Contains(err.Error(), "only the test files are there") || isAbsent(err) {
		t.Errorf("without its training files: %v", err)
	}
}

// TestDigitsFetch replaces what is wrong and leaves what is right, file by file.
func TestDigitsFetch(t *testing.T) {
	set, contents := tinyDigits(t)
	var asked []string
	breaks := true
	h := newHost(t, func(w http.ResponseWriter, r *http.Request) {
		name := strings.TrimPrefix(r.URL.Path, "/")
		asked = append(asked, name+" "+r.Header.Get("Range"))
		body := zipped(t, contents[strings.TrimSuffix(name, ".gz")])
		answer := file(body, `"`+name+`"`)
		if breaks {
			breaks = false
			answer = cut(answer, 30)
		}
		answer(w, r)
	})
	set.mirrors = []string{h.URL + "/"}
	dir := t.TempDir()
	folder := filepath.Join(dir, set.folder)
	must(t, os.Mkdir(folder, 0o755))
	must(t, os.WriteFile(filepath.Join(folder, set.testImages.name), contents[set.testImages.name], 0o644))
	must(t, os.WriteFile(filepath.Join(folder, set.trainLabels.name), []byte("damaged"), 0o644))
	total := set.trainImages.zipSize + set.trainLabels.zipSize + set.testLabels.zipSize
	last := int64(0)
	must(t, fetch(t.Context(), set, dir, quick, func(done, of int64) {
		if of != total || done < last {
			t.Errorf("progress %d after %d, of %d; want of %d", done, last, of, total)
		}
		last = done
	}))
	if last != total {
		t.Errorf("the last progress was %d of %d", last, total)
	}
	want := []string{"train-images-idx3-ubyte.gz ", "train-images-idx3-ubyte.gz bytes=30-", "train-labels-idx1-ubyte.gz ", "t10k-labels-idx1-ubyte.gz "}
	if !slices.Equal(asked, want) {
		t.Errorf("asked for %q, want %q", asked, want)
	}
	names := "digits digits/t10k-images-idx3-ubyte digits/t10k-labels-idx1-ubyte.gz digits/train-images-idx3-ubyte.gz digits/train-labels-idx1-ubyte.gz"
	if got := strings.Join(tree(t, dir), " "); got != names {
		t.Errorf("files are %q, want %q", got, names)
	}
	s, err := set.open(dir)
	must(t, err)
	_, _, err = s.Split(1, 6, 6)
	must(t, err)
}

// TestRealMNIST reads what $SWEEP_DATA has of the real files.
func TestRealMNIST(t *testing.T) {
	dir := os.Getenv("SWEEP_DATA")
	if dir == "" {
		t.Skip("$SWEEP_DATA does not name a folder with mnist")
	}
	set := mnist()
	files := idxFiles{set: set, dir: set.folderIn(dir)}
	if errors.Is(files.stat(set.testImages), fs.ErrNotExist) {
		t.Skip("there is no mnist in $SWEEP_DATA")
	}
	test, err := files.test(10_000)
	must(t, err)
	// The first digits of the test file, as every tutorial shows them, and the mean of all its pixels.
	if got := test.Labels[:10]; !bytes.Equal(got, []byte{7, 2, 1, 0, 4, 1, 4, 9, 5, 9}) {
		t.Errorf("the first labels are %v", got)
	}
	sum := 0
	for _, p := range test.Pixels {
		sum += int(p)
	}
	if mean := float64(sum) / 7_840_000 / 255; mean < 0.13251 || mean > 0.13252 {
		t.Errorf("the mean is %.6f, want 0.132515", mean)
	}
	_, err = Open("mnist", dir)
	if errors.Is(files.stat(set.trainImages), fs.ErrNotExist) {
		if err == nil || !strings.Contains(err.Error(), "only the test files are there") || !strings.Contains(err.Error(), "sweep data fetch mnist") {
			t.Errorf("without its training files: %v", err)
		}
		return
	}
	must(t, err)
}

func FuzzIDX(f *testing.F) {
	f.Add(idx([]int{2, 3}, []byte{1, 2, 3, 4, 5, 6}))
	f.Add(idx([]int{2}, []byte{1}))
	f.Add(idx([]int{1 << 31, 1 << 31, 4}, []byte{1}))
	f.Add([]byte{0, 0, 0x0d, 1, 0, 0, 0, 1, 0, 0, 0, 0})
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		const most = 1 << 16
		dims, values, err := readIDX(bytes.NewReader(b), most)
		if err != nil {
			return
		}
		// What is accepted can be written back, and is not more than was allowed.
		if len(values) > most || !bytes.Equal(idx(dims, values), b) {
			t.Fatalf("read %v with %d values from %d bytes", dims, len(values), len(b))
		}
	})
}
