package milvussim

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync"
)

// configurationRead says how a version answers GetReplicateConfiguration.
type configurationRead int

const (
	// readUnknown: the method is in no proto that the server knows (milvus.md §1.1).
	readUnknown configurationRead = iota
	// readStub: in the proto and in the code, but not forwarded (#49810).
	readStub
	// readHangs: served; waits for ever on a cluster without one (#52686).
	readHangs
	// readAnswers: served; a cluster without one answers success (#52687).
	readAnswers
)

// Profile is what a Milvus version does, as far as replication is concerned
// (milvus.md §1.1). Make one with ParseProfile.
type Profile struct {
	// Version is the name by which the profile was asked for, without a "v".
	Version string
	// BuildTag is what Connect answers as server_info.build_tags.
	BuildTag string

	replication    bool // UpdateReplicateConfiguration is served (#44124)
	privileges     bool // RBAC guards it (#45236)
	growth         bool // pchannels are append-only instead of fixed (#47917)
	growthAnywhere bool // growth may coincide with a topology change (#49214)
	forcePromote   bool // force_promote is obeyed, not ignored (#48452)
	dump           bool // salvage checkpoints and DumpMessages (#48527)
	dumpBodies     bool // DumpMessages gives the parts of a transaction and knows include_start_message (#50574, #51102)
	infoOnPrimary  bool // GetReplicateInfo answers on a primary (#50350)
	sentinels      bool // validator texts end in a merr sentinel (#50545)
	fillTokens     bool // a blank token means "as stored" (#52735)
	dropStale      bool // CDC skips topology messages older than its task (#52728)
	ownDeadline    bool // a deadline inside the server is answered as a Status (milvus.md §1.7)
	dropEmpty      bool // an empty configuration clears replication (#48994, reverted by #49080)
	streamRights   bool // streams are checked for users and privileges (#52608, #52854, #52858)
	calmFencing    bool // a log is not fenced again and again (#53118)
	importKeys     bool // an import gives all clusters the same automatic keys (#52941)
	read           configurationRead
}

// Profiles lists the versions that the simulator is tested with: one of each
// older behaviour, every release since the first whose roles can be read, and
// builds of the lines. Any other release between them may be asked for by its
// number too.
func Profiles() []string {
	out := []string{"2.5.0", "2.6.0", "2.6.2", "2.6.6", "2.6.12", "2.6.13", "2.6.14", "2.6.15", "2.6.16"}
	for patch := 17; patch <= lastKnownPatch; patch++ {
		out = append(out, fmt.Sprintf("2.6.%d", patch))
	}
	return append(out, "2.6-20260717-526e04504a", "3.0-beta", "3.0.0", "3.0.1", "3.0.2", "v3.0.2-dev",
		"master", "master-353ce56", "master-20260807-954c4e7ba5", Unlabelled)
}

// Unlabelled is the name of the profile of a build that tells no version; it
// does what the newest release does.
const Unlabelled = "unlabelled"

// lastKnownPatch is the newest 2.6 release that is known to be, and
// firstWithStreamRights the first that is inferred to check streams.
const (
	lastKnownPatch        = 25
	firstWithStreamRights = 23
	firstWithOwnDeadline  = 22 // where it was seen
)

