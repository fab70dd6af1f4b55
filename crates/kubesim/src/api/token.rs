//! Tokens of service accounts (v1.36, `pkg/registry/core/serviceaccount/storage/token.go` and
//! `pkg/serviceaccount`): signed claims that last for a time and end with what they are bound to.
//!
//! They have the form of the real ones, JSON Web Tokens, but are signed with a secret of this
//! server, so that nobody else can check them.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use kubesim_model::request::{Answer, Status};
use kubesim_model::resource::{ObjectKey, Resource};
use kubesim_model::tree::Tree;
use kubesim_model::{Millis, Text, list, map, object};
use sha2::Sha256;

use super::errors::{self, Cause};
use super::policies::{Form, Subject};
use super::registry::Type;
use super::router::Call;
use super::server::Api;

/// Who issues the tokens, and whom they are for unless another audience is asked for.
pub(super) const ISSUER: &str = "https://kubernetes.default.svc";
/// The header of all tokens: `{"alg":"HS256","typ":"JWT"}`.
const HEADER: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9";
/// The longest token that is looked at.
const LONGEST: usize = 8 << 10;

/// What the subresource `token` is sent.
const TOKEN: Form = ("authentication.k8s.io", "v1", "TokenRequest");

/// What signs the tokens of one server.
pub(super) type Secret = [u8; 32];

impl Api {
    /// Answers a `TokenRequest` for a service account.
    pub(super) fn issue_token(&mut self, call: &Call<'_>) -> Answer {
        let asked = typed_request(call)?;
        let mut asked = self.admitted(call, Subject::create(&asked).of(TOKEN), |_, _| Ok(()))?;
        self.approve(call, Subject::create(&asked).of(TOKEN))?;
        let key = &call.request.key;
        for (field, own) in [("name", &key.name), ("namespace", &key.namespace)] {
            let said = &asked["metadata"][field];
            if !said.str().is_empty() && said != own.as_str() {
                let field = format!("metadata.{field}");
                let cause = Cause::invalid(field, said, "must match the service account");
                return Err(errors::invalid(&request_type(), call.name(), &[cause]));
            }
        }
        let account = self.current(call)?.clone();
        let uid = asked["metadata"]["uid"].text();
        if !uid.is_empty() && uid != object::uid(&account) {
            let resource = Resource::new("TokenRequest.authentication.k8s.io");
            let why = format!("the UID in the token request ({uid}) is another one");
            return Err(errors::conflict(&resource, call.name(), why));
        }
        let seconds = match &asked["spec"]["expirationSeconds"] {
            Tree::Null => 3600,
            seconds => seconds.as_i64().unwrap_or(0),
        };
        if !(600..=1 << 32).contains(&seconds) {
            let detail = "may not specify a duration less than 10 minutes or larger than 2^32 \
                          seconds";
            let cause = Cause::invalid("spec.expirationSeconds", &Tree::Int(seconds), detail);
            return Err(errors::invalid(&request_type(), "", &[cause]));
        }
        if asked["spec"]["audiences"].items().is_empty() {
            asked.set(&["spec", "audiences"], list![ISSUER]);
        }
        let bound = self.bound_object(call, &asked["spec"]["boundObjectRef"])?;
        asked.set(&["spec", "expirationSeconds"], seconds);
        let end = call.now.saturating_add(1000 * seconds.unsigned_abs());
        let claims = self.claims(&account, &asked["spec"]["audiences"], bound, (call.now, end));
        asked.set(
            &["metadata"],
            map! {
                "name" => &key.name, "namespace" => &key.namespace, "uid" => object::uid(&account),
                "creationTimestamp" => object::timestamp(call.now),
            },
        );
        let status = map! {
            "expirationTimestamp" => object::timestamp(end), "token" => self.sign(&claims),
        };
        asked.set(&["status"], status);
        Ok(asked)
    }

