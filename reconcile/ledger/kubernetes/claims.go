package kubernetes

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// claims is which leadership acts on which topology. It lies in a ConfigMap of its own: one
// Lease for each topology would have to be renewed all the time. A claim counts only while its
// leadership is held under the same token.
type claims struct {
	Held  map[string]claim            `json:"held"`            // by topology
	Waits map[string]map[string]claim `json:"waits,omitempty"` // by topology and leadership
}

type claim struct {
	By     string          `json:"by"` // Lease.Name of the leadership
	Holder json.RawMessage `json:"holder"`
}

const (
	claimsName = "claims"
	keyClaims  = "claims"
)

// Claim is the right of a leadership to act on a topology.
type Claim struct {
	leads    *Lease
	topology string
}

// Lost is closed as soon as another process may lead.
func (c *Claim) Lost() <-chan struct{} { return c.leads.gone }

// Until returns when another process may lead.
func (c *Claim) Until() time.Time { return c.leads.Until() }

// Release gives the topology back, unless it is another's by now.
func (c *Claim) Release(ctx context.Context) error {
	by := c.leads.Name()
	_, err := c.leads.store.changeClaims(context.WithoutCancel(ctx), func(all *claims) bool {
		if all.Held[c.topology].By != by {
			return false
		}
		delete(all.Held, c.topology)
		return true
	})
	return err
}

// readClaims returns the claims and the object that holds them.
func (s *Store) readClaims(ctx context.Context) (claims, object, error) {
	name := s.leaseName(claimsName)
	o, found, err := s.get(ctx, configMaps, name)
	if err != nil {
		return claims{}, o, err
	}
	if !found {
		o = s.named(configMaps, name)
	}
	out := claims{}
	if packed := o.BinaryData[keyClaims]; len(packed) > 0 {
		if err := unpack(packed, &out); err != nil {
			return out, o, fmt.Errorf("the claims in ConfigMap %s: %w (hint: delete it: each leader claims its topologies again)", name, err)
		}
	}
	if out.Held == nil {
		out.Held = map[string]claim{}
	}
	return out, o, nil
}

// changeClaims writes what change makes of the claims, if it returns true.
func (s *Store) changeClaims(ctx context.Context, change func(*claims) bool) (changed bool, err error) {
	for range tries {
		all, o, err := s.readClaims(ctx)
		if err != nil {
			return false, err
		}
		if !change(&all) {
			return false, nil
		}
		packed, err := pack(all)
		if err != nil {
			return false, err
		}
		o.BinaryData = map[string][]byte{keyClaims: packed}
		if err := s.check(o, mostBytes); err != nil {
			return false, err
		}
		if _, done, err := s.put(ctx, configMaps, o, false); done || err != nil {
			return done, err
		}
	}
	return false, fmt.Errorf("%w: %s", ErrBusy, s.Where())
}

// Claim waits until ctx ends for the claim of a leadership on a topology. It calls waits once
// if another leadership holds it, and tells that one.
func (s *Store) Claim(ctx context.Context, leads *Lease, topology string, holder []byte, waits func(holder []byte)) (*Claim, error) {
	told := false
	defer func() {
		if told {
			_ = s.announce(context.WithoutCancel(ctx), leads, topology, nil) // or it ends with the leadership
		}
	}()
	for {
		other, err := s.tryClaim(ctx, leads, topology, holder)
		switch {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case err != nil:
			return nil, err
		case other == nil:
			return &Claim{leads: leads, topology: topology}, nil
		case !told:
			told = true
			if err := s.announce(ctx, leads, topology, holder); err != nil {
				return nil, err
			}
			waits(other.Holder)
		}
		retry := time.NewTimer(min(pollEvery, s.config.TTL/8))
		select {
		case <-ctx.Done():
			retry.Stop()
			return nil, ctx.Err()
		case <-leads.gone:
			retry.Stop()
			return nil, ErrLost
		case <-retry.C:
		}
	}
}

// tryClaim claims a topology that no living leadership claims. Otherwise it returns that claim.
func (s *Store) tryClaim(ctx context.Context, leads *Lease, topology string, holder []byte) (*claim, error) {
	all, _, err := s.readClaims(ctx)
	if err != nil {
		return nil, err
	}
	present, by := all.Held[topology], leads.Name()
	if present.By != "" && present.By != by {
		alive, err := s.leads(ctx, present.By)
		if err != nil || alive {
			return &present, err
		}
	}
	taken := false
	_, err = s.changeClaims(ctx, func(all *claims) bool {
		now := all.Held[topology]
		taken = now.By == by
		if taken || now.By != present.By || leads.isLost() {
			return false
		}
		all.drop(leads)
		all.Held[topology] = claim{By: by, Holder: holder}
		taken = true
		return true
	})
	switch {
	case err != nil:
		return nil, err
	case leads.isLost():
		return nil, ErrLost
	case !taken:
		return &present, nil // another was faster; the next try sees which
	}
	return nil, nil //nolint:nilnil // nobody else holds it
}

// drop takes out what earlier holders of the same leadership left.
func (c *claims) drop(leads *Lease) {
	former := func(one claim) bool {
		return strings.HasPrefix(one.By, leads.lock+" ") && one.By != leads.Name()
	}
	maps.DeleteFunc(c.Held, func(_ string, one claim) bool { return former(one) })
	for topology, waiting := range c.Waits {
		maps.DeleteFunc(waiting, func(_ string, one claim) bool { return former(one) })
		if len(waiting) == 0 {
			delete(c.Waits, topology)
		}
	}
}

// leads reports whether a leadership is still held under the same token. One whose holder is
// dead is freed, so that it can never be renewed.
func (s *Store) leads(ctx context.Context, by string) (bool, error) {
	lock, token, _ := strings.Cut(by, " ")
	o, found, err := s.get(ctx, leases, s.leaseName(lock))
	if err != nil {
		return false, err
	}
	if !found || tokenOf(o) != parseToken(token) {
		return false, nil
	}
	if !s.expired(o) {
		return true, nil
	}
	freed, err := s.clear(ctx, o)
	return !freed, err
}

// announce tells the holder of a claim who waits for it; without a holder, that nobody does.
func (s *Store) announce(ctx context.Context, leads *Lease, topology string, holder []byte) error {
	_, err := s.changeClaims(ctx, func(all *claims) bool {
		if holder == nil {
			delete(all.Waits[topology], leads.lock)
			if len(all.Waits[topology]) == 0 {
				delete(all.Waits, topology)
			}
			return true
		}
		if all.Waits == nil {
			all.Waits = map[string]map[string]claim{}
		}
		if all.Waits[topology] == nil {
			all.Waits[topology] = map[string]claim{}
		}
		all.Waits[topology][leads.lock] = claim{By: leads.Name(), Holder: holder}
		return true
	})
	return err
}

// Wanted returns the topologies that other leaderships than this one wait for.
func (s *Store) Wanted(ctx context.Context, lock string) ([]string, error) {
	all, _, err := s.readClaims(ctx)
	if err != nil {
		return nil, err
	}
	alive := map[string]bool{}
	var out []string
	for _, topology := range slices.Sorted(maps.Keys(all.Waits)) {
		for by, one := range all.Waits[topology] {
			if by == lock {
				continue
			}
			if _, asked := alive[one.By]; !asked {
				if alive[one.By], err = s.leads(ctx, one.By); err != nil {
					return nil, err
				}
			}
			if alive[one.By] {
				out = append(out, topology)
				break
			}
		}
	}
	return out, nil
}
