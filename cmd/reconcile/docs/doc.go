// Package docs holds what the documentation says to the real program: it types the
// commands of the guides, follows every link and citation, and demands a test for each
// code, scenario and story.
package docs
