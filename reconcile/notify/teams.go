package notify

import "strings"

// teamsLimit is how large a card may be: Teams refuses more than 28 KB.
const teamsLimit = 25 << 10

type teamsBody struct {
	Type        string            `json:"type"`
	Attachments []teamsAttachment `json:"attachments"`
}

type teamsAttachment struct {
	ContentType string    `json:"contentType"`
	ContentURL  *string   `json:"contentUrl"`
	Content     teamsCard `json:"content"`
}

// teamsCard is an adaptive card. All text in it is that of text runs, in which no
// Markdown is read: no text of others can become a link or a mention.
type teamsCard struct {
	Schema  string            `json:"$schema"`
	Type    string            `json:"type"`
	Version string            `json:"version"`
	Summary string            `json:"fallbackText"`
	Teams   map[string]string `json:"msteams"`
	Body    []teamsText       `json:"body"`
	Actions []teamsAction     `json:"actions,omitempty"`
}

// teamsText is one paragraph.
type teamsText struct {
	Type      string     `json:"type"`
	Separator bool       `json:"separator,omitempty"`
	Spacing   string     `json:"spacing,omitempty"`
	Inlines   []teamsRun `json:"inlines"`
}

type teamsRun struct {
	Type     string `json:"type"`
	Text     string `json:"text"`
	Size     string `json:"size,omitempty"`
	Weight   string `json:"weight,omitempty"`
	Color    string `json:"color,omitempty"`
	FontType string `json:"fontType,omitempty"`
	Subtle   bool   `json:"isSubtle,omitempty"`
}

type teamsAction struct {
	Type  string `json:"type"`
	Title string `json:"title"`
	URL   string `json:"url"`
}

var teamsColours = map[tone]string{toneBad: "Attention", toneWarn: "Warning", toneGood: "Good", toneInfo: "Default"}

// teamsMessage is a card that fits: items are left out from the end until it does.
func teamsMessage(id string, n notice) (Message, error) {
	for {
		m, err := jsonMessage(id, teamsBody{Type: "message", Attachments: []teamsAttachment{{
			ContentType: "application/vnd.microsoft.card.adaptive", Content: teamsCardOf(n),
		}}})
		if err != nil || len(m.Body) <= teamsLimit || len(n.items) < 2 {
			return m, err
		}
		n.items, n.more = n.items[:len(n.items)-1], n.more+1
	}
}

func teamsCardOf(n notice) teamsCard {
	out := teamsCard{
		Schema: "http://adaptivecards.io/schemas/adaptive-card.json", Type: "AdaptiveCard", Version: "1.4",
		Summary: n.title, Teams: map[string]string{"width": "Full"},
		Body: []teamsText{paragraph(teamsRun{Text: n.title, Size: "Large", Weight: "Bolder", Color: teamsColours[n.tone]})},
	}
	for _, i := range n.items {
		out.Body = append(out.Body, teamsItem(i)...)
	}
	foot := paragraph(teamsRun{Text: strings.Join(n.footer(), " · "), Size: "Small", Subtle: true})
	foot.Separator = true
	out.Body = append(out.Body, foot)
	if n.link != "" {
		out.Actions = []teamsAction{{Type: "Action.OpenUrl", Title: "Status page", URL: n.link}}
	}
	return out
}

func teamsItem(i item) []teamsText {
	var out []teamsText
	if i.head != "" {
		head := paragraph(teamsRun{Text: i.head, Weight: "Bolder"})
		head.Separator = true
		out = append(out, head)
	}
	for _, text := range []string{i.text, i.remedy} {
		for line := range strings.SplitSeq(text, "\n") {
			if line = strings.TrimSpace(line); line != "" {
				out = append(out, paragraph(teamsRun{Text: line}))
			}
		}
	}
	for _, c := range i.commands {
		out = append(out, paragraph(teamsRun{Text: c, FontType: "Monospace"}))
	}
	return out
}

func paragraph(r teamsRun) teamsText {
	r.Type = "TextRun"
	return teamsText{Type: "RichTextBlock", Inlines: []teamsRun{r}}
}
