// Package server serves the web UI and the JSON API of a database of studies over HTTP.
//
// It promises to write nothing but requests to pause, resume and stop; to answer only its own host name and only
// requests of its own origin where something changes; and never to be open to other machines without a token.
package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"sweep/templates/static"
)

// DefaultAddr is where the server listens unless it is told otherwise.
const DefaultAddr = "127.0.0.1:8080"

// Config is what a server needs.
type Config struct {
	Addr  string // host:port; port 0 takes a free one; empty: DefaultAddr
	Store Store
	Flag  string // how the user names another address, for advice; empty: "--addr "
	// Token is the secret that every request must show, at least 16 characters; empty: $SWEEP_TOKEN. Without one the
	// server keeps to loopback and lets in whoever can use this machine.
	Token string
	// Hosts are further names that the server is reached by, beside IP addresses and localhost.
	Hosts    []string
	Database string           // path as commands on pages name it; empty: that of a Store which has a Path method
	Version  string           // of the program, for the foot of pages
	Now      func() time.Time // nil: time.Now
	Log      *slog.Logger     // of failures inside; nil: none
	Tick     time.Duration    // how often live pages look for news; 0: a second
	// Devices, where set, is what trains a study in this process at the moment, nothing where none does. It may be asked
	// by several goroutines at once, and often.
	Devices func(studyID int64) []Device
}

// minToken is the least length of a token: 16 random letters hold about 90 bits.
const minToken = 16

// Server serves one database. Make it with [New].
type Server struct {
	cfg      Config
	listener net.Listener
	http     *http.Server
	hosts    map[string]bool
	loopback bool
	news     *news
	curves   *histories
	stopping chan struct{} // closed when Serve ends: streams end with it
	stop     sync.Once
}

// New checks cfg and listens. Errors are one line that says what to do.
func New(cfg Config) (*Server, error) {
	if cfg.Addr == "" {
		cfg.Addr = DefaultAddr
	}
	if cfg.Flag == "" {
		cfg.Flag = "--addr "
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Token == "" {
		cfg.Token = os.Getenv("SWEEP_TOKEN")
	}
	if cfg.Tick <= 0 {
		cfg.Tick = time.Second
	}
	if p, ok := cfg.Store.(interface{ Path() string }); ok && cfg.Database == "" {
		cfg.Database = p.Path()
	}
	host, port, err := net.SplitHostPort(cfg.Addr)
	if err != nil {
		return nil, fmt.Errorf("address %q is not host:port; try %s%s", cfg.Addr, cfg.Flag, DefaultAddr)
	}
	s := &Server{cfg: cfg, hosts: make(map[string]bool), loopback: isLoopback(host), stopping: make(chan struct{})}
	switch {
	case cfg.Token != "" && len(cfg.Token) < minToken:
		return nil, fmt.Errorf("the token has %d characters: choose one of at least %d", len(cfg.Token), minToken)
	case !s.loopback && cfg.Token == "":
		return nil, fmt.Errorf("address %s can be reached from other machines: set SWEEP_TOKEN to a secret of at least %d characters, or keep to 127.0.0.1 and reach it through ssh -L", cfg.Addr, minToken)
	}
	if host != "" {
		s.hosts[strings.ToLower(host)] = true
	}
	for _, h := range cfg.Hosts {
		s.hosts[strings.ToLower(h)] = true
	}
	s.listener, err = net.Listen("tcp", cfg.Addr)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("listen on %s: the port is in use; choose another one, or any free one with %s%s", cfg.Addr, cfg.Flag, net.JoinHostPort(host, "0"))
	case errors.Is(err, syscall.EACCES):
		return nil, fmt.Errorf("listen on %s: port %s needs an administrator; choose one above 1023, such as %s%s", cfg.Addr, port, cfg.Flag, net.JoinHostPort(host, "8080"))
	case err != nil:
		return nil, fmt.Errorf("listen on %s: %w; choose another address with %s", cfg.Addr, err, strings.TrimRight(cfg.Flag, " ="))
	}
	s.news = newNews(cfg.Store, cfg.Tick)
	if cfg.Devices != nil {
		s.news.patience = deviceTicks
	}
	s.curves = newHistories(cfg.Store, cfg.Now)
	s.http = &http.Server{
		Handler:           s.Handler(),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       15 * time.Second,
		IdleTimeout:       60 * time.Second,
		MaxHeaderBytes:    32 << 10,
		ErrorLog:          slog.NewLogLogger(cfg.Log.Handler(), slog.LevelDebug),
		// No WriteTimeout: streams stay open; each write sets its own deadline.
	}
	return s, nil
}

