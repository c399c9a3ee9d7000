package main

import (
	"bytes"
	"context"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"sweep/storage"
)

// talk is a writer that a test reads while the program writes.
type talk struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (t *talk) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.b.Write(p)
}

func (t *talk) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.b.String()
}

func TestRunMistakes(t *testing.T) {
	for _, tt := range []struct {
		name   string
		args   []string
		status int
		want   string
	}{
		{"unknown flag", []string{"-nonsense"}, 2, "nonsense"},
		{"argument", []string{"sweep.db"}, 2, "unexpected argument"},
		{"no database", []string{"-db", filepath.Join(t.TempDir(), "none.db")}, 1, "none.db"},
		{"open to all", []string{"-db", database(t), "-addr", "0.0.0.0:0"}, 1, "SWEEP_TOKEN"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var out talk
			if got := run(t.Context(), tt.args, &out); got != tt.status || !strings.Contains(out.String(), tt.want) {
				t.Errorf("status %d, want %d; it says %q", got, tt.status, out.String())
			}
		})
	}
}

func TestRunServesUntilTold(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var out talk
	done := make(chan int, 1)
	go func() { done <- run(ctx, []string{"-db", database(t), "-addr", "127.0.0.1:0"}, &out) }()
	link := regexp.MustCompile(`http://\S+`)
	for late := time.Now().Add(10 * time.Second); !link.MatchString(out.String()); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(late) {
			t.Fatalf("it says %q", out.String())
		}
	}
	res, err := http.Get(link.FindString(out.String()))
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != 200 {
		t.Errorf("status %d", res.StatusCode)
	}
	cancel()
	if got := <-done; got != 0 {
		t.Errorf("it ended with %d: %s", got, out.String())
	}
}

// database makes an empty one.
func database(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "sweep.db")
	lock, err := storage.Lock(path, storage.Holder{Command: "test"})
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Release()
	db, err := storage.Open(t.Context(), path, storage.Options{Write: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}
