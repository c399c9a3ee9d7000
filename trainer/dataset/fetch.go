package dataset

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"time"
)

// Progress is told how many bytes of a download have come, and how many there will be (-1: unknown). It is called often,
// by the goroutine that fetches.
type Progress func(done, total int64)

// Fetch downloads a data set into dir (made if need be), checks each file's SHA-256 and only then moves the files into
// place: after an error or an interruption nothing half-written stays. progress may be nil. A server that cannot be
// reached within five seconds, or that is silent for thirty, is an error.
func Fetch(ctx context.Context, name, dir string, progress Progress) error {
	if name == shapesName {
		return nil // made in memory
	}
	if set := cifar10(); set.name == name {
		return fetch(ctx, set, dir, limits{connect: 5 * time.Second, silence: 30 * time.Second}, progress)
	}
	return unknown(name)
}

// limits are how long a download waits for the other side.
type limits struct{ connect, silence time.Duration }

func fetch(ctx context.Context, set cifarSet, dir string, lim limits, progress Progress) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("fetch data set %s: %w", set.name, err)
		}
	}()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	temp, err := os.MkdirTemp(dir, "."+set.folder+".part-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)

	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, set.url, nil)
	if err != nil {
		return err
	}
	transport := &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: lim.connect}).DialContext,
		TLSHandshakeTimeout:   lim.connect,
		ResponseHeaderTimeout: lim.silence,
		DisableKeepAlives:     true,
		DisableCompression:    true,
	}
	response, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answered %s", set.url, response.Status)
	}
	silent := fmt.Errorf("%s sent nothing for %s", set.url, lim.silence)
	watch := time.AfterFunc(lim.silence, func() { cancel(silent) })
	defer watch.Stop()
	body := &counter{r: response.Body, total: response.ContentLength, progress: progress, seen: func() { watch.Reset(lim.silence) }}
	if err := unpack(body, set, temp); err != nil {
		if cause := context.Cause(ctx); errors.Is(cause, silent) {
			return cause
		}
		return err
	}
	return place(set, temp, filepath.Join(dir, set.folder))
}

// counter counts what is read of a download.
type counter struct {
	r           io.Reader
	done, total int64
	progress    Progress
	seen        func()
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	if n > 0 {
		c.done += int64(n)
		c.seen()
		if c.progress != nil {
			c.progress(c.done, c.total)
		}
	}
	return n, err
}

// unpack writes the set's files out of a .tar.gz into temp, each checked and synced. Whatever else the archive holds is
// passed over, so no name of it becomes a path.
func unpack(r io.Reader, set cifarSet, temp string) error {
	z, err := gzip.NewReader(r)
	if err != nil {
		return fmt.Errorf("%s is no gzip file: %w", set.url, err)
	}
	missing := map[string]setFile{}
	for _, f := range set.all() {
		missing[path.Join(set.folder, f.name)] = f
	}
	archive := tar.NewReader(z)
	for len(missing) > 0 {
		head, err := archive.Next()
		if errors.Is(err, io.EOF) {
			for _, f := range set.all() {
				if _, ok := missing[path.Join(set.folder, f.name)]; ok {
					return fmt.Errorf("%s does not hold %s", set.url, f.name)
				}
			}
		}
		if err != nil {
			return fmt.Errorf("read %s: %w", set.url, err)
		}
		name := path.Clean(head.Name)
		f, ok := missing[name]
		if !ok || head.Typeflag != tar.TypeReg {
			continue
		}
		if head.Size != f.size() {
			return fmt.Errorf("%s of %s: expected %d bytes, found %d", f.name, set.url, f.size(), head.Size)
		}
		if err := unpackFile(archive, f, filepath.Join(temp, f.name)); err != nil {
			return err
		}
		delete(missing, name)
	}
	return nil
}

func unpackFile(r io.Reader, f setFile, to string) (err error) {
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer func() {
		if e := out.Close(); err == nil {
			err = e
		}
	}()
	h := sha256.New()
	if _, err := io.CopyN(io.MultiWriter(out, h), r, f.size()); err != nil {
		return fmt.Errorf("unpack %s: %w", f.name, err)
	}
	if sum := hex.EncodeToString(h.Sum(nil)); sum != f.sum {
		return fmt.Errorf("%s: expected SHA-256 %s, found %s", f.name, f.sum, sum)
	}
	return out.Sync()
}

// place moves whole, checked files from temp to where they belong: the folder at once where there is none yet, else
// file by file over what is damaged there.
func place(set cifarSet, temp, folder string) error {
	if err := os.Chmod(temp, 0o755); err != nil { // MkdirTemp made it private
		return err
	}
	if _, err := os.Lstat(folder); errors.Is(err, os.ErrNotExist) {
		return os.Rename(temp, folder)
	}
	for _, f := range set.all() {
		if err := os.Rename(filepath.Join(temp, f.name), filepath.Join(folder, f.name)); err != nil {
			return err
		}
	}
	return nil
}
