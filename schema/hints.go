package schema

import (
	"fmt"
	"slices"
	"strings"

	"milvus-reconcile/plan/suggest"
)

// roleWords maps the words that people use for a role to ours.
var roleWords = map[string]string{
	"secondary": "standby", "replica": "standby", "follower": "standby", "slave": "standby",
	"backup": "standby", "target": "standby", "passive": "standby", "readonly": "standby", "mirror": "standby",
	"leader": "primary", "master": "primary", "main": "primary", "source": "primary",
	"active": "primary", "writer": "primary", "principal": "primary",
	"failed": "stale", "dead": "stale", "lost": "stale", "fenced": "stale",
	"removed": "detached", "standalone": "detached", "independent": "detached",
}

// choiceHint proposes the nearest allowed word.
func choiceHint(value any, allowed []string, otherwise string) string {
	s, ok := value.(string)
	if !ok {
		return otherwise
	}
	word := strings.ToLower(strings.TrimSpace(s))
	if role := roleWords[word]; slices.Contains(allowed, role) {
		return fmt.Sprintf("did you mean %s?", role)
	}
	if near := suggest.Nearest(word, allowed); near != "" {
		return fmt.Sprintf("did you mean %s?", near)
	}
	return otherwise
}

var (
	secretWords  = []string{"token", "password", "passwd", "secret", "apikey", "credential", "username", "privatekey", "tls", "cert"}
	commandWords = []string{"command", "exec", "script", "shell", "hook", "webhook", "run"}
	edgeWords    = []string{"edges", "topology", "replicatesfrom", "replicatesto", "source", "target", "crossclustertopology"}
)

// unknownKeyHint says what to do with a key that a mapping does not have.
func unknownKeyHint(key string, allowed []string) string {
	slices.Sort(allowed)
	word := strings.ToLower(strings.NewReplacer("_", "", "-", "").Replace(key))
	if near := suggest.Nearest(word, allowed); near != "" {
		return fmt.Sprintf("did you mean %s?", near)
	}
	switch {
	case slices.Contains(allowed, word+"From"):
		return fmt.Sprintf("only references to secrets belong here: use %sFrom: {env: NAME} or {file: PATH}", word)
	case slices.Contains(allowed, "clientAddress") && word == "address":
		return "use clientAddress"
	case slices.Contains(edgeWords, word):
		return "remove it: the edges follow from the roles, each standby replicates from the primary"
	case containsAny(word, secretWords):
		return "remove it: secrets and credentials never stand in this place; the operator's configuration refers to them as {env: NAME} or {file: PATH}"
	case containsAny(word, commandWords):
		return "remove it: commands and hooks have no place here; the operator's configuration names them under redirect"
	case len(allowed) == 0:
		return "remove it"
	}
	return "remove it; known here: " + strings.Join(allowed, ", ")
}

func containsAny(word string, parts []string) bool {
	return slices.ContainsFunc(parts, func(p string) bool { return strings.Contains(word, p) })
}
