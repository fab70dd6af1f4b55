//! The image store: every image exists and takes a while to pull the first time, unless its name
//! or a rule says otherwise. Pulls run one after another, as the kubelet's default
//! `serializeImagePulls` makes them (v1.36, `pkg/kubelet/images`).

use std::collections::BTreeMap;
use std::fmt::Write;

use kubesim_model::host::{HostCommand, HostEvent, OpId};
use kubesim_model::{Millis, Text};
use sha2::{Digest, Sha256};

use super::fact::{HostFact, HostOut};
use super::machine::{Due, Host};

#[derive(Clone, Default)]
pub(super) struct Images {
    cached: BTreeMap<Text, Text>,
    pulls: BTreeMap<Text, Pull>,
    free_at: Millis,
}

#[derive(Clone)]
struct Pull {
    began: Millis,
    waiting: Vec<Waiter>,
}

/// Who waits for an image, and for what.
#[derive(Clone)]
pub(super) struct Waiter {
    who: u32,
    op: OpId,
    /// The start that waits for the image; without it the pull itself was asked for.
    start: Option<HostCommand>,
}

impl Images {
    /// The digest of an image that is there.
    pub(super) fn digest(&self, image: &str) -> Option<&Text> {
        self.cached.get(image)
    }

    pub(super) fn lose_power(&mut self) {
        self.pulls.clear();
        self.free_at = 0;
    }
}

impl Host {
    pub(super) fn pull(
        &mut self,
        now: Millis,
        who: u32,
        op: OpId,
        (image, policy): (Text, &str),
        out: &mut HostOut,
    ) {
        let cached = self.images.digest(&image).cloned();
        match (policy, cached) {
            ("Never", None) => {
                let message = format!(
                    "Container image \"{image}\" is not present with pull \
                    policy of Never"
                );
                out.tell(who, HostEvent::ImageFailed { op, message: message.into() });
            }
            ("Always", _) | (_, None) => {
                self.pull_for(now, image, Waiter { who, op, start: None });
            }
            (_, Some(image_id)) => out.tell(who, HostEvent::ImageReady { op, image_id, took: 0 }),
        }
    }

    pub(super) fn pull_then_start(
        &mut self,
        now: Millis,
        (who, op, image): (u32, OpId, Text),
        start: HostCommand,
    ) {
        self.pull_for(now, image, Waiter { who, op, start: Some(start) });
    }

    fn pull_for(&mut self, now: Millis, image: Text, waiter: Waiter) {
        if let Some(pull) = self.images.pulls.get_mut(&image) {
            pull.waiting.push(waiter);
            return;
        }
        let (missing, slower) = self.missing(&image);
        let takes = match (missing, self.images.digest(&image)) {
            (true, _) => self.rng.between(200, 800),
            (false, Some(_)) => self.rng.between(100, 300) + slower,
            (false, None) => self.rng.between(1_000, 4_000) + slower,
        };
        let done = self.images.free_at.max(now) + takes;
        self.images.free_at = done;
        self.images.pulls.insert(image.clone(), Pull { began: now, waiting: vec![waiter] });
        self.due(done, Due::Pulled(image));
    }

    fn missing(&self, image: &str) -> (bool, Millis) {
        let (missing, slower) = self.rules.of_image(image);
        let unknown = image.ends_with(":404") || image.contains("non-existent") || image.is_empty();
        (missing || unknown, slower)
    }

    pub(super) fn pulled(&mut self, now: Millis, image: Text, out: &mut HostOut) {
        let Some(pull) = self.images.pulls.remove(&image) else { return };
        if self.missing(&image).0 {
            let message = Text::from(format!(
                "failed to pull and unpack image \"{image}\": failed to resolve reference \
                 \"{image}\": not found"
            ));
            for Waiter { who, op, start } in pull.waiting {
                let message = message.clone();
                out.tell(
                    who,
                    match start {
                        None => HostEvent::ImageFailed { op, message },
                        Some(_) => {
                            HostEvent::StartFailed { op, reason: "ErrImagePull".into(), message }
                        }
                    },
                );
            }
            return;
        }
        let image_id = digest(&image);
        self.images.cached.insert(image.clone(), image_id.clone());
        out.facts.push(HostFact::ImagePulled { image, image_id: image_id.clone() });
        for Waiter { who, op, start } in pull.waiting {
            let took = now - pull.began;
            match start {
                None => {
                    let image_id = image_id.clone();
                    out.tell(who, HostEvent::ImageReady { op, image_id, took });
                }
                Some(start) => self.command(now, who, start, out),
            }
        }
    }
}

/// The digest in the reference, or a stable one of its text.
fn digest(image: &str) -> Text {
    if let Some((_, digest)) = image.split_once('@') {
        return digest.into();
    }
    let mut text = String::from("sha256:");
    for byte in Sha256::digest(image.as_bytes()) {
        let _ = write!(text, "{byte:02x}");
    }
    text.into()
}
