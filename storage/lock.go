package storage

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Holder says who runs what on a database.
type Holder struct {
	PID     int       `json:"pid"`
	Study   string    `json:"study"`
	Command string    `json:"command"`
	Web     string    `json:"web,omitempty"` // address of its pages, where it serves any
	Since   time.Time `json:"since"`
}

// FileLock is the right to run sweeps on a database. The operating system frees it with the process, however that ends.
type FileLock struct {
	mu   sync.Mutex
	file *os.File // nil after Release
}

// HeldError is the error of a second holder. It tells who runs what and the ways on, and is [ErrInUse].
type HeldError struct {
	Path   string
	Holder Holder
}

// Error says all on one line.
func (e *HeldError) Error() string {
	h := e.Holder
	s := e.Path + " is in use"
	follow := "`sweep web` or `sweep top`"
	if h.Study != "" {
		follow = "`sweep web` or `sweep top " + h.Study + "`"
	}
	if h.PID != 0 {
		what := fmt.Sprintf("study %q", h.Study)
		if h.Study == "" {
			what = fmt.Sprintf("%q", h.Command)
		}
		s += fmt.Sprintf(": process %d runs %s since %s", h.PID, what, h.Since.Local().Format("2006-01-02 15:04:05"))
	}
	if h.Web != "" {
		s += "; its pages are at " + h.Web
	}
	return s + "; follow it with " + follow + ", or take another database with --db"
}

// Unwrap returns [ErrInUse].
func (e *HeldError) Unwrap() error { return ErrInUse }

// lockPath is the side file of the database at path, beside the file itself where path is a link to it.
func lockPath(path string) string { return resolve(path) + ".lock" }

// Lock takes the lock of the database at path, whose file need not exist. It fails with a [HeldError] when another
// process, or another FileLock of this one, holds it. Since defaults to now, PID to this process.
func Lock(path string, h Holder) (*FileLock, error) {
	f, err := os.OpenFile(lockPath(path), os.O_RDWR|os.O_CREATE, 0o666)
	if err != nil {
		if errors.Is(err, os.ErrNotExist) {
			return nil, &FileError{path, "its folder does not exist", "make the folder, or name another file with --db", err}
		}
		return nil, explain(path, err)
	}
	// A reader that looks who holds the lock has it shared for an instant (see Held): try again for a while.
	for try := 0; ; try++ {
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR) {
			break
		}
		if try == 20 {
			held := readHolder(f)
			f.Close()
			return nil, &HeldError{path, held}
		}
		time.Sleep(5 * time.Millisecond)
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("lock %s: %w", lockPath(path), err)
	}
	if h.PID == 0 {
		h.PID = os.Getpid()
	}
	if h.Since.IsZero() {
		h.Since = time.Now()
	}
	l := &FileLock{file: f}
	if err := l.Update(h); err != nil {
		l.Release()
		return nil, explain(path, err)
	}
	return l, nil
}

// Update changes what others read about the holder.
func (l *FileLock) Update(h Holder) error {
	b, err := json.Marshal(h)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil {
		return errors.New("the lock was released")
	}
	b = append(b, '\n')
	if _, err := l.file.WriteAt(b, 0); err != nil {
		return wrap(err, "write %s", l.file.Name())
	}
	return wrap(l.file.Truncate(int64(len(b))), "write %s", l.file.Name())
}

// Release frees the lock. The file stays: removing it would let two processes lock two files of one name.
func (l *FileLock) Release() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil {
		return nil
	}
	err := l.file.Truncate(0)
	if e := l.file.Close(); err == nil {
		err = e
	}
	l.file = nil
	return err
}

// Held tells who runs sweeps on the database at path, if anyone does. The Holder is empty where its text cannot be read.
func Held(path string) (Holder, bool) {
	f, err := os.Open(lockPath(path))
	if err != nil {
		return Holder{}, false
	}
	defer f.Close() // frees the shared lock too
	if err := unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB); !errors.Is(err, unix.EWOULDBLOCK) {
		return Holder{}, false
	}
	return readHolder(f), true
}

func readHolder(f *os.File) Holder {
	var h Holder
	b := make([]byte, 1<<16)
	n, _ := f.ReadAt(b, 0) // io.EOF is the rule
	for i, c := range b[:n] {
		if c == '\n' {
			b = b[:i]
			break
		}
	}
	if json.Unmarshal(b, &h) != nil {
		return Holder{}
	}
	return h
}