// URL is the address to open in a browser; with a token it signs that browser in.
func (s *Server) URL() string {
	addr, _ := s.listener.Addr().(*net.TCPAddr)
	host := addr.IP.String()
	if addr.IP.IsUnspecified() {
		host = "localhost"
		for _, h := range s.cfg.Hosts {
			host = h
			break
		}
	}
	url := "http://" + net.JoinHostPort(host, strconv.Itoa(addr.Port)) + "/"
	if s.cfg.Token != "" {
		url += "?token=" + s.cfg.Token
	}
	return url
}

// Serve answers requests until ctx ends, then ends the streams, lets the other requests finish for a few seconds, and
// returns nil. It may be called once.
func (s *Server) Serve(ctx context.Context) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	watching, cancel := context.WithCancel(ctx)
	defer cancel()
	wg.Go(func() { s.news.run(watching) })
	served := make(chan error, 1)
	wg.Go(func() { served <- s.http.Serve(s.listener) })
	select {
	case err := <-served:
		s.Close()
		return fmt.Errorf("serve %s: %w", s.listener.Addr(), err)
	case <-ctx.Done():
	}
	s.stop.Do(func() { close(s.stopping) })
	last, done := context.WithTimeout(context.WithoutCancel(ctx), 3*time.Second)
	defer done()
	if err := s.http.Shutdown(last); err != nil {
		s.http.Close()
	}
	<-served
	return nil
}

// Close frees the address of a server that is not served, or cuts one short.
func (s *Server) Close() error {
	s.stop.Do(func() { close(s.stopping) })
	return errors.Join(s.http.Close(), ignoreClosed(s.listener.Close()))
}

// Handler answers every request, with all protections around it.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	page := func(pattern string, h handler) { mux.Handle(pattern, s.page(h)) }
	api := func(pattern string, h handler) { mux.Handle(pattern, s.api(h)) }

	page("GET /{$}", s.studies)
	page("GET /studies/{name}", s.leaderboard)
	page("GET /studies/{name}/trials/{number}", s.trial)
	page("GET /studies/{name}/trials.csv", s.trialsFile)
	page("GET /studies/{name}/plot", s.plot)
	page("GET /studies/{name}/compare", s.compare)
	page("GET /studies/{name}/config", s.config)
	page("GET /studies/{name}/config.yaml", s.configFile)
	page("GET /studies/{name}/stop", s.stopPage)
	page("GET /studies/{name}/live", s.live)
	page("POST /studies/{name}/pause", s.control(pause))
	page("POST /studies/{name}/resume", s.control(resume))
	page("POST /studies/{name}/stop", s.control(stop))
	page("GET /studies/{name}/trials/{number}/bundles/{digest}/{file}", s.bundleFile)
	page("GET /artifacts/{digest}", s.artifact)

	api("GET /api/v1/studies", s.apiStudies)
	api("GET /api/v1/studies/{name}", s.apiStudy)
	api("GET /api/v1/studies/{name}/trials", s.apiTrials)
	api("GET /api/v1/studies/{name}/baselines", s.apiBaselines)
	api("GET /api/v1/studies/{name}/trials/{number}", s.apiTrial)
	api("POST /api/v1/studies/{name}/pause", s.apiControl(pause))
	api("POST /api/v1/studies/{name}/resume", s.apiControl(resume))
	api("POST /api/v1/studies/{name}/stop", s.apiControl(stop))
	api("/api/", noRoute)

	mux.HandleFunc("GET "+static.Prefix, s.static)
	page("/", noRoute)

	return s.secure(mux)
}

func noRoute(http.ResponseWriter, *http.Request) error {
	return &problem{status: http.StatusNotFound, title: "There is no page here", text: "The address leads nowhere in sweep.", back: allStudies}
}

// static serves the embedded files from their fixed list.
func (s *Server) static(w http.ResponseWriter, r *http.Request) {
	f, ok := static.Open(r.URL.Path)
	if !ok {
		s.page(noRoute).ServeHTTP(w, r)
		return
	}
	h := w.Header()
	h.Set("Content-Type", f.Media)
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	h.Set("Vary", "Accept-Encoding")
	body := f.Body
	if acceptsGzip(r) {
		h.Set("Content-Encoding", "gzip")
		body = f.Packed
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	if r.Method != http.MethodHead {
		_, _ = w.Write(body) // the client may be gone
	}
}

func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}

func ignoreClosed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

var _ io.Closer = (*Server)(nil)
