//go:build !unix

package serve

// descriptorLimit returns how many files this process may open. This system sets no limit.
func descriptorLimit() int { return mostConnections * descriptorsShare }
