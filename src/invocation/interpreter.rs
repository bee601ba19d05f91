//! The interpreter that the caller names: a file, a directory, a version, or an image.

use std::ffi::OsString;
use std::path::PathBuf;

use anyhow::Result;

use crate::oci::PinnedReference;
use crate::process::Process;
use crate::report::Failure;

/// Reads the word that names the interpreter: a path or a version, or else an image.
///
/// # Errors
/// It begins with `oci:` and is not an image with a digest.
pub(super) fn read(
    word: OsString,
    process: &Process,
) -> Result<(Option<PathBuf>, Option<PinnedReference>)> {
    let parsed = word
        .to_str()
        .and_then(|word| PinnedReference::parse(word, |path| process.absolute(path)));
    match parsed {
        Some(Ok(image)) => Ok((None, Some(image))),
        Some(Err(why)) => {
            let word = word.to_string_lossy();
            let failure = Failure::new(format!("cannot use `{word}` as the interpreter"));
            Err(failure.because(why).hint(HOW_TO_PIN).into())
        }
        // A word without a slash may be a version, so it stays as it is.
        None if word.as_encoded_bytes().contains(&b'/') => {
            Ok((Some(process.absolute(word.as_ref())), None))
        }
        None => Ok((Some(word.into()), None)),
    }
}

/// The hint for an image without a digest.
pub const HOW_TO_PIN: &str = "write `oci://HOST/REPO:TAG@sha256:DIGEST`, which \
    `-vpython-tool push --python` prints; `skopeo inspect` shows the digest of a tag";

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::super::tests::read;
    use crate::process::variable;
    use crate::report;

    const HEX: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    #[test]
    fn an_image_is_named_by_the_flag_or_the_variable() {
        let image = format!("oci:layout:3.11@sha256:{HEX}");
        let flag = format!("-vpython-interpreter={image}");
        for (flags, variables) in [
            (vec![&*flag, "x.py"], vec![(variable::INTERPRETER, "3.12")]),
            (vec!["x.py"], vec![(variable::INTERPRETER, &*image)]),
        ] {
            let invocation = read(&flags, &variables).unwrap();
            assert_eq!(invocation.interpreter, None);
            let image = invocation.interpreter_image.unwrap();
            let expected = format!("oci:/here/layout:3.11@sha256:{HEX}");
            assert_eq!(image.to_string(), expected);
        }
    }

    #[test]
    fn an_image_without_a_digest_is_refused() {
        let error = read(&["-vpython-interpreter=oci://h/python:3.11", "x.py"], &[]).unwrap_err();
        expect![[r#"
            vpython: error: cannot use `oci://h/python:3.11` as the interpreter
              caused by: it has no digest, and a tag may change
              hint: write `oci://HOST/REPO:TAG@sha256:DIGEST`, which `-vpython-tool push --python` prints; `skopeo inspect` shows the digest of a tag
        "#]]
        .assert_eq(&report::render(&error));
    }
}
