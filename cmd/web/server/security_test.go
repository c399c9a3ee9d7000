package server_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sweep/cmd/web/server"
	"sweep/study"
	"sweep/templates/static"
)

// The table of facts about who may ask what.
func TestSecurity(t *testing.T) {
	cross := func(site string) map[string]string { return map[string]string{"Sec-Fetch-Site": site} }
	for _, tt := range []struct {
		name   string
		q      request
		status int
	}{
		{"own host", request{method: "GET", path: "/"}, 200},
		{"localhost", request{method: "GET", path: "/", host: "localhost:9999"}, 200},
		{"IPv6 loopback", request{method: "GET", path: "/", host: "[::1]:8080"}, 200},
		{"without a port", request{method: "GET", path: "/", host: "LOCALHOST."}, 200},
		{"foreign host", request{method: "GET", path: "/", host: "evil.example"}, 421},
		{"foreign host with our port", request{method: "GET", path: "/", host: "evil.example:8080"}, 421},
		{"host that begins like ours", request{method: "GET", path: "/", host: "127.0.0.1.evil.example"}, 421},
		{"another machine's address", request{method: "GET", path: "/", host: "10.0.0.7:8080"}, 421},
		{"no host", request{method: "GET", path: "/", host: " "}, 421},
		{"foreign host at the API", request{method: "GET", path: "/api/v1/studies", host: "evil.example"}, 421},
		{"POST cross-site", request{method: "POST", path: "/studies/lr/pause", header: cross("cross-site")}, 403},
		{"POST same-site", request{method: "POST", path: "/studies/lr/pause", header: cross("same-site")}, 403},
		{"POST same-origin", request{method: "POST", path: "/studies/lr/pause", header: cross("same-origin")}, 303},
		{"POST typed in", request{method: "POST", path: "/studies/lr/pause", header: cross("none")}, 303},
		{"POST without headers", request{method: "POST", path: "/studies/lr/pause"}, 303},
		{"POST with a foreign origin", request{method: "POST", path: "/studies/lr/pause", header: map[string]string{"Origin": "http://evil.example"}}, 403},
		{"POST with origin null", request{method: "POST", path: "/studies/lr/pause", header: map[string]string{"Origin": "null"}}, 403},
		{"POST to the API cross-site", request{method: "POST", path: "/api/v1/studies/lr/stop", header: cross("cross-site")}, 403},
		{"GET cross-site", request{method: "GET", path: "/", header: cross("cross-site")}, 200},
		{"GET never changes", request{method: "GET", path: "/studies/lr/pause"}, 404},
		{"PUT", request{method: "PUT", path: "/studies/lr"}, 404},
		{"climbing", request{method: "GET", path: "/static/../main.go"}, 307},
		{"climbing, encoded", request{method: "GET", path: "/static/%2e%2e/main.go"}, 404},
		{"climbing, encoded slash", request{method: "GET", path: "/static/..%2fserver.go"}, 404},
		{"listing", request{method: "GET", path: "/static/"}, 404},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := fixture(t)
			res := do(t, newServer(t, server.Config{Store: f}), tt.q)
			if res.StatusCode != tt.status {
				t.Errorf("status %d, want %d", res.StatusCode, tt.status)
			}
			if asked := f.wishes(); (len(asked) > 0) != (tt.status == 303) {
				t.Errorf("requests stored: %v", asked)
			}
			want := map[string]string{
				"X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin", "Cross-Origin-Opener-Policy": "same-origin",
				"Cross-Origin-Resource-Policy": "same-origin", "Cache-Control": "no-store",
			}
			for k, v := range want {
				if got := res.Header.Get(k); got != v {
					t.Errorf("%s is %q, want %q", k, got, v)
				}
			}
			csp := res.Header.Get("Content-Security-Policy")
			for _, part := range []string{"default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'"} {
				if !strings.Contains(csp, part) {
					t.Errorf("policy %q lacks %s", csp, part)
				}
			}
			if strings.Contains(csp, "unsafe") {
				t.Errorf("policy %q is not strict", csp)
			}
		})
	}
}

