//! `-vpython-tool unpack SOURCE DIR`: creates an environment from an archive or an image of `pack`.

use std::ffi::{OsStr, OsString};
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result};

use super::install;
use crate::fs;
use crate::invocation::{Invocation, Unpack};
use crate::oci::{LayoutReference, Platform, Reference};
use crate::packed::{Packed, PackedImage};
use crate::plan;
use crate::portable;
use crate::process::{self, Process};
use crate::report::{self, Failure};
use crate::store::Layers;

/// Unpacks the archive that the command line names, prints the path of the environment, and returns
/// the exit code.
///
/// # Errors
/// Returns an error if the file is not an archive of `pack` or is damaged, if the destination holds
/// anything that vpython did not unpack, or if the interpreter does not exist.
pub fn run(options: &Unpack, invocation: &Invocation, process: &Process) -> Result<i32> {
    let (packed, destination) = named(invocation, process)?;
    // Validate everything before anything is written.
    let link = options
        .link
        .as_ref()
        .map(|name| Link::to(name, &destination, process))
        .transpose()?;
    portable::unpack(&packed, &destination, options, invocation, process)?;
    link.map_or(Ok(()), |link| link.put())?;
    install::print(&destination)
}

/// Returns the archive or image, and the destination.
fn named(invocation: &Invocation, process: &Process) -> Result<(Packed, PathBuf)> {
    let words: Vec<&OsString> = invocation
        .words
        .iter()
        .filter(|word| *word != "--")
        .collect();
    match words[..] {
        [file, destination] if !destination.is_empty() => Ok((
            packed(file, invocation, process)?,
            fs::plain_place(process.absolute(Path::new(destination))),
        )),
        _ => {
            let failure =
                Failure::new("`-vpython-tool unpack` takes an archive and a destination directory");
            Err(failure
                .hint(format!(
                    "for example: `{} -vpython-tool unpack env.tar.gz /opt/app/env`",
                    report::program()
                ))
                .into())
        }
    }
}

/// Opens an archive, or an image that is named by a reference.
fn packed(word: &OsStr, invocation: &Invocation, process: &Process) -> Result<Packed> {
    let reference = word.to_str().and_then(Reference::parse);
    let reference = reference
        .transpose()
        .map_err(|why| Failure::new(format!("cannot unpack `{}`", word.display())).because(why))?;
    let path = Path::new(word);
    let reference = reference.or_else(|| {
        let layout = LayoutReference {
            path: path.to_owned(),
            tag: None,
        };
        portable::pack::has_suffix_of_image(path).then_some(Reference::Layout(layout))
    });
    match reference {
        None => Ok(Packed::Archive(process.absolute(path))),
        Some(Reference::Layout(mut reference)) => {
            reference.path = process.absolute(&reference.path);
            let platform = Platform::linux(process::MACHINE);
            PackedImage::open(&reference, &platform).map(|image| Packed::Image(Box::new(image)))
        }
        Some(Reference::Registry(reference)) => {
            let client = plan::registry_client(invocation, process)?;
            let platform = Platform::linux(process::MACHINE);
            let kept = Layers::of(invocation, process)?;
            PackedImage::open_remote(&client, &reference, &platform, kept)
                .with_context(|| format!("cannot unpack `{reference}`"))
                .map(|image| Packed::Image(Box::new(image)))
        }
    }
}

/// A link to the environment.
struct Link {
    path: PathBuf,
    target: PathBuf,
}

impl Link {
    /// The link with this name: next to the environment if it is a plain name, else relative to the
    /// current directory.
    ///
    /// # Errors
    /// Returns an error if the name is in use by anything but a link, or lies inside the
    /// environment.
    fn to(name: &Path, destination: &Path, process: &Process) -> Result<Self> {
        let is_plain = matches!(
            name.components().collect::<Vec<_>>()[..],
            [Component::Normal(_)]
        );
        let path = if is_plain {
            destination.with_file_name(name)
        } else {
            fs::plain_place(process.absolute(name))
        };
        // Only an existing link may be replaced.
        let refuse = |why| {
            Err(
                Failure::new(format!("cannot create the link `{}`", path.display()))
                    .because(why)
                    .into(),
            )
        };
        if path == destination || fs::link_metadata(&path)?.is_some_and(|found| !found.is_symlink())
        {
            return refuse("the name is already in use");
        }
        if path.starts_with(destination) {
            return refuse("it would be inside the environment");
        }
        // In the same directory, the link is relative, so that both can be moved together.
        let sibling = destination
            .file_name()
            .filter(|_| path.parent() == destination.parent());
        Ok(Self {
            target: sibling.map_or_else(|| destination.to_path_buf(), PathBuf::from),
            path,
        })
    }

    fn put(&self) -> Result<()> {
        let directory = self.path.parent().unwrap_or(Path::new("/"));
        let put = fs::create_dir_all(directory, 0o755)
            .and_then(|()| fs::replace_link(&self.target, &self.path));
        put.with_context(|| format!("cannot create the link `{}`", self.path.display()))
    }
}
