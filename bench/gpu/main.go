// Command gpu measures training on a GPU, ours and that of the peers in bench/gpu/peers, and checks that a GPU computes what
// it should. It needs neither the Go tools nor a network where it runs; docs/gpu.md says how it is used.
//
//	gpu check -stage 1 -out DIR     # one of four stages, at most five minutes each; goes on where it was
//	gpu report -out DIR             # what all stages have found
//	gpu train -task DIR/A.json -images DIR -device cuda:0 -slots 64 -precision tf32
//	gpu tasks DIR                   # writes the trials of both tasks, A.json and B.json
//	gpu images DIR                  # writes the images of both
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	switch {
	case errors.Is(err, flag.ErrHelp):
		os.Exit(2)
	case err != nil:
		fmt.Fprintln(os.Stderr, "gpu:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	if len(args) == 0 {
		return errors.New("say what to do: check, report, train, tasks or images")
	}
	f := flag.NewFlagSet("gpu "+args[0], flag.ContinueOnError)
	switch args[0] {
	case "check":
		return check(ctx, f, args[1:], out)
	case "report":
		return reportVerb(f, args[1:], out)
	case "train":
		return trainVerb(ctx, f, args[1:], out)
	case "tasks":
		return tasksVerb(f, args[1:])
	case "images":
		return imagesVerb(f, args[1:], out)
	}
	return fmt.Errorf("%q is not one of check, report, train, tasks and images", args[0])
}
