package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	extensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// owner is the field manager of what is applied.
var owner = client.FieldOwner("fleets")

// define applies the CRD and waits until it is served.
func define(ctx context.Context, api client.Client) error {
	type props = extensionsv1.JSONSchemaProps
	number := props{Type: "integer", Format: "int32"}
	conditions := props{
		Type:         "array",
		XListType:    ptr("map"),
		XListMapKeys: []string{"type"},
		Items: &extensionsv1.JSONSchemaPropsOrArray{Schema: &props{
			Type: "object", Required: []string{"type", "status"},
			Properties: map[string]props{
				"type": {Type: "string"}, "status": {Type: "string"}, "reason": {Type: "string"},
				"message": {Type: "string"}, "observedGeneration": {Type: "integer", Format: "int64"},
				"lastTransitionTime": {Type: "string", Format: "date-time"},
			},
		}},
	}
	spec := props{
		Type:       "object",
		Properties: map[string]props{"size": number, "flag": {Type: "string"}},
		XValidations: extensionsv1.ValidationRules{{
			Rule:    "!has(oldSelf.flag) || has(self.flag) && self.flag == oldSelf.flag",
			Message: "a flag stays",
		}},
	}
	status := props{Type: "object", Properties: map[string]props{
		"ships": number, "observedGeneration": {Type: "integer", Format: "int64"},
		"captain": {Type: "string"}, "conditions": conditions,
	}}
	definition := &extensionsv1.CustomResourceDefinition{
		TypeMeta: metav1.TypeMeta{
			APIVersion: "apiextensions.k8s.io/v1", Kind: "CustomResourceDefinition",
		},
		ObjectMeta: metav1.ObjectMeta{Name: "fleets." + groupVersion.Group},
		Spec: extensionsv1.CustomResourceDefinitionSpec{
			Group: groupVersion.Group,
			Scope: extensionsv1.NamespaceScoped,
			Names: extensionsv1.CustomResourceDefinitionNames{
				Plural: "fleets", Singular: "fleet", Kind: "Fleet", ListKind: "FleetList",
			},
			Versions: []extensionsv1.CustomResourceDefinitionVersion{{
				Name: groupVersion.Version, Served: true, Storage: true,
				Subresources: &extensionsv1.CustomResourceSubresources{
					Status: &extensionsv1.CustomResourceSubresourceStatus{},
				},
				Schema: &extensionsv1.CustomResourceValidation{OpenAPIV3Schema: &props{
					Type:       "object",
					Required:   []string{"spec"},
					Properties: map[string]props{"spec": spec, "status": status},
				}},
			}},
		},
	}
	if err := apply(ctx, api, definition); err != nil {
		return err
	}
	return wait.PollUntilContextTimeout(ctx, 50*time.Millisecond, 30*time.Second, true,
		func(ctx context.Context) (bool, error) {
			return api.List(ctx, &FleetList{}) == nil, nil
		})
}

// ask makes the API server ask the webhook on this port.
func ask(ctx context.Context, api client.Client, port int, authority []byte) error {
	rule := func(operations ...admissionv1.OperationType) []admissionv1.RuleWithOperations {
		return []admissionv1.RuleWithOperations{{
			Operations: operations,
			Rule: admissionv1.Rule{
				APIGroups: []string{groupVersion.Group}, APIVersions: []string{groupVersion.Version},
				Resources: []string{"fleets"},
			},
		}}
	}
	reached := func(verb string) admissionv1.WebhookClientConfig {
		url := fmt.Sprintf("https://127.0.0.1:%d/%s-clients-shakedown-dev-v1-fleet", port, verb)
		return admissionv1.WebhookClientConfig{URL: &url, CABundle: authority}
	}
	meta := metav1.ObjectMeta{Name: "fleets"}
	none, versions := ptr(admissionv1.SideEffectClassNone), []string{"v1"}
	mutating := &admissionv1.MutatingWebhookConfiguration{
		TypeMeta: metav1.TypeMeta{
			APIVersion: "admissionregistration.k8s.io/v1", Kind: "MutatingWebhookConfiguration",
		},
		ObjectMeta: meta,
		Webhooks: []admissionv1.MutatingWebhook{{
			Name: "default.clients.shakedown.dev", ClientConfig: reached("mutate"),
			Rules:       rule(admissionv1.Create, admissionv1.Update),
			SideEffects: none, AdmissionReviewVersions: versions,
		}},
	}
	validating := &admissionv1.ValidatingWebhookConfiguration{
		TypeMeta: metav1.TypeMeta{
			APIVersion: "admissionregistration.k8s.io/v1", Kind: "ValidatingWebhookConfiguration",
		},
		ObjectMeta: meta,
		Webhooks: []admissionv1.ValidatingWebhook{{
			Name: "check.clients.shakedown.dev", ClientConfig: reached("validate"),
			Rules:       rule(admissionv1.Create, admissionv1.Update, admissionv1.Delete),
			SideEffects: none, AdmissionReviewVersions: versions,
		}},
	}
	if err := apply(ctx, api, mutating); err != nil {
		return err
	}
	return apply(ctx, api, validating)
}

func apply(ctx context.Context, api client.Client, object client.Object) error {
	//nolint:staticcheck // The newer way takes generated configurations.
	return api.Patch(ctx, object, client.Apply, owner, client.ForceOwnership)
}

// certify writes a certificate for 127.0.0.1, signed by itself, and answers it in PEM.
func certify(folder string) ([]byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "fleets"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA:        true, BasicConstraintsValid: true,
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	secret = pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})
	if err := os.WriteFile(filepath.Join(folder, "tls.crt"), certificate, 0o600); err != nil {
		return nil, err
	}
	return certificate, os.WriteFile(filepath.Join(folder, "tls.key"), secret, 0o600)
}

func ptr[T any](value T) *T {
	return &value
}
