package milvus

import (
	"context"
	"regexp"
	"slices"
	"strconv"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// unlisted asks whether the cluster serves the channel after the last one of the file, as
// it does once rootCoord.dmlChannelNum was raised (milvus.md §2.9). A cluster that does
// not serve it waits until the deadline, so the deadline is short, and the question is
// asked only when the options say so. A cluster that is known to serve it is asked in
// every observation until the channel is listed or gone.
func (r *viewReader) unlisted(ctx context.Context) []string {
	self := r.target.cluster
	stored, listed := r.view.Belief.Configuration.Member(self.ID)
	next := nextChannel(self.PChannels)
	known := r.options.progress && r.fleet.isRaised(r.pass, next)
	if !listed || next == "" || !slices.Equal(stored.PChannels, self.PChannels) || !r.options.unlisted && !known {
		return nil
	}
	bounded, cancel := context.WithTimeout(ctx, r.fleet.awaitSoon)
	defer cancel()
	_, err := r.info(bounded, next, self.ID)
	if err == nil {
		r.fleet.noteRaised(r.pass, next)
		return []string{next}
	}
	if status.Code(err) == codes.DeadlineExceeded && ctx.Err() == nil {
		r.fleet.noteRaised(r.pass, "")
	}
	return nil
}

// raised is a channel that a cluster serves and that no configuration lists.
type raised struct {
	pass    ticket
	channel string
}

func (f *Fleet) isRaised(pass ticket, channel string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return channel != "" && f.raised[pass.cluster] == raised{pass, channel}
}

// noteRaised keeps a channel that was found. An empty one forgets it.
func (f *Fleet) noteRaised(pass ticket, channel string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if channel == "" {
		delete(f.raised, pass.cluster)
		return
	}
	f.raised[pass.cluster] = raised{pass, channel}
}

var numbered = regexp.MustCompile(`^(.*\D)?(\d{1,6})$`)

// nextChannel returns the name that Milvus gives the channel after the last one: prefix
// and number. Empty: the last one has no number.
func nextChannel(channels []string) string {
	if len(channels) == 0 {
		return ""
	}
	m := numbered.FindStringSubmatch(channels[len(channels)-1])
	if m == nil {
		return ""
	}
	n, err := strconv.Atoi(m[2])
	if err != nil {
		return ""
	}
	return m[1] + strconv.Itoa(n+1)
}
