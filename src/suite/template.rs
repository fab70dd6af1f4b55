//! `${{ … }}`: finding the expressions in a text and replacing them by their values. Owns the
//! notation; where templates may stand and which variables they see is decided by the readers.

use kubesim_model::Text;
use kubesim_model::tree::{Map, Tree};

use super::cel::{Bindings, CelError, Program};

/// A text cut into what is literal and what is computed.
#[derive(Clone, Debug, PartialEq)]
pub struct TextTemplate {
    parts: Vec<Part>,
}

/// A piece of a template.
#[derive(Clone, Debug, PartialEq)]
pub enum Part {
    /// Stays as it is.
    Literal(Text),
    /// Is replaced by its value; with the bytes of the whole text where the expression stands.
    Computed(Program, std::ops::Range<usize>),
}

/// Why a text is no template.
#[derive(Clone, Debug, PartialEq)]
pub enum TemplateError {
    /// A `${{` at this byte without its `}}`.
    Open(usize),
    /// The expression in these bytes does not compile.
    Bad(std::ops::Range<usize>, CelError),
}

impl TextTemplate {
    /// Whether `text` contains the start of an expression.
    pub fn is_in(text: &str) -> bool {
        text.contains("${{")
    }

    /// Cuts `text`.
    ///
    /// # Errors
    /// An expression that is not closed or does not compile.
    pub fn compile(text: &str) -> Result<TextTemplate, TemplateError> {
        let mut parts = Vec::new();
        let mut from = 0;
        while let Some(found) = text[from..].find("${{") {
            let open = from + found;
            if open > from {
                parts.push(Part::Literal(Text::new(&text[from..open])));
            }
            let start = open + 3;
            let length = closing(&text[start..]).ok_or(TemplateError::Open(open))?;
            let raw = &text[start..start + length];
            let lead = raw.len() - raw.trim_start().len();
            let place = start + lead..start + lead + raw.trim().len();
            let program = Program::compile(raw.trim());
            let program = program.map_err(|error| TemplateError::Bad(place.clone(), error))?;
            parts.push(Part::Computed(program, place));
            from = start + length + 2;
        }
        if from < text.len() || parts.is_empty() {
            parts.push(Part::Literal(Text::new(&text[from..])));
        }
        Ok(TextTemplate { parts })
    }

    /// The pieces.
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// The value: a text that is wholly one expression keeps its type, else texts are joined.
    ///
    /// # Errors
    /// What the first expression that fails says.
    pub fn eval(&self, bindings: &Bindings) -> Result<Tree, CelError> {
        if let [Part::Computed(program, _)] = self.parts.as_slice() {
            return program.eval(bindings);
        }
        let mut text = String::new();
        for part in &self.parts {
            match part {
                Part::Literal(literal) => text.push_str(literal),
                Part::Computed(program, _) => match program.eval(bindings)? {
                    Tree::Str(value) => text.push_str(&value),
                    Tree::Null => {}
                    other => text.push_str(&other.to_string()),
                },
            }
        }
        Ok(text.into())
    }
}

/// The length of the expression before its `}}`; braces and quotes inside it are respected.
fn closing(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut open = 0_usize;
    let mut quote = None;
    let mut at = 0;
    while at < bytes.len() {
        match (bytes[at], quote) {
            (b'\\', Some(_)) => at += 1,
            (byte, Some(with)) if byte == with => quote = None,
            (b'"' | b'\'', None) => quote = Some(bytes[at]),
            (b'{', None) => open += 1,
            (b'}', None) if open > 0 => open -= 1,
            (b'}', None) if bytes.get(at + 1) == Some(&b'}') => return Some(at),
            _ => {}
        }
        at += 1;
    }
    None
}

/// A tree in which texts may be templates, compiled once: the patches of a subject file.
#[derive(Clone, Debug, PartialEq)]
pub enum Template {
    /// Stays as it is.
    Fixed(Tree),
    /// A text with expressions.
    Text(TextTemplate),
    /// A list.
    List(Vec<Template>),
    /// A mapping.
    Map(Vec<(Text, Template)>),
}

impl Template {
    /// The value for these variables. A field that becomes `null` by an expression is left out, so
    /// that an optional argument can be passed on without a condition.
    ///
    /// # Errors
    /// What the first expression that fails says.
    pub fn eval(&self, bindings: &Bindings) -> Result<Tree, CelError> {
        Ok(match self {
            Template::Fixed(tree) => tree.clone(),
            Template::Text(text) => text.eval(bindings)?,
            Template::List(items) => {
                items.iter().map(|item| item.eval(bindings)).collect::<Result<Vec<_>, _>>()?.into()
            }
            Template::Map(entries) => {
                let mut map = Map::default();
                for (key, entry) in entries {
                    let value = entry.eval(bindings)?;
                    if !(value.is_null() && matches!(entry, Template::Text(_))) {
                        map.insert(key, value);
                    }
                }
                map.into()
            }
        })
    }

    /// Every expression in it.
    pub fn programs(&self) -> Vec<&Program> {
        match self {
            Template::Fixed(_) => Vec::new(),
            Template::Text(text) => text
                .parts()
                .iter()
                .filter_map(|part| match part {
                    Part::Computed(program, _) => Some(program),
                    Part::Literal(_) => None,
                })
                .collect(),
            Template::List(items) => items.iter().flat_map(Template::programs).collect(),
            Template::Map(entries) => entries.iter().flat_map(|(_, e)| e.programs()).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use kubesim_model::map;

    use super::*;

    fn eval(text: &str) -> Tree {
        let params = map! { "replicas" => 6, "tag" => "2.60" };
        let bindings = Bindings::new().with("params", params);
        TextTemplate::compile(text).unwrap().eval(&bindings).unwrap()
    }

    #[test]
    fn a_whole_expression_keeps_its_type_and_a_part_becomes_text() {
        assert_eq!(eval("${{ params.replicas }}"), Tree::Int(6));
        assert_eq!(eval("agnhost:${{ params.tag }}"), Tree::from("agnhost:2.60"));
        assert_eq!(eval("${{ params.replicas }}${{ params.replicas }}"), Tree::from("66"));
        assert_eq!(eval("plain"), Tree::from("plain"));
    }

    #[test]
    fn braces_and_quotes_inside_an_expression_do_not_close_it() {
        assert_eq!(eval("${{ {'a': {'b': '}}'}}.a.b }}"), Tree::from("}}"));
    }

    #[test]
    fn an_expression_without_an_end_is_an_error() {
        assert_eq!(TextTemplate::compile("a ${{ 1 "), Err(TemplateError::Open(2)));
        assert!(matches!(TextTemplate::compile("${{ 1 + }}"), Err(TemplateError::Bad(..))));
    }
}
