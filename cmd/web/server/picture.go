package server

import (
	"cmp"
	"slices"

	"sweep/study"
	"sweep/templates"
)

// pictures are the strips of images and what becomes of them, by epoch.
func pictures(trainer string, d study.Detail) []templates.Picture {
	best, ok := d.Metrics["epoch"]
	ok = ok && d.State.Final()
	var out []templates.Picture
	for _, a := range d.Artifacts {
		if a.Kind == study.StripFile {
			p := templates.Picture{Step: a.Step, URL: artifactURL(a.Digest), Digest: a.Digest, Best: ok && a.Step == int(best)}
			p.Rows, p.Truth, p.Made = pictureRows(trainer, d.Params)
			out = append(out, p)
		}
	}
	slices.SortStableFunc(out, func(a, b templates.Picture) int { return cmp.Compare(a.Step, b.Step) })
	return out
}

// pictureRows says what the rows of a trial's strips are, as the trainer draws them: what they should be in row truth, what
// the network makes in row made.
func pictureRows(trainer string, p study.Params) (rows []string, truth, made int) {
	switch {
	case trainer == "classifier":
		return []string{"image", "right?"}, 0, 1
	case p["task"] == "segment":
		return []string{"image", "classes", "found"}, 1, 2
	case p["task"] == "inpaint", p["task"] == "superresolve", p["variant"] == "denoising":
		return []string{"input", "output", "original"}, 2, 1
	}
	return []string{"original", "decoded"}, 0, 1
}

// picturesTitle names what a trial's strips show.
func picturesTitle(trainer string, p study.Params) string {
	switch {
	case trainer == "classifier":
		return "Answers"
	case p["task"] == "segment":
		return "Segmentation"
	case p["task"] == "inpaint":
		return "Inpainting"
	case p["task"] == "superresolve":
		return "Super-resolution"
	case p["variant"] == "denoising":
		return "Denoising"
	}
	return "Reconstructions"
}

// generated is the picture of images that a finished trial's decoder makes of random codes, nil where there is none.
func generated(d study.Detail) *templates.Picture {
	for _, a := range d.Artifacts {
		if a.Kind == study.GeneratedFile {
			return &templates.Picture{Step: a.Step, URL: artifactURL(a.Digest), Digest: a.Digest}
		}
	}
	return nil
}
