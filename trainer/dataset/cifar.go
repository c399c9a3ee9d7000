package dataset

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"sweep/study"
)

// The binary version of CIFAR-10 (Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009): a record is
// one label byte, then the red, green and blue planes of a 32x32 image, row by row.
const (
	cifarSide   = 32
	cifarPlane  = cifarSide * cifarSide
	cifarRecord = 1 + 3*cifarPlane
)

// setFile is one file of a set: its name, SHA-256 in lower-case hex, and number of records.
type setFile struct {
	name    string
	sum     string
	records int
}

func (f setFile) size() int64 { return int64(f.records) * cifarRecord }

// cifarSet describes a set in CIFAR's binary format: where it lies, what its files are, where they come from.
type cifarSet struct {
	name    string
	folder  string // inside the data folder, and inside the archive
	archive remote // the .tar.gz
	train   []setFile
	test    setFile
	classes []string
	doc     string
}

func (s cifarSet) all() []setFile { return append(append([]setFile(nil), s.train...), s.test) }

func (s cifarSet) trainLen() int {
	n := 0
	for _, f := range s.train {
		n += f.records
	}
	return n
}

// cifar10 is the data set of that name. The SHA-256 are of the files inside cifar-10-binary.tar.gz.
func cifar10() cifarSet {
	const records = 10_000
	return cifarSet{
		name:   "cifar10",
		folder: "cifar-10-batches-bin",
		archive: remote{
			urls: []string{"https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"}, size: 170_052_171,
			sum: "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
		},
		train: []setFile{
			{"data_batch_1.bin", "cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5", records},
			{"data_batch_2.bin", "a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed", records},
			{"data_batch_3.bin", "bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67", records},
			{"data_batch_4.bin", "014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48", records},
			{"data_batch_5.bin", "755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add", records},
		},
		test: setFile{"test_batch.bin", "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b", records},
		classes: []string{
			"airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
		},
		doc: "CIFAR-10: 60,000 colour photographs 32x32 of ten classes",
	}
}

func (s cifarSet) decl() study.DataDecl {
	return study.DataDecl{
		Name: s.name, Train: s.trainLen(), Test: s.test.records, Height: cifarSide, Width: cifarSide, Channels: 3, Doc: s.doc,
	}
}

func (s cifarSet) folderIn(dir string) string { return filepath.Join(dir, s.folder) }

func (s cifarSet) open(dir string) (Source, error) { return openCIFAR(s, dir) }

func (s cifarSet) verify(ctx context.Context, dir string) ([]Check, error) {
	return verifyCIFAR(ctx, s, dir)
}

func (s cifarSet) missing(ctx context.Context, dir string) ([]missingFile, error) {
	if _, err := s.open(dir); err == nil { // else there is no use in reading it all
		checks, err := s.verify(ctx, dir)
		if err != nil {
			return nil, err
		}
		if !slices.ContainsFunc(checks, func(c Check) bool { return c.Err != nil }) {
			return nil, nil
		}
	}
	return []missingFile{{
		remote: s.archive, name: s.folder + ".tar.gz",
		place: func(part string) error { return s.unpackArchive(part, dir) },
	}}, nil
}

// FileError is a file of a data set that is not what it should be. Its text names the file, what was expected and found,
// and what to do.
type FileError struct {
	Set      string // name of the data set
	Path     string
	Expected string
	Found    string
	Err      error // the cause, where there is one: fs.ErrNotExist for a missing file
}

func (e *FileError) Error() string {
	return fmt.Sprintf("data set %s: %s: expected %s, found %s; get it anew with `sweep data fetch %s`, or name another folder with --data",
		e.Set, e.Path, e.Expected, e.Found, e.Set)
}

func (e *FileError) Unwrap() error { return e.Err }

// cifarFiles reads a set from dir, the folder that holds its files.
type cifarFiles struct {
	set cifarSet
	dir string
}

