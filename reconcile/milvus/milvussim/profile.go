package milvussim

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// configurationRead says how a version answers GetReplicateConfiguration.
type configurationRead int

const (
	// readUnknown: the method is in no proto that the server knows (M §1.1).
	readUnknown configurationRead = iota
	// readStub: in the proto and in the code, but not forwarded (#49810).
	readStub
	// readHangs: served; waits for ever on a cluster without one (#52686).
	readHangs
	// readAnswers: served; a cluster without one answers success (#52687).
	readAnswers
)

// Profile is what a Milvus version does, as far as replication is concerned
// (M §1.1). Make one with ParseProfile.
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
	ownDeadline    bool // a deadline inside the server is answered as a Status (M §1.7)
	dropEmpty      bool // an empty configuration clears replication (#48994, reverted by #49080)
	read           configurationRead
}

// Profiles lists one version of each behaviour that the simulator knows. Any
// other release between them may be asked for by its number too.
func Profiles() []string {
	return []string{
		"2.5.0", "2.6.0", "2.6.2", "2.6.6", "2.6.12", "2.6.13", "2.6.14", "2.6.15",
		"2.6.16", "2.6.17", "2.6.19", "2.6.22", "3.0-beta", "3.0.0", "master", "master-353ce56",
	}
}

// lastKnownPatch is the newest 2.6 release whose behaviour is known.
const lastKnownPatch = 22

var releasePattern = regexp.MustCompile(`^2\.([0-9]+)\.([0-9]+)$`)

// ParseProfile returns the profile of a version: "2.6.19", "v2.6.19",
// "3.0-beta", "3.0.0", "master" (with the fixes that were open or newly merged in
// M §1.1), or "master-353ce56", on which an empty configuration clears replication. A version whose behaviour is not known is an error.
func ParseProfile(version string) (Profile, error) {
	name := strings.TrimPrefix(version, "v")
	switch name {
	case "3.0-beta", "3.0.0-beta":
		p := release26(16)
		p.Version, p.BuildTag = name, "v3.0.0-beta"
		return p, nil
	case "3.0.0":
		p := release26(19)
		p.Version, p.BuildTag = name, "v3.0.0"
		return p, nil
	case "master":
		p := release26(lastKnownPatch)
		p.Version, p.BuildTag = name, "master-20260901-b1c2d3e4"
		p.read, p.fillTokens, p.dropStale, p.ownDeadline = readAnswers, true, true, false
		return p, nil
	}
	if name == "master-353ce56" {
		// Builds of 2026-04-16 to 2026-04-22, before growth went with a change of
		// the topology (#49214) and before the read was forwarded (#49809).
		p := release26(15)
		p.Version, p.BuildTag, p.dropEmpty = name, "master-20260416-353ce56", true
		return p, nil
	}
	if p, ok := numberedRelease(name); ok {
		return p, nil
	}
	return Profile{}, fmt.Errorf("version %q has no profile; known are 2.0.0 to 2.6.%d and %s",
		version, lastKnownPatch, "3.0-beta, 3.0.0, master, master-353ce56")
}

func numberedRelease(name string) (Profile, bool) {
	m := releasePattern.FindStringSubmatch(name)
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

// release26 is the table of M §1.1, by patch release of the 2.6 line.
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
		ownDeadline:    patch >= lastKnownPatch,
	}
	switch {
	case patch >= 17:
		p.read = readHangs
	case patch >= 12:
		p.read = readStub
	}
	return p
}
