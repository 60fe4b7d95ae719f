package loadgen

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// fill puts a client's own values into a text: {client}, {name} and {room} stand for
// its number, name and room, escaped as a URL's query wants them. Outside of relay
// mode room, a client's room is the set of clients that get what it publishes: all,
// or itself.
func (c *client) fill(text string) string {
	if !strings.Contains(text, "{") {
		return text
	}
	return templates(strconv.FormatUint(uint64(c.id), 10), clientName(c.id), roomName(c.room)).Replace(text)
}

// clientURL is the URL of one client, of several that are taken in turn; see fill.
func clientURL(urls []string, c *client) string { return c.fill(urls[int(c.id)%len(urls)]) }

// fillHeader is the header of one client, values filled in; see fill. It is the one
// that all clients share where no value of it is a client's own.
func (c *client) fillHeader(shared http.Header) http.Header {
	var own http.Header
	for name, values := range shared {
		for i, v := range values {
			if filled := c.fill(v); filled != v {
				if own == nil {
					own = shared.Clone()
				}
				own[name][i] = filled
			}
		}
	}
	if own == nil {
		return shared
	}
	return own
}

// sample fills a text in for a check of its form, before there are clients.
func sample(text string) string { return templates("0", "n", "r").Replace(text) }

func templates(number, name, room string) *strings.Replacer {
	return strings.NewReplacer("{client}", number, "{name}", url.QueryEscape(name), "{room}", url.QueryEscape(room))
}
