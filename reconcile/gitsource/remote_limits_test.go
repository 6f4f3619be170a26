package gitsource

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// packOf1 is a pack of one object, made of its head and its packed bytes.
func packOf1(head []byte, content []byte) []byte {
	var b bytes.Buffer
	b.WriteString("PACK\x00\x00\x00\x02\x00\x00\x00\x01")
	b.Write(head)
	z := zlib.NewWriter(&b)
	_, _ = z.Write(content)
	_ = z.Close()
	b.Write(sha1Of(b.Bytes()))
	return b.Bytes()
}

// packHead is the head of an object in a pack (gitformat-pack(5)).
func packHead(kind byte, size int) []byte {
	out := []byte{kind<<4 | byte(size&15)}
	for size >>= 4; size > 0; size >>= 7 {
		out[len(out)-1] |= 0x80
		out = append(out, byte(size&0x7f))
	}
	return out
}

// TestRemoteThatSendsTooMuch has a remote send more than is taken: the error says which
// limit, memory stays bounded, and the copy stays.
func TestRemoteThatSendsTooMuch(t *testing.T) {
	const blob, deltaOfID = 3, 7
	zeros := make([]byte, maxUnpacked+1)
	canned := func(pack []byte) fault {
		return func(_ *shell, w http.ResponseWriter, _ []byte) { _, _ = w.Write(packets(pack)) }
	}
	endless := func(begin, line string) fault {
		return func(_ *shell, w http.ResponseWriter, _ []byte) {
			many := []byte(strings.Repeat(line, 1000))
			for _, err := w.Write([]byte(begin)); err == nil; {
				_, err = w.Write(many)
			}
		}
	}
	delta := binary.AppendUvarint(binary.AppendUvarint(nil, 10), 1<<40)
	for name, c := range map[string]struct {
		bad  fault
		want string
	}{
		"an object of many zeros":         {canned(packOf1(packHead(blob, len(zeros)), zeros)), "an object of more than 256 MiB"},
		"an object that says to be large": {canned(packOf1(packHead(blob, 1<<40), nil)), "an object of more than 256 MiB"},
		"a delta of much":                 {canned(packOf1(append(packHead(deltaOfID, len(delta)), make([]byte, 20)...), delta)), "an object of more than 256 MiB"},
		"a pack without end":              {endless("0008NAK\n"+string(packets([]byte("PACK\x00\x00\x00\x02\x00\x00\x00\x01"))[8:25]), string(packets(make([]byte, 50_000))[8:50_013])), "a pack of more than"},
		"acknowledgements without end":    {endless("", fmt.Sprintf("003aACK %040d continue\n", 1)), "a list of refs of more than 64 MiB"},
		"messages without end":            {endless("0008NAK\n", "0009\x02hey!"), "a pack of more than"},
		"more objects than bytes":         {canned(append([]byte("PACK\x00\x00\x00\x02\xff\xff\xff\xff"), sha1Of([]byte("PACK\x00\x00\x00\x02\xff\xff\xff\xff"))...)), "promises 4294967295 objects"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newShell(t)
			first := s.commit(bob, "Begin", "topologies/a.yaml", doc("orders", 1))
			remote, url := newFaultyRemote(t, s)
			r := s.openWith(Config{URL: url, Ref: "main", CacheDir: t.TempDir(), Tell: func(text string) { t.Error(text) }})
			r.copied.files.most = 20 << 20
			s.commit(bob, "More", "topologies/a.yaml", doc("orders", 2))
			remote.set(c.bad)
			err := r.Fetch(t.Context())
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
			if wants := errors.Is(err, ErrRemoteTooLarge); wants == strings.Contains(c.want, "promises") {
				t.Errorf("%v is too large: %t", err, wants)
			}
			if got := changeOf(t, r, "orders"); got.Commit != first {
				t.Errorf("governed by %s, want %s", got.Commit, first)
			}
			if n := highest(t); n > 1<<30 {
				t.Errorf("%d MiB were taken", n>>20)
			}
		})
	}
}

// highest is how much memory was in use at once.
func highest(t *testing.T) uint64 {
	t.Helper()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapSys
}

// TestListOfRefsWithoutEnd has a remote list refs for ever.
func TestListOfRefsWithoutEnd(t *testing.T) {
	var sent atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/x-git-upload-pack-advertisement")
		fmt.Fprint(w, "001e# service=git-upload-pack\n0000")
		for i := 0; ; i++ {
			var lines bytes.Buffer
			for j := range 1000 {
				line := fmt.Sprintf("%040x refs/heads/%010d-%s%s\n", i*1000+j+1, i*1000+j, strings.Repeat("x", 900), map[bool]string{true: "\x00ofs-delta"}[i+j == 0])
				fmt.Fprintf(&lines, "%04x%s", len(line)+4, line)
			}
			n, err := w.Write(lines.Bytes())
			if sent.Add(int64(n)); err != nil {
				return
			}
		}
	}))
	t.Cleanup(server.Close)
	begin := time.Now()
	_, err := Open(t.Context(), Config{URL: server.URL + "/x.git"})
	if !errors.Is(err, ErrRemoteTooLarge) || !strings.Contains(err.Error(), "a list of refs of more than 64 MiB") {
		t.Errorf("got %v", err)
	}
	server.CloseClientConnections()
	if n := sent.Load(); n > 2*maxRefs {
		t.Errorf("%d bytes were taken in %s", n, time.Since(begin))
	}
}
