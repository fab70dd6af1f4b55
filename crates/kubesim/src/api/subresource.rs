//! The subresources `scale` and `binding`.

use kubesim_model::request::{Answer, Status, Verb};
use kubesim_model::resource::Resource;
use kubesim_model::tree::Tree;
use kubesim_model::{Text, map, object};

use super::errors::{self, Cause};
use super::hooks::internal;
use super::policies::{Form, Subject};
use super::registry::ScalePaths;
use super::router::Call;
use super::server::Api;
use super::typed;

/// What the subresources are sent.
const SCALE: Form = ("autoscaling", "v1", "Scale");
const BINDING: Form = ("", "v1", "Binding");

/// What a subresource that acts answers.
pub(super) fn success() -> Tree {
    map! {
        "apiVersion" => "v1", "kind" => "Status", "metadata" => map! {}, "status" => "Success",
        "code" => 201,
    }
}

impl Api {
    /// The `Scale` of an object.
    pub(super) fn get_scale(&self, call: &Call<'_>) -> Answer {
        let (object, paths) = (self.current(call)?, paths(call)?);
        let wanted = paths.spec.iter().fold(&object, |node, key| &node[key.as_str()]);
        if call.kind.custom && wanted.is_null() {
            let path: Vec<&str> = paths.spec.iter().map(Text::as_str).collect();
            let path = path.join(".");
            return Err(internal(&format!("the spec replicas field \".{path}\" does not exist")));
        }
        Ok(scale_of(&object, paths))
    }

    /// Sets an object's replicas through its `Scale`, by replacement or patch.
    pub(super) fn set_scale(&mut self, call: &Call<'_>) -> Answer {
        let paths = paths(call)?;
        let old = self.current(call)?;
        let before = scale_of(&old, paths);
        let mut owners = None;
        let after = match call.request.verb {
            Verb::Update => call.request.body.clone(),
            Verb::StrategicPatch if !call.kind.custom => {
                self.check_size(&call.request.body)?;
                kubesim_model::patch::merge(&before, &call.request.body)
            }
            Verb::Apply => {
                self.check_size(&call.request.body)?;
                let made = call.apply_scale(&old, &before)?;
                owners = Some(made.owners);
                made.object
            }
            _ => self.patched(call, &before)?,
        };
        let after = typed_scale(call, after)?;
        let subject = Subject::update(&before, &after).of(SCALE);
        let after = self.admitted(call, subject, |_, _| Ok(()))?;
        let owners = owners.or_else(|| call.scaled(&old, &before, &after));
        let wanted = match &after["spec"]["replicas"] {
            Tree::Null => 0,
            value => value.as_i64().filter(|wanted| *wanted >= 0).ok_or_else(|| {
                let detail = "must be greater than or equal to 0";
                refuse_scale(call, &Cause::invalid("spec.replicas", value, detail))
            })?,
        };
        let mut new = old.clone();
        let path: Vec<&str> = paths.spec.iter().map(Text::as_str).collect();
        new.set(&path, wanted);
        let read = &after["metadata"]["resourceVersion"];
        if !read.str().is_empty() {
            new.set(&["metadata", "resourceVersion"], read);
        }
        let uid = &after["metadata"]["uid"];
        if !uid.str().is_empty() && *uid != old["metadata"]["uid"] {
            let resource = part_of(call, "scale");
            return Err(errors::conflict(&resource, call.name(), "Precondition failed: UID"));
        }
        let approved = scale_of(&new, paths);
        self.approve(call, Subject::update(&before, &approved).of(SCALE))?;
        let stored = self.replace(&Call { owners, ..call.clone() }, &old, new)?;
        Ok(scale_of(&stored, paths))
    }

    /// Binds a pod to a node (v1.36, `pkg/registry/core/pod/storage` `assignPod`).
    pub(super) fn bind(&mut self, call: &Call<'_>) -> Answer {
        let mut body = call.request.body.clone();
        body.set(&["apiVersion"], "v1");
        body.set(&["kind"], "Binding");
        body.set(&["metadata", "namespace"], &call.request.key.namespace);
        let subject = Subject::create(&body).of(BINDING);
        let body = &self.admitted(call, subject, |_, _| Ok(()))?;
        if object::name(body) != call.name() {
            let text = "name in URL does not match name in Binding object";
            return Err(errors::bad_request(text));
        }
        self.approve(call, Subject::create(body).of(BINDING))?;
        let pod = self.current(call)?;
        let target = &body["target"];
        let node = target["name"].text();
        if node.is_empty() {
            return Err(errors::failed("target.name: Required value"));
        }
        if !["", "Node"].contains(&target["kind"].str()) {
            return Err(errors::failed("target.kind: Unsupported value"));
        }
        let resource = part_of(call, "binding");
        let conflict = |why: String| Err(errors::conflict(&resource, call.name(), why));
        let uid = object::uid(body);
        if !uid.is_empty() && uid != object::uid(&pod) {
            let have = object::uid(&pod);
            let why = format!(
                "Precondition failed: UID in precondition: {uid}, UID in object meta: {have}"
            );
            return Err(errors::conflict(&Resource::PODS, call.name(), why));
        }
        if object::is_terminating(&pod) {
            let name = call.name();
            return conflict(format!("pod {name} is being deleted, cannot be assigned to a host"));
        }
        if let Some(have) = pod["spec"]["nodeName"].as_str().filter(|have| !have.is_empty()) {
            return conflict(format!("pod {} is already assigned to node \"{have}\"", call.name()));
        }
        if !pod["spec"]["schedulingGates"].items().is_empty() {
            return conflict(format!("pod {} has non-empty .spec.schedulingGates", call.name()));
        }
        let mut bound = pod;
        bound.set(&["spec", "nodeName"], node);
        for map in ["annotations", "labels"] {
            for (key, value) in body["metadata"][map].fields() {
                bound.set(&["metadata", map, key], value);
            }
        }
        let condition = map! { "type" => "PodScheduled", "status" => "True" };
        object::set_condition(bound.field_mut("status"), condition, call.now);
        self.commit(&call.kind, &call.request.key, bound);
        Ok(success())
    }
}

