//! Answers over HTTP, and the words for those that hold no review (client-go v0.36,
//! `rest/request.go`). Webhooks lie: any answer is possible.

use kubesim_model::Text;
use kubesim_model::tree::Tree;

use super::dialog::Reply;

/// The versions of reviews that there are.
pub(in crate::api) const VERSIONS: [&str; 2] = ["v1", "v1beta1"];

/// The longest text of an answer that is shown.
const SHOWN: usize = 2_048;

/// A type of reviews: questions to webhooks, and their answers.
pub(in crate::api) struct Reviews {
    pub(in crate::api) group: &'static str,
    pub(in crate::api) kind: &'static str,
    /// Where the real server keeps what it knows of the type, as failures tell it.
    pub(in crate::api) scheme: &'static str,
}

impl Reviews {
    /// The first version of reviews that somebody reads, with its group.
    pub(in crate::api) fn version(&self, read: &Tree) -> Option<Text> {
        let mut read = read.items().iter().map(Tree::str);
        let version = read.find(|version| VERSIONS.contains(version))?;
        Some(Text::from(format!("{}/{version}", self.group)))
    }

    /// The review in an answer to one of `version`.
    ///
    /// # Errors
    /// What is wrong with the answer.
    pub(in crate::api) fn read(&self, reply: &Reply, version: &str) -> Result<Tree, String> {
        if !(200..=206).contains(&reply.code) {
            return Err(refused(reply));
        }
        if reply.body.is_empty() {
            return Err(format!(
                "0-length response with status code: {} and content type: {}",
                reply.code, reply.kind
            ));
        }
        // Go's decoder takes what is no JSON for YAML, to which almost everything is a text.
        let text = String::from_utf8_lossy(&reply.body);
        let answer = serde_json::from_str(&text).unwrap_or_else(|_| Tree::from(&*text));
        let kind = match &answer {
            Tree::Map(_) => None,
            Tree::List(_) => Some("array"),
            Tree::Str(_) => Some("string"),
            Tree::Bool(_) => Some("bool"),
            _ => Some("number"),
        };
        if let Some(kind) = kind {
            return Err(format!(
                "couldn't get version/kind; json parse error: json: cannot unmarshal {kind} into Go \
             value of type struct {{ APIVersion string \"json:\\\"apiVersion,omitempty\\\"\"; Kind \
             string \"json:\\\"kind,omitempty\\\"\" }}"
            ));
        }
        self.check_type(&answer, version)?;
        Ok(answer)
    }

    /// An answer says of itself what it is, or nothing; another type can't be read.
    fn check_type(&self, answer: &Tree, wanted: &str) -> Result<(), String> {
        fn or<'t>(have: &'t Tree, default: &'t str) -> &'t str {
            if have.str().is_empty() { default } else { have.str() }
        }
        let kind = or(&answer["kind"], self.kind);
        let version = or(&answer["apiVersion"], wanted);
        let known = VERSIONS.iter().any(|known| version == format!("{}/{known}", self.group));
        if !known || kind != self.kind {
            return Err(format!(
                "no kind \"{kind}\" is registered for version \"{version}\" in scheme \
             \"{}\"",
                self.scheme
            ));
        }
        if version == wanted {
            return Ok(());
        }
        let name = |version: &str| version.rsplit('/').next().unwrap_or_default().to_owned();
        Err(format!(
            "converting ({}.{kind}) to ({}.{kind}): unknown conversion",
            name(version),
            name(wanted)
        ))
    }
}

/// An answer with a status that is none of success.
fn refused(reply: &Reply) -> String {
    let said = String::from_utf8_lossy(&reply.body);
    // A `Status` speaks for itself.
    if let Ok(status) = serde_json::from_str::<Tree>(&said)
        && status["kind"] == "Status"
        && !status["message"].str().is_empty()
    {
        return cut(status["message"].str());
    }
    let is_text = reply.kind.is_empty() || reply.kind.starts_with("text/");
    let said = if is_text { cut(said.trim()) } else { "unknown".to_owned() };
    match reply.code {
        400 => "the server rejected our request for an unknown reason".to_owned(),
        401 => "the server has asked for the client to provide credentials".to_owned(),
        403 => said,
        404 => "the server could not find the requested resource".to_owned(),
        405 => "the server does not allow this method on the requested resource".to_owned(),
        406 => "the server was unable to respond with a content type that the client supports"
            .to_owned(),
        409 => "the server reported a conflict".to_owned(),
        410 => "the requested resource is no longer available".to_owned(),
        422 => "the server rejected our request due to an error in our request".to_owned(),
        429 => "the server has received too many requests and has asked us to try again later"
            .to_owned(),
        503 => "the server is currently unable to handle the request".to_owned(),
        504 => "the server was unable to return a response in the time allotted, but may still be \
                processing the request"
            .to_owned(),
        code if code >= 500 => {
            format!("an error on the server ({said:?}) has prevented the request from succeeding")
        }
        code => format!(
            "the server responded with the status code {code} but did not return more \
                         information"
        ),
    }
}

/// A text as far as it is shown.
pub(in crate::api) fn cut(text: &str) -> String {
    text.chars().take(SHOWN).collect()
}
