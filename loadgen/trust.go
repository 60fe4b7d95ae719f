package loadgen

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"sync"
)

// trust makes the TLS configurations of an engine's clients. Equal demands share
// one, since a certificate pool is far larger than an idle client.
type trust struct {
	mu      sync.Mutex
	configs map[trustKey]*tls.Config
}

type trustKey struct {
	caFile   string
	insecure bool
}

// config returns the configuration for a PEM file of authorities to trust beside
// the system's ("" for none). insecure turns verification off.
func (t *trust) config(caFile string, insecure bool) (*tls.Config, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	key := trustKey{caFile, insecure}
	if c := t.configs[key]; c != nil {
		return c, nil
	}
	c := &tls.Config{InsecureSkipVerify: insecure} //nolint:gosec // asked for by the user
	if caFile != "" {
		var err error
		if c.RootCAs, err = authorities(caFile); err != nil {
			return nil, err
		}
	}
	if t.configs == nil {
		t.configs = make(map[trustKey]*tls.Config)
	}
	t.configs[key] = c
	return c, nil
}

// authorities is the system's certificate authorities and those of a PEM file.
func authorities(file string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read certificate authorities: %w", err)
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool() // a system without any
	}
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s holds no certificate in PEM form", file)
	}
	return pool, nil
}
