package main

import (
	"bytes"
	"cmp"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
)

// ceilings are what ceilings.py measured: FLOP/s, and bytes/s of a copy.
type ceilings struct {
	Device string  `json:"device"`
	FP32   float64 `json:"fp32"`
	TF32   float64 `json:"tf32"`
	BF16   float64 `json:"bf16"`
	Copy   float64 `json:"copy"`
}

// arithmetic is the ceiling of products in a precision.
func (c ceilings) arithmetic(precision string) float64 {
	return map[string]float64{"fp32": c.FP32, "tf32": c.TF32, "bf16": c.BF16}[precision]
}

func reportVerb(f *flag.FlagSet, args []string, out io.Writer) error {
	dir := f.String("out", outFolder, "folder of what was found")
	archive := archiveFlag(f)
	if err := f.Parse(args); err != nil {
		return err
	}
	files, err := filepath.Glob(filepath.Join(*dir, "results", "*.json"))
	if err != nil {
		return err
	}
	if len(files) == 0 {
		return fmt.Errorf("%s holds no results yet: stages 3 and 4 measure", *dir)
	}
	var c ceilings
	if err := readJSON(filepath.Join(*dir, "ceilings.json"), &c); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	var results []result
	for _, file := range files {
		var r result
		if err := readJSON(file, &r); err != nil {
			return err
		}
		if len(r.Trials) == 0 || r.Seconds <= 0 {
			return fmt.Errorf("%s holds no trials, or no time", file)
		}
		results = append(results, r)
	}
	var text bytes.Buffer
	for _, name := range []string{"A", "B", "sweep"} {
		t := task{}
		if name != "sweep" {
			if err := readJSON(filepath.Join(*dir, "tasks", name+".json"), &t); err != nil {
				return err
			}
		}
		if err := reportTask(&text, name, t, c, results); err != nil {
			return err
		}
	}
	if _, err := out.Write(text.Bytes()); err != nil {
		return err
	}
	return (&bench{out: *dir, archive: *archive}).keep("report.txt", text.Bytes())
}

