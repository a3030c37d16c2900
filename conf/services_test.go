package conf

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"time"
)

// wantHeader is an error unless a header has a value.
func wantHeader(r *http.Request, name, value string) error {
	if got := r.Header.Get(name); got != value {
		return fmt.Errorf("header %s is %q, want %q", name, got, value)
	}
	return nil
}

// list decodes an array of objects.
func list(data []byte) ([]map[string]any, error) {
	v, err := strictValue(data)
	if err != nil {
		return nil, err
	}
	return objects(v)
}

func objects(v any) (all []map[string]any, err error) {
	values, ok := v.([]any)
	if !ok || len(values) == 0 {
		return nil, fmt.Errorf("%.100v is no list with entries", v)
	}
	for _, v := range values {
		m, ok := v.(map[string]any)
		if !ok {
			return nil, fmt.Errorf("%.100v is no object", v)
		}
		all = append(all, m)
	}
	return all, nil
}

// each reads the records of a list.
func each(all []map[string]any, read func(map[string]any) (arrived, error)) (records []arrived, err error) {
	for _, m := range all {
		a, err := read(m)
		if err != nil {
			return nil, err
		}
		records = append(records, a)
	}
	return records, nil
}

// The Logs Ingestion API: https://learn.microsoft.com/azure/azure-monitor/logs/logs-ingestion-api-overview
func sentinelService(k *desk) service {
	login := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		form := map[string]string{"grant_type": "client_credentials", "client_id": "client", "client_secret": "of the client", "scope": "https://monitor.azure.com/.default"}
		for name, value := range form {
			if got := r.PostFormValue(name); got != value {
				k.t.Errorf("sentinel.yaml: %s is %q, want %q", name, got, value)
			}
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"token_type": "Bearer", "expires_in": 3599, "access_token": "of-azure"}`)
	}))
	k.t.Cleanup(login.Close)
	columns := sentinelColumns(k.t)
	return service{
		// Only the test names the endpoint: Fluent Bit verifies it with the system's authorities.
		change: []string{"      tenant_id:", "      auth_url: " + login.URL + "/oauth2/v2.0/token\n      tenant_id:"},
		read: func(r *http.Request, body []byte) ([]arrived, error) {
			if r.Method != http.MethodPost || r.URL.Path != "/dataCollectionRules/dcr-0123456789abcdef/streams/Custom-ZITADEL_CL" || r.URL.Query().Get("api-version") == "" {
				return nil, errors.New("no such stream")
			}
			if len(body) > 1<<20 {
				return nil, fmt.Errorf("%w: %d bytes are above 1 MB", errTooLarge, len(body))
			}
			all, err := list(body)
			if err = errors.Join(err, wantHeader(r, "Authorization", "Bearer of-azure"), wantHeader(r, "Content-Type", "application/json")); err != nil {
				return nil, err
			}
			return each(all, func(m map[string]any) (arrived, error) {
				if _, err := time.Parse(time.RFC3339Nano, field(m, "TimeGenerated")); err != nil {
					return arrived{}, err
				}
				for name, v := range m {
					if typ, ok := columns[name]; ok && !isColumn(typ, v) {
						return arrived{}, fmt.Errorf("column %s is no %s: %v", name, typ, v)
					}
				}
				return ecsArrived(m), nil
			})
		},
		accept: status(http.StatusNoContent, ""),
	}
}

// isColumn says whether the API takes a value for a column of a type.
func isColumn(typ string, v any) bool {
	switch v := v.(type) {
	case string:
		_, err := time.Parse(time.RFC3339Nano, v)
		return typ == "string" || typ == "datetime" && err == nil
	case json.Number:
		_, err := v.Int64()
		return (typ == "int" || typ == "long") && err == nil || typ == "real"
	case bool:
		return typ == "boolean"
	}
	return typ == "dynamic"
}

// s3Service is PutObject: https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html
func s3Service(k *desk) service {
	// The partitions that Security Lake wants of a custom source.
	key := regexp.MustCompile(`^/siem-lake/ext/zitadel/region=eu-central-1/accountId=123456789012/eventDay=\d{8}/\d{6}-[0-9A-Za-z-]+\.gz$`)
	credential := regexp.MustCompile(`^AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/\d{8}/eu-central-1/s3/aws4_request, ?SignedHeaders=[a-z0-9;-]*host[a-z0-9;-]*, ?Signature=[0-9a-f]{64}$`)
	return service{
		read: func(r *http.Request, body []byte) ([]arrived, error) {
			if r.Method != http.MethodPut || !key.MatchString(r.URL.Path) {
				return nil, errors.New("no key of the lake")
			}
			if !credential.MatchString(r.Header.Get("Authorization")) {
				return nil, fmt.Errorf("credential %q", r.Header.Get("Authorization"))
			}
			sum := sha256.Sum256(body)
			if h := r.Header.Get("x-amz-content-sha256"); h != hex.EncodeToString(sum[:]) && r.Header.Get("Content-Encoding") != "gzip" {
				return nil, fmt.Errorf("the hash of the content is %q", h)
			}
			// Fluent Bit sets Content-Encoding, with which body has unpacked it.
			if bytes.HasPrefix(body, []byte{0x1f, 0x8b}) {
				z, err := gzip.NewReader(bytes.NewReader(body))
				if err != nil {
					return nil, err
				}
				if body, err = io.ReadAll(z); err != nil {
					return nil, err
				}
			}
			var records []arrived
			for line := range bytes.Lines(body) {
				m, err := strictJSON(line)
				if err != nil {
					return nil, err
				}
				if field(m, "metadata", "version") == "" || field(m, "class_uid") == "" {
					return nil, fmt.Errorf("no OCSF: %.300s", line)
				}
				records = append(records, ocsfArrived(m))
			}
			return records, nil
		},
		accept: func(w http.ResponseWriter, _ int) { w.Header().Set("ETag", `"d41d8cd98f00b204e9800998ecf8427e"`) },
	}
}

// https://docs.datadoghq.com/api/latest/logs/#send-logs
func datadogService(*desk) service {
	return service{
		read: func(r *http.Request, body []byte) ([]arrived, error) {
			if r.Method != http.MethodPost || r.URL.Path != "/api/v2/logs" {
				return nil, errors.New("no such path")
			}
			all, err := list(body)
			if err = errors.Join(err, wantHeader(r, "DD-API-KEY", "0123456789abcdef0123456789abcdef"), wantHeader(r, "Content-Type", "application/json"), wantHeader(r, "Content-Encoding", "gzip")); err != nil {
				return nil, err
			}
			if len(body) > 5<<20 || len(all) > 1000 {
				return nil, fmt.Errorf("%w: %d records, %d bytes", errTooLarge, len(all), len(body))
			}
			return each(all, func(m map[string]any) (arrived, error) {
				ms, ok := m["timestamp"].(json.Number)
				n, err := ms.Int64()
				if age := time.Since(time.UnixMilli(n)); !ok || err != nil || age < 0 || age > 18*time.Hour {
					return arrived{}, fmt.Errorf("timestamp %v", m["timestamp"])
				}
				if field(m, "message") == "" || field(m, "ddsource") != "zitadel" {
					return arrived{}, fmt.Errorf("no message or source: %v", m)
				}
				return ecsArrived(m), nil
			})
		},
		accept: status(http.StatusAccepted, "{}"),
	}
}

// https://docs.newrelic.com/docs/logs/log-api/introduction-log-api/
func newRelicService(*desk) service {
	return service{
		read: func(r *http.Request, body []byte) ([]arrived, error) {
			if r.Method != http.MethodPost || r.URL.Path != "/log/v1" {
				return nil, errors.New("no such path")
			}
			if r.ContentLength > 1_000_000 {
				return nil, fmt.Errorf("%w: %d bytes are above 1 MB", errTooLarge, r.ContentLength)
			}
			all, err := list(body)
			if err = errors.Join(err, wantHeader(r, "X-License-Key", "eu01xx0123456789abcdef0123456789FFFFNRAL"), wantHeader(r, "Content-Type", "application/json"), wantHeader(r, "Content-Encoding", "gzip")); err != nil {
				return nil, err
			}
			logs, err := objects(all[0]["logs"])
			if err != nil {
				return nil, err
			}
			return each(logs, func(m map[string]any) (arrived, error) {
				if n, ok := m["timestamp"].(json.Number); !ok || len(n) != 13 {
					return arrived{}, fmt.Errorf("timestamp %v", m["timestamp"])
				}
				if field(m, "message") == "" {
					return arrived{}, fmt.Errorf("no message: %v", m)
				}
				attributes, _ := m["attributes"].(map[string]any)
				return ecsArrived(attributes), nil
			})
		},
		accept: status(http.StatusAccepted, `{"requestId":"f0e7bfff-001a-b000-0000-01682bcf4565"}`),
	}
}
