// Writes the fields of the built-in types, as their JSON encoding has them, to `types.txt` (see
// `src/api/typed/table.rs` for its form), and as their protobuf encoding has them to
// `messages.txt` (see `messages.go`):
//
//	go mod tidy && go run . >types.txt
//	go run . messages >../../kubesim-http/src/protobuf/messages.txt
//	go run . samples >../../kubesim-http/src/protobuf/samples.txt
//	go run . requests >../../../fixtures/api/cases/protobuf.yaml
package main

import (
	"fmt"
	"os"
	"reflect"
	"sort"
	"strings"

	admission "k8s.io/api/admissionregistration/v1"
	apps "k8s.io/api/apps/v1"
	authentication "k8s.io/api/authentication/v1"
	authorization "k8s.io/api/authorization/v1"
	autoscaling "k8s.io/api/autoscaling/v1"
	autoscaling2 "k8s.io/api/autoscaling/v2"
	batch "k8s.io/api/batch/v1"
	certificates "k8s.io/api/certificates/v1"
	coordination "k8s.io/api/coordination/v1"
	core "k8s.io/api/core/v1"
	discovery "k8s.io/api/discovery/v1"
	events "k8s.io/api/events/v1"
	flowcontrol "k8s.io/api/flowcontrol/v1"
	networking "k8s.io/api/networking/v1"
	node "k8s.io/api/node/v1"
	policy "k8s.io/api/policy/v1"
	rbac "k8s.io/api/rbac/v1"
	dra "k8s.io/api/resource/v1"
	scheduling "k8s.io/api/scheduling/v1"
	storage "k8s.io/api/storage/v1"
	extensions "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
	registration "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"
)

var roots = []any{
	core.Pod{}, core.Node{}, core.Namespace{}, core.Service{}, core.Endpoints{}, core.ConfigMap{}, core.Secret{},
	core.Event{}, core.ServiceAccount{}, core.PersistentVolumeClaim{}, core.PersistentVolume{}, core.Binding{},
	apps.Deployment{}, apps.ReplicaSet{}, apps.StatefulSet{}, apps.DaemonSet{}, apps.ControllerRevision{},
	policy.PodDisruptionBudget{}, policy.Eviction{}, discovery.EndpointSlice{}, coordination.Lease{},
	scheduling.PriorityClass{}, networking.Ingress{}, networking.NetworkPolicy{}, rbac.Role{}, rbac.RoleBinding{},
	rbac.ClusterRole{}, rbac.ClusterRoleBinding{}, storage.StorageClass{}, extensions.CustomResourceDefinition{},
	autoscaling.Scale{}, meta.DeleteOptions{},
	core.ReplicationController{}, core.LimitRange{}, core.ResourceQuota{}, core.PodTemplate{},
	core.ComponentStatus{}, batch.Job{}, batch.CronJob{}, autoscaling2.HorizontalPodAutoscaler{},
	autoscaling.HorizontalPodAutoscaler{}, events.Event{}, certificates.CertificateSigningRequest{},
	admission.ValidatingWebhookConfiguration{}, admission.MutatingWebhookConfiguration{},
	admission.ValidatingAdmissionPolicy{}, admission.ValidatingAdmissionPolicyBinding{},
	admission.MutatingAdmissionPolicy{}, admission.MutatingAdmissionPolicyBinding{},
	authentication.TokenReview{}, authentication.TokenRequest{}, authentication.SelfSubjectReview{},
	authorization.SubjectAccessReview{}, authorization.SelfSubjectAccessReview{},
	authorization.LocalSubjectAccessReview{}, authorization.SelfSubjectRulesReview{},
	networking.IngressClass{}, networking.IPAddress{}, networking.ServiceCIDR{}, node.RuntimeClass{},
	storage.CSIDriver{}, storage.CSINode{}, storage.VolumeAttachment{}, storage.CSIStorageCapacity{},
	storage.VolumeAttributesClass{}, flowcontrol.FlowSchema{}, flowcontrol.PriorityLevelConfiguration{},
	registration.APIService{}, dra.DeviceClass{}, dra.ResourceClaim{}, dra.ResourceClaimTemplate{},
	dra.ResourceSlice{},
}

