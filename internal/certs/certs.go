// Package certs makes the TLS configuration of a client from the files that
// options name.
//
// The server's certificate is always verified. The authorities of ca_file are
// trusted in addition to those of the system. ca_file is read once; the client
// certificate is read again for each connection, because it may live for hours
// only.
package certs

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"

	"github.com/zitadel-siem/zitadel-siem/internal/bounded"
)

// maxFile is more than a bundle of all public authorities has (250 KB).
const maxFile = 1 << 20

// Client returns the configuration of a client. caFile may be empty.
func Client(caFile string) (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if caFile == "" {
		return config, nil // without RootCAs, the system's authorities count
	}
	pem, _, err := bounded.ReadFile(caFile, maxFile)
	if err != nil {
		return nil, fmt.Errorf("ca_file %s: %w: name a readable PEM file with the certificate authority of the server", caFile, err)
	}
	if config.RootCAs, err = x509.SystemCertPool(); err != nil {
		config.RootCAs = x509.NewCertPool() // a container without certificates: ca_file alone
	}
	if !config.RootCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("ca_file %s holds no certificate: it must be PEM, with a line BEGIN CERTIFICATE", caFile)
	}
	return config, nil
}

// Present makes config present the client certificate in certFile. The error is
// that of reading it now; a connection reads it again.
func Present(config *tls.Config, certFile, keyFile string) error {
	if _, err := tls.LoadX509KeyPair(certFile, keyFile); err != nil {
		return fmt.Errorf("cert_file and cert_key_file: %w: they must be PEM files of one pair, the key without a passphrase", err)
	}
	config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		pair, err := tls.LoadX509KeyPair(certFile, keyFile)
		return &pair, err
	}
	return nil
}
