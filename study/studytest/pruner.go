package studytest

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"testing"

	"sweep/study"
)

// RunPrunerScript runs a script of reports and checks each verdict. A line is one of
//
//	pruner NAME [min_epochs=N] [reduction=N]   a new pruner and an empty history
//	direction minimize|maximize                what is better from here on (minimize at the start)
//	report TRIAL STEP VALUE -> go|prune        the trial's curve grows by a value; NaN, Inf and -Inf are values
//	finish TRIAL complete|failed               the trial is over
//
// and # starts a comment. A trial that was pruned is over. make turns a spec into the pruner.
func RunPrunerScript(t *testing.T, script io.Reader, make func(study.PrunerSpec) (study.Pruner, error)) {
	t.Helper()
	var (
		p         study.Pruner
		trials    []study.Trial
		direction = study.Minimize
		verdicts  int
	)
	trial := func(word string) (*study.Trial, error) {
		n, err := strconv.Atoi(word)
		if err != nil || n < 0 || n > len(trials) {
			return nil, fmt.Errorf("trial %q is neither known nor the next one, %d", word, len(trials))
		}
		if n == len(trials) {
			trials = append(trials, study.Trial{ID: int64(n + 1), Number: n, State: study.Running, Value: math.NaN()})
		}
		return &trials[n], nil
	}
	do := func(words []string) error {
		switch {
		case words[0] == "pruner" && len(words) > 1:
			spec := study.PrunerSpec{Name: words[1]}
			for _, w := range words[2:] {
				key, value, _ := strings.Cut(w, "=")
				n, err := strconv.Atoi(value)
				switch {
				case err != nil:
					return err
				case key == "min_epochs":
					spec.MinEpochs = n
				case key == "reduction":
					spec.Reduction = n
				default:
					return fmt.Errorf("setting %q is unknown", key)
				}
			}
			var err error
			p, err = make(spec)
			trials, direction = nil, study.Minimize
			return err
		case words[0] == "direction" && len(words) == 2:
			direction = study.Direction(words[1])
			return nil
		case words[0] == "finish" && len(words) == 3:
			one, err := trial(words[1])
			if err != nil {
				return err
			}
			one.State = study.State(words[2])
			return nil
		case words[0] == "report" && len(words) == 6 && words[4] == "->":
			one, err := trial(words[1])
			if err != nil {
				return err
			}
			if one.State != study.Running {
				return fmt.Errorf("trial %s is over", words[1])
			}
			step, err := strconv.Atoi(words[2])
			if err != nil {
				return err
			}
			value, err := strconv.ParseFloat(words[3], 64)
			if err != nil {
				return err
			}
			one.Curve = append(one.Curve, study.Sample{Step: step, Value: value})
			before := FormatTrials(trials)
			stop := p != nil && p.Prune(direction, *one, trials)
			if again := p != nil && p.Prune(direction, *one, trials); again != stop {
				return fmt.Errorf("the same question has the answers %v and %v", stop, again)
			}
			if FormatTrials(trials) != before {
				return fmt.Errorf("the pruner changed the trials it was shown")
			}
			got := map[bool]string{true: "prune", false: "go"}[stop]
			if stop {
				one.State, one.Value = study.Pruned, value
			}
			verdicts++
			if got != words[5] {
				return fmt.Errorf("got %s", got)
			}
			return nil
		}
		return fmt.Errorf("no such command")
	}
	lines := bufio.NewScanner(script)
	for n := 1; lines.Scan(); n++ {
		line, _, _ := strings.Cut(lines.Text(), "#")
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		if err := do(words); err != nil {
			t.Errorf("line %d: %s: %v", n, strings.TrimSpace(line), err)
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	if verdicts == 0 {
		t.Error("the script asks for no verdict")
	}
}

// TestPruner checks what package study states of any [study.Pruner]: no curve, a curve of NaN and a long history are
// answered, the same question has the same answer, whatever the order of the trials, and nothing is changed.
func TestPruner(t *testing.T, p study.Pruner) {
	a := History(300, 3)
	reversed := make([]study.Trial, len(a.Trials))
	for i := range a.Trials {
		reversed[len(reversed)-1-i] = a.Trials[i]
	}
	before := FormatTrials(a.Trials)
	pruned := 0
	for _, d := range []study.Direction{study.Minimize, study.Maximize} {
		for i, one := range a.Trials {
			for n := 0; n <= len(one.Curve); n++ {
				cut := one
				cut.Curve, cut.State = one.Curve[:n:n], study.Running
				first := p.Prune(d, cut, a.Trials)
				if first != p.Prune(d, cut, a.Trials) || first != p.Prune(d, cut, reversed) {
					t.Fatalf("trial %d at step %d: the answer changes", i, n)
				}
				if first {
					pruned++
				}
				if n == 0 && first {
					t.Fatalf("trial %d was pruned before its first report", i)
				}
			}
		}
		alone := study.Trial{Number: 0, State: study.Running, Curve: []study.Sample{{Step: 1, Value: 1}}}
		if p.Prune(d, alone, []study.Trial{alone}) {
			t.Error("a trial alone was pruned")
		}
		alone.Curve[0].Value = math.NaN()
		p.Prune(d, alone, nil)
	}
	if pruned == 0 {
		t.Error("nothing was ever pruned")
	}
	if FormatTrials(a.Trials) != before {
		t.Error("the pruner changed the trials it was shown")
	}
}
