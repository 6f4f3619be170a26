package kubeapi

import (
	"encoding/pem"
	"net/http/httptest"
	"os"
	"testing"
)

// authorityOf returns the certificate of a server, which signed itself.
func authorityOf(s *httptest.Server) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}))
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
