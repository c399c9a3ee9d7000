package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"sweep/storage"
	"sweep/study"
	"sweep/study/spec"
)

// Exit codes of the contract.
const (
	exitDone        = 0
	exitFailed      = 1
	exitUsage       = 2
	exitInterrupted = 130
)

// streams are the three standard ones. stdout is the result, stderr the talk.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

// app is what every verb shares.
type app struct {
	streams
	now  func() time.Time
	db   string // the database file
	data string // the folder of data sets
}

// usageError is a wrong use of the command line: exit 2.
type usageError struct{ error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// run is the program: it returns the exit code.
func run(ctx context.Context, args []string, s streams, now func() time.Time) int {
	a := &app{streams: s, now: now}
	root := a.root()
	root.SetArgs(args)
	root.SetIn(s.in)
	root.SetOut(s.out)
	root.SetErr(s.err)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitDone
	}
	var usage usageError
	var mistakes *spec.Errors
	switch {
	case errors.Is(err, context.Canceled) && ctx.Err() != nil:
		return exitInterrupted
	case errors.As(err, &mistakes):
		fmt.Fprintln(s.err, mistakes)
		return exitUsage
	case errors.As(err, &usage):
		fmt.Fprintf(s.err, "sweep: %v\n", usage.error)
		return exitUsage
	}
	fmt.Fprintf(s.err, "sweep: %v\n", err)
	return exitFailed
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "sweep",
		Short: "Hyperparameter sweeps and experiment tracking in one binary",
		Long: `sweep searches hyperparameters, keeps every trial and shows them.

  sweep run sweeps/lr.yaml --web   search, and watch it in the browser
  sweep top lr                     the leaderboard
  sweep export lr -o best/         take the best model away`,
		SilenceErrors: true, SilenceUsage: true,
	}
	root.PersistentFlags().StringVar(&a.db, "db", env("SWEEP_DB", "sweep.db"), "database `file` ($SWEEP_DB)")
	root.PersistentFlags().StringVar(&a.data, "data", env("SWEEP_DATA", "data"), "`folder` where data sets lie and are fetched to ($SWEEP_DATA)")
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return usagef("%w (see `%s --help`)", err, c.CommandPath())
	})
	for _, verb := range []func() *cobra.Command{
		a.runVerb, a.planVerb, a.studiesVerb, a.topVerb, a.baselinesVerb, a.showVerb, a.compareVerb, a.bestVerb, a.exportVerb, a.verifyVerb,
		a.applyVerb, a.schemaVerb, a.webVerb, a.pauseVerb, a.resumeVerb, a.stopVerb, a.rmVerb, a.dataVerb, a.devicesVerb, a.versionVerb,
	} {
		c := verb()
		c.Args = usageArgs(c.Args)
		root.AddCommand(c)
	}
	root.PersistentPreRunE = func(*cobra.Command, []string) error {
		if a.db == "" {
			return usagef("--db names no file")
		}
		return nil
	}
	root.Args = func(_ *cobra.Command, args []string) error {
		if len(args) > 0 {
			return usagef("there is no verb %q: `sweep --help` lists them", args[0])
		}
		return nil
	}
	root.RunE = func(c *cobra.Command, _ []string) error { return c.Help() }
	return root
}

// usageArgs makes a wrong number of arguments a wrong use, in plain words.
func usageArgs(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if check == nil || check(c, args) == nil {
			return nil
		}
		use := strings.TrimSuffix(c.UseLine(), " [flags]")
		if len(args) == 0 {
			return usagef("something is missing: use it as `%s`", use)
		}
		return usagef("wrong number of arguments (%d): use it as `%s`", len(args), use)
	}
}

// word prints a name so that it can be pasted into a shell.
func word(s string) string {
	if s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("-_./+=@:,%", r)
	}) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

func env(key, otherwise string) string {
	if v := os.Getenv(key); v != "" {
		return v
	}
	return otherwise
}

// terminal reports whether w is a terminal, and how wide.
func terminal(w io.Writer) (width int, ok bool) {
	f, isFile := w.(*os.File)
	if !isFile || !term.IsTerminal(int(f.Fd())) || os.Getenv("TERM") == "dumb" {
		return 0, false
	}
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil || width <= 0 {
		width = 80
	}
	return width, true
}

// open opens the database for reading and for the small writes that are allowed beside a running sweep.
func (a *app) open(ctx context.Context) (*storage.DB, error) {
	return storage.Open(ctx, a.db, storage.Options{})
}

// study opens the database, as open does, and finds a study in it. The caller closes the database.
func (a *app) study(ctx context.Context, name string) (*storage.DB, study.Summary, error) {
	db, err := a.open(ctx)
	if err != nil {
		return nil, study.Summary{}, err
	}
	s, err := db.Summary(ctx, name)
	if err != nil {
		db.Close()
		return nil, s, err
	}
	return db, s, nil
}
