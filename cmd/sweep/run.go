package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"sweep/cmd/web/server"
	"sweep/storage"
	"sweep/study"
	"sweep/study/spec"
	"sweep/trainer/device"
)

// runFlags are the flags of `sweep run`; those not given leave the sweep file's word.
type runFlags struct {
	name, devices, web string
	workers, trials    int
	seed               uint64
	offline, json      bool
	set                func(flag string) bool // was it given?
}

func (a *app) runVerb() *cobra.Command {
	var f runFlags
	c := &cobra.Command{
		Use: "run SPEC", Short: "Run a sweep file: create the study or continue it", Args: cobra.ExactArgs(1),
		Long: `Run a sweep file. The study is named after the file, or as the file or --name says; one that exists is continued.
Ctrl-C once saves every trial at its last epoch and ends with exit code 130; the same command goes on from there.`,
		RunE: func(c *cobra.Command, args []string) error {
			f.set = c.Flags().Changed
			return a.runSweep(c.Context(), args[0], f)
		},
	}
	c.Flags().StringVar(&f.name, "name", "", "the study's `name`")
	f.whereFlags(c)
	c.Flags().IntVar(&f.trials, "trials", 0, "number of trials; may raise that of a study that exists")
	c.Flags().Uint64Var(&f.seed, "seed", 0, "the study's seed")
	c.Flags().BoolVar(&f.offline, "offline", false, "never fetch a data set")
	c.Flags().StringVar(&f.web, "web", "", "serve the web UI too, on this `address`")
	c.Flags().Lookup("web").NoOptDefVal = server.DefaultAddr
	c.Flags().BoolVar(&f.json, "json", false, "print the result as one JSON document")
	return c
}

// whereFlags are those for where trials are trained, and how many at once.
func (f *runFlags) whereFlags(c *cobra.Command) {
	c.Flags().IntVar(&f.workers, "workers", 0, "trials at once; 0: one a core, and as many as fit on a GPU")
	c.Flags().StringVar(&f.devices, "devices", "", "devices to train on, by comma: cpu, cpu:0, cuda, cuda:0,1, MIG-…; without it all GPUs, else all cores")
}

// ran is what `sweep run --json` prints.
type ran struct {
	study.StudyView
	Best *study.TrialView `json:"best"`
}

func (a *app) runSweep(ctx context.Context, file string, f runFlags) error {
	if f.set("trials") && (f.trials < 1 || f.trials > spec.MaxRunCap) {
		return usagef("--trials %d: give a number from 1 to %d", f.trials, spec.MaxRunCap)
	}
	if f.set("web") {
		if err := checkAddr(f.web); err != nil {
			return err
		}
	}
	wanted, warnings, err := a.readSpec(file, f)
	if err != nil {
		return err
	}
	where, err := a.where(ctx, file, wanted, f)
	if err != nil {
		return err
	}
	warnings = append(warnings, where.notes(wanted)...)
	if note := unbuiltNote(); note != "" {
		warnings = append(warnings, note)
	}
	for _, w := range warnings {
		fmt.Fprintf(a.err, "note: %s\n", w)
	}
	holder := storage.Holder{Study: wanted.Name, Command: "sweep " + strings.Join(os.Args[1:], " "), Since: a.now()}
	lock, err := storage.Lock(a.db, holder)
	if err != nil {
		return err
	}
	defer lock.Release() //nolint:errcheck // the system frees it too
	db, err := storage.Open(ctx, a.db, storage.Options{Write: true})
	if err != nil {
		return err
	}
	defer db.Close()
	// The server outlives the sweep on a terminal, so it has a context of its own.
	web, stopWeb := context.WithCancel(context.WithoutCancel(ctx))
	defer stopWeb()
	var g errgroup.Group
	var shown panel
	if f.web != "" {
		cfg := a.serving(f.web, "--web=", db)
		cfg.Devices = shown.devices
		srv, err := server.New(cfg)
		if err != nil {
			return err
		}
		holder.Web = srv.URL()
		if err := lock.Update(holder); err != nil {
			return err
		}
		fmt.Fprintf(a.err, "web UI: %s\n", srv.URL())
		g.Go(func() error { return srv.Serve(web) })
	}
	s, source, err := a.ensureStudy(ctx, db, wanted, file, f)
	if err != nil {
		return err
	}
	runner, pool, crew, display, err := a.assemble(ctx, db, s, source, where, f)
	if err != nil {
		return err
	}
	defer crew.close()
	var gpus *gauge
	if len(crew.gpus) > 0 {
		t := device.OpenTelemetry()
		defer t.Close() //nolint:errcheck // nothing is lost with it
		gpus = &gauge{gpus: crew.gpus, telemetry: t, now: a.now}
		display.devices = gpus.String
	}
	work := newRoster(pool.Work, a.now)
	pool.Work = work
	shown.show(s.ID, watch(crew.members(), work, func() []study.Trial { return runner.Progress().Running }, gpus))

	beside := a.beginBaselines(ctx, db, s, source)
	err = display.during(ctx, runner, func() error { return pool.Run(ctx) })
	shown.hide()
	beside.finish(ctx, err == nil && runner.Progress().Wish != study.Stop)
	// Whoever comes next may run on this database, or delete the study, while the pages stay.
	if lerr := lock.Release(); err == nil {
		err = lerr
	}
	if err == nil {
		err = a.report(ctx, db, s.Name, f.json)
	}
	if f.web != "" && err == nil && display.isTerminal() && runner.Progress().Wish != study.Stop {
		fmt.Fprintf(a.err, "the web UI stays at %s; Ctrl-C ends it\n", holder.Web)
		<-ctx.Done()
	}
	stopWeb()
	if werr := g.Wait(); err == nil {
		err = werr
	}
	if errors.Is(err, context.Canceled) && ctx.Err() != nil {
		fmt.Fprintf(a.err, "interrupted: every trial is saved at its last epoch; the same command continues\n")
	}
	return err
}

