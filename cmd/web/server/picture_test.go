package server_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"sweep/cmd/web/server"
	"sweep/study"
)

// A trial's page says what stands in the rows of its pictures, and shows what it generated; of several trials the compare
// page sets under each other what should come out and what each makes of it.
func TestPicturesByTask(t *testing.T) {
	for _, tt := range []struct {
		params study.Params // "trainer" stands for the study's
		title  string
		rows   []string
	}{
		{study.Params{}, "Reconstructions", []string{"original", "decoded"}},
		{study.Params{"variant": "variational"}, "Reconstructions", []string{"original", "decoded"}},
		{study.Params{"variant": "denoising"}, "Denoising", []string{"input", "output", "original"}},
		{study.Params{"task": "inpaint"}, "Inpainting", []string{"input", "output", "original"}},
		{study.Params{"task": "superresolve"}, "Super-resolution", []string{"input", "output", "original"}},
		{study.Params{"trainer": "classifier"}, "Answers", []string{"image", "right?"}},
		{study.Params{"task": "segment"}, "Segmentation", []string{"image", "classes", "found"}},
	} {
		f := fixture(t)
		n := f.studies[0].Best.Number
		for k, v := range tt.params {
			if k == "trainer" {
				f.studies[0].Spec.Trainer = v.(string)
				continue
			}
			f.trials[1][n].Params[k] = v
		}
		if tt.params["variant"] == "variational" {
			d := f.trials[1][n]
			d.Artifacts = append(d.Artifacts, f.put(study.Artifact{Kind: study.GeneratedFile, Name: "generated.png", Media: "image/png"}, []byte("no picture")))
			f.trials[1][n] = d
		}
		s := newServer(t, server.Config{Store: f})
		status, page := get(t, s, "/studies/"+f.studies[0].Name+"/trials/"+strconv.Itoa(n))
		if status != 200 || !strings.Contains(page, "<h2>"+tt.title+"</h2>") {
			t.Fatalf("%v: status %d, no %s", tt.params, status, tt.title)
		}
		if rows := "<span>" + strings.Join(tt.rows, "</span><span>") + "</span>"; !strings.Contains(page, rows) {
			t.Errorf("%v: the rows are not %v", tt.params, tt.rows)
		}
		if got := strings.Contains(page, "<h2>Generated</h2>"); got != (tt.params["variant"] == "variational") {
			t.Errorf("%v: generated images are shown: %v", tt.params, got)
		}
	}
}

// Pictures of trials with different tasks share a card that names no task.
func TestPicturesOfDifferentTasks(t *testing.T) {
	f := fixture(t)
	var with []int
	for n, d := range f.trials[1] {
		if len(d.Artifacts) > 0 && len(with) < 2 {
			with = append(with, n)
		}
	}
	if len(with) < 2 {
		t.Fatalf("only trials %v have pictures", with)
	}
	s := newServer(t, server.Config{Store: f})
	path := fmt.Sprintf("/studies/%s/compare?trials=%d,%d", f.studies[0].Name, with[0], with[1])
	for _, tt := range []struct{ first, second, title string }{
		{"inpaint", "inpaint", "Inpainting"},
		{"inpaint", "superresolve", "Pictures"},
	} {
		f.trials[1][with[0]].Params["task"], f.trials[1][with[1]].Params["task"] = tt.first, tt.second
		if _, page := get(t, s, path); !strings.Contains(page, "<h2>"+tt.title+"</h2>") {
			t.Errorf("%s beside %s: no %s", tt.first, tt.second, tt.title)
		}
	}
}
