//! Images that can't be had: they are hidden from the container runtimes of the nodes, and their
//! registry can't be reached.

use kind_rs::{Error, Exec, Node};

/// Hides the image `$0` under the name `$1`, which nobody asks for; its content stays.
const HIDE: &str = r#"ctr -n k8s.io images tag --force "$0" "$1" && ctr -n k8s.io images rm "$0""#;

/// What names of hidden images begin with; the rule that hides them and their own names come after
/// it.
const HIDDEN: &str = "shakedown.invalid/";

/// Gives all images back their names that are hidden under `$0`, which a rule follows.
const SHOW: &str = r#"
tries=0
until all=$(ctr -n k8s.io images ls -q); do
    # A runtime that has just been started listens a little later.
    tries=$((tries + 1))
    [ $tries -lt 20 ] || exit 1
    sleep 1
done
for hidden in $(printf '%s\n' "$all" | grep "^$0"); do
    name=${hidden#shakedown.invalid/*/}
    ctr -n k8s.io images tag --force "$hidden" "$name" || exit 1
    ctr -n k8s.io images rm "$hidden" || exit 1
done
"#;

/// Nothing listens there: whoever asks the registry `$0` is refused, for the rule `$1`. The file is
/// mounted, so that it can be written but not replaced.
const BLOCK: &str = r##"echo "127.0.0.1 $0 # shakedown $1" >>/etc/hosts"##;
const UNBLOCK: &str = r##"
kept=$(grep -v "# shakedown $0" /etc/hosts) && printf '%s\n' "$kept" >/etc/hosts"##;

/// Takes the images that match away from a node for a rule, so that they can't be had again.
pub(super) async fn withhold(node: &Node, rule: &str, pattern: &str) -> Result<(), Error> {
    let (registry, rule) = (registry_of(pattern), part(rule));
    node.exec_checked(Exec::sh(BLOCK).args([registry, &rule])).await?;
    for image in node.cri().images().await? {
        let seen = image.repo_tags.iter().filter(|name| !name.starts_with(HIDDEN));
        for name in seen.filter(|name| matches(pattern, name)) {
            let hidden = format!("{HIDDEN}{rule}/{name}");
            node.exec_checked(Exec::sh(HIDE).args([name, &hidden])).await?;
        }
    }
    Ok(())
}

/// Gives the node back the images, and their registries, that a rule has taken away, or all rules.
pub(super) async fn give_back(node: &Node, rule: Option<&str>) -> Result<(), Error> {
    let rule = rule.map(part).unwrap_or_default();
    let hidden = match rule.is_empty() {
        true => HIDDEN.to_owned(),
        false => format!("{HIDDEN}{rule}/"),
    };
    node.exec_checked(Exec::sh(SHOW).arg(hidden)).await?;
    node.exec_checked(Exec::sh(UNBLOCK).arg(rule)).await.map(drop)
}

/// A rule as a part of an image's name, which no other rule begins with.
fn part(rule: &str) -> String {
    let digits: String = rule.bytes().map(|byte| format!("{byte:02x}")).collect();
    format!("r{digits}x")
}

/// The host that an image is pulled from (the rule of image references: the first part is a host if
/// it could not be a name).
fn registry_of(image: &str) -> &str {
    let (first, rest) = image.split_once('/').unwrap_or((image, ""));
    let is_host = !rest.is_empty() && (first.contains(['.', ':']) || first == "localhost");
    let host = if is_host { first } else { "registry-1.docker.io" };
    host.split(':').next().unwrap_or(host)
}

/// Whether the pattern of a rule means an image, which runtimes know by its whole name.
fn matches(pattern: &str, name: &str) -> bool {
    let short = name.strip_prefix("docker.io/").unwrap_or(name);
    let short = short.strip_prefix("library/").unwrap_or(short);
    [name, short].into_iter().any(|name| match pattern.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => name == pattern || name.strip_suffix(":latest") == Some(pattern),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_found_by_what_people_write() {
        let agnhost = "registry.k8s.io/e2e-test-images/agnhost:2.60";
        assert!(matches(agnhost, agnhost) && matches("registry.k8s.io/e2e*", agnhost));
        assert!(matches("nginx", "docker.io/library/nginx:latest"));
        assert!(!matches("registry.k8s.io/e2e-test-images/agnhost:2.6", agnhost));
    }

    #[test]
    fn registries_are_the_hosts_of_references() {
        assert_eq!(registry_of("registry.k8s.io/e2e-test-images/agnhost:2.60"), "registry.k8s.io");
        assert_eq!(registry_of("localhost:5000/app"), "localhost");
        assert_eq!(registry_of("nginx:1"), "registry-1.docker.io");
        assert_eq!(registry_of("bitnami/nginx"), "registry-1.docker.io");
    }
}