    /// What the token is to end with, as its claims name it.
    fn bound_object(&self, call: &Call<'_>, wanted: &Tree) -> Result<Tree, Status> {
        if wanted.is_null() {
            return Ok(Tree::map());
        }
        let namespace = call.request.key.namespace.clone();
        let (name, kind) = (wanted["name"].text(), wanted["kind"].str());
        let (resource, namespace) = match kind {
            "Pod" => (Resource::PODS, namespace),
            "Secret" => (Resource::SECRETS, namespace),
            "Node" => (Resource::NODES, Text::default()),
            _ => {
                let why = format!("cannot bind token to object of type {kind}");
                return Err(errors::bad_request(why));
            }
        };
        let found = self
            .store
            .get(&resource, &ObjectKey::new(namespace, name.clone()))
            .ok_or_else(|| errors::not_found(&resource, &name))?;
        if kind == "Pod" && found["spec"]["serviceAccountName"] != call.name() {
            return Err(errors::bad_request(format!(
                "cannot bind token for serviceaccount \"{}\" to pod running with different \
                 serviceaccount name.",
                call.name()
            )));
        }
        let uid = wanted["uid"].str();
        if !uid.is_empty() && uid != object::uid(found) {
            let why = format!("the UID in the bound object reference ({uid}) is another one");
            return Err(errors::conflict(&Resource::new(kind), &name, why));
        }
        let mut bound = map! {};
        let own = map! { "name" => &name, "uid" => object::uid(found) };
        bound.set(&[&kind.to_lowercase()], own);
        let node = found["spec"]["nodeName"].text();
        if kind == "Pod" && !node.is_empty() {
            let mut there = map! { "name" => &node };
            if let Some(node) = self.store.get(&Resource::NODES, &ObjectKey::new("", node)) {
                there.set(&["uid"], object::uid(node));
            }
            bound.set(&["node"], there);
        }
        Ok(bound)
    }

    fn claims(
        &mut self,
        account: &Tree,
        audiences: &Tree,
        bound: Tree,
        (from, end): (Millis, Millis),
    ) -> Tree {
        let (namespace, name) = (object::namespace(account), object::name(account));
        let mut own = bound;
        own.set(&["namespace"], namespace);
        own.set(&["serviceaccount"], map! { "name" => name, "uid" => object::uid(account) });
        let second = |at: Millis| (object::EPOCH / 1000).saturating_add_unsigned(at / 1000);
        map! {
            "aud" => audiences, "exp" => second(end), "iat" => second(from), "iss" => ISSUER,
            "jti" => self.new_uid(), "kubernetes.io" => own, "nbf" => second(from),
            "sub" => format!("system:serviceaccount:{namespace}:{name}"),
        }
    }

    fn sign(&self, claims: &Tree) -> String {
        let text = format!("{HEADER}.{}", URL_SAFE_NO_PAD.encode(claims.to_string()));
        let signature = URL_SAFE_NO_PAD.encode(self.seal(&text).finalize().into_bytes());
        format!("{text}.{signature}")
    }

    fn seal(&self, text: &str) -> Hmac<Sha256> {
        let mut seal =
            Hmac::<Sha256>::new_from_slice(&self.secret).expect("any length makes a key");
        seal.update(text.as_bytes());
        seal
    }

    /// Whom a service account's token belongs to, as the `user` of a TokenReview: name, uid, groups
    /// and what it is bound to. `None` for a token that this server did not issue, that has
    /// ended, that is not for the server itself, or of which the account or what it is bound to is
    /// gone.
    pub fn token_user(&self, now: Millis, token: &str) -> Option<Tree> {
        self.token_holder(now, token, &[ISSUER.into()]).ok().map(|(user, _)| user)
    }

