//! What expressions see as `objects`: lists by plural.

use kubesim_model::Text;
use kubesim_model::tree::Tree;

use crate::history::View;
use crate::suite::cel::Program;

/// The objects that these programs read, by plural.
pub(super) fn objects_for<'p>(
    view: &View,
    programs: impl IntoIterator<Item = &'p Program>,
) -> Tree {
    let mut objects = Tree::map();
    for program in programs {
        for plural in program.fields_of("objects").flatten() {
            objects.set(&[plural.as_str()], of_plural(view, plural));
        }
    }
    objects
}

/// The objects of all kinds, by plural.
pub(super) fn all_objects(view: &View) -> Tree {
    let mut objects = Tree::map();
    for resource in view.objects.resources() {
        let plural = Text::from(resource.plural());
        objects.set(&[plural.as_str()], of_plural(view, &plural));
    }
    objects
}

fn of_plural(view: &View, plural: &Text) -> Vec<Tree> {
    let resources = view.objects.resources().filter(|resource| resource.plural() == plural);
    resources
        .flat_map(|resource| view.objects.all(resource))
        .map(|(_, object)| object.clone())
        .collect()
}
