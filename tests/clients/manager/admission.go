package main

import (
	"context"
	"fmt"

	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"
)

const largest = 10

// admissions is asked about each Fleet before it is stored.
type admissions struct{}

func (admissions) Default(_ context.Context, fleet *Fleet) error {
	if fleet.Spec.Size == nil {
		one := int32(1)
		fleet.Spec.Size = &one
	}
	return nil
}

func (admissions) ValidateCreate(_ context.Context, fleet *Fleet) (admission.Warnings, error) {
	return check(fleet)
}

func (admissions) ValidateUpdate(_ context.Context, _, fleet *Fleet) (admission.Warnings, error) {
	return check(fleet)
}

func (admissions) ValidateDelete(_ context.Context, fleet *Fleet) (admission.Warnings, error) {
	if fleet.Annotations["clients.shakedown.dev/keep"] != "" {
		return nil, fmt.Errorf("fleet %s is to be kept", fleet.Name)
	}
	return nil, nil
}

func check(fleet *Fleet) (admission.Warnings, error) {
	switch size := fleet.Spec.size(); {
	case size > largest:
		return nil, fmt.Errorf("a fleet has at most %d ships, not %d", largest, size)
	case size == 0:
		return admission.Warnings{"a fleet without ships"}, nil
	}
	return nil, nil
}
