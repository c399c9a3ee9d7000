package server_test

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/chromedp/chromedp"

	"sweep/cmd/web/server"
	"sweep/study"
)

const unmeasured = "GPU path: not yet measured on hardware"

// twoGPUs train the first study beside a core; the second is part of a GPU, of which little is known.
func twoGPUs(studyID int64) []server.Device {
	if studyID != 1 {
		return nil
	}
	nan := math.NaN()
	return []server.Device{
		{ID: "cuda:0", Kind: "NVIDIA H100 80GB HBM3, tf32", Busy: 7, Slots: 8, Rate: 41210.4, Utilisation: 97, Used: 41.2e9, Memory: 85e9, Power: 312.4, Temperature: 58},
		{ID: "cuda:MIG-5c9d2f8a-1", Kind: "NVIDIA H100 80GB HBM3 MIG 1g.10gb, tf32", Busy: 1, Slots: 2, Rate: nan, Utilisation: nan, Used: 2e9, Memory: nan, Power: nan, Temperature: nan},
		core(1),
	}
}

func core(busy int) server.Device {
	nan := math.NaN()
	return server.Device{ID: "cpu:0", Kind: "AVX2", Busy: busy, Slots: 1, Rate: 812, Utilisation: nan, Used: nan, Memory: nan, Power: nan, Temperature: nan}
}

// The study's page shows what trains it in this process, and nothing else does.
func TestDevices(t *testing.T) {
	f := fixture(t)
	const elsewhere = "Another process trains this study"
	cores := func(int64) []server.Device { return []server.Device{core(0)} }
	for _, tt := range []struct {
		name, path string
		source     func(int64) []server.Device
		want, not  []string
	}{
		{"another process", "/studies/lr", nil, []string{elsewhere, "sweep run --web", "sweep devices"}, []string{`id="devices" hidden`, "Images/s"}},
		{"no process", "/studies/new", nil, []string{`id="devices" hidden`}, []string{elsewhere}},
		{"GPUs", "/studies/lr", twoGPUs, []string{
			unmeasured, `<th scope="row">cuda:0 <span class="muted">NVIDIA H100 80GB HBM3, tf32</span></th><td class="num">7 of 8</td>`,
			"41\u202f210", ">97 %<", "41.2 GB of 85.0 GB", ">312 W<", ">58 °C<", "cuda:MIG-5c9d2f8a-1", ">2.0 GB<", ">1 of 2<", ">AVX2<", ">812<",
		}, []string{"NaN", `id="devices" hidden`}},
		{"another study", "/studies/new", twoGPUs, []string{`id="devices" hidden`}, []string{unmeasured, "cuda:0", elsewhere}},
		{"cores", "/studies/lr", cores, []string{">0 of 1<"}, []string{unmeasured, "Temperature", `id="devices" hidden`}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			status, html := get(t, newServer(t, server.Config{Store: f, Devices: tt.source}), tt.path)
			if status != 200 {
				t.Errorf("status %d", status)
			}
			for _, want := range tt.want {
				if !strings.Contains(html, want) {
					t.Errorf("the page lacks %q", want)
				}
			}
			for _, not := range tt.not {
				if strings.Contains(html, not) {
					t.Errorf("the page has %q", not)
				}
			}
		})
	}
	f.mu.Lock()
	f.studies[0].Live, f.studies[0].Counts = false, map[study.State]int{study.Complete: 400}
	f.mu.Unlock()
	for _, source := range []func(int64) []server.Device{twoGPUs, nil} {
		if _, html := get(t, newServer(t, server.Config{Store: f, Devices: source}), "/studies/lr"); !strings.Contains(html, `id="devices" hidden`) {
			t.Error("a finished study shows devices")
		}
	}
}

// The page of a trial says it beside each attempt on a GPU, and beside no other.
func TestDevicesOfAttempts(t *testing.T) {
	f := fixture(t)
	f.change(1, f.studies[0].Best.Number, func(d *study.Detail) {
		d.List = []study.Attempt{
			{Ordinal: 1, State: "lost", Device: "cpu:0", Kind: "AVX2", Start: now},
			{Ordinal: 2, State: "lost", Device: "cuda:1", Kind: "NVIDIA H100 80GB HBM3, fp32", Start: now},
			{Ordinal: 3, State: "complete", Device: "cuda:MIG-5c9d2f8a-1", Start: now},
		}
	})
	_, html := get(t, newServer(t, server.Config{Store: f}), fmt.Sprintf("/studies/lr/trials/%d", f.studies[0].Best.Number))
	for i, row := range strings.Split(html, "</tr>") {
		if gpu := strings.Contains(row, "cuda:"); gpu != strings.Contains(row, unmeasured) {
			t.Errorf("row %d, on a GPU: %v: %s", i, gpu, row)
		}
	}
	if n := strings.Count(html, unmeasured); n != 2 {
		t.Errorf("it is said %d times, want 2", n)
	}
}

// A device that does something else is news though no trial is; when the devices are let go, the panel goes.
func TestDevicesLive(t *testing.T) {
	f := fixture(t)
	var busy atomic.Int64
	s := serve(t, server.Config{Store: f, Devices: func(int64) []server.Device {
		if n := int(busy.Load()); n >= 0 {
			return []server.Device{core(n)}
		}
		return nil
	}})
	events := follow(t, t.Context(), strings.TrimSuffix(s.URL(), "/")+"/studies/lr/live?trials=0")
	await := func(want string) {
		t.Helper()
		for {
			if e := wait(t, events, "part"); strings.Contains(e.data, `id="devices"`) {
				if !strings.Contains(e.data, want) {
					t.Fatalf("the panel lacks %q: %s", want, e.data)
				}
				return
			}
		}
	}
	await(">0 of 1<")
	busy.Store(1)
	await(">1 of 1<")
	busy.Store(-1)
	await("hidden")
}

// On a phone the panel scrolls by itself, and who has scrolled it or stands in it stays there while it lives.
func TestDevicesInBrowser(t *testing.T) {
	ctx := browser(t)
	log := listen(t, ctx)
	var watts atomic.Int64
	base := strings.TrimSuffix(serve(t, server.Config{Store: fixture(t), Devices: func(id int64) []server.Device {
		list := twoGPUs(id)
		for i := range list {
			list[i].Power += float64(watts.Load())
		}
		return list
	}}).URL(), "/")
	dir := shots(t)
	for _, theme := range []string{"light", "dark"} {
		if err := chromedp.Do(ctx, appearance(theme), chromedp.EmulateViewport(390, 844), chromedp.Navigate(base+"/studies/lr"), chromedp.WaitReady("main")); err != nil {
			t.Fatal(err)
		}
		until(t, ctx, "document.querySelector('#connection')?.dataset.state === 'live'")
		if n := eval[int](t, ctx, "document.documentElement.scrollWidth - innerWidth"); n > 0 {
			t.Errorf("the page is %d px wider than the window", n)
		}
		image, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "devices-narrow-"+theme+".png"), image, 0o644); err != nil {
			t.Fatal(err)
		}
		const table = "document.querySelector('#devices .table')"
		eval[any](t, ctx, table+".focus(), "+table+".scrollTo(60, 0)")
		watts.Add(100)
		until(t, ctx, fmt.Sprintf("%s.textContent.includes('%d W')", table, 312+watts.Load()))
		if got := eval[string](t, ctx, fmt.Sprintf("%s.scrollLeft + ' ' + (document.activeElement === %[1]s)", table)); got != "60 true" {
			t.Errorf("scrolled by, stands in it: %s, want 60 true", got)
		}
	}
	for _, line := range log.take() {
		t.Errorf("console: %s", line)
	}
}
