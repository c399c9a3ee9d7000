package checkpoint

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"sweep/trainer/dataset"
)

// Applied is what [Apply] made.
type Applied struct {
	Height, Width, Channels int      // of an image as the model takes it
	Images                  int      // how many
	Resized                 []string // those that had another size
	Grey                    []string // coloured ones that the model sees in grey
	Pictures                int      // files that were written beside Table
	Table                   string   // name of the CSV file
	Code                    int      // numbers in the latent code of an image
	Task                    string   // what the model does: "segment", "classify", or a task of an autoencoder
	Error                   float64  // of an autoencoder, the mean squared error of its pictures, pixels in [0, 1]
}

// ApplyError lists everything that keeps images from being used.
type ApplyError struct{ Problems []string }

func (e *ApplyError) Error() string {
	what := fmt.Sprintf("%d images cannot be used", len(e.Problems))
	if len(e.Problems) == 1 {
		what = "an image cannot be used"
	}
	return what + ", so nothing was written:\n  " + strings.Join(e.Problems, "\n  ")
}

// Apply runs the model of the bundle in dir on images from files, PNG or JPEG, and on those in and below folders, and
// writes what it makes of them to the folder out, which is new or empty: a PNG for each image, and a table with the latent
// code of each and more by the kind of model ([presenterOf]). Images of another size than the model's are cropped and
// resized as [dataset.Fit] says. The bundle's files are checked first. Everything that is wrong with the images is one
// [ApplyError]; after any error out is as it was.
func Apply(ctx context.Context, dir string, images []string, out string) (Applied, error) {
	r, err := apply(ctx, dir, images, out)
	if list, ok := errors.AsType[*ApplyError](err); ok {
		return r, list
	}
	if err != nil {
		return r, fmt.Errorf("apply %s: %w", dir, err)
	}
	return r, nil
}

func apply(ctx context.Context, dir string, images []string, out string) (r Applied, err error) {
	target, err := emptyTarget(out)
	if err != nil {
		return r, err
	}
	manifest, _, err := readManifest(dir)
	if err != nil {
		return r, err
	}
	files, _, err := manifest.checkFiles(dir, modelFile, encoderFile, WeightsFile)
	if err != nil {
		return r, err
	}
	model, err := ReadONNX(files[modelFile])
	if err != nil {
		return r, fmt.Errorf("%s: %w", modelFile, err)
	}
	encoder, err := ReadONNX(files[encoderFile])
	if err != nil {
		return r, fmt.Errorf("%s: %w", encoderFile, err)
	}
	if len(model.input) != 3 || model.input[0] != 1 && model.input[0] != 3 || !slices.Equal(encoder.input, model.input) {
		return r, fmt.Errorf("its models take %v and %v, which are no images", model.input, encoder.input)
	}
	r.Channels, r.Height, r.Width = model.input[0], model.input[1], model.input[2]
	c, _, err := DecodeModel(files[WeightsFile])
	if err != nil {
		return r, fmt.Errorf("%s: %w", WeightsFile, err)
	}
	show, err := presenterOf(c, model)
	if err != nil {
		return r, err
	}
	list, err := gather(images)
	if err != nil {
		return r, err
	}
	inputs, err := r.read(ctx, list)
	if err != nil {
		return r, err
	}
	made := map[string][]byte{}
	if err := r.run(ctx, model, encoder, show, list, inputs, made); err != nil {
		return r, err
	}
	if err := os.MkdirAll(filepath.Dir(target.path), 0o755); err != nil {
		return r, err
	}
	return r, target.write(made)
}

// emptyTarget is where a result goes that replaces nothing. Nothing is written yet.
func emptyTarget(out string) (target, error) {
	path, entries, err := look(out)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return target{path: path}, nil
	case err != nil:
		return target{}, err
	case len(entries) > 0:
		return target{}, fmt.Errorf("the folder %s is not empty, and what is in it is left alone: name a new one with -o", out)
	}
	return target{path: path, there: empty}, nil
}

// still is an image out of values in [0, 1], (C, H, W).
func still(values []float32, c, h, w int) image.Image {
	if c == 1 {
		img := image.NewGray(image.Rect(0, 0, w, h))
		for i := range img.Pix {
			img.Pix[i] = level(values[i])
		}
		return img
	}
	img := image.NewNRGBA(image.Rect(0, 0, w, h))
	for i := range h * w {
		img.SetNRGBA(i%w, i/w, color.NRGBA{level(values[i]), level(values[h*w+i]), level(values[2*h*w+i]), 255})
	}
	return img
}

// source is an image to read and the name of what is made of it.
type source struct{ path, name string }

