//! The runs that ask a package index.

use super::{Scene, copy};
use crate::support::{Listed, PackageIndex};

impl Scene {
    /// `fetch` fills a directory from a package index.
    pub fn fetch_from_index() -> Self {
        let words = &["-vpython-tool", "fetch", "tool.py"];
        let scene = Self::writing("fetch from an index", words, |world| {
            copy(&world.path("wheels"), &world.outside("index"));
            std::fs::remove_file(world.path("wheels/b-2-py3-none-any.whl")).unwrap();
        });
        scene.with_index()
    }

    /// A first launch that fetches all wheels from a package index.
    pub fn fetching_launch() -> Self {
        let mut scene = Self::cold("fetching launch", &["-vpython-fetch", "tool.py"]);
        let (wheels, index) = (scene.world.path("wheels"), scene.world.outside("index"));
        std::fs::rename(wheels, index).unwrap();
        scene.variables.push(("VPYTHON_FETCH", "1".to_owned()));
        scene.with_index()
    }

    /// Starts an index of the wheels in `index`.
    fn with_index(mut self) -> Self {
        let wheels = std::fs::read_dir(self.world.outside("index")).unwrap();
        let files = wheels.map(|entry| Listed::file(&entry.unwrap().path()));
        let index = PackageIndex::start(files.collect());
        self.variables.push(("PIP_INDEX_URL", index.url()));
        self.index = Some(index);
        self
    }
}
