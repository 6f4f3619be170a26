// Package tokens hides the tokens that this process used in every text that a server or a
// library makes.
package tokens

import (
	"errors"
	"slices"
	"strings"
	"sync"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/foreign"
)

// Known are the tokens that were used. No text that a server or a library makes may
// carry one out. The zero value knows none.
type Known struct {
	mu     sync.Mutex
	tokens map[string]struct{}
	forms  formIndex                // every form of them
	public map[string]plan.Topology // by name: what their documents say is no secret
}

// Add adds a token.
func (s *Known) Add(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, known := s.tokens[token]; known || token == "" {
		return
	}
	if s.tokens == nil {
		s.tokens = map[string]struct{}{}
	}
	s.tokens[token] = struct{}{}
	for _, form := range foreign.Forms(token) {
		s.forms.add(form)
	}
}

// Count is how many tokens are known. It grows only.
func (s *Known) Count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.tokens)
}

// Learn adds a token if it can be read now. An error is reported when the token is used.
func (s *Known) Learn(read func() (string, error)) {
	if read == nil {
		return
	}
	if token, err := read(); err == nil {
		s.Add(token)
	}
}

// Publish says that what a document contains is no secret. Otherwise a password that is
// part of a cluster's name would make that cluster unreadable.
func (s *Known) Publish(t plan.Topology) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.public == nil {
		s.public = map[string]plan.Topology{}
	}
	s.public[t.Name] = t
}

// HoldsToken says whether a value holds a token that no document contains anyway.
func (s *Known) HoldsToken(value string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for secret := range s.forms.in(value) {
		if !s.inDocument(secret) {
			return true
		}
	}
	return false
}

// inDocument says whether a document contains a secret.
func (s *Known) inDocument(secret string) bool {
	holds := func(name string) bool { return strings.Contains(name, secret) }
	for _, t := range s.public {
		for _, c := range t.Clusters {
			if holds(c.ID) || holds(c.URI) || slices.ContainsFunc(c.PChannels, holds) {
				return true
			}
		}
	}
	return false
}

// Hide returns the text in UTF-8 and without tokens.
func (s *Known) Hide(text string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	found := slices.Collect(s.forms.in(text))
	slices.SortFunc(found, func(a, b string) int { return len(b) - len(a) }) // a token may hold another
	return foreign.Hide(text, found)
}

// Scrub returns the text as one line, bounded and without tokens.
func (s *Known) Scrub(text string) string { return foreign.Line(s.Hide(text)) }

// scrubbed is an error whose text and chain hold no token. The original is dropped,
// because it would print one; its gRPC code is kept.
type scrubbed struct {
	text string
	code codes.Code
}

// Error returns the text.
func (e scrubbed) Error() string { return e.text }

// GRPCStatus lets status.Code find the code.
func (e scrubbed) GRPCStatus() *status.Status { return status.New(e.code, e.text) }

// WithoutTokens returns the error of a call without tokens. It keeps all other words: they are
// used to judge the server.
func (s *Known) WithoutTokens(err error) error {
	if said, is := status.FromError(err); err != nil && is {
		return status.Error(said.Code(), s.Hide(said.Message())) //nolint:wrapcheck // it is the error of the call
	}
	return err
}

// Err returns an error that keeps the code of a call and one line of its text, without
// tokens. nil: nil.
func (s *Known) Err(err error) error {
	if err == nil {
		return nil
	}
	return scrubbed{text: s.Scrub(Text(err)), code: status.Code(err)}
}

// Text returns the text of an error without what gRPC puts around it. An error that has
// Words says it all by them.
func Text(err error) string {
	var worded interface{ Words() string }
	if errors.As(err, &worded) {
		return worded.Words()
	}
	if s, ok := status.FromError(err); ok {
		return s.Code().String() + ": " + s.Message()
	}
	return err.Error()
}
