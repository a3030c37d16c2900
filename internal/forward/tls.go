package forward

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
)

// tlsConfig verifies against the system's authorities and those of ca_file.
func tlsConfig(o Options) (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: o.Forward.Host}
	if o.CAFile != "" {
		pem, err := os.ReadFile(o.CAFile)
		if err != nil {
			return nil, fmt.Errorf("ca_file: %w: name a readable PEM file with the certificate authority of the other side", err)
		}
		if c.RootCAs, err = x509.SystemCertPool(); err != nil {
			c.RootCAs = x509.NewCertPool() // a container without certificates: ca_file alone
		}
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("ca_file %s: no certificate in it: want PEM, with lines BEGIN CERTIFICATE", o.CAFile)
		}
	}
	if o.CertFile == "" {
		return c, nil
	}
	if _, err := tls.LoadX509KeyPair(o.CertFile, o.CertKeyFile); err != nil {
		return nil, fmt.Errorf("cert_file and cert_key_file: %w: want PEM files of one pair, the key without a passphrase", err)
	}
	// Read again for each connection: client certificates are short-lived.
	c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		pair, err := tls.LoadX509KeyPair(o.CertFile, o.CertKeyFile)
		return &pair, err
	}
	return c, nil
}
