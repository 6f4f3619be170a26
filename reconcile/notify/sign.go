package notify

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// The headers of a signed request.
const (
	HeaderTimestamp   = "X-Reconcile-Timestamp" // Unix seconds of this attempt
	HeaderSignature   = "X-Reconcile-Signature" // sha256=<hex HMAC of timestamp "." body>
	HeaderIdempotency = "Idempotency-Key"       // the event's id, the same at every attempt
)

// Tolerance is how old a signed request may be for [Verify] to accept it.
const Tolerance = 5 * time.Minute

// ErrSignature marks a request that does not prove its sender.
var ErrSignature = errors.New("the signature is not valid")

func signature(secret, timestamp string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(timestamp + "."))
	mac.Write(body)
	return "sha256=" + hex.EncodeToString(mac.Sum(nil))
}

// Sign sets the timestamp and the signature of a request with this body.
func Sign(h http.Header, secret string, body []byte, now time.Time) {
	timestamp := strconv.FormatInt(now.Unix(), 10)
	h.Set(HeaderTimestamp, timestamp)
	h.Set(HeaderSignature, signature(secret, timestamp, body))
}

// Verify checks a received request: the signature must be that of its
// timestamp and body, and the timestamp within [Tolerance] of now, so that an
// old request cannot be played again. Within that time a receiver tells
// repetitions by the Idempotency-Key. An empty secret proves nothing.
func Verify(h http.Header, secret string, body []byte, now time.Time) error {
	timestamp := h.Get(HeaderTimestamp)
	seconds, err := strconv.ParseInt(timestamp, 10, 64)
	if err != nil || secret == "" {
		return fmt.Errorf("%w: it has no timestamp, or there is no secret to check it with", ErrSignature)
	}
	if age := now.Sub(time.Unix(seconds, 0)); age > Tolerance || age < -Tolerance {
		return fmt.Errorf("%w: it was made %s ago", ErrSignature, age)
	}
	got := strings.ToLower(h.Get(HeaderSignature))
	if !hmac.Equal([]byte(got), []byte(signature(secret, timestamp, body))) {
		return fmt.Errorf("%w: it does not fit the body", ErrSignature)
	}
	return nil
}
