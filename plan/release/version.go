// Package release says what each release of Milvus does, which defects it removes, and
// which privileges it asks for. It is pure: a table, and words.
package release

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Feature is something that a version of Milvus does, or a defect that it no longer has.
type Feature string

// The features that reconcile, or its advice for an upgrade, depends on.
const (
	FeatureReplication       Feature = "replication"        // UpdateReplicateConfiguration is served
	FeatureReplicationRights Feature = "replication_rights" // privileges guard it
	FeatureChannelGrowth     Feature = "channel_growth"     // channels may be appended
	FeatureForcePromote      Feature = "force_promote"      // force_promote is honoured
	FeatureDump              Feature = "dump"               // DumpMessages and salvage checkpoints
	FeatureGrowthWithChange  Feature = "growth_with_change" // channels may be appended together with another change
	FeatureReadConfiguration Feature = "read_configuration" // GetReplicateConfiguration is served
	FeatureInfoOnPrimary     Feature = "info_on_primary"    // GetReplicateInfo answers on a primary
	FeatureTransactionRows   Feature = "transaction_rows"   // a log gives out the rows of a transaction
	FeatureStreamRights      Feature = "stream_rights"      // streams need a token and privileges
	FeatureUnconfiguredRead  Feature = "unconfigured_read"  // a cluster that stores nothing says so
	FeatureTokenFill         Feature = "token_fill"         // a blank token means the stored one
	FeatureStaleDropped      Feature = "stale_dropped"      // topology messages from before an attach are not replayed
	FeatureImportKeys        Feature = "import_keys"        // imports give the standby the same automatic keys
	FeatureMigrationWrites   Feature = "migration_writes"   // a change of the message queue loses no write
	FeatureCalmFencing       Feature = "calm_fencing"       // a log is not fenced again and again
)

// never is in place of a patch: no release of the line is known to have it.
const never = 1 << 20

// beta is the patch of the 3.0 beta, before 3.0.0.
const beta = -1

// featureRow says from which release of each line a feature is there. What
// upstream does not state, but other sources suggest, is inferred.
type featureRow struct {
	feature  Feature
	says     string // continues "from then on "
	sources  string // issues and pull requests of milvus-io/milvus
	in26     int
	in30     int
	inferred bool
}

// features is the one table of what each version does (milvus.md §1.1,
// milvus-news.md). The simulator has its own; a test holds the two together.
var features = []featureRow{
	{FeatureReplication, "UpdateReplicateConfiguration is served", "#44124", 2, beta, false},
	{FeatureReplicationRights, "UpdateReplicateConfiguration needs a privilege", "#45236", 6, beta, false},
	{FeatureChannelGrowth, "channels may be appended", "#47917", 12, beta, false},
	{FeatureForcePromote, "force_promote is honoured", "#48452", 14, beta, false},
	{FeatureDump, "DumpMessages and salvage checkpoints exist", "#48527", 14, beta, false},
	{FeatureGrowthWithChange, "channels may be appended together with another change", "#49214", 16, beta, false},
	{FeatureReadConfiguration, "GetReplicateConfiguration is served", "#49810", 17, 0, false},
	{FeatureInfoOnPrimary, "GetReplicateInfo answers on a primary, so that the exact loss can be read", "#50344, #50350", 19, 0, false},
	{FeatureTransactionRows, "DumpMessages returns the rows of transactions, and so of upserts", "#50574, #51102", 20, 0, false},
	{FeatureStreamRights, "streams need a token, DumpMessages needs ManageOwnership and CreateReplicateStream needs UpdateReplicateConfiguration", "#52387, #52608, #52854, #52858", 23, 1, true},
	{FeatureImportKeys, "imports give the standby the same automatic keys", "#51667, #52941", never, 1, false},
	{FeatureMigrationWrites, "a change of the message queue loses no write", "#52947", never, 1, false},
	{FeatureCalmFencing, "a log is not fenced again and again, which blocked a channel for 45 to 60 s", "#53118", never, 2, false},
	{FeatureUnconfiguredRead, "a cluster that stores nothing says so", "#52686, #52687", never, never, false},
	{FeatureTokenFill, "a blank token means the stored one", "#52734, #52735", never, never, false},
	{FeatureStaleDropped, "topology messages from before an attach are not replayed", "#52727, #52728", never, never, false},
}

