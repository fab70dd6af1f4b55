//! Admission plugin ServiceAccount (v1.36, `plugin/pkg/admission/serviceaccount`): pods run as an
//! account that is there, with its token mounted into each container. Only where clusters have
//! accounts: [`ApiConfig::service_accounts`](super::ApiConfig).

use kubesim_model::request::Status;
use kubesim_model::resource::{ObjectKey, Resource};
use kubesim_model::tree::Tree;
use kubesim_model::{Text, list, map, object};

use super::errors;
use super::router::Call;
use super::server::Api;

/// Where containers find their token.
const MOUNTED_AT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";
/// How the names of volumes with tokens begin.
const VOLUME: &str = "kube-api-access-";
/// How long tokens in pods last, in seconds.
const LASTS: i64 = 3607;

impl Api {
    /// Admits a new pod, of which the account is named.
    pub(super) fn admit_account(&mut self, call: &Call<'_>, pod: &mut Tree) -> Result<(), Status> {
        if *call.resource() != Resource::PODS {
            return Ok(());
        }
        let namespace = call.request.key.namespace.clone();
        let name = pod["spec"]["serviceAccountName"].text();
        let key = ObjectKey::new(namespace.clone(), name.clone());
        let Some(account) = self.store.get(&Resource::SERVICE_ACCOUNTS, &key).cloned() else {
            let why = format!(
                "error looking up service account {namespace}/{name}: serviceaccount \"{name}\" \
                 not found"
            );
            return Err(errors::forbidden(call.resource(), object::name(pod), why));
        };
        if pod["spec"]["imagePullSecrets"].items().is_empty()
            && !account["imagePullSecrets"].items().is_empty()
        {
            pod.set(&["spec", "imagePullSecrets"], &account["imagePullSecrets"]);
        }
        let wish = [&pod["spec"], &account]
            .into_iter()
            .find_map(|from| from["automountServiceAccountToken"].as_bool());
        if wish.unwrap_or(true) {
            self.mount_token(pod);
        }
        Ok(())
    }

    fn mount_token(&mut self, pod: &mut Tree) {
        let mut volumes = pod["spec"]["volumes"].items().iter();
        let have = volumes.find(|volume| volume["name"].str().starts_with(VOLUME));
        let have = have.map(|volume| volume["name"].text());
        let name = have.clone().unwrap_or_else(|| self.new_name(VOLUME));
        let mut mounted = false;
        for list in ["containers", "initContainers"] {
            if pod["spec"][list].items().is_empty() {
                continue;
            }
            for container in pod.at_mut(&["spec", list]).items_mut() {
                let mut mounts = container["volumeMounts"].items().iter();
                if mounts.any(|mount| mount["mountPath"] == MOUNTED_AT) {
                    continue;
                }
                let mount = map! { "name" => &name, "readOnly" => true, "mountPath" => MOUNTED_AT };
                container.field_mut("volumeMounts").items_mut().push(mount);
                mounted = true;
            }
        }
        if mounted && have.is_none() {
            pod.at_mut(&["spec", "volumes"]).items_mut().push(volume(&name));
        }
    }
}

/// The volume with the token, the certificate of the API server, and the namespace.
fn volume(name: &Text) -> Tree {
    let token = map! { "expirationSeconds" => LASTS, "path" => "token" };
    let certificate = map! {
        "name" => "kube-root-ca.crt", "items" => list![map! { "key" => "ca.crt", "path" => "ca.crt" }],
    };
    let namespace = map! {
        "path" => "namespace",
        "fieldRef" => map! { "apiVersion" => "v1", "fieldPath" => "metadata.namespace" },
    };
    let sources = list![
        map! { "serviceAccountToken" => token },
        map! { "configMap" => certificate },
        map! { "downwardAPI" => map! { "items" => list![namespace] } },
    ];
    map! { "name" => name, "projected" => map! { "defaultMode" => 420, "sources" => sources } }
}
