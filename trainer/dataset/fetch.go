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
	"os"
	"path"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// Progress is told how many bytes of a download have come, and how many there will be. It is called often, by the
// goroutine that fetches.
type Progress func(done, total int64)

// Fetch downloads a data set into dir (made if need be), checks each file's SHA-256 and only then moves the files into
// place. Files that are there and right are not fetched again. progress may be nil.
//
// A connection that breaks is taken up again where it broke, some times by Fetch itself and then by the next call: what
// has come stays in dir as a hidden file that ends in .part. A server that cannot be reached within five seconds is an
// error at once; one that is silent for thirty counts as broken off. The error is a [FetchError]. Two processes that
// fetch one set into one folder take turns.
func Fetch(ctx context.Context, name, dir string, progress Progress) error {
	if IsFolder(name) {
		return fmt.Errorf("fetch data set %s: a folder of your own images cannot be fetched", name)
	}
	s, err := find(name)
	if err != nil {
		return err
	}
	return fetch(ctx, s, dir, usualLimits(), progress)
}

// FetchError says why a set could not be fetched, and in its text what to do.
type FetchError struct {
	Set    string
	Folder string // where its files belong
	Err    error
	Kept   bool // a part of it has come and is kept
}

func (e *FetchError) Error() string {
	kept := ""
	if e.Kept {
		kept = "; what has come is kept, `sweep data fetch " + e.Set + "` goes on from there"
	}
	return fmt.Sprintf("fetch data set %s: %v%s; or put its files into %s yourself, or name the folder that holds them with --data",
		e.Set, e.Err, kept, e.Folder)
}

func (e *FetchError) Unwrap() error { return e.Err }

func fetch(ctx context.Context, s set, dir string, lim limits, progress Progress) (err error) {
	if s.folderIn(dir) == "" {
		return nil // made in memory
	}
	var parts []string
	defer func() {
		if err == nil {
			return
		}
		e := &FetchError{Set: s.decl().Name, Folder: s.folderIn(dir), Err: err}
		for _, p := range parts {
			e.Kept = e.Kept || sizeOf(p) > 0
		}
		err = e
	}()
	// What is there and right needs no turn, and no folder that can be written to.
	if missing, err := s.missing(ctx, dir); err == nil && len(missing) == 0 {
		return nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	turn, err := takeTurn(ctx, filepath.Join(dir, "."+s.decl().Name+".fetching"))
	if err != nil {
		return err
	}
	defer turn.end()
	// Another process may have fetched it meanwhile.
	missing, err := s.missing(ctx, dir)
	if err != nil || len(missing) == 0 {
		return err
	}
	total, before := int64(0), int64(0)
	for _, m := range missing {
		total += m.size
		parts = append(parts, m.part(dir))
	}
	d := newDownloader(lim)
	for i, m := range missing {
		if progress != nil {
			d.progress = func(done, _ int64) { progress(before+done, total) }
		}
		if err := d.get(ctx, m.remote, parts[i]); err != nil {
			return err
		}
		if err := m.place(parts[i]); err != nil {
			return err
		}
		discard(parts[i])
		before += m.size
	}
	return nil
}

// missingFile is a file to download: where its part lies, and how it comes to its place once it is whole and checked.
type missingFile struct {
	remote
	name  string
	place func(part string) error
}

func (m missingFile) part(dir string) string { return filepath.Join(dir, "."+m.name+".part") }

// turn is the right to fetch a set into a folder. The operating system frees it with the process.
type turn struct{ file *os.File }

// takeTurn waits until no other process fetches the same.
func takeTurn(ctx context.Context, path string) (turn, error) {
	for {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o666)
		if err != nil {
			return turn{}, err
		}
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			// Whoever had it may have removed this very file in between: then it is no one's lock.
			mine, e1 := f.Stat()
			there, e2 := os.Stat(path)
			if e1 == nil && e2 == nil && os.SameFile(mine, there) {
				return turn{f}, nil
			}
		}
		f.Close()
		if err != nil && !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR) {
			return turn{}, fmt.Errorf("lock %s: %w", path, err)
		}
		select {
		case <-ctx.Done():
			return turn{}, context.Cause(ctx)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func (t turn) end() {
	os.Remove(t.file.Name()) //nolint:errcheck // an empty file more is no harm
	t.file.Close()           //nolint:errcheck // nothing was written
}

// unpackArchive takes a .tar.gz apart beside its place and moves the set's files there once each is checked.
func (c cifarSet) unpackArchive(archive, dir string) error {
	temp, err := os.MkdirTemp(dir, "."+c.folder+".part-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)
	f, err := os.Open(archive)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := unpack(f, c, temp); err != nil {
		return err
	}
	return place(c, temp, filepath.Join(dir, c.folder))
}

// unpack writes the set's files out of a .tar.gz into temp, each checked and synced. Whatever else the archive holds is
// passed over, so no name of it becomes a path.
func unpack(r io.Reader, set cifarSet, temp string) error {
	z, err := gzip.NewReader(r)
	if err != nil {
		return fmt.Errorf("%s is no gzip file: %w", set.archive.urls[0], err)
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
					return fmt.Errorf("%s does not hold %s", set.archive.urls[0], f.name)
				}
			}
		}
		if err != nil {
			return fmt.Errorf("read %s: %w", set.archive.urls[0], err)
		}
		name := path.Clean(head.Name)
		f, ok := missing[name]
		if !ok || head.Typeflag != tar.TypeReg {
			continue
		}
		if head.Size != f.size() {
			return fmt.Errorf("%s of %s: expected %d bytes, found %d", f.name, set.archive.urls[0], f.size(), head.Size)
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
