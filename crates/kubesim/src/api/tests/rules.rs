//! Defaults, admission and validation.

use super::*;

fn refused(server: &mut Server, resource: Resource, object: Tree) -> Vec<String> {
    let error = server.fails(&Request::create(resource, object));
    assert_eq!(error.code, 422, "{error}");
    let causes = error.details["causes"].items();
    causes.iter().map(|cause| cause["field"].str().to_owned()).collect()
}

#[test]
fn a_pod_gets_what_kubelets_and_schedulers_rely_on() {
    let mut server = Server::new();
    let mut object = pod("a");
    let probe = map! { "httpGet" => map! { "port" => 80 } };
    object.set(
        &["spec", "containers"],
        list![
            map! { "name" => "app", "image" => "web", "readinessProbe" => probe },
            map! { "name" => "b", "image" => "registry:5000/b:1" },
            map! { "name" => "c", "image" => "c@sha256:0" },
        ],
    );
    object.set(&["spec", "volumes"], list![map! { "name" => "scratch" }]);
    let made = server.create(Resource::PODS, object);
    let spec = &made["spec"];
    for (field, value) in [
        ("restartPolicy", "Always"),
        ("dnsPolicy", "ClusterFirst"),
        ("schedulerName", "default-scheduler"),
        ("serviceAccountName", "default"),
        ("preemptionPolicy", "PreemptLowerPriority"),
    ] {
        assert_eq!(spec[field], value, "{field}");
    }
    assert_eq!(spec["terminationGracePeriodSeconds"].as_i64(), Some(30));
    assert_eq!(spec["priority"].as_i64(), Some(0));
    let policies: Vec<_> =
        spec["containers"].items().iter().map(|one| one["imagePullPolicy"].str()).collect();
    assert_eq!(policies, ["Always", "IfNotPresent", "IfNotPresent"]);
    let probe = &spec["containers"][0]["readinessProbe"];
    assert_eq!(probe["periodSeconds"].as_i64(), Some(10));
    assert_eq!(probe["failureThreshold"].as_i64(), Some(3));
    assert_eq!(probe["httpGet"]["path"], "/");
    assert_eq!(spec["volumes"][0]["emptyDir"], map! {});
    assert_eq!(spec["tolerations"].items().len(), 2);
    assert_eq!(spec["tolerations"][1]["tolerationSeconds"].as_i64(), Some(300));
    assert_eq!(made["status"]["phase"], "Pending");
    assert_eq!(made["status"]["qosClass"], "BestEffort");
    assert_eq!(made["metadata"]["generation"].as_i64(), Some(1));
}

#[test]
fn a_pod_that_tolerates_lost_nodes_keeps_its_own_tolerations() {
    let mut server = Server::new();
    let mut object = pod("a");
    object.set(&["spec", "tolerations"], list![map! { "operator" => "Exists" }]);
    let made = server.create(Resource::PODS, object);
    assert_eq!(made["spec"]["tolerations"].items().len(), 1);
}

#[test]
fn requests_follow_limits_and_make_the_quality_class() {
    let mut server = Server::new();
    for (name, resources, class) in [
        ("a", map! { "limits" => map! { "cpu" => "1", "memory" => "1Gi" } }, "Guaranteed"),
        ("b", map! { "requests" => map! { "cpu" => "1" } }, "Burstable"),
    ] {
        let mut object = pod(name);
        object.at_mut(&["spec", "containers"]).items_mut()[0].set(&["resources"], resources);
        let made = server.create(Resource::PODS, object);
        assert_eq!(made["status"]["qosClass"], class);
        assert_eq!(made["spec"]["containers"][0]["resources"]["requests"]["cpu"], "1");
    }
}

#[test]
fn priority_comes_from_the_class_and_unknown_classes_are_refused() {
    let mut server = Server::new();
    let mut object = pod("a");
    object.set(&["spec", "priorityClassName"], "system-node-critical");
    let made = server.create(Resource::PODS, object.clone());
    assert_eq!(made["spec"]["priority"].as_i64(), Some(2_000_001_000));
    object.set(&["spec", "priorityClassName"], "missing");
    assert_eq!(server.fails(&Request::create(Resource::PODS, object)).code, 403);
}

