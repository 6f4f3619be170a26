package schema

import (
	"fmt"
	"strings"
	"time"
)

// TSIGSHA256 is the default algorithm of the key of a dns target.
const TSIGSHA256 = "hmac-sha256"

func redirectDNS(f field) *RedirectDNS {
	if !f.set {
		return nil
	}
	key := f.get("key")
	out := &RedirectDNS{
		Server:    f.get("server").address(),
		Zone:      f.get("zone").text(),
		Record:    f.get("record").text(),
		Type:      f.get("type").text(),
		TTL:       f.get("ttl").intervalOr(30 * time.Second),
		Values:    map[string][]string{},
		Key:       key.get("name").text(),
		Algorithm: key.get("algorithm").textOr(TSIGSHA256),
		Secret:    secret(key.get("secretFrom")),
	}
	if out.TTL%time.Second != 0 || out.TTL > 24*time.Hour {
		f.get("ttl").fail("a TTL is in whole seconds, of at most a day", "write 30s")
	}
	if !inZone(out.Record, out.Zone) {
		f.get("record").fail(quoted(out.Record)+" is not in the zone "+quoted(out.Zone), "write the whole name, with its zone")
	}
	ids, values := f.get("values").entries()
	for i, id := range ids {
		if !clusterID().MatchString(id) {
			values[i].fail(quoted(id)+" is not a cluster id", "use the cluster's id as key")
		}
		out.Values[id] = values[i].texts()
		if out.Type == "CNAME" && len(out.Values[id]) > 1 {
			values[i].fail("a name is an alias of one other name only", "write one")
		}
	}
	for _, server := range f.get("servers").items() {
		out.Servers = append(out.Servers, server.address())
	}
	return out
}

// inZone reports whether a domain name is in a zone.
func inZone(name, zone string) bool {
	name, zone = plainName(name), plainName(zone)
	return name == zone || strings.HasSuffix(name, "."+zone)
}

func plainName(name string) string { return strings.TrimSuffix(strings.ToLower(name), ".") }

// checkRecords: two topologies, or two targets, would move one record to and fro.
func checkRecords(f field) {
	seen := map[string]string{}
	for _, item := range f.items() {
		d := item.get("dns")
		if !d.set {
			continue
		}
		if len(item.get("topologies").items()) != 1 {
			item.fail("a record leads to the primary of one topology", "write topologies: [NAME]")
		}
		record := strings.ToLower(d.get("server").text()) + " " + plainName(d.get("record").text()) + " " + d.get("type").text()
		if other, twice := seen[record]; twice {
			d.get("record").fail(fmt.Sprintf("the target %s has the same record", quoted(other)), "give each target its own")
		}
		seen[record] = item.get("name").text()
	}
}
