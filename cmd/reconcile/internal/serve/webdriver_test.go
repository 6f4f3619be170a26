package serve

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"image/png"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"milvus-reconcile/reconcile/reconciletest/freeport"
	"milvus-reconcile/reconcile/reconciletest/needs"
)

// browser is a headless Chromium behind its WebDriver (W3C WebDriver).
type browser struct {
	t    *testing.T
	base string
}

func startBrowser(t *testing.T) browser {
	t.Helper()
	driver, chromium := needs.Program(t, "chromedriver"), needs.Program(t, "chromium")
	_, port, _ := net.SplitHostPort(freeport.Address(t))
	cmd := exec.Command(driver, fmt.Sprint("--port=", port), "--log-level=OFF")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	b := browser{t, fmt.Sprintf("http://127.0.0.1:%s", port)}
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
	args := []string{"--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars", "--disable-dev-shm-usage"}
	var session struct {
		SessionID string `json:"sessionId"`
	}
	wait(t, "a browser: on a machine short of memory one may end at once", func() bool {
		err := b.ask(http.MethodPost, "/session", map[string]any{"capabilities": map[string]any{"alwaysMatch": map[string]any{
			"browserName": "chrome", "goog:chromeOptions": map[string]any{"binary": chromium, "args": append(args, "--user-data-dir="+t.TempDir())},
		}}}, &session)
		if err != nil {
			t.Log(err)
		}
		return err == nil
	})
	b.base += "/session/" + session.SessionID
	t.Cleanup(func() { b.call(http.MethodDelete, "", nil, nil) })
	return b
}

// of is the browser for a part of a test.
func (b browser) of(t *testing.T) browser {
	b.t = t
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
	if err := b.ask(method, path, body, result); err != nil {
		b.t.Fatal(err)
	}
}

// ask sends one command of WebDriver and decodes the value of its answer.
func (b browser) ask(method, path string, body, result any) error {
	var in io.Reader
	if body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			return err
		}
		in = bytes.NewReader(raw)
	}
	// Not the test's context: the session is closed after that has ended.
	r, err := http.NewRequestWithContext(context.Background(), method, b.base+path, in)
	if err != nil {
		return err
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	var envelope struct {
		Value json.RawMessage `json:"value"`
	}
	if err := json.NewDecoder(answer.Body).Decode(&envelope); err != nil {
		return fmt.Errorf("%s %s: %s: %w", method, path, answer.Status, err)
	}
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%s %s: %s %s", method, path, answer.Status, envelope.Value)
	}
	if result != nil {
		return json.Unmarshal(envelope.Value, result)
	}
	return nil
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

func (b browser) devtools(command string, params map[string]any, result any) {
	b.t.Helper()
	b.call(http.MethodPost, "/goog/cdp/execute", map[string]any{"cmd": command, "params": params}, result)
}

// html is the document as it stands, asked for without a script.
func (b browser) html() string {
	b.t.Helper()
	var document struct {
		Root struct {
			NodeID int `json:"nodeId"`
		} `json:"root"`
	}
	b.devtools("DOM.getDocument", map[string]any{"depth": 0}, &document)
	var outer struct {
		OuterHTML string `json:"outerHTML"`
	}
	b.devtools("DOM.getOuterHTML", map[string]any{"nodeId": document.Root.NodeID}, &outer)
	return outer.OuterHTML
}

// tab goes on to the next stop and waits until it has the focus. A key that
// came before the page could take it is pressed again.
func (b browser) tab() {
	b.t.Helper()
	b.eval("(window.lastStop = document.activeElement, true)", nil)
	wait(b.t, "the focus to move", func() bool {
		b.press(keyTab)
		for range 10 {
			if b.text("document.activeElement !== window.lastStop") == "true" {
				return true
			}
		}
		return false
	})
}

func (b browser) press(key string) {
	b.call(http.MethodPost, "/actions", map[string]any{"actions": []any{map[string]any{"type": "key", "id": "k", "actions": []any{
		map[string]any{"type": "keyDown", "value": key}, map[string]any{"type": "keyUp", "value": key},
	}}}}, nil)
}

// pixel is the colour of the page at its upper left corner, each part from 0 to 65535.
func (b browser) pixel() (red, green, blue uint32) {
	b.t.Helper()
	img, err := png.Decode(bytes.NewReader(b.capture(1, 1, 1, 1)))
	if err != nil {
		b.t.Fatal(err)
	}
	red, green, blue, _ = img.At(0, 0).RGBA()
	return red, green, blue
}

// capture takes a picture of a part of the page, which may lie below what is in view.
func (b browser) capture(x, y, width, height float64) []byte {
	b.t.Helper()
	var picture struct {
		Data []byte `json:"data"`
	}
	b.devtools("Page.captureScreenshot", map[string]any{
		"captureBeyondViewport": true, "clip": map[string]any{"x": x, "y": y, "width": width, "height": height, "scale": 1},
	}, &picture)
	return picture.Data
}

// keep keeps a picture of what a selector finds where SCREENSHOTS says.
func (b browser) keep(name, selector string) {
	b.t.Helper()
	dir := os.Getenv("SCREENSHOTS")
	if dir == "" {
		return
	}
	var r [4]float64
	b.eval(fmt.Sprintf(`(() => { const r = document.querySelector(%q).getBoundingClientRect(); return [r.x + scrollX, r.y + scrollY, r.width, r.height] })()`, selector), &r)
	if err := os.WriteFile(filepath.Join(dir, name+".png"), b.capture(r[0], r[1], r[2], r[3]), 0o600); err != nil {
		b.t.Fatal(err)
	}
}

const (
	keyTab   = "\ue004"
	keyEnter = "\ue007"
	keyUp    = "\ue013"
	keyDown  = "\ue015"
)
