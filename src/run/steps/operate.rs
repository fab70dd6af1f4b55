//! Operations of the subject's workload: read it, make the patches of the subject's file, send
//! them.

use kubesim_model::request::Request;
use kubesim_model::resource::ObjectKey;
use kubesim_model::tree::Tree;

use super::requests::Requests;
use crate::run::call::Call;
use crate::run::objects::objects_for;
use crate::run::stage::{NAMESPACE, Progress, Stage, Task};
use crate::subject::{operation, workload_resource};
use crate::suite::steps::Operate;

/// An operation under way.
pub(super) struct Operating {
    operate: Operate,
    read: Option<Call>,
    write: Option<Requests>,
}

impl Operating {
    pub(super) fn new(operate: &Operate) -> Self {
        Operating { operate: operate.clone(), read: None, write: None }
    }

    fn patches(&self, workload: &Tree, stage: &Stage<'_>) -> Result<Requests, String> {
        let name = &self.operate.operation;
        let known = stage.subject.operations.get(&name.value);
        let templates = known.iter().flat_map(|operation| &operation.patches);
        let programs = templates.flat_map(|patch| patch.patch.programs());
        let objects = objects_for(stage.journal.view(), programs);
        operation(stage.subject, name, &self.operate.args, workload, &objects)
            .map(Requests::new)
            .map_err(|error| error.to_string())
    }
}

impl Task for Operating {
    fn poll(&mut self, stage: &mut Stage<'_>) -> Progress {
        if let Some(write) = &mut self.write {
            return write.poll(stage);
        }
        let read = self.read.get_or_insert_with(|| {
            let key = ObjectKey::new(NAMESPACE, self.operate.workload.value.clone());
            Call::new(Request::get(workload_resource(stage.subject), key))
        });
        let workload = match read.poll(stage) {
            Err(wake) => return Progress::Pending(wake),
            Ok(Ok(workload)) => workload,
            Ok(Err(status)) => return Progress::Done(Err(status.to_string())),
        };
        match self.patches(&workload, stage) {
            Ok(write) => self.write.insert(write).poll(stage),
            Err(error) => Progress::Done(Err(error)),
        }
    }
}
