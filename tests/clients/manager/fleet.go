package main

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

var groupVersion = schema.GroupVersion{Group: "clients.shakedown.dev", Version: "v1"}

// Fleet wants so many ships. Each is a ConfigMap.
type Fleet struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`
	Spec              FleetSpec   `json:"spec"`
	Status            FleetStatus `json:"status,omitempty"`
}

// FleetSpec is what is wanted.
type FleetSpec struct {
	// Size is one if nobody says otherwise; the webhook writes that in.
	Size *int32 `json:"size,omitempty"`
	// Flag cannot be changed; the definition says so in CEL.
	Flag string `json:"flag,omitempty"`
}

func (spec FleetSpec) size() int32 {
	if spec.Size == nil {
		return 1
	}
	return *spec.Size
}

// FleetStatus is what there is.
type FleetStatus struct {
	Ships              int32              `json:"ships"`
	ObservedGeneration int64              `json:"observedGeneration"`
	Captain            string             `json:"captain,omitempty"`
	Conditions         []metav1.Condition `json:"conditions,omitempty"`
}

// FleetList is a list of them.
type FleetList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Fleet `json:"items"`
}

// DeepCopyObject copies a Fleet.
func (fleet *Fleet) DeepCopyObject() runtime.Object {
	return fleet.deepCopy()
}

func (fleet *Fleet) deepCopy() *Fleet {
	other := *fleet
	fleet.ObjectMeta.DeepCopyInto(&other.ObjectMeta)
	if fleet.Spec.Size != nil {
		size := *fleet.Spec.Size
		other.Spec.Size = &size
	}
	other.Status.Conditions = append([]metav1.Condition(nil), fleet.Status.Conditions...)
	return &other
}

// DeepCopyObject copies a list.
func (list *FleetList) DeepCopyObject() runtime.Object {
	other := *list
	other.Items = nil
	for at := range list.Items {
		other.Items = append(other.Items, *list.Items[at].deepCopy())
	}
	return &other
}

func addFleets(scheme *runtime.Scheme) error {
	scheme.AddKnownTypes(groupVersion, &Fleet{}, &FleetList{})
	metav1.AddToGroupVersion(scheme, groupVersion)
	return nil
}
