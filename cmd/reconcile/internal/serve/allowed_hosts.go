package serve

import (
	"net"
	"net/http"
	"slices"
	"strings"
)

// openToAnyHost lists the paths that answer under every host name. A probe gives its
// reason only under a known name, and a push is signed.
var openToAnyHost = []string{"/healthz", "/readyz", "/webhook/git"}

// knownHosts refuses requests under a host name that the configuration does not list.
// Otherwise a foreign page whose DNS name resolves to this server (DNS rebinding) could
// read it through a browser. An IP address is safe, since DNS cannot redirect it.
func knownHosts(names []string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !slices.Contains(openToAnyHost, r.URL.Path) && !hostKnown(names, r.Host) {
			answer(w, http.StatusMisdirectedRequest, "this server is not known under the name in the request; add it to serve.hosts in the operator's configuration, or use the address")
			return
		}
		next.ServeHTTP(w, r)
	})
}

// hostKnown reports whether a Host header is an IP address, localhost, or one of the
// names.
func hostKnown(names []string, header string) bool {
	host := header
	if h, _, err := net.SplitHostPort(header); err == nil {
		host = h
	}
	host = strings.ToLower(strings.TrimSuffix(strings.Trim(host, "[]"), "."))
	return net.ParseIP(host) != nil || host == "localhost" || slices.ContainsFunc(names, func(n string) bool { return n != "" && strings.ToLower(strings.TrimSuffix(n, ".")) == host })
}

// probe answers 200 or 503. It gives the reason only to requests under a known host name,
// since the reason may name a cluster, a repository or a file.
func probe(names []string, well, ill string, why func() error, note func() string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		err := why()
		switch {
		case err == nil && hostKnown(names, r.Host) && note != nil && note() != "":
			answer(w, http.StatusOK, well+"; "+note())
		case err == nil:
			answer(w, http.StatusOK, well)
		case hostKnown(names, r.Host):
			answer(w, http.StatusServiceUnavailable, err.Error())
		default:
			answer(w, http.StatusServiceUnavailable, ill)
		}
	})
}
