package kubernetes

import (
	"context"
	"errors"
	"slices"
	"time"
)

// Try asks the API server whether it would take each write of an apply, and reads as one
// does. It writes nothing: the server checks rights and admission, and stops there. All rights
// that are missing are told at once.
func (s *Store) Try(ctx context.Context) error {
	_, listErr := s.list(ctx, leases, s.ofThis(), 1)
	_, objectsErr := s.list(ctx, configMaps, s.ofThis(), 1)
	head, _, headErr := s.get(ctx, configMaps, s.config.Name)
	_, _, leaseErr := s.get(ctx, leases, s.leaseName("try"))
	lease := s.claimedBy(s.named(leases, s.leaseName("try")), Token{Number: 1, ID: "try"}, nil, time.Now())
	faults := []error{listErr, objectsErr, headErr, leaseErr}
	faults = append(faults, s.tryWrites(ctx, configMaps, s.named(configMaps, s.leaseName("try")), head)...)
	faults = append(faults, s.tryWrites(ctx, leases, lease, object{})...)
	return inOne(faults)
}

// tryWrites asks for both verbs that write: with an object that is not there, and with one
// that is, or the same one as if it was.
func (s *Store) tryWrites(ctx context.Context, resource string, absent, present object) []error {
	_, _, createErr := s.put(ctx, resource, absent, true)
	if present.Metadata.ResourceVersion == "" { // the right is asked for before the object
		present = absent
		present.Metadata.ResourceVersion = "1"
	}
	_, _, updateErr := s.put(ctx, resource, present, true)
	return []error{createErr, updateErr}
}

// inOne returns one error for all rights that are missing, or else the first fault.
func inOne(faults []error) error {
	var all *MissingRightsError
	var first error
	for _, err := range faults {
		var missing *MissingRightsError
		switch {
		case errors.As(err, &missing) && all == nil:
			all = missing
		case missing != nil:
			all.Rights = append(all.Rights, missing.Rights...)
		case first == nil:
			first = err
		}
	}
	if all == nil {
		return first
	}
	slices.Sort(all.Rights)
	return errors.Join(first, all)
}
