package gitsource

import (
	"strings"
	"testing"
)

func TestParseLocation(t *testing.T) {
	for raw, want := range map[string]location{
		"/srv/topologies":             {path: "/srv/topologies"},
		"./here":                      {path: "./here"},
		"file:///srv/topologies":      {path: "/srv/topologies"},
		"file://localhost/srv/x":      {path: "/srv/x"},
		"https://git.example/x.git":   {transport: transportHTTP, url: "https://git.example/x.git"},
		"http://127.0.0.1:80/x":       {transport: transportHTTP, url: "http://127.0.0.1:80/x"},
		"ssh://git@git.example:22/x":  {transport: transportSSH, url: "ssh://git@git.example:22/x"},
		"git@git.example:x/y.git":     {transport: transportSSH, url: "git@git.example:x/y.git"},
		"./git@git.example:x":         {path: "./git@git.example:x"},
		"C:stuff":                     {path: "C:stuff"},
		"https://user@git.example/x/": {transport: transportHTTP, url: "https://user@git.example/x/"},
	} {
		if got, err := parseLocation(raw); err != nil || got != want {
			t.Errorf("%s: %+v, %v", raw, got, err)
		}
	}
	for name, raw := range map[string]string{
		"nothing":                 "",
		"an option":               "--upload-pack=touch x",
		"an option as host":       "ssh://-oProxyCommand=x/y",
		"a line break":            "https://git.example/x\ny",
		"git's own protocol":      "git://git.example/x",
		"plain http":              "http://git.example/x",
		"a host like loopback":    "http://127.0.0.1.example/x",
		"a program":               "ext::sh -c x://y",
		"a password":              "https://u:s3cret@git.example/x",
		"a password, unreadable":  "https://u:s3cret@git.example:port/x",
		"no host":                 "https:///x",
		"no path":                 "https://git.example/",
		"a file of another host":  "file://other/x",
		"a file URL without path": "file://",
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := parseLocation(raw); err == nil || strings.Contains(err.Error(), "s3cret") {
				t.Errorf("%+v, %v", got, err)
			}
		})
	}
}

func TestCleanPath(t *testing.T) {
	for raw, want := range map[string]string{"": "", ".": "", "./": "", "topologies": "topologies", "topologies/": "topologies", "./a//b/": "a/b", "a/../b": "b"} {
		if got, err := cleanPath(raw); err != nil || got != want {
			t.Errorf("%q: %q, %v", raw, got, err)
		}
	}
	for _, raw := range []string{"..", "../x", "/x", "a/../../x", "a\x00b"} {
		if got, err := cleanPath(raw); err == nil {
			t.Errorf("%q: %q", raw, got)
		}
	}
}

// FuzzParseLocation holds that no password gets through, and no option.
func FuzzParseLocation(f *testing.F) {
	f.Add("https://u:p@git.example/x")
	f.Add("git@git.example:x")
	f.Add("file:///x")
	f.Fuzz(func(t *testing.T, raw string) {
		l, err := parseLocation(raw)
		if err != nil {
			return
		}
		if strings.HasPrefix(l.url, "-") || strings.HasPrefix(l.path, "-") || l.url == "" && l.path == "" {
			t.Fatalf("%+v", l)
		}
	})
}
