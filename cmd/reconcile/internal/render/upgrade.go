package render

import (
	"fmt"
	"strings"

	"milvus-reconcile/plan/upgrade"
)

// wireUpgrade is how to bring one topology to a version.
type wireUpgrade struct {
	Topology string            `json:"topology"`
	To       string            `json:"to"`
	Order    []wireUpgradeStep `json:"order"`
	Beware   []wireUpgradeNote `json:"beware"`
	Mends    []string          `json:"mends"`
}

type wireUpgradeStep struct {
	Cluster string   `json:"cluster"`
	From    *string  `json:"from"`
	Why     string   `json:"why"`
	Stops   []string `json:"stops"`
}

type wireUpgradeNote struct {
	Cluster *string `json:"cluster"`
	Message string  `json:"message"`
	Remedy  string  `json:"remedy"`
}

func encodeUpgrade(u upgrade.Advice) wireUpgrade {
	return wireUpgrade{
		Topology: u.Topology, To: u.To.Label,
		Order: mapList(u.Order, func(s upgrade.Step) wireUpgradeStep {
			return wireUpgradeStep{Cluster: s.Cluster, From: textOrNil(s.From.Label), Why: s.Why, Stops: mapList(s.Stops, same)}
		}),
		Beware: mapList(u.Beware, func(n upgrade.Note) wireUpgradeNote {
			return wireUpgradeNote{Cluster: textOrNil(n.Cluster), Message: n.Message, Remedy: n.Remedy}
		}),
		Mends: mapList(u.Mends, same),
	}
}

// upgradesOfMany shows in which order to upgrade each of many topologies, those that are
// alike in one row, and the command that says more.
func (p *page) upgradesOfMany(d Diagnosis) {
	if len(d.Upgrades) == 0 {
		return
	}
	c, there := causes{same: d.sameness(), at: map[string]int{}}, 0
	for _, u := range d.Upgrades {
		if len(u.Order) == 0 {
			there++
			continue
		}
		var order []string
		for _, s := range u.Order {
			order = append(order, s.Cluster)
		}
		words := "upgrade " + strings.Join(order, ", then ") + " to " + u.To.Label
		if n := len(u.Beware); n > 0 {
			words += "; before that " + plural(n, "thing", "things") + " to see to"
		}
		c.add(fleetRow{name: u.Topology, condition: standsWarned, words: words, command: "reconcile doctor " + u.Topology + " --upgrade-to " + u.To.Label})
	}
	p.blank()
	p.listCauses(c.rows)
	if there > 0 {
		p.line("  ", p.paint(good, good.mark()+" "+plural(there, "topology runs ", "topologies run ")+d.Upgrades[0].To.Label))
	}
}

// upgrade shows the order first, then what to do before.
func (p *page) upgrade(u upgrade.Advice) {
	if len(u.Order) == 0 {
		p.title(u.Topology, good, "every cluster runs "+u.To.Label)
		return
	}
	p.title(u.Topology, attention, "upgrade to "+u.To.Label)
	label := "Order"
	for i, s := range u.Order {
		why := s.Why
		if len(s.Stops) > 0 {
			why = "until the next step nothing is replicated to " + strings.Join(s.Stops, ", ")
		}
		p.field(label, plain, fmt.Sprintf("%d", i+1), fmt.Sprintf("%s (%s): %s", s.Cluster, s.From.Name(), why))
		label = ""
	}
	label = "Before"
	for _, n := range u.Beware {
		text := n.Message
		if n.Cluster != "" {
			text = n.Cluster + ": " + text
		}
		p.field(label, attention, "!", text)
		p.field("", plain, "→", n.Remedy)
		label = ""
	}
	label = "Mends"
	for _, m := range u.Mends {
		p.field(label, faint, "·", m)
		label = ""
	}
}
