package redirect

import (
	"context"
	"encoding/csv"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// HAProxy closes sessions one after the other: they are counted until none is left, at most
// sessionCounts times.
const (
	sessionCounts     = 10
	sessionCountEvery = 20 * time.Millisecond
)

// left says how many sessions there still are on servers that were taken out.
func (b backend) left(ctx context.Context, out []string) string {
	names := strings.Join(out, " and ")
	for n := 1; ; n++ {
		left, err := b.sessions(ctx, out)
		switch {
		case err != nil:
			return "how many sessions were left on " + names + " is not known: " + err.Error()
		case left == 0:
			return "no session was left on " + names
		case n == sessionCounts:
			return fmt.Sprintf("%d sessions were left on %s", left, names)
		}
		select {
		case <-ctx.Done():
		case <-time.After(sessionCountEvery):
		}
	}
}

// sessions counts the sessions of servers. It asks for all backends: by its name HAProxy may find
// a frontend of the same name, which has no servers.
func (b backend) sessions(ctx context.Context, names []string) (int, error) {
	const all, servers = "-1", "4"
	answer, err := b.ask(ctx, "show stat "+all+" "+servers+" "+all)
	if err != nil {
		return 0, err
	}
	return countSessions(answer, b.conf.Backend, names)
}

// countSessions reads the answer of `show stat`: a line of names, a line for each server.
func countSessions(answer, backend string, names []string) (int, error) {
	read := csv.NewReader(strings.NewReader(strings.TrimPrefix(strings.TrimSpace(answer), "# ")))
	read.FieldsPerRecord, read.LazyQuotes = -1, true
	rows, err := read.ReadAll()
	if err != nil || len(rows) == 0 {
		return 0, fmt.Errorf("HAProxy answers %q", bounded(strings.TrimSpace(answer)))
	}
	proxy, name, current := slices.Index(rows[0], "pxname"), slices.Index(rows[0], "svname"), slices.Index(rows[0], "scur")
	total, met := 0, 0
	for _, row := range rows[1:] {
		if min(proxy, name, current) < 0 || len(row) <= max(proxy, name, current) || row[proxy] != backend || !slices.Contains(names, row[name]) {
			continue
		}
		n, err := strconv.Atoi(row[current])
		if err != nil {
			return 0, fmt.Errorf("scur of server %s is no number", bounded(row[name]))
		}
		total, met = total+n, met+1
	}
	if met != len(names) {
		return 0, fmt.Errorf("HAProxy lists %d of %d servers", met, len(names))
	}
	return total, nil
}
