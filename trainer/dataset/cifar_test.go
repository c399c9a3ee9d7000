package dataset

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// tinySet describes a set of generated files in CIFAR's format, and returns their contents by name.
func tinySet() (cifarSet, map[string][]byte) {
	set := cifar10()
	set.name, set.folder, set.train = "tiny", "tiny-bin", nil
	contents := map[string][]byte{}
	add := func(name string, records int, salt byte) setFile {
		b := make([]byte, records*cifarRecord)
		for i := range b {
			b[i] = byte(i*7+i/cifarRecord*31) ^ salt
		}
		for i := range records {
			b[i*cifarRecord] = (byte(i) + salt) % 10
		}
		contents[name] = b
		sum := sha256.Sum256(b)
		return setFile{name, hex.EncodeToString(sum[:]), records}
	}
	set.train = append(set.train, add("one.bin", 5, 1), add("two.bin", 4, 2))
	set.test = add("test.bin", 3, 3)
	return set, contents
}

func writeSet(t testing.TB, set cifarSet, contents map[string][]byte) (dir string) {
	t.Helper()
	dir = t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, set.folder), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, b := range contents {
		if err := os.WriteFile(filepath.Join(dir, set.folder, name), b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestCIFARReads(t *testing.T) {
	set, contents := tinySet()
	s, err := openCIFAR(set, writeSet(t, set, contents))
	if err != nil {
		t.Fatal(err)
	}
	// The wanted image from the record itself, written the other way round: plane by plane.
	image := func(file string, i int) ([]byte, byte) {
		r := contents[file][i*cifarRecord:][:cifarRecord]
		out := make([]byte, 3072)
		for c := range 3 {
			for p := range 1024 {
				out[p*3+c] = r[1+c*1024+p]
			}
		}
		return out, r[0]
	}
	test, err := s.Test(0)
	if err != nil {
		t.Fatal(err)
	}
	if test.Len() != 3 {
		t.Fatalf("%d test images, want 3", test.Len())
	}
	for i := range 3 {
		pixels, label := image("test.bin", i)
		if !bytes.Equal(test.Pixels[i*3072:][:3072], pixels) || test.Labels[i] != label {
			t.Errorf("test image %d is not record %d", i, i)
		}
	}
	if first, err := s.Test(2); err != nil || !cmp.Equal(first, test.Take(2)) {
		t.Errorf("the first 2 test images differ from all: %v", err)
	}

	train, validation, err := s.Split(1, 6, 3)
	if err != nil {
		t.Fatal(err)
	}
	left := map[string]byte{}
	for file, n := range map[string]int{"one.bin": 5, "two.bin": 4} {
		for i := range n {
			pixels, label := image(file, i)
			left[string(pixels)] = label
		}
	}
	for _, images := range []*Images{train, validation} {
		for i := range images.Len() {
			key := string(images.Pixels[i*3072:][:3072])
			if label, ok := left[key]; !ok || label != images.Labels[i] {
				t.Errorf("image %d is no training record, or was drawn twice, or has a wrong label", i)
			}
			delete(left, key)
		}
	}
	if len(left) != 0 {
		t.Errorf("%d training records were not drawn", len(left))
	}
}

func TestSplitErrors(t *testing.T) {
	set, contents := tinySet()
	s, err := openCIFAR(set, writeSet(t, set, contents))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		train, validation int
		want              string
	}{
		{7, 3, "train 7 and validation 3 are 10 images, but tiny has 9 training images"},
		{0, 3, "at least 1"},
		{3, 0, "at least 1"},
		{-1, 3, "at least 1"},
		{1, int(^uint(0) >> 1), "tiny has 9"},
	} {
		if _, _, err := s.Split(1, c.train, c.validation); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("split %d, %d: error %v, want one with %q", c.train, c.validation, err, c.want)
		}
		if _, err := s.Fingerprint(1, c.train, c.validation); err == nil {
			t.Errorf("fingerprint of %d, %d: no error", c.train, c.validation)
		}
	}
	for _, first := range []int{-1, 4} {
		if _, err := s.Test(first); err == nil {
			t.Errorf("first %d of 3 test images: no error", first)
		}
	}
}

