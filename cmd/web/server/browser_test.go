package server_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"sweep/cmd/web/server"
	"sweep/study"
	"sweep/study/studytest"
)

// chromium finds the browser: $CHROMIUM, else by name. Without one the test is left out, see [studytest.LeaveOut].
func chromium(t *testing.T) string {
	t.Helper()
	if path := os.Getenv("CHROMIUM"); path != "" {
		return path
	}
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	studytest.LeaveOut(t, "no Chromium found: the pages are not loaded in a browser (install chromium, or name it in $CHROMIUM)")
	return ""
}

// browser starts a headless Chromium that lives as long as the test.
func browser(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := chromedp.NewContext(t.Context(), chromedp.WithAllocatorOptions(
		chromedp.ExecPath(chromium(t)), chromedp.NoSandbox, chromedp.Headless, chromedp.WindowSize(1440, 900),
		chromedp.Flag("disable-dev-shm-usage", true), chromedp.Flag("hide-scrollbars", true),
	))
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx, chromedp.Navigate("about:blank")); err != nil {
		t.Fatalf("start Chromium: %v", err)
	}
	return ctx
}

// console collects every message of the page: errors, warnings and violations of the policy.
type console struct {
	mu    sync.Mutex
	lines []string
}

func (c *console) take() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := c.lines
	c.lines = nil
	return out
}

func listen(t *testing.T, ctx context.Context) *console {
	t.Helper()
	c := &console{}
	var wg sync.WaitGroup
	listening, cancel := context.WithCancel(ctx)
	t.Cleanup(func() { cancel(); wg.Wait() })
	wg.Go(func() {
		for m := range chromedp.Console(listening) {
			c.mu.Lock()
			c.lines = append(c.lines, m.String())
			c.mu.Unlock()
		}
	})
	return c
}

// serve starts a real server over store on a free port.
func serve(t *testing.T, cfg server.Config) *server.Server {
	t.Helper()
	if cfg.Addr == "" {
		cfg.Addr = "127.0.0.1:0"
	}
	cfg.Now = func() time.Time { return now }
	cfg.Tick = 50 * time.Millisecond
	cfg.Version = "test"
	s, err := server.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := s.Serve(ctx); err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	t.Cleanup(func() { cancel(); wg.Wait() })
	return s
}

// shots is where screenshots go: $SWEEP_SCREENSHOTS, else away with the test.
func shots(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("SWEEP_SCREENSHOTS")
	if dir == "" {
		return t.TempDir()
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

func appearance(theme string) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: theme}, {Name: "prefers-reduced-motion", Value: "reduce"}},
		})
		return err
	})
}

