//! Container images made without a container engine and without a registry: a program with the
//! libraries that it needs, as an archive that clusters load. The same program gives the same
//! bytes.

mod archive;
mod program;

pub use archive::{BadReference, Image, Reference};
pub use program::{Program, ProgramError};
