//! Versions as programs print them, which is not always as semantic versioning wants them.

use semver::Version;

/// Reads the first word that looks like a version: `v1.2.3`, `1.2`, `20.10.24+dfsg1`, `5.0.0-rc1`.
pub(crate) fn find(text: &str) -> Option<Version> {
    text.split(|c: char| c.is_whitespace() || ",\"'()".contains(c)).find_map(read)
}

fn read(word: &str) -> Option<Version> {
    let word = word.strip_prefix('v').unwrap_or(word);
    if let Ok(version) = Version::parse(word) {
        return Some(version);
    }
    let end = word.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(word.len());
    let mut numbers = word[..end].split('.').filter(|part| !part.is_empty());
    let mut number = || numbers.next().and_then(|part| part.parse().ok());
    let (major, minor) = (number()?, number()?);
    Some(Version::new(major, minor, number().unwrap_or(0)))
}

/// Whether a version is at least another; what a distribution appended to it has no say.
pub(crate) fn is_at_least(found: &Version, needed: &Version) -> bool {
    let numbers = |version: &Version| (version.major, version.minor, version.patch);
    numbers(found) >= numbers(needed)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn versions_are_found_in_what_programs_print() {
        for (text, wanted) in [
            ("kind v0.33.0 go1.26.8 linux/amd64\n", "0.33.0"),
            ("Docker version 28.2.2, build e6534b4", "28.2.2"),
            ("20.10.24+dfsg1", "20.10.24+dfsg1"),
            ("20.10", "20.10.0"),
            ("20.10.07", "20.10.7"),
            ("podman version 5.0.0-dev", "5.0.0-dev"),
        ] {
            assert_eq!(find(text), Some(wanted.parse().unwrap()), "{text}");
        }
        for text in ["", "unknown", "v", "1", "crictl version unknown"] {
            assert_eq!(find(text), None, "{text}");
        }
    }

    #[test]
    fn a_suffix_makes_no_version_older() {
        let needed = Version::new(5, 0, 0);
        assert!(is_at_least(&"5.0.0-dev".parse().unwrap(), &needed));
        assert!(!is_at_least(&"4.9.9".parse().unwrap(), &needed));
    }

    proptest! {
        #[test]
        fn no_text_panics(text in ".{0,64}") {
            let _ = find(&text);
        }

        #[test]
        fn every_version_is_found_again(major: u64, minor: u64, patch: u64) {
            let version = Version::new(major, minor, patch);
            prop_assert_eq!(find(&format!("tool v{version} x")), Some(version));
        }
    }
}
