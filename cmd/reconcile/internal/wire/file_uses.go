package wire

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"milvus-reconcile/reconcile/plainfile"
	"milvus-reconcile/schema"
)

// fileUse is a secret, certificate or list of the operator's configuration, and what
// it is for.
type fileUse struct {
	of    []string // what rests on it, as credentials.cluster-a.token
	stops bool     // without it an approved failover is not carried out
	// fault says why it cannot be used now. goesOn: what it is for goes on all the
	// same, by what was read before.
	fault func(now time.Time) (goesOn bool, err error)
}

// fileUses are those of a configuration, each once.
type fileUses struct {
	all    []*fileUse
	shared map[any]*fileUse // by what it is read from
}

func (u *fileUses) add(of string, from any, stops bool, fault func(time.Time) (bool, error)) {
	if known := u.shared[from]; known != nil {
		known.of, known.stops = append(known.of, of), known.stops || stops
		return
	}
	if u.shared == nil {
		u.shared = map[any]*fileUse{}
	}
	u.shared[from] = &fileUse{of: []string{of}, stops: stops, fault: fault}
	u.all = append(u.all, u.shared[from])
}

func (u *fileUses) tls(of string, files *tlsFiles, stops bool) {
	if files != nil {
		u.add(of, files, stops, files.fault)
	}
}

func (u *fileUses) secret(of string, r schema.SecretRef, stops bool) {
	if !r.IsZero() {
		u.reads(of, r, stops, func() error {
			_, err := ReadSecret(r)
			return err
		})
	}
}

func (u *fileUses) reads(of string, from any, stops bool, read func() error) {
	u.add(of, from, stops, func(time.Time) (bool, error) { return false, read() })
}

// further adds what is read while it runs, beside what the clusters need.
func (e *Environment) further() {
	u, c := &e.uses, e.Config
	u.reads(gitAuthUse, gitAuthUse, false, func() error {
		_, err := e.Git.Auth()
		return err
	})
	u.reads("approval", "approval", true, e.checkKeys)
	u.secret("serve.webhookSecretFrom", c.Serve.WebhookSecret, false)
	for _, n := range c.Notify {
		u.secret("notify."+n.Name+".secretFrom", n.Secret, false)
	}
	for _, r := range c.Redirect {
		switch {
		case r.Webhook != nil:
			u.secret("redirect."+r.Name+".secretFrom", r.Webhook.Secret, false)
		case r.File != nil:
			u.reads("redirect."+r.Name+".template", "template "+r.File.Template, false, func() error {
				_, err := plainfile.Read(r.File.Template)
				return err
			})
		}
	}
}

// spoken names all that rest on it, as far as that is readable.
func (u *fileUse) spoken() string {
	const few = 5
	if len(u.of) <= few {
		return strings.Join(u.of, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(u.of[:few], ", "), len(u.of)-few)
}

// gitAuthUse is what each fetch of a remote needs, and tells of.
const gitAuthUse = "git.auth"

// unusable is a use that has a fault.
type unusable struct {
	name, spoken string // the first of those that share it, and all
	stops        bool
	err          error
}

// faults looks at every use.
func (u *fileUses) faults(now time.Time) []unusable {
	var out []unusable
	for _, one := range u.all {
		if goesOn, err := one.fault(now); err != nil {
			out = append(out, unusable{name: one.of[0], spoken: one.spoken(), stops: one.stops && !goesOn, err: err})
		}
	}
	return out
}

// stopping says why an approved failover would not be carried out; empty: nothing
// of these keeps it from that.
func stopping(faults []unusable) string {
	var out []error
	for _, f := range faults {
		if f.stops {
			out = append(out, fmt.Errorf("%s: %w", f.spoken, f.err))
		}
	}
	const shown = 3
	if more := len(out) - shown; more > 0 {
		out = append(out[:shown], fmt.Errorf("and %d more", more))
	}
	if len(out) == 0 {
		return ""
	}
	return strings.ReplaceAll(errors.Join(out...).Error(), "\n", "; ")
}
