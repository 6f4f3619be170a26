package gitsource

import (
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"

	"milvus-reconcile/reconcile/approval"
)

// parseAllowedSigners reads an allowed_signers file (ssh-keygen(1), ALLOWED
// SIGNERS). An unreadable line, or one that can never match an approval, is an error:
// skipped silently, it would deny an approver during an incident.
func parseAllowedSigners(data []byte) ([]signerLine, error) {
	var out []signerLine
	var problems []error
	n := 0
	for line := range strings.Lines(string(data)) {
		n++
		line = strings.Trim(line, " \t\r\n") // as ssh has it: no other space is one
		if line == "" || line[0] == '#' {
			continue
		}
		l, err := parseSignerLine(line)
		if err != nil {
			problems = append(problems, fmt.Errorf("allowed signers, line %d: %w%s", n, err, oddCharacterIn(line, err)))
			continue
		}
		l.ID = fmt.Sprintf("allowed_signers:%d", n)
		out = append(out, l)
	}
	return out, errors.Join(problems...)
}

// oddCharacterIn names the first confusable character before the comment of a faulty
// line, unless err names it.
func oddCharacterIn(line string, err error) string {
	if errors.Is(err, errPrincipal) {
		return ""
	}
	n := 0
	for word := range strings.FieldsFuncSeq(line, func(r rune) bool { return r == ' ' || r == '\t' }) {
		n++
		if problem := approval.CheckCharacters(word); problem != "" {
			return fmt.Sprintf("; of its word %d, %+q, %s", n, word, problem)
		}
		if strings.HasPrefix(word, "AAAA") { // as every key does
			break
		}
	}
	return ""
}

// errPrincipal marks a word that can never match, whose error says why.
var errPrincipal = errors.New("can never match")

// parseSignerLine reads "principals [options] type key [comment]".
func parseSignerLine(line string) (signerLine, error) {
	principals, rest, err := nextField(line)
	if err != nil {
		return signerLine{}, err
	}
	var l signerLine
	l.Patterns, err = parsePatterns(principals)
	if err != nil {
		return signerLine{}, err
	}
	if !l.CanMatch() {
		return signerLine{}, fmt.Errorf("%+q can never be the e-mail of an approval: write it as alice@example.com", principals)
	}
	l.Wildcard = slices.ContainsFunc(l.Patterns, approval.IsWildcard)
	field, rest := nextWord(rest)
	if !isKeyType(field) {
		if err := l.parseOptions(field); err != nil {
			return signerLine{}, err
		}
		field, rest = nextWord(rest)
	}
	encoded, _ := nextWord(rest)
	l.key, err = parseSignerKey(field, encoded)
	return l, err
}

// nextField cuts the principals off, which may be quoted.
func nextField(line string) (field, rest string, err error) {
	if !strings.HasPrefix(line, `"`) {
		field, rest = nextWord(line)
		return field, rest, nil
	}
	field, rest, ok := strings.Cut(line[1:], `"`)
	if !ok {
		return "", "", errors.New("a quote is not closed")
	}
	return field, strings.TrimLeft(rest, " \t"), nil
}

// nextWord cuts the text before the next blank outside quotes off.
func nextWord(s string) (word, rest string) {
	quoted := false
	for i := range len(s) {
		switch {
		case s[i] == '"':
			quoted = !quoted
		case !quoted && (s[i] == ' ' || s[i] == '\t'):
			return s[:i], strings.TrimLeft(s[i:], " \t")
		}
	}
	return s, ""
}

func parsePatterns(list string) ([]string, error) {
	patterns := strings.Split(list, ",")
	for _, p := range patterns {
		if strings.TrimPrefix(p, "!") == "" {
			return nil, errors.New("a principal is empty: write ',' between several, without spaces")
		}
		if problem := approval.CheckPrincipal(strings.TrimPrefix(p, "!")); problem != "" {
			return nil, fmt.Errorf("the principal %+q %w: %s", p, errPrincipal, problem)
		}
	}
	return patterns, nil
}

