package approve

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"reflect"
	"strings"
	"time"

	"milvus-reconcile/cmd/reconcile/internal/desired"
	"milvus-reconcile/cmd/reconcile/internal/render"
	"milvus-reconcile/cmd/reconcile/internal/wire"
	"milvus-reconcile/plan"
	"milvus-reconcile/plan/explain"
	"milvus-reconcile/plan/suggest"
	"milvus-reconcile/reconcile/approval"
)

// claim returns what the tag shall say, in the name of the user that git knows.
func (r Request) claim(ctx context.Context, o wire.Options) (approval.Claim, error) {
	c := approval.Claim{Approved: r.targets(), Site: r.site(), Reason: strings.TrimSpace(r.Reason)}
	if c.Reason == "" && r.Withdraw {
		c.Reason = "withdrawn"
	}
	if c.Reason == "" {
		return c, errors.New("--reason is needed: the ledger keeps it for people who ask later")
	}
	for key, to := range map[string]*string{"user.name": &c.By.Name, "user.email": &c.By.Email} {
		var err error
		if *to, err = desired.Git(ctx, r.Dir, "", "config", key); err != nil {
			return c, errNoUser
		}
	}
	var err error
	if c.Repository, err = RepositoryName(ctx, o, r.Dir, r.Repository); err != nil {
		return c, fmt.Errorf("the repository that is approved for: %w", err)
	}
	switch {
	case r.Withdraw:
		c.Expires = o.Clock().UTC().Truncate(time.Second) // not after the date that git writes
	case r.Expires > 0:
		c.Expires = o.Clock().Add(r.Expires).UTC().Truncate(time.Second)
	}
	for _, code := range r.Accept {
		if !plan.Acceptable(plan.Code(code)) {
			return c, notAcceptable(code)
		}
		c.Accept = append(c.Accept, plan.Code(code))
	}
	if r.MaxDataLoss > 0 {
		c.MaxDataLoss = &r.MaxDataLoss
	}
	if r.Replay != "" {
		if c.Replay, err = replayDigest(r.Replay, r.Target.Topology); err != nil {
			return c, err
		}
	}
	if r.SavedPlan != "" {
		digest, err := savedDigest(r.SavedPlan, r.Target.Topology)
		if err != nil {
			return c, err
		}
		c.Plans = []string{digest}
	}
	return c, nil
}

// notAcceptable says why a code cannot be accepted.
func notAcceptable(code string) error {
	if e, known := explain.Lookup(code); known && e.Code == code {
		return fmt.Errorf("%s cannot be accepted (hint: 'reconcile explain %s')", code, code)
	}
	var acceptable []string
	for _, c := range explain.Codes() {
		if plan.Acceptable(plan.Code(c)) {
			acceptable = append(acceptable, c)
		}
	}
	return errors.New(suggest.WithHint(fmt.Sprintf("there is no code %q", code), suggest.Hint(code, acceptable, "'reconcile explain' lists them all")))
}

// message returns the message of the tag. It parses the message again and fails if it
// says more than the claim: a reason of several lines must not become a trailer. what is
// approved stands in its first line.
func (r Request) message(c approval.Claim, what string) (string, error) {
	does := "Approve"
	if r.Withdraw {
		does = "Withdraw the approval of"
	}
	if c.Replay != "" {
		does += " the replay of lost rows into"
	}
	message := fmt.Sprintf("%s %s\n\n%s", does, what, c.Trailers())
	said, err := approval.ParseTrailers(message)
	if err == nil && !reflect.DeepEqual(said, c) {
		err = errors.New("it would say more than was asked for (hint: --reason is one line of text)")
	}
	if err != nil {
		return "", fmt.Errorf("this would not be a valid approval: %w", err)
	}
	return message, nil
}

// replayDigest returns the digest of a replay: as it was typed, or from the saved JSON of a
// dry run.
func replayDigest(value, topology string) (string, error) {
	if strings.HasPrefix(value, "sha256:") {
		if err := approval.CheckDigest(value); err != nil {
			return "", fmt.Errorf("--replay: %w", err)
		}
		return value, nil
	}
	raw, err := os.ReadFile(value)
	if err != nil {
		return "", fmt.Errorf("read the saved dry run: %w (hint: --replay takes its digest, or its JSON)", err)
	}
	var dry struct{ Topology, Digest string }
	if err := json.Unmarshal(raw, &dry); err != nil || dry.Topology != topology || approval.CheckDigest(dry.Digest) != nil {
		return "", fmt.Errorf("%s is not a dry run of a replay of %s that would write something", value, topology)
	}
	return dry.Digest, nil
}

// savedDigest returns the digest of one topology in a saved plan.
func savedDigest(path, topology string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("read the saved plan: %w", err)
	}
	defer f.Close() //nolint:errcheck // only read
	d, err := render.Decode(f)
	if err != nil {
		return "", fmt.Errorf("read the saved plan %s: %w", path, err)
	}
	t, ok := d.Plan.Topology(topology)
	if !ok || t.Digest == "" {
		return "", fmt.Errorf("the saved plan has no transition of %s", topology)
	}
	return t.Digest, nil
}
