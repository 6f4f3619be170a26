package approval

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"milvus-reconcile/plan"
)

// Target is what an approval names: a topology, and the cluster that is to be
// its primary after the change.
type Target struct {
	Topology string
	Cluster  string
}

// String gives the form of the trailer.
func (t Target) String() string { return t.Topology + "/" + t.Cluster }

// Claim is what the failover trailers of one message say.
type Claim struct {
	Approved    []Target // for a site: what its moves make the primaries
	Site        Site     // zero: topologies are approved, and no site
	By          Person
	Reason      string
	Repository  string    // for which it is given; empty: any
	Expires     time.Time // zero: only the policy's age
	Plans       []string  // digests; each must be the plan's
	Accept      []plan.Code
	MaxDataLoss *time.Duration // nil: not bounded
	// Replay is the digest of the replay of lost rows that this approves, and nothing
	// else; empty: it approves a change, and no replay.
	Replay string
}

// ErrNoClaim is returned for a message that has no failover trailer at all.
var ErrNoClaim = errors.New("the message has no failover trailer")

// blank holds git's white space (sane_ctype of ctype.c, git 2.39). A line with only a
// vertical tab or a form feed does not end a paragraph.
const blank = " \t\r\n"

// maxMessage bounds what is parsed; a longer message claims nothing.
const maxMessage = 512 << 10

// ParseTrailers reads the failover trailers of a message: its last paragraph,
// after at least one other, made of trailers only, with exact keys and no
// folded lines. ErrNoClaim: the message has no failover trailer; any other error: its
// failover trailers differ from the contract.
func ParseTrailers(message string) (Claim, error) {
	if !mentionsFailover(message) {
		return Claim{}, ErrNoClaim
	}
	if len(message) > maxMessage {
		return Claim{}, fmt.Errorf("the message is longer than %d bytes", maxMessage)
	}
	if !utf8.ValidString(message) {
		return Claim{}, errors.New("the message is not UTF-8")
	}
	paragraph, err := lastParagraph(message)
	if err != nil {
		return Claim{}, err
	}
	return parseParagraph(paragraph)
}

// mentionsFailover reports whether a line resembles one of our trailers, in any case and
// place, so that it is refused and not skipped.
func mentionsFailover(message string) bool {
	for line := range strings.Lines(message) {
		if isFailoverLine(strings.TrimRight(line, "\r\n")) {
			return true
		}
	}
	return false
}

func isFailoverLine(line string) bool {
	key, _, ok := strings.Cut(line, ":")
	return ok && hasFailoverPrefix(key)
}

func hasFailoverPrefix(key string) bool {
	const prefix = "failover-"
	return len(key) >= len(prefix) && strings.EqualFold(key[:len(prefix)], prefix)
}

// lastParagraph returns the lines of the last paragraph, and refuses failover
// trailers that stand outside it. The first paragraph is the title.
func lastParagraph(message string) ([]string, error) {
	lines := strings.Split(strings.TrimRight(message, blank), "\n")
	start := len(lines)
	for start > 0 && strings.Trim(lines[start-1], blank) != "" {
		start--
	}
	for i, line := range lines[:start] {
		if isFailoverLine(line) {
			return nil, fmt.Errorf("line %d, %+q, is outside the last paragraph", i+1, clip(line))
		}
	}
	if strings.Trim(strings.Join(lines[:start], ""), blank) == "" {
		return nil, errors.New("the trailers are in the first paragraph: put a title and an empty line before them")
	}
	return lines[start:], nil
}

// parseParagraph reads a paragraph in which every line must be a trailer.
func parseParagraph(lines []string) (Claim, error) {
	var c Claim
	seen := map[string]bool{}
	for _, line := range lines {
		key, value, err := splitTrailer(line)
		if err != nil {
			return Claim{}, err
		}
		if !hasFailoverPrefix(key) {
			continue
		}
		if seen[key] && !slices.Contains(repeatable, key) {
			return Claim{}, fmt.Errorf("%s appears twice", key)
		}
		seen[key] = true
		if err := c.set(key, value); err != nil {
			return Claim{}, err
		}
	}
	if err := c.completeSite(); err != nil {
		return Claim{}, err
	}
	return c, c.check()
}

// splitTrailer splits a line into key and value. The key is of letters,
// digits and hyphens, directly followed by a colon and a space.
func splitTrailer(line string) (key, value string, err error) {
	key, value, ok := strings.Cut(line, ":")
	if !ok || key == "" || strings.Trim(key, keyChars) != "" {
		return "", "", fmt.Errorf("the last paragraph holds a line that is not a trailer: %+q", clip(line))
	}
	if !hasFailoverPrefix(key) {
		return key, strings.TrimSpace(value), nil
	}
	trimmed, ok := strings.CutPrefix(value, " ")
	if trimmed = strings.Trim(trimmed, " \t\r"); !ok || trimmed == "" {
		return "", "", fmt.Errorf("%s needs a space and a value after its colon", key)
	}
	if !printable(trimmed) {
		return "", "", fmt.Errorf("%s holds characters that cannot be shown as they are: %+q", key, clip(trimmed))
	}
	return key, trimmed, nil
}

// check holds the rules between the trailers of one claim.
func (c Claim) check() error {
	switch {
	case len(c.Approved) == 0:
		return fmt.Errorf("%s is missing", KeyApproved)
	case c.By == Person{}:
		return fmt.Errorf("%s is missing", KeyBy)
	case c.Reason == "":
		return fmt.Errorf("%s is missing", KeyReason)
	case c.Site.Name == "" && len(c.Approved) > 1 && (len(c.Plans) > 0 || len(c.Accept) > 0 || c.MaxDataLoss != nil):
		return fmt.Errorf("an approval of several topologies may have no %s, %s or %s", KeyPlan, KeyAccept, KeyMaxDataLoss)
	case c.Replay != "" && (len(c.Approved) > 1 || len(c.Plans) > 0 || len(c.Accept) > 0 || c.MaxDataLoss != nil):
		return fmt.Errorf("an approval of a replay names one topology, and has no %s, %s or %s", KeyPlan, KeyAccept, KeyMaxDataLoss)
	}
	return nil
}

// target returns what the claim says about a topology.
func (c Claim) target(topology string) (Target, bool) {
	for _, t := range c.Approved {
		if t.Topology == topology {
			return t, true
		}
	}
	return Target{}, false
}

func clip(s string) string {
	const limit = 80
	if len(s) <= limit {
		return s
	}
	return strings.ToValidUTF8(s[:limit], "") + "…"
}

// parsed keeps what messages say. A site's approval is long, and is judged for each of its
// topologies.
var parsed struct {
	sync.Mutex
	claims map[string]parsedClaim
}

type parsedClaim struct {
	claim Claim
	err   error
}

// Messages of a length that takes a while to parse are kept, and few of them.
const (
	parsesSlowly = 4 << 10
	maxParsed    = 16
)

// claimOf is ParseTrailers, and remembers the answer for a long message. Nobody changes a claim
// that it returns.
func claimOf(message string) (Claim, error) {
	if len(message) < parsesSlowly {
		return ParseTrailers(message)
	}
	parsed.Lock()
	defer parsed.Unlock()
	known, ok := parsed.claims[message]
	if !ok {
		known.claim, known.err = ParseTrailers(message)
		if parsed.claims == nil || len(parsed.claims) >= maxParsed {
			parsed.claims = map[string]parsedClaim{}
		}
		parsed.claims[message] = known
	}
	return known.claim, known.err
}