var (
	releasePattern = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^2\.([0-9]+)\.([0-9]+)$`) })
	built26        = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^2\.6-[0-9]{8}-[0-9a-f]+$`) })
	builtMaster    = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^master-[0-9]{8}-[0-9a-f]+$`) })
)

// ParseProfile returns the profile of a version: "2.6.19", "v2.6.19",
// "3.0-beta", "3.0.0" to "3.0.2", "v3.0.2-dev", a build of the 2.6 line as its CI
// names it ("2.6-20260717-<commit>"), a build of master of before #52608
// ("master-20260807-<commit>"), "master" (with the fixes that were open or newly
// merged in milvus.md §1.1), "master-353ce56", on which an empty configuration clears
// replication, or Unlabelled. A version whose behaviour is not known is an error.
func ParseProfile(version string) (Profile, error) {
	name := strings.TrimPrefix(version, "v")
	if p, ok := line30(name); ok {
		return p, nil
	}
	if p, ok := unreleased(name); ok {
		return p, nil
	}
	if p, ok := numberedRelease(name); ok {
		return p, nil
	}
	return Profile{}, fmt.Errorf("version %q has no profile; known are 2.0.0 to 2.6.%d and %s", version, lastKnownPatch,
		"3.0-beta, 3.0.0 to 3.0.2, 3.0.2-dev, 2.6-DATE-COMMIT, master, master-353ce56, master-DATE-COMMIT, "+Unlabelled)
}

// line30 is the 3.0 line: the beta does what 2.6.16 does. 3.0.0 does what 2.6.19 does, and its
// branch has #50574, as 2.6.20 has.
func line30(name string) (Profile, bool) {
	p := release26(19)
	p.Version, p.BuildTag, p.dumpBodies = name, "v"+name, true
	switch name {
	case "3.0-beta", "3.0.0-beta":
		p = release26(16)
		p.Version, p.BuildTag = name, "v3.0.0-beta"
	case "3.0.0":
	case "3.0.1", "3.0.2-dev":
		p.streamRights, p.importKeys = true, true
	case "3.0.2":
		p.BuildTag = name // as images of that release were seen to call themselves
		p.streamRights, p.calmFencing, p.importKeys = true, true, true
	default:
		return Profile{}, false
	}
	return p, true
}

// unreleased are builds whose label cannot be ordered.
func unreleased(name string) (Profile, bool) {
	p := release26(firstWithStreamRights - 1)
	p.Version, p.BuildTag = name, name
	switch {
	case name == "master":
		p.BuildTag = "master-20260901-b1c2d3e4"
		p.read, p.fillTokens, p.dropStale, p.streamRights, p.ownDeadline = readAnswers, true, true, true, false
	case name == "master-353ce56":
		// Builds of 2026-04-16 to 2026-04-22, before growth went with a change of
		// the topology (#49214) and before the read was forwarded (#49809).
		p = release26(15)
		p.Version, p.BuildTag, p.dropEmpty = name, "master-20260416-353ce56", true
	case name == Unlabelled:
		p = release26(lastKnownPatch)
		p.Version = name
	case built26().MatchString(name):
	case builtMaster().MatchString(name):
		p.ownDeadline = false
	default:
		return Profile{}, false
	}
	return p, true
}

func numberedRelease(name string) (Profile, bool) {
	m := releasePattern().FindStringSubmatch(name)
	if m == nil {
		return Profile{}, false
	}
	minor, errMinor := strconv.Atoi(m[1])
	patch, errPatch := strconv.Atoi(m[2])
	switch {
	case errMinor != nil || errPatch != nil || minor > 6 || minor == 6 && patch > lastKnownPatch:
		return Profile{}, false
	case minor < 6:
		return Profile{Version: name, BuildTag: "v" + name}, true
	}
	p := release26(patch)
	p.Version, p.BuildTag = name, "v"+name
	return p, true
}

// release26 is the table of milvus.md §1.1, by patch release of the 2.6 line.
func release26(patch int) Profile {
	p := Profile{
		replication:    patch >= 2,
		privileges:     patch >= 6,
		growth:         patch >= 12,
		forcePromote:   patch >= 14,
		dump:           patch >= 14,
		growthAnywhere: patch >= 16,
		infoOnPrimary:  patch >= 19,
		sentinels:      patch >= 19,
		dumpBodies:     patch >= 20,
		ownDeadline:    patch >= firstWithOwnDeadline,
		streamRights:   patch >= firstWithStreamRights,
	}
	switch {
	case patch >= 17:
		p.read = readHangs
	case patch >= 12:
		p.read = readStub
	}
	return p
}

// Does says what the version does, by the names of the table of versions that
// the clients of the simulator go by.
func (p Profile) Does() map[string]bool {
	return map[string]bool{
		"replication": p.replication, "replication_rights": p.privileges, "channel_growth": p.growth,
		"force_promote": p.forcePromote, "dump": p.dump, "growth_with_change": p.growthAnywhere,
		"read_configuration": p.read >= readHangs, "unconfigured_read": p.read == readAnswers,
		"info_on_primary": p.infoOnPrimary, "transaction_rows": p.dumpBodies, "stream_rights": p.streamRights, "calm_fencing": p.calmFencing,
		"token_fill": p.fillTokens, "stale_dropped": p.dropStale, "import_keys": p.importKeys,
	}
}
