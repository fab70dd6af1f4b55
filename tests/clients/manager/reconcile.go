package main

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
)

const (
	finalizer = "clients.shakedown.dev/scuttle"
	byOwner   = "owner"
)

// fleets keeps as many ships of each Fleet as it wants.
type fleets struct {
	client.Client
	events  events.EventRecorder
	captain string
}

func (r *fleets) setUp(manager ctrl.Manager) error {
	index := func(object client.Object) []string {
		if owner := metav1.GetControllerOf(object); owner != nil && owner.Kind == "Fleet" {
			return []string{owner.Name}
		}
		return nil
	}
	indexer := manager.GetFieldIndexer()
	if err := indexer.IndexField(context.Background(), &corev1.ConfigMap{}, byOwner, index); err != nil {
		return err
	}
	return ctrl.NewControllerManagedBy(manager).For(&Fleet{}).Owns(&corev1.ConfigMap{}).Complete(r)
}

func (r *fleets) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	var fleet Fleet
	if err := r.Get(ctx, request.NamespacedName, &fleet); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if !fleet.DeletionTimestamp.IsZero() {
		return ctrl.Result{}, r.scuttle(ctx, &fleet)
	}
	if controllerutil.AddFinalizer(&fleet, finalizer) {
		return ctrl.Result{}, r.Update(ctx, &fleet)
	}
	var ships corev1.ConfigMapList
	mine := client.MatchingFields{byOwner: fleet.Name}
	if err := r.List(ctx, &ships, client.InNamespace(fleet.Namespace), mine); err != nil {
		return ctrl.Result{}, err
	}
	have := map[string]*corev1.ConfigMap{}
	for at := range ships.Items {
		have[ships.Items[at].Name] = &ships.Items[at]
	}
	for number := range fleet.Spec.size() {
		name := fmt.Sprintf("%s-%d", fleet.Name, number)
		if _, there := have[name]; there {
			delete(have, name)
			continue
		}
		if err := r.launch(ctx, &fleet, name); err != nil {
			return ctrl.Result{}, err
		}
	}
	for _, ship := range have {
		if err := r.Delete(ctx, ship); client.IgnoreNotFound(err) != nil {
			return ctrl.Result{}, err
		}
	}
	return ctrl.Result{}, r.report(ctx, &fleet, len(ships.Items))
}

func (r *fleets) launch(ctx context.Context, fleet *Fleet, name string) error {
	ship := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: fleet.Namespace}}
	if err := controllerutil.SetControllerReference(fleet, ship, r.Scheme()); err != nil {
		return err
	}
	if err := r.Create(ctx, ship); err != nil && !apierrors.IsAlreadyExists(err) {
		return err
	}
	r.events.Eventf(fleet, ship, corev1.EventTypeNormal, "Launched", "Launch", "launched %s", name)
	return nil
}

// report says what the cache knows of; what was made now comes back as an event.
func (r *fleets) report(ctx context.Context, fleet *Fleet, ships int) error {
	before := fleet.deepCopy()
	status := &fleet.Status
	status.Ships, status.ObservedGeneration = int32(ships), fleet.Generation
	status.Captain = r.captain
	complete := metav1.Condition{
		Type: "Complete", Status: metav1.ConditionFalse, Reason: "Building",
		ObservedGeneration: fleet.Generation,
	}
	if status.Ships == fleet.Spec.size() {
		complete.Status, complete.Reason = metav1.ConditionTrue, "Afloat"
	}
	meta.SetStatusCondition(&status.Conditions, complete)
	return r.Status().Patch(ctx, fleet, client.MergeFrom(before))
}

// scuttle leaves a wreck behind, so that one can see that it was called.
func (r *fleets) scuttle(ctx context.Context, fleet *Fleet) error {
	if !controllerutil.ContainsFinalizer(fleet, finalizer) {
		return nil
	}
	wreck := &corev1.ConfigMap{}
	wreck.Name, wreck.Namespace = fleet.Name+"-wreck", fleet.Namespace
	if err := r.Create(ctx, wreck); err != nil && !apierrors.IsAlreadyExists(err) {
		return err
	}
	controllerutil.RemoveFinalizer(fleet, finalizer)
	return r.Update(ctx, fleet)
}
