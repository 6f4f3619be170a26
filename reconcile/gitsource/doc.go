// Package gitsource reads topologies and all that speaks for them from a Git
// repository: files as they stand in a commit, the commit that governs each
// topology, and the commits and tags that may carry its approval, with their
// signatures checked over the raw bytes of the objects.
//
// A repository is a local path, a file URL, or an https or ssh remote that is
// fetched into a bare copy of our own. Blobs are read from objects; nothing is
// ever checked out, no hook, filter or attribute of the repository takes
// effect, and the git program is not used. Which objects and refs a local repository
// has is found here (local_*.go), so that what git
// makes by itself is read; go-git unpacks them, and fetches.
//
// Repositories with SHA-256 names of objects are refused, with a command that makes one
// with SHA-1 names. Reading them through the git program was considered: the names are
// of 32 bytes all through the walks, caches and indexes here, what a signature is over
// differs (gpgsig-sha256), and no large forge serves such repositories by default.
//
// It does not parse topology files: the caller says which documents a blob
// holds (KeysFunc). It does not decide whether an approval suffices: that is
// approval.Evaluate. For the demo, the simulator and tests it can also make a
// repository with signed commits (Init).
package gitsource
