package serve

import (
	"net/url"
	"path"
	"slices"
	"strings"
)

// failoverTags is where approvals by tag stand.
const failoverTags = "refs/tags/failover/"

// push is what the three forges say of a push; each names the repository in
// its own keys.
type push struct {
	Ref        string     `json:"ref"`
	Repository repository `json:"repository"`
	Project    repository `json:"project"` // GitLab
}

type repository struct {
	CloneURL   string `json:"clone_url"`    // GitHub, Gitea
	SSHURL     string `json:"ssh_url"`      // GitHub, Gitea
	HTMLURL    string `json:"html_url"`     // GitHub, Gitea
	GitHTTPURL string `json:"git_http_url"` // GitLab
	GitSSHURL  string `json:"git_ssh_url"`  // GitLab
	URL        string `json:"url"`
}

// of says whether the push names the repository by any of its URLs.
func (p push) of(repo string) bool {
	want := place(repo)
	var named []string
	for _, r := range []repository{p.Repository, p.Project} {
		named = append(named, r.CloneURL, r.SSHURL, r.HTMLURL, r.GitHTTPURL, r.GitSSHURL, r.URL)
	}
	return want != "" && slices.ContainsFunc(named, func(u string) bool { return u != "" && place(u) == want })
}

// place is a repository's host and path, without what differs between the
// ways to reach it: scheme, user, port and the ending .git.
func place(raw string) string {
	host, rest := "", raw
	switch u, err := url.Parse(raw); {
	case err == nil && u.Scheme != "" && strings.Contains(raw, "://"):
		host, rest = u.Hostname(), u.Path
	case strings.Contains(raw, "@") && strings.Contains(raw, ":"): // user@host:path
		_, after, _ := strings.Cut(raw, "@")
		host, rest, _ = strings.Cut(after, ":")
	}
	rest = strings.TrimSuffix(strings.Trim(path.Clean("/"+rest), "/"), ".git")
	if rest == "" {
		return ""
	}
	return strings.ToLower(host) + "/" + rest
}

// tracked says whether a push of this ref can change what the daemon sees.
func tracked(ref, want string) bool {
	switch {
	case strings.HasPrefix(ref, failoverTags):
		return true
	case want == "" || want == "HEAD":
		return strings.HasPrefix(ref, "refs/heads/")
	default:
		return ref == want
	}
}
