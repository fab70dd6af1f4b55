//! From the name of a provider to the provider.

use camino::Utf8Path;

use super::exit_code::Exit;
use super::terminal::Terminal;
use crate::cluster::{Local, Provider, Sim};

/// The provider of this name. `programs` is the folder of a control plane's programs.
pub(super) fn provider(name: &str, programs: Option<&Utf8Path>) -> Result<Box<dyn Provider>, Exit> {
    match name {
        "sim" => Ok(Box::new(Sim)),
        "local" => match Local::new(programs) {
            Ok(local) => Ok(Box::new(local)),
            Err(error) => {
                let help = "name the folder of etcd, kube-apiserver, kube-controller-manager and \
                            kube-scheduler with --k8s-bin or SHAKEDOWN_K8S_BIN";
                Terminal.error(error, help);
                Err(Exit::Environment)
            }
        },
        _ => {
            let help = "this version has `sim` and `local`";
            Terminal.error(format!("there is no provider `{name}`"), help);
            Err(Exit::Usage)
        }
    }
}
