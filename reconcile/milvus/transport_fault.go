package milvus

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"strings"
	"time"
)

// transportFault is why no transport was made, in words that an operator knows.
type transportFault struct {
	words string
	cause error
}

// Error returns the words.
func (e transportFault) Error() string { return e.words }

// Unwrap returns the error of gRPC.
func (e transportFault) Unwrap() error { return e.cause }

// explained returns the error of a call that got no transport, with its cause in words.
func explained(err error, seen attempt) error {
	words := ""
	switch {
	case seen.dial != nil:
	case seen.handshake != nil && !isTimeout(seen.handshake):
		words = "TLS fails: " + handshakeWords(seen.handshake)
	case refusesOurs(seen.broken):
		words = "TLS fails: it does not accept our client certificate (" + seen.broken.Error() + "; hint: tls.certFile of its credential)"
	case seen.garbage:
		words = "what answers there does not speak gRPC (hint: is the port right, and is tls in its credential where it speaks TLS?)"
	case seen.broken != nil && !isTimeout(seen.broken):
		words = "it ends the connection before a word of gRPC (hint: is the port right, and is tls in its credential where it speaks TLS?)"
	}
	if words == "" {
		return err
	}
	return transportFault{words: words, cause: err}
}

// handshakeWords says why a TLS handshake failed. The words of one cause do not change with
// the time, so that a log can tell whether it is the same.
func handshakeWords(err error) string {
	var (
		authority x509.UnknownAuthorityError
		name      x509.HostnameError
		invalid   x509.CertificateInvalidError
		record    tls.RecordHeaderError
	)
	switch {
	case errors.As(err, &authority):
		return "its certificate is signed by an authority that is not trusted (hint: tls.caFile of its credential)"
	case errors.As(err, &name):
		return "its certificate has another name (" + name.Error() + "; hint: tls.serverName of its credential)"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired && invalid.Cert != nil && time.Now().Before(invalid.Cert.NotBefore):
		return "its certificate, or one above it, is valid only from " + invalid.Cert.NotBefore.UTC().Format(time.RFC3339) + " on (hint: are the clocks right?)"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired && invalid.Cert != nil:
		return "its certificate, or one above it, expired at " + invalid.Cert.NotAfter.UTC().Format(time.RFC3339) + " (hint: renew it)"
	case errors.As(err, &record):
		return "it does not speak TLS there (hint: is the port right, and does the cluster have TLS? Else leave tls out of its credential)"
	case refusesOurs(err):
		return "it does not accept our client certificate (" + err.Error() + "; hint: tls.certFile of its credential)"
	default:
		return err.Error()
	}
}

// refusesOurs says whether the other side ended TLS because of our certificate.
func refusesOurs(err error) bool {
	if err == nil || !strings.Contains(err.Error(), "remote error: tls: ") {
		return false
	}
	for _, alert := range []string{"certificate", "unknown certificate authority", "access denied"} {
		if strings.Contains(err.Error(), alert) {
			return true
		}
	}
	return false
}
