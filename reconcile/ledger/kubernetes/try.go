package kubernetes

import (
	"context"
	"errors"
	"time"
)

// Try asks the API server whether it would take each write of an apply, and reads as one
// does. It writes nothing: the server checks rights and admission, and stops there. All rights
// that are missing are told at once.
func (s *Store) Try(ctx context.Context) error {
	_, listErr := s.list(ctx, leases, "1")
	c, readErr := s.Read(ctx)
	out := []error{listErr}
	if readErr != nil && (listErr == nil || readErr.Error() != listErr.Error()) {
		out = append(out, readErr)
	}
	out = append(out, s.tryWrites(ctx, configMaps, c.object), s.tryLease(ctx))
	return errors.Join(out...)
}

// tryWrites asks for both verbs that write: with an object that is there, or is not.
func (s *Store) tryWrites(ctx context.Context, resource string, o object) error {
	absent := s.named(resource, s.config.Name+".try")
	if resource == leases {
		absent = s.claimedBy(absent, Token{Number: 1, ID: "try"}, nil, time.Now())
	}
	_, _, createErr := s.put(ctx, resource, absent, true)
	if o.Metadata.ResourceVersion == "" { // the right is asked for before the object
		o = absent
		o.Metadata.ResourceVersion = "1"
	}
	_, _, updateErr := s.put(ctx, resource, o, true)
	return errors.Join(createErr, updateErr)
}

// tryLease asks for the rights on Leases. One that nobody made is asked for.
func (s *Store) tryLease(ctx context.Context) error {
	_, _, getErr := s.get(ctx, leases, s.leaseName("try"))
	return errors.Join(getErr, s.tryWrites(ctx, leases, object{}))
}
