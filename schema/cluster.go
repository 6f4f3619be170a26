package schema

import (
	"fmt"
	"net"
	"strconv"
	"strings"

	"milvus-reconcile/plan"
)

// cluster reads one entry of spec.clusters.
func cluster(f field) plan.Cluster {
	id := f.get("id").text()
	return plan.Cluster{
		ID:            id,
		Role:          plan.Role(f.get("role").text()),
		URI:           f.get("uri").text(),
		ClientAddress: clientAddress(f),
		PChannels:     channels(f.get("pchannels"), id),
		Promotable:    f.get("promotable").flagOr(true),
		Provisioned:   provisioned(f.get("provisioned")),
		At:            f.position(),
	}
}

// clientAddress is the written one, else the host and port of the uri.
func clientAddress(f field) string {
	u, ok := f.get("uri").clusterURI()
	if written := f.get("clientAddress"); written.set {
		return written.address()
	}
	if !ok {
		return ""
	}
	if u.Port() == "" {
		f.get("uri").fail("the uri has no port, and there is no clientAddress", "add the port, such as :19530, or write clientAddress: host:port")
		return ""
	}
	return net.JoinHostPort(u.Hostname(), u.Port())
}

// channels are the cluster's own physical channels: Milvus names them
// <id>-rootcoord-dml_<i> unless it was told otherwise.
func channels(f field, id string) []string {
	if _, isList := f.value.([]any); isList {
		return channelList(f)
	}
	prefix := f.get("prefix").textOr(id + "-rootcoord-dml_")
	count := f.get("count").numberOr(defaultChannels)
	if count < 1 || count > 1024 {
		return nil
	}
	return numbered(prefix, int(count))
}

// numbered gives prefix0, prefix1 and so on, all cut from one text.
func numbered(prefix string, count int) []string {
	ends, text := make([]int, count), make([]byte, 0, count*(len(prefix)+4))
	for i := range ends {
		text = strconv.AppendInt(append(text, prefix...), int64(i), 10)
		ends[i] = len(text)
	}
	all, begin, out := string(text), 0, make([]string, count)
	for i, end := range ends {
		out[i], begin = all[begin:end], end
	}
	return out
}

// channelList checks an explicit list. Peers map channels by position, so the
// numbered ones of a common stem must ascend.
func channelList(f field) []string {
	out := f.texts()
	seen := map[string]bool{}
	last := map[string]string{}
	for _, item := range f.items() {
		name := item.text()
		if name == "" {
			continue
		}
		if seen[name] {
			item.fail(fmt.Sprintf("the channel %s stands twice", quoted(name)), "list each channel once")
			continue
		}
		seen[name] = true
		stem, number := splitNumber(name)
		if number == "" {
			continue
		}
		if before, ok := last[stem]; ok && !lessNumber(before, number) {
			item.fail(fmt.Sprintf("the channel %s is not in numeric order", quoted(name)), "order the channels by their number: peers map them by position")
			continue
		}
		last[stem] = number
	}
	return out
}

// splitNumber cuts the digits off the end of a channel name.
func splitNumber(name string) (stem, number string) {
	stem = strings.TrimRight(name, "0123456789")
	return stem, name[len(stem):]
}

// lessNumber compares digits of any length.
func lessNumber(a, b string) bool {
	a, b = strings.TrimLeft(a, "0"), strings.TrimLeft(b, "0")
	if len(a) != len(b) {
		return len(a) < len(b)
	}
	return a < b
}

func provisioned(f field) plan.Provisioned {
	return plan.Provisioned{
		From:     plan.ProvisionedFrom(f.get("from").text()),
		At:       f.get("at").time(),
		Evidence: f.get("evidence").text(),
	}
}
