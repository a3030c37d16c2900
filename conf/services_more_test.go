package conf

import (
	"bufio"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	collector "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	"google.golang.org/protobuf/proto"
)

// https://cloud.google.com/chronicle/docs/reference/ingestion-api
func secOpsService(k *desk) service {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		k.t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		k.t.Fatal(err)
	}
	credentials, err := json.Marshal(map[string]string{
		"type": "service_account", "project_id": "siem", "private_key_id": "1", "client_email": "ingest@siem.iam.gserviceaccount.com", "client_id": "1",
		"private_key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
		"auth_uri":    "https://accounts.google.com/o/oauth2/auth", "token_uri": "https://oauth2.googleapis.com/token",
	})
	if err != nil {
		k.t.Fatal(err)
	}
	k.place.write("secops.json", string(credentials))
	token := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var claims struct {
			jwt.Claims
			Scope string `json:"scope"`
		}
		signed, err := jwt.ParseSigned(r.PostFormValue("assertion"), []jose.SignatureAlgorithm{jose.RS256})
		if err == nil {
			err = signed.Claims(&key.PublicKey, &claims)
		}
		if err != nil || claims.Issuer != "ingest@siem.iam.gserviceaccount.com" || claims.Scope != "https://www.googleapis.com/auth/malachite-ingestion" || r.PostFormValue("grant_type") != "urn:ietf:params:oauth:grant-type:jwt-bearer" {
			k.t.Errorf("google-secops.yaml: assertion of %+v: %v", claims, err)
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"access_token": "of-google", "expires_in": 3599, "token_type": "Bearer"}`)
	})
	return service{
		env:    []string{"GOOGLE_SERVICE_CREDENTIALS=" + k.place.path("secops.json")},
		beside: map[string]http.Handler{"oauth2.googleapis.com:443": token},
		aside: func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method != http.MethodGet || r.URL.Path != "/v2/logtypes" {
				return false
			}
			_, _ = io.WriteString(w, `{"logTypes": [{"logType": "BIND_DNS", "description": "BIND"}, {"logType": "ZITADEL", "description": "ZITADEL"}]}`)
			return true
		},
		read: func(r *http.Request, body []byte) ([]arrived, error) {
			if r.Method != http.MethodPost || r.URL.Path != "/v2/unstructuredlogentries:batchCreate" || len(body) > 1<<20 {
				return nil, errors.New("no such method, or more than 1 MB")
			}
			m, err := strictJSON(body)
			if err = errors.Join(err, wantHeader(r, "Authorization", "Bearer of-google")); err != nil {
				return nil, err
			}
			if field(m, "customer_id") != "c8c65bfa-5f2c-42d4-9189-64bb7b939f2c" || field(m, "log_type") != "ZITADEL" || field(m, "namespace") != "zitadel" {
				return nil, fmt.Errorf("customer, type or namespace: %.300v", m)
			}
			all, err := objects(m["entries"])
			if err != nil {
				return nil, err
			}
			return each(all, func(m map[string]any) (arrived, error) {
				if _, err := time.Parse(time.RFC3339Nano, field(m, "ts_rfc3339")); err != nil {
					return arrived{}, err
				}
				record, err := strictJSON([]byte(field(m, "log_text")))
				return ecsArrived(record), err
			})
		},
		accept: status(http.StatusOK, "{}"),
	}
}

// https://opentelemetry.io/docs/specs/otlp/
func otlpService(k *desk) service {
	k.wants = func(a arrived) arrived { // Fluent Bit 5.1.1 cuts a text at a NUL
		a.agent, _, _ = strings.Cut(a.agent, "\x00")
		a.actor, _, _ = strings.Cut(a.actor, "\x00")
		return a
	}
	return service{
		read: func(r *http.Request, body []byte) (records []arrived, err error) {
			var export collector.ExportLogsServiceRequest
			err = proto.Unmarshal(body, &export)
			if err = errors.Join(err, wantHeader(r, "Content-Type", "application/x-protobuf"), wantHeader(r, "Authorization", "Bearer of-the-sender"), wantHeader(r, "Content-Encoding", "gzip")); err != nil {
				return nil, err
			}
			if r.Method != http.MethodPost || r.URL.Path != "/v1/logs" {
				return nil, errors.New("no such path")
			}
			for _, resource := range export.GetResourceLogs() {
				for _, scope := range resource.GetScopeLogs() {
					for _, l := range scope.GetLogRecords() {
						if l.GetBody().GetStringValue() != "Password check failed" || l.GetTimeUnixNano() == 0 {
							return nil, fmt.Errorf("body and time of %v", l)
						}
						records = append(records, ecsArrived(attributes(l.GetAttributes())))
					}
				}
			}
			return records, nil
		},
		accept: func(w http.ResponseWriter, _ int) { w.Header().Set("Content-Type", "application/x-protobuf") },
	}
}

// attributes are those of OTLP as JSON would have them.
func attributes(list []*common.KeyValue) map[string]any {
	m := map[string]any{}
	for _, kv := range list {
		switch v := kv.GetValue().GetValue().(type) {
		case *common.AnyValue_KvlistValue:
			m[kv.GetKey()] = attributes(v.KvlistValue.GetValues())
		case *common.AnyValue_StringValue:
			m[kv.GetKey()] = v.StringValue
		case *common.AnyValue_IntValue:
			m[kv.GetKey()] = v.IntValue
		case *common.AnyValue_BoolValue:
			m[kv.GetKey()] = v.BoolValue
		case *common.AnyValue_DoubleValue:
			m[kv.GetKey()] = v.DoubleValue
		}
	}
	return m
}

// https://grafana.com/docs/loki/latest/reference/loki-http-api/#ingest-logs
func grafanaService(k *desk) service {
	return service{
		read: func(r *http.Request, body []byte) (records []arrived, err error) {
			user, token, _ := r.BasicAuth()
			if r.Method != http.MethodPost || r.URL.Path != "/loki/api/v1/push" || user != "123456" || token != "glc_of-the-writer" {
				return nil, errors.New("no such path, or another user")
			}
			m, err := strictJSON(body)
			if err = errors.Join(err, wantHeader(r, "Content-Type", "application/json")); err != nil {
				return nil, err
			}
			streams, err := objects(m["streams"])
			if err != nil {
				return nil, err
			}
			for _, s := range streams {
				labels, _ := s["stream"].(map[string]any)
				if len(labels) != 3 || labels["job"] != "zitadel" || labels["source"] != "events_api" || labels["instance"] == "" {
					return nil, fmt.Errorf("labels %v", labels)
				}
				values, _ := s["values"].([]any)
				for _, v := range values {
					pair, _ := v.([]any)
					if len(pair) != 2 {
						return nil, fmt.Errorf("entry %v", v)
					}
					if ns, err := strconv.ParseInt(fmt.Sprint(pair[0]), 10, 64); err != nil || ns < 1e18 {
						return nil, fmt.Errorf("time %v", pair[0])
					}
					record, err := strictJSON([]byte(fmt.Sprint(pair[1])))
					if err != nil {
						return nil, err
					}
					records = append(records, ecsArrived(record))
				}
			}
			return records, nil
		},
		accept: status(http.StatusNoContent, ""),
	}
}

// https://go2docs.graylog.org/current/getting_in_log_data/gelf.html
func graylogService(k *desk) func(net.Conn) {
	name := regexp.MustCompile(`^_[\w.-]+$`)
	check := func(message []byte) error {
		m, err := strictJSON(message)
		if err != nil {
			return err
		}
		if m["version"] != "1.1" || m["host"] != "zitadel" || field(m, "short_message") == "" || m["_id"] != nil {
			return fmt.Errorf("no GELF: %v", m)
		}
		for key, v := range m {
			switch v.(type) {
			case string, json.Number:
			default:
				return fmt.Errorf("%s is %v, and no text or number", key, v)
			}
			if !strings.Contains(" version host short_message timestamp ", " "+key+" ") && !name.MatchString(key) {
				return fmt.Errorf("field %s", key)
			}
		}
		at := func(keys ...string) string { return field(m, "_"+strings.Join(keys, "_")) }
		k.store([]arrived{{at("event", "id"), at("user", "id"), at("user_agent", "original"), at("zitadel", "actor", "name"), at("event", "sequence")}})
		return nil
	}
	return func(c net.Conn) {
		defer c.Close()
		in := bufio.NewReader(c)
		for {
			message, err := in.ReadBytes(0)
			if err != nil {
				return // Fluent Bit has closed it, or was killed
			}
			if err := check(message[:len(message)-1]); err != nil {
				k.t.Errorf("%s: %v", k.file, err)
				return
			}
		}
	}
}
