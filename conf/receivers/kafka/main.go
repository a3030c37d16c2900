// Command kafka is a broker and a reader with the real protocol of Kafka, for the test of
// conf/kafka.yaml. It is a module of its own, so that Kafka's client is no dependency of the
// program.
//
//	kafka broker    listens, with TLS and SCRAM-SHA-512, and keeps what it has in a directory
//	kafka read      prints each message of the topic, one a line
//
// Their settings come from the environment: see settings.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

// settings is the environment.
type settings struct {
	port                  int    // KAFKA_PORT, of 127.0.0.1
	dir                   string // KAFKA_DIR, of the broker's log
	ca, cert, key         string // KAFKA_CA, KAFKA_CERT, KAFKA_KEY: files
	user, password, topic string // KAFKA_USER, KAFKA_PASSWORD, KAFKA_TOPIC
}

func fromEnvironment() (s settings, err error) {
	s = settings{
		dir: os.Getenv("KAFKA_DIR"), ca: os.Getenv("KAFKA_CA"), cert: os.Getenv("KAFKA_CERT"), key: os.Getenv("KAFKA_KEY"),
		user: os.Getenv("KAFKA_USER"), password: os.Getenv("KAFKA_PASSWORD"), topic: os.Getenv("KAFKA_TOPIC"),
	}
	s.port, err = strconv.Atoi(os.Getenv("KAFKA_PORT"))
	return s, err
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	s, err := fromEnvironment()
	switch {
	case err != nil:
		return err
	case len(args) == 1 && args[0] == "broker":
		return broker(ctx, s)
	case len(args) == 1 && args[0] == "read":
		return read(ctx, s)
	}
	return errors.New("usage: kafka broker|read")
}

func broker(ctx context.Context, s settings) error {
	pair, err := tls.LoadX509KeyPair(s.cert, s.key)
	if err != nil {
		return err
	}
	c, err := kfake.NewCluster(
		kfake.Ports(s.port), kfake.TLS(&tls.Config{Certificates: []tls.Certificate{pair}}),
		kfake.EnableSASL(), kfake.Superuser("SCRAM-SHA-512", s.user, s.password),
		kfake.SeedTopics(3, s.topic), kfake.DataDir(s.dir), kfake.SyncWrites(),
	)
	if err != nil {
		return err
	}
	fmt.Println("listening")
	<-ctx.Done()
	c.Close()
	return nil
}

// quiet is how long nothing must come until everything is read.
const quiet = 500 * time.Millisecond

func read(ctx context.Context, s settings) error {
	pem, err := os.ReadFile(s.ca)
	if err != nil {
		return err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	client, err := kgo.NewClient(
		kgo.SeedBrokers(fmt.Sprintf("127.0.0.1:%d", s.port)), kgo.DialTLSConfig(&tls.Config{RootCAs: pool, ServerName: "127.0.0.1"}),
		kgo.SASL(scram.Auth{User: s.user, Pass: s.password}.AsSha512Mechanism()),
		kgo.ConsumeTopics(s.topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
	)
	if err != nil {
		return err
	}
	defer client.Close()
	if err := client.Ping(ctx); err != nil {
		return err
	}
	for {
		soon, cancel := context.WithTimeout(ctx, quiet)
		fetches := client.PollFetches(soon)
		cancel()
		if soon.Err() != nil && fetches.Empty() {
			return ctx.Err()
		}
		for _, e := range fetches.Errors() {
			if !errors.Is(e.Err, context.DeadlineExceeded) {
				return e.Err
			}
		}
		fetches.EachRecord(func(r *kgo.Record) { fmt.Printf("%s\n", r.Value) })
	}
}
