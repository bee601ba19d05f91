//! [`Destination`]: where `push` copies wheels to.

use std::ffi::OsString;
use std::path::Path;

use anyhow::{Context, Result};
use tempfile::TempDir;

use super::EMPTY;
use crate::fs::{self, limits};
use crate::invocation::Invocation;
use crate::oci::{
    BLOBS, Descriptor, LayoutReference, Reference, RegistryReference, Version, media_type,
};
use crate::plan;
use crate::process::Process;
use crate::remote::Content;
use crate::remote::registry::{BlobSource, BlobToPush, Registry, Sent};
use crate::report::{self, Failure};

/// Where the wheels are copied to.
pub(super) enum Destination {
    /// An image layout.
    Layout(LayoutReference),
    /// A repository of a registry.
    Registry(Box<Repository>),
}

/// A repository, and the temporary layout from which it gets the wheels.
pub(super) struct Repository {
    reference: RegistryReference,
    registry: Registry,
    layout: TempDir,
}

impl Destination {
    /// Reads the first word of a command line.
    ///
    /// # Errors
    /// It is missing or is not a destination, or the network may not be used.
    pub fn read(
        word: Option<OsString>,
        invocation: &Invocation,
        process: &Process,
    ) -> Result<Self> {
        let example = || {
            let program = report::program();
            format!("for example: `{program} -vpython-tool push oci:wheels script.py`")
        };
        let Some(word) = word else {
            let what =
                "`-vpython-tool push` requires the image layout or the repository to write to";
            return Err(Failure::new(what).hint(example()).into());
        };
        let word = word.to_string_lossy();
        let cannot = || Failure::new(format!("cannot push to `{word}`"));
        match Reference::parse(&word) {
            Some(Ok(Reference::Layout(layout))) => Ok(Self::Layout(LayoutReference {
                path: fs::plain_place(process.absolute(&layout.path)),
                ..layout
            })),
            Some(Ok(Reference::Registry(RegistryReference {
                version: Some(Version::Digest(_)),
                ..
            }))) => Err(cannot()
                .because("the digest of the manifest follows from the wheels")
                .hint("name a tag, or none: `oci://HOST/REPO:TAG`")
                .into()),
            Some(Ok(Reference::Registry(reference))) => {
                let repository = Repository::open(reference, invocation, process);
                Ok(Self::Registry(Box::new(repository.with_context(cannot)?)))
            }
            Some(Err(why)) => Err(cannot().because(why).hint(example()).into()),
            None => Err(cannot()
                .because("it does not begin with `oci:`")
                .hint(example())
                .into()),
        }
    }

    /// Returns the directory of the layout, which is temporary for a registry.
    pub fn layout(&self) -> &Path {
        match self {
            Self::Layout(layout) => &layout.path,
            Self::Registry(repository) => repository.layout.path(),
        }
    }

    /// Returns the tag that the user names.
    pub fn tag(&self) -> Option<&str> {
        match self {
            Self::Layout(layout) => layout.tag.as_deref(),
            Self::Registry(repository) => match &repository.reference.version {
                Some(Version::Tag(tag)) => Some(tag),
                _ => None,
            },
        }
    }

    /// Returns the reference to what was copied, by its own tag if the user names none.
    pub fn reference(&self, own_tag: String) -> Reference {
        let tag = self.tag().map_or(own_tag, str::to_owned);
        match self {
            Self::Layout(layout) => Reference::Layout(LayoutReference {
                tag: Some(tag),
                ..layout.clone()
            }),
            Self::Registry(repository) => Reference::Registry(RegistryReference {
                version: Some(Version::Tag(tag)),
                ..repository.reference.clone()
            }),
        }
    }

    /// Checks that the registry takes uploads of the user.
    ///
    /// # Errors
    /// The registry refuses them, or cannot be reached.
    pub fn check(&self) -> Result<()> {
        match self {
            Self::Layout(_) => Ok(()),
            Self::Registry(repository) => repository
                .registry
                .check_upload()
                .with_context(|| format!("cannot push to `{}`", repository.reference)),
        }
    }

    /// Sends the layers and the manifest of the layout to the registry. None if there is none.
    ///
    /// # Errors
    /// The registry refuses them, or cannot be reached.
    pub fn send(
        &self,
        manifest: &Descriptor,
        layers: Vec<Descriptor>,
        tags: &[String],
    ) -> Result<Option<Sent>> {
        match self {
            Self::Layout(_) => Ok(None),
            Self::Registry(repository) => repository
                .send(manifest, layers, tags)
                .with_context(|| format!("cannot push to `{}`", repository.reference))
                .map(Some),
        }
    }

    /// Sends an image of the layout to the registry. None if there is none.
    ///
    /// # Errors
    /// The registry refuses it, or cannot be reached.
    pub fn send_image(
        &self,
        manifest: &Descriptor,
        blobs: Vec<Descriptor>,
        tags: &[String],
    ) -> Result<Option<Sent>> {
        match self {
            Self::Layout(_) => Ok(None),
            Self::Registry(repository) => repository
                .send_blobs(manifest, blobs, tags)
                .with_context(|| format!("cannot push to `{}`", repository.reference))
                .map(Some),
        }
    }
}

impl Repository {
    fn open(
        reference: RegistryReference,
        invocation: &Invocation,
        process: &Process,
    ) -> Result<Self> {
        let client = plan::registry_client(invocation, process)?;
        Ok(Self {
            registry: Registry::new(&client, &reference)?,
            reference,
            layout: fs::create_temporary_dir()?,
        })
    }

    fn send(
        &self,
        manifest: &Descriptor,
        layers: Vec<Descriptor>,
        tags: &[String],
    ) -> Result<Sent> {
        // The configuration does not count as a wheel.
        let config = Descriptor::of(media_type::EMPTY, EMPTY);
        self.registry
            .upload_blob(&config.digest, &Content::of_bytes(EMPTY), None)?;
        self.send_blobs(manifest, layers, tags)
    }

    fn send_blobs(
        &self,
        manifest: &Descriptor,
        blobs: Vec<Descriptor>,
        tags: &[String],
    ) -> Result<Sent> {
        let directory = self.layout.path().join(BLOBS);
        let path = |descriptor: &Descriptor| directory.join(descriptor.digest.to_string());
        let text = fs::read_text(&path(manifest), limits::STATE)?;
        let to_push = |descriptor: Descriptor| BlobToPush {
            source: BlobSource::File(path(&descriptor)),
            descriptor,
        };
        let blobs: Vec<BlobToPush<'_>> = blobs.into_iter().map(to_push).collect();
        let tags = tags.iter().cloned().map(Version::Tag);
        let versions: Vec<Version> = tags.collect();
        self.registry
            .push_image(&versions, (media_type::MANIFEST, &text), &blobs)
    }
}
