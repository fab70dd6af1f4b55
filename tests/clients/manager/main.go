// Command manager is an ordinary controller-runtime program: a CRD, a cache with an index, a
// finalizer, events, leader election, and a webhook. It knows nothing of where it runs.
package main

import (
	"context"
	"flag"
	"log"
	"os"
	"time"

	extensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/controller-runtime/pkg/webhook"
)

func main() {
	name := flag.String("name", "captain", "what it calls itself in statuses")
	port := flag.Int("port", 0, "the port of its webhook on 127.0.0.1; none without")
	flag.Parse()
	ctrl.SetLogger(zap.New())
	if err := run(ctrl.SetupSignalHandler(), *name, *port); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, name string, port int) error {
	scheme := runtime.NewScheme()
	add := []func(*runtime.Scheme) error{
		clientgoscheme.AddToScheme, extensionsv1.AddToScheme, addFleets,
	}
	for _, add := range add {
		if err := add(scheme); err != nil {
			return err
		}
	}
	config, err := ctrl.GetConfig()
	if err != nil {
		return err
	}
	api, err := client.New(config, client.Options{Scheme: scheme})
	if err != nil {
		return err
	}
	if err := define(ctx, api); err != nil {
		return err
	}
	folder, err := os.MkdirTemp("", "fleets")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	lease, renew, retry := 3*time.Second, 2*time.Second, 500*time.Millisecond
	manager, err := ctrl.NewManager(config, ctrl.Options{
		Scheme:                  scheme,
		Metrics:                 server.Options{BindAddress: "0"},
		LeaderElection:          true,
		LeaderElectionID:        "fleets",
		LeaderElectionNamespace: "default",
		LeaseDuration:           &lease,
		RenewDeadline:           &renew,
		RetryPeriod:             &retry,
		WebhookServer: webhook.NewServer(webhook.Options{
			Host: "127.0.0.1", Port: port, CertDir: folder,
		}),
	})
	if err != nil {
		return err
	}
	recorder := manager.GetEventRecorder("fleets")
	fleets := &fleets{Client: manager.GetClient(), events: recorder, captain: name}
	if err := fleets.setUp(manager); err != nil {
		return err
	}
	if port > 0 {
		authority, err := certify(folder)
		if err != nil {
			return err
		}
		hooks := ctrl.NewWebhookManagedBy(manager, &Fleet{})
		hooks = hooks.WithDefaulter(admissions{}).WithValidator(admissions{})
		if err := hooks.Complete(); err != nil {
			return err
		}
		if err := ask(ctx, api, port, authority); err != nil {
			return err
		}
	}
	return manager.Start(ctx)
}
