package checkpoint

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
)

// target is where a bundle goes.
type target struct {
	path  string // absolute, links followed
	there standing
}

// standing is what stands at a target.
type standing int

const (
	nothing standing = iota
	empty            // a folder with nothing in it
	ours             // a bundle
)

// look gives the place that dir names, as a target has it, and what lies in that folder.
func look(dir string) (path string, entries []fs.DirEntry, err error) {
	if dir == "" {
		return "", nil, errors.New("no folder is named: use -o DIR")
	}
	if path, err = filepath.Abs(dir); err != nil {
		return "", nil, err
	}
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	if entries, err = os.ReadDir(path); err != nil {
		if info, e := os.Stat(path); e == nil && !info.IsDir() {
			return "", nil, fmt.Errorf("there is a file of that name, %s; name another folder with -o", dir)
		}
	}
	return path, entries, err
}

// prepare looks at what is at dir. Nothing is written but the folders above it.
func prepare(dir string) (target, error) {
	path, entries, err := look(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return target{path: path}, os.MkdirAll(filepath.Dir(path), 0o755)
	case err != nil:
		return target{}, err
	case len(entries) == 0:
		return target{path: path, there: empty}, nil
	}
	m, _, err := readManifest(path)
	if err != nil {
		return target{}, errors.New("the folder is not empty and holds no bundle of sweep's, so it is left alone; name a new folder with -o")
	}
	for _, e := range entries {
		if _, ours := m.Files[e.Name()]; !ours && e.Name() != manifestFile {
			return target{}, fmt.Errorf("the folder holds a bundle and also %s, which is not of it and would be lost; move that away or name a new folder with -o", e.Name())
		}
	}
	return target{path: path, there: ours}, nil
}

// write has the disk confirm all files in a folder of their own, and only then moves them to their place: the folder as one,
// or, where an empty folder stands, its files. That folder stays the one it is: someone may work in it, or it may be where
// another disk is mounted.
func (t target) write(files map[string][]byte) error {
	parent := filepath.Dir(t.path)
	if t.there == empty {
		parent = t.path
	}
	temp, err := os.MkdirTemp(parent, "."+filepath.Base(t.path)+".part-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp) // after a replacement it holds the old bundle
	if err := writeSynced(temp, files); err != nil {
		return err
	}
	if t.there == empty {
		return fill(t.path, temp, files)
	}
	if err := os.Chmod(temp, 0o755); err != nil { // MkdirTemp made it private
		return err
	}
	if err := syncFolder(temp); err != nil {
		return err
	}
	if t.there == ours {
		err = exchange(temp, t.path)
	} else {
		err = os.Rename(temp, t.path)
	}
	if err != nil {
		return err
	}
	return syncFolder(parent)
}

// fill moves files from temp into dir, the manifest last and after the others are durable: without one, half a bundle is
// taken for none. What goes wrong leaves the folder empty again.
func fill(dir, temp string, files map[string][]byte) (err error) {
	var moved []string
	defer func() {
		if err != nil {
			for _, path := range moved {
				err = errors.Join(err, os.Remove(path))
			}
		}
	}()
	move := func(name string) error {
		path := filepath.Join(dir, name)
		if err := os.Rename(filepath.Join(temp, name), path); err != nil {
			return err
		}
		moved = append(moved, path)
		return nil
	}
	for name := range files {
		if name != manifestFile {
			if err := move(name); err != nil {
				return err
			}
		}
	}
	if err := syncFolder(dir); err != nil {
		return err
	}
	if _, ok := files[manifestFile]; !ok { // what is filled in is no bundle
		return nil
	}
	if err := move(manifestFile); err != nil {
		return err
	}
	return syncFolder(dir)
}

// writeSynced writes files before it waits for the disk, which then has less to do than file by file: as many at a time as
// may be open.
func writeSynced(dir string, files map[string][]byte) error {
	const open = 128
	for names := range slices.Chunk(slices.Sorted(maps.Keys(files)), open) {
		if err := writeSome(dir, names, files); err != nil {
			return err
		}
	}
	return nil
}

func writeSome(dir string, names []string, files map[string][]byte) (err error) {
	var open []*os.File
	defer func() {
		for _, f := range open {
			if e := f.Close(); err == nil {
				err = e
			}
		}
	}()
	for _, name := range names {
		f, err := os.OpenFile(filepath.Join(dir, name), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
		if err != nil {
			return err
		}
		open = append(open, f)
		if _, err := f.Write(files[name]); err != nil {
			return err
		}
	}
	for _, f := range open {
		if err := f.Sync(); err != nil {
			return err
		}
	}
	return nil
}

// exchangeByTurns puts the folder fresh where old is, and old where fresh was. For a moment neither is there; when the
// second step fails the first is taken back.
func exchangeByTurns(fresh, old string) error {
	aside := fresh + ".old"
	if err := os.Rename(old, aside); err != nil {
		return err
	}
	if err := os.Rename(fresh, old); err != nil {
		return errors.Join(err, os.Rename(aside, old))
	}
	return os.Rename(aside, fresh)
}
