//! What many trials say together: whether planted bugs are caught, how often faults bite, how fast
//! it all goes. Knows of single trials only what `run` tells.

pub mod api_load;
pub mod bench;
pub mod fidelity;
pub mod mutants;
pub mod soak;
