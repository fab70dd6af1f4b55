//! Who takes part in a served cluster, by the names that histories give them: to the world, whoever
//! comes from outside is a user with a user agent.

use std::collections::{BTreeMap, BTreeSet};

use kubesim_model::Text;

use crate::cluster::real::name_of;
use crate::history::ActorEvent;

/// Everybody who was heard of.
#[derive(Default)]
pub(super) struct Cast {
    /// The users of the programs under test, and what these are called.
    users: BTreeMap<Text, Text>,
    /// Who comes from outside, by his name in the world.
    outsiders: BTreeMap<Text, Outsider>,
    introduced: BTreeSet<Text>,
}

/// Somebody from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Outsider {
    /// What histories call him.
    pub(super) name: Text,
    /// Whether he is a program under test, of which the proxy and its process tell the rest.
    pub(super) is_program: bool,
}

impl Cast {
    /// Whoever has this user is this program.
    pub(super) fn name(&mut self, user: Text, name: Text) {
        self.users.insert(user, name);
    }

    /// Somebody has come, or went; who he is if he is from outside. Answers nobody who was
    /// introduced before.
    pub(super) fn meet(&mut self, event: &ActorEvent) -> Option<Outsider> {
        if event.actor != world_name(&event.user, &event.user_agent) {
            self.introduced.insert(event.actor.clone());
            return None;
        }
        let program = self.users.get(&event.user).cloned();
        let is_program = program.is_some();
        let name = program.unwrap_or_else(|| name_of(&event.user, &event.user_agent));
        let outsider = Outsider { name, is_program };
        self.outsiders.insert(event.actor.clone(), outsider.clone());
        Some(outsider)
    }

    /// Whether nobody of this name was introduced before; he is now.
    pub(super) fn is_new(&mut self, name: &Text) -> bool {
        self.introduced.insert(name.clone())
    }

    /// Who this is, if he is from outside.
    pub(super) fn outsider(&self, actor: &str) -> Option<&Outsider> {
        self.outsiders.get(actor)
    }
}

/// What a served world calls a user's program.
fn world_name(user: &str, user_agent: &str) -> Text {
    Text::from(format!("{user} ({user_agent})"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::ActorPhase;

    fn comes(cast: &mut Cast, actor: &str, user: &str, user_agent: &str) -> Option<Outsider> {
        let (actor, user, user_agent) = (actor.into(), user.into(), user_agent.into());
        let (node, incarnation, phase) = (Text::default(), 1, ActorPhase::Started);
        cast.meet(&ActorEvent { actor, user, user_agent, node, incarnation, phase })
    }

    #[test]
    fn programs_and_people_from_outside_have_the_names_that_they_have_elsewhere() {
        let mut cast = Cast::default();
        cast.name("system:serviceaccount:s:mine".into(), "mine".into());
        assert_eq!(comes(&mut cast, "kubectl", "kubernetes-admin", "kubectl/v1.36"), None);
        let person =
            comes(&mut cast, "kubernetes-admin (kubectl/v1)", "kubernetes-admin", "kubectl/v1");
        assert_eq!(person, Some(Outsider { name: "kubectl".into(), is_program: false }));
        assert!(!cast.is_new(&"kubectl".into()) && cast.is_new(&"curl".into()));
        let user = "system:serviceaccount:s:mine";
        let program = comes(&mut cast, &format!("{user} (go)"), user, "go");
        assert!(program.is_some_and(|program| program.is_program && program.name == "mine"));
        assert!(cast.outsider("system:serviceaccount:s:mine (go)").is_some());
        assert!(cast.outsider("deployment-controller").is_none());
    }
}
