package approval

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"time"
	"unicode"

	"milvus-reconcile/plan"
)

// The keys of the failover trailers (contract.md §4).
const (
	KeyApproved    = "Failover-Approved"
	KeyBy          = "Failover-Approved-By"
	KeyReason      = "Failover-Reason"
	KeyRepository  = "Failover-Repository"
	KeyExpires     = "Failover-Expires"
	KeyPlan        = "Failover-Plan"
	KeyAccept      = "Failover-Accept"
	KeyMaxDataLoss = "Failover-Max-Data-Loss"
	KeyReplay      = "Failover-Replay"
	KeyCovers      = "Failover-Covers"
)

const keyChars = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-"

var repeatable = []string{KeyApproved, KeyPlan, KeyAccept, KeyCovers}

// form is a pattern that is compiled at its first use, since few commands need it.
type form = func() *regexp.Regexp

func formOf(pattern string) form {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(pattern) })
}

// The forms of values. A topology is a DNS-1123 label; a cluster id is as
// contract.md §2 says.
var (
	targetForm     = formOf(`^([a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)/([A-Za-z0-9][A-Za-z0-9._-]{0,62})$`)
	personForm     = formOf(`^([^<>]+) <([!-;=?A-~]+@[!-;=?A-~]+)>$`)
	repositoryForm = formOf(`^[A-Za-z0-9][A-Za-z0-9._/-]{0,199}$`)
	digestForm     = formOf(`^sha256:[0-9a-f]{64}$`)
	codeForm       = formOf(`^[A-Z][A-Z0-9_]{0,63}$`)
	lossForm       = formOf(`^([0-9]+(\.[0-9]+)?(ns|us|ms|s|m|h))+$`)
)

func (c *Claim) set(key, value string) (err error) {
	switch key {
	case KeyApproved:
		err = c.approve(value)
	case KeyBy:
		c.By, err = parsePerson(value)
	case KeyReason:
		c.Reason = value
	case KeyRepository:
		err = CheckRepository(value)
		c.Repository = value
	case KeyExpires:
		c.Expires, err = parseExpires(value)
	case KeyPlan:
		err = CheckDigest(value)
		c.Plans = append(c.Plans, value)
	case KeyAccept:
		err = requireForm(codeForm, value, "the code of a finding")
		c.Accept = append(c.Accept, plan.Code(value))
	case KeyCovers:
		err = c.cover(value)
	case KeyReplay:
		err = CheckDigest(value)
		c.Replay = value
	case KeyMaxDataLoss:
		c.MaxDataLoss, err = parseLoss(value)
	default:
		return fmt.Errorf("%s is not a trailer that we know", key)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", key, err)
	}
	return nil
}

func (c *Claim) approve(value string) error {
	if c.Site.Name != "" {
		return errors.New("an approval of a site has one " + KeyApproved)
	}
	if c.approveSite(value) {
		return nil
	}
	m := targetForm().FindStringSubmatch(value)
	if m == nil {
		return fmt.Errorf("%+q is not TOPOLOGY/CLUSTER", clip(value))
	}
	t := Target{Topology: m[1], Cluster: m[2]}
	if _, dup := c.target(t.Topology); dup {
		return fmt.Errorf("topology %s appears twice", t.Topology)
	}
	c.Approved = append(c.Approved, t)
	return nil
}

func parsePerson(value string) (Person, error) {
	m := personForm().FindStringSubmatch(value)
	if m == nil || strings.Count(m[2], "@") != 1 || CheckPrincipal(m[2]) != "" {
		return Person{}, fmt.Errorf("%+q is not NAME <E-MAIL> with a plain ASCII e-mail", clip(value))
	}
	p := Person{Name: strings.TrimSpace(m[1]), Email: m[2]}
	if p.Name == "" {
		return Person{}, errors.New("the name is empty")
	}
	return p, nil
}

func parseExpires(value string) (time.Time, error) {
	t, err := plan.ParseTime(value)
	if err != nil {
		return time.Time{}, fmt.Errorf("%+q is not a time of RFC 3339, as 2026-11-22T22:00:00Z", clip(value))
	}
	if t.IsZero() {
		return time.Time{}, errors.New("the year 1 is not a time to expire at")
	}
	return t, nil
}

func parseLoss(value string) (*time.Duration, error) {
	if err := requireForm(lossForm, value, "a duration as 120s"); err != nil {
		return nil, err
	}
	d, err := time.ParseDuration(value)
	if err != nil || d < 0 {
		return nil, fmt.Errorf("%q is not a duration as 120s", clip(value))
	}
	return &d, nil
}

// CheckRepository says what is wrong with the name of a repository, which is
// letters, digits, dots, hyphens, underscores and slashes, as platform/topologies.
func CheckRepository(name string) error {
	return requireForm(repositoryForm, name, "the name of a repository, as platform/topologies")
}

// CheckDigest says what is wrong with a digest.
func CheckDigest(value string) error {
	return requireForm(digestForm, value, "sha256: and 64 hex digits")
}

func requireForm(f form, value, want string) error {
	if !f().MatchString(value) {
		return fmt.Errorf("%+q is not %s", clip(value), want)
	}
	return nil
}

// printable reports whether a terminal or a page shows s as it is: without control
// characters, escape codes, bidirectional or invisible marks.
func printable(s string) bool {
	for _, r := range s {
		if r != ' ' && !unicode.IsGraphic(r) || unicode.Is(unicode.Zs, r) && r != ' ' {
			return false
		}
		if unicode.In(r, unicode.Cf, unicode.Co, unicode.Variation_Selector) {
			return false
		}
	}
	return true
}