    /// The same for these audiences, with those of them that the token is for.
    ///
    /// # Errors
    /// Why the token is not accepted.
    pub(super) fn token_holder(
        &self,
        now: Millis,
        token: &str,
        audiences: &[Tree],
    ) -> Result<(Tree, Vec<Tree>), String> {
        let invalid = || "invalid bearer token".to_owned();
        let claims = self.checked(token).ok_or_else(invalid)?;
        let meant = claims["aud"].items();
        let fits = audiences.iter().filter(|wanted| meant.contains(wanted));
        let fits: Vec<Tree> = fits.cloned().collect();
        if fits.is_empty() {
            let list = |audiences: &[Tree]| -> String {
                audiences.iter().map(Tree::to_string).collect::<Vec<_>>().join(" ")
            };
            let (have, wanted) = (list(meant), list(audiences));
            return Err(format!(
                "[invalid bearer token, token audiences [{have}] is invalid for the target \
                 audiences [{wanted}]]"
            ));
        }
        let user = self.user_of(now, &claims).ok_or_else(invalid)?;
        Ok((user, fits))
    }

    /// The claims of a token that this server signed.
    fn checked(&self, token: &str) -> Option<Tree> {
        let (text, signature) = token.rsplit_once('.').filter(|_| token.len() <= LONGEST)?;
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        self.seal(text).verify_slice(&signature).ok()?;
        let claims = URL_SAFE_NO_PAD.decode(text.strip_prefix(HEADER)?.strip_prefix('.')?).ok()?;
        serde_json::from_slice(&claims).ok()
    }

    /// The user of these claims, if they hold at this time.
    fn user_of(&self, now: Millis, claims: &Tree) -> Option<Tree> {
        let second = (object::EPOCH / 1000).saturating_add_unsigned(now / 1000);
        let own = &claims["kubernetes.io"];
        let namespace = own["namespace"].text();
        let holders = [
            ("serviceaccount", Resource::SERVICE_ACCOUNTS),
            ("pod", Resource::PODS),
            ("secret", Resource::SECRETS),
        ];
        let there = holders.into_iter().all(|(kind, resource)| {
            let key = ObjectKey::new(namespace.clone(), own[kind]["name"].text());
            let found = self.store.get(&resource, &key);
            own[kind].is_null() || found.is_some_and(|found| own[kind]["uid"] == object::uid(found))
        });
        if !there || claims["exp"].as_i64().is_none_or(|end| end <= second) {
            return None;
        }
        let mut extra = map! {
            "authentication.kubernetes.io/credential-id" =>
                list![format!("JTI={}", claims["jti"].str())],
        };
        for kind in ["node", "pod"] {
            for field in ["name", "uid"] {
                let value = &own[kind][field];
                if !value.is_null() {
                    let key = format!("authentication.kubernetes.io/{kind}-{field}");
                    extra.set(&[&key], list![value]);
                }
            }
        }
        Some(map! {
            "username" => &claims["sub"], "uid" => &own["serviceaccount"]["uid"],
            "groups" => list![
                "system:serviceaccounts", format!("system:serviceaccounts:{namespace}"),
                "system:authenticated",
            ],
            "extra" => extra,
        })
    }
}

/// The type of the question, as failures name it.
fn request_type() -> Type {
    Type::subject("authentication.k8s.io", "TokenRequest")
}

/// The question in the form of its type.
fn typed_request(call: &Call<'_>) -> Answer {
    let mut asked = call.request.body.clone();
    let kind = asked["kind"].str();
    if !["", "TokenRequest"].contains(&kind) {
        let why = format!("{kind} in version \"v1\" cannot be handled as a TokenRequest");
        return Err(errors::bad_request(why));
    }
    let decoded = super::typed::decode("TokenRequest", &mut asked, &Tree::Null);
    decoded.map_err(|why| errors::wrong_shape(&request_type(), &why))?;
    asked.set(&["apiVersion"], "authentication.k8s.io/v1");
    asked.set(&["kind"], "TokenRequest");
    if asked["metadata"]["namespace"].is_null() {
        asked.set(&["metadata", "namespace"], &call.request.key.namespace);
    }
    Ok(asked)
}
