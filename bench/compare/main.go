// Command compare prints the tables of bench/README.md: the trainer beside other programs that train the same network,
// and beside the machine's own limit, all in one run. Run it alone: another process shares the caches and the clock.
//
//	go run ./bench/compare -peers DIR       # DIR made by bench/peers.sh
//	go run ./bench/compare -only reference,profile -rounds 3
//
// The programs of a table are started once and take turns, each round beginning with the next one, so that all of them
// see the same minutes; each is held to one core, always the same. Numbers are medians over the rounds with their range;
// ratios are medians of the ratios within a round.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "compare:", err)
		os.Exit(1)
	}
}

// bench is what the parts share.
type bench struct {
	rounds  int
	seconds float64
	ours    string   // the program reference
	profile string   // the program profile
	torch   string   // an interpreter with the older PyTorch, "" for none
	peers   string   // folder of the environments of bench/peers.sh
	pin     []string // what holds a program to one core
	modes   map[string]string
}

// parts in the order of their tables.
var parts = []string{"reference", "variations", "scaling", "memory", "profile"}

func run() error {
	b := bench{modes: map[string]string{}}
	flag.IntVar(&b.rounds, "rounds", 7, "rounds of the reference network; other tables take fewer")
	flag.Float64Var(&b.seconds, "seconds", 3, "seconds of a turn")
	flag.StringVar(&b.torch, "torch", os.Getenv("SWEEP_TORCH"), "interpreter with the PyTorch of the variations; none given: /usr/bin/python3")
	flag.StringVar(&b.peers, "peers", os.Getenv("SWEEP_PEERS"), "folder with the environments torch, tf and jax")
	only := flag.String("only", strings.Join(parts, ","), "which tables, by comma")
	flag.Parse()
	if b.rounds < 1 || b.seconds <= 0 {
		return errors.New("-rounds and -seconds must be above 0")
	}
	wanted := strings.Split(*only, ",")
	for _, w := range wanted {
		if !slices.Contains(parts, w) {
			return fmt.Errorf("there is no table %q: use some of %s", w, strings.Join(parts, ", "))
		}
	}
	if b.torch == "" {
		b.torch = "/usr/bin/python3"
	}
	temp, err := os.MkdirTemp("", "sweep-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp) //nolint:errcheck // a temporary folder
	b.ours, b.profile = filepath.Join(temp, "reference"), filepath.Join(temp, "profile")
	for _, program := range []string{b.ours, b.profile} {
		build := exec.Command("go", "build", "-o", program, "./bench/"+filepath.Base(program))
		build.Stderr = os.Stderr
		if err := build.Run(); err != nil {
			return fmt.Errorf("build %s, from the top of the repository: %w", filepath.Base(program), err)
		}
	}
	if tool, err := exec.LookPath("taskset"); err == nil { // the last core: interrupts mostly go to the first
		b.pin = []string{tool, "-c", fmt.Sprint(runtime.NumCPU() - 1)}
	} else {
		fmt.Println("There is no taskset here, so no program is held to one core.")
	}
	begin := time.Now()
	fmt.Printf("%s, %s, %s\n", processor(), runtime.Version(), begin.Format(time.DateOnly))
	for _, p := range parts {
		if !slices.Contains(wanted, p) {
			continue
		}
		f := map[string]func() error{
			"reference": b.reference, "variations": b.variations, "scaling": b.scaling, "memory": b.memory, "profile": b.steps,
		}[p]
		if err := f(); err != nil {
			return fmt.Errorf("%s: %w", p, err)
		}
	}
	fmt.Printf("\nAll of this took %.0f s.\n", time.Since(begin).Seconds())
	return nil
}

// processor is its name and how many of its cores are ours.
func processor() string {
	name := runtime.GOARCH
	b, _ := os.ReadFile("/proc/cpuinfo") // Linux alone has it
	for line := range strings.Lines(string(b)) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == "model name" {
			name = strings.TrimSpace(value)
			break
		}
	}
	return fmt.Sprintf("%s, %d cores", name, runtime.NumCPU())
}
