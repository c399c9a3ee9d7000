package server

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"mime"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strconv"
	"time"

	"sweep/study"
	"sweep/templates"
)

// inlineMedia are the types that a browser may show; everything else is only ever saved, SVG and HTML above all.
var inlineMedia = map[string]bool{"image/png": true, "image/jpeg": true, "image/webp": true, "image/gif": true}

var digestForm = regexp.MustCompile(`^[0-9a-f]{64}$`)

// artifact serves a stored file by its digest. Its content cannot change, so browsers keep it.
func (s *Server) artifact(w http.ResponseWriter, r *http.Request) error {
	digest := r.PathValue("digest")
	missing := &problem{
		status: http.StatusNotFound, title: "There is no such file", back: allStudies,
		text: "No file of this digest is kept. Checkpoints go when newer ones come, and weights when a trial is no longer among the best.",
	}
	if !digestForm.MatchString(digest) {
		return missing
	}
	body, a, err := s.cfg.Store.OpenArtifact(r.Context(), digest)
	if errors.Is(err, study.ErrNotFound) || errors.Is(err, fs.ErrNotExist) {
		return missing
	}
	if err != nil {
		return fmt.Errorf("open artifact %s: %w", digest, err)
	}
	defer body.Close()
	h := w.Header()
	etag := `"` + digest + `"`
	h.Set("ETag", etag)
	h.Set("Cache-Control", "private, max-age=31536000, immutable")
	if r.Header.Get("If-None-Match") == etag {
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	h.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	media, _, err := mime.ParseMediaType(a.Media)
	if err != nil || !inlineMedia[media] {
		h.Set("Content-Type", "application/octet-stream")
		h.Set("Content-Disposition", attachment(a.Name))
	} else {
		h.Set("Content-Type", media)
		h.Set("Content-Disposition", "inline")
	}
	if a.Size > 0 {
		h.Set("Content-Length", strconv.FormatInt(a.Size, 10))
	}
	send(w, r, body)
	return nil
}

// bundleNames are the files of a bundle, in the order in which people want them. Nothing else is served.
var bundleNames = []string{
	"model.onnx", "encoder.onnx", "model.safetensors", "config.yaml", "metrics.json", "samples.png", "reconstructions.png",
	"curves.svg", "README.md", "MANIFEST.json",
}

// bundle shows an export, with the files that still lie where it was written.
func bundle(sum study.Summary, e study.Export, now time.Time) templates.Bundle {
	b := templates.Bundle{Path: e.Path, When: templates.Ago(e.Time, now), Digest: e.Digest}
	var keys []string
	for k := range e.Metrics {
		keys = append(keys, k)
	}
	for _, k := range keysInOrder(keys, "") {
		b.Metrics = append(b.Metrics, templates.Pair{Name: k, Value: templates.Number(e.Metrics[k])})
	}
	root, err := os.OpenRoot(e.Path)
	if err != nil {
		b.Gone = "The folder is not there any more, or this process may not read it."
		return b
	}
	defer root.Close()
	for _, name := range bundleNames {
		info, err := root.Stat(name)
		if err != nil || !info.Mode().IsRegular() {
			continue
		}
		b.Files = append(b.Files, templates.File{
			Name: name, Size: templates.Bytes(info.Size()),
			URL: fmt.Sprintf("%s/bundles/%s/%s", trialURL(sum.Name, e.Number), url.PathEscape(e.Digest), name),
		})
	}
	if len(b.Files) == 0 {
		b.Gone = "The folder holds no file of a bundle any more."
	}
	return b
}

// bundleFile serves a file of a bundle that was made, from the folder that was recorded then and no other.
func (s *Server) bundleFile(w http.ResponseWriter, r *http.Request) error {
	sum, err := s.summary(r)
	if err != nil {
		return err
	}
	d, err := s.detail(r, sum)
	if err != nil {
		return err
	}
	name := r.PathValue("file")
	missing := &problem{
		status: http.StatusNotFound, title: "There is no such file", text: "No bundle of this trial has it, or its folder was moved away.",
		back: templates.Link{Text: fmt.Sprintf("Trial #%d", d.Number), URL: trialURL(sum.Name, d.Number)},
	}
	if !slices.Contains(bundleNames, name) {
		return missing
	}
	exports, err := s.cfg.Store.Exports(r.Context(), sum.ID, d.Number)
	if err != nil {
		return fmt.Errorf("read the exports of trial %d: %w", d.Number, err)
	}
	for _, e := range exports {
		if e.Digest != r.PathValue("digest") {
			continue
		}
		f, size, err := openInside(e.Path, name)
		if err != nil {
			continue
		}
		defer f.Close()
		h := w.Header()
		h.Set("Content-Type", "application/octet-stream")
		h.Set("Content-Disposition", attachment(name))
		h.Set("Content-Security-Policy", "default-src 'none'; sandbox")
		h.Set("Content-Length", strconv.FormatInt(size, 10))
		send(w, r, f)
		return nil
	}
	return missing
}

// openInside opens a regular file of a folder; links that lead out of it are refused.
func openInside(folder, name string) (*os.File, int64, error) {
	root, err := os.OpenRoot(folder)
	if err != nil {
		return nil, 0, err
	}
	defer root.Close()
	info, err := root.Stat(name)
	if err != nil {
		return nil, 0, err
	}
	if !info.Mode().IsRegular() { // a pipe would block
		return nil, 0, fs.ErrInvalid
	}
	f, err := root.Open(name)
	return f, info.Size(), err
}

// send copies body; a client that stops reading for a while is cut off.
func send(w http.ResponseWriter, r *http.Request, body io.Reader) {
	if r.Method == http.MethodHead {
		return
	}
	control := http.NewResponseController(w)
	buffer := make([]byte, 64<<10)
	for {
		n, err := body.Read(buffer)
		if n > 0 {
			_ = control.SetWriteDeadline(time.Now().Add(30 * time.Second)) // recorders of tests have none
			if _, werr := w.Write(buffer[:n]); werr != nil {
				return
			}
		}
		if err != nil {
			return // io.EOF, or too late to say more: the length tells the client
		}
	}
}

func attachment(name string) string {
	if text := mime.FormatMediaType("attachment", map[string]string{"filename": name}); text != "" {
		return text
	}
	return "attachment"
}