// gather finds the files: those that are named, and the images in and below folders, by their paths.
func gather(images []string) ([]source, error) {
	var list []source
	var bad ApplyError
	fail := func(path, format string, args ...any) {
		bad.Problems = append(bad.Problems, path+": "+fmt.Sprintf(format, args...))
	}
	for _, path := range images {
		info, err := os.Stat(path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			fail(path, "there is no such file or folder")
		case err != nil:
			fail(path, "%v", err)
		case !info.IsDir():
			list = append(list, source{path, filepath.Base(path)})
		default:
			before := len(list)
			err := filepath.WalkDir(path, func(at string, e fs.DirEntry, err error) error {
				switch {
				case err != nil:
					fail(at, "%v", err)
				case at != path && strings.HasPrefix(e.Name(), "."):
					if e.IsDir() {
						return filepath.SkipDir
					}
				case !e.IsDir() && dataset.IsPhoto(at):
					below, err := filepath.Rel(path, at)
					if err != nil {
						return err
					}
					list = append(list, source{at, strings.ReplaceAll(below, string(filepath.Separator), "-")})
				}
				return nil
			})
			if err != nil {
				fail(path, "%v", err)
			} else if len(list) == before {
				fail(path, "there is no PNG or JPEG in this folder")
			}
		}
	}
	if len(bad.Problems) > 0 {
		// Those that are there are looked at too, so that all mistakes are told.
		for i, err := range readable(list) {
			if err != nil {
				fail(list[i].path, "%v", err)
			}
		}
		return nil, &bad
	}
	return named(list), nil
}

// named gives each result a name of its own: that of its image with .png, and a number where two would be the same.
func named(list []source) []source {
	taken := map[string]bool{}
	for i := range list {
		stem := strings.TrimSuffix(list[i].name, filepath.Ext(list[i].name))
		name := stem + ".png"
		for n := 2; taken[strings.ToLower(name)]; n++ { // some disks do not tell A from a
			name = fmt.Sprintf("%s-%d.png", stem, n)
		}
		taken[strings.ToLower(name)] = true
		list[i].name = name
	}
	return list
}

// readable tells of each image why it cannot be read.
func readable(list []source) []error {
	errs := make([]error, len(list))
	var photos dataset.Photos
	onCores(len(list), func(turns iter.Seq[int]) {
		for i := range turns {
			_, _, errs[i] = photos.Read(list[i].path, 1, 1)
		}
	})
	return errs
}

// read gives the images as the model takes them: (N, C, H, W), pixels/255.
func (r *Applied) read(ctx context.Context, list []source) ([]float32, error) {
	plane := r.Height * r.Width
	out := make([]float32, len(list)*r.Channels*plane)
	errs := make([]error, len(list))
	resized, grey := make([]bool, len(list)), make([]bool, len(list))
	var photos dataset.Photos
	onCores(len(list), func(turns iter.Seq[int]) {
		for i := range turns {
			if ctx.Err() != nil {
				return
			}
			p, from, err := photos.Read(list[i].path, r.Height, r.Width)
			if err != nil {
				errs[i] = err
				continue
			}
			resized[i] = from != [2]int{r.Height, r.Width}
			grey[i] = r.Channels == 1 && !p.Grey()
			pixels := make([]byte, r.Channels*plane)
			p.Pixels(pixels, r.Channels)
			for k, v := range pixels {
				out[i*len(pixels)+k%r.Channels*plane+k/r.Channels] = float32(v) / 255
			}
		}
	})
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	var bad ApplyError
	for i, s := range list {
		if errs[i] != nil {
			bad.Problems = append(bad.Problems, fmt.Sprintf("%s: %v", s.path, errs[i]))
		}
		if resized[i] {
			r.Resized = append(r.Resized, s.path)
		}
		if grey[i] {
			r.Grey = append(r.Grey, s.path)
		}
	}
	if len(bad.Problems) > 0 {
		return nil, &bad
	}
	return out, nil
}

// run makes the table and the pictures.
func (r *Applied) run(ctx context.Context, model, encoder *Model, show presenter, list []source, inputs []float32, made map[string][]byte) error {
	const chunk = 256 // images whose results lie in memory as floats
	r.Images, r.Table, r.Task = len(list), show.table, show.task
	in, to, code := model.sizes[0], model.sizes[len(model.steps)], encoder.sizes[len(encoder.steps)]
	r.Code = code
	var text bytes.Buffer
	table := csv.NewWriter(&text)
	head := append([]string{"image", "picture"}, show.columns...)
	for k := range code {
		head = append(head, fmt.Sprintf("z%d", k))
	}
	if err := table.Write(head); err != nil {
		return err
	}
	for at := 0; at < len(list); at += chunk {
		n := min(chunk, len(list)-at)
		outputs, err := model.Run(ctx, inputs[at*in:][:n*in])
		if err != nil {
			return err
		}
		codes, err := encoder.Run(ctx, inputs[at*in:][:n*in])
		if err != nil {
			return err
		}
		for i, s := range list[at : at+n] {
			input, output := inputs[(at+i)*in:][:in], outputs[i*to:][:to]
			cells, picture, wrong := show.show(input, output)
			row := append([]string{s.path, s.name}, cells...)
			if picture == nil {
				row[1] = ""
			} else {
				var b bytes.Buffer
				if err := png.Encode(&b, picture); err != nil {
					return err
				}
				made[s.name] = b.Bytes()
				r.Pictures++
			}
			for _, v := range codes[i*code:][:code] {
				row = append(row, strconv.FormatFloat(float64(v), 'g', -1, 32))
			}
			if err := table.Write(row); err != nil {
				return err
			}
			r.Error += wrong / float64(len(list))
		}
	}
	table.Flush()
	made[show.table] = text.Bytes()
	return table.Error()
}
