//! kubesim-model
