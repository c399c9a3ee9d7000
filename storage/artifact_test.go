package storage_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sweep/storage"
	"sweep/study"
)

func TestDamagedFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sweep.db")
	db := openDB(t, path)
	s := newStudy(t, db, nil)
	model(t, db, s, 1, []byte("the weights"))
	d, err := db.Detail(t.Context(), s.ID, 0)
	if err != nil {
		t.Fatal(err)
	}
	a := d.Artifacts[0]
	r, got, err := db.OpenArtifact(t.Context(), a.Digest)
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	if diff := cmp.Diff(a, got); diff != "" {
		t.Errorf("artifact:\n%s", diff)
	}
	file := filepath.Join(path+".files", a.Digest[:2], a.Digest[2:])
	write := func(s string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(s), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	write("the we1ghts")
	if r, _, err = db.OpenArtifact(t.Context(), a.Digest); err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := io.ReadAll(r); err == nil {
		t.Error("changed content was read without an error")
	}
	write("the w")
	if _, _, err := db.OpenArtifact(t.Context(), a.Digest); err == nil {
		t.Error("a short file was opened")
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	_, _, err = db.OpenArtifact(t.Context(), a.Digest)
	if !errors.Is(err, study.ErrNotFound) {
		t.Errorf("a file that is gone: %v", err)
	}
	// A link out of the folder is not followed.
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("the secret!"), 0o666); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(secret, file); err != nil {
		t.Fatal(err)
	}
	if r, _, err := db.OpenArtifact(t.Context(), a.Digest); err == nil {
		r.Close()
		t.Error("a link out of the folder was followed")
	}
}

// A checkpoint whose file is gone or damaged (a power cut, a hand) does not stop its trial: it goes on from an older one,
// or from nothing, and what it writes again is whole.
func TestBeginWithoutItsCheckpoint(t *testing.T) {
	change := func(file string) error {
		b, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		b[0]++
		return os.WriteFile(file, b, 0o666)
	}
	for _, c := range []struct {
		name   string
		bodies []string // of checkpoints, at steps 1, 2, …
		harm   func(file string) error
		harmed int // the newest so many
		want   int // step resumed from
	}{
		{"nothing wrong", []string{"one", "two"}, os.Remove, 0, 2},
		{"gone", []string{"one"}, os.Remove, 1, 0},
		{"short", []string{"one"}, func(file string) error { return os.Truncate(file, 1) }, 1, 0},
		{"changed", []string{"one"}, change, 1, 0},
		{"the newer one changed", []string{"one", "two"}, change, 1, 1},
		{"both changed", []string{"one", "two"}, change, 2, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "sweep.db")
			db := openDB(t, path)
			s := newStudy(t, db, nil)
			ctx := t.Context()
			p, err := db.Propose(ctx, s.ID, study.Proposal{Params: crashParams(0), Space: s.Spec.Space, Now: start})
			if err != nil {
				t.Fatal(err)
			}
			a, _, err := db.Begin(ctx, p.ID, study.Place{Host: "host", Device: "cpu:0"}, start)
			if err != nil {
				t.Fatal(err)
			}
			l := study.Lease{StudyID: s.ID, TrialID: p.ID, AttemptID: a.ID, Epoch: a.Epoch}
			var points []study.Point
			var files []study.File
			for i, body := range c.bodies {
				points = append(points, study.Point{Key: "val_mse", Step: i + 1, Value: 1, Time: start})
				files = append(files, study.File{Kind: study.CheckpointFile, Name: "state", Step: i + 1, Body: []byte(body)})
			}
			points = append(points, study.Point{Key: "val_mse", Step: 9, Value: 1, Time: start})
			if err := errors.Join(
				db.Append(ctx, l, 1, points, "val_mse"), db.Commit(ctx, l, len(files), files, start),
			); err != nil {
				t.Fatal(err)
			}
			d, err := db.Detail(ctx, s.ID, 0)
			if err != nil || len(d.Artifacts) != len(files) {
				t.Fatal(d.Artifacts, err)
			}
			for _, a := range d.Artifacts[len(files)-c.harmed:] {
				if err := c.harm(filepath.Join(path+".files", a.Digest[:2], a.Digest[2:])); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := db.Reclaim(ctx, s.ID, start); err != nil {
				t.Fatal(err)
			}
			a, resume, err := db.Begin(ctx, p.ID, study.Place{Host: "host", Device: "cpu:0"}, start)
			if err != nil || (resume != nil) != (c.want > 0) || a.ResumedStep != c.want {
				t.Fatalf("resumes %v at %d (%v)", resume, a.ResumedStep, err)
			}
			trials, err := db.Trials(ctx, s.ID)
			if err != nil || len(trials[0].Curve) != c.want {
				t.Errorf("curve %v (%v)", trials[0].Curve, err)
			}
			// The same training gives the same bytes.
			l.AttemptID, l.Epoch = a.ID, a.Epoch
			last := files[len(files)-1:]
			if err := db.Commit(ctx, l, len(files), last, start); err != nil {
				t.Fatal(err)
			}
			if _, err := db.Reclaim(ctx, s.ID, start); err != nil {
				t.Fatal(err)
			}
			_, resume, err = db.Begin(ctx, p.ID, study.Place{Host: "host", Device: "cpu:0"}, start)
			if err != nil || resume == nil || resume.Step != len(files) {
				t.Fatalf("after a new checkpoint it resumes %v (%v)", resume, err)
			}
			r, err := db.Fetch(ctx, resume.Digest)
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			if body, err := io.ReadAll(r); err != nil || string(body) != string(last[0].Body) {
				t.Errorf("the checkpoint is %q (%v)", body, err)
			}
		})
	}
}

