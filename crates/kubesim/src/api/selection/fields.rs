//! Field selectors in text form: `spec.nodeName=worker-1,status.phase!=Failed`.

use kubesim_model::Text;
use kubesim_model::request::Status;
use kubesim_model::resource::Resource;
use kubesim_model::tree::Tree;

use super::super::errors;
use super::super::registry::Type;

/// Who tells of an Event, whichever field says so.
const SOURCE: &str = "source";

/// One comparison of a field.
#[derive(Clone, Debug)]
pub(super) struct Requirement {
    path: Vec<Text>,
    value: Text,
    equal: bool,
}

impl Requirement {
    /// Whether the object meets it. A field that is not there is empty, or `false` for a flag.
    pub(super) fn holds(&self, object: &Tree) -> bool {
        let have = match self.path.as_slice() {
            [field] if field == SOURCE => source(object),
            path => path.iter().fold(object, |node, key| &node[key.as_str()]),
        };
        let same = match have {
            Tree::Str(text) => *text == self.value,
            Tree::Bool(flag) => self.value == if *flag { "true" } else { "false" },
            Tree::Int(number) => number.to_string() == self.value,
            Tree::Null => {
                self.value.is_empty()
                    || (self.is_flag() && self.value == "false")
                    || (self.is_count() && self.value == "0")
            }
            _ => false,
        };
        same == self.equal
    }

    fn is_count(&self) -> bool {
        self.path.last().is_some_and(|last| last == "succeeded" || last == "replicas")
    }

    fn is_flag(&self) -> bool {
        self.path.last().is_some_and(|last| last == "hostNetwork" || last == "unschedulable")
    }
}

/// The component that an Event is from (v1.36, `pkg/registry/core/event/strategy.go`).
fn source(event: &Tree) -> &Tree {
    match &event["source"]["component"] {
        component if component.str().is_empty() => &event["reportingComponent"],
        component => component,
    }
}

/// The fields that a type can be selected by, besides its name and namespace (v1.36).
fn supported(kind: &Type) -> &'static [&'static str] {
    match kind.resource.as_str() {
        "pods" => &[
            "spec.nodeName",
            "spec.restartPolicy",
            "spec.schedulerName",
            "spec.serviceAccountName",
            "spec.hostNetwork",
            "status.phase",
            "status.podIP",
            "status.nominatedNodeName",
        ],
        "nodes" => &["spec.unschedulable"],
        "namespaces" => &["status.phase"],
        "services" => &["spec.clusterIP", "spec.type"],
        "secrets" => &["type"],
        "jobs.batch" => &["status.succeeded"],
        "replicationcontrollers" => &["status.replicas"],
        "certificatesigningrequests.certificates.k8s.io" => &["spec.signerName"],
        "events" => &[
            "involvedObject.kind",
            "involvedObject.namespace",
            "involvedObject.name",
            "involvedObject.uid",
            "involvedObject.apiVersion",
            "involvedObject.resourceVersion",
            "involvedObject.fieldPath",
            "reason",
            "reportingComponent",
            SOURCE,
            "type",
        ],
        _ => &[],
    }
}

/// Reads the text form.
pub(super) fn parse(text: &str, kind: &Type) -> Result<Vec<Requirement>, Status> {
    text.split(',').filter(|term| !term.is_empty()).map(|term| parse_term(term, kind)).collect()
}

/// The name of a field as it is stored, where clients know it by another: of Jobs, and of Events in
/// `events.k8s.io/v1`.
fn stored_name(kind: &Type, field: String) -> String {
    if field == "status.successful" && kind.resource.as_str() == "jobs.batch" {
        return "status.succeeded".to_owned();
    }
    if kind.resource != Resource::EVENTS {
        return field;
    }
    match field.strip_prefix("regarding.") {
        Some(rest) => format!("involvedObject.{rest}"),
        None if field == "reportingController" => "reportingComponent".to_owned(),
        None => field,
    }
}

fn parse_term(term: &str, kind: &Type) -> Result<Requirement, Status> {
    let split = |operator: &str| {
        term.split_once(operator).map(|(field, value)| (field.to_owned(), Text::new(value)))
    };
    let (found, equal) = match (split("!="), split("==")) {
        (Some(found), _) => (Some(found), false),
        (None, Some(found)) => (Some(found), true),
        (None, None) => (split("="), true),
    };
    let Some((field, value)) = found else {
        let text = format!("invalid selector: '{term}'; can't understand '{term}'");
        return Err(errors::bad_request(text));
    };
    let field = stored_name(kind, field);
    let in_metadata =
        field == "metadata.name" || (field == "metadata.namespace" && kind.namespaced);
    let declared =
        kind.version().is_some_and(|version| version.selectable.iter().any(|have| *have == field));
    if !in_metadata && !declared && !supported(kind).contains(&field.as_str()) {
        let text = match kind.custom {
            true => format!("field label not supported: {field}"),
            false => format!("field label not supported: {field} ({})", kind.resource),
        };
        return Err(errors::bad_request(text));
    }
    Ok(Requirement { path: field.split('.').map(Text::new).collect(), value, equal })
}
