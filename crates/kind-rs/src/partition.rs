//! Partitions: packet filter rules in a node that drop what comes from peers or goes to them, and
//! their counters as proof.

use std::fmt::{self, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use crate::error::Error;
use crate::exec::Exec;
use crate::node::Node;

/// What our rules' comments begin with, so that anyone can find them again.
const MARK: &str = "kind-rs:";
/// How many seconds iptables waits for its lock: kube-proxy uses it too.
const LOCK: &str = "5";
/// How often rules are looked up and removed again, if someone else removes them meanwhile.
const ATTEMPTS: usize = 3;

/// A partition between a node and some peers.
///
/// It lasts until it is healed or the node is started again; it outlives the program that made it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partition {
    tag: String,
    peers: Vec<Peer>,
    direction: Direction,
    forwarded: bool,
    percent: Option<u8>,
}

/// Which packets a partition drops, as seen from the node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Direction {
    /// Those that come from the peers.
    Inbound,
    /// Those that go to the peers.
    Outbound,
    /// All of them.
    #[default]
    Both,
}

impl Partition {
    /// A partition from `peers` in both directions. Its tag finds it again.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a tag that is not of 1 to 64 letters, digits, `.`, `_` and `-`.
    pub fn new<I>(tag: impl Into<String>, peers: I) -> Result<Self, Error>
    where
        I: IntoIterator,
        I::Item: Into<Peer>,
    {
        let tag = tag.into();
        check_tag(&tag)?;
        let peers = peers.into_iter().map(Into::into).collect();
        Ok(Self { tag, peers, direction: Direction::Both, forwarded: false, percent: None })
    }

    /// The packets to drop.
    #[must_use]
    pub fn direction(mut self, direction: Direction) -> Self {
        self.direction = direction;
        self
    }

    /// Whether packets of the node's pods are dropped too, and not only those of the node itself
    /// and of pods in its network.
    #[must_use]
    pub fn forwarded(mut self, forwarded: bool) -> Self {
        self.forwarded = forwarded;
        self
    }

    /// Drops only so many of a hundred packets, by chance: a link that loses some.
    ///
    /// # Errors
    /// [`Error::Invalid`] for none, or more than all.
    pub fn percent(mut self, percent: u8) -> Result<Self, Error> {
        if !(1..=100).contains(&percent) {
            let why = "it must be from 1 to 100";
            return Err(Error::Invalid { what: "percentage", value: percent.to_string(), why });
        }
        self.percent = (percent < 100).then_some(percent);
        Ok(self)
    }

    /// What `iptables-restore` has to add for the peers of a family.
    fn rules(&self, family: Family) -> Vec<String> {
        let mut rules = Vec::new();
        let chance = self.percent.map_or(String::new(), |percent| {
            format!(" -m statistic --mode random --probability 0.{percent:02}")
        });
        for peer in self.peers.iter().filter(|peer| peer.family() == family) {
            let mut rule = |chain: Chain, side: &str| {
                let comment = format!("{MARK}{}", self.tag);
                rules.push(format!(
                    "-I {chain} 1 {side} {peer} -m comment --comment {comment}{chance} -j DROP"
                ));
            };
            if self.direction != Direction::Outbound {
                rule(Chain::Input, "-s");
                if self.forwarded {
                    rule(Chain::Forward, "-s");
                }
            }
            if self.direction != Direction::Inbound {
                rule(Chain::Output, "-d");
                if self.forwarded {
                    rule(Chain::Forward, "-d");
                }
            }
        }
        rules
    }
}

/// An address or a network to be cut off from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Peer {
    address: IpAddr,
    prefix: u8,
}

impl Peer {
    /// The network of all addresses that share the first `prefix` bits.
    ///
    /// # Errors
    /// [`Error::Invalid`] for more bits than an address has.
    pub fn network(address: IpAddr, prefix: u8) -> Result<Self, Error> {
        if prefix > bits(address) {
            let why = "an address has fewer bits than that";
            return Err(Error::Invalid { what: "peer", value: format!("{address}/{prefix}"), why });
        }
        Ok(Self { address, prefix })
    }

    fn family(self) -> Family {
        if self.address.is_ipv4() { Family::V4 } else { Family::V6 }
    }
}

fn bits(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

impl From<IpAddr> for Peer {
    fn from(address: IpAddr) -> Self {
        Self { address, prefix: bits(address) }
    }
}

impl From<Ipv4Addr> for Peer {
    fn from(address: Ipv4Addr) -> Self {
        IpAddr::V4(address).into()
    }
}

impl From<Ipv6Addr> for Peer {
    fn from(address: Ipv6Addr) -> Self {
        IpAddr::V6(address).into()
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

impl FromStr for Peer {
    type Err = Error;

    /// Reads `10.0.0.1`, `10.0.0.0/8`, `fd00::1`.
    fn from_str(text: &str) -> Result<Self, Error> {
        let why = "it must be an address, or an address, `/` and a number of bits";
        let invalid = || Error::Invalid { what: "peer", value: text.to_owned(), why };
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| invalid())?;
        match prefix {
            Some(prefix) => Self::network(address, prefix.parse().map_err(|_| invalid())?),
            None => Ok(address.into()),
        }
    }
}

/// Where in a node a rule drops packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Chain {
    /// Packets to the node itself.
    Input,
    /// Packets from the node itself.
    Output,
    /// Packets between others, such as pods, that pass through the node.
    Forward,
}

impl fmt::Display for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Input => "INPUT",
            Self::Output => "OUTPUT",
            Self::Forward => "FORWARD",
        })
    }
}