func fixture(t *testing.T) *fake {
	t.Helper()
	f := newFake()
	lr := f.addStudy("lr", 212, true)
	f.addStudy("a study with a very long name, written by someone who wanted to remember everything about it", 40, false)
	f.addStudy("new", 0, false)
	best := lr.Best.Number
	dir := filepath.Join(t.TempDir(), "best")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"model.onnx", "encoder.onnx", "model.safetensors", "metrics.json", "README.md", "MANIFEST.json", "secret.txt"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("content of "+name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	f.exports[lr.ID] = []study.Export{
		{Number: best, Digest: strings.Repeat("ab", 32), Path: dir, Metrics: map[string]float64{"test_mse": 0.01412, "test_psnr": 18.5}, Time: now.Add(-20 * time.Minute)},
		{Number: best, Digest: strings.Repeat("cd", 32), Path: filepath.Join(dir, "gone"), Time: now.Add(-30 * time.Hour)},
	}
	f.addBaselines(lr.ID)
	f.event(lr.ID, 0, "proposed")
	return f
}

// find returns the first trial of the study in this state.
func (f *fake) find(studyID int64, state study.State) int {
	for _, d := range f.trials[studyID] {
		if d.State == state {
			return d.Number
		}
	}
	return -1
}

func TestPagesInBrowser(t *testing.T) {
	ctx := browser(t)
	log := listen(t, ctx)
	f := fixture(t)
	base := strings.TrimSuffix(serve(t, server.Config{Store: f}).URL(), "/")
	training := strings.TrimSuffix(serve(t, server.Config{Store: f, Devices: twoGPUs}).URL(), "/")
	empty := strings.TrimSuffix(serve(t, server.Config{Store: newFake()}).URL(), "/")
	dir := shots(t)
	best := f.studies[0].Best.Number
	pages := []struct {
		name, url string
		status    string // the console names the status of a failed document
	}{
		{"empty", empty + "/", ""},
		{"studies", base + "/", ""},
		{"leaderboard", base + "/studies/lr", ""},
		{"leaderboard-devices", training + "/studies/lr", ""},
		{"leaderboard-filtered", base + "/studies/lr?sort=param:lr&desc=1&state=running", ""},
		{"leaderboard-no-trial", base + "/studies/new", ""},
		{"leaderboard-no-match", base + "/studies/new?state=failed", ""},
		{"trial", fmt.Sprintf("%s/studies/lr/trials/%d", base, best), ""},
		{"trial-log", fmt.Sprintf("%s/studies/lr/trials/%d?scale=log", base, best), ""},
		{"trial-failed", fmt.Sprintf("%s/studies/lr/trials/%d", base, f.find(1, study.Failed)), ""},
		{"trial-pruned", fmt.Sprintf("%s/studies/lr/trials/%d", base, f.find(1, study.Pruned)), ""},
		{"trial-running", fmt.Sprintf("%s/studies/lr/trials/%d", base, f.find(1, study.Running)), ""},
		{"trial-waiting", fmt.Sprintf("%s/studies/lr/trials/%d", base, f.find(1, study.Waiting)), ""},
		{"compare", fmt.Sprintf("%s/studies/lr/compare?trials=%d,0,5,10", base, best), ""},
		{"compare-all", base + "/studies/lr/compare?trials=0,1,2,3,4,5,6,7&show=all&scale=log", ""},
		{"plot", base + "/studies/lr/plot", ""},
		{"plot-batch", base + "/studies/lr/plot?x=batch&color=patience&yscale=linear", ""},
		{"plot-plain", base + "/studies/lr/plot?x=lr&color=none", ""},
		{"plot-nothing", base + "/studies/new/plot", ""},
		{"leaderboard-end", base + "/studies/lr?sort=value&desc=1", ""},
		{"config", base + "/studies/lr/config", ""},
		{"stop", base + "/studies/lr/stop", ""},
		{"not-found", base + "/studies/rl", "404"},
		{"no-trial", base + "/studies/lr/trials/999", "404"},
	}
	for _, theme := range []string{"light", "dark"} {
		for _, size := range []struct {
			name          string
			width, height int64
		}{{"", 1440, 900}, {"-narrow", 390, 844}} {
			if size.name != "" && theme == "dark" {
				continue // the layout does not depend on the colours
			}
			if err := chromedp.Do(ctx, appearance(theme), chromedp.EmulateViewport(size.width, size.height)); err != nil {
				t.Fatal(err)
			}
			for _, page := range pages {
				name := page.name + "-" + theme + size.name
				t.Run(name, func(t *testing.T) {
					if err := chromedp.Do(ctx, chromedp.Navigate(page.url), chromedp.WaitReady("main")); err != nil {
						t.Fatal(err)
					}
					overflow, err := chromedp.Run(ctx, chromedp.Evaluate[int]("document.documentElement.scrollWidth - innerWidth"))
					if err != nil {
						t.Fatal(err)
					}
					if overflow > 0 {
						t.Errorf("the page is %d px wider than the window", overflow)
					}
					for _, line := range log.take() {
						if page.status != "" && strings.Contains(line, "status of "+page.status) {
							continue // Chromium's own note on the answer asked for
						}
						t.Errorf("console: %s", line)
					}
					// Whole pages cost most of the time, so they are only taken where somebody will look at them.
					take := chromedp.CaptureScreenshot()
					if os.Getenv("SWEEP_SCREENSHOTS") != "" {
						take = chromedp.FullScreenshot(100)
					} else if size.name != "" {
						return
					}
					image, err := chromedp.Run(ctx, take)
					if err != nil {
						t.Fatal(err)
					}
					if err := os.WriteFile(filepath.Join(dir, name+".png"), image, 0o644); err != nil {
						t.Fatal(err)
					}
				})
			}
		}
	}
}

// eval runs a script in the page and returns its result.
func eval[T any](t *testing.T, ctx context.Context, script string) T {
	t.Helper()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](script))
	if err != nil {
		t.Fatalf("%s: %v", script, err)
	}
	return v
}

