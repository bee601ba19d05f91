//! Detecting the programs that run from an environment, besides those that hold its lock: a program
//! may have closed the descriptor that it inherited, or may have been started by the environment's
//! python instead of vpython.

use std::path::Path;

use memchr::memmem;

use crate::fs;

/// The arguments and environments of all processes that the caller may inspect. Without `/proc`,
/// there are none.
pub struct Processes {
    texts: Vec<Vec<u8>>,
    /// Whether an I/O failure has hidden a process; then any path may be in use.
    is_partial: bool,
}

impl Processes {
    /// Reads the data of all processes but this one.
    #[must_use]
    pub fn look() -> Self {
        let own = std::process::id().to_string();
        let directory = Path::new("/proc");
        let names = fs::list(directory);
        let is_partial = names.as_ref().is_err_and(fs::is_io_failure);
        let names = names.ok().flatten().unwrap_or_default();
        let others = names.iter().filter(|name| {
            name.as_encoded_bytes().iter().all(u8::is_ascii_digit) && **name != *own
        });
        let texts = others.flat_map(|name| {
            ["cmdline", "environ"].map(|file| fs::read(&directory.join(name).join(file)))
        });
        let mut programs = Self {
            texts: Vec::new(),
            is_partial,
        };
        for text in texts {
            // Files of a process that has ended, or of another user, cannot be read; that is not a
            // failure.
            programs.is_partial |= text.as_ref().is_err_and(fs::is_io_failure);
            programs.texts.extend(text);
        }
        programs
    }

    /// Returns whether a process has a path at or below `path` in its arguments or environment.
    #[must_use]
    pub fn name(&self, path: &Path) -> bool {
        let name = path.as_os_str().as_encoded_bytes();
        let is_end = |byte: Option<&u8>| matches!(byte, None | Some(0 | b'/' | b':'));
        self.is_partial
            || self.texts.iter().any(|text| {
                memmem::find_iter(text, name).any(|at| is_end(text.get(at + name.len())))
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_named_by_what_lies_at_or_under_it() {
        let texts = vec![
            b"/e/one/bin/python3\0-c\0x".to_vec(),
            b"PATH=/e/two:/bin\0HOME=/e/three".to_vec(),
        ];
        let programs = Processes {
            texts,
            is_partial: false,
        };
        let rows = [
            ("/e/one", true),
            ("/e/two", true),
            ("/e/three", true),
            ("/e/on", false),
            ("/e/four", false),
        ];
        for (path, expected) in rows {
            assert_eq!(programs.name(Path::new(path)), expected, "{path}");
        }
        let partial = Processes {
            is_partial: true,
            ..programs
        };
        assert!(partial.name(Path::new("/e/four")), "any path may be in use");
    }
}