/// A rule of a partition, and how much it has dropped since it was added.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DropRule {
    /// The tag of its partition.
    pub tag: String,
    /// Where it drops packets.
    pub chain: Chain,
    /// [`Direction::Inbound`] if it drops what comes from the peer, otherwise
    /// [`Direction::Outbound`].
    pub direction: Direction,
    /// The peer.
    pub peer: Peer,
    /// How many packets it dropped.
    pub packets: u64,
    /// How many bytes were in them.
    pub bytes: u64,
    /// The rule as `iptables-save` wrote it, without `-A`.
    spec: String,
}

impl Node {
    /// Adds the rules of a partition before all others, all at once for each family of addresses.
    /// Connections that are open are cut as well.
    ///
    /// # Errors
    /// Those of [`Node::exec_checked`].
    pub async fn partition(&self, partition: &Partition) -> Result<(), Error> {
        for family in Family::ALL {
            self.restore(family, partition.rules(family)).await?;
        }
        Ok(())
    }

    /// The rules of all partitions of the node, whoever made them, with their counters.
    ///
    /// # Errors
    /// Those of [`Node::exec_checked`].
    pub async fn partitions(&self) -> Result<Vec<DropRule>, Error> {
        let mut rules = Vec::new();
        for family in Family::ALL {
            let exec = Exec::from([family.save(), "-c", "-t", "filter"]);
            // A node without IPv6 has no rules for it.
            let output = match family {
                Family::V4 => self.exec_checked(exec).await?,
                Family::V6 => self.exec(exec).await?,
            };
            let text = output.stdout_text();
            rules.extend(text.lines().filter_map(|line| parse(line, family)));
        }
        Ok(rules)
    }

    /// Removes the partitions of a tag, and returns their rules with the counters that they had
    /// in the end. It is no error if there are none.
    ///
    /// # Errors
    /// Those of [`Node::exec_checked`].
    pub async fn heal(&self, tag: &str) -> Result<Vec<DropRule>, Error> {
        check_tag(tag)?;
        self.remove(|rule| rule.tag == tag).await
    }

    /// Removes all partitions, also those that a program left behind when it crashed.
    ///
    /// # Errors
    /// Those of [`Node::exec_checked`].
    pub async fn heal_all(&self) -> Result<Vec<DropRule>, Error> {
        self.remove(|_| true).await
    }

    async fn remove(&self, wanted: impl Fn(&DropRule) -> bool) -> Result<Vec<DropRule>, Error> {
        let mut attempt = 1;
        loop {
            let mut rules = self.partitions().await?;
            rules.retain(&wanted);
            match self.delete(&rules).await {
                Ok(()) => return Ok(rules),
                // Someone else may have removed one of them in between.
                Err(Error::Failed(_)) if attempt < ATTEMPTS => attempt += 1,
                Err(error) => return Err(error),
            }
        }
    }

    async fn delete(&self, rules: &[DropRule]) -> Result<(), Error> {
        for family in Family::ALL {
            let rules = rules.iter().filter(|rule| rule.peer.family() == family);
            self.restore(family, rules.map(|rule| format!("-D {}", rule.spec)).collect()).await?;
        }
        Ok(())
    }

    async fn restore(&self, family: Family, rules: Vec<String>) -> Result<(), Error> {
        if rules.is_empty() {
            return Ok(());
        }
        let mut text = "*filter\n".to_owned();
        for rule in rules {
            let _ = writeln!(text, "{rule}");
        }
        text.push_str("COMMIT\n");
        let exec = Exec::from([family.restore(), "--noflush", "-w", LOCK]).stdin(text);
        self.exec_checked(exec).await.map(drop)
    }
}

/// A family of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Family {
    V4,
    V6,
}

impl Family {
    const ALL: [Self; 2] = [Self::V4, Self::V6];

    fn save(self) -> &'static str {
        match self {
            Self::V4 => "iptables-save",
            Self::V6 => "ip6tables-save",
        }
    }

    fn restore(self) -> &'static str {
        match self {
            Self::V4 => "iptables-restore",
            Self::V6 => "ip6tables-restore",
        }
    }

    fn everyone(self) -> Peer {
        let address = match self {
            Self::V4 => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            Self::V6 => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        };
        Peer { address, prefix: 0 }
    }
}

