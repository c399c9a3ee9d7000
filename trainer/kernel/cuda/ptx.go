package cuda

import (
	"embed"
	"fmt"
	"io/fs"
	"strings"

	"github.com/klauspost/compress/zstd"
)

// The files are written by make kernels: one for each .cu file and precision, and SUMS, which says what they were made of.
//
//go:embed ptx
var compiled embed.FS

// Modules are the names of all modules, in order.
func Modules() []string {
	files, err := fs.Glob(compiled, "ptx/*.fp32.ptx.zst")
	if err != nil {
		panic("cuda: bad pattern")
	}
	for i, f := range files {
		files[i] = strings.TrimSuffix(strings.TrimPrefix(f, "ptx/"), ".fp32.ptx.zst")
	}
	return files
}

// PTX is the code of a module, the name of a .cu file without its ending, for a precision: fp32, tf32 or bf16. Drivers since
// CUDA 11 translate it for devices of compute capability 8.0 and above.
func PTX(module, precision string) ([]byte, error) {
	packed, err := compiled.ReadFile("ptx/" + module + "." + precision + ".ptx.zst")
	if err != nil {
		return nil, fmt.Errorf("no GPU code of module %q for precision %q in this program", module, precision)
	}
	z, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1))
	if err != nil {
		return nil, fmt.Errorf("GPU code of module %s: %w", module, err)
	}
	defer z.Close()
	text, err := z.DecodeAll(packed, nil)
	if err != nil {
		return nil, fmt.Errorf("GPU code of module %s: %w", module, err)
	}
	return text, nil
}
