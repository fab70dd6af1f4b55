//! One harness at a time: whoever runs trials in a cluster holds a Lease in the first of its
//! marked namespaces. One that is not renewed any more belongs to nobody, by whichever clock.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use camino::Utf8Path;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::api::{Api, DeleteParams, ObjectMeta, PostParams, Preconditions};
use kubesim_model::Text;
use tokio::task::JoinHandle;

use super::connection::{Connection, KubeconfigError};
use crate::cluster::real::Runtime;

/// Its name.
const NAME: &str = "shakedown";

/// How long one counts that is not renewed, and how often it is looked at.
const DURATION: Duration = Duration::from_secs(15);
const LOOK: Duration = Duration::from_secs(1);

/// How often it is renewed.
const RENEW: Duration = Duration::from_secs(3);

/// A cluster that is held as long as this is there.
pub(super) struct Held {
    hold: Hold,
    trouble: Arc<Mutex<Option<KubeconfigError>>>,
    renews: JoinHandle<()>,
    runtime: Runtime,
}

impl Held {
    /// Holds a marked cluster, once nobody else does.
    ///
    /// # Errors
    /// Somebody else does, or it is not reached or marked.
    pub(super) fn take(file: &Utf8Path, context: Option<&str>) -> Result<Held, KubeconfigError> {
        let runtime = Runtime::new();
        let runtime = runtime.map_err(|error| KubeconfigError::Argument(error.to_string()))?;
        let hold = runtime.block_on(async {
            let connection = Connection::new(file, context).await?;
            let marker = connection.marker().await?;
            let namespace = marker.namespaces.first().cloned().unwrap_or_default();
            Hold::take(connection, namespace).await
        })?;
        let trouble = Arc::new(Mutex::new(None));
        let renews = runtime.handle().spawn(hold.clone().keep(trouble.clone()));
        Ok(Held { hold, trouble, renews, runtime })
    }

    /// Whether somebody else has taken it.
    pub(super) fn trouble(&self) -> Option<KubeconfigError> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.renews.abort();
        self.runtime.block_on(async {
            // It ends because it is told to.
            let _ = (&mut self.renews).await;
            self.hold.release().await;
        });
    }
}

/// Who holds it, and where.
#[derive(Clone)]
struct Hold {
    connection: Connection,
    namespace: Text,
    holder: String,
}

impl Hold {
    /// Takes it, once nobody else has it.
    async fn take(connection: Connection, namespace: Text) -> Result<Hold, KubeconfigError> {
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        let since = jiff::Timestamp::now().as_millisecond();
        let holder = format!("process {} on {}, since {since}", std::process::id(), host.trim());
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

    /// Renews it until somebody else has it. While the server is silent nobody can take it.
    async fn keep(self, trouble: Arc<Mutex<Option<KubeconfigError>>>) {
        loop {
            tokio::time::sleep(RENEW).await;
            if let Err(error @ KubeconfigError::InUse(_)) = self.renew().await {
                *trouble.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                return;
            }
        }
    }

    /// Says that it is still held.
    async fn renew(&self) -> Result<(), KubeconfigError> {
        let lease = self.read().await?;
        match lease.as_ref().and_then(|lease| self.other(lease)) {
            Some(other) => Err(KubeconfigError::InUse(other)),
            None => self.write(lease).await,
        }
    }

    /// Gives it back. One that can't be belongs to nobody soon.
    async fn release(&self) {
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
