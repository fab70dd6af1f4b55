//! One harness at a time: whoever runs a trial in a cluster holds a Lease in the first of its
//! marked namespaces. One that is not renewed any more belongs to nobody, by whichever clock.

use std::time::Duration;

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::api::{Api, DeleteParams, ObjectMeta, PostParams, Preconditions};
use kubesim_model::Text;

use super::connection::{Connection, KubeconfigError};

/// Its name.
const NAME: &str = "shakedown";

/// How long one counts that is not renewed, and how often it is looked at.
const DURATION: Duration = Duration::from_secs(15);
const LOOK: Duration = Duration::from_secs(1);

/// The right to run a trial.
#[derive(Clone)]
pub(super) struct Hold {
    connection: Connection,
    namespace: Text,
    holder: String,
}

impl Hold {
    /// Takes it, once nobody else has it.
    pub(super) async fn take(
        connection: Connection,
        namespace: Text,
        holder: String,
    ) -> Result<Hold, KubeconfigError> {
        let hold = Hold { connection, namespace, holder };
        let (mut seen, mut waited) = (None, Duration::ZERO);
        loop {
            let lease = hold.read().await?;
            let Some(other) = lease.as_ref().and_then(|lease| hold.other(lease)) else {
                hold.write(lease).await?;
                return Ok(hold);
            };
            let spec = lease.as_ref().and_then(|lease| lease.spec.clone());
            if seen.is_some() && seen != spec {
                return Err(KubeconfigError::InUse(other));
            }
            if waited >= DURATION {
                hold.write(lease).await?;
                return Ok(hold);
            }
            seen = spec;
            tokio::time::sleep(LOOK).await;
            waited += LOOK;
        }
    }

    /// Says that it is still held.
    pub(super) async fn renew(&self) -> Result<(), KubeconfigError> {
        let lease = self.read().await?;
        match lease.as_ref().and_then(|lease| self.other(lease)) {
            Some(other) => Err(KubeconfigError::InUse(other)),
            None => self.write(lease).await,
        }
    }

    /// Gives it back. One that can't be belongs to nobody soon.
    pub(super) async fn release(&self) {
        if let Ok(Some(lease)) = self.read().await
            && self.other(&lease).is_none()
        {
            let preconditions = Preconditions { uid: lease.metadata.uid, resource_version: None };
            let only_it = DeleteParams::default().preconditions(preconditions);
            let _ = self.leases().delete(NAME, &only_it).await;
        }
    }

    fn leases(&self) -> Api<Lease> {
        Api::namespaced(self.connection.client(), &self.namespace)
    }

    async fn read(&self) -> Result<Option<Lease>, KubeconfigError> {
        let lease = self.leases().get_opt(NAME).await;
        lease.map_err(|error| self.connection.failed(&error))
    }

    /// Who else holds it.
    fn other(&self, lease: &Lease) -> Option<String> {
        let holder = lease.spec.as_ref()?.holder_identity.clone()?;
        (!holder.is_empty() && holder != self.holder).then_some(holder)
    }

    /// Writes that it is held now, if it is still what was read.
    async fn write(&self, read: Option<Lease>) -> Result<(), KubeconfigError> {
        let api = self.leases();
        let metadata = ObjectMeta { name: Some(NAME.to_owned()), ..ObjectMeta::default() };
        let is_new = read.is_none();
        let mut lease = read.unwrap_or(Lease { metadata, spec: None });
        lease.spec = Some(LeaseSpec {
            holder_identity: Some(self.holder.clone()),
            lease_duration_seconds: i32::try_from(DURATION.as_secs()).ok(),
            renew_time: Some(MicroTime(k8s_openapi::jiff::Timestamp::now())),
            ..LeaseSpec::default()
        });
        let written = match is_new {
            true => api.create(&PostParams::default(), &lease).await,
            false => api.replace(NAME, &PostParams::default(), &lease).await,
        };
        match written {
            Ok(_) => Ok(()),
            Err(kube::Error::Api(status)) if status.code == 409 => {
                Err(KubeconfigError::InUse("somebody who was faster".to_owned()))
            }
            Err(error) => Err(self.connection.failed(&error)),
        }
    }
}