func TestDamage(t *testing.T) {
	tests := []struct {
		name   string
		damage func(t *testing.T, path string, b []byte)
		want   []string
		listed bool // the list, which reads no file, shows it
	}{
		{"missing", func(t *testing.T, path string, _ []byte) { must(t, os.Remove(path)) }, []string{"expected 12292 bytes, found no such file"}, true},
		{"truncated", func(t *testing.T, path string, b []byte) { must(t, os.WriteFile(path, b[:5000], 0o644)) }, []string{"expected 12292 bytes, found 5000 bytes"}, true},
		{"longer", func(t *testing.T, path string, b []byte) {
			must(t, os.WriteFile(path, append(b[:len(b):len(b)], 0), 0o644))
		}, []string{"found 12293 bytes"}, true},
		{"a bit flipped", func(t *testing.T, path string, b []byte) {
			c := bytes.Clone(b)
			c[9000] ^= 4
			must(t, os.WriteFile(path, c, 0o644))
		}, []string{"expected SHA-256 ", "found "}, false},
		{"a label flipped", func(t *testing.T, path string, b []byte) {
			c := bytes.Clone(b)
			c[cifarRecord] = 200
			must(t, os.WriteFile(path, c, 0o644))
		}, []string{"expected SHA-256 "}, false},
		{"a folder", func(t *testing.T, path string, _ []byte) {
			must(t, os.Remove(path))
			must(t, os.Mkdir(path, 0o755))
		}, []string{"found no regular file"}, true},
	}
	for _, c := range tests {
		t.Run(c.name, func(t *testing.T) {
			set, contents := tinySet()
			dir := writeSet(t, set, contents)
			path := filepath.Join(dir, set.folder, "two.bin")
			c.damage(t, path, contents["two.bin"])
			s, err := openCIFAR(set, dir)
			if err == nil {
				_, _, err = s.Split(1, 2, 2)
			}
			var e *FileError
			if !errors.As(err, &e) || e.Path != path {
				t.Fatalf("error %v, want a FileError of %s", err, path)
			}
			for _, want := range append(c.want, path, "sweep data fetch tiny", "--data") {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q does not say %q", err, want)
				}
			}
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("error of several lines: %q", err)
			}
			if st := statusOf(set, dir); c.listed == st.Present || c.listed == (st.Problem == "") {
				t.Errorf("the list says %+v", st)
			}
			checks, err := verifyCIFAR(t.Context(), set, dir)
			if err != nil {
				t.Fatal(err)
			}
			for _, check := range checks {
				if bad := check.File == path; bad != (check.Err != nil) || bad == (check.SHA256 != "") {
					t.Errorf("check of %s: %+v", check.File, check)
				}
			}
		})
	}
}

func TestAbsent(t *testing.T) {
	_, err := Open("cifar10", t.TempDir())
	if !isAbsent(err) || !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "sweep data fetch cifar10") {
		t.Errorf("error of an empty folder: %v", err)
	}
	if _, err := Open("cifar-10", t.TempDir()); err == nil || !strings.Contains(err.Error(), "cifar10, mnist, shapes") {
		t.Errorf("error of an unknown name: %v", err)
	}
	for _, s := range List(t.TempDir()) {
		if s.Problem != "" || s.Present != (s.Name == shapesName) || s.Test != 10_000 || s.Train < 50_000 {
			t.Errorf("in an empty folder: %+v", s)
		}
	}
}

// TestRealCIFAR reads the real data set where $SWEEP_DATA has it.
func TestRealCIFAR(t *testing.T) {
	dir := os.Getenv("SWEEP_DATA")
	if dir == "" {
		t.Skip("$SWEEP_DATA does not name a folder with cifar-10-batches-bin")
	}
	s, err := Open("cifar10", dir)
	if isAbsent(err) {
		t.Skipf("there is no cifar-10-batches-bin in $SWEEP_DATA: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	train, validation, err := s.Split(1, 45_000, 5_000)
	if err != nil {
		t.Fatal(err)
	}
	var sum [3]float64
	var classes [10]int
	for _, set := range []*Images{train, validation} {
		for i, p := range set.Pixels {
			sum[i%3] += float64(p)
		}
		for _, l := range set.Labels {
			classes[l]++
		}
	}
	if want := [10]int{5000, 5000, 5000, 5000, 5000, 5000, 5000, 5000, 5000, 5000}; classes != want {
		t.Errorf("images by class %v, want %v", classes, want)
	}
	// The means of red, green and blue of the 50,000 training images, as widely published.
	for c, want := range [3]float64{0.49139968, 0.48215841, 0.44653091} {
		if got := sum[c] / 255 / (50_000 * 1024); got < want-1e-7 || got > want+1e-7 {
			t.Errorf("mean of channel %d is %.8f, want %.8f", c, got, want)
		}
	}
	if test, err := s.Test(0); err != nil || test.Len() != 10_000 {
		t.Errorf("test images: %v", err)
	}
}

func FuzzRecords(f *testing.F) {
	_, contents := tinySet()
	f.Add(contents["test.bin"], 3)
	f.Add(contents["test.bin"][:100], 1)
	f.Add([]byte{}, 0)
	f.Fuzz(func(t *testing.T, b []byte, n int) {
		if n < 0 || n > 8 {
			return
		}
		im := cifarFiles{set: cifar10()}.images(n)
		got := 0
		err := readRecords(bytes.NewReader(b), n, func(i int, record []byte) error {
			got++
			return im.setRecord(i, record)
		})
		if err != nil {
			return
		}
		// What is accepted can be written back.
		if got != n || len(b) != n*cifarRecord {
			t.Fatalf("%d records of %d read from %d bytes", got, n, len(b))
		}
		for i := range n {
			if im.Labels[i] != b[i*cifarRecord] {
				t.Fatalf("label %d", i)
			}
			for p := range cifarPlane {
				for c := range 3 {
					if im.Pixels[(i*cifarPlane+p)*3+c] != b[i*cifarRecord+1+c*cifarPlane+p] {
						t.Fatalf("image %d, pixel %d, channel %d", i, p, c)
					}
				}
			}
		}
	})
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