// report prints how the study stands after the last trial.
func (a *app) report(ctx context.Context, db *storage.DB, name string, asJSON bool) error {
	s, err := db.Summary(ctx, name)
	if err != nil {
		return err
	}
	if asJSON {
		out := ran{StudyView: s.View()}
		if s.Best != nil {
			v := s.Best.View()
			out.Best = &v
		}
		if err := printJSON(a.out, out); err != nil {
			return err
		}
	} else {
		fmt.Fprintf(a.out, "%s: %s\n", s.Name, counts(s))
		if s.Best != nil {
			fmt.Fprintf(a.out, "best: trial #%d, %s %s", s.Best.Number, s.Spec.Objective.Name, number(s.Best.Value))
			if p := inline(s.Spec.Space, s.Best.Params); p != "" {
				fmt.Fprintf(a.out, " (%s)", p)
			}
			fmt.Fprintln(a.out)
		}
		if err := a.beside(ctx, db, s); err != nil {
			return err
		}
		a.why(s)
	}
	over := s.Counts[study.Complete] + s.Counts[study.Pruned] + s.Counts[study.Failed]
	if over > 0 && s.Counts[study.Failed] == over {
		return fmt.Errorf("every trial failed: `sweep show %s 0` says why", word(s.Name))
	}
	if !asJSON && s.Best != nil {
		fmt.Fprintf(a.err, "next: `sweep top %s`, `sweep web`, `sweep export %[1]s -o best/`\n", word(s.Name))
	}
	return nil
}

// beside says how the best trial stands to the baseline of its code's size.
func (a *app) beside(ctx context.Context, db *storage.DB, s study.Summary) error {
	if s.Best == nil {
		return nil
	}
	list, err := db.Baselines(ctx, s.ID)
	if err != nil {
		return err
	}
	if text := baselineOf(s.Spec, *s.Best, list); text != "" {
		fmt.Fprintln(a.out, text)
	}
	return nil
}

// why says on stderr why a sweep ended before its cap.
func (a *app) why(s study.Summary) {
	o := s.Spec.Objective
	switch {
	case s.Wish == study.Stop:
		fmt.Fprintf(a.err, "stopped by a request: every trial is saved at its last epoch; the same command continues\n")
	case o.Target != nil && s.Best != nil && !o.Direction.Better(*o.Target, s.Best.Value):
		fmt.Fprintf(a.err, "the target is reached: %s is to be %s or better\n", o.Name, number(*o.Target))
	}
}

// inline prints the searched parameters on one line.
func inline(space study.Space, p study.Params) string {
	var parts []string
	for _, d := range space.Searched() {
		parts = append(parts, d.Name+" "+study.FormatValue(p[d.Name]))
	}
	return strings.Join(parts, ", ")
}

func (a *app) webVerb() *cobra.Command {
	var addr string
	c := &cobra.Command{
		Use: "web", Short: "The web UI on a database, also beside a running sweep", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := checkAddr(addr); err != nil {
				return err
			}
			db, err := a.open(c.Context())
			if err != nil {
				return err
			}
			defer db.Close()
			srv, err := server.New(a.serving(addr, "--addr ", db))
			if err != nil {
				return err
			}
			fmt.Fprintf(a.err, "web UI: %s (Ctrl-C ends it)\n", srv.URL())
			return srv.Serve(c.Context())
		},
	}
	c.Flags().StringVar(&addr, "addr", server.DefaultAddr, "`address` to listen on")
	return c
}

// serving configures the web server; what goes wrong inside it is told on stderr.
func (a *app) serving(addr, flag string, db *storage.DB) server.Config {
	return server.Config{
		Addr: addr, Flag: flag, Store: db, Now: a.now, Version: version,
		Log: slog.New(slog.NewTextHandler(a.err, &slog.HandlerOptions{Level: slog.LevelWarn})),
	}
}

// checkAddr makes a wrong address a wrong use.
func checkAddr(addr string) error {
	_, port, err := net.SplitHostPort(addr)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		return usagef("%q is no address: give host:port, such as %s", addr, server.DefaultAddr)
	}
	return nil
}
