package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/kagiban/kagiban/internal/signing"
)

// newSigner makes a signer of the product with a fresh key.
func newSigner(alg signing.Algorithm) (signing.Signer, error) {
	key, err := signing.GenerateKey(alg, 0, "load")
	if err != nil {
		return nil, fmt.Errorf("generating a key: %w", err)
	}
	return signing.NewSigner(key, signing.EngineAuto)
}

// signatureRate is reference S: raw signatures per second on all cores.
func signatureRate(signer signing.Signer, d time.Duration) (float64, error) {
	digest := sha256.Sum256([]byte("load"))
	var n atomic.Int64
	var failure atomic.Value
	end := time.Now().Add(d)
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for time.Now().Before(end) {
				if _, err := signer.Sign(digest[:]); err != nil {
					failure.Store(err)
					return
				}
				n.Add(1)
			}
		})
	}
	wg.Wait()
	if err, ok := failure.Load().(error); ok {
		return 0, fmt.Errorf("signing: %w", err)
	}
	return float64(n.Load()) / d.Seconds(), nil
}

// bareClaims has the size and shape of a service ID's token: about 1.2 KB.
type bareClaims struct {
	IAMID      string `json:"iam_id"`
	ID         string `json:"id"`
	RealmID    string `json:"realmid"`
	JTI        string `json:"jti"`
	Identifier string `json:"identifier"`
	Name       string `json:"name"`
	Sub        string `json:"sub"`
	SubType    string `json:"sub_type"`
	CRN        string `json:"crn"`
	Filler     string `json:"filler"`
	Account    struct {
		Valid bool   `json:"valid"`
		BSS   string `json:"bss"`
	} `json:"account"`
	IssuedAt  int64    `json:"iat"`
	Expires   int64    `json:"exp"`
	Issuer    string   `json:"iss"`
	GrantType string   `json:"grant_type"`
	Scope     string   `json:"scope"`
	ClientID  string   `json:"client_id"`
	ACR       int      `json:"acr"`
	AMR       []string `json:"amr"`
}

// bareAnswer is the token endpoint's answer.
type bareAnswer struct {
	AccessToken  string `json:"access_token"`
	RefreshToken string `json:"refresh_token"`
	TokenType    string `json:"token_type"`
	ExpiresIn    int64  `json:"expires_in"`
	Expiration   int64  `json:"expiration"`
	Scope        string `json:"scope"`
}

const tokenLife = 3600

// serveBare is reference F: net/http and the product's signer around no logic
// at all.
func serveBare(alg signing.Algorithm) error {
	signer, err := newSigner(alg)
	if err != nil {
		return err
	}
	minter, err := signing.NewMinter("load", signer, signing.NewLimiter(0))
	if err != nil {
		return fmt.Errorf("making a minter: %w", err)
	}
	return serveUntilTold(bareHandler(minter))
}

// serveEcho is reference E: net/http and encoding/json around no logic at all.
func serveEcho() error { return serveUntilTold(http.HandlerFunc(echo)) }

func echo(w http.ResponseWriter, r *http.Request) {
	var v any
	if err := json.NewDecoder(r.Body).Decode(&v); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // an error means that the client is gone
}

// serveUntilTold prints its URL and serves until it is told to end.
func serveUntilTold(h http.Handler) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listening: %w", err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	server := &http.Server{Handler: h, ReadHeaderTimeout: time.Minute}
	context.AfterFunc(ctx, func() { _ = server.Close() }) // Serve then returns
	fmt.Printf("http://%s\n", l.Addr())
	if err := server.Serve(l); err != http.ErrServerClosed {
		return fmt.Errorf("serving: %w", err)
	}
	return nil
}

func bareHandler(minter *signing.Minter) http.Handler {
	template := bareClaims{
		IAMID: "iam-ServiceId-00000000-0000-4000-8000-000000000000", ID: "iam-ServiceId-00000000-0000-4000-8000-000000000000",
		RealmID: "iam", Identifier: "ServiceId-00000000-0000-4000-8000-000000000000", Name: "load",
		Sub: "ServiceId-00000000-0000-4000-8000-000000000000", SubType: "ServiceId",
		CRN:    "crn:v1:bluemix:public:iam-identity::a/00000000000000000000000000000000::serviceid:ServiceId-00000000-0000-4000-8000-000000000000",
		Issuer: "http://127.0.0.1/identity", GrantType: "urn:ibm:params:oauth:grant-type:apikey", Scope: "ibm openid", ClientID: "default",
		ACR: 1, AMR: []string{"pwd"}, Filler: strings.Repeat("x", 380),
	}
	template.Account.Valid, template.Account.BSS = true, "00000000000000000000000000000000"
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil || r.PostForm.Get("apikey") == "" {
			http.Error(w, "bad form", http.StatusBadRequest)
			return
		}
		claims := template
		now := time.Now().Unix()
		claims.JTI, claims.IssuedAt, claims.Expires = rand.Text(), now, now+tokenLife
		payload, err := json.Marshal(&claims)
		if err == nil {
			var token string
			if token, err = minter.Compact(r.Context(), payload); err == nil {
				w.Header().Set("Content-Type", "application/json")
				err = json.NewEncoder(w).Encode(&bareAnswer{token, "not_supported", "Bearer", tokenLife, claims.Expires, "ibm openid"})
			}
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})
}
