package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"sweep/storage"
	"sweep/study"
	"sweep/trainer"
	"sweep/trainer/baseline"
	"sweep/trainer/dataset"
	"sweep/trainer/kernel"
)

// baselines computes what a study's trials are held against while they train, in their shadow, and keeps it. It touches
// nothing that a trial's numbers depend on.
type baselines struct {
	db     *storage.DB
	study  study.Study
	source dataset.Source
	now    func() time.Time
	note   func(format string, args ...any)

	cancel context.CancelFunc
	work   sync.WaitGroup
	ended  chan struct{} // closed when the work is done
	alone  chan struct{} // closed when no trial trains any more
	last   time.Time     // when the last piece of work began
	pca    *baseline.PCA // nil until it was needed
	err    error
}

// idle is how often as long as a piece of work it waits while trials train: it takes a tenth of one core then, but
// for the moments of the small eigenvalue problem.
const idle = 9

// beginBaselines starts to compute the baselines that a study lacks. nil, on which finish does nothing, where its trials
// cannot be held against any.
func (a *app) beginBaselines(ctx context.Context, db *storage.DB, s study.Study, source dataset.Source) *baselines {
	if !baseline.Apply(s.Spec) {
		return nil
	}
	b := &baselines{
		db: db, study: s, source: source, now: a.now, ended: make(chan struct{}), alone: make(chan struct{}), last: a.now(),
		note: func(format string, args ...any) { fmt.Fprintf(a.err, format+"\n", args...) },
	}
	ctx, b.cancel = context.WithCancel(ctx)
	b.work.Go(func() {
		defer close(b.ended)
		b.err = b.compute(ctx, baseline.Sizes(s.Spec.Space))
	})
	return b
}

// finish waits for the work and adds the sizes of the best trials. With whole false it is given up: the next run does it.
// A failure is told and no more, since every trial is stored.
func (b *baselines) finish(ctx context.Context, whole bool) {
	if b == nil {
		return
	}
	defer b.cancel()
	if !whole {
		b.cancel()
		b.work.Wait()
		return
	}
	close(b.alone)
	select {
	case <-b.ended:
	case <-time.After(time.Second):
		b.note("computing what the trials are held against (pca-k) …")
	}
	b.work.Wait()
	if b.err == nil {
		b.err = b.ofTheBest(ctx)
	}
	if b.err != nil && !errors.Is(b.err, context.Canceled) {
		b.note("note: the baselines of study %s were not computed: %v", b.study.Name, b.err)
	}
}

func (b *baselines) ofTheBest(ctx context.Context) error {
	best, err := b.db.Query(ctx, b.study.ID, study.Query{Sort: "rank", States: []study.State{study.Complete}, Limit: baseline.Best})
	if err != nil {
		return err
	}
	return b.compute(ctx, baseline.LatentSizes(best.Trials))
}

// compute evaluates the sizes that are not there yet and keeps them.
func (b *baselines) compute(ctx context.Context, sizes []int) error {
	there, err := b.db.Baselines(ctx, b.study.ID)
	if err != nil {
		return err
	}
	if sizes = baseline.Without(sizes, there); len(sizes) == 0 {
		return nil
	}
	train, validation, err := b.source.Split(b.study.Spec.Seed, b.study.Spec.Data.Train, b.study.Spec.Data.Validation)
	if err != nil {
		return err
	}
	if most := slices.Max(sizes); b.pca == nil || b.pca.Asked() < most {
		if b.pca, err = baseline.Fit(ctx, kernel.Best(), train, max(1, most), b.pace); err != nil {
			return err
		}
	}
	sums, err := b.pca.Evaluate(ctx, validation, sizes, b.pace)
	if err != nil {
		return err
	}
	list := make([]study.Baseline, len(sizes))
	for i, k := range sizes {
		list[i] = study.Baseline{
			Name: baseline.Name(k), K: k, Metrics: trainer.ValidationMetrics(sums[i]), Fingerprint: b.study.Data.Fingerprint, Time: b.now(),
		}
	}
	return b.db.RecordBaselines(ctx, b.study.ID, list)
}

