//! What the faults of images share: which image, and the rule that they set.

use kubesim_model::Text;

use super::definition::{Injection, Scene};
use crate::cluster::Lever;
use crate::suite::{Param, ParamKind};

/// Which image.
pub(super) const IMAGE: Param = Param::new(
    "image",
    ParamKind::Text,
    "The image reference; `*` at its end stands for any text.",
)
.required();

/// The image that the fault names, and an injection that sets a rule for it.
pub(super) fn ruled(scene: &Scene<'_>, missing: bool, slower_by: u64) -> (Text, Injection) {
    let image = scene.args.text("image").cloned().unwrap_or_default();
    let rule = scene.id.clone();
    let mut injection = Injection::on(vec![Text::from(format!("image {image}"))]);
    injection.heal.push(Lever::Forget { rule: rule.clone() });
    injection.levers.push(Lever::ImageRule { rule, image: image.clone(), missing, slower_by });
    (image, injection)
}
