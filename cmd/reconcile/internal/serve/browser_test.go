package serve

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"image"
	"image/png"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// browser is a headless Chromium behind its WebDriver (W3C WebDriver).
type browser struct {
	t    *testing.T
	base string
}

func startBrowser(t *testing.T) browser {
	t.Helper()
	driver, chromium := program(t, "chromedriver"), program(t, "chromium")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(driver, fmt.Sprint("--port=", port), "--log-level=OFF")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	b := browser{t, fmt.Sprintf("http://127.0.0.1:%d", port)}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	wait(t, "the driver", func() bool {
		r, err := http.Get(b.base + "/status")
		if err == nil {
			r.Body.Close()
		}
		return err == nil
	})
	args := []string{"--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars", "--user-data-dir=" + t.TempDir()}
	var session struct {
		SessionID string `json:"sessionId"`
	}
	b.call(http.MethodPost, "/session", map[string]any{"capabilities": map[string]any{"alwaysMatch": map[string]any{
		"browserName": "chrome", "goog:chromeOptions": map[string]any{"binary": chromium, "args": args},
	}}}, &session)
	b.base += "/session/" + session.SessionID
	t.Cleanup(func() { b.call(http.MethodDelete, "", nil, nil) })
	return b
}

// wait polls for a condition, for as long as a slow machine may need.
func wait(t *testing.T, what string, is func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for !is() {
		select {
		case <-ctx.Done():
			t.Fatalf("waited in vain for %s", what)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (b browser) call(method, path string, body, result any) {
	b.t.Helper()
	var in io.Reader
	if body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			b.t.Fatal(err)
		}
		in = bytes.NewReader(raw)
	}
	// Not the test's context: the session is closed after that has ended.
	r, err := http.NewRequestWithContext(context.Background(), method, b.base+path, in)
	if err != nil {
		b.t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer answer.Body.Close()
	var envelope struct {
		Value json.RawMessage `json:"value"`
	}
	if err := json.NewDecoder(answer.Body).Decode(&envelope); err != nil || answer.StatusCode != http.StatusOK {
		b.t.Fatalf("%s %s: %s %v %s", method, path, answer.Status, err, envelope.Value)
	}
	if result != nil {
		if err := json.Unmarshal(envelope.Value, result); err != nil {
			b.t.Fatal(err)
		}
	}
}

func (b browser) open(url string) {
	b.call(http.MethodPost, "/url", map[string]any{"url": url}, nil)
}

// eval evaluates a JavaScript expression in the page.
func (b browser) eval(expression string, result any) {
	b.t.Helper()
	b.call(http.MethodPost, "/execute/sync", map[string]any{"script": "return " + expression, "args": []any{}}, result)
}

func (b browser) text(expression string) string {
	var s string
	b.eval("String("+expression+")", &s)
	return s
}

func (b browser) devtools(command string, params map[string]any) {
	b.call(http.MethodPost, "/goog/cdp/execute", map[string]any{"cmd": command, "params": params}, nil)
}

func (b browser) press(key string) {
	b.call(http.MethodPost, "/actions", map[string]any{"actions": []any{map[string]any{"type": "key", "id": "k", "actions": []any{
		map[string]any{"type": "keyDown", "value": key}, map[string]any{"type": "keyUp", "value": key},
	}}}}, nil)
}

// screenshot takes one, and keeps it where SCREENSHOTS says.
func (b browser) screenshot(name string) image.Image {
	b.t.Helper()
	var encoded string
	b.call(http.MethodGet, "/screenshot", nil, &encoded)
	raw, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		b.t.Fatal(err)
	}
	if dir := os.Getenv("SCREENSHOTS"); dir != "" {
		if err := os.WriteFile(filepath.Join(dir, name+".png"), raw, 0o600); err != nil {
			b.t.Fatal(err)
		}
	}
	img, err := png.Decode(bytes.NewReader(raw))
	if err != nil {
		b.t.Fatal(err)
	}
	return img
}

func servePage(t *testing.T, b *board) string {
	mux := http.NewServeMux()
	mux.Handle("GET /{$}", NewPage(b, ledgerOf))
	mux.Handle("GET /events", NewEvents(b, 4))
	server := httptest.NewServer(mux)
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	return server.URL
}

const (
	keyTab   = "\ue004"
	keyEnter = "\ue007"
)

func TestPageInABrowser(t *testing.T) {
	b := startBrowser(t)
	source := gallery()
	url := servePage(t, source)
	b.open(url)

	t.Run("keyboard", func(t *testing.T) {
		b.press(keyTab)
		if got := b.text("document.activeElement.className"); got != "skip" {
			t.Errorf("the first stop is %q, not the link past the header", got)
		}
		var stops []string
		for range 6 {
			b.press(keyTab)
			stops = append(stops, b.text("document.activeElement.tagName"))
		}
		if !strings.Contains(strings.Join(stops, " "), "DIV SUMMARY") {
			t.Errorf("the stops are %q: no table and then an explanation", stops)
		}
		b.eval("document.querySelector('summary').focus()", nil)
		b.press(keyEnter)
		if b.text("document.querySelector('details').open") != "true" {
			t.Error("Enter does not open an explanation")
		}
		if outline := b.text("getComputedStyle(document.activeElement).outlineWidth"); outline != "3px" {
			t.Errorf("the focus shows by an outline of %q", outline)
		}
	})
	t.Run("follows", func(t *testing.T) {
		changed := pair(9)
		changed.Name, changed.Error = "catalog", "the region burns"
		before := failedOver()
		before.Name = "orders"
		source.publish(changed, before)
		wait(t, "the page to follow", func() bool {
			return strings.Contains(b.text("document.body.innerText"), "the region burns")
		})
		if b.text("document.querySelectorAll('article').length") != "2" {
			t.Error("a topology that is gone is still shown")
		}
	})
	t.Run("phone", func(t *testing.T) {
		source.publish(gallery().s.Topologies...)
		b.devtools("Emulation.setDeviceMetricsOverride", map[string]any{"width": 360, "height": 740, "deviceScaleFactor": 2, "mobile": true})
		b.open(url)
		b.screenshot("phone")
		if wide := b.text("document.documentElement.scrollWidth"); wide != "360" {
			t.Errorf("the page is %s wide on a phone of 360", wide)
		}
		b.devtools("Emulation.clearDeviceMetricsOverride", map[string]any{})
	})
	t.Run("light and dark", func(t *testing.T) {
		for scheme, ground := range map[string]uint32{"light": 0xffff, "dark": 0x0d0d} {
			b.devtools("Emulation.setEmulatedMedia", map[string]any{"features": []any{map[string]any{"name": "prefers-color-scheme", "value": scheme}}})
			b.devtools("Emulation.setDeviceMetricsOverride", map[string]any{"width": 1100, "height": 1500, "deviceScaleFactor": 1, "mobile": false})
			b.open(url)
			if r, _, _, _ := b.screenshot(scheme).At(1, 1).RGBA(); r != ground {
				t.Errorf("the ground is %#x in the %s scheme, want %#x", r, scheme, ground)
			}
		}
	})
	t.Run("without JavaScript", func(t *testing.T) {
		b.devtools("Emulation.setScriptExecutionDisabled", map[string]any{"value": true})
		b.open(url)
		var html string
		b.call(http.MethodGet, "/source", nil, &html)
		if !strings.Contains(html, "PROMOTED BY FORCE") {
			t.Error("the page says nothing without JavaScript")
		}
	})
}
