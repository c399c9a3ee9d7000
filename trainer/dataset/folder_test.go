package dataset

import (
	"bytes"
	"errors"
	"fmt"
	"image/color"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// album writes n images into folders below dir and returns their paths in order. Image i has its number in its first pixel.
func album(t testing.TB, dir string, n, h, w int, coloured bool, where func(i int) string) (paths []string) {
	t.Helper()
	for i := range n {
		img := painted(w, h, func(x, y int) color.NRGBA {
			if x == 0 && y == 0 {
				return grey(i)
			}
			c := grey(x*7 + y*3)
			if coloured {
				c.B = 9
			}
			return c
		})
		name := where(i)
		body := encodePNG(t, img)
		write(t, filepath.Join(dir, filepath.FromSlash(name)), body)
		paths = append(paths, name)
	}
	slices.Sort(paths)
	return paths
}

func flat(i int) string { return fmt.Sprintf("img%03d.png", i) }

func TestFolder(t *testing.T) {
	dir := t.TempDir()
	album(t, filepath.Join(dir, "own"), 60, 28, 20, false, func(i int) string { return fmt.Sprintf("class%d/deep/%03d.PNG", i%3, i) })
	write(t, filepath.Join(dir, "own", "notes.txt"), []byte("no image"))
	write(t, filepath.Join(dir, "own", ".hidden", "x.png"), []byte("no image"))
	write(t, filepath.Join(dir, "own", "class0", "._x.png"), []byte("no image"))
	s, err := Open("folder:own", dir)
	must(t, err)
	again, err := Open("folder:"+filepath.Join(dir, "own"), "elsewhere")
	must(t, err)
	test, err := s.Test(0)
	must(t, err)
	if test.Height != 28 || test.Width != 20 || test.Channels != 1 || strings.Join(test.Classes, " ") != "class0 class1 class2" {
		t.Fatalf("images %dx%dx%d, classes %q", test.Height, test.Width, test.Channels, test.Classes)
	}
	rest := 60 - test.Len()
	if test.Len() < 1 || test.Len() > 15 { // 6 are expected; with these paths it is a fixed number
		t.Errorf("%d of 60 images are the test set", test.Len())
	}
	train, validation, err := s.Split(7, rest-5, 5)
	must(t, err)
	seen := map[byte]bool{}
	for _, part := range []*Images{train, validation, test} {
		for i := range part.Len() {
			number := part.Pixels[i*28*20]
			if seen[number] || part.Labels[i] != number%3 {
				t.Errorf("image %d is there twice, or has the class %d", number, part.Labels[i])
			}
			seen[number] = true
		}
	}
	if len(seen) != 60 {
		t.Errorf("%d of 60 images were drawn", len(seen))
	}
	a, err := s.Fingerprint(7, 20, 5)
	must(t, err)
	if b, err := again.Fingerprint(7, 20, 5); err != nil || a != b {
		t.Errorf("by another path the fingerprint is another: %v", err)
	}
	// What is there stays in its part when images are added.
	var before []byte
	for i := range test.Len() {
		before = append(before, test.Pixels[i*560])
	}
	album(t, filepath.Join(dir, "own"), 61, 28, 20, true, func(i int) string { return fmt.Sprintf("class%d/deep/%03d.PNG", i%3, i) })
	grown, err := Open("folder:own", dir)
	must(t, err)
	more, err := grown.Test(0)
	must(t, err)
	if more.Channels != 3 {
		t.Errorf("images with a colour have %d channels", more.Channels)
	}
	var after []byte
	for i := range more.Len() {
		if v := more.Pixels[i*1680]; v != 60 {
			after = append(after, v)
		}
	}
	if !bytes.Equal(before, after) {
		t.Errorf("the test set was %v and is %v after one more image", before, after)
	}
	if c, err := grown.Fingerprint(7, 20, 5); err != nil || c == a {
		t.Errorf("other images have the same fingerprint: %v", err)
	}
	checks, err := Verify(t.Context(), "folder:own", dir, 0)
	must(t, err)
	if len(checks) != 2 || checks[0].Err != nil || !strings.Contains(checks[0].File, "training images, colour, 28x20, 3 classes") {
		t.Errorf("verified: %+v", checks)
	}
}

func TestFolderParts(t *testing.T) {
	t.Run("train and test", func(t *testing.T) {
		dir := t.TempDir()
		album(t, dir, 30, 16, 16, false, func(i int) string {
			return fmt.Sprintf("%s/%d/%02d.png", [3]string{"train", "test", "valid"}[i%3], i%2, i)
		})
		s, note, err := Choose(t.Context(), Wanted{Names: []string{"folder:" + dir}, Dir: "none"}, nil)
		must(t, err)
		if want := "data: folder:" + dir + ", 10 training and 10 test images of 2 classes in " + dir + "; 10 images beside its folders train and test are left out"; note != want {
			t.Errorf("%q, want %q", note, want)
		}
		test, err := s.Test(0)
		must(t, err)
		for i := range test.Len() {
			if n := test.Pixels[i*256]; n%3 != 1 || test.Labels[i] != n%2 {
				t.Errorf("image %d with class %d is in the test set", n, test.Labels[i])
			}
		}
	})
	t.Run("no classes", func(t *testing.T) {
		dir := t.TempDir()
		album(t, dir, 9, 16, 16, false, func(i int) string {
			if i == 4 {
				return flat(i)
			}
			return "in/" + flat(i)
		})
		s, err := Open("folder:"+dir, "")
		must(t, err)
		test, err := s.Test(0)
		must(t, err)
		if test.Classes != nil || slices.Max(test.Labels) != 0 {
			t.Errorf("classes %q", test.Classes)
		}
	})
	t.Run("three images", func(t *testing.T) {
		dir := t.TempDir()
		album(t, dir, 3, 16, 16, false, flat)
		s, err := Open("folder:"+dir, "")
		must(t, err)
		train, validation, err := s.Split(1, 1, 1)
		must(t, err)
		if test, err := s.Test(0); err != nil || test.Len() != 1 || train.Len() != 1 || validation.Len() != 1 {
			t.Errorf("%v", err)
		}
	})
	t.Run("links", func(t *testing.T) {
		dir := t.TempDir()
		album(t, filepath.Join(dir, "real"), 5, 16, 16, false, flat)
		must(t, os.Mkdir(filepath.Join(dir, "own"), 0o755))
		must(t, os.Symlink(filepath.Join(dir, "real"), filepath.Join(dir, "own", "class")))
		s, err := Open("folder:own", dir)
		must(t, err)
		_, _, err = s.Split(1, 2, 2)
		must(t, err)
		must(t, os.Symlink("..", filepath.Join(dir, "own", "loop")))
		if _, err := Open("folder:own", dir); err == nil || !strings.Contains(err.Error(), "does a link lead back") {
			t.Errorf("a link that leads back: %v", err)
		}
		must(t, os.Remove(filepath.Join(dir, "own", "loop")))
		must(t, os.Symlink(filepath.Join(dir, "real"), filepath.Join(dir, "own", "again")))
		if _, err := Open("folder:own", dir); err == nil || !strings.Contains(err.Error(), "as another one does") {
			t.Errorf("two links to one folder: %v", err)
		}
	})
	t.Run("one training image", func(t *testing.T) {
		dir := t.TempDir()
		album(t, filepath.Join(dir, "train"), 1, 16, 16, false, flat)
		album(t, filepath.Join(dir, "test"), 5, 16, 16, false, flat)
		if _, err := Open("folder:"+dir, ""); err == nil || !strings.Contains(err.Error(), "train has 1 image: at least 2 are needed there") {
			t.Errorf("one training image: %v", err)
		}
	})
}

func TestFolderSize(t *testing.T) {
	dir := t.TempDir()
	album(t, dir, 12, 40, 30, true, flat)
	album(t, dir, 3, 30, 40, true, func(i int) string { return "z" + flat(i) })
	s, note, err := Choose(t.Context(), Wanted{Names: []string{"folder:" + dir}, Size: 24}, nil)
	must(t, err)
	if !strings.Contains(note, "cropped and resized to 24x24") {
		t.Errorf("the note is %q", note)
	}
	test, err := s.Test(0)
	must(t, err)
	p, _, err := new(Photos).Read(filepath.Join(dir, flat(3)), 24, 24)
	must(t, err)
	train, _, err := s.Split(1, 15-test.Len()-1, 1)
	must(t, err)
	found := bytes.Contains(append(bytes.Clone(train.Pixels), test.Pixels...), p.RGB)
	if test.Height != 24 || test.Width != 24 || test.Channels != 3 || !found {
		t.Errorf("images %dx%dx%d; one as Photos has it among them: %v", test.Height, test.Width, test.Channels, found)
	}
	if h, w, c := Shape("folder:"+dir, "", 24); h != 24 || w != 24 || c != 3 {
		t.Errorf("the shape is %d, %d, %d", h, w, c)
	}
	s, err = Open("folder:"+dir, "")
	must(t, err)
	_, _, err = s.Split(1, 2, 2)
	for _, want := range []string{"12 are 40x30, but zimg000.png is 30x40; zimg001.png is 30x40; zimg002.png is 30x40", "size: 32"} {
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("images of several sizes: %v, want %q", err, want)
		}
	}
	for _, size := range []int{-1, 8, 65} {
		if _, err := OpenSized("folder:"+dir, "", size); err == nil {
			t.Errorf("size %d: no error", size)
		}
	}
}

