// Command sweep searches hyperparameters, keeps every trial and shows them: the command line of the contract, one file
// a verb. It wires the rooms together and holds no logic of theirs.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	// The first interrupt ends the context, and everything drains; after that the default action is back, so that a
	// second one kills.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	code := run(ctx, os.Args[1:], streams{os.Stdin, os.Stdout, os.Stderr}, time.Now)
	stop()
	os.Exit(code)
}
