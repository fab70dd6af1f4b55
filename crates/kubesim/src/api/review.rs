//! Questions that are answered and not stored: who a token belongs to, who may do what, which pod
//! goes to which node (v1.36, `pkg/registry/authentication` and `pkg/registry/authorization`).

use kubesim_model::request::{Answer, Request, Verb};
use kubesim_model::resource::{ObjectKey, Resource};
use kubesim_model::tree::Tree;
use kubesim_model::{list, map, object};

use super::errors::{self, Cause};
use super::identity::User;
use super::policies::Subject;
use super::registry::Type;
use super::router::Call;
use super::server::Api;
use super::token;

impl Api {
    /// Answers an object of a type that is only asked.
    pub(super) fn answer_question(&mut self, call: &Call<'_>) -> Answer {
        if call.request.verb != Verb::Create {
            let what = format!("{:?} {}", call.request.verb, call.resource());
            return Err(errors::method_not_allowed(what));
        }
        let mut asked = self.received(call, &Tree::Null)?;
        if call.kind.kind == "Binding" {
            return self.bind_named(call, asked);
        }
        if call.kind.namespaced {
            asked.set(&["metadata", "namespace"], &call.request.key.namespace);
        }
        let mut asked = self.admitted(call, Subject::create(&asked), |_, _| Ok(()))?;
        self.approve(call, Subject::create(&asked))?;
        let causes = check(&call.kind, call, &asked);
        // The names of such objects say nothing, and the kind of what is wrong is left out.
        if !causes.is_empty() {
            let mut status = errors::invalid(&call.kind, "", &causes);
            status.details.remove(&["kind"]);
            return Err(status);
        }
        let status = match call.kind.kind.as_str() {
            "TokenReview" if asked["spec"]["token"].str().is_empty() => {
                let why = "token is required for TokenReview in authentication";
                return Err(errors::bad_request(why));
            }
            "TokenReview" => self.review_token(call, &asked["spec"]),
            "SelfSubjectReview" => {
                asked.set(
                    &["metadata"],
                    map! { "creationTimestamp" => object::timestamp(call.now) },
                );
                map! { "userInfo" => call.who.user.to_tree() }
            }
            "SelfSubjectRulesReview" if asked["spec"]["namespace"].str().is_empty() => {
                return Err(errors::bad_request("no namespace on request"));
            }
            "SelfSubjectRulesReview" => {
                let namespace = asked["spec"]["namespace"].text();
                asked.set(&["spec"], map! {});
                self.review_rules(&call.who.user, &namespace)
            }
            "SelfSubjectAccessReview" => self.review_access(&call.who.user, &asked["spec"]),
            _ => self.review_access(&User::of_review(&asked["spec"], "user"), &asked["spec"]),
        };
        asked.set(&["status"], status);
        Ok(asked)
    }

    /// A binding that names its pod itself.
    fn bind_named(&mut self, call: &Call<'_>, binding: Tree) -> Answer {
        let key = ObjectKey::new(call.request.key.namespace.clone(), object::name(&binding));
        let kind = self.types.find(&Resource::PODS)?;
        let request = Request {
            resource: Resource::PODS,
            key,
            body: binding,
            ..call.request.clone().with_subresource("binding")
        };
        self.bind(&Call { kind, request: &request, ..call.clone() })
    }

    fn review_token(&self, call: &Call<'_>, spec: &Tree) -> Tree {
        let audiences = match spec["audiences"].items() {
            [] => list![token::ISSUER],
            _ => spec["audiences"].clone(),
        };
        match self.token_holder(call.now, spec["token"].str(), audiences.items()) {
            Ok((user, audiences)) => map! {
                "authenticated" => true, "user" => user, "audiences" => audiences,
            },
            Err(why) => map! { "user" => map! {}, "error" => why },
        }
    }
}

/// What is wrong with the review of an access.
fn check(kind: &Type, call: &Call<'_>, asked: &Tree) -> Vec<Cause> {
    let mut causes = Vec::new();
    if kind.resource.group() != "authorization.k8s.io" || kind.kind == "SelfSubjectRulesReview" {
        return causes;
    }
    let spec = &asked["spec"];
    let (resource, path) = (&spec["resourceAttributes"], &spec["nonResourceAttributes"]);
    if !resource.is_null() && !path.is_null() {
        let detail = "cannot be specified in combination with resourceAttributes";
        causes.push(Cause::invalid("spec.nonResourceAttributes", path, detail));
    }
    if resource.is_null() && path.is_null() {
        let detail = "exactly one of nonResourceAttributes or resourceAttributes must be specified";
        causes.push(Cause::invalid("spec.resourceAttributes", path, detail));
    }
    let nobody = spec["user"].str().is_empty() && spec["groups"].items().is_empty();
    if nobody && kind.kind != "SelfSubjectAccessReview" {
        let detail = "at least one of user or group must be specified";
        causes.push(Cause::invalid("spec.user", &spec["user"], detail));
    }
    for selector in ["fieldSelector", "labelSelector"] {
        check_selector(
            &resource[selector],
            &format!("spec.resourceAttributes.{selector}"),
            &mut causes,
        );
    }
    let local = kind.kind == "LocalSubjectAccessReview";
    let said = |(key, _): &(&kubesim_model::Text, &Tree)| !(local && *key == "namespace");
    if asked["metadata"].fields().any(|field| said(&field)) {
        causes.push(Cause::invalid("metadata", &asked["metadata"], "must be empty"));
    }
    if local {
        let namespace = &resource["namespace"];
        if !resource.is_null() && namespace.str() != call.request.key.namespace {
            let detail = "must match metadata.namespace";
            causes.push(Cause::invalid("spec.resourceAttributes.namespace", namespace, detail));
        }
        if !path.is_null() {
            let detail = "disallowed on this kind of request";
            causes.push(Cause::invalid("spec.nonResourceAttributes", path, detail));
        }
    }
    causes
}

fn check_selector(selector: &Tree, field: &str, causes: &mut Vec<Cause>) {
    let (raw, wanted) = (&selector["rawSelector"], selector["requirements"].items());
    if selector.is_null() {
        return;
    }
    if !raw.str().is_empty() && !wanted.is_empty() {
        let detail = "may not specified at the same time as requirements";
        causes.push(Cause::invalid(format!("{field}.rawSelector"), raw, detail));
    }
    if raw.str().is_empty() && wanted.is_empty() {
        let detail = "requirements or rawSelector is required";
        causes.push(Cause::required(format!("{field}.requirements"), detail));
    }
}
