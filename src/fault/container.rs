//! What the faults of containers share: which pods and containers they act on, now or from now on.

use kubesim_model::Text;
use kubesim_model::resource::Resource;

use super::definition::{Injection, Missed, Scene};
use super::evidence;
use super::target::{Field, PodTarget};
use crate::cluster::{Behaviour, ContainerSelector, Lever};
use crate::history::{ContainerFact, View};
use crate::suite::select::Select;
use crate::suite::{Param, ParamKind};

/// Which pods, and which of their containers.
pub(super) const SELECT: Param = Param::new(
    "select",
    ParamKind::Select,
    "Which pods; `container` names the container, else it is the first.",
);

/// Which containers by image, instead of pods.
pub(super) const IMAGE: Param = Param::new(
    "image",
    ParamKind::Text,
    "Containers of this image, also those that start later, instead of pods; `*` at its end \
     stands for any text.",
);

/// The containers that a fault acts on.
#[derive(Clone, Debug)]
pub(super) struct Chosen {
    /// What to hand to levers.
    pub(super) selectors: Vec<ContainerSelector>,
    /// The pods; none if an image says which.
    pub(super) pods: Vec<Text>,
    targets: Vec<Text>,
}

impl Chosen {
    /// The containers of the pods that the fault selects.
    pub(super) fn pods(scene: &mut Scene<'_>) -> Result<Chosen, Missed> {
        let select = scene.args.select("select").cloned().unwrap_or_default();
        let field = Field { view: scene.view, subject: scene.subject };
        let pods = field.pods(&select, scene.draws);
        Chosen::of(&pods, &select, "no pod matches the selector")
    }

    /// The same of those that run: a process that is not there can't be killed or stopped.
    pub(super) fn running(scene: &mut Scene<'_>) -> Result<Chosen, Missed> {
        let select = scene.args.select("select").cloned().unwrap_or_default();
        let field = Field { view: scene.view, subject: scene.subject };
        let pods = field.running_pods(&select, scene.draws);
        Chosen::of(&pods, &select, "no pod that matches the selector runs the container")
    }

    fn of(pods: &[PodTarget], select: &Select, none: &str) -> Result<Chosen, Missed> {
        let named = select.container.as_ref();
        let chosen: Vec<(&PodTarget, Text)> =
            pods.iter().filter_map(|pod| Some((pod, pod.chosen(named)?))).collect();
        if chosen.is_empty() {
            return Err(Missed::NothingThere(none.to_owned()));
        }
        let target = |(pod, container): &(&PodTarget, Text)| {
            Text::from(format!("pod {} container {container}", pod.key))
        };
        Ok(Chosen {
            selectors: chosen.iter().map(|(pod, container)| selector(pod, container)).collect(),
            pods: chosen.iter().map(|(pod, _)| pod.uid.clone()).collect(),
            targets: chosen.iter().map(target).collect(),
        })
    }

    /// The containers of the image that the fault names, else those of the pods that it selects.
    pub(super) fn pods_or_image(scene: &mut Scene<'_>) -> Result<Chosen, Missed> {
        let Some(image) = scene.args.text("image") else { return Chosen::pods(scene) };
        if scene.args.select("select").is_some() {
            return Err(Missed::Senseless("`select` and `image` exclude each other".to_owned()));
        }
        let targets = vec![Text::from(format!("image {image}"))];
        let selectors = vec![ContainerSelector { image: image.clone(), ..Default::default() }];
        Ok(Chosen { selectors, pods: Vec::new(), targets })
    }

    /// Whether this container is among them.
    pub(super) fn has(&self, container: &ContainerFact) -> bool {
        self.selectors.iter().any(|selector| {
            let is =
                |wanted: &str, have: &str| wanted.is_empty() || evidence::matches(wanted, have);
            is(&selector.namespace, &container.pod.namespace)
                && is(&selector.pod, &container.pod.name)
                && is(&selector.container, &container.name)
                && is(&selector.image, &container.image)
        })
    }

    /// An injection that acts on them, without levers yet.
    pub(super) fn injection(&self) -> Injection {
        let mut injection = Injection::on(self.targets.clone());
        injection.pods = self.pods.clone();
        injection
    }

    /// An injection by which they behave so from now on.
    pub(super) fn behaving(&self, rule: &Text, behaviour: &Behaviour) -> Injection {
        let mut injection = self.injection();
        for container in &self.selectors {
            let (rule, container) = (rule.clone(), container.clone());
            injection.levers.push(Lever::Behave { rule, container, behaviour: behaviour.clone() });
        }
        injection.heal.push(Lever::Forget { rule: rule.clone() });
        injection
    }
}

fn selector(pod: &PodTarget, container: &Text) -> ContainerSelector {
    ContainerSelector {
        namespace: pod.key.namespace.clone(),
        pod: pod.key.name.clone(),
        container: container.clone(),
        ..Default::default()
    }
}

/// Whether the container runs and its pod's status says that it is not ready.
pub(super) fn is_unready(view: &View, container: &ContainerFact) -> bool {
    view.hosts.container(&container.container_id).is_some() && says_unready(view, container)
}

/// Whether the status of its pod says that the container is not ready.
pub(super) fn says_unready(view: &View, container: &ContainerFact) -> bool {
    let pod = view.objects.get(&Resource::PODS, &container.pod);
    pod.is_some_and(|pod| {
        let mut statuses = pod["status"]["containerStatuses"].items().iter();
        statuses
            .any(|status| status["name"] == container.name.as_str() && !status["ready"].is_true())
    })
}
