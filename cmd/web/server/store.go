package server

import (
	"context"
	"io"
	"time"

	"sweep/study"
)

// Store is what the pages need of the database. Names of what does not exist give [study.ErrNotFound].
type Store interface {
	Studies(ctx context.Context) ([]study.Summary, error)
	Summary(ctx context.Context, name string) (study.Summary, error)
	// Query reads a page of trials with their curves. A cursor that is none of the list gives [storage.ErrQuery].
	Query(ctx context.Context, studyID int64, q study.Query) (study.Page, error)
	Detail(ctx context.Context, studyID int64, number int) (study.Detail, error)
	// Curves reads the metric called key of some trials, by number.
	Curves(ctx context.Context, studyID int64, key string, numbers []int) (map[int][]study.Sample, error)
	Events(ctx context.Context, studyID, after int64, limit int) ([]study.Event, error)
	LastSeq(ctx context.Context) (int64, error)
	OpenArtifact(ctx context.Context, digest string) (io.ReadCloser, study.Artifact, error)
	// Baselines reads what the trials are held against, by the size of their codes.
	Baselines(ctx context.Context, studyID int64) ([]study.Baseline, error)
	Exports(ctx context.Context, studyID int64, number int) ([]study.Export, error)
	Request(ctx context.Context, studyID int64, v study.Verdict, now time.Time) error
}
