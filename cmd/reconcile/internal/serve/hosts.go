package serve

import (
	"net"
	"net/http"
	"slices"
	"strings"
)

// openToAnyHost are the paths that answer under every name: probes say nothing of
// the topologies, and a push is signed.
var openToAnyHost = []string{"/healthz", "/readyz", "/webhook/git"}

// knownHosts refuses requests under a name that the operator did not give this
// server: a page of somebody else's, whose name is made to lead here (DNS
// rebinding), must not be able to read ours through a browser. An address is no
// name, so that it can be made to lead nowhere else.
func knownHosts(names []string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !slices.Contains(openToAnyHost, r.URL.Path) && !hostKnown(names, r.Host) {
			answer(w, http.StatusMisdirectedRequest, "this server is not known under the name in the request; add it to serve.hosts in the operator's configuration, or use the address")
			return
		}
		next.ServeHTTP(w, r)
	})
}

// hostKnown says whether a Host header names this server: by an address, as
// localhost, or by one of the names.
func hostKnown(names []string, header string) bool {
	host := header
	if h, _, err := net.SplitHostPort(header); err == nil {
		host = h
	}
	host = strings.ToLower(strings.TrimSuffix(strings.Trim(host, "[]"), "."))
	return net.ParseIP(host) != nil || host == "localhost" || slices.ContainsFunc(names, func(n string) bool { return n != "" && strings.ToLower(strings.TrimSuffix(n, ".")) == host })
}
