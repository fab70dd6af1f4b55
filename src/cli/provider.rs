//! From what the command line says of a provider to the provider.

use std::collections::{BTreeMap, BTreeSet};

use kubesim_model::Text;

use super::args::{ProviderArgs, Timings};
use super::cleanup::told;
use super::exit_code::Exit;
use super::terminal::Terminal;
use crate::cluster::{
    Kind, KindOptions, Kubeconfig, KubeconfigOptions, Local, Provider, Served, Sim, Simulation,
    heal_left_behind,
};
use crate::plan::Trial;

/// Where trials run; `named` is what the command line says.
pub(super) fn chosen(named: Option<&str>, args: &ProviderArgs) -> Result<Box<dyn Provider>, Exit> {
    match named {
        None if args.timings == Timings::Standard => Ok(Box::new(Simulation)),
        named => provider(named.unwrap_or("sim"), args),
    }
}

/// The provider of this name.
pub(super) fn provider(name: &str, args: &ProviderArgs) -> Result<Box<dyn Provider>, Exit> {
    if args.timings == Timings::Short && name != "kind" {
        Terminal.error(format!("`{name}` has no short timings"), "`kind` has");
        return Err(Exit::Usage);
    }
    match name {
        "sim" => Ok(Box::new(Sim)),
        "served" => Ok(Box::new(Served)),
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
            heal("kind");
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
        "kubeconfig" => kubeconfig(args),
        _ => {
            let help = "this version has `sim`, `served`, `local`, `kind` and `kubeconfig`";
            Terminal.error(format!("there is no provider `{name}`"), help);
            Err(Exit::Usage)
        }
    }
}

/// Says which checks of these trials will stay undecided, before time is spent on them.
pub(super) fn note_undecidable(trials: &[Trial], provider: &dyn Provider) {
    let mut checks: BTreeMap<&str, BTreeSet<Text>> = BTreeMap::new();
    let able = trials.iter().map(|trial| (trial, trial.runs_on(provider)));
    let able = able.filter(|(trial, provider)| trial.skipped(*provider).is_none());
    for (check, lack) in able.flat_map(|(trial, provider)| trial.undecidable(provider)) {
        checks.entry(lack).or_default().insert(check);
    }
    for (lack, checks) in checks {
        let checks: Vec<&str> = checks.iter().map(Text::as_str).collect();
        let (name, checks) = (provider.name(), checks.join(", "));
        Terminal.note(&format!("`{name}` does not record {lack}: {checks} will be unknown"));
    }
}

/// Heals what a run with this provider has left broken that was killed.
fn heal(provider: &str) {
    told(&heal_left_behind(Some(provider)), |line| Terminal.note(line));
}

/// A cluster that lives on, healed first of what a run that was killed has left broken.
fn kubeconfig(args: &ProviderArgs) -> Result<Box<dyn Provider>, Exit> {
    let Some(kubeconfig) = args.kubeconfig.clone() else {
        let help = "say --kubeconfig FILE; --context NAME takes another than its current context";
        Terminal.error("the provider `kubeconfig` has no --kubeconfig", help);
        return Err(Exit::Usage);
    };
    let options = KubeconfigOptions {
        kubeconfig,
        context: args.context.clone(),
        is_owned: args.i_own_this_cluster,
        audit_log: args.audit_log.clone(),
        node_access: args.node_access.clone(),
    };
    if args.i_own_this_cluster {
        heal("kubeconfig");
    }
    match Kubeconfig::new(options) {
        Ok(cluster) => Ok(Box::new(cluster)),
        Err(error) => {
            let exit = if error.is_of_the_user() { Exit::Usage } else { Exit::Environment };
            Terminal.error(&error, error.help());
            Err(exit)
        }
    }
}