// reportTask prints all results of a task, the fastest first, and how ours stand to the peers'.
func reportTask(out io.Writer, name string, t task, c ceilings, all []result) error {
	var list []result
	for _, r := range all {
		if r.Task == name {
			list = append(list, r)
		}
	}
	if len(list) == 0 {
		return nil
	}
	slices.SortFunc(list, func(a, b result) int { return cmp.Compare(b.trialsPerHour(), a.trialsPerHour()) })
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(w, "TASK %s\tprecision\ttrials\ttrials/h\timages/s\twall s/trial\t%% of FLOP/s\t%% of bytes/s\tmedian val_mse\tprepared in s\t\n", name)
	for _, r := range list {
		trials, mse := fmt.Sprint(len(r.Trials)), medianScore(r.Trials)
		if r.cut() {
			trials, mse = fmt.Sprintf("%d, %d of %d epochs", len(r.Trials), r.Epochs, r.OfEpochs), "-"
		}
		flop, bytes := "-", "-"
		if ceiling := c.arithmetic(r.Precision); ceiling > 0 && name != "sweep" {
			work, moved := effort(t, r)
			flop = fmt.Sprintf("%.1f", 100*work/r.Seconds/ceiling)
			bytes = fmt.Sprintf("%.1f", 100*moved/r.Seconds/c.Copy)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%.0f\t%.0f\t%.3f\t%s\t%s\t%s\t%.1f\t\n", r.Way, r.Precision, trials, r.trialsPerHour(),
			float64(r.Images)/r.Seconds, r.Seconds/r.whole(), flop, bytes, mse, r.Prepare)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(out, "on %s\n", strings.Join(devicesOf(list), ", "))
	for _, line := range comparison(list) {
		fmt.Fprintln(out, line)
	}
	fmt.Fprintln(out)
	return nil
}

// comparison is what can be said of the results of one GPU, and why nothing can where they are of several or of none. Results
// of no GPU that lie beside others are left over from trying the stages out: they are not compared.
func comparison(list []result) []string {
	measured := slices.DeleteFunc(slices.Clone(list), func(r result) bool { return noGPU(r.Device) })
	if len(measured) == 0 {
		return []string{"That says nothing of a GPU: nothing is compared."}
	}
	var lines []string
	switch n := len(list) - len(measured); {
	case n == 1:
		lines = append(lines, "left out: 1 result of no GPU")
	case n > 1:
		lines = append(lines, fmt.Sprintf("left out: %d results of no GPU", n))
	}
	if len(devicesOf(measured)) > 1 {
		return append(lines, "measured on different devices: nothing is compared; run the stages again on one, with a new folder for -out")
	}
	return append(lines, verdicts(measured)...)
}

// devicesOf are the devices of results, each once.
func devicesOf(list []result) []string {
	var devices []string
	for _, r := range list {
		if !slices.Contains(devices, r.Device) {
			devices = append(devices, r.Device)
		}
	}
	return devices
}

// noGPU tells whether a device is a processor, or the stand-in for a GPU, whose figures show only that the programs run.
func noGPU(name string) bool { return name == "cpu" || strings.HasPrefix(name, "stand-in") }

func ours(r result) bool { return strings.HasPrefix(r.Way, "sweep") }

// medianScore is the median validation error, "-" where none was kept.
func medianScore(s []score) string {
	var v []float64
	for _, x := range s {
		v = append(v, x.ValMSE)
	}
	slices.Sort(v)
	if v[len(v)-1] == 0 {
		return "-"
	}
	return fmt.Sprintf("%.6f", (v[(len(v)-1)/2]+v[len(v)/2])/2)
}

// verdicts compare our best with a process for each trial, and with the best of all peers; and our validation errors with
// those of the peers that trained the same trials.
func verdicts(list []result) []string {
	var best, usual, peer *result
	for i := range list {
		r := &list[i] // the fastest come first
		switch {
		case ours(*r):
			if best == nil {
				best = r
			}
		case r.Way == "a process for each trial":
			usual = r
		case peer == nil:
			peer = r
		}
	}
	var lines []string
	if best == nil {
		return nil
	}
	if usual != nil {
		lines = append(lines, fmt.Sprintf("%s, %s, is %.1f times as fast as a process for each trial, the usual practice (target: 50; of that %d trials were measured)",
			best.Way, best.Precision, best.trialsPerHour()/usual.trialsPerHour(), len(usual.Trials)))
		if training := usual.training(); training > 0 {
			lines = append(lines, fmt.Sprintf("the same without what each process takes to start: %.1f times",
				best.trialsPerHour()/(float64(len(usual.Trials))/training*3600)))
		}
	}
	if peer != nil {
		lines = append(lines, fmt.Sprintf("%s, %s, is %.2f times as fast as the best of the others: %s, %s (target: 2)",
			best.Way, best.Precision, best.trialsPerHour()/peer.trialsPerHour(), peer.Way, peer.Precision))
	}
	for _, precision := range precisions {
		if line, ok := alike(list, precision); ok {
			lines = append(lines, line)
		}
	}
	for i := range list {
		if r := &list[i]; ours(*r) && r.Trials[0].ValMSE > 0 {
			for j := range list {
				if p := &list[j]; !ours(*p) && !p.cut() {
					if line, ok := noise(*r, *p); ok {
						lines = append(lines, line)
					}
				}
			}
		}
	}
	return lines
}

// alike compares our best with the best of the others that compute in the same precision; the fastest come first.
func alike(list []result, precision string) (string, bool) {
	var our, peer *result
	for i := range list {
		r := &list[i]
		switch {
		case r.Precision != precision:
		case ours(*r) && our == nil:
			our = r
		case !ours(*r) && peer == nil:
			peer = r
		}
	}
	if our == nil || peer == nil {
		return "", false
	}
	return fmt.Sprintf("both in %s: %.2f times as fast as %s", precision, our.trialsPerHour()/peer.trialsPerHour(), peer.Way), true
}

// noise compares the validation errors of the trials that both trained: the mean difference over its standard error. All
// random numbers differ between the two, so what is left of the differences between single trials is the seed's.
func noise(a, b result) (string, bool) {
	of := map[int]float64{}
	for _, s := range b.Trials {
		of[s.ID] = s.ValMSE
	}
	var d []float64
	level := 0.0
	for _, s := range a.Trials {
		if v, ok := of[s.ID]; ok {
			d = append(d, s.ValMSE-v)
			level += v
		}
	}
	n := float64(len(d))
	if n < 4 {
		return "", false
	}
	mean, squares := 0.0, 0.0
	for _, x := range d {
		mean += x / n
	}
	for _, x := range d {
		squares += (x - mean) * (x - mean)
	}
	spread := math.Sqrt(squares / (n - 1))
	return fmt.Sprintf("val_mse of %.0f trials, %s (%s) less %s (%s): %+.2f %% of it, %.1f standard errors", n, a.Way, a.Precision, b.Way, b.Precision,
		100*mean*n/level, math.Abs(mean)/(spread/math.Sqrt(n))), true
}