// The newest release of each line that the table knows.
const (
	newest26 = 25
	newest30 = 2
)

// Version is what the build tag of a server says. The zero value is a tag that says
// nothing: every feature is then unknown, and the calls that the server answers decide.
type Version struct {
	Label string // as the server gave it
	// ordered: the tag names a release, or a build of one. exact: it is the release.
	ordered, exact      bool
	major, minor, patch int
}

var (
	releaseTag = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^v?(\d+)\.(\d+)\.(\d+)$`) })
	betaTag    = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^v?3\.0(\.0)?-(alpha|beta|rc)`) })
	builtTag   = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^(?:hotfix-)?v?(\d+)\.(\d+)\.(\d+)(-.*)?$`) })
)

// Parse reads a build tag of any form: v2.6.22, 3.0.2, v3.0.2-dev,
// 2.6-20260717-<commit>, master-20260807-<commit>, or none. A tag that names a
// line and a day, or a branch, cannot be ordered.
func Parse(label string) Version {
	v := Version{Label: label}
	if betaTag().MatchString(label) {
		v.ordered, v.exact, v.major, v.patch = true, true, 3, beta
		return v
	}
	m := releaseTag().FindStringSubmatch(label)
	v.exact = m != nil
	if m == nil {
		m = builtTag().FindStringSubmatch(label)
	}
	if m == nil {
		return Version{Label: label}
	}
	for i, at := range []*int{&v.major, &v.minor, &v.patch} {
		n, err := strconv.Atoi(m[i+1])
		if err != nil || n >= never {
			return Version{Label: label}
		}
		*at = n
	}
	v.ordered = true
	return v
}

// Name is the label, or words for its absence, and that it came after all that
// the table knows.
func (v Version) Name() string {
	if v.NewerThanTable() {
		return v.Label + ", newer than tested"
	}
	if v.Label == "" {
		return "version unknown"
	}
	return v.Label
}

// line is the column of the table for the version, and its patch in that line. A
// version after the table counts as the newest in it; one before the table has nothing
// that is in it.
func (v Version) line() (in func(featureRow) int, patch int) {
	switch {
	case v.major < 2 || v.major == 2 && v.minor < 6:
		return row26, -1
	case v.major == 2 && v.minor == 6:
		return row26, v.patch
	case v.major == 3 && v.minor == 0:
		return row30, v.patch
	case v.major == 2:
		return row26, newest26
	default:
		return row30, newest30
	}
}

// Line30 says whether the version is of the 3.0 line.
func (v Version) Line30() bool { return v.ordered && v.major == 3 && v.minor == 0 }

// row26 is the first patch of the 2.6 line with a feature.
func row26(r featureRow) int { return r.in26 }

// row30 is the first patch of the 3.0 line with a feature.
func row30(r featureRow) int { return r.in30 }

// Provides says whether the version is known to have a feature. Neither Provides nor Lacks
// holds for a tag that cannot be ordered. A build near a release may lack what came with
// that release and have what came later.
func (v Version) Provides(f Feature) bool {
	since, patch, known := v.since(f)
	return known && (since < patch || v.exact && since == patch)
}

// Lacks says whether the version is known not to have a feature.
func (v Version) Lacks(f Feature) bool {
	since, patch, known := v.since(f)
	return known && v.exact && since > patch
}

// since returns the first patch with a feature and the patch of the version, in the line of
// the version; false: they cannot be compared.
func (v Version) since(f Feature) (since, patch int, known bool) {
	i := slices.IndexFunc(features, func(r featureRow) bool { return r.feature == f })
	if i < 0 || !v.ordered {
		return 0, 0, false
	}
	in, patch := v.line()
	since = in(features[i])
	return since, patch, since != never || !v.NewerThanTable()
}

// NewerThanTable says whether the version came after all that the table knows.
func (v Version) NewerThanTable() bool {
	if !v.ordered {
		return false
	}
	switch {
	case v.major == 2 && v.minor == 6:
		return v.patch > newest26
	case v.major == 3 && v.minor == 0:
		return v.patch > newest30
	default:
		return v.major > 2 || v.major == 2 && v.minor > 6
	}
}

// Exact says whether the label names a release, and no build near one.
func (v Version) Exact() bool { return v.exact }

// Caveat says in a few words why the table does not know the version, and how it is judged
// instead; empty: the table knows it.
func (v Version) Caveat() string {
	switch {
	case v.NewerThanTable():
		return "newer than tested; judged by the calls that it answers, otherwise as " + v.nearest()
	case !v.ordered:
		return "its tag names no release; judged by the calls that it answers, otherwise as the newest known"
	default:
		return ""
	}
}

// nearest names the newest release in the table of the line of the version.
func (v Version) nearest() string {
	if v.major == 2 {
		return fmt.Sprintf("2.6.%d", newest26)
	}
	return fmt.Sprintf("3.0.%d", newest30)
}

// laterVersion stands for a release that is not known yet.
const laterVersion = "a later version"

// Since names the first release with a feature, of the line of the version or,
// where that is not known, of each line: "2.6.17 or later".
func (v Version) Since(f Feature) string {
	i := slices.IndexFunc(features, func(r featureRow) bool { return r.feature == f })
	if i < 0 {
		return laterVersion
	}
	var out []string
	if r := features[i]; r.in26 != never && !(v.ordered && v.major >= 3) {
		out = append(out, fmt.Sprintf("2.6.%d", r.in26))
	}
	if r := features[i]; r.in30 != never && !(v.ordered && v.major == 2 && r.in26 != never) {
		out = append(out, fmt.Sprintf("3.0.%d", max(r.in30, 0)))
	}
	if len(out) == 0 {
		return laterVersion
	}
	return strings.Join(out, " or ") + " or later"
}

// ReleaseWith returns the first release with all of the features, in the line of the
// version if that has them all, else in 3.0; "" if no release has them.
func (v Version) ReleaseWith(wanted []Feature) string {
	patch26, patch30 := 0, 0
	for _, f := range wanted {
		i := slices.IndexFunc(features, func(r featureRow) bool { return r.feature == f })
		if i < 0 {
			return ""
		}
		if r := features[i]; r.in26 == never {
			patch26 = never
		} else if patch26 != never {
			patch26 = max(patch26, r.in26)
		}
		if r := features[i]; r.in30 == never {
			patch30 = never
		} else if patch30 != never {
			patch30 = max(patch30, r.in30)
		}
	}
	switch {
	case patch26 != never && !(v.ordered && v.major >= 3):
		return fmt.Sprintf("2.6.%d", patch26)
	case patch30 != never:
		return fmt.Sprintf("3.0.%d", patch30)
	}
	return ""
}

// Released says whether some release has a feature.
func (v Version) Released(f Feature) bool { return v.Since(f) != laterVersion }

// Row is one line of the table for a reader.
type Row struct {
	Feature  Feature
	Says     string
	Sources  string
	In26     string // the first release of the line; empty: none is known
	In30     string
	Inferred bool
}

// Table is the table of what came with which release.
func Table() []Row {
	out := make([]Row, 0, len(features))
	for _, r := range features {
		row := Row{Feature: r.feature, Says: r.says, Sources: r.sources, Inferred: r.inferred}
		if r.in26 != never {
			row.In26 = fmt.Sprintf("2.6.%d", r.in26)
		}
		switch r.in30 {
		case never:
		case beta:
			row.In30 = "3.0-beta"
		default:
			row.In30 = fmt.Sprintf("3.0.%d", r.in30)
		}
		out = append(out, row)
	}
	return out
}

// SameRelease says whether two labels name one release.
func (v Version) SameRelease(w Version) bool {
	return v.exact && w.exact && v.major == w.major && v.minor == w.minor && v.patch == w.patch
}
