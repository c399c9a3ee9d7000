package storage

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/mattn/go-sqlite3"

	"sweep/study"
)

// Errors that callers branch on. A study that does not exist is [study.ErrNotFound].
var (
	ErrExists = errors.New("exists already")
	ErrInUse  = errors.New("in use")
	ErrNewer  = errors.New("made by a newer version of sweep")
	// ErrQuery is a query or a cursor that cannot be answered: the asker's mistake.
	ErrQuery = errors.New("bad query")
)

// FileError is trouble with the database's file or folder, with what the user can do about it.
type FileError struct {
	Path string // of the database
	What string // what is wrong
	Do   string // what to do
	Err  error  // the cause
}

// Error says all on one line.
func (e *FileError) Error() string {
	s := e.Path + ": " + e.What
	if e.Err != nil {
		s += " (" + oneLine(e.Err.Error()) + ")"
	}
	return s + "; " + e.Do
}

// Unwrap returns the cause.
func (e *FileError) Unwrap() error { return e.Err }

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// explain turns errors of SQLite and of the file system that the user can do something about into a [FileError], by
// their codes; others pass unchanged.
func explain(path string, err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*FileError](err); ok {
		return err
	}
	folder := filepath.Dir(path)
	full := func() error {
		return &FileError{
			path, "the disk is full", "free space in " + folder + " and run the same command again: nothing that was committed is lost", err,
		}
	}
	readOnly := func() error {
		return &FileError{
			path, "the database cannot be written", "allow writing in " + folder + " (SQLite keeps files beside the database), or name another file with --db", err,
		}
	}
	se, ok := errors.AsType[sqlite3.Error](err)
	if !ok {
		switch {
		case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
			return full()
		case errors.Is(err, syscall.EACCES), errors.Is(err, syscall.EPERM), errors.Is(err, syscall.EROFS):
			return readOnly()
		}
		return err
	}
	switch se.Code {
	case sqlite3.ErrFull:
		return full()
	case sqlite3.ErrReadonly, sqlite3.ErrPerm:
		return readOnly()
	case sqlite3.ErrCantOpen:
		return &FileError{
			path, "the database cannot be opened", "check that " + folder + " is a folder where you may read and write, or name another file with --db", err,
		}
	case sqlite3.ErrNotADB:
		return &FileError{path, "this is no database but another kind of file", "name the right file, or a new one, with --db", err}
	case sqlite3.ErrCorrupt:
		return &FileError{
			path, "the database is damaged", "put back a copy (one is kept before each migration: " + filepath.Base(resolve(path)) + ".before-*), or save what can be read with `sqlite3 " + path + " .recover`", err,
		}
	case sqlite3.ErrBusy, sqlite3.ErrLocked:
		return &FileError{path, "another program keeps the database locked", "close it (an open sqlite3 shell or Optuna process) and run the same command again", err}
	case sqlite3.ErrIoErr, sqlite3.ErrProtocol:
		return &FileError{path, "the disk reports an error", "check the disk of " + folder + " (network file systems cannot hold the database)", err}
	}
	return err
}

// constraint reports whether err is a violated UNIQUE or PRIMARY KEY.
func constraint(err error) bool {
	se, ok := errors.AsType[sqlite3.Error](err)
	return ok && (se.ExtendedCode == sqlite3.ErrConstraintUnique || se.ExtendedCode == sqlite3.ErrConstraintPrimaryKey)
}

// absent is the error about a study or a trial that does not exist: a whole sentence for people. It is
// [study.ErrNotFound].
type absent string

func (a absent) Error() string { return string(a) }

func (absent) Is(target error) bool { return target == study.ErrNotFound }

// wrap adds what was being done to an error; nil stays nil, and so does an [absent], which says all there is to say.
func wrap(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[absent](err); ok {
		return err
	}
	return fmt.Errorf(format+": %w", append(args, err)...)
}
