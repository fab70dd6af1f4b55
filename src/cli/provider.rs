//! From what the command line says of a provider to the provider.

use super::args::{ProviderArgs, Timings};
use super::exit_code::Exit;
use super::terminal::Terminal;
use crate::cluster::{Kind, KindOptions, Local, Provider, Sim};

/// The provider of this name.
pub(super) fn provider(name: &str, args: &ProviderArgs) -> Result<Box<dyn Provider>, Exit> {
    if args.timings == Timings::Short && name != "kind" {
        Terminal.error(format!("`{name}` has no short timings"), "`kind` has");
        return Err(Exit::Usage);
    }
    match name {
        "sim" => Ok(Box::new(Sim)),
        "local" => match Local::new(args.k8s_bin.as_deref()) {
            Ok(local) => Ok(Box::new(local)),
            Err(error) => {
                let help = "name the folder of etcd, kube-apiserver, kube-controller-manager and \
                            kube-scheduler with --k8s-bin or SHAKEDOWN_K8S_BIN";
                Terminal.error(error, help);
                Err(Exit::Environment)
            }
        },
        "kind" => {
            let (node_image, images) = (args.node_image.clone(), args.images.clone());
            let (keep, short_timings) = (args.keep, args.timings == Timings::Short);
            match Kind::new(KindOptions { node_image, images, keep, short_timings }) {
                Ok(kind) => Ok(Box::new(kind)),
                Err(error) => {
                    Terminal.error(error, "`sim` needs nothing");
                    Err(Exit::Environment)
                }
            }
        }
        _ => {
            let help = "this version has `sim`, `local` and `kind`";
            Terminal.error(format!("there is no provider `{name}`"), help);
            Err(Exit::Usage)
        }
    }
}
