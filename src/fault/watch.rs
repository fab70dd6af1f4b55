//! What the faults of watches share: which watches, and how to tell what came late.

use std::collections::BTreeMap;

use kubesim_model::resource::Resource;
use kubesim_model::{Millis, Text};

use super::definition::Moment;
use crate::history::{Body, Delivery};
use crate::suite::{Param, ParamKind};

/// Which watches, by resource.
pub(super) const RESOURCE: Param = Param::new(
    "resource",
    ParamKind::Text,
    "Only the watch of this resource, as in `pods`; all watches of the actor by default.",
);

/// When which version of the meant resource was written, since the fault was injected.
#[derive(Default)]
pub(super) struct Writes(BTreeMap<u64, Millis>);

impl Writes {
    /// Takes in what was just observed.
    pub(super) fn take(&mut self, moment: &Moment<'_>, only: Option<&Resource>) {
        let Some(Body::Request(request)) = moment.event.map(|event| &event.body) else { return };
        let meant = |resource: &Resource| only.is_none_or(|only| only == resource);
        for change in request.changes.iter().filter(|change| meant(&change.resource)) {
            self.0.insert(change.rv, moment.now);
        }
    }

    /// When this version was written, if it was written since.
    pub(super) fn at(&self, rv: u64) -> Option<Millis> {
        self.0.get(&rv).copied()
    }

    /// When the first one was.
    pub(super) fn first(&self) -> Option<Millis> {
        self.0.values().next().copied()
    }
}

/// What a watch just told one of these actors.
pub(super) fn told<'a>(
    moment: &Moment<'a>,
    actors: &[Text],
    only: Option<&Resource>,
) -> Option<&'a Delivery> {
    heard(moment, actors, only).filter(|told| !told.answer)
}

/// All that there is, which one of these actors was just told, whether it asked for it or not:
/// clients list before they watch again.
pub(super) fn listed<'a>(
    moment: &Moment<'a>,
    actors: &[Text],
    only: Option<&Resource>,
) -> Option<&'a Delivery> {
    heard(moment, actors, only).filter(|told| told.key.name.is_empty())
}

fn heard<'a>(
    moment: &Moment<'a>,
    actors: &[Text],
    only: Option<&Resource>,
) -> Option<&'a Delivery> {
    let Body::Deliver(told) = &moment.event?.body else { return None };
    let is_meant = only.is_none_or(|only| *only == told.resource);
    (is_meant && actors.contains(&told.actor)).then_some(told)
}
