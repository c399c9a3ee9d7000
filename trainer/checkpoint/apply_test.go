package checkpoint_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"sweep/trainer"
	"sweep/trainer/checkpoint"
	"sweep/trainer/dataset"
	"sweep/trainer/model"
)

// savePNG writes image i of a set.
func savePNG(t testing.TB, path string, s *dataset.Images, i int) {
	t.Helper()
	img := image.NewNRGBA(image.Rect(0, 0, s.Width, s.Height))
	for k := range s.Width * s.Height {
		p := s.Pixels[(i*s.Width*s.Height+k)*3:]
		img.SetNRGBA(k%s.Width, k/s.Width, color.NRGBA{p[0], p[1], p[2], 255})
	}
	var b bytes.Buffer
	must(t, png.Encode(&b, img))
	must(t, os.MkdirAll(filepath.Dir(path), 0o755))
	must(t, os.WriteFile(path, b.Bytes(), 0o644))
}

func TestApply(t *testing.T) {
	root := t.TempDir()
	b := bundle(t, "sigmoid")
	dir := filepath.Join(root, "best")
	_, err := checkpoint.Export(t.Context(), dir, b)
	must(t, err)
	at := func(name string) string { return filepath.Join(root, name) }
	savePNG(t, at("one.png"), b.Test, 0)
	savePNG(t, at("more/one.png"), b.Test, 1)
	savePNG(t, at("more/in/two.PNG"), b.Test, 2)
	savePNG(t, at("more/.hidden/x.png"), b.Test, 3)
	must(t, os.WriteFile(at("more/notes.txt"), nil, 0o644))
	wide := b.Test.Take(1).Resized(40, 50, 3)
	savePNG(t, at("more/wide.png"), wide, 0)

	encoder, err := checkpoint.ReadONNX([]byte(read(t, dir, "encoder.onnx")))
	must(t, err)
	for _, out := range []string{"new/out", "empty"} {
		if out == "empty" {
			must(t, os.Mkdir(at(out), 0o755))
		}
		r, err := checkpoint.Apply(t.Context(), dir, []string{at("one.png"), at("more")}, at(out))
		must(t, err)
		if r.Images != 4 || r.Pictures != 4 || r.Code != 8 || r.Height != 32 || r.Channels != 3 || !slices.Equal(r.Resized, []string{at("more/wide.png")}) || r.Grey != nil {
			t.Errorf("applied: %+v", r)
		}
		if got := strings.Join(names(t, at(out)), " "); got != "codes.csv in-two.png one-2.png one.png wide.png" {
			t.Errorf("files: %s", got)
		}
		rows, err := csv.NewReader(strings.NewReader(string(read(t, at(out), "codes.csv")))).ReadAll()
		must(t, err)
		if got := strings.Join(rows[0], " "); got != "image picture mse z0 z1 z2 z3 z4 z5 z6 z7" || len(rows) != 5 {
			t.Fatalf("%d rows, %s", len(rows), got)
		}
		sum := 0.0
		for _, row := range rows[1:] {
			mse, err := strconv.ParseFloat(row[2], 64)
			must(t, err)
			sum += mse / 4
		}
		if math.Abs(sum-r.Error) > 1e-6 {
			t.Errorf("the mean of the errors is %v, said %v", sum, r.Error)
		}
		// By the order of the arguments, then by path: test images 0, 2 and 1 as the engine made them.
		const size = 32 * 32 * 3
		for row, i := range map[int]int{1: 0, 2: 2, 3: 1} {
			input := make([]float32, size)
			want, mse := 0.0, 0.0
			for k, p := range b.Test.Pixels[i*size:][:size] {
				input[k%3*1024+k/3] = float32(p) / 255
				d := float64(b.Reconstructions[i*size+k]) - float64(p)/255
				want += d * d / size
			}
			fmt.Sscan(rows[row][2], &mse) //nolint:errcheck // parsed above
			if math.Abs(mse-want) > 1e-6 {
				t.Errorf("row %d, %s: mse %v, want %v", row, rows[row][0], mse, want)
			}
			code, err := encoder.Run(t.Context(), input)
			must(t, err)
			for k, v := range code {
				if got, err := strconv.ParseFloat(rows[row][3+k], 32); err != nil || float32(got) != v {
					t.Errorf("row %d: z%d is %v, want %v", row, k, got, v)
				}
			}
			img, err := png.Decode(strings.NewReader(string(read(t, at(out), rows[row][1]))))
			must(t, err)
			for k := range 1024 {
				r, _, blue, _ := img.At(k%32, k/32).RGBA()
				for c, got := range map[int]uint32{0: r >> 8, 2: blue >> 8} {
					want := float64(b.Reconstructions[i*size+3*k+c]) * 255
					if math.Abs(float64(got)-want) > 0.51 {
						t.Fatalf("%s: pixel %d, channel %d is %d, want %.2f", rows[row][1], k, c, got, want)
					}
				}
			}
		}
	}

	before := names(t, root)
	bad := func(name, body string) string {
		must(t, os.MkdirAll(filepath.Dir(at(name)), 0o755))
		must(t, os.WriteFile(at(name), []byte(body), 0o644))
		return at(name)
	}
	cut := string(read(t, at("more"), "one.png"))[:200]
	defer func() {
		got := slices.DeleteFunc(names(t, root), func(n string) bool { return n == "bad" || n == "odd" })
		if !slices.Equal(got, before) {
			t.Errorf("left behind: %q, was %q", got, before)
		}
	}()
	for _, c := range []struct {
		name   string
		images []string
		out    string
		want   []string
	}{
		{"all mistakes at once", []string{at("one.png"), at("none.png"), bad("bad/cut.png", cut), bad("bad/text.jpg", "text"), at("bad/.none")}, "x", []string{
			"4 images cannot be used, so nothing was written:", "none.png: there is no such file", "cut.png: it is damaged", "text.jpg: it is no PNG or JPEG", ".none: there is no such",
		}},
		{"one", []string{at("bad/cut.png"), at("more")}, "x", []string{"an image cannot be used", "cut.png: it is damaged"}},
		{"no image", []string{filepath.Dir(bad("bad/in/x.txt", ""))}, "x", []string{"there is no PNG or JPEG in this folder"}},
		{"a full folder", []string{at("one.png")}, "more", []string{"is not empty", "-o"}},
		{"a file", []string{at("one.png")}, "one.png", []string{"is a file", "-o"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := checkpoint.Apply(t.Context(), dir, c.images, at(c.out))
			if err == nil {
				t.Fatal("no error")
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q does not say %q", err, want)
				}
			}
			if _, err := os.Stat(at("x")); err == nil {
				t.Error("something was written")
			}
		})
	}
	t.Run("no bundle", func(t *testing.T) {
		if _, err := checkpoint.Apply(t.Context(), at("more"), []string{at("one.png")}, at("x")); err == nil || !strings.Contains(err.Error(), "no bundle") {
			t.Errorf("error %v", err)
		}
	})
	t.Run("cancelled", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := checkpoint.Apply(ctx, dir, []string{at("one.png")}, at("x")); !errors.Is(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
	})
	t.Run("a model of another kind", func(t *testing.T) {
		odd := at("odd")
		must(t, os.CopyFS(odd, os.DirFS(dir)))
		must(t, os.WriteFile(filepath.Join(odd, "model.onnx"), []byte(read(t, dir, "encoder.onnx")), 0o644))
		if _, err := checkpoint.Apply(t.Context(), odd, []string{at("one.png")}, at("x")); err == nil || !strings.Contains(err.Error(), "model.onnx has") {
			t.Errorf("a file that the manifest does not know: %v", err)
		}
		var m map[string]any
		must(t, json.Unmarshal([]byte(read(t, odd, "MANIFEST.json")), &m))
		files := m["files"].(map[string]any)
		files["model.onnx"] = files["encoder.onnx"]
		text, err := json.Marshal(m)
		must(t, err)
		must(t, os.WriteFile(filepath.Join(odd, "MANIFEST.json"), text, 0o644))
		if _, err := checkpoint.Apply(t.Context(), odd, []string{at("one.png")}, at("x")); err == nil || !strings.Contains(err.Error(), "it is not known here what that means") {
			t.Errorf("error %v", err)
		}
	})
}

