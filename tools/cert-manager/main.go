// What runs of cert-manager in the cluster of `./gw proof`, made of its packages: those of its own programs are in
// nested modules that nobody publishes.
package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/pflag"
	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/api/resource"

	_ "github.com/cert-manager/cert-manager/pkg/controller/acmechallenges"
	_ "github.com/cert-manager/cert-manager/pkg/controller/acmeorders"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificaterequests/acme"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificaterequests/approver"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/issuing"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/keymanager"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/readiness"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/requestmanager"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/revisionmanager"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/trigger"
	_ "github.com/cert-manager/cert-manager/pkg/controller/clusterissuers"
	_ "github.com/cert-manager/cert-manager/pkg/controller/issuers"
	_ "github.com/cert-manager/cert-manager/pkg/issuer/acme"

	"github.com/cert-manager/cert-manager/pkg/controller"
	"github.com/cert-manager/cert-manager/pkg/issuer/acme/http/solver"
	"github.com/cert-manager/cert-manager/pkg/logs"
)

const (
	workers = 5
	healthz = ":9403"
)

func main() {
	var run func(context.Context, []string) error
	if len(os.Args) > 1 {
		run = map[string]func(context.Context, []string) error{"controller": control, "acmesolver": solve}[os.Args[1]]
	}
	if run == nil {
		fmt.Fprintln(os.Stderr, "usage: cert-manager controller|acmesolver [OPTION]...")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[2:]); err != nil && ctx.Err() == nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// control keeps ClusterIssuers, Issuers and Certificates by ACME, with the defaults of cert-manager's own program.
// Of its options it knows those that the chart gives and that matter here; it elects no leader.
func control(ctx context.Context, arguments []string) error {
	flags := pflag.NewFlagSet("controller", pflag.ContinueOnError)
	flags.ParseErrorsAllowlist.UnknownFlags = true
	image := flags.String("acme-http01-solver-image", "", "the image that answers challenges")
	namespace := flags.String("cluster-resource-namespace", "", "where a ClusterIssuer has its Secrets")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	factory, err := controller.NewContextFactory(ctx, controller.ContextOptions{
		KubernetesAPIQPS:   20,
		KubernetesAPIBurst: 50,
		IssuerOptions:      controller.IssuerOptions{ClusterResourceNamespace: *namespace},
		ACMEOptions: controller.ACMEOptions{
			HTTP01SolverImage:                 *image,
			HTTP01SolverResourceRequestCPU:    resource.MustParse("10m"),
			HTTP01SolverResourceRequestMemory: resource.MustParse("64Mi"),
			HTTP01SolverResourceLimitsCPU:     resource.MustParse("100m"),
			HTTP01SolverResourceLimitsMemory:  resource.MustParse("64Mi"),
			ACMEHTTP01SolverRunAsNonRoot:      true,
			DNS01CheckRetryPeriod:             10 * time.Second,
		},
		CertificateOptions: controller.CertificateOptions{
			CertificateRequestMinimumBackoffDuration: time.Hour,
			CertificateRequestMaximumBackoffDuration: 32 * time.Hour,
		},
		SchedulerOptions: controller.SchedulerOptions{MaxConcurrentChallenges: 60},
	})
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(logs.NewContext(ctx, logs.Log, "controller"))
	for _, build := range controller.Known() {
		one, err := build(factory)
		if err != nil {
			return err
		}
		group.Go(func() error { return one.Run(workers, ctx) })
	}
	shared, err := factory.Build()
	if err != nil {
		return err
	}
	shared.SharedInformerFactory.Start(ctx.Done())
	shared.KubeSharedInformerFactory.Start(ctx.Done())
	shared.HTTP01ResourceMetadataInformersFactory.Start(ctx.Done())
	group.Go(func() error { return http.ListenAndServe(healthz, http.HandlerFunc(well)) })
	return group.Wait()
}

// well answers the kubelet.
func well(http.ResponseWriter, *http.Request) {}

// solve answers one challenge.
func solve(ctx context.Context, arguments []string) error {
	var one solver.HTTP01Solver
	flags := pflag.NewFlagSet("acmesolver", pflag.ContinueOnError)
	flags.IntVar(&one.ListenPort, "listen-port", 8089, "where it listens")
	flags.StringVar(&one.Domain, "domain", "", "the host that is proved")
	flags.StringVar(&one.Token, "token", "", "what is asked for")
	flags.StringVar(&one.Key, "key", "", "what is answered")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	context.AfterFunc(ctx, func() { _ = one.Close() })
	return one.Listen(logs.Log)
}
