//! Draws diagnostics as rustc does: message, source line, carets, help. The one file that touches
//! annotate-snippets.

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};

use super::diagnostic::{Diagnostic, Severity};
use super::located::Place;

/// Whether to draw with terminal colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    /// Plain text.
    Plain,
    /// ANSI colours.
    Ansi,
}

/// All diagnostics as one text, with an empty line between two, ending in a newline.
pub fn render(diagnostics: &[Diagnostic], colour: Colour) -> String {
    let renderer = match colour {
        Colour::Plain => Renderer::plain(),
        Colour::Ansi => Renderer::styled(),
    };
    let renderer = renderer.decor_style(DecorStyle::Ascii);
    let mut text = String::new();
    for (at, diagnostic) in diagnostics.iter().enumerate() {
        if at > 0 {
            text.push('\n');
        }
        text.push_str(&renderer.render(&[group(diagnostic)]));
        text.push('\n');
    }
    text
}

fn group(diagnostic: &Diagnostic) -> Group<'_> {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let title = level.primary_title(&diagnostic.message).id(diagnostic.code.id());
    let mut group = match place(&diagnostic.at) {
        Some(snippet) => {
            let own = AnnotationKind::Primary.span(caret(&diagnostic.at));
            let own = match diagnostic.label.as_str() {
                "" => own,
                label => own.label(label),
            };
            title.element(beside(snippet.annotation(own), diagnostic))
        }
        None => match diagnostic.at.source() {
            Some(source) => title.element(Origin::path(source.path.as_str())),
            None => Group::with_title(title),
        },
    };
    for (at, text) in &diagnostic.labels {
        if !same_file(at, &diagnostic.at)
            && let Some(snippet) = place(at)
        {
            let mark = AnnotationKind::Context.span(caret(at)).label(text);
            group = group.element(snippet.annotation(mark));
        }
    }
    for note in &diagnostic.notes {
        group = group.element(Level::NOTE.message(note));
    }
    if let Some(help) = &diagnostic.help {
        group = group.element(Level::HELP.message(help));
    }
    group
}

type Annotated<'a> = Snippet<'a, annotate_snippets::Annotation<'a>>;

fn beside<'a>(snippet: Annotated<'a>, diagnostic: &'a Diagnostic) -> Annotated<'a> {
    let here = diagnostic.labels.iter().filter(|(at, _)| same_file(at, &diagnostic.at));
    here.fold(snippet, |snippet, (at, text)| {
        snippet.annotation(AnnotationKind::Context.span(caret(at)).label(text))
    })
}

fn same_file(one: &Place, other: &Place) -> bool {
    match (one.source(), other.source()) {
        (Some(one), Some(other)) => std::sync::Arc::ptr_eq(one, other),
        _ => false,
    }
}

fn place(at: &Place) -> Option<Annotated<'_>> {
    let source = at.source()?;
    if source.text.is_empty() {
        return None;
    }
    Some(Snippet::source(&*source.text).path(source.path.as_str()))
}

/// The bytes to underline: a long block is marked at its first line only.
fn caret(at: &Place) -> std::ops::Range<usize> {
    let range = at.range();
    let first = at.text().split('\n').next().unwrap_or_default().trim_end();
    range.start..range.start + first.len()
}