#[test]
fn workloads_get_the_defaults_of_their_kind() {
    let mut server = Server::new();
    let made = server.create(Resource::DEPLOYMENTS, deployment("web"));
    let spec = &made["spec"];
    assert_eq!(spec["replicas"].as_i64(), Some(1));
    assert_eq!(spec["strategy"]["rollingUpdate"]["maxSurge"], "25%");
    assert_eq!(spec["revisionHistoryLimit"].as_i64(), Some(10));
    assert_eq!(spec["progressDeadlineSeconds"].as_i64(), Some(600));
    assert_eq!(spec["template"]["spec"]["restartPolicy"], "Always");
    let made = server.create(Resource::STATEFUL_SETS, deployment("web"));
    assert_eq!(made["spec"]["podManagementPolicy"], "OrderedReady");
    assert_eq!(made["spec"]["updateStrategy"]["rollingUpdate"]["partition"].as_i64(), Some(0));
    let made = server.create(Resource::DAEMON_SETS, deployment("web"));
    assert_eq!(made["spec"]["updateStrategy"]["rollingUpdate"]["maxUnavailable"].as_i64(), Some(1));
    assert!(made["spec"]["replicas"].is_null());
}

#[test]
fn services_get_addresses_of_their_own_and_keep_them() {
    let mut server = Server::new();
    let service = |name: &str| {
        let spec = map! { "ports" => list![map! { "port" => 80 }] };
        map! { "metadata" => meta(name), "spec" => spec }
    };
    let a = server.create(Resource::SERVICES, service("a"));
    let b = server.create(Resource::SERVICES, service("b"));
    assert_eq!(a["spec"]["clusterIP"], "10.96.0.11");
    assert_eq!(b["spec"]["clusterIP"], "10.96.0.12");
    assert_eq!(a["spec"]["ports"][0]["targetPort"].as_i64(), Some(80));
    let handled = server.handle(&Request::update(Resource::SERVICES, service("a")));
    assert_eq!(handled.answer.unwrap()["spec"], a["spec"]);
    let moved = map! { "spec" => map! { "clusterIP" => "10.96.0.99" } };
    let error = server.fails(&Request::merge_patch(Resource::SERVICES, key("a"), moved));
    assert_eq!(error.code, 422);
}

#[test]
fn pods_that_break_rules_are_refused_with_their_fields() {
    let mut server = Server::new();
    let app = || map! { "name" => "app", "image" => "web:1" };
    let mounts = map! {
        "name" => "m", "image" => "web", "volumeMounts" => list![
            map! { "name" => "missing", "mountPath" => "/data" },
        ],
    };
    for (containers, fields) in [
        (Tree::Null, vec!["spec.containers"]),
        (list![app(), app()], vec!["spec.containers[1].name"]),
        (list![map! { "image" => "web" }], vec!["spec.containers[0].name"]),
        (list![map! { "name" => "app" }], vec!["spec.containers[0].image"]),
        (list![map! { "name" => "A", "image" => "x" }], vec!["spec.containers[0].name"]),
        (list![mounts], vec!["spec.containers[0].volumeMounts[0].name"]),
    ] {
        let mut object = pod("a");
        object.set(&["spec", "containers"], containers);
        assert_eq!(refused(&mut server, Resource::PODS, object), fields);
    }
    for name in ["Web", "-web", "web_1", "web..a", "wéb"] {
        assert_eq!(refused(&mut server, Resource::PODS, pod(name)), ["metadata.name"], "{name}");
    }
    let error = server.fails(&Request::create(Resource::PODS, pod("A")));
    assert!(error.message.starts_with("Pod \"A\" is invalid: metadata.name: Invalid value"));
}

#[test]
fn fields_of_the_wrong_shape_are_refused_before_all_else() {
    let mut server = Server::new();
    for (path, value) in [
        (vec!["spec"], "x".into()),
        (vec!["spec", "strategy"], "Recreate".into()),
        (vec!["spec", "template", "spec", "containers"], map! {}),
        (vec!["spec", "template", "spec", "containers"], list!["app"]),
        (vec!["metadata", "labels"], list![]),
    ] {
        let mut object = deployment("web");
        object.set(&path, value);
        let error = server.fails(&Request::create(Resource::DEPLOYMENTS, object));
        assert_eq!(error.code, 400, "{path:?}: {error}");
    }
    let wrong = pod("a");
    assert_eq!(server.fails(&Request::create(Resource::PODS, "x".into())).code, 400);
    let mut other = wrong.clone();
    other.set(&["kind"], "Service");
    assert_eq!(server.fails(&Request::create(Resource::PODS, other)).code, 400);
    let mut versioned = wrong;
    versioned.set(&["metadata", "resourceVersion"], "5");
    assert_eq!(server.fails(&Request::create(Resource::PODS, versioned)).code, 500);
}

