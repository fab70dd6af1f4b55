//! How the simulator compares with another provider, as a page.

use std::fmt::Write as _;

use super::text::{count, span};
use crate::explore::fidelity::{Fidelity, Pair};

/// The page; `against` is the other provider with its version.
pub fn page(fidelity: &Fidelity, against: &str) -> String {
    let pairs = &fidelity.pairs;
    let ran: Vec<&Pair> = pairs.iter().filter(|pair| pair.real.verdict != "skipped").collect();
    let decided = ran.iter().filter(|pair| pair.is_decided()).count();
    let differing = ran.iter().filter(|pair| pair.differs()).count();
    let mut text = format!(
        "# The simulator beside {against}\n\n<!-- Made by `shakedown fidelity`. -->\n\n\
         {} ran on both; {decided} were decided on both, {differing} of them otherwise; {} \
         could not be run there. The simulation was {:.0} times as fast.\n\n\
         | trial | sim | real | time in sim | time in reality |\n|---|---|---|---|---|\n",
        count(ran.len(), "trial"),
        count(pairs.len() - ran.len(), "trial"),
        fidelity.speed(),
    );
    for pair in &ran {
        let (ours, real) = (&pair.simulated, &pair.real);
        let mark = if pair.differs() { "**" } else { "" };
        let _ = writeln!(
            text,
            "| {} | {mark}{}{mark} | {mark}{}{mark} | {} | {} |",
            pair.trial,
            ours.verdict,
            real.verdict,
            span(ours.lasted),
            span(real.lasted),
        );
    }
    section(
        &mut text,
        "What was there at the end on one side only: sim (-), real (+)",
        &ran,
        |p| p.differences().join(", "),
    );
    section(&mut text, "Why trials were not decided in reality", &ran, |p| p.real.why.clone());
    let skipped: Vec<&Pair> = pairs.iter().filter(|p| p.real.verdict == "skipped").collect();
    section(&mut text, "What could not be run", &skipped, |pair| pair.real.why.clone());
    text
}

fn section(text: &mut String, title: &str, pairs: &[&Pair], say: impl Fn(&Pair) -> String) {
    let lines: Vec<String> = pairs
        .iter()
        .map(|pair| (pair, say(pair)))
        .filter(|(_, said)| !said.is_empty())
        .map(|(pair, said)| {
            format!("* {}: {}\n", pair.trial, said.lines().next().unwrap_or_default())
        })
        .collect();
    if !lines.is_empty() {
        let _ = write!(text, "\n## {title}\n\n{}", lines.concat());
    }
}
