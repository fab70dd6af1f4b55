//! Causes that only custom resources and their definitions have (apimachinery v0.36,
//! `util/validation/field`).

use kubesim_model::tree::Tree;

use crate::api::errors::Cause;

impl Cause {
    /// A value breaks a rule and is not shown.
    pub(in crate::api) fn invalid_unseen(field: impl Into<String>, detail: &str) -> Self {
        Cause::new(field, "FieldValueInvalid", format!("Invalid value: {detail}"))
    }

    /// A value breaks a rule; the value as it is to be shown.
    pub(in crate::api) fn invalid_as(field: impl Into<String>, value: &str, detail: &str) -> Self {
        Cause::new(field, "FieldValueInvalid", format!("Invalid value: {value}: {detail}"))
    }

    /// A value is of another type than it must be.
    pub(in crate::api) fn type_invalid(
        field: impl Into<String>,
        value: &Tree,
        detail: &str,
    ) -> Self {
        Cause::new(field, "FieldValueTypeInvalid", format!("Invalid value: {value}: {detail}"))
    }

    /// A text is longer than `most`.
    pub(in crate::api) fn too_long(field: impl Into<String>, most: i64) -> Self {
        let bytes = if most == 1 { "byte" } else { "bytes" };
        let message = format!("Too long: may not be more than {most} {bytes}");
        Cause::new(field, "FieldValueTooLong", message)
    }

    /// There are more elements or fields than `most`.
    pub(in crate::api) fn too_many(field: impl Into<String>, count: i64, most: i64) -> Self {
        let items = if most == 1 { "item" } else { "items" };
        let message = format!("Too many: {count}: must have at most {most} {items}");
        Cause::new(field, "FieldValueTooMany", message)
    }

    /// A value is there twice and is not shown.
    pub(in crate::api) fn duplicate_unseen(field: impl Into<String>) -> Self {
        Cause::new(field, "FieldValueDuplicate", "Duplicate value".to_owned())
    }

    /// The whole text of it.
    pub(in crate::api) fn told(&self) -> String {
        format!("{}: {}", self.field, self.message)
    }

    /// Whether rules in CEL can't be asked of an object that is wrong in this way
    /// (apiextensions-apiserver v0.36, `registry/customresource` `hasBlockingErr`).
    pub(in crate::api) fn hides_rules(&self) -> bool {
        matches!(
            self.reason,
            "FieldValueNotSupported"
                | "FieldValueRequired"
                | "FieldValueTooLong"
                | "FieldValueTooMany"
                | "FieldValueTypeInvalid"
        )
    }
}
