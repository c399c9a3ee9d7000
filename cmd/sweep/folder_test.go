package main_test

import (
	"fmt"
	"html"
	"image"
	"image/color"
	"image/png"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// picture writes a PNG of w x h with a pattern of its own for every i.
func picture(t *testing.T, path string, i, w, h int, coloured bool) {
	t.Helper()
	img := image.NewNRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			v := byte(128 + (x*(i%5+1)+y*(i%3+2))*3%100)
			c := color.NRGBA{v, v, v, 255}
			if coloured {
				c.G, c.B = 255-v, byte(i*11)
			}
			img.SetNRGBA(x, y, c)
		}
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(path)
	if err == nil {
		err = png.Encode(f, img)
	}
	if err == nil {
		err = f.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
}

// ownImages is a sweep of two seconds over a folder of images.
const ownImages = `
name: own
method: random
metric: {name: val_mse, goal: minimize}
run_cap: 1
parameters:
  lr:      {value: 0.005}
  batch:   {value: 8}
  latent:  {value: 8}
  depth:   {value: 2}
  filters: {value: [4, 8]}
  loss:    {value: mse+ssim}
sweep:
  trainer: cae
  data: {DATA, train: 40, validation: 8}
  epochs: 2
  seed: 3
`

// pngSize reads the sides of a PNG.
func pngSize(t *testing.T, path string) (w, h int) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	c, err := png.DecodeConfig(f)
	if err != nil {
		t.Fatal(err)
	}
	return c.Width, c.Height
}

