package kubeapi

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestAProgramForATokenThatHangsIsNotWaitedFor also shows that requests which come meanwhile
// start it no second time, and that it is used once it ends.
func TestAProgramForATokenThatHangsIsNotWaitedFor(t *testing.T) {
	bearer := make(chan string, 3)
	config := served(t, func(_ http.ResponseWriter, r *http.Request) { bearer <- r.Header.Get("Authorization") })
	dir := t.TempDir()
	started, end, program := filepath.Join(dir, "started"), filepath.Join(dir, "end"), filepath.Join(dir, "get-token")
	writeFile(t, program, "#!/bin/sh\necho $CANARY >>"+started+"\nwhile [ ! -e "+end+" ]; do sleep 0.02; done\n"+
		`echo '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"`+secret+`"}}'`)
	if err := os.Chmod(program, 0o700); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(config.Kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, config.Kubeconfig, strings.ReplaceAll(string(text), "token: "+secret,
		"exec: {apiVersion: client.authentication.k8s.io/v1, command: "+program+", interactiveMode: Never}"))
	t.Setenv("CANARY", "a token of a cluster")
	config.Hidden = []string{"CANARY"}
	c := New(config)

	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		defer cancel()
		for ctx.Err() == nil {
			if _, err := os.Stat(started); err == nil {
				return
			}
			time.Sleep(time.Millisecond)
		}
	}()
	for range 2 {
		if err := c.Do(ctx, anything, nil); !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "hint: run that program by hand") || Refused(err) {
			t.Errorf("while %s hangs: %v", program, err)
		}
	}
	if len(bearer) != 0 {
		t.Error("a request was sent without the token")
	}
	writeFile(t, end, "")
	if err := c.Do(t.Context(), anything, nil); err != nil {
		t.Fatalf("after it ended: %v", err)
	}
	if got := <-bearer; got != "Bearer "+secret || len(bearer) != 0 {
		t.Errorf("sent %q, and %d requests more", got, len(bearer))
	}
	if starts, err := os.ReadFile(started); err != nil || string(starts) != "\n" {
		t.Errorf("it was started more than once, or got what is hidden: %q, %v", starts, err)
	}
}
