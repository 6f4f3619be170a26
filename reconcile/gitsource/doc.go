// Package gitsource reads topologies and their approvals from a Git repository: the
// files of a commit, the commit that governs each topology, and the commits and tags
// that may carry its approval. It verifies signatures over the raw bytes of the objects.
//
// A repository is a local path, a file URL, or an https or ssh remote that is
// fetched into a bare copy of our own. Blobs are read from objects; nothing is
// ever checked out, no hook, filter or attribute of the repository takes effect, and the
// git program is not used. Package gitdir finds the objects and refs of a local repository,
// since go-git reads only some of the forms that git writes. go-git unpacks the large
// objects, and fetches.
//
// Repositories with SHA-256 names of objects are refused, with a command that makes one
// with SHA-1 names. Support would need names of 32 bytes in all walks, caches and
// indexes here, and another signed payload (gpgsig-sha256). No large forge serves such
// repositories by default.
//
// It does not parse topology files: the caller says which documents a blob
// holds (KeysFunc). It does not decide whether an approval suffices: that is
// approval.Evaluate. For the demo, the simulator and tests it can also make a
// repository with signed commits (Init).
package gitsource