// TestOwnImages walks the whole path with folders of images of other sizes than 32x32, in grey and in colour.
func TestOwnImages(t *testing.T) {
	for _, c := range []struct {
		name, data string
		w, h, made int // sides of the files, and the side that is made of them
		coloured   bool
		where      string
		out        []int // shape of the model's input
	}{
		{"grey 20x28", "name: folder:own", 20, 28, 0, false, "own/%d/%d.png", []int{1, 28, 20}},
		{"colour 48x48", "name: [folder:own, shapes]", 48, 48, 0, true, "own/%d/%d.png", []int{3, 48, 48}},
		{"colour 90x70 as 33x33", "name: folder:own, size: 33", 90, 70, 33, true, "own/%[2]d.png", []int{3, 33, 33}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newPlace(t)
			for i := range 60 {
				picture(t, filepath.Join(p.dir, "data", fmt.Sprintf(c.where, i%2, i)), i, c.w, c.h, c.coloured)
			}
			spec := p.file("own.yaml", strings.Replace(ownImages, "DATA", c.data, 1))
			var planned struct {
				ImagesPerS float64 `json:"images_per_s"`
			}
			decode(t, p.must("plan", spec, "--json"), &planned)
			if planned.ImagesPerS <= 0 {
				t.Error("the plan has no rate")
			}
			p.must("run", spec, "--offline")
			p.must("run", spec, "--offline") // continued: nothing to do, on the same images
			var best struct {
				Metrics   map[string]float64
				Artifacts []struct{ Kind, SHA256 string }
			}
			decode(t, p.must("best", "own", "--json"), &best)
			if m := best.Metrics["val_mse"]; !(m > 0 && m < 0.2) {
				t.Errorf("val_mse is %v", m)
			}
			p.must("export", "own", "-o", "best")
			if out := p.must("verify", "best"); !strings.Contains(out, "ok") {
				t.Errorf("verify says %q", out)
			}
			// 16 columns of images twice as large, with gaps of two pixels.
			if w, _ := pngSize(t, filepath.Join(p.dir, "best", "samples.png")); w != 16*(2*c.out[2]+2)-2 {
				t.Errorf("samples.png is %d wide", w)
			}
			card, err := os.ReadFile(filepath.Join(p.dir, "best", "README.md"))
			if err != nil || !strings.Contains(string(card), fmt.Sprintf("(8, %d, %d, %d)", c.out[0], c.out[1], c.out[2])) {
				t.Errorf("the card does not say what an image is: %v", err)
			}
			// The bundle's config trains it again: on the same images, to the same numbers.
			p.must("run", "best/config.yaml", "--db", "again.db")
			var again struct{ Metrics map[string]float64 }
			decode(t, p.must("best", "own-trial-0", "--json", "--db", "again.db"), &again)
			if again.Metrics["val_mse"] != best.Metrics["val_mse"] {
				t.Errorf("config.yaml trains to %v instead of %v", again.Metrics["val_mse"], best.Metrics["val_mse"])
			}
			if out := p.must("data", "verify", "folder:own", "--size", fmt.Sprint(c.made)); strings.Count(out, "ok ") != 2 {
				t.Errorf("data verify says %q", out)
			}
			pages(t, p)
			picture(t, filepath.Join(p.dir, "photo.png"), 3, 300, 200, true)
			out, stderr, code := p.sweep("apply", "best", "photo.png", "data/own", "-o", "applied")
			if code != 0 || !strings.Contains(out, "61 pictures of ") || !strings.Contains(stderr, "cropped around its centre") || c.coloured == strings.Contains(stderr, "made grey") {
				t.Errorf("apply: exit %d, %q, %q", code, out, stderr)
			}
			if w, h := pngSize(t, filepath.Join(p.dir, "applied", "photo.png")); w != c.out[2] || h != c.out[1] {
				t.Errorf("apply makes pictures of %dx%d", w, h)
			}
			if _, stderr, code := p.sweep("apply", "best", "photo.png", "none.png", "best/config.yaml", "-o", "wrong"); code != 1 ||
				!strings.Contains(stderr, "none.png: there is no such file") || !strings.Contains(stderr, "config.yaml: it is no PNG or JPEG") {
				t.Errorf("apply on what is not there: exit %d, %q", code, stderr)
			}
			if _, err := os.Stat(filepath.Join(p.dir, "wrong")); err == nil {
				t.Error("apply wrote something although it failed")
			}

			// Other images under the same path are noticed.
			for i := range 60 {
				picture(t, filepath.Join(p.dir, "data", fmt.Sprintf(c.where, i%2, i)), i+1, c.w, c.h, c.coloured)
			}
			if _, stderr, code := p.sweep("run", spec); code != 1 || !strings.Contains(stderr, "the images of folder:own are not those") {
				t.Errorf("other images: exit %d, %q", code, stderr)
			}
			if _, stderr, code := p.sweep("verify", "best"); code != 1 || !strings.Contains(stderr, "it was trained on other images") {
				t.Errorf("other images: exit %d, %q", code, stderr)
			}
		})
	}
}

// pages opens the pages of the study and every picture that they show.
func pages(t *testing.T, p place) {
	t.Helper()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := free.Addr().String()
	free.Close()
	server := p.command("web", "--addr", address)
	waitFor(t, server, address)
	defer server.Wait()         //nolint:errcheck // it was killed
	defer server.Process.Kill() //nolint:errcheck // it may have ended
	get := func(path string) string {
		t.Helper()
		r, err := http.Get("http://" + address + path)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		b, err := io.ReadAll(r.Body)
		if err != nil || r.StatusCode != 200 {
			t.Fatalf("%s: %s, %v", path, r.Status, err)
		}
		return string(b)
	}
	get("/studies/own")
	if page := get("/studies/own/config"); !strings.Contains(page, "folder:own") {
		t.Error("the study's configuration does not name its data")
	}
	images := regexp.MustCompile(`<img[^>]* src="([^"]+)"`).FindAllStringSubmatch(get("/studies/own/trials/0"), -1)
	if len(images) == 0 {
		t.Fatal("the trial's page shows no picture")
	}
	for _, m := range images {
		if body := get(html.UnescapeString(m[1])); !strings.HasPrefix(body, "\x89PNG") {
			t.Errorf("%s is no PNG", m[1])
		}
	}
}