#[test]
fn workloads_that_break_rules_are_refused_with_their_fields() {
    let mut server = Server::new();
    let none = map! { "maxSurge" => 0, "maxUnavailable" => "0%" };
    let mut object = deployment("web");
    object.set(&["spec", "selector"], Tree::Null);
    let fields = ["spec.selector", "spec.template.metadata.labels"];
    assert_eq!(refused(&mut server, Resource::DEPLOYMENTS, object), fields);
    for (path, value, field) in [
        (vec!["spec", "selector"], map! {}, "spec.selector"),
        (vec!["spec", "replicas"], (-1).into(), "spec.replicas"),
        (
            vec!["spec", "template", "metadata", "labels"],
            map! { "app" => "other" },
            "spec.template.metadata.labels",
        ),
        (
            vec!["spec", "strategy", "rollingUpdate"],
            none,
            "spec.strategy.rollingUpdate.maxUnavailable",
        ),
        (
            vec!["spec", "template", "spec", "restartPolicy"],
            "Never".into(),
            "spec.template.spec.restartPolicy",
        ),
    ] {
        let mut object = deployment("web");
        object.set(&path, value);
        assert_eq!(refused(&mut server, Resource::DEPLOYMENTS, object), [field]);
    }
}

#[test]
fn selectors_and_pods_can_hardly_be_changed() {
    let mut server = Server::new();
    server.create(Resource::DEPLOYMENTS, deployment("web"));
    server.create(Resource::STATEFUL_SETS, deployment("web"));
    server.create(Resource::PODS, pod("a"));
    let other = map! { "app" => "other" };
    let selector = map! { "spec" => map! {
        "selector" => map! { "matchLabels" => &other },
        "template" => map! { "metadata" => map! { "labels" => &other } },
    } };
    let service = map! { "spec" => map! { "serviceName" => "other" } };
    let node = map! { "spec" => map! { "nodeName" => "worker-1" } };
    let command = list![map! { "name" => "app", "command" => list!["x"] }];
    let command = map! { "spec" => map! { "containers" => command } };
    for (resource, name, patch) in [
        (Resource::DEPLOYMENTS, "web", selector),
        (Resource::STATEFUL_SETS, "web", service),
        (Resource::PODS, "a", node),
        (Resource::PODS, "a", command),
    ] {
        let request = Request::strategic_patch(resource, key(name), patch);
        assert_eq!(server.fails(&request).code, 422, "{request:?}");
    }
    let mut more = server.get(Resource::PODS, "a").unwrap();
    more.at_mut(&["spec", "tolerations"]).items_mut().push(map! { "key" => "k" });
    more.set(&["spec", "activeDeadlineSeconds"], 5);
    server.fine(&Request::update(Resource::PODS, more.clone()));
    more.remove(&["metadata", "resourceVersion"]);
    more.set(&["spec", "activeDeadlineSeconds"], 9);
    assert_eq!(server.fails(&Request::update(Resource::PODS, more)).code, 422);
}

#[test]
fn a_budget_has_one_limit() {
    let mut server = Server::new();
    let budget = |spec: Tree| map! { "metadata" => meta("web"), "spec" => spec };
    let both = budget(map! { "minAvailable" => 1, "maxUnavailable" => 1 });
    assert_eq!(refused(&mut server, Resource::POD_DISRUPTION_BUDGETS, both), ["spec"]);
    for wrong in ["101%", "x", "-1%", "5"] {
        let object = budget(map! { "maxUnavailable" => wrong });
        let fields = refused(&mut server, Resource::POD_DISRUPTION_BUDGETS, object);
        assert_eq!(fields, ["spec.maxUnavailable"], "{wrong}");
    }
    let fine = budget(map! { "maxUnavailable" => "10%", "selector" => map! {} });
    server.create(Resource::POD_DISRUPTION_BUDGETS, fine.clone());
    let blind = server.fails(&Request::update(Resource::POD_DISRUPTION_BUDGETS, fine));
    assert_eq!(blind.code, 422, "budgets want a resourceVersion");
}
