package notify

import (
	"fmt"
	"strings"
)

// The limits of Slack's Block Kit, in characters.
const (
	slackHeader  = 150
	slackSection = 3000
	slackBlocks  = 50
	// slackMessageText is far below Slack's 40,000; Mattermost takes 16,383.
	slackMessageText = 16000
)

// slackEscape is what Slack asks of text outside its markup. Without it, <!channel>
// in a text would call everybody.
var slackEscape = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")

type slackText struct {
	Type     string `json:"type"`
	Text     string `json:"text"`
	Verbatim bool   `json:"verbatim,omitempty"` // nothing in it becomes a link or a mention
}

type slackBlock struct {
	Type     string      `json:"type"`
	Text     *slackText  `json:"text,omitempty"`
	Elements []slackText `json:"elements,omitempty"`
}

// slackBody is a message with blocks. Text is what notifications show, and all that
// Mattermost and others take.
type slackBody struct {
	Text   string       `json:"text"`
	Blocks []slackBlock `json:"blocks"`
}

func slackMessage(n notice) slackBody {
	out := slackBody{Text: slackPlain(n), Blocks: []slackBlock{
		{Type: "header", Text: &slackText{Type: "plain_text", Text: clip(n.title, slackHeader)}},
	}}
	for _, i := range n.items {
		out.Blocks = append(out.Blocks, slackSections(i)...)
	}
	foot := escapedUpTo(strings.Join(n.footer(), " · "), slackSection/2)
	if n.link != "" {
		foot = slackLink(n.link) + " · " + foot
	}
	out.Blocks = append(out.Blocks[:min(len(out.Blocks), slackBlocks-1)],
		slackBlock{Type: "context", Elements: []slackText{{Type: "mrkdwn", Text: foot, Verbatim: true}}})
	return out
}

// slackSections are an item, and below it the commands, which a triple click copies.
func slackSections(i item) []slackBlock {
	var lines []string
	if i.head != "" {
		lines = append(lines, "*"+escapedUpTo(i.head, 200)+"*")
	}
	if i.text != "" {
		lines = append(lines, escapedUpTo(i.text, slackSection/3))
	}
	if i.remedy != "" {
		lines = append(lines, "→ "+escapedUpTo(i.remedy, slackSection/3))
	}
	var out []slackBlock
	if len(lines) > 0 {
		out = append(out, slackBlock{Type: "section", Text: &slackText{Type: "mrkdwn", Text: strings.Join(lines, "\n"), Verbatim: true}})
	}
	if len(i.commands) > 0 {
		block := "```\n" + escapedUpTo(strings.ReplaceAll(strings.Join(i.commands, "\n"), "`", "'"), slackSection-10) + "\n```"
		out = append(out, slackBlock{Type: "section", Text: &slackText{Type: "mrkdwn", Text: block, Verbatim: true}})
	}
	return out
}

func slackLink(link string) string {
	return fmt.Sprintf("<%s|Status page>", strings.NewReplacer("&", "&amp;", "<", "%3C", ">", "%3E", "|", "%7C").Replace(link))
}

// slackPlain is the whole message as one text.
func slackPlain(n notice) string {
	var b strings.Builder
	b.WriteString(n.title)
	for _, i := range n.items {
		for _, line := range []string{i.head, i.text, i.remedy} {
			if line != "" {
				b.WriteString("\n" + line)
			}
		}
		for _, c := range i.commands {
			b.WriteString("\n    " + c)
		}
	}
	if n.link != "" {
		b.WriteString("\n" + n.link)
	}
	return escapedUpTo(b.String(), slackMessageText)
}

// escapedUpTo escapes a text for Slack and cuts it before it grows longer than n
// characters, never within an entity. A fence would turn what follows into code.
func escapedUpTo(s string, n int) string {
	var b strings.Builder
	length := 0
	for _, r := range strings.ReplaceAll(s, "```", "'''") {
		piece := slackEscape.Replace(string(r))
		if length += len([]rune(piece)); length > n-1 {
			b.WriteString("…")
			break
		}
		b.WriteString(piece)
	}
	return b.String()
}
