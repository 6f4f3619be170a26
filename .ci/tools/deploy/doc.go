// Package deploy holds the manifests in docs/deploy to the types of the API
// that they are for. It has tests only.
package deploy
