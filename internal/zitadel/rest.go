package zitadel

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"math"
	"mime"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/zitadel-siem/zitadel-siem/internal/bounded"
)

// newHTTPClient is for REST and for tokens. The contexts have deadlines.
func newHTTPClient(config *tls.Config) *http.Client {
	dialer := &net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}
	return &http.Client{
		Transport: newGate(&http.Transport{
			Proxy:               http.ProxyFromEnvironment,
			DialContext:         dialer.DialContext,
			TLSClientConfig:     config.Clone(),
			TLSHandshakeTimeout: 10 * time.Second,
			ForceAttemptHTTP2:   true,
			// A ping finds a connection that a firewall has dropped; otherwise each
			// request would run into its deadline.
			HTTP2: &http.HTTP2Config{SendPingTimeout: 30 * time.Second, PingTimeout: 15 * time.Second},
			// Over HTTP/1.1 there are as many connections as calls at the same time. All of them are
			// kept, however many clients there are; those that are not needed again time out.
			MaxIdleConnsPerHost: math.MaxInt,
			IdleConnTimeout:     90 * time.Second,
		}),
		// A redirect would turn a POST into a GET, or send the token to another host.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// restTransport calls ZITADEL's gRPC gateway.
type restTransport struct {
	origin   string
	language string
	http     *http.Client
	clock    *clock
}

func (t *restTransport) call(ctx context.Context, m endpoint, token string, msg proto.Message) (proto.Message, *failure) {
	path := pathOf(m.path, msg)
	var body io.Reader
	if m.verb != http.MethodGet && m.verb != http.MethodDelete {
		text, err := protojson.Marshal(msg)
		if err != nil {
			return nil, &failure{code: codes.InvalidArgument, text: "the request has no JSON form: " + err.Error()}
		}
		body = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, m.verb, t.origin+path, body)
	if err != nil {
		return nil, &failure{code: codes.InvalidArgument, text: err.Error()}
	}
	req.Header.Set("Authorization", "Bearer "+token)
	if t.language != "" {
		req.Header.Set("Accept-Language", t.language)
	}
	if org := orgOf(ctx); org != "" {
		req.Header.Set(orgHeader, org)
	}
	if !m.once {
		repeatable(req)
	}
	answer, header, f := exchange(t.http, req, t.clock)
	if f != nil && answer == nil {
		return nil, f
	}
	// The start of an answer that is too large may already have too many events;
	// asking for fewer would then not help.
	if f := cmp.Or(boundJSON(answer, eventsAsked(msg)), f); f != nil {
		return nil, f
	}
	resp := m.empty()
	if f := decode(answer, header.Get("Grpcgateway-Content-Type") != "", resp); f != nil {
		return nil, f
	}
	return resp, nil
}

// field matches a field of the request in a path.
var field = regexp.MustCompile(`\{\w+\}`)

// pathOf puts fields of the request, which are strings, into a path.
func pathOf(path string, msg proto.Message) string {
	m := msg.ProtoReflect()
	return field.ReplaceAllStringFunc(path, func(name string) string {
		f := m.Descriptor().Fields().ByName(protoreflect.Name(strings.Trim(name, "{}")))
		return url.PathEscape(m.Get(f).String())
	})
}

// decode reads an answer into its message. Unknown fields are ignored, as over gRPC.
// JSON of any other server would then look like a page without events, and the cursor
// would advance. So an empty message must come from the gateway, or have a known
// field.
func decode(answer []byte, ofGateway bool, resp proto.Message) *failure {
	if answer = bytes.TrimSpace(answer); len(answer) > 0 && answer[0] != '{' {
		return &failure{code: codes.Unknown, status: http.StatusOK, said: byForeign, text: "the answer is no JSON object"}
	}
	if !json.Valid(answer) {
		if endsTooSoon(answer) {
			return &failure{code: codes.Unavailable, said: byNobody, text: "the answer ends before its JSON does", cause: io.ErrUnexpectedEOF}
		}
		return &failure{code: codes.Internal, text: textNoPage}
	}
	// The parser's error would repeat a part of the payload.
	if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(answer, resp); err != nil {
		return &failure{code: codes.Internal, text: textNoPage}
	}
	if ofGateway || proto.Size(resp) > 0 || fits(answer, resp.ProtoReflect().Descriptor().Fields()) {
		return nil
	}
	return &failure{code: codes.Unknown, status: http.StatusOK, said: byForeign, text: "the answer is JSON, but none of ZITADEL's"}
}

// endsTooSoon reports whether JSON was cut, as opposed to JSON that is wrong or nested
// too deeply.
func endsTooSoon(answer []byte) bool {
	var whole json.RawMessage
	err := json.NewDecoder(bytes.NewReader(answer)).Decode(&whole)
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}

// fits reports whether an object is empty or has at least one of the fields.
func fits(object []byte, known protoreflect.FieldDescriptors) bool {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(object, &fields); err != nil {
		return false
	}
	for name := range fields {
		if known.ByJSONName(name) != nil || known.ByName(protoreflect.Name(name)) != nil {
			return true
		}
	}
	return len(fields) == 0
}

// repeatable lets the client send a request again, once, if the server had just closed
// the reused connection. Without a value the header is not sent.
func repeatable(req *http.Request) { req.Header["Idempotency-Key"] = nil }

// exchange sends req and reads the whole JSON answer. If it is too large, its start is
// returned with the failure.
func exchange(client *http.Client, req *http.Request, clock *clock) ([]byte, http.Header, *failure) {
	req.Header.Set("User-Agent", userAgent)
	req.Header.Set("Accept", "application/json")
	if req.Body != nil && req.Header.Get("Content-Type") == "" {
		req.Header.Set("Content-Type", "application/json")
	}

	asked := clock.now()
	resp, err := client.Do(req)
	if err != nil {
		return nil, nil, unreachable(err)
	}
	defer resp.Body.Close()
	clock.see(resp.Header.Get, asked)

	if resp.StatusCode != http.StatusOK || !isJSON(resp.Header) {
		page, err := bounded.ReadAll(resp.Body, maxPage)
		if errors.Is(err, bounded.ErrTooLarge) {
			err = nil // the start of it is enough
		}
		if err != nil && resp.StatusCode == http.StatusOK {
			return nil, nil, unreachable(err)
		}
		return nil, nil, refusal(resp, page)
	}
	answer, err := bounded.ReadAll(resp.Body, maxBody)
	switch {
	case errors.Is(err, bounded.ErrTooLarge):
		return answer, nil, largerThanMax(maxBody, "bytes")
	case err != nil:
		return nil, nil, unreachable(err)
	}
	return answer, resp.Header, nil
}

// unreachable is the failure of a request without a complete answer.
func unreachable(err error) *failure {
	f := &failure{code: codes.Unavailable, said: byNobody, cause: err}
	// url.Error repeats method and URL, which the message has already.
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err
	}
	f.text = err.Error()
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		f.text = "the connection ended before the answer did"
	}
	return f
}