/// Reads a line of `iptables-save -c`; none if it is not a rule of ours.
fn parse(line: &str, family: Family) -> Option<DropRule> {
    let (counters, rest) = line.strip_prefix('[')?.split_once("] -A ")?;
    let (packets, bytes) = counters.split_once(':')?;
    let words: Vec<&str> = rest.split_whitespace().collect();
    let after = |option: &str| {
        let at = words.iter().position(|word| *word == option)?;
        words.get(at + 1).copied()
    };
    let tag = after("--comment")?.trim_matches('"').strip_prefix(MARK)?;
    let chain = match *words.first()? {
        "INPUT" => Chain::Input,
        "OUTPUT" => Chain::Output,
        "FORWARD" => Chain::Forward,
        _ => return None,
    };
    // A network of all addresses is left out of what is saved.
    let outbound = after("-d").is_some() || (after("-s").is_none() && chain == Chain::Output);
    let peer = after("-s").or(after("-d"));
    Some(DropRule {
        tag: tag.to_owned(),
        chain,
        direction: if outbound { Direction::Outbound } else { Direction::Inbound },
        peer: peer.map_or(Some(family.everyone()), |text| text.parse().ok())?,
        packets: packets.parse().ok()?,
        bytes: bytes.parse().ok()?,
        spec: rest.to_owned(),
    })
}

fn check_tag(tag: &str) -> Result<(), Error> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if (1..=64).contains(&tag.len()) && tag.chars().all(allowed) {
        return Ok(());
    }
    let why = "it must have 1 to 64 letters, digits, `.`, `_` and `-`";
    Err(Error::Invalid { what: "tag", value: tag.to_owned(), why })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn partition(peer: &str) -> Partition {
        Partition::new("p-1", [peer.parse::<Peer>().unwrap()]).unwrap()
    }

    #[test]
    fn our_rules_are_found_among_those_of_kube_proxy() {
        let text = include_str!("../tests/recorded/iptables-save.txt");
        let rules: Vec<_> = text.lines().filter_map(|line| parse(line, Family::V4)).collect();
        let [input, output] = rules.as_slice() else { panic!("two rules") };
        assert_eq!((input.chain, input.direction), (Chain::Input, Direction::Inbound));
        assert_eq!((output.chain, output.direction), (Chain::Output, Direction::Outbound));
        assert_eq!((input.tag.as_str(), input.peer.to_string().as_str()), ("rec", "172.18.0.3/32"));
        assert_eq!((input.packets, input.bytes), (11, 660));
        assert_eq!((output.packets, output.bytes), (10, 75_238));
    }

    #[test]
    fn directions_and_families_make_the_rules() {
        let both = partition("10.0.0.1");
        let rules = both.rules(Family::V4);
        assert_eq!(
            rules,
            [
                "-I INPUT 1 -s 10.0.0.1/32 -m comment --comment kind-rs:p-1 -j DROP",
                "-I OUTPUT 1 -d 10.0.0.1/32 -m comment --comment kind-rs:p-1 -j DROP",
            ]
        );
        assert_eq!(both.rules(Family::V6), [""; 0]);
        assert_eq!(both.clone().forwarded(true).rules(Family::V4).len(), 4);
        let inbound = both.direction(Direction::Inbound).rules(Family::V4);
        assert_eq!(inbound, rules[..1]);
        assert_eq!(partition("fd00::/8").rules(Family::V6).len(), 2);
        let lossy = partition("10.0.0.1").direction(Direction::Inbound).percent(5).unwrap();
        let chance = "-m statistic --mode random --probability 0.05 -j DROP";
        assert!(lossy.rules(Family::V4)[0].ends_with(chance));
        assert!(partition("10.0.0.1").percent(0).is_err());
    }

    #[test]
    fn peers_and_tags_are_checked() {
        for text in ["", "x", "10.0.0.1/33", "10.0.0.1/", "::1/129", "10.0.0.1 -j ACCEPT"] {
            assert!(text.parse::<Peer>().is_err(), "{text}");
        }
        for tag in ["", "a b", "a\"", "a\n-F", "é"] {
            assert!(Partition::new(tag, [Peer::from(Ipv4Addr::LOCALHOST)]).is_err(), "{tag}");
        }
    }

    proptest! {
        #[test]
        fn no_line_panics(text in ".{0,64}", comment in "(\"?kind-rs:)?[a-z\"]{0,5}") {
            let _ = parse(&text, Family::V4);
            let _ = parse(&format!("[{text}] -A INPUT --comment {comment}"), Family::V6);
            let _ = parse(&format!("[1:2] -A INPUT {text} --comment {comment} -d"), Family::V4);
            let _ = text.parse::<Peer>();
        }

        #[test]
        fn a_saved_rule_is_read_as_it_was_made(a: u32, prefix in 0u8..=32, forwarded: bool) {
            let peer = Peer::network(Ipv4Addr::from_bits(a).into(), prefix).unwrap();
            let made = Partition::new("t", [peer]).unwrap().forwarded(forwarded);
            for rule in made.rules(Family::V4) {
                let saved = rule.replacen("-I ", "[7:9] -A ", 1).replacen(" 1 ", " ", 1);
                let read = parse(&saved, Family::V4).unwrap();
                prop_assert_eq!((read.peer, read.packets, read.bytes), (peer, 7, 9));
                prop_assert_eq!(read.direction == Direction::Outbound, rule.contains("-d"));
            }
        }
    }
}
