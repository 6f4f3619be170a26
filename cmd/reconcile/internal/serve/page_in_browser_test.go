package serve

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

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

func TestPageInABrowser(t *testing.T) {
	b := startBrowser(t)
	source := gallery()
	url := servePage(t, source)
	b.open(url)

	t.Run("keyboard", func(t *testing.T) {
		b.tab()
		if got := b.text("document.activeElement.className"); got != "skip" {
			t.Errorf("the first stop is %q, not the link past the header", got)
		}
		var stops []string
		for range 6 {
			b.tab()
			stops = append(stops, b.text("document.activeElement.tagName"))
		}
		if !strings.Contains(strings.Join(stops, " "), "DIV SUMMARY") {
			t.Errorf("the stops are %q: no table and then an explanation", stops)
		}
		b.eval("document.querySelector('summary').focus()", nil)
		b.press(keyEnter)
		wait(t, "Enter to open an explanation", func() bool { return b.text("document.querySelector('details').open") == "true" })
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
		b.devtools("Emulation.setDeviceMetricsOverride", map[string]any{"width": 360, "height": 740, "deviceScaleFactor": 2, "mobile": true}, nil)
		b.open(url)
		wait(t, "the page to fit a phone", func() bool { return b.text("document.documentElement.scrollWidth") == "360" })
		b.screenshot("phone")
		b.devtools("Emulation.clearDeviceMetricsOverride", map[string]any{}, nil)
	})
	t.Run("light and dark", func(t *testing.T) {
		for scheme, ground := range map[string]uint32{"light": 0xffff, "dark": 0x0d0d} {
			b.devtools("Emulation.setEmulatedMedia", map[string]any{"features": []any{map[string]any{"name": "prefers-color-scheme", "value": scheme}}}, nil)
			b.devtools("Emulation.setDeviceMetricsOverride", map[string]any{"width": 1100, "height": 1500, "deviceScaleFactor": 1, "mobile": false}, nil)
			b.open(url)
			wait(t, fmt.Sprintf("the ground %#x of the %s scheme", ground, scheme), func() bool {
				r, _, _, _ := b.screenshot(scheme).At(1, 1).RGBA()
				return r == ground
			})
		}
	})
	t.Run("without JavaScript", func(t *testing.T) {
		b.devtools("Emulation.setScriptExecutionDisabled", map[string]any{"value": true}, nil)
		b.open(url)
		wait(t, "the page without JavaScript", func() bool { return strings.Contains(b.html(), "PROMOTED BY FORCE") })
	})
}
