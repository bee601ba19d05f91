//! Scripts that find the interpreter in their own directory, wherever the environment is moved.
//!
//! A script for an entry point begins with a few lines of `sh` inside a Python string; they start
//! no process unless the script is called through a link. A shipped script with a `#!python`
//! shebang only gets a new first line, and no additional line: a docstring, a `from __future__`
//! import and an encoding declaration must keep their position.

use crate::wheel::entry_points::EntryPoint;

/// The shebang of shipped scripts. It resolves the script's real path only if the script or its
/// directory is a link, or if it was called by a name without a directory. `env -S` splits the line
/// into words (GNU coreutils 8.30, the BSDs, macOS); old kernels read at most 127 bytes of it.
/// Without field splitting and globbing (`IFS=` and `-f`) it needs no quotes, and `/bin/sh` exists
/// whatever `PATH` is.
const FIRST_LINE: &str = "#!/usr/bin/env -S /bin/sh -fc \
    'IFS=;f=$0;d=${f%/*};[ -L $f -o -L $d -o $d = $f ]&&f=$(realpath $f);exec ${f%/*}/python $0 \"$@\"'";

/// The beginning of a shipped script for python.
pub(super) const SHIPPED: &[u8] = b"#!python";

/// `sh` runs this up to `exec`; python reads it as a string. Python finds the environment by the
/// path by which it is called, which must be absolute and, before the environment's `bin`, without
/// links.
const PREAMBLE: &str = r#"#!/bin/sh
'''':
case $0 in
/*) script=$0 ;;
*) script=$PWD/${0#./} ;;
esac
if [ -L "$script" ] || [ -L "${script%/*}" ]; then
    script=$(PATH=$PATH:/usr/bin:/bin readlink -f "$script")
fi
exec "${script%/*}/python" "$0" "$@"
'''
"#;

/// Returns the script for an entry point.
pub(super) fn of_entry_point(point: &EntryPoint) -> String {
    let EntryPoint {
        name: _,
        module,
        attribute,
    } = point;
    let imported = attribute.split('.').next().unwrap_or_default();
    format!(
        "{PREAMBLE}import sys\n\nfrom {module} import {imported}\n\nif __name__ == \"__main__\":\n    sys.exit({attribute}())\n"
    )
}

/// Makes a shipped script movable; none if it is not for python and stays unchanged.
pub(super) fn of_shipped(content: &[u8]) -> Option<Vec<u8>> {
    let after = content.strip_prefix(SHIPPED)?;
    let rest = match memchr::memchr(b'\n', after) {
        Some(newline) => &after[newline + 1..],
        None => &[],
    };
    Some([FIRST_LINE.as_bytes(), b"\n", rest].concat())
}

/// Returns a script of the functions above with a first line that names the interpreter at `python`;
/// none if it is another script.
pub(super) fn direct(script: &[u8], python: &str) -> Option<Vec<u8>> {
    let of_entry_point = script.strip_prefix(PREAMBLE.as_bytes());
    let shipped = || {
        script
            .strip_prefix(FIRST_LINE.as_bytes())?
            .strip_prefix(b"\n")
    };
    let rest = of_entry_point.or_else(shipped)?;
    Some([b"#!", python.as_bytes(), b"\n", rest].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_fits_an_old_kernel() {
        assert!(FIRST_LINE.len() <= 127, "{}", FIRST_LINE.len());
    }

    #[test]
    fn only_the_first_line_of_a_shipped_script_changes() {
        let rows: [(&[u8], Option<&[u8]>); 6] = [
            (
                b"#!python\n'''doc'''\nfrom __future__ import annotations\n",
                Some(b"'''doc'''\nfrom __future__ import annotations\n"),
            ),
            (b"#!pythonw -u\r\nx\r\n", Some(b"x\r\n")),
            (b"#!python", Some(b"")),
            (b"#!/bin/sh\nexit 0\n", None),
            (b"#!/usr/bin/env python\n", None),
            (b"\x7fELF", None),
        ];
        for (content, rest) in rows {
            let expected = rest.map(|rest| [FIRST_LINE.as_bytes(), b"\n", rest].concat());
            assert_eq!(of_shipped(content), expected);
        }
    }

    #[test]
    fn a_script_names_its_interpreter_directly() {
        let point = EntryPoint {
            name: "run".into(),
            module: "a".into(),
            attribute: "main".into(),
        };
        let direct = |script: &[u8]| {
            let script = direct(script, "/e/bin/python")?;
            String::from_utf8(script).ok()
        };
        let script = direct(of_entry_point(&point).as_bytes()).unwrap();
        assert!(script.starts_with("#!/e/bin/python\nimport sys\n"));
        let shipped = of_shipped(b"#!python\n'''doc'''\n").unwrap();
        let expected = "#!/e/bin/python\n'''doc'''\n".to_owned();
        assert_eq!(direct(&shipped), Some(expected));
        assert_eq!(direct(b"#!/bin/sh\nexit 0\n"), None);
    }

    #[test]
    fn an_entry_point_is_imported_by_its_first_name() {
        let point = EntryPoint {
            name: "run".into(),
            module: "a.b".into(),
            attribute: "C.main".into(),
        };
        let script = of_entry_point(&point);
        let body = "import sys\n\nfrom a.b import C\n\nif __name__ == \"__main__\":\n    sys.exit(C.main())\n";
        assert_eq!(script.strip_prefix(PREAMBLE), Some(body));
    }
}
