// Command ptx compiles the kernels of trainer/kernel/cuda into the PTX that the program holds, and has it assembled.
//
//	go run ./tools/ptx                      # compiles what has changed; -all: everything
//	go run ./tools/ptx -assemble sm_80,sm_90 -ptxas PATH   # no kernel may spill registers but those of spills.txt
//
// The compiler is Debian's clang-16, or $CLANG; it needs nothing of NVIDIA's. ptxas is NVIDIA's, $SWEEP_PTXAS.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "ptx:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	f := flag.NewFlagSet("ptx", flag.ContinueOnError)
	dir := f.String("dir", "trainer/kernel/cuda", "folder of the .cu files")
	all := f.Bool("all", false, "compile also what has not changed")
	clang := f.String("clang", cmpOr(os.Getenv("CLANG"), "clang-16"), "compiler")
	archs := f.String("assemble", "", "assemble for these architectures instead of compiling, such as sm_80,sm_90")
	ptxas := f.String("ptxas", os.Getenv("SWEEP_PTXAS"), "assembler")
	spills := f.String("spills", "tools/ptx/spills.txt", "kernels that may spill registers")
	table := f.Bool("table", false, "of assembling: print registers and shared memory of every kernel")
	if err := f.Parse(args); err != nil {
		return err
	}
	if *archs != "" {
		return assemble(ctx, *dir, strings.Split(*archs, ","), *ptxas, *spills, *table)
	}
	return compile(ctx, *dir, *clang, *all)
}

func cmpOr(a, b string) string {
	if a != "" {
		return a
	}
	return b
}
