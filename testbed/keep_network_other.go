//go:build !linux

package testbed

import (
	"errors"
	"net/netip"
)

// claim is for containers, which are Linux.
func claim(netip.Addr, netip.Prefix) error {
	return errors.New("this is done in Linux containers only")
}
