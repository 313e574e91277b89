// Command load measures how many tokens per second the product issues, beside
// references that run in the same minutes on the same machine: raw signatures
// (S), a bare net/http server with the product's own signer and no logic
// (bare), and npm's oidc-provider (peer). With -authz it measures decisions
// instead, beside a bare JSON echo and the server of Open Policy Agent on the
// same policies. Absolute figures belong to the machine; the ratios are what the
// project promises.
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
	authz    bool   // measure decisions instead of tokens
	opa      string // program of the peer for decisions; empty: leave it out
	sizes    []int  // policies of the accounts that are asked about
	serve    string // be this reference: an algorithm, or "echo"
}

// totalTimeout bounds a whole run.
const totalTimeout = 20 * time.Minute

func main() {
	o, err := parseFlags(os.Args[1:])
	switch {
	case err != nil:
	case o.serve == "echo":
		err = serveEcho()
	case o.serve != "":
		err = serveBare(signing.Algorithm(o.serve))
	default:
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
	take, show := measure, (*results).print
	if o.authz {
		take, show = measureAuthz, (*results).printAuthz
	}
	r, err := take(ctx, o, os.Stderr)
	if err != nil {
		return err
	}
	if ok := show(r, os.Stdout, o); o.gate && !ok {
		return errors.New("the floors are not reached")
	}
	return nil
}

func parseFlags(args []string) (o options, err error) {
	fs := flag.NewFlagSet("load", flag.ContinueOnError)
	fs.StringVar(&o.binary, "kagiban", "", "`path` of the product's binary; none measures the references only")
	fs.StringVar(&o.peer, "peer", "", "`folder` of the peer with its node_modules; none leaves it out")
	fs.StringVar(&o.node, "node", "node", "`program` that runs the peer, Node.js 20 or later")
	fs.IntVar(&o.rounds, "rounds", 3, "rounds; medians of fewer than three mean little")
	fs.IntVar(&o.starts, "starts", 5, "starts of each kind")
	fs.DurationVar(&o.duration, "duration", 2*time.Second, "of one measurement, after a warm-up of a quarter of it")
	fs.BoolVar(&o.gate, "gate", false, "fail when a floor is missed by more than the tolerance")
	fs.BoolVar(&o.authz, "authz", false, "measure decisions instead of tokens")
	fs.StringVar(&o.opa, "opa", "", "`program` of Open Policy Agent, the peer for decisions; none leaves it out")
	sizes := fs.String("sizes", "1000,10000,100000", "policies of the accounts that are asked about")
	algs := fs.String("algs", "RS256,ES256", "algorithms")
	conns := fs.String("conns", "1,16,64", "numbers of connections")
	fs.StringVar(&o.serve, "serve", "", "be the bare server for an `algorithm`, or the echo; used by the program itself")
	if err := fs.Parse(args); err != nil {
		return o, err
	}
	for name := range strings.SplitSeq(*algs, ",") {
		alg, err := signing.ParseAlgorithm(name)
		if err != nil {
			return o, err
		}
		o.algs = append(o.algs, alg)
	}
	if o.conns, err = numbers("connections", *conns, 1, 1000); err != nil {
		return o, err
	}
	// With fewer policies users could not be in four groups.
	if o.sizes, err = numbers("policies", *sizes, 100, 1_000_000); err != nil {
		return o, err
	}
	return o, o.check()
}

// check refuses what would run without end or measure nothing.
func (o *options) check() error {
	switch {
	case o.rounds < 1 || o.rounds > 20 || o.starts < 1 || o.starts > 50 || o.duration < 100*time.Millisecond || o.duration > time.Minute:
		return errors.New("rounds must be 1 to 20, starts 1 to 50, the duration 100ms to 1m")
	case o.gate && !slices.Contains(o.conns, gateConns):
		return fmt.Errorf("the gate needs a measurement with %d connections", gateConns)
	case o.authz && o.binary == "":
		return errors.New("decisions need -kagiban")
	}
	return nil
}

// numbers reads a list of numbers between two bounds.
func numbers(what, list string, least, most int) ([]int, error) {
	var out []int
	for text := range strings.SplitSeq(list, ",") {
		n, err := strconv.Atoi(text)
		if err != nil || n < least || n > most {
			return nil, fmt.Errorf("%s must be %d to %d, not %q", what, least, most, text)
		}
		out = append(out, n)
	}
	return out, nil
}
