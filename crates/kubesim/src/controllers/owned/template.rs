//! Pods from pod templates, and the hash that names a template.

use kubesim_model::object;
use kubesim_model::tree::Tree;
use kubesim_model::{Text, list, map};

/// The pod that a template makes for `owner` (`GetPodFromTemplate`, kube-controller-manager v1.36):
/// its name is generated from the owner's.
pub(in crate::controllers) fn pod_of(owner: &Tree, template: &Tree) -> Tree {
    let mut metadata = map! {
        "generateName" => format!("{}-", object::name(owner)),
        "namespace" => object::namespace(owner),
        "ownerReferences" => list![object::controller_reference(owner)],
    };
    for field in ["labels", "annotations", "finalizers"] {
        let value = &template["metadata"][field];
        if !value.is_null() {
            metadata.set(&[field], value);
        }
    }
    let spec = &template["spec"];
    map! { "apiVersion" => "v1", "kind" => "Pod", "metadata" => metadata, "spec" => spec }
}

/// A short name for the content of a template. Upstream hashes a dump of Go structs, which nobody
/// else can reproduce: this is our own hash, the same everywhere and always, in the same letters.
pub(in crate::controllers) fn hash_of(template: &Tree, collisions: i64) -> Text {
    const LETTERS: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
    let mut content = template.clone();
    if collisions > 0 {
        content = map! { "template" => template, "collisions" => collisions };
    }
    let digest = content.digest();
    let folded = (digest ^ (digest >> 32)) as u32;
    let letter = |digit: u8| char::from(LETTERS[usize::from(digit) % LETTERS.len()]);
    Text::from_iter(folded.to_string().bytes().map(letter))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_depends_on_the_template_and_on_the_collisions() {
        let template = map! { "spec" => map! { "containers" => list![] } };
        assert_eq!(hash_of(&template, 0), hash_of(&template.clone(), 0));
        assert_ne!(hash_of(&template, 0), hash_of(&template, 1));
        assert_ne!(hash_of(&template, 1), hash_of(&template, 2));
        assert_ne!(hash_of(&template, 0), hash_of(&map! {}, 0));
    }
}
