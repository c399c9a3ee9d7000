package dataset

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/bits"
	"math/rand/v2"
	"sync"

	"sweep/study"
)

// Source is a data set that is there. Its methods may be called from several goroutines; the images they return are
// shared and must not be changed.
type Source interface {
	// Name is the set's name in a sweep file.
	Name() string
	// Split draws train and validation images from the training files by seed: the two are disjoint, their order is
	// fixed, and the validation set depends on seed and validation alone. It fails when the set is too small or a
	// file is not what it should be.
	Split(seed uint64, train, validation int) (t, v *Images, err error)
	// Test returns the first images of the test file; first 0 means all.
	Test(first int) (*Images, error)
	// Fingerprint is [Fingerprint] of what Split returns.
	Fingerprint(seed uint64, train, validation int) (string, error)
}

// Fingerprint names the data of a study: the SHA-256, in lower-case hex, over the set's name and the sizes, labels and
// pixels of what is trained and validated on, in their order. Of a folder of images the path does not count.
func Fingerprint(name string, train, validation *Images) string {
	if IsFolder(name) {
		name = folderPrefix
	}
	h := sha256.New()
	fmt.Fprintf(h, "sweep data 1\n%q\n", name)
	for _, s := range []*Images{train, validation} {
		var head [32]byte
		for i, n := range []int{s.Len(), s.Height, s.Width, s.Channels} {
			binary.LittleEndian.PutUint64(head[8*i:], uint64(n))
		}
		h.Write(head[:])
		h.Write(s.Labels)
		h.Write(s.Pixels)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// Take returns the first n images, or all of them when there are fewer; it shares the memory of s.
func (s *Images) Take(n int) *Images {
	n = min(n, s.Len())
	t := *s
	t.Pixels = s.Pixels[:n*s.Height*s.Width*s.Channels]
	t.Labels = s.Labels[:n]
	if s.Masks != nil {
		t.Masks = s.Masks[:n*s.Height*s.Width]
	}
	return &t
}

// files is a set as it lies on a disk or is generated: something that can give images by their index.
type files interface {
	// pick returns images of the training files in the order of index.
	pick(index []int) (*Images, error)
	// test returns the first n images of the test file.
	test(n int) (*Images, error)
}

// source is the one Source: it draws indices and keeps the last draw, because a fingerprint usually follows a split.
type source struct {
	name              string
	trainLen, testLen int
	files             files

	mu   sync.Mutex
	last *draw
}

type draw struct {
	seed              uint64
	train, validation *Images
}

func (s *source) Name() string { return s.name }

func (s *source) Split(seed uint64, train, validation int) (*Images, *Images, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.check(train, validation); err != nil {
		return nil, nil, err
	}
	if d := s.last; d != nil && d.seed == seed && d.train.Len() == train && d.validation.Len() == validation {
		return d.train, d.validation, nil
	}
	index := drawIndices(study.Stream(seed, 0, study.ForSplit, 0), s.trainLen, train+validation)
	// Validation is drawn first, so that it stays the same when more images are trained on.
	all, err := s.files.pick(index)
	if err != nil {
		return nil, nil, err
	}
	v, t := all.cut(0, validation), all.cut(validation, validation+train)
	s.last = &draw{seed, t, v}
	return t, v, nil
}

func (s *source) check(train, validation int) error {
	switch {
	case train < 1:
		return fmt.Errorf("%d training images of %s: at least 1 is needed", train, s.name)
	case validation < 1:
		return fmt.Errorf("%d validation images of %s: at least 1 is needed", validation, s.name)
	case train > s.trainLen || validation > s.trainLen-train:
		return fmt.Errorf("train %d and validation %d are %d images, but %s has %d training images: ask for fewer",
			train, validation, uint64(train)+uint64(validation), s.name, s.trainLen)
	}
	return nil
}

func (s *source) Test(first int) (*Images, error) {
	switch {
	case first < 0:
		return nil, fmt.Errorf("the first %d test images of %s: a count cannot be negative", first, s.name)
	case first > s.testLen:
		return nil, fmt.Errorf("the first %d test images of %s: it has %d", first, s.name, s.testLen)
	case first == 0:
		first = s.testLen
	}
	return s.files.test(first)
}

func (s *source) Fingerprint(seed uint64, train, validation int) (string, error) {
	t, v, err := s.Split(seed, train, validation)
	if err != nil {
		return "", err
	}
	return Fingerprint(s.name, t, v), nil
}

// upTo is 0 … n-1.
func upTo(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}

// cut returns images from … to-1, sharing the memory of s.
func (s *Images) cut(from, to int) *Images {
	size := s.Height * s.Width * s.Channels
	t := *s
	t.Pixels = s.Pixels[from*size : to*size : to*size]
	t.Labels = s.Labels[from:to:to]
	if s.Masks != nil {
		plane := s.Height * s.Width
		t.Masks = s.Masks[from*plane : to*plane : to*plane]
	}
	return &t
}

// drawIndices draws k of 0 … n-1 without repetition: the first k steps of the Fisher-Yates shuffle. It is written out
// here because the split must never move with a release of the standard library.
func drawIndices(r *rand.Rand, n, k int) []int {
	all := upTo(n)
	for i := range k {
		j := i + below(r, n-i)
		all[i], all[j] = all[j], all[i]
	}
	return all[:k]
}

// below draws from 0 … n-1, each equally likely (Lemire, "Fast random integer generation in an interval", 2019).
func below(r *rand.Rand, n int) int {
	m := uint64(n)
	hi, lo := bits.Mul64(r.Uint64(), m)
	for lo < m && lo < -m%m {
		hi, lo = bits.Mul64(r.Uint64(), m)
	}
	return int(hi)
}
