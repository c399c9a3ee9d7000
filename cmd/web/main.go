// Command web serves the pages and the JSON API of a database of studies, and nothing else: what `sweep web` does,
// without the rest of sweep.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"sweep/cmd/web/server"
	"sweep/storage"
)

func main() {
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	os.Exit(run(ctx, os.Args[1:], os.Stderr))
}

// run serves until ctx ends and returns the exit status: 0 done, 1 failed, 2 wrong usage.
func run(ctx context.Context, args []string, talk io.Writer) int {
	flags := flag.NewFlagSet("web", flag.ContinueOnError)
	flags.SetOutput(talk)
	path := flags.String("db", fallback(os.Getenv("SWEEP_DB"), "sweep.db"), "database `file`")
	addr := flags.String("addr", server.DefaultAddr, "`address` to listen on; beyond this machine only with $SWEEP_TOKEN set")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	if flags.NArg() > 0 {
		fmt.Fprintf(talk, "web: unexpected argument %q; it takes -db and -addr\n", flags.Arg(0))
		return 2
	}
	if err := serve(ctx, *path, *addr, talk); err != nil {
		fmt.Fprintln(talk, "web:", err)
		return 1
	}
	return 0
}

func serve(ctx context.Context, path, addr string, talk io.Writer) error {
	db, err := storage.Open(ctx, path, storage.Options{})
	if err != nil {
		return err
	}
	defer db.Close()
	srv, err := server.New(server.Config{Addr: addr, Store: db, Log: slog.New(slog.NewTextHandler(talk, nil))})
	if err != nil {
		return err
	}
	fmt.Fprintf(talk, "web UI: %s (Ctrl-C ends it)\n", srv.URL())
	return srv.Serve(ctx)
}

func fallback(s, other string) string {
	if s != "" {
		return s
	}
	return other
}
