package server

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"sweep/templates"
)

// policy forbids everything but our own files: no inline script or style, no frame, no other host.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// maxBody is far above what a form of ours posts.
const maxBody = 64 << 10

// secure wraps next in the checks that hold for every request: host name, origin, token, and the headers.
func (s *Server) secure(next http.Handler) http.Handler {
	origin := http.NewCrossOriginProtection()
	origin.SetDenyHandler(s.deny(problem{
		status: http.StatusForbidden, title: "This request came from another site",
		text: "sweep changes something only when its own pages, or a program outside a browser, ask for it.",
	}))
	checked := origin.Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		if !s.ownHost(r.Host) {
			s.deny(problem{
				status: http.StatusMisdirectedRequest, title: "sweep does not answer to this name",
				text: "The address names the host " + clip(r.Host) + ". Open sweep by the address that it printed when it started.",
			}).ServeHTTP(w, r)
			return
		}
		if s.cfg.Token != "" && !s.signedIn(w, r) {
			return
		}
		checked.ServeHTTP(w, r)
	})
}

// ownHost reports whether host, with or without a port, names this server. A page of a foreign name that was rebound to
// our address has that foreign name here, so an allow-list stops it; IP addresses cannot be rebound.
func (s *Server) ownHost(host string) bool {
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	name = strings.ToLower(strings.TrimSuffix(strings.TrimPrefix(strings.TrimSuffix(name, "."), "["), "]"))
	if name == "localhost" || s.hosts[name] {
		return true
	}
	ip, err := netip.ParseAddr(name)
	return err == nil && (ip.Unmap().IsLoopback() || !s.loopback)
}

// signedIn checks the token: as a Bearer for programs, as ?token= once for a browser, which gets a cookie for it and is
// sent on to the address without it. It answers itself when it returns false.
func (s *Server) signedIn(w http.ResponseWriter, r *http.Request) bool {
	if bearer, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok && same(bearer, s.cfg.Token) {
		return true
	}
	_, port, _ := net.SplitHostPort(s.listener.Addr().String())
	name := "sweep-" + port // cookies of one host are shared by its ports
	if c, err := r.Cookie(name); err == nil && same(c.Value, session(s.cfg.Token)) {
		return true
	}
	if q := r.URL.Query(); r.Method == http.MethodGet && same(q.Get("token"), s.cfg.Token) {
		http.SetCookie(w, &http.Cookie{
			Name: name, Value: session(s.cfg.Token), Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode, Secure: r.TLS != nil,
		})
		q.Del("token")
		to := url.URL{Path: r.URL.Path, RawPath: r.URL.RawPath, RawQuery: q.Encode()}
		http.Redirect(w, r, rooted(to.String()), http.StatusSeeOther)
		return false
	}
	w.Header().Set("WWW-Authenticate", `Bearer realm="sweep"`)
	s.deny(problem{
		status: http.StatusUnauthorized, title: "This server needs its token",
		text: "Open the link that sweep printed when it started; it ends in ?token=… and signs this browser in.",
	}).ServeHTTP(w, r)
	return false
}

// session is what the cookie holds: it proves the token without being it.
func session(token string) string {
	sum := sha256.Sum256([]byte("sweep session\x00" + token))
	return hex.EncodeToString(sum[:])
}

func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// rooted makes sure that a redirect stays here: "//host" would leave.
func rooted(path string) string { return "/" + strings.TrimLeft(path, "/\\") }

// deny answers every request with p, without reading anything: who asks has not shown that they may.
func (s *Server) deny(p problem) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/api/") {
			writeProblemJSON(w, &p)
			return
		}
		s.render(w, r, p.status, templates.Problem(templates.ProblemPage{
			Shell: templates.Shell{Title: p.title + " · sweep", Here: "Error", Version: s.cfg.Version}, Status: p.status, Title: p.title, Text: p.text,
		}))
	})
}

func clip(s string) string {
	if len(s) > 80 {
		return s[:80] + "…"
	}
	return s
}