func isKeyType(s string) bool {
	return slices.Contains([]string{
		ssh.KeyAlgoRSA, ssh.KeyAlgoED25519, ssh.KeyAlgoECDSA256, ssh.KeyAlgoECDSA384,
		ssh.KeyAlgoECDSA521, ssh.KeyAlgoSKED25519, ssh.KeyAlgoSKECDSA256,
	}, s)
}

func parseSignerKey(kind, encoded string) (ssh.PublicKey, error) {
	if !isKeyType(kind) {
		return nil, fmt.Errorf("%+q is not a type of key that may sign", kind)
	}
	raw, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil || encoded == "" {
		return nil, errors.New("the key is not base64")
	}
	key, err := ssh.ParsePublicKey(raw)
	if err != nil {
		return nil, fmt.Errorf("the key cannot be read: %w", err)
	}
	if key.Type() != kind {
		return nil, fmt.Errorf("the key is of type %s, and the line says %s", key.Type(), kind)
	}
	if problem := weakKey(key); problem != "" {
		return nil, errors.New(problem)
	}
	return key, nil
}

// parseOptions reads cert-authority, namespaces, valid-after and valid-before.
func (l *signerLine) parseOptions(s string) error {
	seen := map[string]bool{}
	for _, option := range splitOptions(s) {
		name, value, hasValue := strings.Cut(option, "=")
		name = strings.ToLower(name)
		if seen[name] {
			return fmt.Errorf("option %s appears twice", name)
		}
		seen[name] = true
		if err := l.setOption(name, value, hasValue); err != nil {
			return err
		}
	}
	if !l.ValidAfter.IsZero() && !l.ValidBefore.IsZero() && !l.ValidAfter.Before(l.ValidBefore) {
		return errors.New("valid-before is not later than valid-after")
	}
	return nil
}

func (l *signerLine) setOption(name, value string, hasValue bool) (err error) {
	if name == "cert-authority" && !hasValue {
		l.CertAuthority = true
		return nil
	}
	text, ok := strings.CutPrefix(value, `"`)
	text, closed := strings.CutSuffix(text, `"`)
	if !ok || !closed || text == "" {
		return fmt.Errorf("%+q is not an option; known are cert-authority, namespaces=\"…\", valid-after=\"…\", valid-before=\"…\"", name)
	}
	switch name {
	case "namespaces":
		l.Namespaces, err = parseNamespaces(text)
	case "valid-after":
		l.ValidAfter, err = parseSSHTime(text)
	case "valid-before":
		l.ValidBefore, err = parseSSHTime(text)
	default:
		return fmt.Errorf("option %+q is not known", name)
	}
	return err
}

func parseNamespaces(list string) ([]string, error) {
	out := strings.Split(list, ",")
	for _, n := range out {
		if n == "" {
			return nil, errors.New("a namespace is empty")
		}
		if problem := approval.CheckPrincipal(n); problem != "" {
			return nil, fmt.Errorf("the namespace %+q %w: %s", n, errPrincipal, problem)
		}
	}
	return out, nil
}

// splitOptions splits at commas outside quotes.
func splitOptions(s string) []string {
	var out []string
	quoted, start := false, 0
	for i := range len(s) {
		switch {
		case s[i] == '"':
			quoted = !quoted
		case s[i] == ',' && !quoted:
			out = append(out, s[start:i])
			start = i + 1
		}
	}
	return append(out, s[start:])
}

// parseSSHTime reads YYYYMMDD[Z] or YYYYMMDDHHMM[SS][Z]; without Z it is in
// the system's time zone, as ssh-keygen has it.
func parseSSHTime(s string) (time.Time, error) {
	digits, utc := strings.CutSuffix(s, "Z")
	zone := time.Local
	if utc {
		zone = time.UTC
	}
	layouts := map[int]string{8: "20060102", 12: "200601021504", 14: "20060102150405"}
	layout, ok := layouts[len(digits)]
	if ok && strings.Trim(digits, "0123456789") == "" {
		if t, err := time.ParseInLocation(layout, digits, zone); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, fmt.Errorf("%+q is not a time as 20060102 or 200601021504[05], with Z for UTC", s)
}
