//! What happened at the proxy, until its place among what the world did is known.
//!
//! Both tell in order, each by itself. A request that passed the proxy is one that the world
//! carried out later, and bears the same name there; so what was told to a program before it sent a
//! request comes before that request. What a program was told of, the world did before.

use std::collections::{BTreeMap, VecDeque};

use kubesim_model::Text;

use crate::cluster::real::{Happened, Mark, Who};

/// How many requests are known by name that the world has not told of: of those about leases it
/// never does.
const MARKED: usize = 10_000;

/// What is not told yet.
#[derive(Default)]
pub(super) struct Heard {
    waiting: VecDeque<Happened>,
    /// What is known of the requests that passed, by their names, which rise.
    marks: BTreeMap<Text, Mark>,
}

impl Heard {
    /// The proxy told of this.
    pub(super) fn take_in(&mut self, happened: Vec<Happened>) {
        self.waiting.extend(happened);
    }

    /// How much waits.
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// The world tells of the request of this name: takes out what happened at the proxy before it
    /// passed. Answers this, and what is known of the request if it passed.
    pub(super) fn until(&mut self, id: &str) -> (Vec<Happened>, Option<Mark>) {
        let is_it =
            |happened: &Happened| matches!(happened, Happened::Passed { id: one, .. } if one == id);
        let before = match self.waiting.iter().position(is_it) {
            Some(at) => self.first(at + 1),
            None => Vec::new(),
        };
        (before, self.marks.remove(id))
    }

    /// Takes out the first `number` of what waits.
    pub(super) fn first(&mut self, number: usize) -> Vec<Happened> {
        let mut others = Vec::new();
        for happened in self.waiting.drain(..number.min(self.waiting.len())) {
            let Happened::Passed { id, who, injected } = happened else {
                others.push(happened);
                continue;
            };
            let incarnation = match who {
                Who::Actor(_, number) => Some(number),
                Who::Member(..) | Who::Component(..) => None,
            };
            self.marks.insert(id, Mark { incarnation, injected });
            if self.marks.len() > MARKED {
                self.marks.pop_first();
            }
        }
        others
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kubesim_model::resource::{ObjectKey, Resource};

    fn passed(id: &str, number: u32) -> Happened {
        let (id, who) = (Text::new(id), Who::Actor("mine".into(), number));
        Happened::Passed { id, who, injected: number == 2 }
    }

    fn told(rv: u64) -> Happened {
        let (who, resource) = (Who::Actor("mine".into(), 1), Resource::PODS);
        let key = ObjectKey::new("default", "a");
        Happened::Told { who, resource, key, rv, answer: false, at: 0 }
    }

    fn versions(happened: Vec<Happened>) -> Vec<u64> {
        let versions = happened.into_iter().filter_map(|one| match one {
            Happened::Told { rv, .. } => Some(rv),
            _ => None,
        });
        versions.collect()
    }

    #[test]
    fn what_was_told_before_a_request_comes_before_it() {
        let mut heard = Heard::default();
        heard.take_in(vec![told(1), passed("a", 1), told(2), passed("b", 2), told(3)]);
        // They may be carried out in another order than they passed.
        let (before, mark) = heard.until("b");
        assert_eq!(versions(before), [1, 2]);
        assert!(mark.is_some_and(|mark| mark.injected && mark.incarnation == Some(2)));
        let (before, mark) = heard.until("a");
        assert!(before.is_empty() && mark.is_some_and(|mark| !mark.injected));
        let (before, mark) = heard.until("from elsewhere");
        assert!(before.is_empty() && mark.is_none());
        assert_eq!(versions(heard.first(9)), [3]);
        assert_eq!(heard.len(), 0);
    }
}
