package milvus

import (
	"encoding/base64"
	"slices"
	"strings"
	"sync"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// secrets are the tokens that were used, so that no text that a server or a
// library makes can carry one out.
type secrets struct {
	mu     sync.Mutex
	tokens map[string]struct{}
	known  []string // every form of them, longest first: a token may hold another
}

// shortestPassword is the shortest password that is searched for on its own.
// Shorter ones are words that stand in every second message.
const shortestPassword = 8

// maxText bounds what is kept of a server's words.
const maxText = 400

func (s *secrets) add(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, known := s.tokens[token]; known || token == "" {
		return
	}
	if s.tokens == nil {
		s.tokens = map[string]struct{}{}
	}
	s.tokens[token] = struct{}{}
	forms := []string{token, base64.StdEncoding.EncodeToString([]byte(token))}
	if _, password, ok := strings.Cut(token, ":"); ok && len(password) >= shortestPassword {
		forms = append(forms, password)
	}
	for _, form := range forms {
		if !slices.Contains(s.known, form) {
			s.known = append(s.known, form)
		}
	}
	slices.SortFunc(s.known, func(a, b string) int { return len(b) - len(a) })
}

// scrub returns the text as one line, bounded and without tokens.
func (s *secrets) scrub(text string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	fits, _ := slices.BinarySearchFunc(s.known, len(text), func(secret string, n int) int { return n - len(secret) })
	for _, secret := range s.known[fits:] {
		text = strings.ReplaceAll(text, secret, "[token]")
	}
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > maxText {
		text = strings.ToValidUTF8(text[:maxText], "") + "…"
	}
	return text
}

// scrubbed is an error whose text and chain hold no token: the original is
// not kept, since it would print one. Its gRPC code is.
type scrubbed struct {
	text string
	code codes.Code
}

// Error returns the text.
func (e scrubbed) Error() string { return e.text }

// GRPCStatus lets status.Code find the code.
func (e scrubbed) GRPCStatus() *status.Status { return status.New(e.code, e.text) }

func (s *secrets) err(err error) error {
	if err == nil {
		return nil
	}
	return scrubbed{text: s.scrub(words(err)), code: status.Code(err)}
}
