package storage

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"sweep/study"
)

// files is the folder beside the database that holds kept files by their content: ab/cdef… is the file whose SHA-256
// starts with abcdef. A file is written and synced before the transaction that names it, and removed in a later one that
// finds nothing naming it; both hold SQLite's write lock while they look, so that no process removes what another is
// about to name.
type files struct {
	dir   string
	temps *atomic.Int64 // numbers temporary names: two writers of one content never share one
	fsync func(*os.File) error
}

func newFiles(dir string) files { return files{dir, new(atomic.Int64), (*os.File).Sync} }

func digestOf(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}

func validDigest(d string) bool {
	if len(d) != hex.EncodedLen(sha256.Size) {
		return false
	}
	for _, c := range d {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

func place(digest string) string { return digest[:2] + "/" + digest[2:] }

// blob is the content of a file and its SHA-256.
type blob struct {
	digest string
	body   []byte
}

// put writes blobs durably under their digests: each is written and synced under another name, all are put in their
// places, and then each folder is synced once. What is there whole stays; what is damaged is replaced.
func (f files) put(blobs ...blob) (err error) {
	if len(blobs) == 0 {
		return nil
	}
	root, err := f.root()
	if err != nil {
		return err
	}
	defer root.Close()
	places := map[string]string{} // by temporary name
	defer func() {
		if err != nil {
			for temp := range places {
				root.Remove(temp) // else swept at the next start
			}
		}
	}()
	folders := map[string]bool{}
	for _, b := range blobs {
		to := place(b.digest)
		// Of a file that is there too: perhaps a process died before it could sync its folder.
		folders[path.Dir(to)] = true
		if f.sound(b.digest, int64(len(b.body))) {
			continue
		}
		if err := root.Mkdir(path.Dir(to), 0o777); err == nil {
			folders["."] = true
		} else if !errors.Is(err, fs.ErrExist) {
			return err
		}
		temp := fmt.Sprintf("%s.tmp-%d-%d", to, os.Getpid(), f.temps.Add(1))
		places[temp] = to
		if err := f.write(root, temp, b.body); err != nil {
			return err
		}
	}
	for temp, to := range places {
		if err := root.Rename(temp, to); err != nil {
			return err
		}
	}
	for folder := range folders {
		if err := f.syncDir(root, folder); err != nil {
			return err
		}
	}
	return nil
}

func (f files) write(root *os.Root, name string, body []byte) error {
	w, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o666)
	if err != nil {
		return err
	}
	if _, err = w.Write(body); err == nil {
		err = f.fsync(w)
	}
	if e := w.Close(); err == nil {
		err = e
	}
	return err
}

// root opens the folder, which it makes the first time.
func (f files) root() (*os.Root, error) {
	if err := os.Mkdir(f.dir, 0o777); errors.Is(err, fs.ErrExist) {
		return os.OpenRoot(f.dir)
	} else if err != nil {
		return nil, err
	}
	above, err := os.OpenRoot(filepath.Dir(f.dir))
	if err != nil {
		return nil, err
	}
	defer above.Close()
	if err := f.syncDir(above, "."); err != nil {
		return nil, err
	}
	return os.OpenRoot(f.dir)
}

func (f files) syncDir(root *os.Root, name string) error {
	d, err := root.Open(name)
	if err != nil {
		return err
	}
	err = f.fsync(d)
	if e := d.Close(); err == nil {
		err = e
	}
	return err
}

// open opens a file whose reader fails at its end when the content is not what the digest says.
func (f files) open(digest string, size int64) (io.ReadCloser, error) {
	root, err := os.OpenRoot(f.dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	r, err := root.Open(place(digest))
	if err != nil {
		return nil, err
	}
	if st, err := r.Stat(); err != nil || st.Size() != size {
		r.Close()
		if err == nil {
			err = fmt.Errorf("it has %d bytes instead of %d", st.Size(), size)
		}
		return nil, err
	}
	return &checked{r, sha256.New(), digest}, nil
}

type checked struct {
	file   *os.File
	sum    hash.Hash
	digest string
}

func (c *checked) Read(p []byte) (int, error) {
	n, err := c.file.Read(p)
	c.sum.Write(p[:n]) // never fails
	if err == io.EOF && hex.EncodeToString(c.sum.Sum(nil)) != c.digest {
		return n, fmt.Errorf("file %s is damaged: its content changed", c.digest)
	}
	return n, err
}

func (c *checked) Close() error { return c.file.Close() }

// sound reports whether the file is there with that content. It reads all of it.
func (f files) sound(digest string, size int64) bool {
	r, err := f.open(digest, size)
	if err != nil {
		return false
	}
	_, err = io.Copy(io.Discard, r)
	return errors.Join(err, r.Close()) == nil
}

// whole reports whether the file is there with that size.
func (f files) whole(digest string, size int64) bool {
	st, err := os.Stat(f.dir + "/" + place(digest))
	return err == nil && st.Size() == size
}

func (f files) remove(digest string) error {
	err := os.Remove(f.dir + "/" + place(digest))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// putAll writes files before the transaction that names them.
func (db *DB) putAll(fs []study.File) ([]study.Artifact, error) {
	out := make([]study.Artifact, len(fs))
	blobs := make([]blob, len(fs))
	names := make([]string, len(fs))
	for i, f := range fs {
		blobs[i] = blob{digestOf(f.Body), f.Body}
		out[i] = study.Artifact{Kind: f.Kind, Name: f.Name, Media: f.Media, Step: f.Step, Size: int64(len(f.Body)), Digest: blobs[i].digest}
		names[i] = f.Name
	}
	if err := db.files.put(blobs...); err != nil {
		return nil, explain(db.path, wrap(err, "write %s", strings.Join(names, ", ")))
	}
	return out, nil
}

// nameFiles stores rows of files that putAll wrote, and writes again those that another process removed in between. A
// file without a step of its own belongs to step. What an earlier attempt, which was lost, left of the same kind, step and
// name is replaced; its digests are returned, for removeUnused after the commit.
func (db *DB) nameFiles(ctx context.Context, tx *sql.Tx, l study.Lease, step int, rows []study.Artifact, bodies []study.File, now time.Time) ([]string, error) {
	var replaced []string
	for i, a := range rows {
		if !db.files.whole(a.Digest, a.Size) {
			if err := db.files.put(blob{a.Digest, bodies[i].Body}); err != nil {
				return nil, fmt.Errorf("write %s: %w", a.Name, err)
			}
		}
		at := a.Step
		if at == 0 {
			at = step
		}
		old, err := dropArtifacts(ctx, tx, `trial_id = ? AND kind = ? AND step = ? AND name = ?`, l.TrialID, string(a.Kind), at, a.Name)
		if err != nil {
			return nil, err
		}
		replaced = append(replaced, old...)
		if _, err := tx.ExecContext(ctx, `
			INSERT INTO artifact (study_id, trial_id, attempt_id, kind, name, media, step, size, digest, created)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
			l.StudyID, l.TrialID, l.AttemptID, string(a.Kind), a.Name, a.Media, at, a.Size, a.Digest, micros(now)); err != nil {
			return nil, err
		}
	}
	return replaced, nil
}

// dropArtifacts deletes the rows that the condition selects and returns their digests, for removeUnused after the commit.
func dropArtifacts(ctx context.Context, tx *sql.Tx, where string, args ...any) ([]string, error) {
	var digests []string
	err := each(ctx, tx, func(r *sql.Rows) error {
		var d string
		err := r.Scan(&d)
		digests = append(digests, d)
		return err
	}, `DELETE FROM artifact WHERE `+where+` RETURNING digest`, args...)
	return digests, err
}

// removeUnused removes those of the files that no row names any more. One that cannot be removed does not keep the others. It
// has a transaction of its own: in a group it would take a row for gone that comes back where the group fails.
func (db *DB) removeUnused(ctx context.Context, digests []string) error {
	if len(digests) == 0 {
		return nil
	}
	return db.transact(ctx, false, func(tx *sql.Tx) error {
		var errs []error
		for _, d := range digests {
			var n int
			if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM artifact WHERE digest = ?`, d).Scan(&n); err != nil {
				return err
			}
			if n > 0 {
				continue
			}
			if err := db.files.remove(d); err != nil {
				errs = append(errs, err)
			}
		}
		return errors.Join(errs...)
	})
}

// tidy is removeUnused after a transaction whose result is the caller's, whatever becomes of the files: a trial that is
// stored is stored. Those that stay behind are swept at the next start.
func (db *DB) tidy(ctx context.Context, digests []string) {
	_ = db.removeUnused(context.WithoutCancel(ctx), digests)
}

// sweepOrphans removes files that were written but never named by a committed transaction. Only who holds the lock may:
// to others a file that is being committed looks the same.
func (db *DB) sweepOrphans(ctx context.Context) error {
	root, err := os.OpenRoot(db.files.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	defer root.Close()
	return db.update(ctx, func(tx *sql.Tx) error {
		known := map[string]bool{}
		err := each(ctx, tx, func(r *sql.Rows) error {
			var d string
			err := r.Scan(&d)
			known[d] = true
			return err
		}, `SELECT DISTINCT digest FROM artifact`)
		if err != nil {
			return err
		}
		return fs.WalkDir(root.FS(), ".", func(name string, e fs.DirEntry, err error) error {
			if err != nil || e.IsDir() {
				return err
			}
			digest := strings.ReplaceAll(name, "/", "")
			body, _, temp := strings.Cut(digest, ".tmp-")
			// What is not named like ours was put there by someone else and stays.
			if !validDigest(body) || place(body) != strings.TrimSuffix(name, digest[len(body):]) || (!temp && known[digest]) {
				return nil
			}
			return root.Remove(name)
		})
	})
}

// OpenArtifact opens a kept file by its digest. One that no study names is [study.ErrNotFound], whatever lies on the
// disk. The reader fails at its end when the content does not match the digest.
func (db *DB) OpenArtifact(ctx context.Context, digest string) (io.ReadCloser, study.Artifact, error) {
	var a study.Artifact
	if !validDigest(digest) {
		return nil, a, fmt.Errorf("file %q: %w", digest, study.ErrNotFound)
	}
	err := db.view(ctx, func(tx *sql.Tx) error {
		err := tx.QueryRowContext(ctx, `SELECT kind, name, media, step, size, digest FROM artifact WHERE digest = ? ORDER BY artifact_id LIMIT 1`,
			digest).Scan(&a.Kind, &a.Name, &a.Media, &a.Step, &a.Size, &a.Digest)
		if errors.Is(err, sql.ErrNoRows) {
			return study.ErrNotFound
		}
		return err
	})
	if err != nil {
		return nil, a, wrap(err, "file %s", digest)
	}
	r, err := db.files.open(digest, a.Size)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, a, fmt.Errorf("file %s is gone from %s: %w", digest, db.files.dir, study.ErrNotFound)
	}
	return r, a, wrap(err, "open file %s", digest)
}

// Fetch opens a kept file by its digest; see [DB.OpenArtifact].
func (db *DB) Fetch(ctx context.Context, digest string) (io.ReadCloser, error) {
	r, _, err := db.OpenArtifact(ctx, digest)
	return r, err
}