func (c cifarFiles) pick(index []int) (*Images, error) {
	out := c.images(len(index))
	// Where each record of the training files goes: 0 nowhere, else the place plus one.
	place := make([]int32, c.set.trainLen())
	for i, n := range index {
		place[n] = int32(i + 1)
	}
	base := 0
	for _, f := range c.set.train {
		// Every file is read whole, also one that nothing was drawn from: the set is what its name says or is refused.
		err := c.read(f, func(i int, record []byte) error {
			if to := place[base+i]; to > 0 {
				return out.setRecord(int(to-1), record)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		base += f.records
	}
	return out, nil
}

func (c cifarFiles) test(n int) (*Images, error) {
	out := c.images(n)
	err := c.read(c.set.test, func(i int, record []byte) error {
		if i < n {
			return out.setRecord(i, record)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (c cifarFiles) images(n int) *Images {
	return &Images{
		Height: cifarSide, Width: cifarSide, Channels: 3,
		Pixels:  make([]byte, n*3*cifarPlane),
		Labels:  make([]byte, n),
		Classes: c.set.classes,
	}
}

// read hands each record of a file to use, and checks size and SHA-256 on the way. What use has been given counts only
// when read returns nil.
func (c cifarFiles) read(f setFile, use func(i int, record []byte) error) error {
	path := filepath.Join(c.dir, f.name)
	bad := func(expected, found string, err error) error {
		return &FileError{Set: c.set.name, Path: path, Expected: expected, Found: found, Err: err}
	}
	want := fmt.Sprintf("%d bytes", f.size())
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return bad(want, "no such file", err)
	}
	if err != nil {
		return fmt.Errorf("read data set %s: %w", c.set.name, err)
	}
	defer file.Close()
	info, err := file.Stat()
	switch {
	case err != nil:
		return fmt.Errorf("read data set %s: %w", c.set.name, err)
	case !info.Mode().IsRegular():
		return bad(want, "no regular file", nil)
	case info.Size() != f.size():
		return bad(want, fmt.Sprintf("%d bytes", info.Size()), nil)
	}
	h := sha256.New()
	tee := io.TeeReader(file, h)
	recordErr := readRecords(tee, f.records, use)
	// The sum is judged first, over the whole file: a wrong record in a damaged file is damage.
	if _, err := io.Copy(io.Discard, tee); err != nil {
		return fmt.Errorf("read data set %s: %w", c.set.name, err)
	}
	if sum := hex.EncodeToString(h.Sum(nil)); sum != f.sum {
		return bad("SHA-256 "+f.sum, sum, nil)
	}
	if recordErr != nil {
		return fmt.Errorf("read data set %s: %s: %w", c.set.name, path, recordErr)
	}
	return nil
}

// readRecords reads exactly n records, the last of which ends r.
func readRecords(r io.Reader, n int, use func(i int, record []byte) error) error {
	const block = 64 // records a read: 197 KB, so that hashing finds them in the cache
	b := bufio.NewReaderSize(r, block*cifarRecord)
	record := make([]byte, cifarRecord)
	for i := range n {
		if _, err := io.ReadFull(b, record); err != nil {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return fmt.Errorf("record %d of %d: %w", i, n, err)
		}
		if err := use(i, record); err != nil {
			return fmt.Errorf("record %d: %w", i, err)
		}
	}
	if _, err := b.ReadByte(); err == nil {
		return fmt.Errorf("there are bytes after record %d, the last", n-1)
	} else if !errors.Is(err, io.EOF) {
		return err
	}
	return nil
}

// setRecord makes a record image i, turning planes into NHWC.
func (s *Images) setRecord(i int, record []byte) error {
	if int(record[0]) >= len(s.Classes) {
		return fmt.Errorf("the label is %d, but there are %d classes", record[0], len(s.Classes))
	}
	s.Labels[i] = record[0]
	to := s.Pixels[i*3*cifarPlane:][:3*cifarPlane]
	r, g, b := record[1:1+cifarPlane], record[1+cifarPlane:1+2*cifarPlane], record[1+2*cifarPlane:cifarRecord]
	for p := range cifarPlane {
		to[3*p], to[3*p+1], to[3*p+2] = r[p], g[p], b[p]
	}
	return nil
}
