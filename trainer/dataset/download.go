package dataset

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

// remote is a file somewhere else: where it can be had from, its size in bytes and its SHA-256 in lower-case hex.
type remote struct {
	urls []string // tried in this order
	size int64
	sum  string
}

// limits are how long a download waits for the other side, and how often it goes on after a broken connection.
type limits struct {
	connect, silence time.Duration
	pause            time.Duration // before the first further try; it doubles with each that brings nothing
	tries            int           // further ones that bring nothing
}

func usualLimits() limits {
	return limits{connect: 5 * time.Second, silence: 30 * time.Second, pause: time.Second / 2, tries: 5}
}

// longestPause bounds how long a server's Retry-After and the doubling are followed.
const longestPause = 10 * time.Second

// downloader fetches files over HTTP. What has come stays beside the place of the file, in PATH.part, when a connection
// breaks, and the next try goes on from there: with a Range that holds only while the server still has the same file
// (RFC 9110, sections 13.1.5 and 14.2). PATH.part.json remembers what the part is of.
type downloader struct {
	client   *http.Client
	lim      limits
	progress Progress // of one file: what has come of it
	came     bool     // a server has answered: from now on a broken connection is worth a further try
}

func newDownloader(lim limits) *downloader {
	transport := &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: lim.connect}).DialContext,
		TLSHandshakeTimeout:   lim.connect,
		ResponseHeaderTimeout: lim.silence,
		DisableKeepAlives:     true,
		DisableCompression:    true, // a range is of the file itself
	}
	return &downloader{client: &http.Client{Transport: transport}, lim: lim}
}

// again marks an error that a further try may mend.
type again struct {
	error
	after time.Duration // as the server asked; 0: it did not
}

func (e again) Unwrap() error { return e.error }

// partOf is what a part file is the beginning of.
type partOf struct {
	URL          string `json:"url"`
	ETag         string `json:"etag,omitempty"`          // a strong one
	LastModified string `json:"last_modified,omitempty"` // where it identifies the content
}

func (p partOf) validator() string {
	if p.ETag != "" {
		return p.ETag
	}
	return p.LastModified
}

// get brings r to part, whole, checked and synced. After an error the part that has come stays, unless it is of something
// else than r.
func (d *downloader) get(ctx context.Context, r remote, part string) error {
	var errs []string
	for _, at := range r.urls {
		err := d.from(ctx, at, r, part)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		var local *fs.PathError
		if errors.As(err, &local) { // this disk's fault: another server does not help
			return err
		}
		errs = append(errs, err.Error())
	}
	return errors.New(strings.Join(errs, "; "))
}

// from downloads from one address, as often as it gets further.
func (d *downloader) from(ctx context.Context, at string, r remote, part string) error {
	failures, anew := 0, false
	for {
		had := sizeOf(part)
		err := d.once(ctx, at, r, part)
		if err == nil {
			var found string
			if found, err = sumOf(part); err == nil {
				if found == r.sum {
					return nil
				}
				discard(part)
				err = fmt.Errorf("%s: expected SHA-256 %s, found %s: it is not the file that is wanted, or was changed on the way", at, r.sum, found)
				// What was put together from several answers may be of two files: then once more in one piece.
				if had > 0 && !anew {
					anew = true
					continue
				}
			}
		}
		var retry again
		if ctx.Err() != nil || !errors.As(err, &retry) {
			return err
		}
		if sizeOf(part) > had {
			failures = 0
		}
		if failures++; failures > d.lim.tries {
			return fmt.Errorf("%w, after %d tries", err, failures)
		}
		pause := max(d.lim.pause<<(failures-1), retry.after)
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(min(pause, longestPause)):
		}
	}
}