// Types whose JSON is not what their fields say.
var special = map[reflect.Type]string{
	reflect.TypeOf(meta.Time{}):               "time",
	reflect.TypeOf(meta.MicroTime{}):          "microtime",
	reflect.TypeOf(resource.Quantity{}):       "quantity",
	reflect.TypeOf(intstr.IntOrString{}):      "int-or-string",
	reflect.TypeOf(runtime.RawExtension{}):    "any",
	reflect.TypeOf(meta.FieldsV1{}):           "any",
	reflect.TypeOf(extensions.JSON{}):         "any",
	reflect.TypeOf(extensions.JSONSchemaProps{}): "any",
}

var names = map[reflect.Type]string{}
var taken = map[string]reflect.Type{}
var queue []reflect.Type

func named(t reflect.Type) string {
	if name, ok := names[t]; ok {
		return name
	}
	name := t.Name()
	if _, ok := taken[name]; ok {
		parts := strings.Split(t.PkgPath(), "/")
		name = parts[len(parts)-2] + "." + name
	}
	names[t], taken[name] = name, t
	queue = append(queue, t)
	return name
}

func shape(t reflect.Type) string {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if text, ok := special[t]; ok {
		return text
	}
	switch t.Kind() {
	case reflect.String:
		return "string"
	case reflect.Bool:
		return "bool"
	case reflect.Int, reflect.Int32:
		return "int32"
	case reflect.Int64:
		return "int64"
	case reflect.Float64:
		return "number"
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return "bytes"
		}
		return "[" + shape(t.Elem()) + "]"
	case reflect.Map:
		return "{" + shape(t.Elem()) + "}"
	case reflect.Struct:
		return named(t)
	}
	panic(t.String())
}

func fields(t reflect.Type) []string {
	var lines []string
	for i := range t.NumField() {
		field := t.Field(i)
		name, options, _ := strings.Cut(field.Tag.Get("json"), ",")
		if name == "-" {
			continue
		}
		if name == "" {
			inner := field.Type
			if inner.Kind() == reflect.Pointer {
				inner = inner.Elem()
			}
			lines = append(lines, fields(inner)...)
			continue
		}
		line := name + " " + shape(field.Type)
		// What an encoder leaves out: nothing of this field, what is absent, or also what is zero.
		omits := strings.Contains(options, "omitempty") || strings.Contains(options, "omitzero")
		switch kind := field.Type.Kind(); {
		case kind == reflect.Pointer:
		case kind == reflect.Struct && special[field.Type] == "" && !strings.Contains(options, "omitzero"):
			line += " always"
		case !omits:
			line += " always"
		default:
			line += " nonzero"
		}
		strategy := field.Tag.Get("patchStrategy")
		if strings.Contains(strategy, "merge") && field.Type.Kind() == reflect.Slice {
			line += " merge=" + field.Tag.Get("patchMergeKey")
		}
		if strings.Contains(strategy, "replace") {
			line += " replace"
		}
		lines = append(lines, line)
	}
	return lines
}

func main() {
	if len(os.Args) > 1 {
		modes := map[string]func(){"messages": messages, "requests": requests, "samples": samples}
		modes[os.Args[1]]()
		return
	}
	fmt.Println("# Made by main.go of the Go types of Kubernetes v1.36.3: fields of the JSON of built-in types.")
	for _, root := range roots {
		named(reflect.TypeOf(root))
	}
	for len(queue) > 0 {
		next := queue[0]
		queue = queue[1:]
		lines := fields(next)
		sort.Strings(lines)
		fmt.Println(names[next])
		for _, line := range lines {
			fmt.Println("  " + line)
		}
	}
}
