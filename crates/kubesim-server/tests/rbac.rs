//! Authorization: the request sequences of `fixtures/rbac`, sent by several users over sockets,
//! must be answered as kube-apiserver answered them with `--authorization-mode=RBAC`.
//!
//! The users and their tokens are those of `fixtures/rbac/tokens.csv`, which is kube-apiserver's
//! `--token-auth-file` too. The simulated server is always asked; a real one too, when
//! `SHAKEDOWN_REAL_RBAC_API` names one on loopback with an empty store and no controllers. With
//! `BLESS=1` its answers are recorded, and the roles that it has from its start are written down.
//! Differences that are accepted stand in `fixtures/rbac/differences.yaml`.

#![expect(clippy::unwrap_used, reason = "a test may panic, also in what it is made of")]

#[path = "../../kubesim-client/tests/api/arms.rs"]
mod arms;
#[path = "../../kubesim-client/tests/api/case.rs"]
mod case;
#[expect(dead_code, reason = "a page for users is made of other sequences")]
#[path = "../../kubesim-client/tests/api/compare.rs"]
mod compare;
#[path = "../../kubesim-client/tests/api/corpus.rs"]
mod corpus;
#[path = "../../kubesim-client/tests/api/normal.rs"]
mod normal;
#[path = "rbac/policy.rs"]
mod policy;
#[expect(dead_code, reason = "the real server has another name here")]
#[path = "../../kubesim-client/tests/api/real.rs"]
mod real;
#[path = "rbac/run.rs"]
mod run;

use case::Theme;
use corpus::{Answers, Corpus, differences};
use kubesim::api::Authorization;
use kubesim::world::{Staff, WorldConfig};
use kubesim_server::{Options, Server, read_tokens};
use real::Real;

/// The token of who may do everything, in `fixtures/rbac/tokens.csv`.
const ADMIN: &str = "admin";

fn corpus() -> Corpus {
    Corpus::of("rbac")
}

fn answers(arm: &Real, theme: &Theme, lag: bool) -> Answers {
    let cases = theme.cases.iter();
    cases.map(|case| (case.name.clone(), run::case(arm, theme, case, lag))).collect()
}

/// A cluster in which roles say who may do what, and nobody else acts.
fn served() -> (Server, Real) {
    let authorization = Some(Authorization::Rbac);
    let server = Server::start(Options {
        world: WorldConfig { authorization, ..WorldConfig::new(1, 0) },
        staff: Staff::only(Vec::<&str>::new()),
        speed: 1.0,
        port: 0,
        restore: None,
        recorder: None,
        routes: Vec::new(),
    });
    let server = server.unwrap();
    let tokens = std::fs::read_to_string(corpus().0.join("tokens.csv")).unwrap();
    for (token, user) in read_tokens(&tokens).unwrap() {
        server.admittance().admit_token(token, user);
    }
    let url = format!("https://{}", server.address());
    (server, Real { url, token: ADMIN.to_owned() })
}

/// The real server that the environment names, if it does.
fn real() -> Option<Real> {
    let url = std::env::var("SHAKEDOWN_REAL_RBAC_API").ok()?;
    assert!(url.starts_with("https://127.0.0.1:"), "only a server on loopback is ours to write to");
    Some(Real { url, token: ADMIN.to_owned() })
}

#[test]
fn roles_mean_to_the_simulated_server_what_they_mean_to_the_real_one() {
    let (_server, arm) = served();
    let (corpus, mut found) = (corpus(), Vec::new());
    for (name, theme) in corpus.wanted() {
        let ours = answers(&arm, &theme, false);
        found.extend(differences(&name, theme.texts, (&corpus.recorded(&name), &ours)));
    }
    let complaints = compare::judge(&corpus.rules(), &found);
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

#[test]
fn the_real_server_answers_as_recorded() {
    let Some(arm) = real() else { return };
    let (corpus, mut found) = (corpus(), Vec::new());
    let policy = policy::of(&arm);
    for (name, theme) in corpus.wanted() {
        let answers = answers(&arm, &theme, true);
        if std::env::var_os("BLESS").is_some() {
            policy::write(&policy);
            corpus.record(&name, &answers);
        } else {
            found.extend(differences(&name, theme.texts, (&corpus.recorded(&name), &answers)));
        }
    }
    let texts: Vec<String> = found.iter().map(ToString::to_string).collect();
    assert!(texts.is_empty(), "recorded (-) and answered now (+):\n{}\n", texts.join("\n"));
    assert_eq!(policy::written(), policy, "its first roles are others than those written down");
}