// What is stored is stored, even where a file that nobody names any more cannot be removed.
func TestFilesThatStayBehind(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sweep.db")
	db := openDB(t, path)
	s := newStudy(t, db, nil)
	ctx := t.Context()
	p, err := db.Propose(ctx, s.ID, study.Proposal{Params: crashParams(0), Space: s.Spec.Space, Now: start})
	if err != nil {
		t.Fatal(err)
	}
	a, _, err := db.Begin(ctx, p.ID, study.Place{Host: "host", Device: "cpu:0"}, start)
	if err != nil {
		t.Fatal(err)
	}
	l := study.Lease{StudyID: s.ID, TrialID: p.ID, AttemptID: a.ID, Epoch: a.Epoch}
	// stuck puts a folder that is not empty in the place of the newest file: it cannot be removed as a file.
	stuck := func() string {
		t.Helper()
		d, err := db.Detail(ctx, s.ID, 0)
		if err != nil {
			t.Fatal(err)
		}
		a := d.Artifacts[len(d.Artifacts)-1]
		file := filepath.Join(path+".files", a.Digest[:2], a.Digest[2:])
		if err := errors.Join(os.Remove(file), os.MkdirAll(filepath.Join(file, "in the way"), 0o777)); err != nil {
			t.Fatal(err)
		}
		return file
	}
	var left []string
	for step := range 3 {
		body := []byte{byte(step)}
		if err := db.Commit(ctx, l, step, []study.File{{Kind: study.CheckpointFile, Name: "state", Body: body}}, start); err != nil {
			t.Errorf("commit of step %d: %v", step, err)
		}
		left = append(left, stuck())
	}
	if err := db.Finish(ctx, l, study.Outcome{State: study.Complete, Value: 1}, study.Complete, 1, start); err != nil {
		t.Errorf("finish: %v", err)
	}
	d, err := db.Detail(ctx, s.ID, 0)
	if err != nil || d.State != study.Complete || len(d.Artifacts) != 0 {
		t.Errorf("the trial is %s with %v (%v)", d.State, d.Artifacts, err)
	}
	for _, file := range left {
		if err := os.Remove(filepath.Join(file, "in the way")); err != nil {
			t.Error(err)
		}
		if err := errors.Join(os.Remove(file), os.WriteFile(file, nil, 0o666)); err != nil {
			t.Error(err)
		}
	}
	again, err := storage.Open(ctx, path, storage.Options{Write: true}) // openDB holds the lock
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if files := keptFiles(t, path); len(files) != 0 {
		t.Errorf("%d files are left after the next start", len(files))
	}
}

func TestOrphans(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sweep.db")
	db := openDB(t, path)
	s := newStudy(t, db, nil)
	model(t, db, s, 1, []byte("kept"))
	kept := keptFiles(t, path)
	orphan := strings.Repeat("ab", 32)
	put := func(name string) string {
		t.Helper()
		file := filepath.Join(path+".files", name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o777), os.WriteFile(file, []byte("x"), 0o666)); err != nil {
			t.Fatal(err)
		}
		return file
	}
	gone := []string{put("ab/" + orphan[2:]), put("ab/" + orphan[2:] + ".tmp-1-1"), put(kept[0][:2] + "/" + kept[0][2:] + ".tmp-12-3")}
	stay := []string{put("README"), put("ab/notes.txt"), put("cd/" + orphan[3:])}
	exists := func(file string) bool { _, err := os.Stat(file); return err == nil }

	reader, err := storage.Open(t.Context(), path, storage.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	for _, f := range gone {
		if !exists(f) {
			t.Errorf("a reader removed %s", f)
		}
	}
	again, err := storage.Open(t.Context(), path, storage.Options{Write: true}) // openDB holds the lock
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	for _, f := range gone {
		if exists(f) {
			t.Errorf("%s is still there", f)
		}
	}
	for _, f := range stay {
		if !exists(f) {
			t.Errorf("%s was removed", f)
		}
	}
	if got := keptFiles(t, path); !slices.Contains(got, kept[0]) {
		t.Error("a kept file was removed")
	}
}
