//! Objects as watches show them, which follow the store outside of any request.

use kubesim_model::actor::WatchSpec;
use kubesim_model::request::{Answer, Status};
use kubesim_model::tree::Tree;

use super::converter::Converter;
use crate::api::hooks::{Attempt, Dialog, Outside, Progress, internal};
use crate::api::server::Api;

/// Nothing is drawn for a watch.
const SEED: u64 = 0;

impl Api {
    /// Stored objects in the version of a watch, unless webhooks have to be asked first. Then it is
    /// to be attempted again with what came of that.
    pub fn convert(
        &self,
        spec: &WatchSpec,
        stored: &[Tree],
        attempt: &Attempt,
    ) -> Progress<Result<Vec<Tree>, Status>> {
        let dialog = Dialog::new(SEED, attempt.heard());
        let shown = self.converter(Outside::Caller(&dialog)).all_shown(spec, stored);
        match dialog.into_missing() {
            missing if missing.is_empty() => {
                // To a watch each failure is one of the server's own.
                Progress::Done(shown.map_err(|why| internal(&why.message)))
            }
            missing => Progress::Waits(missing),
        }
    }
}

impl Converter<'_> {
    /// Stored objects in the version of a watch.
    ///
    /// # Errors
    /// As [`Converter::shown`].
    pub(in crate::api) fn all_shown(
        self,
        spec: &WatchSpec,
        stored: &[Tree],
    ) -> Result<Vec<Tree>, Status> {
        let kind = self.api.types.in_version(&spec.resource, &spec.version)?;
        let shown: Vec<Answer> = stored.iter().map(|stored| self.shown(&kind, stored)).collect();
        shown.into_iter().collect()
    }
}
