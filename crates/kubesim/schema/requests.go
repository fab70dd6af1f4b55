package main

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"time"

	apps "k8s.io/api/apps/v1"
	authentication "k8s.io/api/authentication/v1"
	authorization "k8s.io/api/authorization/v1"
	autoscaling "k8s.io/api/autoscaling/v1"
	autoscaling2 "k8s.io/api/autoscaling/v2"
	batch "k8s.io/api/batch/v1"
	coordination "k8s.io/api/coordination/v1"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	policy "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"
	"k8s.io/apimachinery/pkg/util/intstr"
)

func body(version, kind string, object runtime.Object) []byte {
	group, _ := schema.ParseGroupVersion(version)
	object.GetObjectKind().SetGroupVersionKind(group.WithKind(kind))
	var encoded bytes.Buffer
	if err := protobuf.NewSerializer(nil, nil).Encode(object, &encoded); err != nil {
		panic(err)
	}
	return encoded.Bytes()
}

func step(verb, path string, body []byte) {
	fmt.Printf("      - {%s: %q, protobuf: %q}\n", verb, path, base64.StdEncoding.EncodeToString(body))
}

func ptr[T any](value T) *T { return &value }

// Writes `fixtures/api/cases/protobuf.yaml`: requests whose bodies Go's serializer made.
func requests() {
	fmt.Println("# Made by crates/kubesim/schema/requests.go.")
	fmt.Println(`about: "bodies in protobuf, as Go clients send them, whole and broken"`)
	fmt.Println("cases:")
	named := func(name string) meta.ObjectMeta { return meta.ObjectMeta{Name: name} }
	labels := map[string]string{"app": "a"}
	template := core.PodTemplateSpec{
		ObjectMeta: meta.ObjectMeta{Labels: labels},
		Spec: core.PodSpec{Containers: []core.Container{{
			Name: "app", Image: "web:1",
			Env: []core.EnvVar{{Name: "A", ValueFrom: &core.EnvVarSource{
				FieldRef: &core.ObjectFieldSelector{FieldPath: "metadata.name"}}}},
			Ports:          []core.ContainerPort{{ContainerPort: 80, Name: "http"}},
			ReadinessProbe: &core.Probe{ProbeHandler: core.ProbeHandler{HTTPGet: &core.HTTPGetAction{Port: intstr.FromString("http")}}},
			Resources:      core.ResourceRequirements{Requests: core.ResourceList{"cpu": resource.MustParse("0.5"), "memory": resource.MustParse("1Gi")}},
		}}},
	}
	selector := &meta.LabelSelector{MatchLabels: labels}
	pod := &core.Pod{ObjectMeta: meta.ObjectMeta{Name: "a", Labels: labels, Annotations: map[string]string{"note": "ünï"}}, Spec: template.Spec}
	pod.Spec.Volumes = []core.Volume{
		{Name: "empty"},
		{Name: "config", VolumeSource: core.VolumeSource{ConfigMap: &core.ConfigMapVolumeSource{LocalObjectReference: core.LocalObjectReference{Name: "c"}}}},
	}
	pod.Spec.Tolerations = []core.Toleration{{Key: "a", Operator: "Exists", Effect: "NoExecute", TolerationSeconds: ptr(int64(0))}}
	moment := time.Date(2026, 1, 2, 3, 4, 5, 678901000, time.UTC)

	fmt.Println("  - name: pb-objects\n    steps:")
	step("post", "pods", body("v1", "Pod", pod))
	step("post", "deployments", body("apps/v1", "Deployment", &apps.Deployment{
		ObjectMeta: named("a"),
		Spec: apps.DeploymentSpec{Selector: selector, Template: template, Replicas: ptr(int32(0)),
			Strategy: apps.DeploymentStrategy{RollingUpdate: &apps.RollingUpdateDeployment{MaxSurge: ptr(intstr.FromInt32(0)), MaxUnavailable: ptr(intstr.FromString("50%"))}}}}))
	job := template
	job.Spec.RestartPolicy = "Never"
	step("post", "jobs", body("batch/v1", "Job", &batch.Job{ObjectMeta: named("a"), Spec: batch.JobSpec{Template: job, Suspend: ptr(true)}}))
	step("post", "services", body("v1", "Service", &core.Service{ObjectMeta: named("a"), Spec: core.ServiceSpec{Ports: []core.ServicePort{{Port: 80, TargetPort: intstr.FromString("http")}}}}))
	step("put", "services/a", body("v1", "Service", &core.Service{ObjectMeta: named("a"), Spec: core.ServiceSpec{Ports: []core.ServicePort{{Port: 81}}}}))
	step("post", "secrets", body("v1", "Secret", &core.Secret{ObjectMeta: named("a"), Data: map[string][]byte{"empty": {}, "some": {0, 1, 255}}, Immutable: ptr(false)}))
	step("post", "configmaps", body("v1", "ConfigMap", &core.ConfigMap{ObjectMeta: named("a"), Data: map[string]string{"": "", "a": "b"}}))
	step("post", "configmaps", body("v1", "ConfigMap", &core.ConfigMap{ObjectMeta: named("b"), Data: map[string]string{"a": ""}, BinaryData: map[string][]byte{"x": {1}}}))
	step("post", "leases", body("coordination.k8s.io/v1", "Lease", &coordination.Lease{ObjectMeta: named("a"), Spec: coordination.LeaseSpec{HolderIdentity: ptr("me"), LeaseDurationSeconds: ptr(int32(15)), RenewTime: &meta.MicroTime{Time: moment}}}))
	step("post", "events", body("v1", "Event", &core.Event{ObjectMeta: meta.ObjectMeta{Name: "a"}, InvolvedObject: core.ObjectReference{Kind: "Pod", Namespace: "pb-objects", Name: "a"}, Reason: "R", FirstTimestamp: meta.Time{Time: moment}, Count: 1}))
	step("post", "controllerrevisions", body("apps/v1", "ControllerRevision", &apps.ControllerRevision{ObjectMeta: named("a"), Revision: 3, Data: runtime.RawExtension{Raw: []byte(`{"spec":{"a":[1,2.5,null]}}`)}}))
	step("post", "/apis/networking.k8s.io/v1/namespaces/${ns}/networkpolicies", body("networking.k8s.io/v1", "NetworkPolicy", &networking.NetworkPolicy{ObjectMeta: named("a"), Spec: networking.NetworkPolicySpec{Ingress: []networking.NetworkPolicyIngressRule{{Ports: []networking.NetworkPolicyPort{{Port: ptr(intstr.FromInt32(80))}}}}}}))
	step("post", "horizontalpodautoscalers", body("autoscaling/v2", "HorizontalPodAutoscaler", &autoscaling2.HorizontalPodAutoscaler{ObjectMeta: named("a"), Spec: autoscaling2.HorizontalPodAutoscalerSpec{MaxReplicas: 3, ScaleTargetRef: autoscaling2.CrossVersionObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Name: "a"}, Metrics: []autoscaling2.MetricSpec{{Type: "Resource", Resource: &autoscaling2.ResourceMetricSource{Name: "memory", Target: autoscaling2.MetricTarget{Type: "AverageValue", AverageValue: ptr(resource.MustParse("1.5Gi"))}}}}}}))

	fmt.Println("  - name: pb-others\n    steps:")
	step("post", "pods", body("v1", "Pod", pod))
	step("post", "deployments", body("apps/v1", "Deployment", &apps.Deployment{ObjectMeta: named("a"), Spec: apps.DeploymentSpec{Selector: selector, Template: template}}))
	step("put", "deployments/a/scale", body("autoscaling/v1", "Scale", &autoscaling.Scale{ObjectMeta: named("a"), Spec: autoscaling.ScaleSpec{Replicas: 4}}))
	step("put", "pods/a/status", body("v1", "Pod", &core.Pod{ObjectMeta: named("a"), Status: core.PodStatus{Phase: "Running", PodIP: "10.0.0.1", StartTime: &meta.Time{Time: moment}, Conditions: []core.PodCondition{{Type: "Ready", Status: "True", LastTransitionTime: meta.Time{Time: moment}}}}}))
	step("post", "pods/a/binding", body("v1", "Binding", &core.Binding{ObjectMeta: named("a"), Target: core.ObjectReference{Kind: "Node", Name: "pb-node"}}))
	step("post", "serviceaccounts/default/token", body("authentication.k8s.io/v1", "TokenRequest", &authentication.TokenRequest{Spec: authentication.TokenRequestSpec{ExpirationSeconds: ptr(int64(700))}}))
	step("post", "/apis/authorization.k8s.io/v1/subjectaccessreviews", body("authorization.k8s.io/v1", "SubjectAccessReview", &authorization.SubjectAccessReview{Spec: authorization.SubjectAccessReviewSpec{User: "a", Extra: map[string]authorization.ExtraValue{"k": {"v", "w"}}, ResourceAttributes: &authorization.ResourceAttributes{Verb: "get", Resource: "pods"}}}))
	step("post", "pods/a/eviction", body("policy/v1", "Eviction", &policy.Eviction{ObjectMeta: named("a"), DeleteOptions: &meta.DeleteOptions{GracePeriodSeconds: ptr(int64(7))}}))
	step("delete", "pods/a", body("v1", "DeleteOptions", &meta.DeleteOptions{GracePeriodSeconds: ptr(int64(0)), Preconditions: &meta.Preconditions{UID: ptr(meta.ObjectMeta{UID: "other"}.UID)}}))
	step("delete", "pods/a", body("v1", "DeleteOptions", &meta.DeleteOptions{GracePeriodSeconds: ptr(int64(0))}))
	step("delete", "deployments/a", body("apps/v1", "DeleteOptions", &meta.DeleteOptions{PropagationPolicy: ptr(meta.DeletePropagationForeground)}))

	fmt.Println("  - name: pb-broken\n    steps:")
	whole := body("v1", "Pod", pod)
	step("post", "pods", []byte(`{"kind":"Pod"}`))
	step("post", "pods", whole[:4])
	step("post", "pods", whole[:60])
	step("post", "pods", append(bytes.Clone(whole), 7))
	step("post", "pods", body("v1", "ConfigMap", &core.ConfigMap{ObjectMeta: named("a")}))
	step("post", "pods", body("v9", "Pod", pod))
	step("post", "pods", body("v1", "Nothing", pod))
	step("post", "configmaps", body("v1", "ConfigMap", &core.ConfigMap{}))
	step("put", "configmaps/a", body("v1", "ConfigMap", &core.ConfigMap{ObjectMeta: named("b")}))
}