// pace leaves the cores to the trials while any trains.
func (b *baselines) pace(ctx context.Context) error {
	select {
	case <-b.alone:
		return ctx.Err()
	default:
	}
	rest := time.NewTimer(idle * b.now().Sub(b.last))
	defer rest.Stop()
	select {
	case <-rest.C:
	case <-b.alone:
	case <-ctx.Done():
	}
	b.last = b.now()
	return ctx.Err()
}

// baselineOf says in a sentence how a trial stands to the baseline of its code's size; empty without one.
func baselineOf(s study.Spec, t study.Trial, list []study.Baseline) string {
	b, ok := study.BaselineOf(list, t.Params)
	if !ok {
		return ""
	}
	return b.Beside(s.Objective, t.Value)
}

// testBaseline is the baseline of a trial's size with its metrics on the test set; nil where the trial has none.
func (a *app) testBaseline(ctx context.Context, s study.Summary, t study.Trial, source dataset.Source) (*study.Baseline, error) {
	if !baseline.Apply(s.Spec) {
		return nil, nil
	}
	c, err := trainer.Decode(t.Params)
	if err != nil || c.Latent > baseline.Most {
		return nil, err
	}
	name := study.PCAName(c.Latent)
	fmt.Fprintf(a.err, "evaluating %s beside it\n", name)
	train, _, err := source.Split(s.Spec.Seed, s.Spec.Data.Train, s.Spec.Data.Validation)
	if err != nil {
		return nil, err
	}
	images, err := source.Test(0)
	if err != nil {
		return nil, err
	}
	pca, err := baseline.Fit(ctx, kernel.Best(), train, c.Latent, nil)
	if err != nil {
		return nil, err
	}
	sums, err := pca.Evaluate(ctx, images, []int{c.Latent}, nil)
	if err != nil {
		return nil, err
	}
	return &study.Baseline{Name: name, K: c.Latent, Metrics: trainer.TestMetrics(sums[0]), Fingerprint: s.Data.Fingerprint, Time: a.now()}, nil
}

func (a *app) baselinesVerb() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use: "baselines STUDY", Short: "What the trials are held against: principal components, the mean image", Args: cobra.ExactArgs(1),
		Long: `What the trials of a study are held against, on the same validation images: pca-K, the first K principal components of the
training images (the best linear code of K numbers), and the mean image. sweep run computes them once for a study.`,
		RunE: func(c *cobra.Command, args []string) error {
			db, s, err := a.study(c.Context(), args[0])
			if err != nil {
				return err
			}
			defer db.Close()
			list, err := db.Baselines(c.Context(), s.ID)
			if err != nil {
				return err
			}
			if asJSON {
				views := make([]study.BaselineView, len(list))
				for i, b := range list {
					views[i] = b.View(s.Spec.Objective)
				}
				return printJSON(a.out, views)
			}
			if len(list) == 0 {
				a.noBaselines(s)
				return nil
			}
			keys := []string{"val_mse", "val_mae", "val_psnr", "val_ssim", "val_pixel_acc"}
			right := map[string]bool{"K": true}
			for _, k := range keys {
				right[k] = true
			}
			var rows [][]string
			for _, b := range list {
				row := []string{b.Name, fmt.Sprint(b.K)}
				for _, k := range keys {
					row = append(row, number(metricOf(study.Trial{Metrics: b.Metrics}, k)))
				}
				rows = append(rows, row)
			}
			table(a.out, append([]string{"BASELINE", "K"}, keys...), right, rows)
			return nil
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

// noBaselines says why a study has none.
func (a *app) noBaselines(s study.Summary) {
	if !baseline.Apply(s.Spec) {
		fmt.Fprintf(a.err, "study %s has no baselines: they are for networks that reconstruct the images that they are given\n", s.Name)
		return
	}
	fmt.Fprintf(a.err, "study %s has no baselines yet: `sweep run` computes them while it trains\n", s.Name)
}
