package storage_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"sweep/storage"
	"sweep/study"
)

// Readers of the same and of other handles see whole transactions while trials run.
func TestReadersDuringWrites(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sweep.db")
	db := openDB(t, path)
	s := newStudy(t, db, nil)
	reader, err := storage.Open(t.Context(), path, storage.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	const workers, perWorker = 3, 6
	errs := make(chan error, 16)
	done := make(chan struct{})
	for w := range workers {
		go func() { errs <- work(ctx, db, s, w, perWorker) }()
	}
	look := func(db *storage.DB) error {
		for n := 0; ; n++ {
			select {
			case <-done:
				if n == 0 {
					return errors.New("the reader never looked")
				}
				return nil
			default:
			}
			page, err := db.Query(ctx, s.ID, study.Query{Sort: "metric:val_mse"})
			if err != nil {
				return err
			}
			for _, trial := range page.Trials {
				// A transaction of work appends steps in pairs.
				if len(trial.Curve)%2 != 0 {
					return fmt.Errorf("trial %d shows half a transaction: %v", trial.Number, trial.Curve)
				}
			}
			if _, err := db.Studies(ctx); err != nil {
				return err
			}
			if err := db.Request(ctx, s.ID, study.Go, start); err != nil {
				return err
			}
		}
	}
	for _, d := range []*storage.DB{db, reader} {
		go func() { errs <- look(d) }()
	}
	for range workers {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	close(done)
	for range 2 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	trials, err := reader.Trials(t.Context(), s.ID)
	if err != nil {
		t.Fatal(err)
	}
	if len(trials) != workers*perWorker {
		t.Errorf("%d trials", len(trials))
	}
	for i, trial := range trials {
		if trial.Number != i || trial.State != study.Complete || len(trial.Curve) != 10 {
			t.Errorf("trial %d: number %d, %s, %d points", i, trial.Number, trial.State, len(trial.Curve))
		}
	}
}

func work(ctx context.Context, db *storage.DB, s study.Study, worker, n int) error {
	for range n {
		p, err := db.Propose(ctx, s.ID, study.Proposal{Params: crashParams(worker), Space: s.Spec.Space, Now: start})
		if err != nil {
			return err
		}
		a, _, err := db.Begin(ctx, p.ID, study.Place{Host: "host", Device: fmt.Sprint("cpu:", worker)}, start)
		if err != nil {
			return err
		}
		l := study.Lease{StudyID: s.ID, TrialID: p.ID, AttemptID: a.ID, Epoch: a.Epoch}
		for step := 1; step <= 10; step += 2 {
			err := db.Append(ctx, l, int64(step), []study.Point{
				{Key: "val_mse", Step: step, Value: 1, Time: start}, {Key: "val_mse", Step: step + 1, Value: 2, Time: start},
			}, "val_mse")
			if err != nil {
				return err
			}
		}
		body := []byte(fmt.Sprint(worker % 2)) // the same content from several at once
		err = db.Commit(ctx, l, 10, []study.File{{Kind: study.CheckpointFile, Name: "state", Body: body}}, start)
		if err != nil {
			return err
		}
		err = db.Finish(ctx, l, study.Outcome{
			State: study.Complete, Value: 2, Files: []study.File{{Kind: study.ModelFile, Name: "m", Body: body}},
		}, study.Complete, 2, start)
		if err != nil {
			return err
		}
	}
	return nil
}