// once asks for what is missing of part and appends it.
func (d *downloader) once(ctx context.Context, at string, r remote, part string) (err error) {
	have, of := d.started(at, part)
	if have == r.size {
		return nil
	}
	if have > r.size {
		discard(part)
		have = 0
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, at, nil)
	if err != nil {
		return err
	}
	if have > 0 {
		request.Header.Set("Range", fmt.Sprintf("bytes=%d-", have))
		if v := of.validator(); v != "" {
			request.Header.Set("If-Range", v)
		}
	}
	response, err := d.client.Do(request)
	if err != nil {
		err = plain(err)
		if d.came {
			return again{err, 0}
		}
		return err
	}
	defer response.Body.Close()
	d.came = true
	switch code := response.StatusCode; {
	case code == http.StatusOK:
		have = 0
		if n := response.ContentLength; n >= 0 && n != r.size {
			return fmt.Errorf("%s sends %d bytes, but the file has %d: this is something else", at, n, r.size)
		}
	case code == http.StatusPartialContent && have > 0:
		if got := response.Header.Get("ETag"); !rangeFits(response.Header.Get("Content-Range"), have, r.size) || of.ETag != "" && got != "" && got != of.ETag {
			discard(part)
			return again{fmt.Errorf("%s went on with another file than it began with", at), 0}
		}
	case code == http.StatusRequestedRangeNotSatisfiable && have > 0:
		discard(part)
		return again{fmt.Errorf("%s has no byte %d of the file", at, have), 0}
	case code == http.StatusRequestTimeout, code == http.StatusTooEarly, code == http.StatusTooManyRequests, code >= 500:
		return again{fmt.Errorf("%s answered %s", at, response.Status), retryAfter(response.Header.Get("Retry-After"))}
	default:
		return fmt.Errorf("%s answered %s", at, response.Status)
	}
	file, err := begin(part, have, at, response.Header)
	if err != nil {
		return err
	}
	defer func() {
		if e := file.Close(); err == nil {
			err = e
		}
	}()
	silent := fmt.Errorf("%s sent nothing for %s", at, d.lim.silence)
	watch := time.AfterFunc(d.lim.silence, func() { cancel(silent) })
	defer watch.Stop()
	body := &counter{r: response.Body, done: have, total: r.size, progress: d.progress, seen: func() { watch.Reset(d.lim.silence) }}
	n, err := io.Copy(file, io.LimitReader(body, r.size-have+1))
	var local *fs.PathError
	switch have += n; {
	case have > r.size:
		discard(part)
		return fmt.Errorf("%s sends more than the %d bytes that the file has: this is something else", at, r.size)
	case errors.As(err, &local):
		return err
	case errors.Is(context.Cause(ctx), silent):
		return again{silent, 0}
	case have < r.size:
		return again{fmt.Errorf("%s broke off after %d of %d bytes", at, have, r.size), 0}
	}
	return file.Sync()
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

// started tells how much of the file at an address lies in part. A part of another address, or without a note of what it
// is of, counts as nothing: it is written over once there is something better.
func (d *downloader) started(at, part string) (have int64, of partOf) {
	b, err := os.ReadFile(part + ".json")
	if err != nil || json.Unmarshal(b, &of) != nil || of.URL != at {
		return 0, partOf{}
	}
	return sizeOf(part), of
}

// begin opens part for what follows its first bytes. With 0 of them the note of what it is of is written anew, first: a
// part without a note is worth nothing, a note without its part neither.
func begin(part string, have int64, at string, h http.Header) (*os.File, error) {
	if have > 0 {
		return os.OpenFile(part, os.O_WRONLY|os.O_APPEND, 0o644)
	}
	discard(part)
	of := partOf{URL: at}
	if tag := h.Get("ETag"); strings.HasPrefix(tag, `"`) {
		of.ETag = tag
	}
	// A date of seconds identifies a content only if it was not written in the second that it was read.
	modified, err := http.ParseTime(h.Get("Last-Modified"))
	if now, e := http.ParseTime(h.Get("Date")); err == nil && e == nil && now.Sub(modified) >= time.Minute {
		of.LastModified = h.Get("Last-Modified")
	}
	b, err := json.Marshal(of)
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(part+".json", append(b, '\n'), 0o644); err != nil {
		return nil, err
	}
	return os.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
}

// discard removes a part and its note, in the order in which either alone is harmless.
func discard(part string) {
	os.Remove(part)           //nolint:errcheck // what cannot be removed is written over or told then
	os.Remove(part + ".json") //nolint:errcheck // likewise
}

// sizeOf is 0 for what is not there.
func sizeOf(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return info.Size()
}

func sumOf(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// rangeFits reports whether an answer's Content-Range begins where it must, of a file of the right size.
func rangeFits(header string, from, size int64) bool {
	var first, last int64
	var total string
	if _, err := fmt.Sscanf(header, "bytes %d-%d/%s", &first, &last, &total); err != nil {
		return false
	}
	return first == from && last < size && (total == "*" || total == fmt.Sprint(size))
}

// retryAfter reads the header of that name in seconds; a date is not worth the trouble.
func retryAfter(header string) time.Duration {
	var s int64
	if _, err := fmt.Sscanf(header, "%d", &s); err != nil || s < 0 || s > 3600 {
		return 0
	}
	return time.Duration(s) * time.Second
}

// plain says why no answer came, without Go's words for it.
func plain(err error) error {
	host := "the server"
	if u, ok := errors.AsType[*url.Error](err); ok {
		if at, e := url.Parse(u.URL); e == nil {
			host = at.Host
		}
		err = u.Err
	}
	if name, ok := errors.AsType[*net.DNSError](err); ok {
		return fmt.Errorf("the host %s is not known here: is there a network?", name.Name)
	}
	if late, ok := errors.AsType[net.Error](err); ok && late.Timeout() {
		return fmt.Errorf("%s gave no answer in time", host)
	}
	if op, ok := errors.AsType[*net.OpError](err); ok {
		err = op.Err
		if sys, ok := errors.AsType[*os.SyscallError](err); ok {
			err = sys.Err
		}
	}
	return fmt.Errorf("%s cannot be reached: %w", host, err)
}
