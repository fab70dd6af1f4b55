//! What was recorded of a real `crictl`, and what nobody ever wrote.

use proptest::prelude::*;
use serde_json::json;

use super::*;

#[test]
fn containers_know_their_pod_and_their_image_as_written() {
    let all = parse_containers(include_bytes!("../../tests/recorded/crictl-ps.json")).unwrap();
    assert_eq!(all.len(), 4);
    let dead = all.iter().find(|container| container.state == ContainerState::Exited).unwrap();
    assert_eq!(dead.name, "local-path-provisioner");
    assert_eq!(dead.image, "docker.io/shakedown/local-path-provisioner:1");
    assert!(dead.image_ref.starts_with("sha256:"));
    assert_eq!(dead.pod.namespace, "local-path-storage");
    assert_eq!(dead.pod.uid, "dac281e9-5ef0-44d8-b98d-90eac846b742");
    assert!(dead.created_at.unwrap() > "2026-01-01T00:00:00Z".parse().unwrap());
    for container in &all {
        assert!(!container.pod.name.is_empty() && container.id.len() == 64);
    }
}

#[test]
fn a_running_container_has_a_process_and_no_exit_code() {
    let json = include_bytes!("../../tests/recorded/crictl-inspect.json");
    let status = parse_status(json).unwrap();
    assert_eq!((status.state, status.pid), (ContainerState::Running, Some(1361)));
    assert_eq!((status.exit_code, status.finished_at), (None, None));
    assert_eq!((status.name.as_str(), status.attempt), ("local-path-provisioner", 1));
    assert!(status.started_at > status.created_at);
}

#[test]
fn an_exited_container_has_an_end_and_no_process() {
    let json = include_bytes!("../../tests/recorded/crictl-inspect-exited.json");
    let status = parse_status(json).unwrap();
    assert_eq!((status.state, status.pid), (ContainerState::Exited, None));
    assert_eq!((status.exit_code, status.reason.as_str()), (Some(1), "Error"));
    assert!(status.finished_at > status.started_at);
}

#[test]
fn sandboxes_and_images_are_read() {
    let json = include_bytes!("../../tests/recorded/crictl-pods.json");
    let pods = parse_sandboxes(json).unwrap();
    assert!(pods.iter().all(|pod| pod.ready && !pod.pod.uid.is_empty()));
    assert_eq!(pods[0].labels["app"], "local-path-provisioner");
    let json = include_bytes!("../../tests/recorded/crictl-images.json");
    let images = parse_images(json).unwrap();
    assert_eq!(images[0].repo_tags, ["docker.io/shakedown/busybox:1"]);
    assert_eq!((images[0].size, images[0].pinned), (3_123_917, true));
}

#[test]
fn an_empty_node_has_empty_lists() {
    assert_eq!(parse_containers(br#"{"containers": []}"#), Ok(vec![]));
    assert_eq!(parse_sandboxes(b"{}"), Ok(vec![]));
    assert_eq!(parse_images(b"{}"), Ok(vec![]));
}

#[test]
fn the_name_of_a_process_may_look_like_its_state() {
    let state = |text: &str| parse_process_state(text.as_bytes());
    assert_eq!(state("1361 (local-path-prov) S 973 1361"), Ok(ProcessState::Sleeping));
    assert_eq!(state("7 (a) R b) T 1"), Ok(ProcessState::Stopped));
    assert!(state("").is_err() && state("7 (a)").is_err());
}

proptest! {
    #[test]
    fn no_answer_panics(text in ".{0,64}", number: i64, attempt: u32) {
        let bytes = text.as_bytes();
        let _ = (parse_containers(bytes), parse_sandboxes(bytes), parse_images(bytes));
        let _ = (parse_status(bytes), parse_process_state(bytes));
        let metadata = json!({"name": text, "attempt": attempt});
        let times = [json!(number), json!(number.to_string()), json!(text)];
        for time in times {
            let one = json!({"id": text, "metadata": metadata, "createdAt": time,
                "size": time, "state": text, "labels": null});
            let _ = parse_containers(json!({"containers": [one]}).to_string().as_bytes());
            let _ = parse_sandboxes(json!({"items": [one]}).to_string().as_bytes());
            let _ = parse_images(json!({"images": [one]}).to_string().as_bytes());
        }
        let status = json!({"status": {"id": text, "startedAt": text, "state": text},
            "info": {"pid": number}});
        prop_assert!(parse_status(status.to_string().as_bytes()).is_ok());
    }
}
