// Package docs tests the documentation with the real program: it types the commands of the
// guides, follows every link and citation, and checks that each code, scenario and story
// has a test.
package docs
