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

// A checkpoint whose file is gone (a power cut, a hand) does not stop its trial: it starts from what there is.
func TestBeginWithoutItsCheckpoint(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sweep.db")
	db := openDB(t, path)
	s := newStudy(t, db, nil)
	ctx := t.Context()
	p, err := db.Propose(ctx, s.ID, study.Proposal{Params: crashParams(0), Space: s.Spec.Space, Now: start})
	if err != nil {
		t.Fatal(err)
	}
	a, _, err := db.Begin(ctx, p.ID, "host", "cpu:0", start)
	if err != nil {
		t.Fatal(err)
	}
	l := study.Lease{StudyID: s.ID, TrialID: p.ID, AttemptID: a.ID, Epoch: a.Epoch}
	if err := errors.Join(
		db.Append(ctx, l, 1, []study.Point{{Key: "val_mse", Step: 1, Value: 1, Time: start}}, "val_mse"),
		db.Commit(ctx, l, 1, []study.File{{Kind: study.CheckpointFile, Name: "state", Body: []byte("state")}}, start),
		os.RemoveAll(path+".files"),
	); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Reclaim(ctx, s.ID, start); err != nil {
		t.Fatal(err)
	}
	_, resume, err := db.Begin(ctx, p.ID, "host", "cpu:0", start)
	if err != nil || resume != nil {
		t.Fatalf("resumes %v (%v)", resume, err)
	}
	trials, err := db.Trials(ctx, s.ID)
	if err != nil || len(trials[0].Curve) != 0 {
		t.Errorf("curve %v (%v)", trials[0].Curve, err)
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