/// A `Scale` that came, in the form of its type.
fn typed_scale(call: &Call<'_>, scale: Tree) -> Answer {
    let mut scale = scale;
    if !["", "Scale"].contains(&scale["kind"].str()) {
        let kind = scale["kind"].str();
        return Err(errors::bad_request(format!(
            "{kind} in version \"v1\" cannot be handled as a Scale: unknown conversion"
        )));
    }
    scale.set(&["apiVersion"], "autoscaling/v1");
    scale.set(&["kind"], "Scale");
    let decoded = typed::decode("Scale", &mut scale, &Tree::Null);
    decoded.map_err(|why| match call.request.verb {
        Verb::Update => errors::bad_request(format!("it cannot be handled as a Scale: {why}")),
        _ => errors::invalid_patch(&why),
    })?;
    let name = object::name(&scale);
    if !name.is_empty() && name != call.name() {
        return Err(errors::bad_request(format!(
            "the name of the object ({name}) does not match the name on the URL ({})",
            call.name()
        )));
    }
    Ok(scale)
}

/// How a subresource is named in the details of failures: `pods/binding`.
fn part_of(call: &Call<'_>, name: &str) -> Resource {
    let (plural, group) = (call.resource().plural(), call.resource().group());
    match group {
        "" => Resource::new(format!("{plural}/{name}")),
        group => Resource::new(format!("{plural}/{name}.{group}")),
    }
}

fn paths<'a>(call: &'a Call<'_>) -> Result<&'a ScalePaths, Status> {
    let missing = || errors::no_such_resource(format_args!("{}/scale", call.resource()));
    call.kind.scale.as_ref().ok_or_else(missing)
}

fn refuse_scale(call: &Call<'_>, cause: &Cause) -> Status {
    let name = call.name();
    if call.kind.custom {
        let path: Vec<&str> =
            call.kind.scale.iter().flat_map(|scale| &scale.spec).map(Text::as_str).collect();
        let cause = Cause { field: format!(".{}", path.join(".")), ..cause.clone() };
        return errors::invalid(&call.kind, name, &[cause]);
    }
    let text =
        format!("Scale.autoscaling \"{name}\" is invalid: {}: {}", cause.field, cause.message);
    let mut status = Status::new(422, "Invalid", text);
    status.details = map! { "name" => name, "kind" => "Scale", "group" => "autoscaling" };
    status.details.set(&["causes"], vec![cause.to_tree()]);
    status
}

fn scale_of(object: &Tree, paths: &ScalePaths) -> Tree {
    let at = |path: &[Text]| path.iter().fold(object, |node, key| &node[key.as_str()]);
    let number = |path: &[Text]| at(path).as_i64().unwrap_or(0);
    let mut metadata = map! {};
    for field in ["name", "namespace", "uid", "resourceVersion", "creationTimestamp"] {
        if let Some(value) = object["metadata"].get(field) {
            metadata.set(&[field], value);
        }
    }
    let selector = match at(&paths.selector) {
        Tree::Str(text) => text.clone(),
        labels if object["kind"] == "ReplicationController" => {
            selector_text(&map! { "matchLabels" => labels })
        }
        selector if !paths.selector.is_empty() => selector_text(selector),
        _ => Text::default(),
    };
    let mut status = map! { "replicas" => number(&paths.status) };
    if !selector.is_empty() {
        status.set(&["selector"], selector);
    }
    map! {
        "apiVersion" => "autoscaling/v1", "kind" => "Scale", "metadata" => metadata,
        "spec" => match number(&paths.spec) {
            0 => map! {},
            wanted => map! { "replicas" => wanted },
        },
        "status" => status,
    }
}

/// A structured selector in its text form: its terms in the order of their keys.
fn selector_text(selector: &Tree) -> Text {
    let labels = selector["matchLabels"].fields();
    let mut terms: Vec<(&str, String)> =
        labels.map(|(key, value)| (key.as_str(), format!("{key}={}", value.str()))).collect();
    for wanted in selector["matchExpressions"].items() {
        let key = wanted["key"].str();
        let mut values: Vec<&str> = wanted["values"].items().iter().map(Tree::str).collect();
        values.sort_unstable();
        let values = values.join(",");
        let term = match wanted["operator"].str() {
            "In" => format!("{key} in ({values})"),
            "NotIn" => format!("{key} notin ({values})"),
            "DoesNotExist" => format!("!{key}"),
            _ => key.to_owned(),
        };
        terms.push((key, term));
    }
    terms.sort_by_key(|(key, _)| *key);
    let terms: Vec<String> = terms.into_iter().map(|(_, term)| term).collect();
    Text::from(terms.join(","))
}
