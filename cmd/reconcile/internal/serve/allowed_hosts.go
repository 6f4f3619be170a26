package serve

import (
	"net"
	"net/http"
	"slices"
	"strings"
)

// openToAnyHost are the paths that answer under every name: a probe tells its reason
// only under a known one, and a push is signed.
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

// probe answers whether all is well, and the reason why not only to who asks under a
// known name: it may name a cluster, a repository or a file.
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