func TestFolderMistakes(t *testing.T) {
	dir := t.TempDir()
	big := filepath.Join(dir, "big")
	album(t, big, 4, 20, 70, false, flat)
	broken := filepath.Join(dir, "broken")
	album(t, broken, 20, 16, 16, false, flat)
	for i := range 12 {
		write(t, filepath.Join(broken, "bad", flat(i)), []byte("no image"))
	}
	must(t, os.Symlink("nowhere", filepath.Join(broken, "link.jpg")))
	other := filepath.Join(dir, "other")
	write(t, filepath.Join(other, "a.webp"), nil)
	write(t, filepath.Join(other, "b.png"), nil)
	file := write(t, filepath.Join(dir, "file.png"), nil)
	for _, c := range []struct {
		name   string
		absent bool
		want   []string
	}{
		{"folder:", false, []string{"names no folder"}},
		{"folder:none", true, []string{"there is no folder " + filepath.Join(dir, "none"), "--data"}},
		{"folder:" + file, false, []string{file + " is no folder"}},
		{"folder:other", false, []string{"has 1 images (and files with the extensions .webp, which are not read)", "at least 3"}},
		{"folder:big", false, []string{"its images are 20x70, but a side has 16 to 64 pixels", "size: 32"}},
		{"folder:broken", false, []string{"bad/img000.png: it is no PNG or JPEG; bad/img001.png", "; and 3 more: mend those files or move them"}},
	} {
		s, err := Open(c.name, dir)
		if err == nil {
			_, _, err = s.Split(1, 2, 1)
		}
		if err == nil {
			t.Errorf("%s: no error", c.name)
			continue
		}
		for _, want := range c.want {
			if !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%s: %v, want one line with %q", c.name, err, want)
			}
		}
		if isAbsent(err) != c.absent || errors.Is(err, fs.ErrNotExist) != c.absent {
			t.Errorf("%s: counts as absent: %v", c.name, isAbsent(err))
		}
	}
	if err := Fetch(t.Context(), "folder:none", dir, nil); err == nil || !strings.Contains(err.Error(), "cannot be fetched") {
		t.Errorf("fetching a folder: %v", err)
	}
}
