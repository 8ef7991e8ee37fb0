// A Kubernetes control plane without nodes, in one process: etcd, the API server and the controller manager.
//
// scripts/gate/api_server.py starts it in a folder of its own and says on standard input, an order a line, what to run.
// When standard input ends, because whoever started it is done or was killed, it removes the folder and ends.
package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"syscall"

	"github.com/spf13/cobra"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/embed"
	"go.etcd.io/etcd/server/v3/etcdserver/api/v3client"
	logsapi "k8s.io/component-base/logs/api/v1"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllers "k8s.io/kubernetes/cmd/kube-controller-manager/app"
)

// Where everything is, seen from the folder.
const (
	key = "service-account.key"
	// etcd wants a port in every address, of a socket too; here it is a part of the file's name.
	clientSocket = "etcd.socket:1"
	peerSocket   = "peer.socket:1"
)

// kept is what Reset leaves alone: the definitions of custom kinds, which are slow to serve, and what the parts of the
// control plane keep there for themselves.
var kept = [][]byte{
	[]byte("/registry/apiextensions.k8s.io/"),
	[]byte("/registry/apiregistration.k8s.io/"),
	[]byte("/registry/leases/"),
	[]byte("/registry/masterleases/"),
}

// Order is one line of standard input.
type Order struct {
	// Run is kube-apiserver or kube-controller-manager; it runs on while the next orders are read.
	Run       string   `json:"run"`
	Arguments []string `json:"arguments"`
	// Mark remembers the content of the cluster as it is, Reset brings it back. Each answers with a line.
	Mark  bool `json:"mark"`
	Reset bool `json:"reset"`
}

type store struct {
	client *clientv3.Client
	marked int64
}

func main() {
	// Both parts set up the logs, which are the process's.
	logsapi.ReapplyHandling = logsapi.ReapplyHandlingIgnoreUnchanged
	store, err := open()
	for orders := json.NewDecoder(os.Stdin); err == nil; {
		var order Order
		if err = orders.Decode(&order); err == nil {
			err = store.follow(order)
		}
	}
	if !errors.Is(err, io.EOF) {
		fail(err)
	}
	fail(remove())
}

// remove turns this process into one that removes the folder: no part of the control plane is left that could write to
// it meanwhile, or miss what is gone and end the process half-way.
func remove() error {
	folder, err := os.Getwd()
	if err != nil {
		return err
	}
	program, err := exec.LookPath("rm")
	if err != nil {
		return err
	}
	return syscall.Exec(program, []string{"rm", "-rf", folder}, os.Environ())
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

func open() (*store, error) {
	if err := writeKey(); err != nil {
		return nil, fmt.Errorf("%s: %w", key, err)
	}
	config := embed.NewConfig()
	config.Dir = "etcd"
	config.UnsafeNoFsync = true
	config.LogLevel = "error"
	// Sockets in the folder: no port is taken, and nobody else gets in.
	client, peer := []url.URL{{Scheme: "unix", Host: clientSocket}}, []url.URL{{Scheme: "unix", Host: peerSocket}}
	config.ListenClientUrls, config.AdvertiseClientUrls = client, client
	config.ListenPeerUrls, config.AdvertisePeerUrls = peer, peer
	config.InitialCluster = config.InitialClusterFromName(config.Name)
	server, err := embed.StartEtcd(config)
	if err != nil {
		return nil, fmt.Errorf("etcd: %w", err)
	}
	<-server.Server.ReadyNotify()
	return &store{client: v3client.New(server.Server)}, nil
}

func writeKey() error {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	der, err := x509.MarshalECPrivateKey(private)
	if err != nil {
		return err
	}
	return os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}), 0o600)
}

func (s *store) follow(order Order) error {
	switch {
	case order.Run == "kube-apiserver":
		run(apiserver.NewAPIServerCommand(), order.Arguments)
		return nil
	case order.Run == "kube-controller-manager":
		run(controllers.NewControllerManagerCommand(), order.Arguments)
		return nil
	case order.Mark:
		found, err := s.client.Get(context.Background(), "/", clientv3.WithPrefix(), clientv3.WithCountOnly())
		if err != nil {
			return err
		}
		s.marked = found.Header.Revision
	case order.Reset:
		if err := s.reset(); err != nil {
			return err
		}
	}
	_, err := fmt.Println("done")
	return err
}

func run(command *cobra.Command, arguments []string) {
	command.SetArgs(arguments)
	go func() {
		err := command.ExecuteContext(context.Background())
		fail(fmt.Errorf("%s ended: %w", command.Name(), err))
	}()
}

// reset deletes what was made since the mark, and writes back what was changed or deleted.
func (s *store) reset() error {
	ctx := context.Background()
	now, err := s.client.Get(ctx, "/", clientv3.WithPrefix(), clientv3.WithKeysOnly())
	if err != nil {
		return err
	}
	then, err := s.client.Get(ctx, "/", clientv3.WithPrefix(), clientv3.WithRev(s.marked))
	if err != nil {
		return err
	}
	was, is := map[string]bool{}, map[string]int64{}
	for _, pair := range now.Kvs {
		is[string(pair.Key)] = pair.ModRevision
	}
	for _, pair := range then.Kvs {
		was[string(pair.Key)] = true
		if is[string(pair.Key)] != pair.ModRevision && !keep(pair.Key) {
			if _, err := s.client.Put(ctx, string(pair.Key), string(pair.Value)); err != nil {
				return err
			}
		}
	}
	for _, pair := range now.Kvs {
		if !was[string(pair.Key)] && !keep(pair.Key) {
			if _, err := s.client.Delete(ctx, string(pair.Key)); err != nil {
				return err
			}
		}
	}
	return nil
}

func keep(name []byte) bool {
	for _, prefix := range kept {
		if bytes.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}
