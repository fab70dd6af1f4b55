//! What every namespace holds for the programs in it: the service account `default`, and the
//! certificate by which they know the API server (kube-controller-manager v1.36,
//! `pkg/controller/serviceaccount` and `pkg/controller/certificates/rootcacertpublisher`).

mod reconcile;
#[cfg(test)]
mod tests;

pub use reconcile::{root_certificate, service_account};
