// What runs in the pods of the tests' cluster in place of what is pulled from registries elsewhere. How it is called says
// what it is to be:
//
//	sleep N           what a hook calls before the app ends
//	/pods pause       nothing: it holds the namespaces of a pod open
//	/pods get URL...  a client: a line for each address, the status of its answer or why there is none
//
// Whatever else it is called, it is an app. Where $ENDS, a list of command lines in JSON, has its own, it ends at once
// and well, as a job or a probe that finds nothing wrong. Otherwise it answers at every path of the $PORTS until it is told
// to end, and writes into the folders of $WRITES that there are, as far as an app may write there. It logs a line for each
// request, `GET host/path?query`, and its answer says what it was asked, the header of that, and what the body was. With
// ?wait=16s it takes so long, with ?work=1s it computes so long, with ?reset it breaks the connection in place of an answer,
// and a WebSocket it answers with whatever comes.
package main

import (
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
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
		if err := answer(response, request); err != nil {
			log.Print(err)
		}
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

var working sync.Mutex

// work keeps a core busy a twentieth of the time, however many requests ask for it: more would be taken from the probes.
func work(duration time.Duration) {
	for end := time.Now().Add(duration); time.Now().Before(end); {
		working.Lock()
		for busy := time.Now(); time.Since(busy) < time.Millisecond; {
		}
		time.Sleep(19 * time.Millisecond)
		working.Unlock()
	}
}

func answer(response http.ResponseWriter, request *http.Request) error {
	fmt.Printf("%s %s%s\n", request.Method, request.Host, request.RequestURI)
	digest, query := sha256.New(), request.URL.Query()
	size, err := io.Copy(digest, request.Body)
	if err != nil {
		return err
	}
	if query.Has("wait") {
		duration, err := time.ParseDuration(query.Get("wait"))
		if err != nil {
			return err
		}
		time.Sleep(duration)
	}
	if query.Has("work") {
		duration, err := time.ParseDuration(query.Get("work"))
		if err != nil {
			return err
		}
		work(duration)
	}
	if query.Has("reset") || request.Header.Get("Upgrade") == "websocket" {
		connection, buffered, err := response.(http.Hijacker).Hijack()
		if err != nil {
			return err
		}
		defer connection.Close()
		if query.Has("reset") {
			return connection.(*net.TCPConn).SetLinger(0)
		}
		// https://www.rfc-editor.org/rfc/rfc6455#section-4.2.2
		accept := sha1.Sum([]byte(request.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
		if _, err = fmt.Fprintf(connection, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
			"Sec-WebSocket-Accept: %s\r\n\r\n", base64.StdEncoding.EncodeToString(accept[:])); err == nil {
			_, err = io.Copy(connection, buffered)
		}
		return err
	}
	_, _ = fmt.Fprintf(response, "%s %s%s\n", request.Method, request.Host, request.URL.Path)
	_ = request.Header.Write(response)
	_, err = fmt.Fprintf(response, "%d bytes, SHA-256 %x\n", size, digest.Sum(nil))
	return err
}
