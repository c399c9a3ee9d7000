package main

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// Beside trials the baselines rest nine times as long as they worked; alone they do not rest, and an interrupt ends a rest.
func TestPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &baselines{now: time.Now, alone: make(chan struct{}), last: time.Now()}
		rest := func(ctx context.Context, worked time.Duration) (time.Duration, error) {
			time.Sleep(worked)
			began := time.Now()
			err := b.pace(ctx)
			return time.Since(began), err
		}
		for _, worked := range []time.Duration{50 * time.Millisecond, 2 * time.Second, 0} {
			if d, err := rest(t.Context(), worked); err != nil || d != 9*worked {
				t.Errorf("after %s of work it rested %s (%v)", worked, d, err)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
		defer cancel()
		if d, err := rest(ctx, time.Second); !errors.Is(err, context.DeadlineExceeded) || d != 3*time.Second {
			t.Errorf("an ended context: rested %s, %v", d, err)
		}
		go func() {
			time.Sleep(3 * time.Second)
			close(b.alone)
		}()
		if d, err := rest(t.Context(), time.Second); err != nil || d != 2*time.Second {
			t.Errorf("the last trial ended 2 s later: rested %s, %v", d, err)
		}
		if d, err := rest(t.Context(), time.Minute); err != nil || d != 0 {
			t.Errorf("alone it rested %s, %v", d, err)
		}
	})
}
