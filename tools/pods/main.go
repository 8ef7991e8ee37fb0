// What runs in the pods of the tests' cluster in place of what is pulled from registries elsewhere. How it is called says
// what it is to be:
//
//	sleep N           what a hook calls before the app ends
//	/pods pause       nothing: it holds the namespaces of a pod open
//	/pods get URL...  a client: a line for each address, the status of its answer or why there is none
//
// Whatever else it is called, it is an app. Where $ENDS, a list of command lines in JSON, has its own, it ends at once
// and well, as a job or a probe that finds nothing wrong. Otherwise it answers at every path of the $PORTS, with what it
// was asked and the header of that, until it is told to end; it writes into the folders of $WRITES that there are, as far as an app may write there.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

func main() {
	if err := run(os.Args); err != nil {
		log.Fatal(err)
	}
}

func run(arguments []string) error {
	ends, err := ends(arguments)
	switch {
	case ends || err != nil:
		return err
	case len(arguments) == 2 && filepath.Base(arguments[0]) == "sleep":
		duration, err := time.ParseDuration(arguments[1] + "s")
		time.Sleep(duration)
		return err
	case slices.Equal(arguments, []string{"/pods", "pause"}):
		pause()
		return nil
	case len(arguments) > 2 && slices.Equal(arguments[:2], []string{"/pods", "get"}):
		get(arguments[2:])
		return nil
	}
	return serve()
}

func ends(arguments []string) (bool, error) {
	var known [][]string
	if given := os.Getenv("ENDS"); given != "" {
		if err := json.Unmarshal([]byte(given), &known); err != nil {
			return false, fmt.Errorf("ENDS is no list of command lines: %w", err)
		}
	}
	return slices.ContainsFunc(known, func(one []string) bool { return slices.Equal(one, arguments) }), nil
}

func pause() {
	end, child := make(chan os.Signal, 1), make(chan os.Signal, 1)
	signal.Notify(end, os.Interrupt, syscall.SIGTERM)
	signal.Notify(child, syscall.SIGCHLD)
	for {
		select {
		case <-end:
			return
		case <-child:
			for pid := 1; pid > 0; {
				pid, _ = syscall.Wait4(-1, nil, syscall.WNOHANG, nil)
			}
		}
	}
}

func get(addresses []string) {
	client := http.Client{Timeout: 10 * time.Second}
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	for _, address := range addresses {
		response, err := client.Get(address)
		if err != nil {
			fmt.Println(err)
			continue
		}
		_ = response.Body.Close()
		fmt.Println(response.StatusCode)
	}
}

// serve fails where the pod may not write to its volumes: their owner, fsGroup, a root that is read-only.
func serve() error {
	for _, folder := range strings.Fields(os.Getenv("WRITES")) {
		if _, err := os.Stat(folder); errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err := os.WriteFile(filepath.Join(folder, "started"), []byte(time.Now().String()), 0o600); err != nil {
			return err
		}
	}
	ending, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	server := http.Server{ReadHeaderTimeout: 5 * time.Second}
	server.Handler = http.HandlerFunc(func(response http.ResponseWriter, request *http.Request) {
		_, _ = fmt.Fprintf(response, "%s %s%s\n", request.Method, request.Host, request.URL.Path)
		_ = request.Header.Write(response)
	})
	for _, port := range strings.Fields(os.Getenv("PORTS")) {
		listener, err := net.Listen("tcp", ":"+port)
		if err != nil {
			return err
		}
		go func() {
			if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
				log.Fatal(err)
			}
		}()
	}
	<-ending.Done()
	return server.Shutdown(context.Background())
}