// refusal is the failure of an answer without a page: ZITADEL's own error, or the
// answer of a proxy, a firewall or another server.
func refusal(resp *http.Response, answer []byte) *failure {
	f := &failure{status: resp.StatusCode, retryAfter: retryAfter(resp.Header.Get("Retry-After"), resp.Header.Get("Date"))}
	var said struct {
		Code    codes.Code `json:"code"`
		Message string     `json:"message"`

		// Of the token endpoint, see RFC 6749.
		Error       string `json:"error"`
		Description string `json:"error_description"`
	}
	if isJSON(resp.Header) && json.Unmarshal(answer, &said) == nil {
		switch {
		case said.Code > codes.OK && said.Code <= codes.Unauthenticated && said.Message != "":
			f.code, f.text = said.Code, said.Message
			return f
		case said.Error != "" && resp.Request.Method == http.MethodPost && resp.Request.Header.Get("Content-Type") == formType:
			f.code, f.text = codeOfOAuth(said.Error, resp.StatusCode), said.Error
			if said.Description != "" {
				f.text += ": " + said.Description
			}
			return f
		}
	}

	f.said, f.code = byForeign, codeOfStatus(resp.StatusCode)
	if where, err := resp.Location(); err == nil && resp.StatusCode/100 == 3 {
		f.location = where.Scheme + "://" + where.Host
		f.text = "redirected to " + f.location
		return f
	}
	f.text = foreignText(string(answer))
	return f
}

// foreignText describes a page that did not come from ZITADEL.
func foreignText(page string) string {
	if text := strings.TrimSpace(pageText(page)); text != "" {
		return "no answer of ZITADEL's: " + text
	}
	return "no answer of ZITADEL's"
}

// maxPage is how many bytes are read of an answer that is not a page of events.
const maxPage = 64 << 10

func isJSON(h http.Header) bool {
	kind, _, err := mime.ParseMediaType(h.Get("Content-Type"))
	return err == nil && kind == "application/json"
}

// retryAfter reads the header of that name: seconds, or a date relative to the date of
// the answer. A past or unreadable time is 0, a very long one is cut.
func retryAfter(text, date string) time.Duration {
	if text == "" {
		return 0
	}
	var wait time.Duration
	if seconds, err := strconv.ParseUint(text, 10, 32); err == nil {
		wait = time.Duration(seconds) * time.Second
	} else if at, err := parseHTTPTime(text); err == nil {
		from, err := parseHTTPTime(date)
		if err != nil {
			from = time.Now()
		}
		wait = at.Sub(from)
	}
	return min(max(wait, 0), maxRetryAfter)
}

// maxRetryAfter limits what a server may ask for: a day is a mistake or an attack.
const maxRetryAfter = time.Hour

func parseHTTPTime(text string) (time.Time, error) { return http.ParseTime(text) }
