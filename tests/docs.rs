//! The pages of `docs/` that are made of the catalogues are those of now. `BLESS=1` rewrites them.

use std::fs;
use std::path::Path;

use shakedown::suite::render::{Colour, render};

#[test]
fn pages_are_what_the_catalogues_say() {
    let pages = shakedown::cli::pages();
    let pages = pages.unwrap_or_else(|found| panic!("{}", render(&found, Colour::Plain)));
    let mut stale = Vec::new();
    for page in pages {
        let path = Path::new("docs").join(page.file);
        if std::env::var_os("BLESS").is_some() {
            fs::create_dir_all("docs").unwrap();
            fs::write(&path, &page.text).unwrap();
        } else if fs::read_to_string(&path).unwrap_or_default() != page.text {
            stale.push(path.display().to_string());
        }
    }
    assert!(stale.is_empty(), "stale: {}; BLESS=1 rewrites them", stale.join(", "));
}
