package ledger

import (
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// cutLine relays to the API server of a kubeconfig until it is cut, and returns a kubeconfig
// that leads through it.
func cutLine(t *testing.T, kubeconfig, server string) (through string, cut func()) {
	t.Helper()
	to, err := url.Parse(server)
	must(t, err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	var mu sync.Mutex
	open := []io.Closer{l}
	cut = func() {
		mu.Lock()
		defer mu.Unlock()
		for _, c := range open {
			_ = c.Close()
		}
	}
	t.Cleanup(cut)
	go func() {
		for {
			near, err := l.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("tcp", to.Host)
			if err != nil {
				_ = near.Close()
				continue
			}
			mu.Lock()
			open = append(open, near, far)
			mu.Unlock()
			go func() { _, _ = io.Copy(far, near) }()
			go func() { _, _ = io.Copy(near, far) }()
		}
	}()
	text, err := os.ReadFile(kubeconfig)
	must(t, err)
	through = filepath.Join(t.TempDir(), "kubeconfig")
	must(t, os.WriteFile(through, []byte(strings.ReplaceAll(string(text), to.Host, l.Addr().String())), 0o600))
	return through, cut
}
