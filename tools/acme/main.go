// An ACME server at the path where Let's Encrypt has its directory, made of Pebble's packages. It asks for challenges at
// the ports that Let's Encrypt asks at.
package main

import (
	"encoding/pem"
	"flag"
	"log"
	"net/http"
	"os"

	"github.com/letsencrypt/pebble/v2/ca"
	"github.com/letsencrypt/pebble/v2/db"
	"github.com/letsencrypt/pebble/v2/va"
	"github.com/letsencrypt/pebble/v2/wfe"
)

const (
	httpPort, tlsPort = 80, 443
	// Of https://letsencrypt.org/docs/profiles/#classic.
	validity = 90 * 24 * 60 * 60
)

func main() {
	address := flag.String("address", "127.0.0.1:443", "where it listens")
	certificate := flag.String("certificate", "", "the file of its own certificate")
	key := flag.String("key", "", "the file of the key to that")
	resolver := flag.String("resolver", "127.0.0.1:53", "who knows the hosts that are asked for challenges")
	root := flag.String("root", "", "the file that the certificate goes to by which those that it issues are trusted")
	refused := flag.String("refused", "", "a domain that no certificate is issued for")
	flag.Parse()

	logger := log.New(os.Stdout, "", log.LstdFlags)
	store := db.NewMemoryStore()
	if *refused != "" {
		if err := store.AddBlockedDomain(*refused); err != nil {
			logger.Fatal(err)
		}
	}
	profiles := map[string]ca.Profile{"default": {Description: "default", ValidityPeriod: validity}}
	authority := ca.New(logger, store, "", "ecdsa", 0, 1, profiles)
	block := pem.Block{Type: "CERTIFICATE", Bytes: authority.GetRootCert(0).DER}
	if err := os.WriteFile(*root, pem.EncodeToMemory(&block), 0o644); err != nil {
		logger.Fatal(err)
	}
	validator := va.New(logger, httpPort, tlsPort, true, *resolver, store)
	identities := []string{"letsencrypt.org"}
	frontend := wfe.New(logger, store, validator, authority, identities, true, false, 0, 0)
	routes := http.NewServeMux()
	routes.Handle("/", frontend.Handler())
	routes.Handle("/directory", at(wfe.DirectoryPath, frontend.Handler()))
	logger.Fatal(http.ListenAndServeTLS(*address, *certificate, *key, routes))
}

// at has a request answered as one of another path.
func at(path string, handler http.Handler) http.Handler {
	return http.HandlerFunc(func(writer http.ResponseWriter, request *http.Request) {
		other := request.Clone(request.Context())
		other.URL.Path = path
		handler.ServeHTTP(writer, other)
	})
}