// TestApplyOnLabels compares what a segmentation and a classifier say of images with what the engine took them for.
func TestApplyOnLabels(t *testing.T) {
	for _, task := range onLabels {
		t.Run(task, func(t *testing.T) {
			root := t.TempDir()
			dir, out := filepath.Join(root, "best"), filepath.Join(root, "out")
			b := labelled(t, task)
			exported(t, dir, b)
			for i := range bundleImages {
				savePNG(t, filepath.Join(root, "in", fmt.Sprintf("%02d.png", i)), b.Test, i)
			}
			r, err := checkpoint.Apply(t.Context(), dir, []string{filepath.Join(root, "in")}, out)
			must(t, err)
			rows, err := csv.NewReader(strings.NewReader(string(read(t, out, r.Table)))).ReadAll()
			must(t, err)
			classes := len(b.Test.Classes)
			if task == model.Segment {
				classes = len(b.Test.MaskClasses)
			}
			if r.Task != task || r.Images != bundleImages || len(rows) != bundleImages+1 || r.Code != 8 {
				t.Fatalf("applied: %+v, %d rows", r, len(rows))
			}
			differ := 0
			for i, row := range rows[1:] {
				first := 2 // column of the classes' numbers
				if task == model.Classify {
					first = 3
					if row[1] != "" || row[2] != strconv.Itoa(int(b.Classes[i])) {
						t.Errorf("image %d: picture %q, class %s, want %d", i, row[1], row[2], b.Classes[i])
					}
				}
				if len(row) != first+classes+8 {
					t.Fatalf("%d cells, want %d", len(row), first+classes+8)
				}
				sum, top := 0.0, 0
				numbers := make([]float64, classes)
				for k := range numbers {
					numbers[k], err = strconv.ParseFloat(row[first+k], 64)
					must(t, err)
					if sum += numbers[k]; numbers[k] > numbers[top] {
						top = k
					}
				}
				if math.Abs(sum-1) > 1e-4 {
					t.Errorf("image %d: the numbers of the classes add up to %v", i, sum)
				}
				if task == model.Classify {
					if top != int(b.Classes[i]) {
						t.Errorf("image %d: the most likely class is %d, want %d", i, top, b.Classes[i])
					}
					continue
				}
				img, err := png.Decode(strings.NewReader(string(read(t, out, row[1]))))
				must(t, err)
				counts := make([]float64, classes)
				for k := range 1024 {
					class := b.Classes[i*1024+k]
					counts[class] += 1.0 / 1024
					want := trainer.ClassColour(int(class))
					if got := color.NRGBAModel.Convert(img.At(k%32, k/32)).(color.NRGBA); got != (color.NRGBA{want[0], want[1], want[2], 255}) {
						differ++
					}
				}
				for k := range counts {
					if math.Abs(counts[k]-numbers[k]) > 0.01 {
						t.Errorf("image %d: the share of class %d is %v, want %v", i, k, numbers[k], counts[k])
					}
				}
			}
			// Two classes may be so near to one another that rounding decides.
			if differ > bundleImages*1024/200 {
				t.Errorf("%d pixels have the colour of another class than the engine took them for", differ)
			}
		})
	}
}