func TestControl(t *testing.T) {
	for _, tt := range []struct {
		name    string
		live    bool
		wish    study.Verdict
		counts  bool // trials are running
		path    string
		status  int
		verdict study.Verdict
	}{
		{"pause", true, study.Go, true, "pause", 303, study.Pause},
		{"stop", true, study.Go, true, "stop", 303, study.Stop},
		{"resume while pausing", true, study.Pause, true, "resume", 303, study.Go},
		{"stop while pausing", true, study.Pause, true, "stop", 303, study.Stop},
		{"pause twice", true, study.Pause, true, "pause", 409, ""},
		{"resume what runs", true, study.Go, true, "resume", 409, ""},
		{"stop twice", true, study.Stop, true, "stop", 409, ""},
		{"pause what nobody runs", false, study.Go, false, "pause", 409, ""},
		{"stop what nobody runs", false, study.Go, false, "stop", 409, ""},
		{"unknown word", true, study.Go, true, "explode", 404, ""},
	} {
		for _, api := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/api=%v", tt.name, api), func(t *testing.T) {
				f := fixture(t)
				f.studies[0].Live, f.studies[0].Wish = tt.live, tt.wish
				path, want := "/studies/lr/"+tt.path, tt.status
				if api {
					path = "/api/v1" + path
					if want == 303 {
						want = 202
					}
				}
				res := do(t, newServer(t, server.Config{Store: f}), request{method: "POST", path: path})
				if res.StatusCode != want {
					t.Errorf("status %d, want %d: %s", res.StatusCode, want, body(t, res))
				}
				var asked []study.Verdict
				if tt.verdict != "" {
					asked = []study.Verdict{tt.verdict}
				}
				if d := cmp.Diff(asked, f.wishes()); d != "" {
					t.Errorf("requests (-want +got)\n%s", d)
				}
				if want == 303 {
					if got, want := res.Header.Get("Location"), "/studies/lr?done="+tt.path; got != want {
						t.Errorf("sent to %q, want %q", got, want)
					}
				}
				if api && !json.Valid([]byte(body(t, res))) && want != 202 {
					t.Error("the answer is not JSON")
				}
			})
		}
	}
}

func TestToken(t *testing.T) {
	const secret = "correct horse battery staple"
	if _, err := server.New(server.Config{Addr: "0.0.0.0:0", Store: newFake()}); err == nil || !strings.Contains(err.Error(), "SWEEP_TOKEN") {
		t.Errorf("an open address without a token gives %v", err)
	}
	if _, err := server.New(server.Config{Addr: "0.0.0.0:0", Store: newFake(), Token: "short"}); err == nil || !strings.Contains(err.Error(), "at least 16") {
		t.Errorf("a short token gives %v", err)
	}
	s := newServer(t, server.Config{Addr: "0.0.0.0:0", Store: fixture(t), Token: secret, Hosts: []string{"lab.example"}})
	port := regexp.MustCompile(`:(\d+)/`).FindStringSubmatch(s.URL())[1]
	if want := "http://lab.example:" + port + "/?token="; !strings.HasPrefix(s.URL(), want) {
		t.Errorf("URL %s, want one that begins with %s", s.URL(), want)
	}
	link := "/studies/lr?sort=number&token=" + url.QueryEscape(secret)
	res := do(t, s, request{method: "GET", path: link, host: "lab.example:" + port})
	if res.StatusCode != 303 || res.Header.Get("Location") != "/studies/lr?sort=number" || len(res.Cookies()) != 1 {
		t.Fatalf("the link gives %d to %q with %v", res.StatusCode, res.Header.Get("Location"), res.Cookies())
	}
	cookie := res.Cookies()[0]
	if !cookie.HttpOnly || cookie.SameSite != http.SameSiteStrictMode || strings.Contains(cookie.Value, secret) {
		t.Errorf("cookie %v", cookie)
	}
	for _, tt := range []struct {
		name   string
		q      request
		status int
	}{
		{"nothing", request{method: "GET", path: "/", host: "lab.example"}, 401},
		{"nothing, API", request{method: "GET", path: "/api/v1/studies", host: "lab.example"}, 401},
		{"nothing, static", request{method: "GET", path: static.URL("app.css"), host: "lab.example"}, 401},
		{"wrong link", request{method: "GET", path: "/?token=wrong", host: "lab.example"}, 401},
		{"POST with the link", request{method: "POST", path: "/studies/lr/stop?token=" + url.QueryEscape(secret), host: "lab.example"}, 401},
		{"cookie", request{method: "GET", path: "/", host: "lab.example", header: map[string]string{"Cookie": cookie.Name + "=" + cookie.Value}}, 200},
		{"forged cookie", request{method: "GET", path: "/", host: "lab.example", header: map[string]string{"Cookie": cookie.Name + "=" + strings.Repeat("0", 64)}}, 401},
		{"token as cookie", request{method: "GET", path: "/", host: "lab.example", header: map[string]string{"Cookie": cookie.Name + "=" + secret}}, 401},
		{"bearer", request{method: "GET", path: "/api/v1/studies", host: "10.0.0.7:" + port, header: map[string]string{"Authorization": "Bearer " + secret}}, 200},
		{"wrong bearer", request{method: "GET", path: "/api/v1/studies", host: "lab.example", header: map[string]string{"Authorization": "Bearer wrong"}}, 401},
		{"bearer, foreign host", request{method: "GET", path: "/", host: "evil.example", header: map[string]string{"Authorization": "Bearer " + secret}}, 421},
		{"link that leads away", request{method: "GET", path: "http://lab.example//evil.example/?token=" + url.QueryEscape(secret), host: "lab.example"}, 303},
	} {
		t.Run(tt.name, func(t *testing.T) {
			res := do(t, s, tt.q)
			if res.StatusCode != tt.status {
				t.Errorf("status %d, want %d", res.StatusCode, tt.status)
			}
			if to := res.Header.Get("Location"); strings.HasPrefix(to, "//") || strings.Contains(to, "token") {
				t.Errorf("sent to %q", to)
			}
		})
	}
}
