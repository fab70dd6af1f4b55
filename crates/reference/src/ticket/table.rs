//! The database of an application: its ConfigMap, read and written. The format is in the module's
//! page.

use std::collections::BTreeMap;

use kubesim_model::tree::{Map, Tree};
use kubesim_model::{Millis, Text, map, object};

use super::APPLICATION_LABEL;

const MOST_REPLICAS: usize = 10_000;

/// What an application's ConfigMap says.
pub(super) struct Table {
    pub(super) replicas: usize,
    pub(super) image: Text,
    /// The pod template.
    pub(super) template: Tree,
    /// The container that images are for.
    pub(super) container: Text,
    /// The wanted pods and their images.
    pub(super) rows: BTreeMap<Text, Text>,
    pub(super) official_replicas: usize,
    /// Empty for an application that is new.
    pub(super) official_image: Text,
    pub(super) scale: Option<ScaleTicket>,
    pub(super) release: Option<ReleaseTicket>,
}

/// What is wrong with an application's ConfigMap.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub(super) enum TableError {
    #[error("data.{0}: {1:?} is not a number between 0 and {MOST_REPLICAS}")]
    Number(&'static str, Text),
    #[error("data.image is missing")]
    NoImage,
    #[error("data.{0} is not a JSON object")]
    Json(&'static str),
    #[error("data.template has no container {0:?}")]
    NoContainer(Text),
}

/// A step of a ticket: one pod, one try.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Step {
    pub(super) pod: Text,
    /// The first is 1.
    pub(super) attempt: u32,
    /// When this try is over.
    pub(super) until: Millis,
}

/// Brings the number of rows to `replicas`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ScaleTicket {
    pub(super) replicas: usize,
    /// The image of the pods that it creates, read when it was opened.
    pub(super) image: Text,
    pub(super) step: Option<Step>,
}

/// Brings the pods of `todo` to `image`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ReleaseTicket {
    pub(super) image: Text,
    pub(super) todo: Vec<Text>,
    pub(super) step: Option<Step>,
}

impl Table {
    /// Reads an application's ConfigMap; `None` for another one.
    pub(super) fn read(config_map: &Tree) -> Option<Result<Table, TableError>> {
        config_map["metadata"]["labels"].get(APPLICATION_LABEL)?;
        Some(Table::of(config_map))
    }

    fn of(config_map: &Tree) -> Result<Table, TableError> {
        let data = &config_map["data"];
        let image = data["image"].text();
        if image.is_empty() {
            return Err(TableError::NoImage);
        }
        let template = template(config_map)?;
        let container = container(data, &template)?;
        let rows = data.fields().filter_map(|(key, image)| {
            key.strip_prefix("row.").map(|name| (Text::new(name), image.text()))
        });
        Ok(Table {
            replicas: number(data, "replicas")?,
            official_replicas: number(data, "official-replicas")?,
            official_image: data["official-image"].text(),
            rows: rows.collect(),
            scale: json(data, "ticket.scale")?.map(|ticket| ScaleTicket::read(&ticket)),
            release: json(data, "ticket.release")?.map(|ticket| ReleaseTicket::read(&ticket)),
            image,
            template,
            container,
        })
    }
}

fn template(config_map: &Tree) -> Result<Tree, TableError> {
    if let Some(template) = json(&config_map["data"], "template")? {
        return Ok(template);
    }
    let name = object::name(config_map);
    Ok(map! {
        "metadata" => map! { "labels" => map! { "app" => name } },
        "spec" => map! { "containers" => vec![map! { "name" => "app" }] },
    })
}

fn container(data: &Tree, template: &Tree) -> Result<Text, TableError> {
    let containers = template["spec"]["containers"].items();
    let wanted = data["container"].text();
    let found = containers.iter().find(|have| wanted.is_empty() || have["name"] == wanted.as_str());
    found.map(|found| found["name"].text()).ok_or(TableError::NoContainer(wanted))
}

fn number(data: &Tree, key: &'static str) -> Result<usize, TableError> {
    let text = data[key].text();
    if text.is_empty() {
        return Ok(0);
    }
    let number = text.parse().ok().filter(|number| *number <= MOST_REPLICAS);
    number.ok_or(TableError::Number(key, text))
}

fn json(data: &Tree, key: &'static str) -> Result<Option<Tree>, TableError> {
    let text = data[key].str();
    if text.is_empty() {
        return Ok(None);
    }
    let tree = serde_json::from_str::<Tree>(text).ok().filter(|tree| tree.as_map().is_some());
    tree.map(Some).ok_or(TableError::Json(key))
}

impl Step {
    fn read(tree: &Tree) -> Option<Step> {
        let number = |key: &str| u64::try_from(tree[key].as_i64()?).ok();
        Some(Step {
            pod: Text::new(tree["pod"].as_str()?),
            attempt: u32::try_from(number("attempt")?).ok()?,
            until: number("until")?,
        })
    }

    fn write(&self) -> Tree {
        map! { "pod" => &self.pod, "attempt" => self.attempt, "until" => self.until }
    }
}

impl ScaleTicket {
    fn read(tree: &Tree) -> ScaleTicket {
        let replicas = tree["replicas"].as_i64().and_then(|count| usize::try_from(count).ok());
        ScaleTicket {
            replicas: replicas.unwrap_or(0).min(MOST_REPLICAS),
            image: tree["image"].text(),
            step: Step::read(&tree["step"]),
        }
    }

    /// As JSON text.
    pub(super) fn write(&self) -> String {
        let step = self.step.as_ref().map(Step::write);
        map! { "replicas" => self.replicas, "image" => &self.image, "step" => step }.to_string()
    }
}

impl ReleaseTicket {
    fn read(tree: &Tree) -> ReleaseTicket {
        ReleaseTicket {
            image: tree["image"].text(),
            todo: tree["todo"].items().iter().map(Tree::text).collect(),
            step: Step::read(&tree["step"]),
        }
    }

    /// As JSON text.
    pub(super) fn write(&self) -> String {
        let todo: Vec<Tree> = self.todo.iter().map(Tree::from).collect();
        let step = self.step.as_ref().map(Step::write);
        map! { "image" => &self.image, "todo" => todo, "step" => step }.to_string()
    }
}

/// Changes of an application's ConfigMap, made in one write.
#[derive(Default)]
pub(super) struct Changes(Map);

impl Changes {
    /// Sets a key of `data`, or takes it away.
    pub(super) fn put(&mut self, key: &str, value: Option<String>) {
        self.0.insert(key, value);
    }

    /// Sets or drops a row.
    pub(super) fn put_row(&mut self, pod: &str, image: Option<&Text>) {
        self.put(&format!("row.{pod}"), image.map(Text::to_string));
    }

    /// The merge patch, which fails if the ConfigMap changed since it was seen; `None` if there is
    /// nothing to change.
    pub(super) fn patch(self, config_map: &Tree) -> Option<Tree> {
        let version = &config_map["metadata"]["resourceVersion"];
        (!self.0.is_empty()).then(|| {
            map! { "metadata" => map! { "resourceVersion" => version }, "data" => self.0 }
        })
    }
}
