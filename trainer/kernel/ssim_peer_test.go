package kernel_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"io"
	"math"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"sweep/study/studytest"
	"sweep/trainer/kernel"
)

// ssimPeerTolerance is what the published comparisons of SSIM agree to; scikit-image computes in float64, the fast kernels
// in float32.
const ssimPeerTolerance = 1e-5

// TestSSIMEqualsPeer compares SSIM with scikit-image's structural_similarity, image by image.
func TestSSIMEqualsPeer(t *testing.T) {
	python := studytest.Interpreter(t, "SWEEP_PYTHON", "scikit-image", "SSIM is not compared with its")
	sizes := [][3]int{{32, 32, 3}, {11, 11, 1}, {40, 17, 3}, {28, 28, 1}}
	var input bytes.Buffer
	var preds, targets []kernel.Map
	for _, s := range sizes {
		p, q := ssimPairs(s[0], s[1], s[2])
		if err := json.NewEncoder(&input).Encode(map[string]int{"H": s[0], "W": s[1], "C": s[2], "N": len(p)}); err != nil {
			t.Fatal(err)
		}
		for i := range p {
			for _, m := range []kernel.Map{p[i], q[i]} {
				if err := binary.Write(&input, binary.LittleEndian, m.Pixels(nil)); err != nil {
					t.Fatal(err)
				}
			}
		}
		preds, targets = append(preds, p...), append(targets, q...)
	}
	want := peerSSIM(t, python, &input)
	if len(want) != len(preds) {
		t.Fatalf("scikit-image gave %d numbers for %d pairs", len(want), len(preds))
	}
	if low, high := slices.Min(want), slices.Max(want); low > 0 || high < 0.99 {
		t.Errorf("the pairs lie between %g and %g only, which tests little", low, high)
	}
	each(t, func(t *testing.T, k kernel.Kernels) {
		var ws kernel.Workspace
		for i, p := range preds {
			l := kernel.Loss{Kind: kernel.MSESSIM, SSIMWeight: 0.5, Output: kernel.Sigmoid, H: p.H, W: p.W}
			if got := k.Evaluate(&ws, p, targets[i], l).SSIM; !(math.Abs(got-want[i]) <= ssimPeerTolerance) {
				t.Errorf("pair %d, %dx%dx%d: SSIM is %.8f, scikit-image's %.8f", i, p.H, p.W, p.C, got, want[i])
			}
		}
	})
}

// peerSSIM runs ssim_check.py.
func peerSSIM(t *testing.T, python string, input io.Reader) []float64 {
	t.Helper()
	command := exec.CommandContext(t.Context(), python, filepath.Join("testdata", "ssim_check.py"))
	var said bytes.Buffer
	command.Stdin, command.Stderr = input, &said
	out, err := command.Output()
	if err != nil {
		t.Fatalf("scikit-image: %v\n%s", err, said.Bytes())
	}
	var numbers []float64
	for _, word := range strings.Fields(string(out)) {
		v, err := strconv.ParseFloat(word, 64)
		if err != nil {
			t.Fatal(err)
		}
		numbers = append(numbers, v)
	}
	return numbers
}

// ssimPairs are a prediction and its target each, from near to opposite.
func ssimPairs(h, w, c int) (preds, targets []kernel.Map) {
	r := random(9)
	for _, noise := range []float64{0, 0.02, 0.1, 0.3, 1} {
		for _, flat := range []bool{false, true} {
			p, q := kernel.NewMap(1, h, w, c, 0), kernel.NewMap(1, h, w, c, 0)
			for y := range h {
				for x := range w {
					for ch := range c {
						v := 0.5 + 0.3*math.Sin(float64(x)/3+float64(ch))*math.Cos(float64(y)/5) + 0.05*r.NormFloat64()
						if flat {
							v = 0.4 // no variance at all in one of the two: where the formula's constants decide
						}
						i := q.At(0, y, x, ch)
						q.Data[i] = float32(math.Min(math.Max(v, 0), 1))
						p.Data[i] = float32(math.Min(math.Max(float64(q.Data[i])+noise*r.NormFloat64(), 0), 1))
					}
				}
			}
			preds, targets = append(preds, p), append(targets, q)
		}
	}
	negative := kernel.NewMap(1, h, w, c, 0)
	for i, v := range targets[0].Data {
		negative.Data[i] = 1 - v
	}
	return append(preds, negative), append(targets, targets[0])
}
