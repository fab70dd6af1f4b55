//! Conditions that may be false for at most a stated time.

use std::collections::BTreeMap;

use kubesim_model::Millis;

/// What has been wrong since when.
#[derive(Clone, Debug)]
pub(super) struct Overdue<K> {
    within: Millis,
    since: BTreeMap<K, Since>,
}

#[derive(Clone, Debug)]
struct Since {
    t: Millis,
    n: u64,
    within: Millis,
    is_told: bool,
    what: String,
}

/// Something that was wrong for too long.
pub(super) struct Late<K> {
    /// What.
    pub(super) key: K,
    /// What is wrong with it.
    pub(super) what: String,
    /// The event from which on it was wrong.
    pub(super) since_n: u64,
    /// For how long, in milliseconds.
    pub(super) age: Millis,
    /// How long it may be, in milliseconds.
    pub(super) within: Millis,
}

impl<K: Ord + Clone> Overdue<K> {
    /// Nothing is wrong yet.
    pub(super) fn new(within: Millis) -> Self {
        Overdue { within, since: BTreeMap::new() }
    }

    /// Whether nothing is wrong.
    pub(super) fn is_empty(&self) -> bool {
        self.since.is_empty()
    }

    /// What has been wrong for longer than allowed at `now`. Each is told once.
    pub(super) fn late(&mut self, now: Millis) -> Vec<Late<K>> {
        let late = self.since.iter_mut().filter(|(_, since)| !since.is_told);
        late.filter(|(_, since)| now.saturating_sub(since.t) > since.within)
            .map(|(key, since)| {
                since.is_told = true;
                let (what, since_n, within) = (since.what.clone(), since.n, since.within);
                Late { key: key.clone(), what, since_n, age: now - since.t, within }
            })
            .collect()
    }

    /// All that is wrong after the event `n` at `now`; what is not among it is right again.
    pub(super) fn set(&mut self, n: u64, now: Millis, wrong: BTreeMap<K, String>) {
        self.set_with(n, now, wrong, |_| 0);
    }

    /// The same; `more` is how much longer than other things a thing may be wrong.
    pub(super) fn set_with(
        &mut self,
        n: u64,
        now: Millis,
        wrong: BTreeMap<K, String>,
        more: impl Fn(&K) -> Millis,
    ) {
        self.since.retain(|key, _| wrong.contains_key(key));
        for (key, what) in wrong {
            let within = self.within + more(&key);
            let since = Since { t: now, n, within, is_told: false, what: String::new() };
            self.since.entry(key).or_insert(since).what = what;
        }
    }
}
