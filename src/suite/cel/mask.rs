//! Which parts of its variables an expression can look at. Objects are large and expressions look
//! at little of them, so that only that little is made into values of the CEL crate.
//!
//! A mask errs on the side of too much: whatever is not a plain selection of fields, or an
//! iteration over a plain selection, makes the whole value visible.

use std::collections::BTreeMap;

use kube_cel::cel::common::ast::operators::INDEX;
use kube_cel::cel::common::ast::{EntryExpr, Expr, IdedExpr, LiteralValue};
use kubesim_model::Text;
use kubesim_model::tree::Tree;

/// The visible part of a value.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Mask {
    whole: bool,
    fields: BTreeMap<Text, Mask>,
    items: Option<Box<Mask>>,
}

impl Mask {
    /// Whether the mask says something about a value of this shape; else all of it is visible.
    pub(super) fn fits(&self, tree: &Tree) -> bool {
        !self.whole
            && match tree {
                Tree::Map(_) => self.items.is_none(),
                Tree::List(_) => self.fields.is_empty() && self.items.is_some(),
                _ => false,
            }
    }

    /// The visible fields of an object that the mask fits.
    pub(super) fn fields(&self) -> impl Iterator<Item = (&Text, &Mask)> {
        self.fields.iter()
    }

    /// The visible part of each element of a list that the mask fits.
    pub(super) fn items(&self) -> &Mask {
        self.items.as_deref().expect("a mask that fits a list has one for its items")
    }
}

/// A way from a variable to a part of it.
type Path = Vec<Step>;

#[derive(Clone)]
enum Step {
    Field(Text),
    Item,
}

/// The masks of the variables that `expression` reads.
pub(super) fn masks_of(expression: &IdedExpr) -> BTreeMap<Text, Mask> {
    let mut reading = Reading::default();
    reading.read(expression);
    reading.masks
}

#[derive(Default)]
struct Reading<'e> {
    /// The variables of the iterations around, with what they stand for if that is a path.
    bound: Vec<(&'e str, Option<(Text, Path)>)>,
    masks: BTreeMap<Text, Mask>,
}

impl<'e> Reading<'e> {
    fn read(&mut self, expression: &'e IdedExpr) {
        if let Some((root, path)) = self.path(expression) {
            self.mask(root, &path).whole = true;
            return;
        }
        match &expression.expr {
            Expr::Select(select) => self.read(&select.operand),
            Expr::Call(call) => {
                call.target.as_deref().into_iter().chain(&call.args).for_each(|e| self.read(e));
            }
            Expr::List(list) => list.elements.iter().for_each(|element| self.read(element)),
            Expr::Map(map) => map.entries.iter().for_each(|entry| self.entry(&entry.expr)),
            Expr::Struct(made) => made.entries.iter().for_each(|entry| self.entry(&entry.expr)),
            Expr::Comprehension(each) => {
                let range = self.path(&each.iter_range).filter(|_| each.iter_var2.is_none());
                let item = range.map(|(root, mut path)| {
                    path.push(Step::Item);
                    self.mask(root.clone(), &path);
                    (root, path)
                });
                if item.is_none() {
                    self.read(&each.iter_range);
                }
                self.read(&each.accu_init);
                let outer = self.bound.len();
                self.bound.push((&each.iter_var, item));
                self.bound.extend(each.iter_var2.as_deref().map(|name| (name, None)));
                self.bound.push((&each.accu_var, None));
                for part in [&each.loop_cond, &each.loop_step, &each.result] {
                    self.read(part);
                }
                self.bound.truncate(outer);
            }
            Expr::Ident(_) | Expr::Literal(_) | Expr::Unspecified => {}
        }
    }

    fn entry(&mut self, entry: &'e EntryExpr) {
        match entry {
            EntryExpr::StructField(field) => self.read(&field.value),
            EntryExpr::MapEntry(entry) => {
                self.read(&entry.key);
                self.read(&entry.value);
            }
        }
    }

    /// The way that a plain selection takes; none for anything else.
    fn path(&self, expression: &IdedExpr) -> Option<(Text, Path)> {
        let field = |of: &IdedExpr, name: &str| {
            let (root, mut path) = self.path(of)?;
            path.push(Step::Field(Text::new(name)));
            Some((root, path))
        };
        match &expression.expr {
            Expr::Ident(name) => {
                let name = name.trim_start_matches('.');
                match self.bound.iter().rev().find(|(bound, _)| *bound == name) {
                    Some((_, stands_for)) => stands_for.clone(),
                    None => Some((Text::new(name), Path::new())),
                }
            }
            Expr::Select(select) => field(&select.operand, &select.field),
            Expr::Call(call) if call.func_name == INDEX && call.args.len() == 2 => {
                match &call.args[1].expr {
                    Expr::Literal(LiteralValue::String(name)) => field(&call.args[0], name.inner()),
                    _ => None,
                }
            }
            _ => None,
        }
    }

    fn mask(&mut self, root: Text, path: &[Step]) -> &mut Mask {
        let root = self.masks.entry(root).or_default();
        path.iter().fold(root, |mask, step| match step {
            Step::Field(name) => mask.fields.entry(name.clone()).or_default(),
            Step::Item => mask.items.get_or_insert_default(),
        })
    }
}
