// Command load measures how many tokens per second the product issues, beside
// references that run in the same minutes on the same machine: raw signatures
// (S), a bare net/http server with the product's own signer and no logic
// (bare), and npm's oidc-provider (peer). Absolute figures belong to the
// machine; the ratios are what the project promises.
//
// Everything runs on loopback, bounded in time and count. test/load/run builds
// and starts it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/kagiban/kagiban/internal/signing"
)

type options struct {
	binary   string // kagiban; empty: measure the references only
	peer     string // folder of the peer; empty: leave it out
	node     string // program that runs the peer
	algs     []signing.Algorithm
	conns    []int
	rounds   int
	starts   int
	duration time.Duration
	gate     bool
}

// totalTimeout bounds a whole run.
const totalTimeout = 20 * time.Minute

func main() {
	o, bare, err := parseFlags(os.Args[1:])
	if err == nil && bare != "" {
		err = serveBare(bare)
	} else if err == nil {
		err = run(o)
	}
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
}

func run(o options) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, totalTimeout)
	defer cancel()
	r, err := measure(ctx, o, os.Stderr)
	if err != nil {
		return err
	}
	if ok := r.print(os.Stdout, o); o.gate && !ok {
		return errors.New("the floors are not reached")
	}
	return nil
}

func parseFlags(args []string) (o options, bare signing.Algorithm, err error) {
	fs := flag.NewFlagSet("load", flag.ContinueOnError)
	fs.StringVar(&o.binary, "kagiban", "", "`path` of the product's binary; none measures the references only")
	fs.StringVar(&o.peer, "peer", "", "`folder` of the peer with its node_modules; none leaves it out")
	fs.StringVar(&o.node, "node", "node", "`program` that runs the peer, Node.js 20 or later")
	fs.IntVar(&o.rounds, "rounds", 3, "rounds; medians of fewer than three mean little")
	fs.IntVar(&o.starts, "starts", 5, "starts of each kind")
	fs.DurationVar(&o.duration, "duration", 2*time.Second, "of one measurement, after a warm-up of a quarter of it")
	fs.BoolVar(&o.gate, "gate", false, "fail when a floor is missed by more than the tolerance")
	algs := fs.String("algs", "RS256,ES256", "algorithms")
	conns := fs.String("conns", "1,16,64", "numbers of connections")
	bareAlg := fs.String("serve-bare", "", "be the bare server for this `algorithm`; used by the program itself")
	if err := fs.Parse(args); err != nil {
		return o, "", err
	}
	if *bareAlg != "" {
		bare, err = signing.ParseAlgorithm(*bareAlg)
		return o, bare, err
	}
	for name := range strings.SplitSeq(*algs, ",") {
		alg, err := signing.ParseAlgorithm(name)
		if err != nil {
			return o, "", err
		}
		o.algs = append(o.algs, alg)
	}
	for text := range strings.SplitSeq(*conns, ",") {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > 1000 {
			return o, "", fmt.Errorf("connections must be 1 to 1000, not %q", text)
		}
		o.conns = append(o.conns, n)
	}
	if o.rounds < 1 || o.rounds > 20 || o.starts < 1 || o.starts > 50 || o.duration < 100*time.Millisecond || o.duration > time.Minute {
		return o, "", errors.New("rounds must be 1 to 20, starts 1 to 50, the duration 100ms to 1m")
	}
	if o.gate && !slices.Contains(o.conns, gateConns) {
		return o, "", fmt.Errorf("the gate needs a measurement with %d connections", gateConns)
	}
	return o, "", nil
}
