package doctor

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"milvus-reconcile/cmd/reconcile/internal/desired"
	"milvus-reconcile/cmd/reconcile/internal/render"
	"milvus-reconcile/cmd/reconcile/internal/wire"
	"milvus-reconcile/plan"
	"milvus-reconcile/schema"
)

// maxDateDifference is how far the date of a Git server, or of an approval, may differ
// from our clock without a warning. An approval more than 5 minutes ahead is denied.
const maxDateDifference = time.Minute

// gitClock compares our clock with that of a Git server over HTTP, and with the dates of
// commits and approvals.
func (x *examination) gitClock(ctx context.Context, rev desired.Revision) {
	defer x.e.Doing("comparing our clock with that of Git")()
	x.checkGitServerClock(ctx)
	for _, t := range rev.Desired.Topologies {
		for _, carrier := range rev.Changes[t.Name].Carriers {
			if ahead := carrier.Date.Sub(x.e.Now()); ahead > maxDateDifference {
				x.check(render.Check{
					Area: "clocks", Subject: t.Name, Verdict: render.CheckWarning,
					Message: fmt.Sprintf("a commit or approval of it is dated %s ahead of our clock; an approval more than 5 minutes ahead is denied", plan.DurationText(ahead)),
					Remedy:  "set the clocks of this machine and of the approvers by NTP",
				})
				break
			}
		}
	}
}

// checkGitServerClock compares our clock with that of a Git server over HTTP. Other
// remotes tell no date.
func (x *examination) checkGitServerClock(ctx context.Context) {
	u, err := url.Parse(x.e.Git.URL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" {
		return
	}
	c := render.Check{Area: "clocks", Subject: "Git", Verdict: render.CheckOK, Message: fmt.Sprintf("within %s of ours", plan.DurationText(maxDateDifference))}
	date, asked, err := x.gitDate(ctx, u)
	off := date.Sub(asked)
	switch {
	case err != nil:
		c.Verdict, c.Message = render.CheckUnknown, fmt.Sprintf("the Git server did not tell its time: %v", err)
	case off.Abs() > maxDateDifference:
		word := "ahead of"
		if off < 0 {
			word = "behind"
		}
		c.Verdict = render.CheckWarning
		c.Message = fmt.Sprintf("the Git server is %s %s our clock: one of them is wrong, and our clock decides when approvals begin and end", plan.DurationText(off.Abs()), word)
		c.Remedy = "set this machine's clock by NTP"
	}
	x.check(c)
}

// gitDate makes a HEAD request without credentials, and returns the Date of the answer.
func (x *examination) gitDate(ctx context.Context, remote *url.URL) (date, asked time.Time, err error) {
	u := *remote
	u.User = nil
	u = *u.JoinPath("info", "refs")
	u.RawQuery = "service=git-upload-pack"
	conf, err := wire.TLSConfig(&schema.TLS{CAFile: x.e.Config.Git.Auth.CAFile})
	if err != nil {
		return date, asked, err
	}
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, u.String(), http.NoBody)
	if err != nil {
		return date, asked, err
	}
	transport := &http.Transport{TLSClientConfig: conf, Proxy: http.ProxyFromEnvironment, DisableKeepAlives: true}
	res, err := transport.RoundTrip(req)
	if err != nil {
		return date, asked, err
	}
	asked = x.e.Now()
	_ = res.Body.Close() // it is empty
	if date, err = http.ParseTime(res.Header.Get("Date")); err != nil {
		return date, asked, errors.New("its answer has no date")
	}
	return date, asked, nil
}