// until waits for a condition of the page to hold. An evaluation that a navigation cut short is asked again.
func until(t *testing.T, ctx context.Context, condition string) {
	t.Helper()
	late := time.Now().Add(10 * time.Second)
	for {
		ok, err := chromedp.Run(ctx, chromedp.Evaluate[bool]("Boolean("+condition+")"))
		if err == nil && ok {
			return
		}
		if time.Now().After(late) {
			t.Fatalf("in vain waited for %s (last error: %v)", condition, err)
		}
		time.Sleep(30 * time.Millisecond)
	}
}

// What a reader does: look on while trials train, tick and compare, stop, change the theme, slide through epochs.
func TestReaderInBrowser(t *testing.T) {
	ctx := browser(t)
	log := listen(t, ctx)
	f := fixture(t)
	base := strings.TrimSuffix(serve(t, server.Config{Store: f}).URL(), "/")
	dir := shots(t)
	visit := func(path string) {
		t.Helper()
		if err := chromedp.Do(ctx, chromedp.Navigate(base+path), chromedp.WaitReady("main")); err != nil {
			t.Fatal(err)
		}
	}
	shoot := func(name string) {
		t.Helper()
		image, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name+".png"), image, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := chromedp.Do(ctx, appearance("light"), chromedp.EmulateViewport(1440, 900)); err != nil {
		t.Fatal(err)
	}
	running, complete := f.find(1, study.Running), f.studies[0].Counts[study.Complete]
	row := fmt.Sprintf("document.querySelector('#trial-%d')", running)

	visit("/studies/lr?state=running")
	until(t, ctx, "document.querySelector('#connection')?.dataset.state === 'live'")
	order := eval[string](t, ctx, "[...document.querySelectorAll('tbody tr')].map(r => r.id).join()")
	eval[any](t, ctx, row+".querySelector('input').click()")
	eval[any](t, ctx, row+".querySelector('input').focus()")
	f.change(1, running, func(d *study.Detail) {
		d.State, d.Value, d.End = study.Complete, 0.0101, now
		d.Curve = append(d.Curve[:len(d.Curve):len(d.Curve)], study.Sample{Step: 30, Value: 0.0101})
	})
	f.event(1, running, "finished")
	until(t, ctx, row+".textContent.includes('0.01010')")
	if got := eval[string](t, ctx, "[...document.querySelectorAll('tbody tr')].map(r => r.id).join()"); got != order {
		t.Errorf("the rows moved under the reader: %s, before %s", got, order)
	}
	if !eval[bool](t, ctx, row+".querySelector('input').checked && document.activeElement === "+row+".querySelector('input')") {
		t.Error("the tick or the focus was lost with the live update")
	}
	until(t, ctx, fmt.Sprintf("document.querySelector('#chips').textContent.includes('complete%d')", complete+1))
	f.event(1, 212, "proposed")
	until(t, ctx, "document.querySelector('#news').textContent === '1 new trial · refresh' && !document.querySelector('#news').hidden")

	if !eval[bool](t, ctx, "document.querySelector('#compare-bar button[type=submit]').disabled") {
		t.Error("one trial alone can be compared")
	}
	visit("/studies/lr")
	for _, key := range []string{"j", "j", "x"} {
		if err := chromedp.Do(ctx, chromedp.KeyEvent(key)); err != nil {
			t.Fatal(err)
		}
	}
	if got := eval[string](t, ctx, "[...document.querySelectorAll('tbody tr[data-state]')].findIndex(r => r.classList.contains('ticked') && r.contains(document.activeElement)) + ''"); got != "1" {
		t.Errorf("j, j and x ticked row %s", got)
	}
	shoot("ticked")
	eval[any](t, ctx, "document.querySelector('#compare-bar button[type=submit]').click()")
	until(t, ctx, fmt.Sprintf("location.search === '?trials=%d,2' || location.search.startsWith('?trials=%d,')", running, running))
	until(t, ctx, "document.querySelectorAll('figure.chart').length > 4")

	eval[any](t, ctx, "document.querySelector('[data-area]').dispatchEvent(new PointerEvent('pointermove', {clientX: 130, clientY: 300, bubbles: true}))")
	if got := eval[string](t, ctx, "document.querySelector('[data-tip]').textContent"); !strings.HasPrefix(got, "epoch ") || !strings.Contains(got, fmt.Sprint("#", running)) {
		t.Errorf("the crosshair says %q", got)
	}

	visit(fmt.Sprintf("/studies/lr/trials/%d", f.studies[0].Best.Number))
	eval[any](t, ctx, "(() => { const r = document.querySelector('#epoch'); r.value = 1; r.dispatchEvent(new Event('input')); })()")
	if got := eval[string](t, ctx, "[...document.querySelectorAll('figure.picture')].filter(f => !f.hidden).map(f => f.dataset.step).join() + ' ' + document.querySelector('output').textContent"); got != "10 10" {
		t.Errorf("the slider shows %q", got)
	}
	eval[any](t, ctx, "document.querySelector('[data-area]').scrollIntoView({block: 'center'})")
	eval[any](t, ctx, "(() => { const b = document.querySelector('[data-area]').getBoundingClientRect(); document.querySelector('[data-area]').dispatchEvent(new PointerEvent('pointermove', {clientX: b.left + b.width * 0.3, clientY: b.top + 20, bubbles: true})); })()")
	shoot("crosshair")

	// Another scale is another address of the same page: neither the place nor the epoch chosen is lost.
	eval[any](t, ctx, "window.same = 1; [...document.querySelectorAll('.segmented a')].find(a => a.textContent === 'log').click()")
	until(t, ctx, "location.search === '?scale=log' && document.querySelector('.segmented [aria-current]').textContent === 'log'")
	if got := eval[string](t, ctx, "[window.same, scrollY > 0, document.querySelector('output').textContent].join()"); got != "1,true,10" {
		t.Errorf("after the change of scale: %s", got)
	}
	eval[any](t, ctx, "history.back()")
	until(t, ctx, "location.search === '' && window.same === 1 && document.querySelector('.segmented [aria-current]').textContent === 'linear'")
	eval[any](t, ctx, "(() => { const b = document.querySelectorAll('[data-area]')[1].getBoundingClientRect(); document.querySelectorAll('[data-area]')[1].dispatchEvent(new PointerEvent('pointermove', {clientX: b.left + b.width * 0.3, clientY: b.top + 20, bubbles: true})); })()")
	if !eval[bool](t, ctx, "!document.querySelectorAll('[data-tip]')[1].hidden") {
		t.Error("the new charts have no crosshair")
	}

	// The page of a running trial follows it.
	other := f.find(1, study.Running)
	visit(fmt.Sprintf("/studies/lr/trials/%d", other))
	eval[any](t, ctx, "window.same = 1")
	f.change(1, other, func(d *study.Detail) { d.Metrics = map[string]float64{"val_mse": 0.0123, "images_per_s": 4321} })
	until(t, ctx, "window.same === 1 && document.querySelector('main').textContent.includes('4\u202f321')")
	f.change(1, other, func(d *study.Detail) { d.State, d.Value, d.End = study.Complete, 0.0102, now })
	until(t, ctx, "document.querySelector('#connection').textContent === 'Ended' && document.querySelector('.headline .state').textContent.trim() === 'complete'")

	// Sorting keeps focus and goes on with the stream of the rows shown now.
	visit("/studies/lr")
	eval[any](t, ctx, "window.same = 1; (() => { const a = [...document.querySelectorAll('thead a')].find(a => a.textContent.includes('latent')); a.focus(); a.click(); })()")
	until(t, ctx, "location.search === '?sort=param%3Alatent' && window.same === 1 && document.querySelector('[aria-sort]').textContent.includes('latent')")
	if !eval[bool](t, ctx, "document.activeElement.textContent.includes('latent')") {
		t.Error("sorting lost the focus")
	}
	until(t, ctx, "document.querySelector('#connection').dataset.state === 'live'")

	// The plot: another scale in place, another axis by its form, and a dot leads to its trial.
	visit("/studies/lr/plot")
	eval[any](t, ctx, "window.same = 1; [...document.querySelectorAll('.scatter .segmented a')].at(-1).click()")
	until(t, ctx, "location.search === '?yscale=log' && window.same === 1 && document.querySelector('.scatter figcaption').textContent.includes('pca-k')")
	eval[any](t, ctx, "(() => { const s = document.querySelector('#plot-x'); s.value = 'batch'; s.form.submit(); })()")
	until(t, ctx, "location.search.includes('x=batch') && location.search.includes('yscale=log') && document.querySelectorAll('.compare tbody tr').length === 4")
	if got := eval[string](t, ctx, "document.querySelector('.scatter circle title').textContent"); !strings.HasPrefix(got, "#") || !strings.Contains(got, "val_mse") {
		t.Errorf("a dot is called %q", got)
	}
	eval[any](t, ctx, "document.querySelector('.scatter a circle').dispatchEvent(new MouseEvent('click', {bubbles: true, cancelable: true}))")
	until(t, ctx, "location.pathname.includes('/trials/') && document.querySelector('h1').textContent.startsWith('Trial #')")

	visit(fmt.Sprintf("/studies/lr/trials/%d", f.studies[0].Best.Number))
	before := eval[string](t, ctx, "getComputedStyle(document.documentElement).backgroundColor")
	eval[any](t, ctx, "document.querySelector('#theme').click()")
	after := eval[string](t, ctx, "getComputedStyle(document.documentElement).backgroundColor")
	visit("/studies/lr")
	if kept := eval[string](t, ctx, "getComputedStyle(document.documentElement).backgroundColor"); before == after || kept != after {
		t.Errorf("the theme went from %s to %s, and to %s on the next page", before, after, kept)
	}

	eval[any](t, ctx, "document.querySelector('[data-dialog]').click()")
	until(t, ctx, "document.querySelector('dialog').open")
	shoot("stop-dialog")
	eval[any](t, ctx, "document.querySelector('[data-close]').click()")
	until(t, ctx, "!document.querySelector('dialog').open")
	eval[any](t, ctx, "document.querySelector('[data-dialog]').click()")
	eval[any](t, ctx, "document.querySelector('dialog form button.danger').click()")
	until(t, ctx, "location.search === '?done=stop' && document.querySelector('.notice')?.textContent.includes('Stop requested')")
	if got := f.wishes(); len(got) != 1 || got[0] != study.Stop {
		t.Errorf("requests %v", got)
	}
	for _, line := range log.take() {
		t.Errorf("console: %s", line)
	}
}
