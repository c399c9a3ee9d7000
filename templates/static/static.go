// Package static holds the style sheet, the scripts and the icon of the pages, embedded.
//
// It promises that each file has an address that contains the hash of its content, so that browsers may keep it for
// ever, and that nothing outside its fixed list can be asked for.
package static

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"path"
	"strings"
	"sync"
)

// Prefix is the folder of every address.
const Prefix = "/static/"

// File is one embedded file as it is served.
type File struct {
	Name   string // as embedded: app.css
	URL    string // Prefix, name, hash and extension: /static/app.0123456789ab.css
	Media  string
	Body   []byte
	Packed []byte // Body, gzipped
}

var (
	//go:embed app.css
	appCSS []byte
	//go:embed theme.js
	themeJS []byte
	//go:embed app.js
	appJS []byte
	//go:embed live.js
	liveJS []byte
	//go:embed swap.js
	swapJS []byte
	//go:embed plot.js
	plotJS []byte
	//go:embed icon.svg
	iconSVG []byte
)

// files are made once and never changed.
var files = sync.OnceValue(func() map[string]File {
	out := make(map[string]File)
	for name, body := range map[string][]byte{
		"app.css": appCSS, "theme.js": themeJS, "app.js": appJS, "swap.js": swapJS, "live.js": liveJS,
		"plot.js": plotJS, "icon.svg": iconSVG,
	} {
		sum := sha256.Sum256(body)
		ext := path.Ext(name)
		f := File{
			Name: name, Body: body, Packed: pack(body),
			URL: Prefix + strings.TrimSuffix(name, ext) + "." + hex.EncodeToString(sum[:6]) + ext,
			Media: map[string]string{
				".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml",
			}[ext],
		}
		out[f.URL], out[name] = f, f
	}
	return out
})

// URL returns the address of the file called name. It panics for a name that is not embedded, which only a mistake in
// a page can ask for.
func URL(name string) string {
	f, ok := files()[name]
	if !ok {
		panic("static: no file of this name")
	}
	return f.URL
}

// Open finds the file with this address.
func Open(url string) (File, bool) {
	if !strings.HasPrefix(url, Prefix) {
		return File{}, false
	}
	f, ok := files()[url]
	return f, ok
}

func pack(body []byte) []byte {
	var b bytes.Buffer
	w, _ := gzip.NewWriterLevel(&b, gzip.BestCompression) // the level is valid
	_, _ = w.Write(body)                                  // a bytes.Buffer takes all
	_ = w.Close()
	return b.Bytes()
}
