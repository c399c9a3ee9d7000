package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"sweep/trainer/dataset"
)

func (a *app) dataVerb() *cobra.Command {
	var asJSON bool
	list := func(*cobra.Command, []string) error { return a.listData(asJSON) }
	c := &cobra.Command{Use: "data", Short: "Data sets: where, how many, checksums", Args: cobra.NoArgs, RunE: list}
	all := &cobra.Command{Use: "list", Short: "The data sets and where they lie", Args: usageArgs(cobra.NoArgs), RunE: list}
	for _, v := range []*cobra.Command{c, all} {
		v.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	}
	var side int
	verify := &cobra.Command{
		Use: "verify NAME", Short: "Check the SHA-256 of each file, or read every image of a folder", Args: usageArgs(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error { return a.verifyData(c.Context(), args[0], side) },
	}
	verify.Flags().IntVar(&side, "size", 0, "`side` to which a folder's images are to be cropped and resized, as size in a sweep file")
	c.AddCommand(
		all,
		&cobra.Command{
			Use: "fetch NAME", Short: "Fetch a data set into --data", Args: usageArgs(cobra.ExactArgs(1)),
			Long: `Fetch a data set into --data. Files that are there and right are left alone; a download that was broken off goes on where
it was; nothing is put in place before its checksum is right.`,
			RunE: func(c *cobra.Command, args []string) error { return a.fetch(c.Context(), args[0]) },
		},
		verify,
	)
	return c
}

func (a *app) listData(asJSON bool) error {
	list := dataset.List(a.data)
	if asJSON {
		return printJSON(a.out, list)
	}
	var rows [][]string
	for _, s := range list {
		state, where := "there", s.Where
		switch {
		case s.Problem != "":
			state = "damaged"
		case !s.Present:
			state = "not there"
		case where == "":
			where = "made in memory"
		}
		rows = append(rows, []string{s.Name, state, fmt.Sprint(s.Train), fmt.Sprint(s.Test), where, s.Doc})
		if s.Problem != "" {
			fmt.Fprintf(a.err, "%s: %s\n", s.Name, s.Problem)
		}
	}
	fmt.Fprintf(a.err, "a folder of your own images is a data set too: data: {name: folder:PATH, size: 32}\n")
	table(a.out, []string{"NAME", "STATE", "TRAIN", "TEST", "WHERE", "WHAT"}, map[string]bool{"TRAIN": true, "TEST": true}, rows)
	return nil
}

// verifyData checks every file of a data set.
func (a *app) verifyData(ctx context.Context, name string, side int) error {
	if err := knownData(name); err != nil {
		return err
	}
	for _, s := range dataset.List(a.data) {
		if s.Name == name && !s.Present && s.Problem == "" {
			return fmt.Errorf("%s is not in %s: `sweep data fetch %[1]s` gets it, --data names another folder", name, a.data)
		}
	}
	checks, err := dataset.Verify(ctx, name, a.data, side)
	if err != nil {
		return err
	}
	bad := 0
	for _, c := range checks {
		if c.Err != nil {
			bad++
			fmt.Fprintf(a.out, "BAD  %v\n", c.Err)
			continue
		}
		fmt.Fprintf(a.out, "ok   %s  %s\n", c.SHA256, c.File)
	}
	switch {
	case bad > 0 && dataset.IsFolder(name):
		return fmt.Errorf("%s cannot be used as it is", name)
	case bad > 0:
		return fmt.Errorf("%d of %d files of %s are not right: `sweep data fetch %[3]s` replaces them", bad, len(checks), name)
	}
	return nil
}

// fetch downloads a data set and shows how far it is.
func (a *app) fetch(ctx context.Context, name string) error {
	if err := knownData(name); err != nil {
		return err
	}
	for _, s := range dataset.List(a.data) {
		if s.Name == name && s.Where == "" {
			fmt.Fprintf(a.err, "%s is made in memory: there is nothing to fetch\n", name)
			return nil
		}
	}
	if err := dataset.Fetch(ctx, name, a.data, a.downloading()); err != nil {
		return err
	}
	fmt.Fprintf(a.err, "%s is in %s, every file verified\n", name, a.data)
	return nil
}

// choose takes the first data set of a list that is there or can be fetched.
func (a *app) choose(ctx context.Context, names []string, size int, offline bool) (dataset.Source, string, error) {
	w := dataset.Wanted{Names: names, Dir: a.data, Size: size, Offline: offline}
	return dataset.Choose(ctx, w, func(ctx context.Context, name, dir string) error {
		fmt.Fprintf(a.err, "%s is not in %s: fetching it\n", name, dir)
		return dataset.Fetch(ctx, name, dir, a.downloading())
	})
}

// downloading returns a progress function that says on stderr how far a download is: in place on a terminal, at every
// tenth elsewhere.
func (a *app) downloading() dataset.Progress {
	_, tty := terminal(a.err)
	shown := int64(-1)
	return func(done, total int64) {
		if total <= 0 {
			return
		}
		switch percent := done * 100 / total; {
		case tty && percent != shown:
			fmt.Fprintf(a.err, "\rfetching: %3d%% of %s", percent, size(total))
			if shown = percent; percent == 100 {
				fmt.Fprintln(a.err)
			}
		case !tty && percent/10 != shown:
			shown = percent / 10
			fmt.Fprintf(a.err, "fetching: %d%% of %s\n", shown*10, size(total))
		}
	}
}

// knownData makes a wrong name a wrong use.
func knownData(name string) error {
	var names []string
	for _, d := range dataset.Catalogue() {
		if d.Is(name) {
			return nil
		}
		names = append(names, d.Name)
	}
	return usagef("there is no data set %q: the data sets are %s", name, strings.Join(names, ", "))
}
