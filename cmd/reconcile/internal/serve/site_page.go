package serve

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"milvus-reconcile/cmd/reconcile/internal/render"
	"milvus-reconcile/cmd/reconcile/internal/sitepage"
	"milvus-reconcile/plan"
	"milvus-reconcile/plan/suggest"
	"milvus-reconcile/reconcile"
	"milvus-reconcile/reconcile/daemon"
)

// SiteSource returns how a site stands; false: nothing is known of it.
type SiteSource func(ctx context.Context, name string) (sitepage.Site, bool)

// siteView is what the page of one site shows.
type siteView struct {
	Name, Headline, Symbol, Tone, Digest string
	Missing                              bool     // no document names it
	Meant                                []string // names that were meant instead
	Actions                              []render.BriefAction
	Waves                                []waveView
	Others                               []row // topologies that have a cluster there and do not move
}

// waveView is one wave.
type waveView struct {
	Title, Words string
	Rows         []moveView
}

// moveView is the line of one topology that moves.
type moveView struct {
	Name, Symbol, Tone, State, What, Why, Took, Lost, Traffic string
}

func (v siteView) title() string {
	if v.Tone == toneBad {
		return "(!) site " + v.Name
	}
	return "site " + v.Name + " · reconcile"
}

// Site answers GET /sites/{site} with how its topologies move.
func (p *Page) Site() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s, name := p.source.Snapshot(), r.PathValue("site")
		l := layout{Class: "single", Root: "../", At: clock(s.At)}
		site, known := p.sites(r.Context(), name)
		if !known {
			l.Title, l.Page = "No such site", siteView{Name: safe(name), Missing: true, Meant: suggest.Names(name, sitesOf(s.Topologies...))}
			p.answer(w, http.StatusNotFound, p.site, l)
			return
		}
		v := siteViewOf(site, s)
		l.Title, l.Page, l.JSON = v.title(), v, "api/v1/sites/"+site.Name
		p.answer(w, http.StatusOK, p.site, l)
	})
}

// SiteStatus answers GET /api/v1/sites/{site} in the format of `status -o json`, with only the
// topologies that have a cluster at the site, and how they move.
func SiteStatus(source Source, sites SiteSource) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		site, known := sites(r.Context(), r.PathValue("site"))
		if !known {
			http.Error(w, "no document names this site", http.StatusNotFound)
			return
		}
		s := source.Snapshot()
		s.Topologies = slices.DeleteFunc(slices.Clone(s.Topologies), func(t daemon.TopologyStatus) bool { return !at(t, site.Name) })
		d := documentOf(s)
		d.Site = &site
		var out bytes.Buffer
		if err := render.JSON(&out, d); err != nil {
			http.Error(w, "the status could not be rendered", http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(out.Bytes()) // the client is gone if this fails
	})
}

// at says whether a topology has a cluster at a site.
func at(t daemon.TopologyStatus, site string) bool {
	return slices.ContainsFunc(t.Plan.Clusters, func(c plan.ClusterPlan) bool { return c.Site == site })
}

// sitesOf are the sites of topologies, sorted.
func sitesOf(all ...daemon.TopologyStatus) []string {
	var out []string
	for _, t := range all {
		for _, c := range t.Plan.Clusters {
			if c.Site != "" && !slices.Contains(out, c.Site) {
				out = append(out, c.Site)
			}
		}
	}
	slices.Sort(out)
	return out
}

func siteViewOf(site sitepage.Site, s daemon.Snapshot) siteView {
	v := siteView{Name: safe(site.Name), Headline: safe(site.Headline()), Symbol: "✓", Tone: toneGood}
	if site.Digest != nil {
		v.Digest = *site.Digest
	}
	moves := map[string]bool{}
	for i, w := range site.Waves {
		counts := w.Counts()
		wave := waveView{Title: "Moves", Words: counts.Words()}
		if len(site.Waves) > 1 {
			wave.Title = fmt.Sprintf("Wave %d, %s", i+1, safe(w.Name))
			if i+1 < len(site.Waves) {
				wave.Words += fmt.Sprintf("; the next one begins if at most %d fail", w.MaxFailed)
			}
		}
		for _, m := range w.Topologies {
			moves[m.Topology] = true
			r := moveViewOf(m)
			wave.Rows = append(wave.Rows, r)
			if urgency(r.Tone) < urgency(v.Tone) {
				v.Symbol, v.Tone = r.Symbol, r.Tone
			}
		}
		slices.SortStableFunc(wave.Rows, func(a, b moveView) int { return urgency(a.Tone) - urgency(b.Tone) })
		v.Waves = append(v.Waves, wave)
	}
	v.Actions = siteActions(site)
	d := documentOf(s)
	for _, t := range s.Topologies {
		if at(t, site.Name) && !moves[t.Name] {
			v.Others = append(v.Others, rowOf(d, t))
		}
	}
	return v
}

// siteActions are what to type.
func siteActions(site sitepage.Site) []render.BriefAction {
	var out []render.BriefAction
	if site.Approve != "" {
		words := "somebody who did not write the changes approves what can move:"
		if site.Needed > 1 {
			words = fmt.Sprintf("%d of %d people approved; others who did not write the changes do it by:", site.Given, site.Needed)
		}
		out = append(out, render.BriefAction{Label: "NOW", Words: words, Command: site.Approve})
	}
	if site.Came != nil && site.Came.Failed > 0 {
		out = append(out, render.BriefAction{Label: "SEE", Words: "the whole plan, with what blocks:", Command: "reconcile plan --site " + site.Name})
	}
	return out
}

func moveViewOf(m sitepage.Move) moveView {
	v := moveView{
		Name: m.Topology, Symbol: "!", Tone: toneWarn, What: m.Transition + ": " + safe(m.From) + " → " + safe(m.To),
		Why: safe(strings.Join(m.BlockedBy, ", ")), Took: "-", Lost: lostWords(m), Traffic: "-",
	}
	d := m.Done
	if d == nil {
		return v
	}
	v.State = words(d.Outcome)
	switch {
	case d.Done:
		v.Symbol, v.Tone, v.State = "✓", toneGood, "moved"
	case d.Outcome == reconcile.OutcomeNotApproved.String(): // somebody is awaited, and nothing is wrong
	case m.Trouble():
		v.Symbol, v.Tone, v.State = "✗", toneBad, "not moved: "+v.State
	}
	if d.Detail != nil && !d.Done && d.Outcome != reconcile.OutcomeNotApproved.String() {
		v.Why = safe(*d.Detail)
	}
	if d.PromotedSeconds != nil {
		v.Took = plan.UpperBoundText(time.Duration(*d.PromotedSeconds * float64(time.Second)))
	}
	if d.Traffic != nil {
		v.Traffic = strings.TrimPrefix(d.TrafficWords(), "traffic ")
	}
	return v
}

// lostWords say how much a move lost or may lose at most.
func lostWords(m sitepage.Move) string {
	switch {
	case m.Transition != string(plan.TransitionFailover):
		return "nothing"
	case m.LossSeconds == nil:
		return "not known"
	case *m.LossSeconds == 0:
		return "none known"
	default:
		return "up to " + plan.UpperBoundText(time.Duration(*m.LossSeconds*float64(time.Second)))
	}
}
