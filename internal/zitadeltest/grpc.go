package zitadeltest

import (
	"context"
	"net/http"
	"path"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/encoding"
	protocodec "google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"
)

// intercept answers every method instead of the generated handlers, so that
// ListEvents can answer with bytes that are encoded already.
func (s *Server) intercept(ctx context.Context, req any, info *grpc.UnaryServerInfo, _ grpc.UnaryHandler) (any, error) {
	if err := grpc.SetHeader(ctx, s.metadata()); err != nil {
		return nil, err
	}
	md, _ := metadata.FromIncomingContext(ctx)
	auth := md.Get("authorization")
	c := caller{
		host:          first(md.Get(":authority")),
		scheme:        s.scheme(),
		authorization: first(auth),
		authorized:    len(auth) > 0,
		lang:          language(first(md.Get("accept-language"))),
		org:           first(md.Get("x-zitadel-orgid")),
	}
	return s.serve(ctx, c, path.Base(info.FullMethod), req.(proto.Message))
}

func first(values []string) string {
	if len(values) == 0 {
		return ""
	}
	return values[0]
}

// metadata are the response headers of ZITADEL's gRPC server. Its gateway turns the
// grpc-metadata- ones into headers of HTTP.
func (s *Server) metadata() metadata.MD {
	now := s.now().UTC().Format(http.TimeFormat)
	return metadata.Pairs(
		"cache-control", "no-store",
		"expires", now,
		"pragma", "no-cache",
		"grpc-metadata-cache-control", "no-store",
		"grpc-metadata-expires", now,
		"grpc-metadata-pragma", "no-cache",
		"x-robots-tag", "none",
		"x-request-id", requestID(s.now()),
	)
}

// requestID has the form of ZITADEL's request ids, without their meaning.
func requestID(now time.Time) string {
	const alphabet = "0123456789abcdefghijklmnopqrstuv"
	b := make([]byte, 20)
	n := uint64(now.UnixNano())
	for i := range b {
		b[i] = alphabet[n%32]
		n = n/32 + uint64(i)*2654435761
	}
	return string(b)
}

// codec is the usual one, except that encodedEvents are not encoded again.
type codec struct{}

var _ encoding.CodecV2 = codec{}

func (codec) Name() string { return protocodec.Name }

func (codec) Marshal(v any) (mem.BufferSlice, error) {
	if b, ok := v.(encodedEvents); ok {
		return mem.BufferSlice{mem.SliceBuffer(b)}, nil
	}
	return encoding.GetCodecV2(protocodec.Name).Marshal(v)
}

func (codec) Unmarshal(data mem.BufferSlice, v any) error {
	return encoding.GetCodecV2(protocodec.Name).Unmarshal(data, v)
}
