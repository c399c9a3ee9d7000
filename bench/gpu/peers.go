package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"time"
)

// peer is one way to run one of the scripts in bench/gpu/peers.
type peer struct {
	script string
	args   string
	tasks  string // "AB", or "B" where trials must agree in their shapes
	limit  int    // trials at most
	needs  time.Duration
}

// peers in the order of what they tell: each of the ways (a) a process for each trial, (b) many processes, (c) captured
// steps, (d) stacks, first as it is most likely fastest.
var peers = []peer{
	{"processes.py", "--at-once 1 --precision tf32", "B", 4, 40 * time.Second},
	{"graphs.py", "--precision tf32", "B", 64, 20 * time.Second},
	{"fused.py", "--way grouped --precision tf32", "B", 64, 30 * time.Second},
	{"processes.py", "--at-once 16 --mps --precision tf32", "B", 48, 40 * time.Second},
	{"processes.py", "--at-once 1 --precision tf32", "A", 4, 40 * time.Second},
	{"graphs.py", "--precision tf32", "A", 64, 30 * time.Second},
	{"processes.py", "--at-once 16 --mps --precision tf32", "A", 48, 40 * time.Second},
	{"graphs.py", "--precision bf16", "AB", 64, 30 * time.Second},
	{"graphs.py", "--streams 16 --precision tf32", "AB", 64, 30 * time.Second},
	{"fused.py", "--way grouped --inductor --precision tf32", "B", 64, 60 * time.Second},
	{"fused.py", "--way grouped --precision bf16", "B", 64, 30 * time.Second},
	{"fused.py", "--way vmap --precision tf32", "B", 64, 20 * time.Second},
	{"processes.py", "--at-once 16 --precision tf32", "AB", 32, 40 * time.Second},
	{"processes.py", "--at-once 8 --mps --precision tf32", "AB", 24, 40 * time.Second},
	{"processes.py", "--at-once 8 --precision tf32", "AB", 24, 40 * time.Second},
	{"graphs.py", "--inductor --precision tf32", "B", 64, 40 * time.Second},
	{"graphs.py", "--reduce-overhead --precision tf32", "B", 16, 60 * time.Second},
}

// peerTime is after how long a peer begins no further trial; its figure is that of those it has trained. A process for each
// trial has thrice that.
const peerTime = 20 * time.Second

// peerItems are those of stage 4.
func (b *bench) peerItems() []item {
	items := []item{{name: "ceilings", least: 20 * time.Second, most: time.Minute, run: b.ceilings}}
	for _, p := range peers {
		for _, task := range strings.Split(p.tasks, "") {
			name := strings.Join([]string{strings.TrimSuffix(p.script, ".py"), strings.ReplaceAll(p.args, "--", ""), task}, " ")
			items = append(items, item{name: name, least: p.needs, most: 100 * time.Second, run: func(ctx context.Context) (string, error) {
				return b.peer(ctx, name, task, p)
			}})
		}
	}
	return items
}

// where is the peers' device.
func (b *bench) where() string {
	if b.tiny {
		return "cpu"
	}
	return "cuda"
}

func (b *bench) peer(ctx context.Context, name, task string, p peer) (string, error) {
	seconds := peerTime
	if strings.HasPrefix(p.args, "--at-once 1 ") {
		seconds *= 3
	}
	args := append(strings.Fields(p.args), "--task", filepath.Join(b.tasks(), task+".json"), "--images", b.images(), "--device", b.where(),
		"--limit", fmt.Sprint(p.limit), "--seconds", fmt.Sprintf("%.0f", seconds.Seconds()), "--out", b.resultFile(name))
	return b.script(ctx, name, p.script, args)
}

func (b *bench) ceilings(ctx context.Context) (string, error) {
	args := []string{"--device", b.where(), "--out", filepath.Join(b.out, "ceilings.json")}
	if b.tiny {
		args = append(args, "--side", "128", "--bytes", "65536", "--rounds", "2")
	}
	return b.script(ctx, "ceilings", "ceilings.py", args)
}

// script runs a script of the peers and returns the last line that it prints. One that says why it cannot run here is left out.
func (b *bench) script(ctx context.Context, name, script string, args []string) (string, error) {
	python, err := b.python(ctx)
	if err != nil {
		return "", err
	}
	env := []string{"TORCHINDUCTOR_CACHE_DIR=" + filepath.Join(b.out, "inductor"), "PYTHONDONTWRITEBYTECODE=1"}
	text, err := b.command(ctx, name, b.out, env, python, append([]string{b.path("bench", "gpu", "peers", script)}, args...)...)
	for _, why := range []string{"cannot be started", "needs PyTorch 2", "Failed to find C compiler", "Cannot find a working triton"} {
		if err != nil && strings.Contains(text, why) {
			return "", fmt.Errorf("%w: %s", errLeftOut, lastLines(text, 1))
		}
	}
	if err != nil {
		return "", err
	}
	return lastLines(text, 1), nil
}
