//! Scripts that find the interpreter beside them, wherever the environment is moved.
//!
//! A script that we make begins with a few lines of `sh` inside a string of python's: they start no
//! process unless the script is called through a link. A script that a wheel ships with `#!python`
//! gets one new first line, and no line is put in: a docstring, a `from __future__` import and a
//! coding cookie must stay where they are.

use super::entry_points::EntryPoint;

/// The first line of shipped scripts. Only where the script or its directory is a link, or it is
/// called by a name without a directory, is its real place asked for. `env -S` splits the line into
/// words (GNU coreutils 8.30, the BSDs, macOS); old kernels read no more than 127 bytes of it.
/// Without field splitting and patterns (`IFS=` and `-f`) it needs no quotes, and `/bin/sh` is
/// there whatever `PATH` is.
const FIRST_LINE: &str = "#!/usr/bin/env -S /bin/sh -fc \
    'IFS=;f=$0;d=${f%/*};[ -L $f -o -L $d -o $d = $f ]&&f=$(realpath $f);exec ${f%/*}/python $0 \"$@\"'";

/// How a shipped script for python begins, and no other.
pub(super) const SHIPPED: &[u8] = b"#!python";

/// `sh` runs this up to `exec`; python reads it as a string. Python finds the environment by the
/// path that it is called by, which has to be an absolute one without links in front of the
/// environment's `bin`.
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

/// The text of the script for an entry point.
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

/// A shipped script made movable; none where it is not for python, and stays as it is.
pub(super) fn of_shipped(content: &[u8]) -> Option<Vec<u8>> {
    let after = content.strip_prefix(SHIPPED)?;
    let rest = match memchr::memchr(b'\n', after) {
        Some(newline) => &after[newline + 1..],
        None => &[],
    };
    Some([FIRST_LINE.as_bytes(), b"\n", rest].concat())
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
