//! What is wrong in a user's file: one diagnostic per mistake, each with a stable code. Owns the
//! list of codes; drawing them is the job of `render`.

use super::located::Place;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The file can't be used.
    Error,
    /// The file can be used, but probably does not say what was meant.
    Warning,
}

macro_rules! codes {
    ($($(#[doc = $doc:literal])* $name:ident = $number:literal),* $(,)?) => {
        /// The kind of a mistake. The number never changes its meaning.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Code {
            $($(#[doc = $doc])* $name = $number),*
        }

        impl Code {
            /// Every code, in the order of the numbers.
            pub const ALL: &'static [Code] = &[$(Code::$name),*];

            /// What the code stands for, in one sentence.
            pub fn summary(self) -> &'static str {
                match self {
                    $(Code::$name => concat!($($doc),*).trim_ascii()),*
                }
            }
        }
    };
}

codes! {
    /// The file can't be read.
    Unreadable = 1,
    /// The file is not text in UTF-8.
    NotText = 2,
    /// The file is larger than the limit.
    TooLarge = 3,
    /// The file is not YAML.
    Syntax = 4,
    /// The file holds no document.
    Empty = 5,
    /// The document is nested too deeply.
    TooDeep = 6,
    /// Aliases make the document larger than the limit.
    TooManyNodes = 7,
    /// A key stands twice in one mapping.
    DuplicateKey = 8,
    /// The file holds more documents than it may.
    ManyDocuments = 9,
    /// The `apiVersion` is not one that this version reads.
    ApiVersion = 10,
    /// The `kind` is not one that this version reads.
    Kind = 11,
    /// A field that does not exist.
    UnknownField = 12,
    /// A field that must be there is missing.
    MissingField = 13,
    /// A value of the wrong type.
    WrongType = 14,
    /// A text that is no duration.
    BadDuration = 15,
    /// A value that is neither a whole number nor a percentage.
    BadAmount = 16,
    /// A number outside its range.
    OutOfRange = 17,
    /// A word that is none of those allowed.
    UnknownWord = 18,
    /// A CEL expression that does not parse.
    BadExpression = 19,
    /// A CEL expression that uses a variable which does not exist there.
    UnknownVariable = 20,
    /// A `${{ … }}` that can't be evaluated.
    FailedTemplate = 21,
    /// A `${{` without its `}}`.
    OpenTemplate = 22,
    /// A step that does not exist.
    UnknownStep = 23,
    /// A list entry that names no action, or more than one.
    NotOneKey = 24,
    /// A fault that is not in the catalogue.
    UnknownFault = 25,
    /// An invariant that is not in the catalogue.
    UnknownInvariant = 26,
    /// A subject of which there is no file.
    UnknownSubject = 27,
    /// A requirement that is not in the catalogue.
    UnknownRequirement = 28,
    /// An operation that a subject does not describe.
    UnknownOperation = 29,
    /// A parameter that the scenario does not define.
    UndefinedParameter = 30,
    /// A parameter that nothing uses.
    UnusedParameter = 31,
    /// A file that a scenario names does not exist.
    MissingFile = 32,
    /// A manifest that is no Kubernetes object.
    BadManifest = 33,
    /// A workload that `given` does not apply.
    UnknownWorkload = 34,
    /// A list that may not be empty.
    EmptyList = 35,
    /// Two files or objects of the same name.
    DuplicateName = 36,
    /// A name that Kubernetes would refuse.
    BadName = 37,
    /// A label that Kubernetes would refuse.
    BadLabel = 38,
    /// A list entry that stands there twice.
    DuplicateEntry = 39,
    /// Fields that exclude each other.
    Exclusive = 40,
    /// An expectation about a subject or requirement that the scenario does not have.
    UnusedExpectation = 41,
    /// A matrix with more rows than the limit.
    MatrixTooLarge = 42,
    /// A trigger that waits for a step which does not exist.
    UnknownStepName = 43,
    /// A capability that no subject or provider can have.
    UnknownCapability = 44,
    /// A requirement that no check of the scenario decides.
    Undecided = 45,
    /// A duration that contradicts another one.
    Contradiction = 46,
    /// A bug that is not planted there.
    UnknownBug = 47,
}

impl Code {
    /// The code as it is printed: `S0012`.
    pub fn id(self) -> String {
        format!("S{:04}", self as u16)
    }
}

/// One mistake, with all that is needed to show it.
#[derive(Clone, Debug, PartialEq)]
pub struct Diagnostic {
    /// The kind of the mistake.
    pub code: Code,
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong: a lower-case fragment with names in backticks.
    pub message: String,
    /// Where.
    pub at: Place,
    /// What is written under the carets.
    pub label: String,
    /// Other places that matter, with what to say there.
    pub labels: Vec<(Place, String)>,
    /// Further remarks.
    pub notes: Vec<String>,
    /// How to mend it.
    pub help: Option<String>,
}

impl Diagnostic {
    /// An error at `at`.
    pub fn error(code: Code, at: &Place, message: impl Into<String>) -> Self {
        Diagnostic {
            code,
            severity: Severity::Error,
            message: message.into(),
            at: at.clone(),
            label: String::new(),
            labels: Vec::new(),
            notes: Vec::new(),
            help: None,
        }
    }

    /// Says what to write under the carets.
    pub fn label(mut self, text: impl Into<String>) -> Self {
        self.label = text.into();
        self
    }

    /// Points at another place.
    pub fn also(mut self, at: &Place, text: impl Into<String>) -> Self {
        self.labels.push((at.clone(), text.into()));
        self
    }

    /// Adds a remark.
    pub fn note(mut self, text: impl Into<String>) -> Self {
        self.notes.push(text.into());
        self
    }

    /// Says how to mend it.
    pub fn help(mut self, text: impl Into<String>) -> Self {
        self.help = Some(text.into());
        self
    }

    /// Offers the nearest of `known` to `have`, or lists them if none is near and they are few.
    pub fn suggest<'k>(mut self, have: &str, known: impl IntoIterator<Item = &'k str>) -> Self {
        let known: Vec<&str> = known.into_iter().collect();
        self.help = match nearest(have, &known) {
            Some(near) => Some(format!("did you mean `{near}`?")),
            None if known.is_empty() => Some("nothing may stand here".to_owned()),
            None if known.len() <= 24 => {
                let names: Vec<String> = known.iter().map(|name| format!("`{name}`")).collect();
                Some(format!("known here: {}", names.join(", ")))
            }
            None => None,
        };
        self
    }
}

/// The entry of `known` that is most like `have`, if any is alike enough to be a slip of the keys.
fn nearest<'k>(have: &str, known: &[&'k str]) -> Option<&'k str> {
    let fold = |text: &str| text.to_lowercase().replace(['_', ' '], "-");
    let have = fold(have);
    let mut near: Option<(usize, f64, &'k str)> = None;
    for name in known {
        let folded = fold(name);
        let far = strsim::damerau_levenshtein(&have, &folded);
        let score = strsim::jaro_winkler(&have, &folded);
        let alike = far <= 1 || (far <= 2.max(name.chars().count() / 3) && score > 0.7);
        let nearer =
            near.is_none_or(|(best, so_far, _)| far < best || (far == best && score > so_far));
        if alike && nearer && far < folded.chars().count() {
            near = Some((far, score, name));
        }
    }
    near.map(|(_, _, name)| name)
}
