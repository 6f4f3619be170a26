package serve

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"milvus-reconcile/reconcile/daemon"
)

// TestLagChart holds that the words say what the chart shows, that what is not known is
// drawn as a field and never as a line, and that no number leaves the chart.
func TestLagChart(t *testing.T) {
	ended := curve("b", 1, 2)
	for i := range ended.Spans {
		ended.Spans[i].From, ended.Spans[i].To = ended.Spans[i].From.Add(-time.Hour), ended.Spans[i].To.Add(-time.Hour)
	}
	for _, c := range []struct {
		name            string
		curve           daemon.LagCurve
		objective       time.Duration
		lines, unknowns int
		behind          bool
		words           string
	}{
		{"well", curve("b", 1, 2, 1), 10 * time.Second, 1, 0, false, "at most 1 s behind now; at worst 2 s at 11:58Z; the objective is 10 s."},
		{"nothing behind", curve("b", 0, 0), 10 * time.Second, 1, 0, false, "at most 0 s behind now; at worst 0 s at 11:58Z; the objective is 10 s."},
		{"above now", curve("b", 1, 51), 10 * time.Second, 1, 0, true, "at most 51 s behind now; at worst 51 s at 11:59Z; above the objective of 10 s for up to 1 min."},
		{"was above", curve("b", 1, 51, 40, 3), 10 * time.Second, 1, 0, false, "at most 3 s behind now; at worst 51 s at 11:57Z; above the objective of 10 s for up to 2 min."},
		{"a gap", curve("b", 1, -1, 3), 10 * time.Second, 2, 1, false, "at most 3 s behind now; at worst 3 s at 11:59Z; the objective is 10 s; not known for 1 min in all."},
		{"not known now", curve("b", 1, 1, -1), 10 * time.Second, 1, 1, true, "not known since 11:59Z; at worst 1 s at 11:57Z; the objective is 10 s; not known for 1 min in all."},
		{"never known", curve("b", -1), 10 * time.Second, 0, 1, true, "not known since 11:59Z; the objective is 10 s; not known for 1 min in all."},
		{"no objective", curve("b", 100), 0, 1, 0, false, "at most 1 min 40 s behind now; at worst 1 min 40 s at 11:59Z; there is no objective."},
		{"promoted", ended, 10 * time.Second, 1, 0, false, "no standby since 11:00Z; at worst 2 s at 10:59Z; the objective is 10 s."},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := lagViews([]daemon.LagCurve{c.curve}, c.objective, noon)[0]
			svg := string(v.Chart)
			path := regexp.MustCompile(`class="curve" d="([^"]*)"`).FindStringSubmatch(svg)[1]
			if lines, unknowns := strings.Count(path, "M"), strings.Count(svg, "<rect"); v.Words != c.words || v.Behind != c.behind || lines != c.lines || unknowns != c.unknowns {
				t.Errorf("%d lines, %d fields, behind %t, %q", lines, unknowns, v.Behind, v.Words)
			}
			if !strings.Contains(svg, `aria-label="b: `+c.words+`"`) || strings.Contains(svg, `class="objective" d`) != (c.objective > 0) {
				t.Errorf("the chart lacks its words or its objective: %s", svg)
			}
			if regexp.MustCompile(`NaN|Inf|[" HVM]-`).MatchString(svg) {
				t.Errorf("a number leaves the chart: %s", svg)
			}
		})
	}
}

func TestPageShowsTheLagOfEachStandby(t *testing.T) {
	b := boardOf(healthy("orders"), healthy("users"))
	b.s.Topologies[0].MaxLag = 10 * time.Second
	b.lags = map[string][]daemon.LagCurve{"orders": {curve(`<img src=x>`, 1, 2), curve("cluster-c", 51)}}
	code, html := get(t, pages(b), "/topologies/orders")
	if code != http.StatusOK || strings.Count(html, `<svg xmlns="http://www.w3.org/2000/svg" class="lag"`) != 2 || strings.Contains(html, "<img") ||
		!strings.Contains(html, "at most 51 s behind now") || !strings.Contains(html, ">objective 10 s<") {
		t.Errorf("status %d: %s", code, html)
	}
	if _, html := get(t, pages(b), "/topologies/users"); strings.Contains(html, `class="lags"`) {
		t.Error("a page without samples has a chart")
	}
}
