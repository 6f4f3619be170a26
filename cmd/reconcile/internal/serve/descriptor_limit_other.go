//go:build !unix

package serve

// descriptors is how many files this process may open: the system sets no bound.
func descriptors() int { return mostConnections * descriptorsShare }
