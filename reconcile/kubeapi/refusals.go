package kubeapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
)

// StatusError is a refusal by the API server: the request had no effect.
type StatusError struct {
	Code    int    // of HTTP
	Reason  string // as NotFound, AlreadyExists, Conflict, Forbidden
	Message string
}

// Error returns the text of the server.
func (e *StatusError) Error() string {
	if e.Message == "" {
		return fmt.Sprintf("%d %s", e.Code, http.StatusText(e.Code))
	}
	return fmt.Sprintf("%s (%d)", e.Message, e.Code)
}

// refusal reads the Status of an answer.
func refusal(res *http.Response, raw []byte) error {
	out := &StatusError{Code: res.StatusCode}
	var status struct{ Kind, Reason, Message string }
	if json.Unmarshal(raw, &status) == nil && status.Kind == "Status" {
		out.Reason, out.Message = status.Reason, status.Message
	}
	return out
}

// reasonOf returns the reason of a refusal; empty: err is none.
func reasonOf(err error) string {
	var e *StatusError
	if errors.As(err, &e) {
		return e.Reason
	}
	return ""
}

// IsNotFound reports that the server knows no such object. Only the server itself says so: a
// proxy's 404 has no reason.
func IsNotFound(err error) bool { return reasonOf(err) == "NotFound" }

// IsExists reports that there is an object of that name.
func IsExists(err error) bool { return reasonOf(err) == "AlreadyExists" }

// IsConflict reports that the object was changed since it was read.
func IsConflict(err error) bool { return reasonOf(err) == "Conflict" }

// IsForbidden reports that a role does not allow the request.
func IsForbidden(err error) bool { return reasonOf(err) == "Forbidden" }

// Refused reports that the server answered, and the request had no effect. A status from 500
// on does not say that: the server may time out after a write.
func Refused(err error) bool {
	var e *StatusError
	return errors.As(err, &e) && e.Code < http.StatusInternalServerError
}
