package plan

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// ProposeImport gives the roles that live clusters have, for a document that is
// written for the first time, by cluster. All that stands against it is told at
// once.
//
// The primary is the one that stores a configuration of its own and replicates
// to others or to nobody; primary names it when that is not clear, and may be
// empty. What replicates from it is standby, what stores nothing is a standby
// that is to join. Another one that takes writes is stale if it still names
// targets, else detached.
func ProposeImport(o Observed, primary string) (map[string]Role, error) {
	if err := importable(o); err != nil {
		return nil, err
	}
	primary, err := importedPrimary(o, primary)
	if err != nil {
		return nil, err
	}
	roles := map[string]Role{}
	var bad []error
	for _, v := range o.Views {
		switch {
		case v.Cluster == primary:
			roles[v.Cluster] = RolePrimary
		case v.Belief.Kind == BeliefStandby && v.Belief.Source != primary:
			bad = append(bad, fmt.Errorf("%s replicates from %s, not from %s (hint: import only the clusters of one star)", v.Cluster, v.Belief.Source, primary))
		case v.Belief.Kind == BeliefStandby, v.Belief.Kind == BeliefUnconfigured:
			roles[v.Cluster] = RoleStandby
		case v.Belief.Kind == BeliefPrimary:
			roles[v.Cluster] = RoleStale
		case v.Belief.Kind == BeliefStandalone:
			roles[v.Cluster] = RoleDetached
		case v.Belief.Kind == BeliefUnknown: // importable has refused it
		}
	}
	return roles, errors.Join(bad...)
}

// importable demands that every cluster answered, proved who it is, and told all
// that it stores; what others store must be among them.
func importable(o Observed) error {
	var bad []error
	given := map[string]bool{}
	for _, v := range o.Views {
		given[v.Cluster] = true
	}
	for _, v := range o.Views {
		switch {
		case v.Credential == CredentialRefused:
			bad = append(bad, fmt.Errorf("%s refused the token (hint: check the environment variable that holds it)", v.Cluster))
		case v.Reach != ReachUp:
			bad = append(bad, fmt.Errorf("%s is %s: %s", v.Cluster, v.Reach, v.Error))
		case v.IdentityConflict != "":
			bad = append(bad, fmt.Errorf("the cluster at the address of %s is %s (hint: check the ids and addresses)", v.Cluster, v.IdentityConflict))
		case v.Belief.Kind == BeliefUnknown:
			bad = append(bad, fmt.Errorf("%s does not tell what it stores: %s (hint: Milvus %s tells it; for older servers write the file by hand)", v.Cluster, v.Error, v.version().Since(FeatureReadConfiguration)))
		case !v.IdentityProven:
			bad = append(bad, fmt.Errorf("%s could not prove that it is %s (hint: the id is msgChannel.chanNamePrefix.cluster, and its channels are named after it; a cluster without any collection proves it with Milvus %s)", v.Cluster, v.Cluster, v.version().Since(FeatureInfoOnPrimary)))
		}
		for _, m := range v.Belief.Configuration.Clusters {
			if !given[m.ID] && v.IdentityConflict == "" {
				bad = append(bad, fmt.Errorf("%s also stores the cluster %s at %s (hint: add --cluster %s=HOST:PORT)", v.Cluster, m.ID, m.URI, m.ID))
			}
		}
	}
	return errors.Join(bad...)
}

// importedPrimary is the one that leads, or the one that was named.
func importedPrimary(o Observed, named string) (string, error) {
	var writers, configured []string
	for _, v := range o.Views {
		if canWrite(v) {
			writers = append(writers, v.Cluster)
		}
		if v.Belief.Kind == BeliefPrimary || v.Belief.Kind == BeliefStandalone {
			configured = append(configured, v.Cluster)
		}
	}
	switch {
	case named != "" && !slices.Contains(writers, named):
		return "", fmt.Errorf("%s cannot be the primary: it takes no writes by its own configuration (hint: these do: %s)", named, wordOr(strings.Join(writers, ", "), "none"))
	case named != "":
		return named, nil
	case len(configured) == 1:
		return configured[0], nil
	case len(configured) == 0 && len(writers) == 1:
		return writers[0], nil
	case len(writers) == 0:
		return "", errors.New("none of these clusters takes writes (hint: give their source too, by --cluster)")
	}
	return "", fmt.Errorf("%s all take writes (hint: --primary names the one whose data counts)", strings.Join(writers, ", "))
}
