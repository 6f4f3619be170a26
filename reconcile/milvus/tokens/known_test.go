package tokens

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"milvus-reconcile/reconcile/foreign"
)

func TestScrub(t *testing.T) {
	var s Known
	s.Add("")
	s.Add("root:correct horse")
	s.Add("key-1234")
	basic := base64.StdEncoding.EncodeToString([]byte("root:correct horse"))
	cases := map[string]struct{ in, want string }{
		"nothing":              {"refused", "refused"},
		"the token":            {"bad root:correct horse!", "bad [token]!"},
		"as it was sent":       {"header " + basic, "header [token]"},
		"its password":         {"user root, correct horse", "user root, [token]"},
		"an API key, twice":    {"key-1234 key-1234", "[token] [token]"},
		"several lines as one": {"a\n\tb", "a b"},
		"more than is kept":    {strings.Repeat("x", 2*foreign.Longest), strings.Repeat("x", foreign.Longest) + "…"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if got := s.Scrub(c.in); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
	err := s.Err(fmt.Errorf("call: %w", status.Error(codes.PermissionDenied, "no, key-1234")))
	if strings.Contains(fmt.Sprintf("%+v", err), "key-1234") || status.Code(err) != codes.PermissionDenied || errors.Unwrap(err) != nil {
		t.Error(err)
	}
}
